/* SPDX-License-Identifier: Apache-2.0 */
/* The fs namer over real files and inotify. What it does in detail is told by test_fs.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "discover/fs.h"
#include "io/file.h"
#include "io/loop.h"

static const int64_t deadline_ns = 20 * CLOCK_SECOND;

static struct world {
	char folder[64];
	struct loop *loop;
	struct namer *fs;
	struct namer_watch *watch;
	struct timer deadline;
	const char *expected; /* the first endpoint, or NULL: neg */
	bool late;
} world;

static void put(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", world.folder, name);
	assert_int_equal(file_write(path, slice_of(text), 0644), 0);
}

static const char *in_folder(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", world.folder, name);
	return path;
}

static bool is_as_expected(void)
{
	const struct namer_answer *answer = namer_answer(world.watch);
	if (!world.expected)
		return answer->state == NAMER_NEG;
	return answer->state == NAMER_LEAF && answer->endpoints->count &&
		slice_equal(answer->endpoints->list[0].id, slice_of(world.expected));
}

static void changed(void *owner)
{
	(void)owner;
	if (is_as_expected())
		loop_stop(world.loop);
}

static void too_late(void *owner)
{
	(void)owner;
	world.late = true;
	loop_stop(world.loop);
}

static void wait_for(const char *expected)
{
	world.expected = expected;
	if (is_as_expected())
		return;
	timer_set(world.loop, &world.deadline, loop_now(world.loop) + deadline_ns);
	loop_run(world.loop);
	timer_cancel(world.loop, &world.deadline);
	assert_false(world.late);
}

static int setup(void **state)
{
	static const struct slice prefix[] = { { "#", 1 }, { "io.l5d.fs", 9 } };
	char root[128];
	(void)state;
	snprintf(world.folder, sizeof world.folder, "/tmp/weft-fs-XXXXXX");
	assert_non_null(mkdtemp(world.folder));
	assert_int_equal(loop_new(&(struct loop_options){ .name = "control" }, &world.loop), 0);
	timer_init(&world.deadline, too_late, NULL);
	in_folder(root, sizeof root, "disco");
	assert_int_equal(fs_new(&(struct fs_options){ { world.loop, NULL }, { prefix, 2 }, root }, &world.fs), 0);
	return 0;
}

static int teardown(void **state)
{
	char path[128];
	static const char *const made[] = { "disco/hello", "disco/team/api", "disco/team", "disco", "secret" };
	(void)state;
	namer_cancel(world.watch);
	namer_free(world.fs);
	loop_free(world.loop);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		(void)remove(in_folder(path, sizeof path, made[i]));
	assert_int_equal(rmdir(world.folder), 0);
	return 0;
}

static void follows_a_file(void **state)
{
	struct slice segments[] = { SLICE("hello") };
	char path[128];
	(void)state;
	world.watch = namer_lookup(world.fs, (struct path){ segments, 1 }, changed, NULL);
	wait_for(NULL); /* no directory yet */
	assert_int_equal(mkdir(in_folder(path, sizeof path, "disco"), 0755), 0);
	put("disco/hello", "127.0.1.1 7777\n");
	wait_for("127.0.1.1:7777");
	put("disco/hello", "127.0.1.2 7777\n");
	wait_for("127.0.1.2:7777");
	assert_int_equal(unlink(in_folder(path, sizeof path, "disco/hello")), 0);
	wait_for(NULL);
	put("disco/hello", "127.0.1.3 7777\n");
	wait_for("127.0.1.3:7777");
}

static void follows_directories(void **state)
{
	struct slice segments[] = { SLICE("team"), SLICE("api"), SLICE("v1") };
	char path[128];
	(void)state;
	assert_int_equal(mkdir(in_folder(path, sizeof path, "disco"), 0755), 0);
	world.watch = namer_lookup(world.fs, (struct path){ segments, 3 }, changed, NULL);
	wait_for(NULL);
	assert_int_equal(mkdir(in_folder(path, sizeof path, "disco/team"), 0755), 0);
	put("disco/team/api", "127.0.1.1 1\n");
	wait_for("127.0.1.1:1");
	assert_int_equal(namer_answer(world.watch)->residual.count, 1);
	assert_int_equal(unlink(in_folder(path, sizeof path, "disco/team/api")), 0);
	assert_int_equal(rmdir(in_folder(path, sizeof path, "disco/team")), 0);
	wait_for(NULL);
	put("disco/team", "127.0.1.1 2\n");
	wait_for("127.0.1.1:2");
	assert_int_equal(namer_answer(world.watch)->residual.count, 2);
}

static void stays_below_its_root(void **state)
{
	struct slice segments[] = { SLICE(".."), SLICE("secret") }, slashed = SLICE("../secret");
	struct path paths[] = { { segments, 2 }, { &slashed, 1 } };
	char path[128];
	(void)state;
	assert_int_equal(mkdir(in_folder(path, sizeof path, "disco"), 0755), 0);
	put("secret", "127.0.1.1 1\n");
	for (size_t i = 0; i < 2; i++) {
		world.watch = namer_lookup(world.fs, paths[i], changed, NULL);
		assert_int_equal(namer_answer(world.watch)->state, NAMER_NEG);
		namer_cancel(world.watch);
		world.watch = NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(follows_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(stays_below_its_root, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

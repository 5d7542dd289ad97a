/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "discover/fs.h"
#include "io/loop.h"
#include "io/sim/sim.h"

enum { ASKERS = 16 };

/* Somebody who asks for a name. */
struct asker {
	struct namer_watch *watch;
	unsigned changes;
	uint64_t version;      /* of the newest endpoints seen */
	struct asker *cancels; /* lets go of this one when told of a change */
};

static struct world {
	struct sim *sim;
	struct network *host;
	struct loop *loop;
	struct namer *fs;
	struct asker askers[ASKERS];
} world;

static int setup(void **state)
{
	static const struct slice prefix[] = { { "#", 1 }, { "io.l5d.fs", 9 } };
	(void)state;
	world = (struct world){ .sim = sim_new(1, NULL) };
	world.host = sim_host_new(world.sim, "10.0.0.1");
	assert_int_equal(loop_new(&(struct loop_options){ .name = "control" }, &world.loop), 0);
	struct fs_options options = { { world.loop, NULL }, { prefix, 2 }, "disco" };
	assert_int_equal(fs_new(&options, &world.fs), 0);
	return 0;
}

static void cancel(struct asker *asker)
{
	namer_cancel(asker->watch);
	asker->watch = NULL;
}

/* Whatever a test did, nothing is left behind. */
static int teardown(void **state)
{
	struct sim_open open;
	(void)state;
	for (size_t i = 0; i < ASKERS; i++)
		cancel(&world.askers[i]);
	sim_process_open(sim_process_current(world.sim), &open);
	assert_int_equal(open.watches, 0);
	namer_free(world.fs);
	loop_free(world.loop);
	sim_free(world.sim);
	return 0;
}

static void put(const char *path, const char *text)
{
	sim_file_put(world.host, path, slice_of(text));
}

static void gone(const char *path)
{
	sim_file_remove(world.host, path);
}

/* Until all that has happened has been told. */
static void settle(void)
{
	sim_run_for(world.sim, CLOCK_SECOND);
}

static unsigned open_watches(void)
{
	struct sim_open open;
	sim_process_open(sim_process_current(world.sim), &open);
	return open.watches;
}

static void changed(void *owner)
{
	struct asker *asker = owner;
	const struct namer_answer *answer = namer_answer(asker->watch);
	asker->changes++;
	if (answer->state == NAMER_LEAF) {
		assert_true(answer->endpoints->version >= asker->version);
		asker->version = answer->endpoints->version;
	}
	if (asker->cancels)
		cancel(asker->cancels);
}

static struct asker *ask(unsigned index, const char *below)
{
	struct asker *asker = &world.askers[index];
	struct arena arena;
	struct path path;
	struct slice why;
	arena_init(&arena, NULL, 0);
	assert_int_equal(path_parse(slice_of(below), &arena, &path, &why), 0);
	*asker = (struct asker){ .watch = namer_lookup(world.fs, path, changed, asker) };
	arena_reset(&arena);
	return asker;
}

static void show(struct text *out, const struct namer_answer *answer)
{
	text_format(out, "%s", answer->state == NAMER_LEAF ? "" : answer->state == NAMER_NEG ? "neg" : "other");
	if (answer->state != NAMER_LEAF)
		return;
	path_show_text(out, answer->id);
	if (answer->residual.count) {
		text_format(out, " [");
		path_show_text(out, answer->residual);
		text_format(out, "]");
	}
	if (answer->endpoints->state != ENDPOINTS_BOUND)
		text_format(out, " %s", endpoints_state_text(answer->endpoints->state));
	for (uint32_t i = 0; i < answer->endpoints->count; i++) {
		const struct endpoint *endpoint = &answer->endpoints->list[i];
		text_format(out, " %.*s", SLICE_ARGS(endpoint->id));
		if (endpoint->weight != 1)
			text_format(out, "*%g", endpoint->weight);
	}
}

static void assert_answer(const struct asker *asker, const char *expected)
{
	struct text text = { 0 };
	show(&text, namer_answer(asker->watch));
	assert_string_equal(text.bytes, expected);
	text_free(&text);
}

static void walks_to_a_file(void **state)
{
	static const struct {
		const char *below, *answer;
	} cases[] = {
		{ "/hello", "/#/io.l5d.fs/hello 127.0.1.1:7777 127.0.2.1:7777*2" },
		{ "/hello/a/b", "/#/io.l5d.fs/hello [/a/b] 127.0.1.1:7777 127.0.2.1:7777*2" },
		{ "/team/blue/api", "/#/io.l5d.fs/team/blue/api 127.0.1.1:7779" },
		{ "/team/blue/api/v1", "/#/io.l5d.fs/team/blue/api [/v1] 127.0.1.1:7779" },
		{ "/empty", "/#/io.l5d.fs/empty" },
		{ "/team", "neg" }, /* a directory */
		{ "/team/blue", "neg" },
		{ "/team/red", "neg" },
		{ "/world", "neg" },
		{ "/", "neg" },
		{ "/../secret", "neg" },
		{ "/team/../hello", "neg" },
		{ "/./hello", "neg" },
		{ "/team\\x2fblue\\x2fapi", "neg" }, /* one segment, not three */
		{ "/hello\\x00", "neg" },
	};
	(void)state;
	put("disco/hello", "127.0.1.1 7777\n127.0.2.1 7777 * 2\n");
	put("disco/team/blue/api", "127.0.1.1 7779 # one\n");
	put("disco/empty", "# nobody at present\n");
	put("secret", "127.0.1.1 1\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct asker *asker = ask(0, cases[i].below);
		assert_answer(asker, cases[i].answer);
		cancel(asker);
		assert_int_equal(open_watches(), 0);
	}
}

static void tells_of_each_change(void **state)
{
	struct asker *hello = ask(0, "/hello"), *world_v1 = ask(1, "/world-v1");
	(void)state;
	assert_answer(hello, "neg"); /* there is not even a directory */
	put("disco/hello", "127.0.1.1 7777\n");
	assert_int_equal(hello->changes, 0); /* not from inside a call */
	settle();
	assert_answer(hello, "/#/io.l5d.fs/hello 127.0.1.1:7777");
	assert_int_equal(hello->changes, 1);
	put("disco/hello", "127.0.1.1 7777\n127.0.2.1 7777\n");
	settle();
	assert_answer(hello, "/#/io.l5d.fs/hello 127.0.1.1:7777 127.0.2.1:7777");
	assert_int_equal(hello->changes, 2);
	put("disco/hello", "127.0.2.1 7777 # the same\n127.0.1.1 7777\n");
	settle();
	assert_int_equal(hello->changes, 2);
	gone("disco/hello");
	settle();
	assert_answer(hello, "neg");
	assert_int_equal(hello->changes, 3);
	put("disco/hello", "127.0.3.1 7777\n");
	settle();
	assert_answer(hello, "/#/io.l5d.fs/hello 127.0.3.1:7777");
	assert_int_equal(hello->changes, 4);
	assert_int_equal(world_v1->changes, 0);
}

static void a_malformed_line_fails_the_file(void **state)
{
	put("disco/hello", "127.0.1.1 7777\n127.0.2.1:7777\n");
	struct asker *hello = ask(0, "/hello");
	(void)state;
	assert_answer(hello, "/#/io.l5d.fs/hello failed");
	assert_true(slice_equal(namer_answer(hello->watch)->endpoints->message,
		SLICE("disco/hello: line 2: expected `host port` or `host port * weight`, found `127.0.2.1:7777`")));
	put("disco/hello", "127.0.1.1 7777\n127.0.2.1 7777\n");
	settle();
	assert_answer(hello, "/#/io.l5d.fs/hello 127.0.1.1:7777 127.0.2.1:7777");
	put("disco/hello", "oops\n");
	settle();
	assert_answer(hello, "/#/io.l5d.fs/hello failed");
	assert_int_equal(hello->changes, 2);
}

static void large_files_fail(void **state)
{
	struct text text = { 0 };
	while (text.length < FS_MAX_FILE - 15)
		text_append(&text, SLICE("127.0.1.1 7777\n"));
	while (text.length < FS_MAX_FILE)
		text_append(&text, SLICE("\n"));
	(void)state;
	put("disco/hello", text.bytes);
	struct asker *hello = ask(0, "/hello");
	assert_answer(hello, "/#/io.l5d.fs/hello 127.0.1.1:7777");
	text_append(&text, SLICE("\n"));
	put("disco/hello", text.bytes);
	settle();
	assert_answer(hello, "/#/io.l5d.fs/hello failed");
	assert_true(slice_equal(namer_answer(hello->watch)->endpoints->message, SLICE("disco/hello: larger than 500 KB")));
	text_free(&text);
}

static void files_and_directories_change_places(void **state)
{
	put("disco/a", "127.0.1.1 1\n");
	struct asker *outer = ask(0, "/a"), *inner = ask(1, "/a/b"), *deep = ask(2, "/a/b/c/d"), *dots = ask(3, "/a/../b");
	(void)state;
	assert_answer(outer, "/#/io.l5d.fs/a 127.0.1.1:1");
	assert_answer(inner, "/#/io.l5d.fs/a [/b] 127.0.1.1:1");
	assert_answer(deep, "/#/io.l5d.fs/a [/b/c/d] 127.0.1.1:1");
	assert_answer(dots, "/#/io.l5d.fs/a [/../b] 127.0.1.1:1");
	gone("disco/a");
	put("disco/a/b/c/d", "127.0.1.1 2\n");
	settle();
	assert_answer(outer, "neg");
	assert_answer(inner, "neg");
	assert_answer(deep, "/#/io.l5d.fs/a/b/c/d 127.0.1.1:2");
	assert_answer(dots, "neg");
	assert_int_equal(open_watches(), 4);
	gone("disco/a/b/c/d");
	put("disco/a/b", "127.0.1.1 3\n");
	settle();
	assert_answer(outer, "neg");
	assert_answer(inner, "/#/io.l5d.fs/a/b 127.0.1.1:3");
	assert_answer(deep, "/#/io.l5d.fs/a/b [/c/d] 127.0.1.1:3");
	assert_int_equal(open_watches(), 2);
	gone("disco/a/b");
	settle();
	assert_answer(inner, "neg");
	assert_answer(deep, "neg");
	put("disco/a", "127.0.1.1 4\n");
	settle();
	assert_answer(dots, "/#/io.l5d.fs/a [/../b] 127.0.1.1:4");
	assert_answer(deep, "/#/io.l5d.fs/a [/b/c/d] 127.0.1.1:4");
}

static void watches_share_what_they_need(void **state)
{
	put("disco/team/a", "127.0.1.1 1\n");
	put("disco/team/b", "127.0.1.1 2\n");
	struct asker *first = ask(0, "/team/a"), *second = ask(1, "/team/b"), *again = ask(2, "/team/a"), *top = ask(3, "/c");
	(void)state;
	assert_ptr_equal(namer_answer(first->watch)->endpoints, namer_answer(again->watch)->endpoints);
	assert_int_equal(open_watches(), 2);
	cancel(first);
	cancel(second);
	put("disco/team/a", "127.0.1.1 3\n");
	settle();
	assert_answer(again, "/#/io.l5d.fs/team/a 127.0.1.1:3");
	assert_int_equal(open_watches(), 2);
	cancel(again);
	assert_int_equal(open_watches(), 1);
	cancel(top);
	assert_int_equal(open_watches(), 0);
}

static void may_be_cancelled_from_a_change(void **state)
{
	put("disco/a", "127.0.1.1 1\n");
	struct asker *first = ask(0, "/a"), *second = ask(1, "/a"), *third = ask(2, "/a");
	(void)state;
	first->cancels = second; /* that was to be told next */
	third->cancels = third;
	put("disco/a", "127.0.1.1 2\n");
	settle();
	assert_int_equal(first->changes, 1);
	assert_int_equal(second->changes, 0);
	assert_int_equal(third->changes, 1);
	first->cancels = first;
	gone("disco/a");
	settle();
	assert_int_equal(open_watches(), 0);
}

static void unreadable_files_fail_until_they_can_be_read(void **state)
{
	put("disco/a", "127.0.1.1 1\n");
	(void)state;
	sim_fail_nth(world.sim, SIM_CALL_FILE_READ, 1);
	struct asker *asker = ask(0, "/a");
	assert_answer(asker, "/#/io.l5d.fs/a failed");
	put("disco/a", "127.0.1.1 1\n");
	settle();
	assert_answer(asker, "/#/io.l5d.fs/a 127.0.1.1:1");
}

static void mounted_configuration_is_swapped_as_a_whole(void **state)
{
	put("disco/a", "127.0.1.1 1\n");
	struct asker *asker = ask(0, "/a");
	(void)state;
	/* The file changes without being named: here the event for it is lost among failing reads. */
	sim_fail_nth(world.sim, SIM_CALL_FILE_READ, 1);
	put("disco/a", "127.0.1.1 2\n");
	settle();
	assert_answer(asker, "/#/io.l5d.fs/a failed");
	put("disco/..data", "x");
	settle();
	assert_answer(asker, "/#/io.l5d.fs/a 127.0.1.1:2");
}

static void a_root_is_needed(void **state)
{
	struct namer *namer;
	(void)state;
	assert_int_equal(fs_new(&(struct fs_options){ { world.loop, NULL }, PATH_EMPTY, "" }, &namer), ERROR_INVALID);
	assert_int_equal(fs_new(&(struct fs_options){ { world.loop, NULL }, PATH_EMPTY, NULL }, &namer), ERROR_INVALID);
}

/* Whatever happens to the files, in the end a standing watch knows what a new one finds. */
static void settles_on_the_truth(void **state)
{
	static const char *const names[] = { "/a", "/a/b", "/a/b/c", "/b", "/b/c", "/c/d/e" };
	static const char *const files[] = { "disco/a", "disco/a/b", "disco/a/b/c", "disco/b", "disco/b/c", "disco/c/d/e" };
	static const char *const texts[] = { "127.0.1.1 1\n", "127.0.1.1 2\n", "bad\n", "" };
	struct random *random = sim_random(world.sim);
	(void)state;
	for (unsigned i = 0; i < 6; i++)
		ask(i, names[i]);
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned n = random_below(random, 4); n > 0; n--) {
			unsigned which = random_below(random, 6);
			for (unsigned i = 0; i < 6; i++) { /* what stands in the way goes first */
				if (i != which &&
					(strstr(files[i], files[which]) == files[i] || strstr(files[which], files[i]) == files[which]))
					gone(files[i]);
			}
			if (random_below(random, 3) == 0)
				gone(files[which]);
			else
				put(files[which], texts[random_below(random, 4)]);
			sim_run_for(world.sim, (int64_t)random_below(random, 15) * CLOCK_MS);
		}
		settle();
		for (unsigned i = 0; i < 6; i++) {
			struct text stands = { 0 }, fresh = { 0 };
			show(&stands, namer_answer(world.askers[i].watch));
			show(&fresh, namer_answer(ask(6, names[i])->watch));
			assert_string_equal(stands.bytes, fresh.bytes);
			cancel(&world.askers[6]);
			text_free(&stands);
			text_free(&fresh);
		}
		unsigned again = random_below(random, 6);
		cancel(&world.askers[again]);
		ask(again, names[again]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(walks_to_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_of_each_change, setup, teardown),
		cmocka_unit_test_setup_teardown(a_malformed_line_fails_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(large_files_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(files_and_directories_change_places, setup, teardown),
		cmocka_unit_test_setup_teardown(watches_share_what_they_need, setup, teardown),
		cmocka_unit_test_setup_teardown(may_be_cancelled_from_a_change, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable_files_fail_until_they_can_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(mounted_configuration_is_swapped_as_a_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_root_is_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(settles_on_the_truth, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Files and watches, in a directory of their own. */
#include "unit/io/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "io/file.h"

static char folder[64];

static const char *path_of(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/weft-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	static const char *const names[] = { "a", "b", "c", "new/deep/x", "new/deep", "new/y", "new", "link" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		remove(path_of(names[i]));
	return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(file_write(path, slice_of(text), 0640), 0);
}

static void reads_what_was_written(void **state)
{
	(void)state;
	struct slice bytes;
	struct stat about;
	write_file(path_of("a"), "first");
	write_file(path_of("a"), "second");
	assert_int_equal(stat(path_of("a"), &about), 0);
	assert_int_equal(about.st_mode & 0777, 0640);
	assert_int_equal(file_read(path_of("a"), 6, &bytes), 0);
	assert_true(slice_equal(bytes, SLICE("second")));
	assert_int_equal(bytes.at[6], '\0');
	memory_free(bytes.at);
	write_file(path_of("a"), "");
	assert_int_equal(file_read(path_of("a"), 0, &bytes), 0);
	assert_int_equal(bytes.length, 0);
	memory_free(bytes.at);
}

static void reads_large_files_whole(void **state)
{
	(void)state;
	enum { LARGE = 300000 };
	char *text = memory_array(LARGE, 1);
	struct slice bytes;
	for (int i = 0; i < LARGE; i++)
		text[i] = (char)(i % 251);
	assert_int_equal(file_write(path_of("a"), slice_make(text, LARGE), 0600), 0);
	assert_int_equal(file_read(path_of("a"), LARGE, &bytes), 0);
	assert_true(slice_equal(bytes, slice_make(text, LARGE)));
	memory_free(bytes.at);
	assert_int_equal(file_read(path_of("a"), LARGE - 1, &bytes), ERROR_LIMIT);
	assert_int_equal(file_read("/proc/self/stat", 10000, &bytes), 0); /* says that its size is 0 */
	assert_true(bytes.length > 10);
	memory_free(bytes.at);
	memory_free(text);
}

static void says_why_it_can_not_read(void **state)
{
	(void)state;
	struct slice bytes;
	assert_int_equal(file_read(path_of("none"), 10, &bytes), ERROR_NOT_FOUND);
	assert_int_equal(file_read(folder, 10, &bytes), ERROR_INVALID);
	assert_int_equal(file_write(path_of("none/a"), SLICE("x"), 0600), ERROR_NOT_FOUND);
	if (geteuid() != 0) {
		write_file(path_of("a"), "x");
		assert_int_equal(chmod(path_of("a"), 0), 0);
		assert_int_equal(file_read(path_of("a"), 10, &bytes), ERROR_DENIED);
	}
}

struct changes {
	struct text names; /* each followed by a space; "*" for an empty one */
	size_t wanted;     /* how long `names` gets */
	bool enough, free_on_change;
	struct watch *watch;
};

static void on_change(void *owner, struct slice name)
{
	struct changes *changes = owner;
	text_append(&changes->names, name.length ? name : SLICE("*"));
	text_append(&changes->names, SLICE(" "));
	changes->enough = changes->names.length >= changes->wanted;
	if (changes->free_on_change) {
		watch_free(changes->watch);
		changes->watch = NULL;
	}
}

static void expect(struct rig *rig, struct changes *changes, const char *names)
{
	changes->wanted = strlen(names);
	changes->enough = changes->names.length >= changes->wanted;
	assert_true(rig_until(rig, &changes->enough));
	assert_string_equal(changes->names.bytes, names);
	text_clear(&changes->names);
}

static const struct loop_options defaults = { .name = "test" };

static void tells_each_changed_name_once(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct changes changes = { 0 };
	write_file(path_of("a"), "1");
	assert_int_equal(watch_new(rig->loop, folder, on_change, &changes, &changes.watch), 0);
	for (int i = 0; i < 5; i++) {
		int fd = open(path_of("a"), O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(write(fd, "22", 2), 2);
		close(fd);
	}
	expect(rig, &changes, "a ");
	assert_int_equal(rename(path_of("a"), path_of("b")), 0);
	expect(rig, &changes, "a b ");
	assert_int_equal(unlink(path_of("b")), 0);
	expect(rig, &changes, "b ");
	assert_int_equal(symlink("b", path_of("link")), 0);
	expect(rig, &changes, "link ");
	watch_free(changes.watch);
	text_free(&changes.names);
	rig_free(rig);
}

static void a_replaced_file_is_told_by_its_name(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct changes changes = { 0 };
	assert_int_equal(watch_new(rig->loop, folder, on_change, &changes, &changes.watch), 0);
	write_file(path_of("a"), "by a temporary file and rename");
	changes.wanted = strlen("a.123456 a ");
	assert_true(rig_until(rig, &changes.enough));
	assert_true(slice_starts(text_slice(&changes.names), SLICE("a.")));
	assert_true(slice_ends(text_slice(&changes.names), SLICE(" a ")));
	watch_free(changes.watch);
	text_free(&changes.names);
	rig_free(rig);
}

static void a_missing_directory_is_waited_for(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct changes changes = { 0 }, above = { 0 };
	assert_int_equal(watch_new(rig->loop, path_of("new/deep"), on_change, &changes, &changes.watch), 0);
	assert_int_equal(watch_new(rig->loop, folder, on_change, &above, &above.watch), 0);
	assert_int_equal(mkdir(path_of("new"), 0700), 0);
	expect(rig, &above, "new ");
	assert_int_equal(changes.names.length, 0); /* not yet the one that is waited for */
	watch_free(above.watch);
	assert_int_equal(mkdir(path_of("new/deep"), 0700), 0);
	expect(rig, &changes, "* ");
	int fd = open(path_of("new/deep/x"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	expect(rig, &changes, "x ");
	assert_int_equal(remove(path_of("new/deep/x")), 0);
	expect(rig, &changes, "x ");
	assert_int_equal(rmdir(path_of("new/deep")), 0);
	expect(rig, &changes, "* ");
	assert_int_equal(mkdir(path_of("new/deep"), 0700), 0); /* and again */
	expect(rig, &changes, "* ");
	watch_free(changes.watch);
	text_free(&changes.names);
	text_free(&above.names);
	rig_free(rig);
}

static void directories_made_at_once_are_found(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct changes changes = { 0 };
	assert_int_equal(watch_new(rig->loop, path_of("new/deep"), on_change, &changes, &changes.watch), 0);
	assert_int_equal(mkdir(path_of("new"), 0700), 0);
	assert_int_equal(mkdir(path_of("new/deep"), 0700), 0);
	expect(rig, &changes, "* ");
	watch_free(changes.watch);
	text_free(&changes.names);
	rig_free(rig);
}

static void watches_share_a_directory(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct changes one = { 0 }, two = { .free_on_change = true };
	assert_int_equal(watch_new(rig->loop, folder, on_change, &one, &one.watch), 0);
	assert_int_equal(watch_new(rig->loop, folder, on_change, &two, &two.watch), 0);
	close(open(path_of("a"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	expect(rig, &one, "a ");
	expect(rig, &two, "a "); /* and is freed by it */
	assert_null(two.watch);
	close(open(path_of("b"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	expect(rig, &one, "b ");
	watch_free(one.watch);
	text_free(&one.names);
	text_free(&two.names);
	rig_free(rig);
}

static void a_directory_is_made_once_with_its_mode(void **state)
{
	(void)state;
	struct stat about;
	assert_int_equal(file_make_directory(path_of("new"), 0700), 0);
	assert_int_equal(stat(path_of("new"), &about), 0);
	assert_int_equal(about.st_mode & 0777, 0700);
	assert_int_equal(file_make_directory(path_of("new"), 0700), ERROR_EXISTS);
	assert_int_equal(file_make_directory(path_of("b/new"), 0700), ERROR_NOT_FOUND);
}

static void a_file_is_replaced_by_a_temporary_one_of_that_name(void **state)
{
	(void)state;
	struct slice bytes;
	struct stat about;
	write_file(path_of("b"), "left behind by somebody who was killed");
	assert_int_equal(file_replace(path_of("a"), path_of("b"), SLICE("new"), 0600), 0);
	assert_int_equal(stat(path_of("b"), &about), -1);
	assert_int_equal(stat(path_of("a"), &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
	assert_int_equal(file_read(path_of("a"), 10, &bytes), 0);
	assert_true(slice_equal(bytes, SLICE("new")));
	memory_free(bytes.at);
	assert_int_equal(file_replace(path_of("none/a"), path_of("none/b"), SLICE("new"), 0600), ERROR_NOT_FOUND);
}

static void a_lock_has_one_holder(void **state)
{
	(void)state;
	struct file_lock *first, *second;
	assert_int_equal(file_lock_take(path_of("a"), &first), 0);
	assert_int_equal(file_lock_take(path_of("a"), &second), ERROR_BUSY);
	assert_int_equal(file_lock_take(path_of("b"), &second), 0);
	file_lock_release(second);
	file_lock_release(first);
	assert_int_equal(file_lock_take(path_of("a"), &first), 0);
	file_lock_release(first);
	assert_int_equal(file_lock_take(path_of("c/a"), &first), ERROR_NOT_FOUND);
	file_lock_release(NULL);
}

int main(void)
{
	process_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_what_was_written, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(reads_large_files_whole, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(says_why_it_can_not_read, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(tells_each_changed_name_once, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_replaced_file_is_told_by_its_name, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_missing_directory_is_waited_for, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(directories_made_at_once_are_found, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_directory_is_made_once_with_its_mode, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_file_is_replaced_by_a_temporary_one_of_that_name, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_lock_has_one_holder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(watches_share_a_directory, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/names.h"

static void parses(void **state)
{
	static const struct {
		const char *text, *shown;
		uint32_t count;
	} cases[] = {
		{ "/", "/", 0 },
		{ "/svc", "/svc", 1 },
		{ "/svc/hello", "/svc/hello", 2 },
		{ "  /svc/hello \n", "/svc/hello", 2 },
		{ "# a comment\n/svc # another", "/svc", 1 },
		{ "/#/io.l5d.fs/hello", "/#/io.l5d.fs/hello", 3 },
		{ "/%/io.l5d.port/4141/#/io.l5d.fs/hello", "/%/io.l5d.port/4141/#/io.l5d.fs/hello", 6 },
		{ "/$/inet/127.1/80", "/$/inet/127.1/80", 4 },
		{ "/svc/hello:80", "/svc/hello:80", 2 },
		{ "/A-Z_a-z.0-9:%$#", "/A-Z_a-z.0-9:%$#", 1 },
		{ "/a#b", "/a#b", 1 },
		{ "/a\\x2fb", "/a\\x2fb", 1 },
		{ "/a\\x2Fb/c", "/a\\x2fb/c", 2 },
		{ "/\\x61\\x62", "/ab", 1 },
		{ "/\\x00\\xff\\x20", "/\\x00\\xff\\x20", 1 },
		{ "/\\x2a", "/\\x2a", 1 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path = path_of(cases[i].text);
		assert_int_equal(path.count, cases[i].count);
		assert_slice(path_show(&arena, path), cases[i].shown);
		assert_int_equal(path_show_length(path), strlen(cases[i].shown));
		assert_true(path_equal(path, path_of(cases[i].shown)));
	}
	assert_slice(path_of("/a\\x2fb").segments[0], "a/b");
}

static void explains_what_it_refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "'/' expected but end of input found at '[]'" },
		{ "svc", "'/' expected but 's' found at '[s]vc'" },
		{ "/svc/", "label char expected but end of input found at '/svc/[]'" },
		{ "/svc/!", "label char expected but '!' found at '/svc/[!]'" },
		{ "/svc!", "end of input expected but '!' found at '/svc[!]'" },
		{ "//svc", "end of input expected but '/' found at '/[/]svc'" },
		{ "/svc//hello", "label char expected but '/' found at '/svc/[/]hello'" },
		{ "/svc hello", "end of input expected but 'h' found at '/svc [h]ello'" },
		{ "/svc/*", "label char expected but '*' found at '/svc/[*]'" },
		{ "/a\\y00", "'x' expected but 'y' found at '/a\\[y]00'" },
		{ "/a\\x0g", "hex char expected but 'g' found at '/a\\x0[g]'" },
		{ "/a\\x", "hex char expected but end of input found at '/a\\x[]'" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path;
		struct slice why = { 0 };
		assert_int_equal(path_parse(slice_of(cases[i].text), &arena, &path, &why), ERROR_SYNTAX);
		assert_slice(why, cases[i].why);
	}
	struct path path;
	struct slice why = { 0 };
	assert_int_equal(path_parse((struct slice){ 0 }, &arena, &path, &why), ERROR_SYNTAX);
	assert_slice(why, "'/' expected but end of input found at '[]'");
}

static void shows_keys_without_making_a_path(void **state)
{
	static const struct {
		const char *prefix, *value;
	} cases[] = {
		{ "/svc", "hello" },
		{ "/svc", "hello:80" },
		{ "/", "hello" },
		{ "/svc/1.1", "a b/c" },
		{ "/svc", "\xc3\xa4*\\" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path name;
		assert_int_equal(path_append(&arena, path_of(cases[i].prefix), slice_of(cases[i].value), &name), 0);
		struct slice key = path_show_under(&arena, slice_of(cases[i].prefix), slice_of(cases[i].value));
		assert_slice(path_show(&arena, name), arena_text(&arena, key));
		assert_slice(name.segments[name.count - 1], cases[i].value);
	}
	assert_slice(path_show_under(&arena, SLICE("/svc"), SLICE("a b/c")), "/svc/a\\x20b\\x2fc");
	assert_null(path_show_under(&arena, SLICE("/svc"), SLICE("")).at);
	struct path name;
	assert_int_equal(path_append(&arena, PATH_EMPTY, SLICE(""), &name), ERROR_INVALID);
}

static void compares(void **state)
{
	static const char *const ordered[] = { "/", "/#/x", "/a", "/a/a", "/a/b", "/a.b", "/b", "/ba" };
	(void)state;
	for (size_t i = 0; i < COUNT(ordered); i++) {
		for (size_t j = 0; j < COUNT(ordered); j++) {
			int order = path_compare(path_of(ordered[i]), path_of(ordered[j]));
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(path_equal(path_of(ordered[i]), path_of(ordered[j])), i == j);
		}
	}
}

static void cuts_and_joins(void **state)
{
	struct path path = path_of("/a/b/c"), joined, copy;
	(void)state;
	assert_slice(path_show(&arena, path_from(path, 1)), "/b/c");
	assert_slice(path_show(&arena, path_from(path, 0)), "/a/b/c");
	assert_int_equal(path_from(path, 3).count, 0);
	assert_int_equal(path_from(path, 9).count, 0);
	assert_slice(path_show(&arena, path_first(path, 2)), "/a/b");
	assert_slice(path_show(&arena, path_first(path, 9)), "/a/b/c");
	assert_true(path_starts(path, path_of("/a/b")));
	assert_true(path_starts(path, PATH_EMPTY));
	assert_false(path_starts(path, path_of("/b")));
	assert_false(path_starts(path, path_of("/a/b/c/d")));
	assert_int_equal(path_concat(&arena, path, path_of("/d"), &joined), 0);
	assert_slice(path_show(&arena, joined), "/a/b/c/d");
	assert_int_equal(path_concat(&arena, PATH_EMPTY, PATH_EMPTY, &joined), 0);
	assert_int_equal(joined.count, 0);
	assert_int_equal(path_copy(&arena, path, &copy), 0);
	assert_true(path_equal(copy, path));
	assert_ptr_not_equal(copy.segments[0].at, path.segments[0].at);
	struct slice segments[] = { SLICE("x"), SLICE("y z") };
	assert_int_equal(path_make(&arena, segments, 2, &joined), 0);
	assert_slice(path_show(&arena, joined), "/x/y\\x20z");
	segments[1].length = 0;
	assert_int_equal(path_make(&arena, segments, 2, &joined), ERROR_INVALID);
}

static void lives_on_the_heap(void **state)
{
	struct path kept = path_new(path_of("/a/b")), none = path_new(PATH_EMPTY);
	struct text text = { 0 };
	(void)state;
	arena_reset(&arena);
	path_show_text(&text, kept);
	path_show_text(&text, none);
	assert_string_equal(text.bytes, "/a/b/");
	text_free(&text);
	path_free(&kept);
	path_free(&none);
}

static void says_when_there_is_no_room(void **state)
{
	struct arena small;
	struct path path, joined;
	struct slice why;
	(void)state;
	arena_init(&small, NULL, 16);
	assert_int_equal(path_parse(SLICE("/a/b/c"), &small, &path, &why), ERROR_NO_MEMORY);
	path = path_of("/a/b/c");
	assert_int_equal(path_concat(&small, path, path, &joined), ERROR_NO_MEMORY);
	assert_int_equal(path_copy(&small, path, &joined), ERROR_NO_MEMORY);
	assert_null(path_show(&small, path_of("/a-path-longer-than-that")).at);
	assert_null(path_show_under(&small, SLICE("/svc"), SLICE("a-path-longer-than-that")).at);
	arena_reset(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(parses, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(explains_what_it_refuses, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(shows_keys_without_making_a_path, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(compares, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(cuts_and_joins, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(lives_on_the_heap, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(says_when_there_is_no_room, names_setup, names_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

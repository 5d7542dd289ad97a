/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/see/table.h"

static struct text out;

static int teardown(void **state)
{
	(void)state;
	text_free(&out);
	return 0;
}

static void add(struct table *table, enum table_tone tone, bool right, const char *text)
{
	table_cell(table, tone, right, slice_of(text));
}

static struct table example(void)
{
	struct table table = { .count = 3 };

	add(&table, TABLE_HEAD, false, "NAME");
	add(&table, TABLE_HEAD, true, "N");
	add(&table, TABLE_HEAD, false, "END");
	add(&table, TABLE_PLAIN, false, "w\xc3\xb6rld");
	add(&table, TABLE_BAD, true, "1234");
	add(&table, TABLE_PLAIN, false, "");
	return table;
}

static void test_columns_are_aligned_by_characters(void **state)
{
	struct table table = example();

	(void)state;
	table_print(&table, &(struct table_look){ 0 }, &out);
	assert_string_equal(out.bytes, "NAME      N  END\nw\xc3\xb6rld  1234\n");
	table_free(&table);
}

static void test_colours(void **state)
{
	struct table table = example();

	(void)state;
	table_print(&table, &(struct table_look){ .colour = true }, &out);
	assert_string_equal(out.bytes,
		"\033[1mNAME\033[0m      \033[1mN\033[0m  \033[1mEND\033[0m\n"
		"w\xc3\xb6rld  \033[31m1234\033[0m\n");
	table_free(&table);
}

static void test_lines_are_cut(void **state)
{
	struct table table = example();

	(void)state;
	table_print(&table, &(struct table_look){ .width = 9 }, &out);
	assert_string_equal(out.bytes, "NAME\nw\xc3\xb6rld  12\n");
	text_clear(&out);
	table_print(&table, &(struct table_look){ .width = 2 }, &out);
	assert_string_equal(out.bytes, "NA\nw\xc3\xb6\n");
	table_free(&table);
}

static void test_names_cannot_move_the_cursor(void **state)
{
	(void)state;
	table_safe(&out, SLICE("a\033[2J\n\x7f\xc2\x9b\xff\xc3\xa4"));
#define BAD "\xef\xbf\xbd"
	assert_string_equal(out.bytes, "a" BAD "[2J" BAD BAD BAD BAD "\xc3\xa4");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, NULL, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_columns_are_aligned_by_characters),
		TEST(test_colours),
		TEST(test_lines_are_cut),
		TEST(test_names_cannot_move_the_cursor),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/install/template.h"

static void value(const void *owner, struct slice name, struct text *out)
{
	(void)owner;
	text_append(out, slice_equal(name, SLICE("LINES")) ? SLICE("one\ntwo") : name);
}

static bool begin(const void *owner, struct slice name, struct text *out)
{
	(void)owner;
	text_format(out, "{ %.*s\n", SLICE_ARGS(name));
	return slice_starts(name, SLICE("YES"));
}

static void end(const void *owner, struct text *out)
{
	(void)owner;
	text_append(out, SLICE("}\n"));
}

static const struct template_names names = { .value = value, .begin = begin, .end = end };

static void expect(const char *text, const char *indent, const char *filled)
{
	struct text out = { 0 };

	template_fill(text, indent, &names, NULL, &out);
	assert_string_equal(out.bytes ? out.bytes : "", filled);
	text_free(&out);
}

static void test_names_become_values(void **state)
{
	(void)state;
	expect("a: @B@, @C@d\n", "", "a: B, Cd\n");
	expect("no name\n\n", "", "no name\n\n");
}

static void test_further_lines_are_indented_as_the_first(void **state)
{
	(void)state;
	expect("  @LINES@\n", "", "  one\n  two\n");
	expect("  x: @LINES@\n", "    ", "      x: one\n      two\n");
}

static void test_an_empty_line_stays_empty(void **state)
{
	(void)state;
	expect("a\n\nb\n", "  ", "  a\n\n  b\n");
}

static void test_blocks_are_kept_or_not(void **state)
{
	(void)state;
	expect("@IF YES@\na\n@END@\nb\n", "", "{ YES\na\n}\nb\n");
	expect("@IF NO@\na\n@END@\nb\n", "", "{ NO\nb\n");
}

static void test_what_is_nested_in_a_dropped_block_is_not_even_asked_for(void **state)
{
	(void)state;
	expect("@IF NO@\n@IF YES@\na\n@END@\nb\n@END@\nc\n", "", "{ NO\nc\n");
	expect("@IF YES1@\n@IF YES2@\na\n@END@\n@IF NO@\nx\n@END@\n@END@\n", "", "{ YES1\n{ YES2\na\n}\n{ NO\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_become_values),
		cmocka_unit_test(test_further_lines_are_indented_as_the_first),
		cmocka_unit_test(test_an_empty_line_stays_empty),
		cmocka_unit_test(test_blocks_are_kept_or_not),
		cmocka_unit_test(test_what_is_nested_in_a_dropped_block_is_not_even_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/doc/parse.h"

#include <math.h>

#include "doc/suggest.h"

struct fixture {
	struct document *document;
	const struct document_node *root;
	struct problems problems;
};

static struct fixture fixture_of(const char *text)
{
	struct fixture f = { .document = parse_good(text) };
	f.root = document_root(f.document);
	problem_init(&f.problems);
	return f;
}

static void fixture_free(struct fixture *f)
{
	problem_fini(&f->problems);
	document_free(f->document);
}

static void absent_and_null_leave_defaults(void **state)
{
	(void)state;
	struct fixture f = fixture_of("a: 1\nn:\nt: ~\n");
	int64_t port = 4140;
	assert_null(document_get(f.root, "n"));
	assert_null(document_get(f.root, "t"));
	assert_null(document_get(f.root, "nope"));
	assert_null(document_get(NULL, "a"));
	assert_null(document_get(document_get(f.root, "a"), "b"));
	assert_false(document_read_int(document_get(f.root, "n"), 0, 9, &port, &f.problems));
	assert_int_equal(port, 4140);
	assert_non_null(document_find(f.root, SLICE("n")));
	assert_int_equal(f.problems.count, 0);
	assert_null(document_require(f.root, "n", &f.problems));
	assert_null(document_require(f.root, "kind", &f.problems));
	assert_non_null(document_require(f.root, "a", &f.problems));
	assert_null(document_require(NULL, "a", &f.problems));
	expect_problems(&f.problems, "f:1:1: the key `kind` is missing\nf:2:1: `n` needs a value\n");
	fixture_free(&f);
}

static void expect_int(const char *text, int64_t expected)
{
	struct fixture f = fixture_of(text);
	int64_t value = -99;
	assert_true(document_read_int(document_get(f.root, "v"), INT64_MIN, INT64_MAX, &value, &f.problems));
	assert_true(value == expected);
	fixture_free(&f);
}

static void integers(void **state)
{
	(void)state;
	expect_int("v: 0", 0);
	expect_int("v: -12", -12);
	expect_int("v: +12", 12);
	expect_int("v: \"4140\"", 4140);
	expect_int("v: 1_000_000", 1000000);
	expect_int("v: 9223372036854775807", INT64_MAX);
	expect_int("v: -9223372036854775808", INT64_MIN);
	expect_int("{\"v\": 7}", 7);
}

static void expect_no_int(const char *text, const char *problem)
{
	struct fixture f = fixture_of(text);
	int64_t value = -99;
	assert_false(document_read_int(document_get(f.root, "v"), 0, 65535, &value, &f.problems));
	assert_int_equal(value, -99);
	expect_problems(&f.problems, problem);
	fixture_free(&f);
}

static void wrong_integers_say_what_is_accepted(void **state)
{
	(void)state;
	expect_no_int("v: abc", "f:1:4: `v` is `abc`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: 65536", "f:1:4: `v` is `65536`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: -1", "f:1:4: `v` is `-1`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: 1.0", "f:1:4: `v` is `1.0`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: 0x10", "f:1:4: `v` is `0x10`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: 010", "f:1:4: `v` is `010`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: 1__0", "f:1:4: `v` is `1__0`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: 10_", "f:1:4: `v` is `10_`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: 18446744073709551616", "f:1:4: `v` is `18446744073709551616`, but must be an integer from 0 to 65535\n");
	expect_no_int("v: ''", "f:1:4: `v` is an empty text, but must be an integer from 0 to 65535\n");
	expect_no_int("v: [1]", "f:1:4: `v` is a sequence, but must be an integer from 0 to 65535\n");
	expect_no_int("v: {a: b}", "f:1:4: `v` is a mapping, but must be an integer from 0 to 65535\n");
	expect_no_int("v: \"a\\e[31mb\\u009b\\n\"", "f:1:4: `v` is `a?[31mb??…`, but must be an integer from 0 to 65535\n");
}

static void items_of_sequences_have_no_key(void **state)
{
	(void)state;
	struct fixture f = fixture_of("- x\n");
	int64_t value;
	assert_false(document_read_int(f.root->items[0], 1, INT64_MAX, &value, &f.problems));
	assert_false(document_expect(f.root->items[0], DOCUMENT_MAPPING, &f.problems));
	assert_false(document_expect(NULL, DOCUMENT_MAPPING, &f.problems));
	assert_true(document_expect(f.root, DOCUMENT_SEQUENCE, &f.problems));
	expect_problems(&f.problems,
		"f:1:3: found `x`, but this must be an integer of at least 1\n"
		"f:1:3: found `x`, but this must be a mapping\n");
	fixture_free(&f);
}

static void booleans_and_numbers(void **state)
{
	(void)state;
	struct fixture f = fixture_of("t: true\nf: \"False\"\ny: yes\nn: 0.25\ne: 1e3\nh: 0x1p3\ni: inf\np: .\nb: 1.5\nu: 1e999\n");
	bool flag = false;
	double n = 0;
	assert_true(document_read_bool(document_get(f.root, "t"), &flag, &f.problems) && flag);
	assert_true(document_read_bool(document_get(f.root, "f"), &flag, &f.problems) && !flag);
	assert_false(document_read_bool(document_get(f.root, "y"), &flag, &f.problems));
	assert_true(document_read_number(document_get(f.root, "n"), 0, 1, &n, &f.problems) && n == 0.25);
	assert_true(document_read_number(document_get(f.root, "e"), 0, INFINITY, &n, &f.problems) && n == 1000);
	assert_false(document_read_number(document_get(f.root, "h"), -INFINITY, INFINITY, &n, &f.problems));
	assert_false(document_read_number(document_get(f.root, "i"), 0, INFINITY, &n, &f.problems));
	assert_false(document_read_number(document_get(f.root, "p"), 0, 1, &n, &f.problems));
	assert_false(document_read_number(document_get(f.root, "b"), 0, 1, &n, &f.problems));
	assert_false(document_read_number(document_get(f.root, "u"), 0, INFINITY, &n, &f.problems));
	expect_problems(&f.problems,
		"f:3:4: `y` is `yes`, but must be true or false\n"
		"f:6:4: `h` is `0x1p3`, but must be a number\n"
		"f:7:4: `i` is `inf`, but must be a number of at least 0\n"
		"f:8:4: `p` is `.`, but must be a number from 0 to 1\n"
		"f:9:4: `b` is `1.5`, but must be a number from 0 to 1\n"
		"f:10:4: `u` is `1e999`, but must be a number of at least 0\n");
	fixture_free(&f);
}

static void texts_and_choices(void **state)
{
	(void)state;
	static const char *const kinds[] = { "p2c", "ewma", "roundRobin", NULL };
	struct fixture f = fixture_of("l: 5\nk: ewma\nr: roundrobn\nz: zzz\nm: {}\n");
	struct slice text = { 0 };
	int which = -1;
	assert_true(document_read_text(document_get(f.root, "l"), &text, &f.problems));
	assert_slice(text, "5");
	assert_true(document_read_choice(document_get(f.root, "k"), kinds, &which, &f.problems));
	assert_int_equal(which, 1);
	assert_false(document_read_choice(document_get(f.root, "r"), kinds, &which, &f.problems));
	assert_false(document_read_choice(document_get(f.root, "z"), kinds, &which, &f.problems));
	assert_false(document_read_text(document_get(f.root, "m"), &text, &f.problems));
	expect_problems(&f.problems,
		"f:3:4: `r` is `roundrobn`, but must be one of p2c, ewma, roundRobin; did you mean `roundRobin`?\n"
		"f:4:4: `z` is `zzz`, but must be one of p2c, ewma, roundRobin\n"
		"f:5:4: `m` is a mapping, but must be a text\n");
	fixture_free(&f);
}

static void unknown_keys_get_a_suggestion(void **state)
{
	(void)state;
	static const char *const common[] = { "port", "ip", "label", NULL };
	static const char *const http[] = { "maxCallDepth", NULL };
	static const char *const later[] = { "tls", NULL };
	const struct document_keys all = { .accepted = common, .later = later };
	const struct document_keys keys = { .accepted = http, .also = &all };
	struct fixture f = fixture_of("port: 1\nprot: 2\nMAXCALLDEPTH: 3\ntls: {}\nqqqqqq: 4\nmaxCallDepth: 5\n");
	assert_false(document_check_keys(f.root, &keys, &f.problems));
	expect_problems(&f.problems,
		"f:2:1: unknown key `prot`; did you mean `port`?\n"
		"f:3:1: unknown key `MAXCALLDEPTH`; did you mean `maxCallDepth`?\n"
		"f:4:1: `tls` is not supported yet\n"
		"f:5:1: unknown key `qqqqqq`\n");
	assert_true(document_check_keys(NULL, &keys, &f.problems));
	assert_false(document_check_keys(document_get(f.root, "port"), &keys, &f.problems));
	expect_problems(&f.problems, "f:1:7: `port` is `1`, but must be a mapping\n");
	fixture_free(&f);
}

static void suggestions_are_near(void **state)
{
	(void)state;
	static const char *const names[] = { "ip", "port", "servers", "interpreter", NULL };
	const char *meant = NULL;
	assert_int_equal(suggest_name(SLICE("server"), names, &meant), 1);
	assert_string_equal(meant, "servers");
	assert_int_equal(suggest_name(SLICE("intrepreter"), names, &meant), 1);
	assert_string_equal(meant, "interpreter");
	assert_int_equal(suggest_name(SLICE("pi"), names, &meant), 1);
	assert_string_equal(meant, "ip");
	assert_int_equal(suggest_name(SLICE("xy"), names, &meant), SUGGEST_NONE);
	assert_int_equal(suggest_name(SLICE(""), names, &meant), SUGGEST_NONE);
	assert_int_equal(
		suggest_name(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), names, &meant), SUGGEST_NONE);
	assert_int_equal(suggest_name(SLICE("port"), NULL, &meant), SUGGEST_NONE);
}

static void problems_are_ordered_and_bounded(void **state)
{
	(void)state;
	struct problems problems;
	problem_init(&problems);
	problem_add_at(&problems, SLICE("b"), 2, 1, "second");
	problem_add_at(&problems, SLICE("a"), 1, 1, "other file, met later");
	problem_add_at(&problems, SLICE("b"), 1, 9, "first");
	problem_add_at(&problems, SLICE("b"), 0, 0, "whole");
	problem_add_at(&problems, (struct slice){ 0 }, 0, 0, "nowhere");
	problem_add_at(NULL, SLICE("b"), 1, 1, "dropped");
	expect_problems(&problems, "b: whole\nb:1:9: first\nb:2:1: second\na:1:1: other file, met later\nnowhere\n");
	for (int i = 0; i < PROBLEM_MAX + 7; i++)
		problem_add_at(&problems, SLICE("f"), i, 1, "x");
	assert_int_equal(problems.count, PROBLEM_MAX);
	assert_int_equal(problems.dropped, 7);
	problem_fini(&problems);
}

static void problems_inside_texts(void **state)
{
	(void)state;
	struct fixture f = fixture_of("dtab: |\n  /a => /b;\n  /c = /d;\n");
	problem_add_inside(&f.problems, document_get(f.root, "dtab"), 13, "expected `=>`");
	expect_problems(&f.problems, "f:3:6: expected `=>`\n");
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_and_null_leave_defaults),
		cmocka_unit_test(integers),
		cmocka_unit_test(wrong_integers_say_what_is_accepted),
		cmocka_unit_test(items_of_sequences_have_no_key),
		cmocka_unit_test(booleans_and_numbers),
		cmocka_unit_test(texts_and_choices),
		cmocka_unit_test(unknown_keys_get_a_suggestion),
		cmocka_unit_test(suggestions_are_near),
		cmocka_unit_test(problems_are_ordered_and_bounded),
		cmocka_unit_test(problems_inside_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

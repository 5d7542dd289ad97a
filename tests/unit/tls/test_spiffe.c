/* SPDX-License-Identifier: Apache-2.0 */
/* SPIFFE IDs: what the standard allows and forbids, and patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tls/spiffe.h"

static int parse(const char *text)
{
	struct spiffe id;
	const char *reason = NULL;
	int e = spiffe_parse(slice_of(text), &id, &reason);
	assert_true((e != 0) == (reason != NULL));
	return e;
}

static void cuts_an_id_into_its_parts(void **state)
{
	(void)state;
	struct spiffe id;
	struct slice name_space, account;
	assert_int_equal(spiffe_parse(SLICE("spiffe://example.org/ns/web/sa/front-end"), &id, NULL), 0);
	assert_true(slice_equal(id.trust_domain, SLICE("example.org")));
	assert_true(slice_equal(id.path, SLICE("/ns/web/sa/front-end")));
	assert_true(spiffe_workload(&id, &name_space, &account));
	assert_true(slice_equal(name_space, SLICE("web")));
	assert_true(slice_equal(account, SLICE("front-end")));
	assert_int_equal(spiffe_parse(SLICE("spiffe://example.org"), &id, NULL), 0);
	assert_int_equal(id.path.length, 0);
	assert_false(spiffe_workload(&id, NULL, NULL));
}

/* The examples of the standard's sections 2.1 to 2.3, and what breaks their rules. */
static void good_ids(void **state)
{
	(void)state;
	static const char *const good[] = {
		"spiffe://staging.example.com/payments/mysql",
		"spiffe://k8s-west.example.com/ns/staging/sa/default",
		"spiffe://example.com/9eebccd2-12bf-40a6-b262-65fe0487d453",
		"spiffe://a_b.c-d.0/A_z.9-",
		"spiffe://example.org/...",
		"spiffe://1.2.3.4",
		"spiffe://a",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(parse(good[i]), 0);
}

static void wrong_ids(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",
		"spiffe",
		"spiffe:/",
		"spiffe://",
		"spiffe:///path",
		"SPIFFE://example.org",
		"http://example.org/a",
		"spiffe://Example.org/a",
		"spiffe://example.org:80/a",
		"spiffe://user@example.org/a",
		"spiffe://example.org/",
		"spiffe://example.org/a/",
		"spiffe://example.org//a",
		"spiffe://example.org/a//b",
		"spiffe://example.org/./a",
		"spiffe://example.org/a/..",
		"spiffe://example.org/a%2fb",
		"spiffe://ex%61mple.org/a",
		"spiffe://example.org/a?b",
		"spiffe://example.org?b",
		"spiffe://example.org/a#b",
		"spiffe://example.org/a b",
		"spiffe://example.org/\xc3\xa9",
		"spiffe://example.org/*",
		" spiffe://example.org/a",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(parse(wrong[i]), ERROR_SYNTAX);
	struct spiffe id;
	assert_int_equal(spiffe_parse(slice_make("spiffe://a/b\0c", 14), &id, NULL), ERROR_SYNTAX);
}

static void lengths_are_limited(void **state)
{
	(void)state;
	char text[SPIFFE_MOST + 2];
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = '\0';
	memcpy(text, "spiffe://example.org/", 21);
	struct spiffe id;
	assert_int_equal(spiffe_parse(slice_make(text, SPIFFE_MOST), &id, NULL), 0);
	assert_int_equal(spiffe_parse(slice_make(text, SPIFFE_MOST + 1), &id, NULL), ERROR_LIMIT);
	memset(text, 'a', sizeof text);
	memcpy(text, "spiffe://", 9);
	text[9 + SPIFFE_MOST_DOMAIN] = '/';
	assert_int_equal(spiffe_parse(slice_make(text, 300), &id, NULL), 0);
	text[9 + SPIFFE_MOST_DOMAIN] = 'a';
	text[10 + SPIFFE_MOST_DOMAIN] = '/';
	assert_int_equal(spiffe_parse(slice_make(text, 300), &id, NULL), ERROR_LIMIT);
}

static void formats_weft_s_own_form(void **state)
{
	(void)state;
	char text[SPIFFE_MOST + 1];
	static char large[SPIFFE_MOST];
	assert_int_equal(spiffe_format(SLICE("example.org"), SLICE("web"), SLICE("front"), text), 36);
	assert_string_equal(text, "spiffe://example.org/ns/web/sa/front");
	assert_int_equal(spiffe_format(SLICE("example.org"), SLICE(""), SLICE("front"), text), ERROR_SYNTAX);
	assert_int_equal(spiffe_format(SLICE("example.org"), SLICE("a/b"), SLICE("front"), text), ERROR_SYNTAX);
	memset(large, 'a', sizeof large);
	assert_int_equal(spiffe_format(SLICE("example.org"), slice_make(large, sizeof large), SLICE("b"), text), ERROR_LIMIT);
}

static bool matches(const char *pattern, const char *text)
{
	struct spiffe id;
	assert_int_equal(spiffe_parse(slice_of(text), &id, NULL), 0);
	return spiffe_matches(slice_of(pattern), &id);
}

static void patterns_match_segments(void **state)
{
	(void)state;
	static const char id[] = "spiffe://a.b/ns/web/sa/front";
	assert_true(matches(id, id));
	assert_true(matches("spiffe://a.b/ns/*/sa/front", id));
	assert_true(matches("spiffe://a.b/ns/web/sa/*", id));
	assert_true(matches("spiffe://a.b/ns/**", id));
	assert_true(matches("spiffe://a.b/**", id));
	assert_true(matches("spiffe://a.b", "spiffe://a.b"));
	assert_false(matches("spiffe://a.b/ns/*", id));
	assert_false(matches("spiffe://a.b/ns/web/sa/front/**", id));
	assert_false(matches("spiffe://a.b/ns/web/sa", id));
	assert_false(matches("spiffe://a.b/ns/web/sa/fron", id));
	assert_false(matches("spiffe://a.b/ns/web/sa/front/more", id));
	assert_false(matches("spiffe://a.c/**", id));
	assert_false(matches("spiffe://a.b/**", "spiffe://a.b"));
	assert_false(matches("spiffe://a.b", id));
	assert_false(matches("a.b/**", id));
}

static void patterns_are_checked(void **state)
{
	(void)state;
	const char *reason;
	assert_int_equal(spiffe_check_pattern(SLICE("spiffe://a.b/ns/*/sa/**"), &reason), 0);
	assert_int_equal(spiffe_check_pattern(SLICE("spiffe://*/ns"), &reason), ERROR_SYNTAX);
	assert_int_equal(spiffe_check_pattern(SLICE("spiffe://a.b/**/sa"), &reason), ERROR_SYNTAX);
	assert_string_equal(reason, "`**` may only be the last segment");
	assert_int_equal(spiffe_check_pattern(SLICE("spiffe://a.b/web-*"), &reason), ERROR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_an_id_into_its_parts),
		cmocka_unit_test(good_ids),
		cmocka_unit_test(wrong_ids),
		cmocka_unit_test(lengths_are_limited),
		cmocka_unit_test(formats_weft_s_own_form),
		cmocka_unit_test(patterns_match_segments),
		cmocka_unit_test(patterns_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

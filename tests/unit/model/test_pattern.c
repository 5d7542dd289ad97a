/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/pattern.h"

struct expected {
	const char *pattern, *yes[4], *no[4];
};

static void the_whole_text_matches(void **state)
{
	static const struct expected all[] = {
		{ "/", { "/" }, { "", "//", "/a" } },
		{ "", { "" }, { "a" } },
		{ "/a.c", { "/abc", "/a.c" }, { "/ac", "/abbc" } },
		{ "/api/.*", { "/api/", "/api/v1/users" }, { "/api", "x/api/" } },
		{ "^/api(/.*)?$", { "/api", "/api/x" }, { "/apix", "/" } },
		{ "/(foo|ba[rz]|)", { "/foo", "/bar", "/baz", "/" }, { "/ba", "/foobar" } },
		{ "/v[0-9]+", { "/v1", "/v42" }, { "/v", "/vx", "/v1/" } },
		{ "/[^/]*/x", { "//x", "/abc/x" }, { "/a/b/x" } },
		{ "/[]a-]*", { "/", "/]-a" }, { "/b" } },
		{ "\\/a\\.b\\\\", { "/a.b\\" }, { "/axb\\" } },
		{ "/\\d\\w\\S", { "/1_." }, { "/a_.", "/1__x", "/1_ " } },
		{ "/[\\d\\-]{2,3}", { "/12", "/1-2" }, { "/1", "/1234", "/ab" } },
		{ "(?:ab){2}", { "abab" }, { "ab", "ababab" } },
		{ "a{2,}?", { "aa", "aaaaa" }, { "a" } },
		{ "(a*)*b", { "b", "aab" }, { "a", "aac" } },
		{ "a|b|\\^c", { "a", "b", "^c" }, { "ab", "c" } },
		{ "x\\$", { "x$" }, { "x", "x\\" } },
		{ "(|a)+", { "", "aaa" }, { "b" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct pattern *pattern;
		const char *why = "";

		if (pattern_new(slice_of(all[i].pattern), &pattern, &why))
			fail_msg("%s: %s", all[i].pattern, why);
		for (unsigned j = 0; j < 4; j++) {
			if (all[i].yes[j] && !pattern_matches(pattern, slice_of(all[i].yes[j])))
				fail_msg("%s doesn't match %s", all[i].pattern, all[i].yes[j]);
			if (all[i].no[j] && pattern_matches(pattern, slice_of(all[i].no[j])))
				fail_msg("%s matches %s", all[i].pattern, all[i].no[j]);
		}
		pattern_free(pattern);
	}
}

static void what_is_no_pattern_is_refused(void **state)
{
	static const struct {
		const char *pattern;
		int error;
	} all[] = {
		{ "(", ERROR_SYNTAX },
		{ "a)", ERROR_SYNTAX },
		{ "[a", ERROR_SYNTAX },
		{ "[z-a]", ERROR_SYNTAX },
		{ "[a-", ERROR_SYNTAX },
		{ "*a", ERROR_SYNTAX },
		{ "a{2,1}", ERROR_SYNTAX },
		{ "a{x}", ERROR_SYNTAX },
		{ "a\\", ERROR_SYNTAX },
		{ "(?i)a", ERROR_SYNTAX },
		{ "(a)\\1", ERROR_SYNTAX },
		{ "\\bword", ERROR_SYNTAX },
		{ "a|^b", ERROR_SYNTAX },
		{ "a$|b", ERROR_SYNTAX },
		{ "a{300}", ERROR_LIMIT },
		{ "(a{100}){100}", ERROR_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct pattern *pattern;
		const char *why = NULL;

		if (pattern_new(slice_of(all[i].pattern), &pattern, &why) != all[i].error || !why)
			fail_msg("%s: %s", all[i].pattern, why ? why : "no reason");
	}
}

/* Neither patterns nor texts that a backtracking matcher would never be done with cost anything here. */
static void nothing_takes_long(void **state)
{
	char text[4096], deep[400];
	struct pattern *pattern;
	const char *why;

	(void)state;
	memset(text, 'a', sizeof text);
	assert_int_equal(pattern_new(SLICE("(a|aa|a?)*(a*)*(a*a*)*b"), &pattern, &why), 0);
	assert_false(pattern_matches(pattern, slice_make(text, sizeof text)));
	pattern_free(pattern);
	assert_int_equal(pattern_new(SLICE("(){255}{255}{255}{255}{255}"), &pattern, &why), 0);
	assert_true(pattern_matches(pattern, SLICE("")));
	pattern_free(pattern);
	memset(deep, '(', sizeof deep);
	assert_int_equal(pattern_new(slice_make(deep, sizeof deep), &pattern, &why), ERROR_LIMIT);
	assert_int_equal(pattern_new(slice_make(text, sizeof text), &pattern, &why), ERROR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_text_matches),
		cmocka_unit_test(what_is_no_pattern_is_refused),
		cmocka_unit_test(nothing_takes_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "support/names.h"

/* "a=1 b=2", or "no". */
static void matches(void **state)
{
	static const struct {
		const char *pattern, *path, *found;
	} cases[] = {
		{ "/", "/svc", "" },
		{ "/", "/", "" },
		{ "/svc", "/svc", "" },
		{ "/svc", "/svc/hello", "" },
		{ "/svc", "/", "no" },
		{ "/svc", "/svcs", "no" },
		{ "/svc/hello/", "/svc/hello", "" },
		{ "/svc/*", "/svc", "no" },
		{ "/svc/*", "/svc/hello/more", "" },
		{ "/svc/*/v1", "/svc/hello/v1", "" },
		{ "/svc/*/v1", "/svc/hello/v2", "no" },
		{ "/svc/a\\x20b", "/svc/a\\x20b", "" },
		{ "/#/io.l5d.fs/{service}", "/#/io.l5d.fs/hello", "service=hello" },
		{ "/#/io.l5d.fs/{service}", "/%/io.l5d.port/4141/#/io.l5d.fs/hello", "no" },
		{ "/%/io.l5d.port/4141/#/io.l5d.fs/{service}", "/%/io.l5d.port/4141/#/io.l5d.fs/hello", "service=hello" },
		{ "/$/io.buoyant.rinet/443/{host}", "/$/io.buoyant.rinet/443/example.org", "host=example.org" },
		{ "/svc/{a}/{b}", "/svc/x/y", "a=x b=y" },
		{ "/svc/{a}/{a}", "/svc/x/y", "a=y" },
		{ "/svc/{host}:{port}", "/svc/hello:80", "host=hello port=80" },
		{ "/svc/{host}:{port}", "/svc/hello", "no" },
		{ "/svc/{a}.{b}", "/svc/x.y.z", "a=x.y b=z" }, /* greedy */
		{ "/svc/{a}.{b}", "/svc/xyz", "no" },          /* a dot is a dot */
		{ "/svc/{a}-{b}-{c}", "/svc/1-2-3-4", "a=1-2 b=3 c=4" },
		{ "/svc/{a}-{b}.{c}", "/svc/1-2-3.4-5", "a=1-2 b=3 c=4-5" },
		{ "/svc/{a}{b}", "/svc/xyz", "a=xyz b=" },
		{ "/svc/v{n}", "/svc/v12", "n=12" },
		{ "/svc/v{n}", "/svc/prev12", "n=12" }, /* found anywhere */
		{ "/svc/v{n}x", "/svc/v1x2x3", "n=1x2" },
		{ "/svc/ab{n}ab", "/svc/abab", "n=" },
		{ "/svc/ab{n}ab", "/svc/aba", "no" },
		{ "/svc/{n}", "/svc/\\xff\\x00", "n=\xff" },
		{ "/{a.b:c-d_E9}", "/x", "a.b:c-d_E9=x" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct matcher *matcher = matcher_of(cases[i].pattern);
		struct matcher_vars vars;
		struct text found = { 0 };
		bool matched = matcher_match(matcher, path_of(cases[i].path), &vars);
		assert_int_equal(matcher_match(matcher, path_of(cases[i].path), NULL), matched);
		for (uint32_t n = 0; matched && n < vars.count; n++)
			text_format(&found, "%s%.*s=%.*s", n ? " " : "", SLICE_ARGS(vars.list[n].name), SLICE_ARGS(vars.list[n].value));
		if (!matched)
			text_append(&found, SLICE("no"));
		assert_string_equal(found.bytes ? found.bytes : "", cases[i].found);
		text_free(&found);
		matcher_free(matcher);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *pattern;
		int error;
	} cases[] = {
		{ "", ERROR_SYNTAX },
		{ "svc", ERROR_SYNTAX },
		{ "//svc", ERROR_SYNTAX },
		{ "/svc//x", ERROR_SYNTAX },
		{ "/svc//", ERROR_SYNTAX },
		{ "/svc/a*", ERROR_SYNTAX },
		{ "/svc/a b", ERROR_SYNTAX },
		{ "/svc/{", ERROR_SYNTAX },
		{ "/svc/{}", ERROR_SYNTAX },
		{ "/svc/{a b}", ERROR_SYNTAX },
		{ "/svc/{a/b}", ERROR_SYNTAX },
		{ "/svc/}", ERROR_SYNTAX },
		{ "/svc/a\\x2", ERROR_SYNTAX },
		{ "/{a}.{b}.{c}.{d}/{e}.{f}.{g}.{h}/{i}.{j}.{k}.{l}/{m}.{n}.{o}.{p}/{q}", ERROR_LIMIT },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct matcher *matcher = NULL;
		struct slice why = { 0 };
		assert_int_equal(matcher_new(slice_of(cases[i].pattern), &matcher, &why), cases[i].error);
		assert_true(why.length > 0);
		assert_null(matcher);
	}
}

static void substitutes(void **state)
{
	static const struct {
		const char *text, *made;
	} cases[] = {
		{ "{service}.local", "hello.local" },
		{ "linkerd", "linkerd" },
		{ "{service}-{port}-{service}", "hello-80-hello" },
		{ "", "" },
		{ "a{service", "a{service" },
		{ "{other}", NULL },
	};
	struct matcher *matcher = matcher_of("/svc/{service}:{port}");
	struct matcher_vars vars;
	(void)state;
	assert_true(matcher_match(matcher, path_of("/svc/hello:80"), &vars));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice made;
		int e = matcher_substitute(&arena, slice_of(cases[i].text), &vars, &made);
		assert_int_equal(e, cases[i].made ? 0 : ERROR_NOT_FOUND);
		if (!e)
			assert_string_equal(arena_text(&arena, made), cases[i].made);
	}
	matcher_free(matcher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(matches, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(refuses, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(substitutes, names_setup, names_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

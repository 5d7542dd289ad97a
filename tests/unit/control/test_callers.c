/* SPDX-License-Identifier: Apache-2.0 */
/* Who may be called what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

#include "control/callers.h"
#include "io/file.h"

static char path[64];

static int make_file(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/weft-test-XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static struct callers *load(const char *policy)
{
	struct callers *callers;
	struct text why = { 0 };
	assert_int_equal(file_write(path, slice_of(policy), 0600), 0);
	assert_int_equal(callers_load(path, &callers, &why), 0);
	assert_null(why.bytes);
	return callers;
}

static bool may(const struct callers *callers, uint32_t uid, uint32_t gid, const char *text)
{
	struct spiffe id;
	assert_int_equal(spiffe_parse(slice_of(text), &id, NULL), 0);
	return callers_allow(callers, &(struct stream_peer){ .uid = uid, .gid = gid }, &id);
}

static void rules_add_up(void **state)
{
	(void)state;
	struct callers *callers = load("allow:\n"
				       "- uid: 1000\n"
				       "  ids: [spiffe://a.b/ns/web/sa/front, spiffe://a.b/ns/web/sa/back]\n"
				       "- gid: 2000\n"
				       "  ids: ['spiffe://a.b/ns/batch/sa/*']\n"
				       "- {uid: 1001, gid: 2001, ids: ['spiffe://a.b/**']}\n");
	assert_true(may(callers, 1000, 1, "spiffe://a.b/ns/web/sa/front"));
	assert_true(may(callers, 1000, 1, "spiffe://a.b/ns/web/sa/back"));
	assert_false(may(callers, 1000, 1, "spiffe://a.b/ns/web/sa/other"));
	assert_false(may(callers, 1000, 1, "spiffe://a.b/ns/batch/sa/x"));
	assert_true(may(callers, 1000, 2000, "spiffe://a.b/ns/batch/sa/x"));
	assert_true(may(callers, 1001, 2001, "spiffe://a.b/anything"));
	assert_false(may(callers, 1001, 2, "spiffe://a.b/anything"));
	assert_false(may(callers, 0, 0, "spiffe://a.b/ns/web/sa/front")); /* root too needs a rule */
	callers_free(callers);
}

static void without_a_file_only_we_and_root_may(void **state)
{
	(void)state;
	struct callers *callers;
	struct text why = { 0 };
	assert_int_equal(callers_load(NULL, &callers, &why), 0);
	assert_true(may(callers, geteuid(), 5, "spiffe://a.b/x"));
	assert_true(may(callers, 0, 5, "spiffe://a.b/x"));
	assert_false(may(callers, geteuid() + 1, 0, "spiffe://a.b/x"));
	callers_free(callers);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
	(void)state;
	struct callers *callers;
	struct text why = { 0 };
	static const char *const cases[][2] = {
		{ "allow:\n- uid: 1000\n", "ids" },
		{ "allow:\n- ids: [spiffe://a.b/c]\n", ":2:3: a rule needs a `uid` or a `gid`" },
		{ "allow:\n- {uid: -1, ids: [spiffe://a.b/c]}\n", ":2:9:" },
		{ "allow:\n- {uid: 1, ids: [a.b/c]}\n", "no SPIFFE ID" },
		{ "allow:\n- {uid: 1, id: spiffe://a.b/c}\n", "unknown key `id`" },
		{ "alow: []\n", "did you mean `allow`" },
		{ "{", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		text_clear(&why);
		assert_int_equal(file_write(path, slice_of(cases[i][0]), 0600), 0);
		assert_int_equal(callers_load(path, &callers, &why), ERROR_SYNTAX);
		if (!strstr(why.bytes, cases[i][1]))
			fail_msg("`%s` is not in: %s", cases[i][1], why.bytes);
	}
	text_clear(&why);
	assert_int_equal(callers_load("/nonexistent/policy", &callers, &why), ERROR_NOT_FOUND);
	text_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rules_add_up, make_file, remove_file),
		cmocka_unit_test(without_a_file_only_we_and_root_may),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said_with_its_place, make_file, remove_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/grpc_health.h"

#define BODY(text) slice_make(text, sizeof(text) - 1)

static void test_a_request_names_the_service(void **state)
{
	char out[GRPC_HEALTH_REQUEST_MOST], name[GRPC_HEALTH_SERVICE_MOST];

	(void)state;
	assert_int_equal(5, grpc_health_request(SLICE(""), out));
	assert_memory_equal("\0\0\0\0\0", out, 5);
	assert_int_equal(10, grpc_health_request(SLICE("a.B"), out));
	assert_memory_equal("\0\0\0\0\5\x0a\3a.B", out, 10);
	memset(name, 'n', sizeof name);
	/* From 128 bytes on the length takes two bytes. */
	assert_int_equal(8 + 200, grpc_health_request(slice_make(name, 200), out));
	assert_memory_equal("\0\0\0\0\xcb\x0a\xc8\1nn", out, 10);
	assert_int_equal(GRPC_HEALTH_REQUEST_MOST, grpc_health_request(slice_make(name, sizeof name), out));
	assert_memory_equal("\0\0\0\1\2\x0a\xff\1nn", out, 10);
}

static enum grpc_health read_state(struct slice body)
{
	enum grpc_health state;

	assert_int_equal(0, grpc_health_response(body, &state));
	return state;
}

static void test_responses_tell_the_state(void **state)
{
	(void)state;
	assert_int_equal(GRPC_HEALTH_SERVING, read_state(BODY("\0\0\0\0\2\x08\1")));
	assert_int_equal(GRPC_HEALTH_NOT_SERVING, read_state(BODY("\0\0\0\0\2\x08\2")));
	assert_int_equal(GRPC_HEALTH_SERVICE_UNKNOWN, read_state(BODY("\0\0\0\0\2\x08\3")));
	assert_int_equal(GRPC_HEALTH_UNKNOWN, read_state(BODY("\0\0\0\0\0")));
	assert_int_equal(GRPC_HEALTH_UNKNOWN, read_state(BODY("\0\0\0\0\3\x08\x80\1")));
	/* The last one counts, and fields of later versions are passed over, whatever their type. */
	assert_int_equal(GRPC_HEALTH_SERVING, read_state(BODY("\0\0\0\0\4\x08\2\x08\1")));
	assert_int_equal(GRPC_HEALTH_SERVING, read_state(BODY("\0\0\0\0\x18\x10\x96\1\x19\1\2\3\4\5\6\7\x08\x1a\3abc\x25\1\2\3\4\x08\1")));
}

static void test_the_other_end(void **state)
{
	static const struct slice bad[] = { { "\0\0\0\0", 4 }, { "\0\0\0\0\1", 5 }, { "\0\0\0\0\1\x0a", 6 }, { "\0\0\0\0\2\x0a\1", 7 },
		{ "\1\0\0\0\0", 5 } };
	char out[GRPC_HEALTH_REQUEST_MOST], answer[GRPC_HEALTH_ANSWER], name[GRPC_HEALTH_SERVICE_MOST];
	struct slice service;

	(void)state;
	memset(name, 'n', sizeof name);
	for (size_t length = 0; length <= sizeof name; length += 51) {
		assert_int_equal(0, grpc_health_asked(slice_make(out, grpc_health_request(slice_make(name, length), out)), &service));
		assert_true(slice_equal(slice_make(name, length), service));
	}
	/* Fields of later versions are passed over. */
	assert_int_equal(0, grpc_health_asked(BODY("\0\0\0\0\7\x10\1\x0a\1a\x18\2"), &service));
	assert_true(slice_equal(SLICE("a"), service));
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(ERROR_SYNTAX, grpc_health_asked(bad[i], &service));
	for (unsigned health = GRPC_HEALTH_UNKNOWN; health <= GRPC_HEALTH_SERVICE_UNKNOWN; health++) {
		grpc_health_answer((enum grpc_health)health, answer);
		assert_int_equal(health, read_state(slice_make(answer, sizeof answer)));
	}
}

static void test_what_is_no_response_is_refused(void **state)
{
	static const struct slice bad[] = {
		{ "", 0 },
		{ "\0\0\0\0", 4 },
		{ "\0\0\0\0\2\x08", 6 },     /* shorter than it says */
		{ "\0\0\0\0\2\x08\1\0", 8 }, /* longer */
		{ "\1\0\0\0\2\x08\1", 7 },   /* compressed */
		{ "\0\0\0\0\1\x08", 6 },     /* a tag alone */
		{ "\0\0\0\0\2\x08\x80", 7 }, /* half a number */
		{ "\0\0\0\0\3\x1a\5a", 8 },  /* half a text */
		{ "\0\0\0\0\2\x0b\1", 7 },   /* a group */
		{ "\0\0\0\0\3\x09\1\2", 8 }, /* half of eight bytes */
		{ "\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 17 },
	};
	enum grpc_health found;

	(void)state;
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(ERROR_SYNTAX, grpc_health_response(bad[i], &found));
}

static void test_states_have_names(void **state)
{
	(void)state;
	assert_string_equal("SERVING", grpc_health_name(GRPC_HEALTH_SERVING));
	assert_string_equal("SERVICE_UNKNOWN", grpc_health_name(GRPC_HEALTH_SERVICE_UNKNOWN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_names_the_service),
		cmocka_unit_test(test_responses_tell_the_state),
		cmocka_unit_test(test_the_other_end),
		cmocka_unit_test(test_what_is_no_response_is_refused),
		cmocka_unit_test(test_states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Whole exchanges between http1_client and http1_server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/pair.h"

static void answer_hello(struct call *call, enum call_event event)
{
	if (event == CALL_END) {
		call_send_head(call, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false);
		call_send(call, "hello", true);
		call_release(call, RESET_NONE);
	}
}

static void release_at_end(struct call *call, enum call_event event)
{
	if (event == CALL_END || event == CALL_TRAILERS)
		call_release(call, RESET_NONE);
}

static void get_and_keep_alive(void **state)
{
	(void)state;
	struct pair *pair = pair_new(&(struct pair_options){ .codec = &codec_http1, .serve = answer_hello });

	for (unsigned i = 0; i < 5; i++) {
		struct call *call = pair_call(pair, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", true, release_at_end);

		assert_true(pair_run_until_over(pair, call));
		assert_true(call->ended);
		assert_int_equal(200, call->status);
		assert_string_equal("hello", call->body.bytes);
		pair_settle(pair);
		assert_true(pair_holds_nothing(pair));
		assert_int_equal(1, session_capacity(pair->client));
	}
	assert_int_equal(5, pair->opened);
	assert_int_equal(1, counter_read(&pair->server_counters.connects));
	assert_int_equal(0, pair->server_closed);
	pair_free(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_and_keep_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

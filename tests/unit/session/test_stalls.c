/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that send nothing, or take nothing: limits.read_stall_ns and write_stall_ns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/sim/sim.h"
#include "support/pair.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

enum { MUCH = 4 * 1024 * 1024 };

static void hold(struct call *call, enum call_event event)
{
	(void)call;
	(void)event;
}

static void answer(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		call_send_head(call, "HTTP/1.1 204 No Content\r\n\r\n", true);
	if (event == CALL_END)
		call_release(call, RESET_NONE);
}

static void send_much(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		call_send_head(call, "HTTP/1.1 200 OK\r\n\r\n", false);
	if (event == CALL_OPENED || event == CALL_WRITABLE)
		while (call->sent < MUCH && call_send_pattern(call, 16 * 1024, false))
			;
}

static struct pair *start(call_script *serve, const struct session_limits *limits)
{
	const struct pair_options o = { .codec = &codec_http1, .serve = serve, .calm = true, .limits = *limits };

	return pair_new(&o);
}

/* ---- silence ---- */

static const struct session_limits silence = { .read_stall_ns = 4 * CLOCK_SECOND };

static void silent_callers_are_closed(void **state)
{
	struct pair *pair = start(answer, &silence);

	(void)state;
	pair_connect_raw(pair);
	for (unsigned i = 0; i < 3; i++) {
		sim_run_for(pair->sim, 3 * CLOCK_SECOND);
		assert_non_null(pair->server);
		pair_send_raw_text(pair, REQUEST);
	}
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_int_equal(pair->opened, 3);
	assert_false(pair->raw_ended);
	sim_run_for(pair->sim, 2 * CLOCK_SECOND);
	assert_true(pair->raw_ended);
	assert_null(pair->server);
	pair_free(pair);

	/* One that never says a word. */
	pair = start(answer, &silence);
	pair_connect_raw(pair);
	sim_run_for(pair->sim, 5 * CLOCK_SECOND);
	assert_true(pair->raw_ended);
	assert_int_equal(pair->opened, 0);
	pair_free(pair);
}

static void heads_that_stop_are_answered_408(void **state)
{
	struct pair *pair = start(answer, &silence);

	(void)state;
	pair_connect_raw(pair);
	for (unsigned i = 0; i < 6; i++) {
		pair_send_raw(pair, &"GET / HTTP/1.1\r\n"[i], 1);
		sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	}
	assert_false(pair->raw_ended);
	assert_true(pair_run_until_received(pair, "HTTP/1.1 408 "));
	pair_free(pair);
}

static void bodies_that_stop_are_cut(void **state)
{
	struct pair *pair = start(hold, &silence);

	(void)state;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
	for (unsigned i = 0; i < 5; i++) {
		sim_run_for(pair->sim, 3 * CLOCK_SECOND);
		assert_false(pair->served->was_reset);
		pair_send_raw_text(pair, "x");
	}
	sim_run_for(pair->sim, 5 * CLOCK_SECOND);
	assert_true(pair->served->was_reset);
	assert_int_equal(pair->served->why, RESET_TIMEOUT);
	assert_int_equal(pair->served->error, ERROR_TIMEOUT);
	assert_int_equal(pair->served->body_length, 5);
	assert_null(pair->server);
	pair_free(pair);
}

static void callers_are_not_to_blame_while_they_wait(void **state)
{
	struct pair *pair = start(hold, &silence);

	(void)state;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, REQUEST);
	sim_run_for(pair->sim, 60 * CLOCK_SECOND);
	assert_false(pair->served->was_reset);
	call_send_head(pair->served, "HTTP/1.1 204 No Content\r\n\r\n", true);
	assert_true(pair_run_until_received(pair, "HTTP/1.1 204 "));
	call_release(pair->served, RESET_NONE);
	pair_free(pair);

	/* Nor while their body is not wanted. */
	pair = start(hold, &silence);
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfour");
	pair_settle(pair);
	side_pause(pair->served->side);
	sim_run_for(pair->sim, 60 * CLOCK_SECOND);
	assert_false(pair->served->was_reset);
	side_resume(pair->served->side);
	pair_send_raw_text(pair, "-five");
	pair_settle(pair);
	assert_true(pair->served->ended);
	pair_free(pair);
}

static void servers_that_say_nothing_are_left(void **state)
{
	struct pair *pair = start(hold, &silence);
	struct call *call;

	(void)state;
	pair_serve_raw(pair);
	call = pair_call(pair, REQUEST, true, hold);
	pair_settle(pair);
	pair_send_raw_text(pair, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
	for (unsigned i = 0; i < 2; i++) {
		sim_run_for(pair->sim, 3 * CLOCK_SECOND);
		pair_send_raw_text(pair, "x");
	}
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_false(call->was_reset);
	sim_run_for(pair->sim, 2 * CLOCK_SECOND);
	assert_true(call->was_reset);
	assert_int_equal(call->body_length, 2);
	assert_int_equal(call->error, ERROR_TIMEOUT);
	pair_free(pair);
}

static void idle_connections_to_servers_stay(void **state)
{
	struct pair *pair = start(answer, &silence);
	struct call *call;

	(void)state;
	pair_serve_raw(pair);
	call = pair_call(pair, REQUEST, true, hold);
	pair_settle(pair);
	pair_send_raw_text(pair, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_true(pair_run_until_over(pair, call));
	assert_true(call->ended);
	call_release(call, RESET_NONE);
	sim_run_for(pair->sim, 60 * CLOCK_SECOND);
	assert_non_null(pair->client);
	assert_int_equal(session_capacity(pair->client), 1);
	pair_free(pair);
}

/* ---- stalls ---- */

static const struct session_limits stall = { .write_stall_ns = 4 * CLOCK_SECOND };

static void callers_that_take_nothing_are_closed(void **state)
{
	struct pair *pair = start(send_much, &stall);

	(void)state;
	pair->raw_paused = true;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, REQUEST);
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_false(pair->served->was_reset);
	sim_run_for(pair->sim, 8 * CLOCK_SECOND);
	assert_true(pair->served->was_reset);
	assert_int_equal(pair->served->why, RESET_TIMEOUT);
	assert_null(pair->server);
	pair_free(pair);
}

/* Also when nobody has asked for it: what runs for a caller that is gone without a word would be kept for ever. */
static void nobody_stalls_for_ever(void **state)
{
	struct pair *pair = start(send_much, &(struct session_limits){ 0 });

	(void)state;
	pair->raw_paused = true;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, REQUEST);
	sim_run_for(pair->sim, 4 * CLOCK_MINUTE);
	assert_false(pair->served->was_reset);
	sim_run_for(pair->sim, 7 * CLOCK_MINUTE);
	assert_true(pair->served->was_reset);
	assert_int_equal(pair->served->why, RESET_TIMEOUT);
	assert_int_equal(1, pair->server_counters.stalled.value);
	assert_null(pair->server);
	pair_free(pair);
}

static void answer_at_length(struct call *call, enum call_event event)
{
	static char head[2048];

	if (event == CALL_OPENED) {
		snprintf(head, sizeof head, "HTTP/1.1 204 No Content\r\nx: %01900d\r\n\r\n", 0);
		call_send_head(call, head, true);
	}
	if (event == CALL_END)
		call_release(call, RESET_NONE);
}

/* Answers that wait for no body, all in the turn in which the requests came: they don't stay gathered until its end. */
static void pipelining_callers_that_take_nothing_are_closed(void **state)
{
	struct pair *pair;
	char requests[200 * sizeof REQUEST] = "";

	(void)state;
	/* From more than the kernel takes. */
	for (unsigned count = 65; count <= 200; count += 5) {
		requests[0] = 0;
		for (unsigned i = 0; i < count; i++)
			memcpy(&requests[i * (sizeof REQUEST - 1)], REQUEST, sizeof REQUEST);
		pair = start(answer_at_length, &stall);
		pair->raw_paused = true;
		pair_connect_raw(pair);
		pair_send_raw_text(pair, requests);
		sim_run_for(pair->sim, 30 * CLOCK_SECOND);
		if (pair->server)
			fail_msg("%u requests, %u answered: open after 30 s", count, pair->opened);
		pair_free(pair);
	}
}

/* One that takes a little every other second gets it all, though that takes many times as long. */
static void slow_callers_are_not(void **state)
{
	struct pair *pair = start(send_much, &stall);
	unsigned turns = 0;

	(void)state;
	pair->raw_paused = true;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, REQUEST);
	pair_settle(pair);
	while (pair->served->sent < MUCH && turns++ < 1000) {
		stream_resume(pair->raw);
		sim_run_for(pair->sim, CLOCK_MS);
		stream_pause(pair->raw);
		sim_run_for(pair->sim, 2 * CLOCK_SECOND);
		assert_false(pair->served->was_reset);
	}
	assert_true(turns > 10);
	assert_int_equal(pair->served->sent, MUCH);
	pair_free(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_callers_are_closed),
		cmocka_unit_test(heads_that_stop_are_answered_408),
		cmocka_unit_test(bodies_that_stop_are_cut),
		cmocka_unit_test(callers_are_not_to_blame_while_they_wait),
		cmocka_unit_test(servers_that_say_nothing_are_left),
		cmocka_unit_test(idle_connections_to_servers_stay),
		cmocka_unit_test(callers_that_take_nothing_are_closed),
		cmocka_unit_test(nobody_stalls_for_ever),
		cmocka_unit_test(pipelining_callers_that_take_nothing_are_closed),
		cmocka_unit_test(slow_callers_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Requests through the whole of the proxy, the same tests over every codec, with and without a filter below, with one worker and
 * with two, on several seeds of the network: what HTTP/2 and TLS will meet there. The proxy's sides are checked by
 * support/contract.h all the time, and chain_free checks that all was given back and that the numbers add up. */
#include "calls.h"

#include "proxy/exchange.h"
#include "session/http2_session.h"

enum { MANY = 300 * 1000, VERY_MANY = 3 * 1000 * 1000 };

#define POST_MANY "POST /in HTTP/1.1\r\nHost: web\r\nContent-Length: 300000\r\n\r\n"

/* --- whole exchanges --- */

static void calls_go_through(struct chain_options options)
{
	struct chain *chain = chain_new(&options);
	struct caller *caller = chain_connect(chain);

	for (unsigned i = 0; i < 5; i++) {
		expect_hello(chain, caller);
		sim_run_for(chain->sim, 50 * CLOCK_MS);
	}
	assert_int_equal(5, chain_opened(chain));
	assert_int_equal(1, chain_connections(chain));
	assert_int_equal(5, (int)chain_metric(chain, SERVICE, "requests"));
	assert_int_equal(5, (int)chain_metric(chain, SERVICE, "success"));
	chain_free(chain);
}

static void check_get(struct call *call, enum call_event event)
{
	struct head *head = &call->head;

	if (event != CALL_OPENED)
		return;
	assert_true(slice_equal(SLICE("/path?query"), head->target));
	assert_true(slice_equal(SLICE("web"), head->authority));
	assert_true(slice_equal(SLICE("1"), field_value(head_find_name(head, SLICE("x-test")))));
	assert_true(slice_equal(SLICE("/svc/web"), field_value(head_find(head, FIELD_L5D_DST_SERVICE))));
	call_send_head(call, "HTTP/1.1 204 No Content\r\nX-Answer: yes\r\n\r\n", true);
	call->script = call_release_when_over;
}

static void check_no_content(struct call *call, enum call_event event)
{
	if (event == CALL_HEAD)
		assert_true(slice_equal(SLICE("yes"), field_value(head_find_name(&call->head, SLICE("x-answer")))));
	call_release_when_over(call, event);
}

static void heads_arrive_with_what_the_proxy_adds(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.serve = check_get;
	chain = chain_new(&options);
	call = begin(chain, &caller, GET, true, check_no_content);
	assert_true(chain_run_until_over(chain, call));
	assert_true(call->ended);
	assert_int_equal(204, call->status);
	expect_hello(chain, caller);
	chain_free(chain);
}

static void bodies_both_ways(struct chain_options options)
{
	static const char *const heads[] = { POST_MANY, POST_CHUNKED };

	for (unsigned i = 0; i < 2; i++) {
		struct chain *chain;
		struct caller *caller = NULL;
		struct call *call;

		options.serve = echo;
		chain = chain_new(&options);
		call = begin_upload(chain, &caller, heads[i], MANY);
		assert_true(chain_run_until_over(chain, call));
		assert_true(call->ended);
		assert_int_equal(MANY, call->body_length);
		assert_true(call_is_pattern(call));
		assert_true(call_is_pattern(chain->origins[0]->served));
		expect_hello(chain, caller);
		chain_free(chain);
	}
}

static void pause_at_head(struct call *call, enum call_event event)
{
	if (event == CALL_HEAD)
		side_pause(call->side);
	call_release_when_over(call, event);
}

static void download(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		call_send_head(call, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", false);
		call->to_send = VERY_MANY;
	}
	if (event == CALL_OPENED || event == CALL_WRITABLE)
		send_more(call);
}

static uint32_t buffers_held(const struct chain *chain)
{
	uint32_t held = 0;

	for (unsigned i = 0; i < chain->options.workers; i++)
		held += loop_buffers(chain->workers[i])->in_use;
	return held;
}

static void answer_early(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		call_send_head(call, OK_CHUNKED, false);
	if (event == CALL_END)
		side_send_body(call->side, (struct piece){ 0 }, true);
	if (call_event_ends(event))
		call_release(call, RESET_NONE);
}

/* Both heads were passed on: at once nothing is held of them, though neither message is over. */
static void heads_are_forgotten_when_they_are_passed_on(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.serve = answer_early;
	options.calm = true;
	chain = chain_new(&options);
	call = begin(chain, &caller, POST_CHUNKED, false, call_release_when_over);
	sim_run_for(chain->sim, CLOCK_SECOND / 2);
	assert_int_equal(200, call->status);
	assert_int_equal(0, buffers_held(chain));
	side_send_body(call->side, (struct piece){ 0 }, true);
	assert_true(chain_run_until_over(chain, call));
	assert_true(call->ended);
	chain_free(chain);
}

/* What a stream that waits for its answer holds, from HTTP/2 to HTTP/2: 10,000 of them are to stay below 40 MiB with all the rest. */
static void a_waiting_stream_is_small(void **state)
{
	struct pool exchanges, streams, heads;

	(void)state;
	pool_init(&exchanges, "exchange", sizeof(struct exchange), 1);
	pool_init(&streams, "stream", sizeof(struct http2_stream), 1);
	pool_init(&heads, "head", offsetof(struct http2_head, head) + head_size(HTTP2_SHORT_FIELDS), 1);
	assert_in_range(exchanges.size + 2 * streams.size, 1, 1920);
	assert_in_range(heads.size, 1, 768);
}

/* Who doesn't read isn't sent to, nor is anything read for him; on a shared connection others go on. */
static void a_slow_reader_stops_the_origin(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *slow, *quick;

	options.serve = download;
	chain = chain_new(&options);
	slow = begin(chain, &caller, GET, true, pause_at_head);
	slow->body_most = 1;
	sim_run_for(chain->sim, CLOCK_SECOND);
	assert_int_equal(200, slow->status);
	assert_true(chain->origins[0]->served->sent < VERY_MANY / 2);
	assert_true(buffers_held(chain) < 80);
	struct call *served = chain->origins[0]->served;
	serve(chain, answer_hello);
	quick = begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, quick));
	check_hello(quick);
	side_resume(slow->side);
	assert_true(chain_run_until_over(chain, slow));
	assert_int_equal(VERY_MANY, slow->body_length);
	call_release(served, RESET_NONE);
	chain_free(chain);
}

static void stop_reading(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		side_pause(call->side);
	answer_hello(call, event);
}

static void a_slow_origin_stops_the_caller(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.serve = stop_reading;
	chain = chain_new(&options);
	call = begin_upload(chain, &caller, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 3000000\r\n\r\n", VERY_MANY);
	sim_run_for(chain->sim, CLOCK_SECOND);
	assert_true(call->sent < VERY_MANY / 2);
	assert_true(buffers_held(chain) < 80);
	chain->origins[0]->served->body_most = 1;
	side_resume(chain->origins[0]->served->side);
	assert_true(chain_run_until_over(chain, call));
	check_hello(call);
	assert_int_equal(VERY_MANY, chain->origins[0]->served->body_length);
	chain_free(chain);
}

/* Bytes that come one by one, for an origin that doesn't read, are kept in few buffers, not in one each. */
static void a_trickle_that_nobody_reads(struct chain_options options)
{
	enum { BYTES = 2000 };
	static const char *const heads[] = { POST_CHUNKED, "POST /in HTTP/1.1\r\nHost: web\r\nContent-Length: 2000\r\n\r\n" };

	for (unsigned i = 0; i < 2; i++) {
		struct chain *chain;
		struct caller *caller = NULL;
		struct call *call;

		options.serve = stop_reading;
		options.calm = true;
		chain = chain_new(&options);
		*sim_link(chain->proxy_host, chain->origins[0]->host) = SIM_LINK_CALM;
		sim_link(chain->proxy_host, chain->origins[0]->host)->window_most = 512;
		sim_link(chain->proxy_host, chain->origins[0]->host)->window_least = 512;
		call = begin(chain, &caller, heads[i], false, call_release_when_over);
		for (unsigned n = 1; n <= BYTES; n++) {
			call_send_pattern(call, 1, n == BYTES);
			sim_run_for(chain->sim, CLOCK_MS);
		}
		assert_true(buffers_held(chain) < 80);
		side_resume(chain->origins[0]->served->side);
		assert_true(chain_run_until_over(chain, call));
		check_hello(call);
		assert_int_equal(BYTES, chain->origins[0]->served->body_length);
		assert_true(call_is_pattern(chain->origins[0]->served));
		chain_free(chain);
	}
}

static void trailers_both_ways(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.serve = echo;
	chain = chain_new(&options);
	for (unsigned i = 0; i < 2; i++) {
		call = begin(chain, &caller, POST_CHUNKED, false, call_release_when_over);
		if (i == 0)
			call_send_pattern(call, 10, false);
		call_send_trailers(call, "X-Sum", "42");
		assert_true(chain_run_until_over(chain, call));
		assert_true(slice_equal_nocase(SLICE("X-Sum: 42\r\n"), text_slice(&chain->origins[0]->served->trailers)));
		assert_string_equal("x-echo: done\r\n", call->trailers.bytes);
		assert_int_equal(i == 0 ? 10 : 0, call->body_length);
	}
	expect_hello(chain, caller);
	chain_free(chain);
}

static void send_informationals(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		call_send_informational(call, "HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n");
		call_send_informational(call, "HTTP/1.1 102 Processing\r\n\r\n");
	}
	answer_hello(call, event);
}

static void informational_heads_come_first(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.serve = send_informationals;
	chain = chain_new(&options);
	call = begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, call));
	assert_int_equal(2, call->informational);
	assert_int_equal(102, call->last_informational);
	check_hello(call);
	chain_free(chain);
}

/* --- responses that end before their requests --- */

static void answer_at_once(struct call *call, enum call_event event)
{
	if (event != CALL_OPENED)
		return;
	call_send_head(call, OK_HELLO, false);
	call_send(call, "hello", true);
	call_release(call, RESET_NONE);
}

static void a_response_that_ends_before_its_request(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call, *other = NULL;

	options.serve = answer_at_once;
	chain = chain_new(&options);
	call = begin(chain, &caller, POST_CHUNKED, false, NULL);
	call_send_pattern(call, 100, false);
	assert_true(chain_run_until_over(chain, call));
	check_hello(call);
	assert_false(call->was_reset);
	if (options.codec->calls_share) { /* the connection is still good, and this exchange is nothing to it */
		other = caller_begin(caller, GET, true, call_release_when_over);
		call_send_pattern(call, 10, true);
	}
	call_release(call, RESET_NONE);
	if (other) {
		assert_true(chain_run_until_over(chain, other));
		check_hello(other);
		assert_ptr_equal(caller->session, other->side ? other->side->session : caller->session);
	}
	expect_hello(chain, caller);
	assert_int_equal(0, (int)chain_metric(chain, SERVICE, "failures"));
	chain_free(chain);
}

/* --- resets --- */

enum phase { AT_OPEN, AT_BODY, BEHIND_HEAD, BEHIND_BODY, PHASES };

static enum phase phase;

static void break_off(struct call *call, enum call_event event)
{
	if (phase == BEHIND_HEAD && event == CALL_OPENED)
		call_send_head(call, OK_MANY, false);
	if (phase == BEHIND_BODY && event == CALL_OPENED) {
		call_send_head(call, OK_MANY, false);
		call_send_pattern(call, 5000, false);
	}
	if (event == (phase == AT_OPEN ? CALL_OPENED : CALL_BODY))
		call_release(call, RESET_CANCEL);
}

static void origins_that_break_off(struct chain_options options)
{
	for (phase = AT_OPEN; phase < PHASES; phase++) {
		struct chain *chain;
		struct caller *caller = NULL;
		struct call *call;

		options.serve = break_off;
		chain = chain_new(&options);
		call = begin(chain, &caller, POST_CHUNKED, false, NULL);
		call_send_pattern(call, 5000, false);
		assert_true(chain_run_until_over(chain, call));
		if (phase < BEHIND_HEAD) {
			assert_int_equal(502, call->status);
			assert_true(call->ended);
		} else {
			assert_true(call->was_reset); /* it is seen to be cut short */
			assert_false(call->ended);
		}
		assert_int_equal(1, chain_opened(chain));
		call_release(call, RESET_NONE);
		expect_hello(chain, caller);
		assert_int_equal(1, (int)chain_metric(chain, SERVICE, "failures"));
		chain_free(chain);
	}
}

static bool served_was_reset(struct chain *chain)
{
	return chain->origins[0]->served->was_reset;
}

static void begin_to_answer(struct call *call, enum call_event event)
{
	if (phase == BEHIND_HEAD && event == CALL_OPENED)
		call_send_head(call, OK_MANY, false);
	if (phase == BEHIND_BODY && event == CALL_OPENED) {
		call_send_head(call, OK_MANY, false);
		call_send_pattern(call, 5000, false);
	}
}

static bool caller_saw_enough(struct chain *chain)
{
	const struct call *served = chain->origins[0]->served;

	if (!served || (phase == AT_BODY && served->body_length == 0))
		return false;
	return (phase != BEHIND_HEAD || chain->calls->has_head) && (phase != BEHIND_BODY || chain->calls->body_length > 0);
}

static void callers_that_break_off(struct chain_options options)
{
	for (phase = AT_OPEN; phase < PHASES; phase++) {
		struct chain *chain;
		struct caller *caller = NULL;
		struct call *call;

		options.serve = begin_to_answer;
		chain = chain_new(&options);
		call = begin(chain, &caller, POST_CHUNKED, false, NULL);
		call_send_pattern(call, 5000, false);
		assert_true(chain_run_until(chain, caller_saw_enough));
		call_release(call, RESET_CANCEL);
		assert_true(chain_run_until(chain, served_was_reset));
		if (options.codec->calls_share)
			assert_non_null(caller->session);
		expect_hello(chain, caller);
		chain_free(chain);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVERY_VARIANT(calls_go_through),
		EVERY_VARIANT(heads_arrive_with_what_the_proxy_adds),
		EVERY_VARIANT(bodies_both_ways),
		EVERY_VARIANT(heads_are_forgotten_when_they_are_passed_on),
		cmocka_unit_test(a_waiting_stream_is_small),
		EVERY_VARIANT(a_slow_reader_stops_the_origin),
		EVERY_VARIANT(a_slow_origin_stops_the_caller),
		EVERY_CODEC(a_trickle_that_nobody_reads),
		EVERY_VARIANT(trailers_both_ways),
		EVERY_VARIANT(informational_heads_come_first),
		EVERY_VARIANT(a_response_that_ends_before_its_request),
		EVERY_VARIANT(origins_that_break_off),
		EVERY_VARIANT(callers_that_break_off),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

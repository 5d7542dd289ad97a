/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of the exchange (session/exchange.h), the same tests over every codec, with and without a filter below, and on
 * several seeds of the network. The rules themselves are checked all the time, by support/contract.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "session/pools.h"
#include "support/pair.h"

enum { SEEDS = 8, MANY = 300 * 1000 };

#define GET "GET /path?query HTTP/1.1\r\nHost: example\r\nX-Test: 1\r\n\r\n"
#define POST_CHUNKED "POST /in HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\n\r\n"
#define POST_MANY "POST /in HTTP/1.1\r\nHost: example\r\nContent-Length: 300000\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200 OK\r\nX-Answer: yes\r\nContent-Length: 5\r\n\r\n"
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OK_MANY "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"

typedef void variant_test(struct pair_options options);

static void every_variant(void **state)
{
	const struct pair_codec *codecs[] = { &codec_http1, &codec_http2, &codec_multiplex };
	variant_test *test = *(variant_test **)*state;

	for (unsigned i = 0; i < sizeof codecs / sizeof *codecs; i++) {
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			test((struct pair_options){ .codec = codecs[i], .seed = seed });
			test((struct pair_options){ .codec = codecs[i], .seed = seed, .filter = true });
			test((struct pair_options){ .codec = codecs[i], .seed = seed, .tls = true, .filter = seed % 4 == 0 });
		}
	}
}

static void answer_hello(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, OK_HELLO, false);
	call_send(call, "hello", true);
	call_release(call, RESET_NONE);
}

static void check_hello(const struct call *call)
{
	assert_true(call->ended);
	assert_int_equal(200, call->status);
	assert_string_equal("hello", call->body.bytes);
}

static bool client_is_free(struct pair *pair)
{
	return !pair->client || session_capacity(pair->client) > 0;
}

static void expect_hello(struct pair *pair)
{
	struct call *call;

	pair->options.serve = answer_hello;
	assert_true(pair_run_until(pair, client_is_free));
	call = pair_call(pair, GET, true, call_release_when_over);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
}

/* --- whole exchanges --- */

static void answers_follow_on_one_connection(struct pair_options options)
{
	struct pair *pair = pair_new(&options);

	for (unsigned i = 0; i < 5; i++)
		expect_hello(pair);
	pair_settle(pair);
	assert_true(pair_holds_nothing(pair));
	assert_int_equal(5, pair->opened);
	assert_int_equal(1, counter_read(&pair->server_counters.connects));
	assert_int_equal(0, pair->client_closed);
	assert_true(counter_read(&pair->server_counters.received_bytes) > 0);
	assert_int_equal(counter_read(&pair->server_counters.received_bytes), counter_read(&pair->client_counters.sent_bytes));
	assert_int_equal(counter_read(&pair->client_counters.received_bytes), counter_read(&pair->server_counters.sent_bytes));
	pair_free(pair);
}

static void check_get(struct call *call, enum call_event event)
{
	struct head *head = &call->head;

	if (event != CALL_OPENED)
		return;
	assert_true(slice_equal(SLICE("/path?query"), head->target));
	assert_true(slice_equal(SLICE("example"), head->authority));
	assert_int_equal(METHOD_GET, head->method);
	assert_int_equal(BODY_NONE, head->body);
	assert_true(slice_equal(SLICE("1"), field_value(head_find_name(head, SLICE("x-test")))));
	call_send_head(call, "HTTP/1.1 204 No Content\r\n\r\n", true);
	call->script = call_release_when_over;
}

static void heads_arrive_as_they_were_sent(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = check_get;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, call_release_when_over);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(204, call->status);
	assert_true(call->ended);
	assert_int_equal(0, call->body_length);
	expect_hello(pair);
	pair_free(pair);
}

/* Sends back what comes in, as far as there is room. */
static void echo(struct call *call, enum call_event event)
{
	bool more = true;

	if (event == CALL_OPENED)
		call_send_head(call, OK_CHUNKED, false);
	if (event == CALL_BODY || event == CALL_WRITABLE) {
		if (call->body_length > call->sent)
			more = call_send_pattern(call, call->body_length - call->sent, false);
		if (event == CALL_WRITABLE && more)
			side_resume(call->side);
		else if (!more)
			side_pause(call->side);
	}
	if (event == CALL_END) {
		call_send_pattern(call, 0, true);
		call_release(call, RESET_NONE);
	}
	if (event == CALL_TRAILERS) {
		call_send_trailers(call, "x-echo", "done");
		call_release(call, RESET_NONE);
	}
}

/* Sends call->to_send bytes of pattern, waiting when it should. */
static void send_more(struct call *call)
{
	while (call->sent < call->to_send) {
		size_t left = call->to_send - call->sent, part = left < 9000 ? left : 9000;

		if (!call_send_pattern(call, part, part == left))
			return;
	}
}

static void upload(struct call *call, enum call_event event)
{
	if (event == CALL_WRITABLE)
		send_more(call);
	call_release_when_over(call, event);
}

static struct call *begin_upload(struct pair *pair, const char *head, size_t length)
{
	struct call *call = pair_call(pair, head, false, upload);

	call->to_send = length;
	send_more(call);
	return call;
}

static void bodies_of_known_length(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = echo;
	pair = pair_new(&options);
	call = begin_upload(pair, POST_MANY, MANY);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(MANY, call->body_length);
	assert_true(call_is_pattern(call));
	assert_int_equal(MANY, pair->served->body_length);
	assert_true(call_is_pattern(pair->served));
	expect_hello(pair);
	pair_free(pair);
}

static void bodies_of_unknown_length(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = echo;
	pair = pair_new(&options);
	call = begin_upload(pair, POST_CHUNKED, MANY);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(MANY, call->body_length);
	assert_true(call_is_pattern(call));
	expect_hello(pair);
	pair_free(pair);
}

static void trailers_both_ways(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = echo;
	pair = pair_new(&options);
	call = pair_call(pair, POST_CHUNKED, false, call_release_when_over);
	call_send_pattern(call, 10, false);
	call_send_trailers(call, "X-Sum", "42");
	assert_true(pair_run_until_over(pair, call));
	/* HTTP/2 has no upper case in names. */
	assert_true(slice_equal_nocase(SLICE("X-Sum: 42\r\n"), text_slice(&pair->served->trailers)));
	assert_string_equal("x-echo: done\r\n", call->trailers.bytes);
	assert_int_equal(10, call->body_length);
	expect_hello(pair);
	pair_free(pair);
}

static void send_informationals(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		call_send_informational(call, "HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n");
		call_send_informational(call, "HTTP/1.1 102 Processing\r\n\r\n");
	}
	answer_hello(call, event);
}

static void informational_heads_come_first(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = send_informationals;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, call_release_when_over);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(2, call->informational);
	assert_int_equal(102, call->last_informational);
	check_hello(call);
	pair_free(pair);
}

/* --- responses that are early --- */

static void answer_at_once_and_leave(struct call *call, enum call_event event)
{
	if (event != CALL_OPENED)
		return;
	call_send_head(call, OK_HELLO, false);
	call_send(call, "hello", true);
	call_release(call, RESET_NONE);
}

static void ignore(struct call *call, enum call_event event)
{
	(void)call;
	(void)event;
}

/* The server has answered and left while the request was still coming: the client has the whole answer. */
static void early_response_with_little_left(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = answer_at_once_and_leave;
	pair = pair_new(&options);
	call = pair_call(pair, POST_CHUNKED, false, ignore);
	call_send_pattern(call, 100, false);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	call_send_pattern(call, 100, true);
	call_release(call, RESET_NONE);
	pair_settle(pair);
	assert_non_null(pair->client); /* the rest was dropped and the connection goes on */
	expect_hello(pair);
	assert_int_equal(1, counter_read(&pair->server_counters.connects));
	pair_free(pair);
}

static void early_response_and_the_client_stops(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = answer_at_once_and_leave;
	pair = pair_new(&options);
	call = pair_call(pair, POST_MANY, false, ignore);
	call_send_pattern(call, 100, false);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	call_release(call, RESET_CANCEL);
	pair_settle(pair);
	expect_hello(pair);
	pair_free(pair);
}

static void early_response_with_much_left(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = answer_at_once_and_leave;
	pair = pair_new(&options);
	call = begin_upload(pair, POST_MANY, MANY);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	call_release(call, RESET_CANCEL);
	expect_hello(pair);
	pair_free(pair);
}

static void answer_at_once_and_listen(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		call_send_head(call, OK_HELLO, false);
		call_send(call, "hello", true);
	}
	call_release_when_over(call, event);
}

/* The response has ended before its request; both are delivered whole. */
static void early_response_and_the_whole_request(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = answer_at_once_and_listen;
	pair = pair_new(&options);
	call = pair_call(pair, POST_CHUNKED, false, ignore);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	assert_false(pair->served->ended);
	call_send_pattern(call, 5000, true);
	assert_true(pair_run_until_over(pair, pair->served));
	assert_int_equal(5000, pair->served->body_length);
	call_release(call, RESET_NONE);
	expect_hello(pair);
	assert_int_equal(1, counter_read(&pair->server_counters.connects));
	pair_free(pair);
}

/* --- messages that are cut --- */

enum { SERVER_STEPS = 6 };

/* Leaves at the step that pair->refusal counts up to: there is no other place for a test's number. */
static unsigned leave_at;

static void leave_at_step(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		if (leave_at >= 1)
			call_send_informational(call, "HTTP/1.1 103 Early Hints\r\n\r\n");
		if (leave_at >= 2)
			call_send_head(call, leave_at % 2 ? OK_CHUNKED : OK_MANY, false);
		if (leave_at >= 4)
			call_send_pattern(call, 20000, false);
		if (leave_at < 6)
			call_release(call, RESET_OVERLOAD);
	}
}

/* A response that is cut short is never taken for a whole one. */
static void servers_leave_at_each_step(struct pair_options options)
{
	for (leave_at = 0; leave_at < SERVER_STEPS; leave_at++) {
		struct pair *pair;
		struct call *call;

		options.serve = leave_at_step;
		pair = pair_new(&options);
		call = pair_call(pair, GET, true, NULL);
		assert_true(pair_run_until_over(pair, call));
		assert_true(call->was_reset);
		assert_false(call->ended);
		assert_int_equal(RESET_PEER, call->why);
		assert_true(pair_run_until(pair, client_is_free));
		expect_hello(pair);
		pair_free(pair);
	}
}

/* The step at which the client leaves: behind its head, in its body, behind its end, at the response's head, in its body. */
enum leaving { LEAVE_BEHIND_HEAD, LEAVE_IN_BODY, LEAVE_BEHIND_END, LEAVE_AT_HEAD, LEAVE_AT_BODY, CLIENT_STEPS };

static void leave_at_event(struct call *call, enum call_event event)
{
	if ((leave_at == LEAVE_AT_HEAD && event == CALL_HEAD) || (leave_at == LEAVE_AT_BODY && event == CALL_BODY))
		call_release(call, RESET_CANCEL);
}

static void answer_much_slowly(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED && leave_at >= LEAVE_AT_HEAD) {
		call_send_head(call, OK_MANY, false);
		call->to_send = MANY;
		send_more(call);
	}
	if (event == CALL_WRITABLE)
		send_more(call);
}

static bool served_was_reset(struct pair *pair)
{
	return pair->served && pair->served->was_reset;
}

static bool is_opened(struct pair *pair)
{
	return pair->opened > 0;
}

static void clients_leave_at_each_step(struct pair_options options)
{
	for (leave_at = 0; leave_at < CLIENT_STEPS; leave_at++) {
		struct pair *pair;
		struct call *call;

		options.serve = answer_much_slowly;
		pair = pair_new(&options);
		call = pair_call(pair, POST_CHUNKED, false, leave_at_event);
		if (leave_at >= LEAVE_IN_BODY)
			call_send_pattern(call, 3000, leave_at >= LEAVE_BEHIND_END);
		assert_true(pair_run_until(pair, is_opened));
		pair_settle(pair);
		if (leave_at < LEAVE_AT_HEAD)
			call_release(call, RESET_CANCEL);
		if (leave_at == LEAVE_BEHIND_END && options.codec == &codec_http1) {
			/* A FIN behind a whole request is not leaving: it is told by the reset that the answer meets. */
			pair_settle(pair);
			assert_false(pair->served->was_reset);
			call_send_head(pair->served, OK_MANY, false);
			pair->served->to_send = MANY;
			send_more(pair->served);
		}
		assert_true(pair_run_until(pair, served_was_reset));
		assert_int_equal(RESET_PEER, pair->served->why);
		assert_true(pair_run_until(pair, client_is_free));
		expect_hello(pair);
		pair_free(pair);
	}
}

static void nothing_is_answered(struct call *call, enum call_event event)
{
	(void)call;
	(void)event;
}

/* Sessions that are closed by their owners reset what is open, then tell `closed`. */
static void sessions_close_with_exchanges(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = nothing_is_answered;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, NULL);
	assert_true(pair_run_until(pair, is_opened));
	session_close(pair->client, RESET_SHUTDOWN);
	assert_non_null(call->side); /* not from inside the call */
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(RESET_SHUTDOWN, call->why);
	pair_settle(pair);
	assert_int_equal(1, pair->client_closed);
	pair_free(pair);

	pair = pair_new(&options);
	call = pair_call(pair, GET, true, NULL);
	assert_true(pair_run_until(pair, is_opened));
	session_close(pair->server, RESET_SHUTDOWN);
	assert_true(pair_run_until_over(pair, call));
	assert_true(call->why == RESET_PEER);
	assert_int_equal(RESET_SHUTDOWN, pair->served->why);
	pair_settle(pair);
	assert_int_equal(1, pair->server_closed);
	assert_int_equal(1, pair->client_closed);
	pair_free(pair);
}

/* A side that outlives its session is still there to be released, and takes what is sent without effect. */
static void sides_outlive_their_sessions(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = nothing_is_answered;
	pair = pair_new(&options);
	call = pair_call(pair, POST_CHUNKED, false, NULL);
	call->keeps_side = true;
	assert_true(pair_run_until(pair, is_opened));
	session_close(pair->client, RESET_SHUTDOWN);
	pair_settle(pair);
	assert_null(pair->client);
	assert_true(call->was_reset);
	assert_true(call_send_pattern(call, 100, true));
	call_release(call, RESET_NONE);
	pair_free(pair);
}

/* --- back-pressure --- */

static void answer_much(struct call *call, enum call_event event)
{
	if (call_event_ends(event)) {
		call_send_head(call, OK_CHUNKED, false);
		call->to_send = 4 * 1000 * 1000;
		send_more(call);
	}
	if (event == CALL_WRITABLE)
		send_more(call);
}

static void pause_at_head(struct call *call, enum call_event event)
{
	if (event == CALL_HEAD)
		side_pause(call->side);
	call_release_when_over(call, event);
}

/* What is not wanted is not read; what is not read is not sent; memory is bounded on both ends. */
static void slow_readers_stop_the_sender(struct pair_options options)
{
	struct pair *pair;
	struct call *call;
	size_t stopped_at;

	options.serve = answer_much;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, pause_at_head);
	sim_run_for(pair->sim, 20 * CLOCK_SECOND);
	assert_true(call->has_head);
	assert_int_equal(0, call->pieces);
	stopped_at = pair->served->sent;
	assert_true(stopped_at < 1000 * 1000);
	assert_true(loop_buffers(pair->server_loop)->peak <= 24);
	assert_true(loop_buffers(pair->client_loop)->peak <= 24);
	sim_run_for(pair->sim, CLOCK_SECOND);
	assert_int_equal(stopped_at, pair->served->sent);
	side_resume(call->side);
	assert_int_equal(0, call->pieces);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(4 * 1000 * 1000, call->body_length);
	assert_true(call_is_pattern(call));
	assert_true(pair->served->writables > 0);
	call_release(pair->served, RESET_NONE);
	expect_hello(pair);
	pair_free(pair);
}

static void forget_at_head(struct call *call, enum call_event event)
{
	if (event == CALL_HEAD) {
		side_forget_head(call->side);
		side_pause(call->side);
	}
	call_release_when_over(call, event);
}

/* A response's head can be forgotten, too: then nothing is held while nothing comes. */
static void heads_of_responses_are_forgotten(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = answer_hello;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, forget_at_head);
	sim_run_for(pair->sim, 2 * CLOCK_SECOND);
	assert_int_equal(200, call->status);
	assert_int_equal(0, call->pieces);
	side_resume(call->side);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	expect_hello(pair);
	assert_true(pair->client_pools->http2_heads.in_use == 0);
	pair_free(pair);
}

static void pause_at_once(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		side_pause(call->side);
		side_forget_head(call->side);
	}
	answer_hello(call, event);
}

static void slow_servers_stop_the_client(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = pause_at_once;
	pair = pair_new(&options);
	call = begin_upload(pair, POST_CHUNKED, 4 * 1000 * 1000);
	sim_run_for(pair->sim, 20 * CLOCK_SECOND);
	assert_int_equal(0, pair->served->pieces);
	assert_false(pair->served->ended);
	assert_true(call->sent < 1000 * 1000);
	side_resume(pair->served->side);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(4 * 1000 * 1000, pair->served->body_length);
	assert_true(call_is_pattern(pair->served));
	check_hello(call);
	pair_free(pair);
}

/* `end` too is not told while paused. */
static void parked_requests_hear_nothing(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = pause_at_once;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, call_release_when_over);
	assert_true(pair_run_until(pair, is_opened));
	pair_settle(pair);
	assert_false(pair->served->ended);
	assert_true(pair_holds_nothing(pair)); /* its head is forgotten */
	side_resume(pair->served->side);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	pair_free(pair);
}

/* --- sessions --- */

static void draining_clients_finish_and_close(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = answer_hello;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, call_release_when_over);
	session_drain(pair->client);
	assert_int_equal(0, session_capacity(pair->client));
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	pair_settle(pair);
	assert_null(pair->client);
	assert_int_equal(0, pair->client_error);
	assert_null(pair->server);
	pair_free(pair);
}

static bool client_is_gone(struct pair *pair)
{
	return !pair->client;
}

static void draining_servers_finish_and_close(struct pair_options options)
{
	struct pair *pair;
	struct call *call;

	options.serve = pause_at_once;
	pair = pair_new(&options);
	call = pair_call(pair, GET, true, call_release_when_over);
	assert_true(pair_run_until(pair, is_opened));
	session_drain(pair->server);
	pair_settle(pair);
	side_resume(pair->served->side);
	assert_true(pair_run_until_over(pair, call));
	check_hello(call);
	assert_true(pair_run_until(pair, client_is_gone));
	pair_settle(pair);
	assert_null(pair->server);
	assert_int_equal(0, pair->server_error);

	expect_hello(pair);
	session_drain(pair->server); /* idle */
	assert_true(pair_run_until(pair, client_is_gone));
	pair_free(pair);
}

static void connections_that_cannot_be_made(struct pair_options options)
{
	struct pair *pair = pair_new(&options);
	struct call *call;

	pair->address.port++;
	pair_connect(pair);
	if (!pair->client->undecided) {
		call = pair_call(pair, GET, true, NULL);
		assert_true(pair_run_until_over(pair, call));
		assert_true(call->was_reset);
		assert_int_equal(RESET_CONNECT, call->why);
		assert_int_equal(ERROR_REFUSED, call->error);
	}
	pair_settle(pair);
	assert_int_equal(1, pair->client_closed);
	assert_int_equal(ERROR_REFUSED, pair->client_error);
	assert_int_equal(0, counter_read(&pair->client_counters.connects));
	pair_free(pair);
}

static void many_at_once(struct pair_options options)
{
	struct call *calls[20];
	struct pair *pair;
	unsigned count;

	options.serve = echo;
	pair = pair_new(&options);
	pair_connect(pair);
	pair_settle(pair);
	count = session_capacity(pair->client);
	if (count > 20)
		count = 20;
	for (unsigned i = 0; i < count; i++)
		calls[i] = begin_upload(pair, POST_CHUNKED, 1000 + 5000 * i);
	for (unsigned i = 0; i < count; i++) {
		assert_true(pair_run_until_over(pair, calls[i]));
		assert_true(calls[i]->ended);
		assert_int_equal(1000 + 5000 * i, calls[i]->body_length);
		assert_true(call_is_pattern(calls[i]));
	}
	assert_int_equal(count, pair->opened);
	pair_free(pair);
}

/* It would take #test for a directive: clang-format is off here. */
/* clang-format off */
#define VARIANT(test) { #test, every_variant, NULL, NULL, &(variant_test *){ test } }
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		VARIANT(answers_follow_on_one_connection),
		VARIANT(heads_arrive_as_they_were_sent),
		VARIANT(bodies_of_known_length),
		VARIANT(bodies_of_unknown_length),
		VARIANT(trailers_both_ways),
		VARIANT(informational_heads_come_first),
		VARIANT(early_response_with_little_left),
		VARIANT(early_response_and_the_client_stops),
		VARIANT(early_response_with_much_left),
		VARIANT(early_response_and_the_whole_request),
		VARIANT(servers_leave_at_each_step),
		VARIANT(clients_leave_at_each_step),
		VARIANT(sessions_close_with_exchanges),
		VARIANT(sides_outlive_their_sessions),
		VARIANT(slow_readers_stop_the_sender),
		VARIANT(heads_of_responses_are_forgotten),
		VARIANT(slow_servers_stop_the_client),
		VARIANT(parked_requests_hear_nothing),
		VARIANT(draining_clients_finish_and_close),
		VARIANT(draining_servers_finish_and_close),
		VARIANT(connections_that_cannot_be_made),
		VARIANT(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

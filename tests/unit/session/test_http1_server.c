/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end of HTTP/1.1, judged by the bytes that a client sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "support/pair.h"

enum { MANY = 4 * 1000 * 1000 };

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define GET_CLOSE "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define HELLO_CLOSE OK_HELLO_CLOSE "hello"
#define OK_HELLO_CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"

/* A raw client's conversation: what it sends, and all that it gets until the server closes or a second has passed. */
static struct pair *talk(struct pair_options options, const char *bytes)
{
	struct pair *pair;

	options.codec = &codec_http1;
	if (!options.serve)
		options.serve = call_answer_hello;
	pair = pair_new(&options);
	pair_connect_raw(pair);
	pair_send_raw_text(pair, bytes);
	pair_settle(pair);
	return pair;
}

static const char *answer_of(const struct pair *pair)
{
	return pair->received.bytes ? pair->received.bytes : "";
}

static void expect(struct pair_options options, const char *bytes, const char *answer, bool closed)
{
	struct pair *pair = talk(options, bytes);

	assert_string_equal(answer, answer_of(pair));
	assert_int_equal(closed, pair->raw_ended);
	assert_false(pair->raw_failed);
	assert_int_equal(!closed, pair->server != NULL);
	pair_free(pair);
}

/* --- keeping and closing the connection --- */

static void persistence(void **state)
{
	struct pair_options o = { .calm = true };

	(void)state;
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", OK_HELLO "hello", false);
	expect(o, GET_CLOSE, HELLO_CLOSE, true);
	expect(o, "GET / HTTP/1.0\r\n\r\n", HELLO_CLOSE, true);
	expect(o, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", false);
	/* What comes behind a request that closes is not looked at. */
	expect(o, GET_CLOSE "GET /more HTTP/1.1\r\nHost: a\r\n\r\n", HELLO_CLOSE, true);
}

static char *repeat(const char *text, unsigned times)
{
	size_t length = strlen(text);
	char *all = malloc(length * times + 1);

	assert_non_null(all);
	for (unsigned i = 0; i < times; i++)
		memcpy(all + i * length, text, length);
	all[length * times] = '\0';
	return all;
}

static bool all_answered(struct pair *pair)
{
	return pair->received.length == 100 * strlen(OK_HELLO "hello");
}

static void pipelined_requests(void **state)
{
	char *requests = repeat("GET /p HTTP/1.1\r\nHost: a\r\n\r\n", 100), *answers = repeat(OK_HELLO "hello", 100);

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct pair *pair = talk((struct pair_options){ .seed = seed, .filter = seed % 2, .tls = seed % 3 == 0 }, requests);

		assert_true(pair_run_until(pair, all_answered));
		assert_string_equal(answers, answer_of(pair));
		assert_int_equal(100, pair->opened);
		pair_free(pair);
	}
	free(requests);
	free(answers);
}

/* Requests behind the current one wait unread: in the peer's socket, but for one buffer. */
static void pipelined_requests_wait(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = call_listen };
	char *requests = repeat("GET /waiting-for-the-one-before HTTP/1.1\r\nHost: a\r\n\r\n", 10000);
	struct pair *pair = pair_new(&o);

	(void)state;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, requests);
	sim_run_for(pair->sim, 10 * CLOCK_SECOND);
	assert_int_equal(1, pair->opened);
	assert_true(pair->served->ended);
	assert_true(loop_buffers(pair->server_loop)->peak <= 3);
	assert_true(counter_read(&pair->server_counters.received_bytes) <= 3 * BUFFER_CAPACITY);
	pair_free(pair);
	free(requests);
}

static void half_closed_clients_get_their_answer(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = call_listen };

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct pair *pair;

		o.seed = seed;
		o.filter = seed % 2;
		pair = pair_new(&o);
		pair_connect_raw(pair);
		pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
		stream_finish(pair->raw);
		pair_settle(pair);
		assert_int_equal(1, pair->opened);
		assert_true(pair->served->ended);
		call_answer_hello(pair->served, CALL_END);
		pair_settle(pair);
		assert_int_equal(2, pair->opened);
		call_answer_hello(pair->served, CALL_END);
		assert_true(pair_run_until_raw_over(pair));
		assert_true(pair->raw_ended);
		assert_string_equal(OK_HELLO "hello" OK_HELLO "hello", answer_of(pair));
		pair_settle(pair);
		assert_null(pair->server);
		assert_int_equal(0, pair->server_error);
		pair_free(pair);
	}
}

/* --- how bodies are framed --- */

static const char *head_to_answer;

static void answer_head_and_body(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, head_to_answer, false);
	call_send(call, "hel", false);
	call_send(call, "lo", true);
	call_release(call, RESET_NONE);
}

static void response_framing(void **state)
{
	struct pair_options o = { .calm = true, .serve = answer_head_and_body };

	(void)state;
	head_to_answer = OK_CHUNKED;
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", OK_CHUNKED "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", false);
	expect(o, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true);
	expect(o, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true);
	/* until close, as it came from upstream */
	head_to_answer = "HTTP/1.1 200 OK\r\n\r\n";
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", OK_CHUNKED "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", false);
	head_to_answer = OK_HELLO;
	expect(o, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", OK_HELLO, false);
	head_to_answer = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n";
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", head_to_answer, false);
	head_to_answer = "HTTP/1.1 204 No Content\r\n\r\n";
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", head_to_answer, false);
	/* more than was announced is not sent, and less is seen as a cut */
	head_to_answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell", true);
	head_to_answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", true);
}

static void answer_trailers(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, OK_CHUNKED, false);
	call_send(call, "hello", false);
	call_send_trailers(call, "X-Sum", "1");
	call_release(call, RESET_NONE);
}

static void response_trailers(void **state)
{
	struct pair_options o = { .calm = true, .serve = answer_trailers };

	(void)state;
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", OK_CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", false);
	expect(o, "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", true);
}

/* Request bytes, cut in two at every place: the exchanges are told the same. */
static void requests_at_every_split(void **state)
{
	static const char bytes[] = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n"
				    "\r\nPUT /b HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n\r\nwxyz"
				    "GET http://c/c HTTP/1.1\r\nHost: c\r\n\r\n";
	size_t length = sizeof bytes - 1;

	(void)state;
	for (size_t cut = 1; cut < length; cut++) {
		struct pair_options o = { .codec = &codec_http1, .serve = call_answer_hello, .calm = true };
		struct pair *pair = pair_new(&o);
		struct call *call;

		pair_connect_raw(pair);
		pair_send_raw(pair, bytes, cut);
		sim_run_for(pair->sim, 10 * CLOCK_MS);
		pair_send_raw(pair, bytes + cut, length - cut);
		sim_run_for(pair->sim, 10 * CLOCK_MS);
		assert_int_equal(3, pair->opened);
		assert_string_equal(OK_HELLO "hello" OK_HELLO "hello" OK_HELLO "hello", answer_of(pair));
		call = pair->calls;
		assert_int_equal(0, call->body.length);
		call = call->next;
		assert_string_equal("wxyz", call->body.bytes);
		call = call->next;
		assert_string_equal("abcdefg", call->body.bytes);
		assert_string_equal("X-Sum: 7\r\n", call->trailers.bytes);
		assert_true(pair_holds_nothing(pair));
		pair_free(pair);
	}
}

/* Heads near a buffer's end, and larger than what is left of it. */
static void heads_across_buffers(void **state)
{
	(void)state;
	for (size_t body = BUFFER_CAPACITY - 300; body < BUFFER_CAPACITY + 10; body += 3) {
		struct pair_options o = { .codec = &codec_http1, .serve = call_answer_hello, .calm = true };
		struct pair *pair = pair_new(&o);
		char head[128];
		char *fill = repeat("x", (unsigned)body);
		char *large = repeat("y", 3000);
		char last[4000];

		snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", body);
		snprintf(last, sizeof last, "GET / HTTP/1.1\r\nHost: a\r\nX-Large: %s\r\n\r\n", large);
		pair_connect_raw(pair);
		pair_send_raw_text(pair, head);
		pair_send_raw_text(pair, fill);
		pair_send_raw_text(pair, last);
		pair_send_raw_text(pair, last);
		pair_settle(pair);
		assert_int_equal(3, pair->opened);
		assert_int_equal(body, pair->calls->next->next->body_length);
		assert_true(pair_holds_nothing(pair));
		pair_free(pair);
		free(fill);
		free(large);
	}
}

/* --- Expect: 100-continue --- */

#define EXPECTING "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void pause_first(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		side_pause(call->side);
	call_answer_hello(call, event);
}

static void continue_is_sent_when_body_is_wanted(void **state)
{
	struct pair_options o = { .calm = true };
	struct pair *pair;

	(void)state;
	expect(o, EXPECTING, CONTINUE, false);
	/* A client that doesn't wait isn't told to go on. */
	expect(o, EXPECTING "body", OK_HELLO "hello", false);
	/* HTTP/1.0 knows no 1xx. */
	expect(o, "POST / HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", "", false);

	o.serve = pause_first;
	pair = talk(o, EXPECTING);
	assert_string_equal("", answer_of(pair));
	side_resume(pair->served->side);
	pair_settle(pair);
	assert_string_equal(CONTINUE, answer_of(pair));
	pair_send_raw_text(pair, "body");
	pair_settle(pair);
	assert_string_equal(CONTINUE OK_HELLO "hello", answer_of(pair));
	pair_free(pair);
}

static void continue_is_forwarded_once(void **state)
{
	struct pair_options o = { .calm = true, .serve = pause_first };
	struct pair *pair = talk(o, EXPECTING);

	(void)state;
	call_send_informational(pair->served, CONTINUE);
	call_send_informational(pair->served, CONTINUE);
	side_resume(pair->served->side);
	pair_settle(pair);
	assert_string_equal(CONTINUE, answer_of(pair));
	pair_send_raw_text(pair, "body");
	pair_settle(pair);
	assert_string_equal(CONTINUE OK_HELLO "hello", answer_of(pair));
	/* Of its own accord upstream may say so too; this client has not asked. */
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	pair_settle(pair);
	call_send_informational(pair->served, CONTINUE);
	call_send_informational(pair->served, "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
	side_resume(pair->served->side);
	pair_settle(pair);
	assert_string_equal(CONTINUE OK_HELLO "hello"
					      "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" OK_HELLO "hello",
		answer_of(pair));
	pair_free(pair);
}

static void final_answer_instead_of_continue(void **state)
{
	struct pair_options o = { .calm = true, .serve = pause_first };
	struct pair *pair = talk(o, EXPECTING);

	(void)state;
	call_send_head(pair->served, OK_HELLO, false);
	call_send(pair->served, "hello", true);
	call_release(pair->served, RESET_NONE);
	pair_settle(pair);
	assert_string_equal(HELLO_CLOSE, answer_of(pair));
	assert_true(pair->raw_ended);
	pair_free(pair);
}

/* --- answers before the request has ended --- */

static void answer_at_once(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		call_send_head(call, OK_HELLO, false);
		call_send(call, "hello", true);
		call_release(call, RESET_NONE);
	}
}

static void rests_are_dropped_or_close(void **state)
{
	struct pair_options o = { .calm = true, .serve = answer_at_once };
	struct pair *pair;
	char *much;

	(void)state;
	expect(o, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		OK_HELLO "hello" OK_HELLO "hello", false);
	expect(o,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: "
		"a\r\n\r\n",
		OK_HELLO "hello" OK_HELLO "hello", false);
	/* broken, but nobody cares any more */
	expect(o, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", OK_HELLO "hello", true);
	/* known to be too much */
	expect(o, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", OK_HELLO "hello", true);
	/* found out to be too much; the answer is not destroyed by it */
	pair = talk(o, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n");
	assert_non_null(pair->server);
	much = repeat("z", 70000);
	pair_send_raw_text(pair, much);
	pair_settle(pair);
	assert_string_equal(OK_HELLO "hello", answer_of(pair));
	assert_null(pair->server);
	pair_free(pair);
	free(much);
	/* one that never comes */
	o.limits.head_ns = 2 * CLOCK_SECOND;
	pair = talk(o, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
	assert_non_null(pair->server);
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_null(pair->server);
	pair_free(pair);
}

static unsigned cut_at;

static void cut_response(struct call *call, enum call_event event)
{
	if (event != CALL_OPENED)
		return;
	if (cut_at == 1)
		call_send_head(call, OK_CHUNKED, false);
	if (cut_at == 2)
		call_send_head(call, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false);
	if (cut_at >= 1)
		call_send(call, "part", false);
	call_release(call, RESET_PEER);
}

static void cut_responses_can_be_told(void **state)
{
	struct pair_options o = { .calm = true, .serve = cut_response };

	(void)state;
	cut_at = 0;
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", true);
	cut_at = 1;
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", OK_CHUNKED "4\r\npart", true);
	cut_at = 2;
	expect(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", true);
}

static void answer_and_stay(struct call *call, enum call_event event)
{
	if (event != CALL_OPENED)
		return;
	call_send_head(call, "HTTP/1.1 200 OK\r\n\r\n", false);
	call_send(call, "part", false);
}

static void release_served(struct pair *pair)
{
	call_release(pair->served, RESET_PEER);
}

static void close_server(struct pair *pair)
{
	session_close(pair->server, RESET_SHUTDOWN);
}

static void end_stream(struct pair *pair)
{
	stream_finish(pair->raw);
}

/* A response that ends with the connection and is cut short ends with a reset, whatever the reason: an end in order would be taken
 * for its own. */
static void cut_open_ended_responses_are_reset(void **state)
{
	static const struct {
		const char *request;
		void (*cut)(struct pair *pair);
	} cases[] = {
		{ "GET / HTTP/1.0\r\n\r\n", release_served },
		{ "GET / HTTP/1.0\r\n\r\n", close_server },
		{ "POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\nbo", end_stream },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
		struct pair_options o = { .calm = true, .serve = answer_and_stay, .filter = i % 2 };
		struct pair *pair = talk(o, cases[i / 2].request);

		assert_string_equal("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart", answer_of(pair));
		cases[i / 2].cut(pair);
		pair_settle(pair);
		assert_true(pair->raw_failed);
		assert_false(pair->raw_ended);
		assert_int_equal(ERROR_RESET, pair->raw_error);
		pair_free(pair);
	}
}

/* What is sent by the event that also closes is not sent after all: that must not look like an end, either. */
static void answer_and_close(struct call *call, enum call_event event)
{
	if (event != CALL_OPENED)
		return;
	call_send_head(call, "HTTP/1.1 200 OK\r\n\r\n", false);
	call_send(call, "all", true);
	session_close(call->side->session, RESET_SHUTDOWN);
}

static void what_was_gathered_and_dropped_is_no_end(void **state)
{
	struct pair_options o = { .calm = true, .serve = answer_and_close };
	struct pair *pair = talk(o, "GET / HTTP/1.0\r\n\r\n");

	(void)state;
	assert_true(pair->raw_failed);
	assert_false(pair->raw_ended);
	pair_free(pair);
}

/* --- upgrades --- */

static void answer_upgrade(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		assert_true(call->head.upgrades);
		call_send_head(call, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n", false);
	} else if (event == CALL_BODY) {
		call_send(call, "pong", false);
	} else if (event == CALL_END) {
		call_send(call, "bye", true);
		call_release(call, RESET_NONE);
	}
}

#define UPGRADE "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"

/* `Connection` is written by the codec. */
#define SWITCHED "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n"

static void upgraded_connections_are_opaque(void **state)
{
	struct pair_options o = { .calm = true, .serve = answer_upgrade };
	struct pair *pair = talk(o, UPGRADE);

	(void)state;
	assert_string_equal(SWITCHED, answer_of(pair));
	assert_false(pair->served->ended);
	pair_send_raw_text(pair, "GET ");
	pair_settle(pair);
	assert_string_equal("GET ", pair->served->body.bytes);
	assert_string_equal(SWITCHED "pong", answer_of(pair));
	stream_finish(pair->raw);
	assert_true(pair_run_until_raw_over(pair));
	assert_string_equal(SWITCHED "pongbye", answer_of(pair));
	pair_settle(pair);
	assert_null(pair->server);
	pair_free(pair);

	/* Bytes right behind the request already belong to the new protocol. */
	pair = talk(o, UPGRADE "early");
	assert_string_equal("early", pair->served->body.bytes);
	assert_string_equal(SWITCHED "pong", answer_of(pair));
	pair_free(pair);
}

static void hold_then_answer(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED && call->head.upgrades)
		return;
	if (call_event_ends(event))
		call_answer_hello(call, event);
}

static void refused_upgrades_are_requests(void **state)
{
	struct pair_options o = { .calm = true, .serve = hold_then_answer };
	struct pair *pair = talk(o, UPGRADE "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");

	(void)state;
	assert_int_equal(1, pair->opened);
	assert_false(pair->served->ended); /* it may still become an upgrade */
	pair->served->script = call_listen;
	call_send_head(pair->served, OK_HELLO, false);
	pair_settle(pair);
	assert_true(pair->served->ended);
	call_send(pair->served, "hello", true);
	call_release(pair->served, RESET_NONE);
	pair_settle(pair);
	assert_int_equal(2, pair->opened);
	assert_string_equal(OK_HELLO "hello" OK_HELLO "hello", answer_of(pair));
	pair_free(pair);
}

static void drop_upgrade(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		head_drop_hop_by_hop(call->side->head, false);
	call_answer_hello(call, event);
}

static void upgrades_taken_out_are_requests(void **state)
{
	struct pair_options o = { .calm = true, .serve = drop_upgrade };
	struct pair *pair = talk(o, UPGRADE);

	(void)state;
	assert_string_equal(OK_HELLO "hello", answer_of(pair));
	pair_free(pair);
}

static void tunnel(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		call_send_head(call, "HTTP/1.1 200 OK\r\n\r\n", false);
	if (event == CALL_BODY)
		call_send(call, "pong", false);
	if (event == CALL_END) {
		call_send_pattern(call, 0, true);
		call_release(call, RESET_NONE);
	}
}

static void connect_makes_a_tunnel(void **state)
{
	struct pair_options o = { .calm = true, .serve = tunnel };
	struct pair *pair = talk(o, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\nping");

	(void)state;
	assert_string_equal("HTTP/1.1 200 OK\r\n\r\npong", answer_of(pair));
	assert_string_equal("ping", pair->served->body.bytes);
	stream_finish(pair->raw);
	assert_true(pair_run_until_raw_over(pair));
	assert_true(pair->raw_ended);
	pair_free(pair);
}

/* --- what is refused --- */

static void check_refused(struct pair_options o, const char *bytes, unsigned status, const char *reason)
{
	struct pair *pair = talk(o, bytes);
	char start[64];

	snprintf(start, sizeof start, "HTTP/1.1 %u %s\r\n", status, reason);
	assert_int_equal(0, strncmp(start, answer_of(pair), strlen(start)));
	assert_non_null(strstr(answer_of(pair), "\r\nConnection: close\r\n"));
	assert_null(strstr(answer_of(pair), "l5d-err"));
	assert_true(pair->raw_ended);
	assert_int_equal(1, pair->refused);
	assert_int_equal(status, pair->refused_status);
	assert_int_equal(0, pair->opened);
	assert_null(pair->server);
	assert_int_equal(1, counter_read(&pair->server_counters.protocol_errors));
	pair_free(pair);
}

static void bad_requests(void **state)
{
	struct pair_options o = { .seed = 3 };
	char *large = repeat("x", 20000), *line = malloc(21000);

	(void)state;
	assert_non_null(line);
	for (unsigned filter = 0; filter < 2; filter++) {
		o.filter = filter;
		check_refused(o, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "Bad Request");
		check_refused(
			o, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Bad Request");
		check_refused(o, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "Not Implemented");
		check_refused(o, "GET / HTTP/2.7\r\nHost: a\r\n\r\n", 505, "HTTP Version Not Supported");
		snprintf(line, 21000, "GET /%s HTTP/1.1\r\n", large);
		check_refused(o, line, 414, "URI Too Long");
		snprintf(line, 21000, "GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n", large);
		check_refused(o, line, 431, "Request Header Fields Too Large");
		o.limits = (struct session_limits){ .max_line_bytes = 15000, .max_head_bytes = 15000 };
		check_refused(o, line, 431, "Request Header Fields Too Large");
		o.limits = (struct session_limits){ 0 };
	}
	free(large);
	free(line);
}

static void refusals_carry_their_text(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .calm = true };
	struct pair *pair = pair_new(&o);

	(void)state;
	pair->refusal = "no \"good\"\n";
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "bad\r\n\r\n");
	assert_true(pair_run_until_raw_over(pair));
	assert_string_equal("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n"
			    "l5d-err: no%20%22good%22%0A\r\nConnection: close\r\n\r\nno \"good\"\n",
		answer_of(pair));
	pair_free(pair);
}

/* Behind a good one, and in the middle of a body: answered if nothing was answered yet. */
static void broken_behind_a_request(void **state)
{
	struct pair_options o = { .calm = true };
	struct pair *pair = talk(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n");

	(void)state;
	assert_int_equal(0, strncmp(OK_HELLO "helloHTTP/1.1 400 ", answer_of(pair), strlen(OK_HELLO "helloHTTP/1.1 400 ")));
	pair_free(pair);

	pair = talk(o, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-1\r\n");
	assert_int_equal(0, strncmp("HTTP/1.1 400 ", answer_of(pair), 13));
	assert_true(pair->served->was_reset);
	assert_int_equal(RESET_PROTOCOL, pair->served->why);
	assert_false(pair->served->ended);
	assert_string_equal("abc", pair->served->body.bytes);
	pair_free(pair);
}

static void no_sides_left(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .calm = true, .max_sides = 1, .serve = call_listen };
	struct pair *pair = pair_new(&o);
	struct stream *first;

	(void)state;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	pair_settle(pair);
	first = pair->raw;
	pair->raw = NULL;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(pair_run_until_raw_over(pair));
	assert_int_equal(0, strncmp("HTTP/1.1 503 ", answer_of(pair), 13));
	assert_int_equal(1, pair->opened);
	stream_close(first);
	pair_free(pair);
}

/* What has no buffer to be written into ends its exchange, and nothing else. */
static void no_buffers_left(void **state)
{
	struct pair_options o = { .calm = true, .max_buffers = 1 };
	struct pair *pair = talk(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");

	(void)state;
	assert_true(pair->raw_ended);
	assert_string_equal("", answer_of(pair));
	assert_null(pair->server);
	pair_connect_raw(pair);
	pair->options.serve = call_listen;
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	pair_settle(pair);
	call_send_head(pair->served, OK_HELLO, false);
	call_send(pair->served, "hel", false);
	assert_false(pair->served->was_reset); /* not from inside the call */
	pair_settle(pair);
	assert_true(pair->served->was_reset);
	assert_int_equal(RESET_OVERLOAD, pair->served->why);
	pair_free(pair);

	o.max_buffers = 2;
	pair = talk(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_string_equal(OK_HELLO "hello", answer_of(pair));
	pair_free(pair);
}

/* --- time --- */

static void idle_connections_are_closed(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = call_answer_hello, .calm = true, .limits.idle_ns = 10 * CLOCK_SECOND };
	struct pair *pair = pair_new(&o);

	(void)state;
	pair_connect_raw(pair);
	for (unsigned i = 0; i < 5; i++) {
		sim_run_for(pair->sim, 8 * CLOCK_SECOND);
		assert_non_null(pair->server);
		pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	sim_run_for(pair->sim, 9 * CLOCK_SECOND);
	assert_int_equal(5, pair->opened);
	assert_false(pair->raw_ended);
	sim_run_for(pair->sim, 2 * CLOCK_SECOND);
	assert_true(pair->raw_ended);
	assert_null(pair->server);
	assert_int_equal(0, pair->server_error);
	pair_free(pair);

	/* one that never says a word, and one whose exchange takes longer than that */
	o.serve = call_listen;
	pair = pair_new(&o);
	pair_connect_raw(pair);
	sim_run_for(pair->sim, 11 * CLOCK_SECOND);
	assert_true(pair->raw_ended);
	assert_string_equal("", answer_of(pair));
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_run_for(pair->sim, 30 * CLOCK_SECOND);
	assert_false(pair->raw_ended);
	assert_non_null(pair->server);
	pair_free(pair);
}

static void slow_heads_are_answered_408(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = call_answer_hello, .calm = true, .limits.head_ns = 5 * CLOCK_SECOND };
	struct pair *pair = pair_new(&o);

	(void)state;
	pair_connect_raw(pair);
	sim_run_for(pair->sim, 20 * CLOCK_SECOND); /* idle is no head */
	assert_non_null(pair->server);
	for (unsigned i = 0; i < 8 && !pair->raw_ended; i++) {
		pair_send_raw(pair, &"GET / HTTP/1.1\r\n"[i], 1);
		pair_settle(pair);
	}
	assert_true(pair->raw_ended);
	assert_int_equal(0, strncmp("HTTP/1.1 408 ", answer_of(pair), 13));
	assert_int_equal(408, pair->refused_status);
	assert_int_equal(0, pair->opened);
	pair_free(pair);
}

static void old_connections_drain(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = call_answer_hello, .calm = true, .limits.life_ns = 10 * CLOCK_SECOND };
	struct pair *pair = pair_new(&o);

	(void)state;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_run_for(pair->sim, 9 * CLOCK_SECOND);
	assert_non_null(pair->server);
	sim_run_for(pair->sim, 2 * CLOCK_SECOND);
	assert_null(pair->server);
	assert_true(pair->raw_ended);

	pair->options.serve = pause_first;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_run_for(pair->sim, 15 * CLOCK_SECOND);
	assert_non_null(pair->server);
	side_resume(pair->served->side);
	pair_settle(pair);
	assert_string_equal(HELLO_CLOSE, answer_of(pair));
	assert_null(pair->server);
	pair_free(pair);
}

/* --- back-pressure and what is held --- */

static void send_much(struct call *call, enum call_event event)
{
	if (event == CALL_END)
		call_send_head(call, OK_CHUNKED, false);
	if (event != CALL_END && event != CALL_WRITABLE)
		return;
	while (call->sent < MANY && call_send_pattern(call, 10000, call->sent + 10000 == MANY))
		;
}

static bool all_was_sent(struct pair *pair)
{
	return pair->served->sent == MANY;
}

static void slow_clients(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = send_much, .limits.max_waiting_bytes = 30000 };
	struct pair *pair = pair_new(&o);

	(void)state;
	pair->raw_paused = true;
	pair_connect_raw(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_run_for(pair->sim, 20 * CLOCK_SECOND);
	assert_true(pair->served->sent < 300 * 1000);
	assert_true(loop_buffers(pair->server_loop)->peak < 16);
	stream_resume(pair->raw);
	assert_true(pair_run_until(pair, all_was_sent));
	assert_true(loop_buffers(pair->server_loop)->peak < 16);
	call_release(pair->served, RESET_NONE);
	assert_true(pair_run_until_received(pair, "\r\n0\r\n\r\n"));
	pair_free(pair);
}

static void idle_sessions_hold_nothing(void **state)
{
	struct pair_options o = { .codec = &codec_http1, .serve = call_answer_hello, .calm = true };
	struct pair *pair = talk(o, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	struct sim_open open;

	(void)state;
	assert_int_equal(0, loop_buffers(pair->server_loop)->in_use);
	sim_host_enter(pair->server_host);
	sim_process_open(sim_process_current(pair->sim), &open);
	assert_int_equal(0, open.timers);
	pair_free(pair);
}

/* The client is gone at each step, by a reset. */
static void clients_that_reset(void **state)
{
	static const char bytes[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";

	(void)state;
	for (size_t cut = 0; cut < sizeof bytes; cut++) {
		struct pair_options o = { .codec = &codec_http1, .serve = send_much, .calm = true };
		struct pair *pair = pair_new(&o);

		pair->raw_paused = true;
		pair_connect_raw(pair);
		pair_send_raw(pair, bytes, cut);
		sim_run_for(pair->sim, 10 * CLOCK_MS);
		pair_close_raw(pair);
		pair_settle(pair);
		assert_null(pair->server);
		assert_true(pair->opened == 0 || pair->served->was_reset);
		assert_true(pair->opened == 0 || pair->served->why == RESET_PEER);
		pair_free(pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(persistence),
		cmocka_unit_test(pipelined_requests),
		cmocka_unit_test(pipelined_requests_wait),
		cmocka_unit_test(half_closed_clients_get_their_answer),
		cmocka_unit_test(response_framing),
		cmocka_unit_test(response_trailers),
		cmocka_unit_test(requests_at_every_split),
		cmocka_unit_test(heads_across_buffers),
		cmocka_unit_test(continue_is_sent_when_body_is_wanted),
		cmocka_unit_test(continue_is_forwarded_once),
		cmocka_unit_test(final_answer_instead_of_continue),
		cmocka_unit_test(rests_are_dropped_or_close),
		cmocka_unit_test(cut_responses_can_be_told),
		cmocka_unit_test(cut_open_ended_responses_are_reset),
		cmocka_unit_test(what_was_gathered_and_dropped_is_no_end),
		cmocka_unit_test(upgraded_connections_are_opaque),
		cmocka_unit_test(refused_upgrades_are_requests),
		cmocka_unit_test(upgrades_taken_out_are_requests),
		cmocka_unit_test(connect_makes_a_tunnel),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(refusals_carry_their_text),
		cmocka_unit_test(broken_behind_a_request),
		cmocka_unit_test(no_sides_left),
		cmocka_unit_test(no_buffers_left),
		cmocka_unit_test(idle_connections_are_closed),
		cmocka_unit_test(slow_heads_are_answered_408),
		cmocka_unit_test(old_connections_drain),
		cmocka_unit_test(slow_clients),
		cmocka_unit_test(idle_sessions_hold_nothing),
		cmocka_unit_test(clients_that_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

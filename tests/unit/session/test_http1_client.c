/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of HTTP/1.1, before servers of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "support/contract.h"
#include "support/pair.h"

#define GET "GET /x HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n"
#define SENT_GET "GET /x HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
#define SENT_POST "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void release_when_over(struct call *call, enum call_event event)
{
	if (event == CALL_END || event == CALL_TRAILERS)
		call_release(call, RESET_NONE);
}

static struct pair *raw_server(struct pair_options options)
{
	struct pair *pair;

	options.codec = &codec_http1;
	pair = pair_new(&options);
	pair_serve_raw(pair);
	return pair;
}

/* A request has been sent and arrived. */
static struct call *request(struct pair *pair, const char *head, bool end)
{
	struct call *call;

	text_clear(&pair->received);
	call = pair_call(pair, head, end, release_when_over);
	assert_true(pair_run_until_received(pair, "\r\n\r\n"));
	return call;
}

static const char *body_of(const struct call *call)
{
	return call->body.bytes ? call->body.bytes : "";
}

static bool available_again(struct pair *pair)
{
	return pair->client && session_capacity(pair->client) == 1;
}

/* --- requests as the server sees them --- */

static void requests_as_sent(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .seed = 1 });
	struct call *call = request(pair, GET, true);

	(void)state;
	assert_string_equal(SENT_GET, pair->received.bytes);
	assert_true(contract_inner(call->side)->wrote);
	assert_false(call->side->reused);
	pair_send_raw_text(pair, OK_HELLO);
	assert_true(pair_run_until_over(pair, call));
	assert_string_equal("hello", body_of(call));
	assert_true(pair_run_until(pair, available_again));

	call = request(pair, "PUT http://b/y HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n", false);
	assert_true(call->side->reused);
	call_send(call, "abc", false);
	call_send_trailers(call, "X-Sum", "1");
	assert_true(pair_run_until_received(pair, "X-Sum: 1\r\n\r\n"));
	assert_string_equal(
		"PUT /y HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", pair->received.bytes);
	pair_free(pair);
}

/* --- responses --- */

static const struct {
	const char *bytes;
	bool closes; /* the server, behind it */
	bool reusable;
	unsigned status;
	const char *body;
} responses[] = {
	{ OK_HELLO, false, true, 200, "hello" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", false, true, 200, "hello" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", false, true, 200, "hello" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, true, 204, "" },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, true, 304, "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, true, 200, "" },
	{ "HTTP/1.1 200 OK\r\n\r\nhello", true, false, 200, "hello" },
	{ "HTTP/1.0 200 OK\r\n\r\nhello", true, false, 200, "hello" },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, false, 200, "hello" },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello", false, true, 200, "hello" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", false, false, 200, "hello" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", true, false, 200, "hello" },
	{ "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HELLO, false, true, 200, "hello" },
	{ OK_HELLO "more", false, false, 200, "hello" },
};

static void check_response(unsigned i, size_t cut, bool filter)
{
	struct pair *pair = raw_server((struct pair_options){ .calm = true, .filter = filter });
	struct call *call = request(pair, GET, true);
	const char *bytes = responses[i].bytes;

	pair_send_raw(pair, bytes, cut);
	sim_run_for(pair->sim, 10 * CLOCK_MS);
	pair_send_raw_text(pair, bytes + cut);
	if (responses[i].closes)
		stream_finish(pair->raw);
	assert_true(pair_run_until_over(pair, call));
	assert_true(call->ended);
	assert_false(call->was_reset);
	assert_int_equal(responses[i].status, call->status);
	assert_string_equal(responses[i].body, body_of(call));
	assert_int_equal(strstr(bytes, "102 ") ? 2 : 0, call->informational);
	pair_settle(pair);
	assert_int_equal(responses[i].reusable, pair->client != NULL);
	assert_true(pair_holds_nothing(pair));
	pair_free(pair);
}

static void responses_at_every_split(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof responses / sizeof *responses; i++) {
		for (size_t cut = 0; cut < strlen(responses[i].bytes); cut++)
			check_response(i, cut, cut % 4 == 3);
	}
}

static void responses_to_head(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .seed = 2 });
	struct call *call = request(pair, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", true);

	(void)state;
	pair_send_raw_text(pair, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	assert_true(pair_run_until_over(pair, call));
	assert_true(call->ended);
	assert_int_equal(0, call->body_length);
	assert_true(pair_run_until(pair, available_again));
	pair_free(pair);
}

static const char *const malformed[] = {
	"HTTP/1.1 20 OK\r\n\r\n",
	"nonsense\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
};

static void malformed_responses(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		struct pair *pair = raw_server((struct pair_options){ .seed = i + 1, .filter = i % 2, .tls = i % 3 == 0 });
		struct call *call = request(pair, GET, true);

		pair_send_raw_text(pair, malformed[i]);
		assert_true(pair_run_until_over(pair, call));
		assert_true(call->was_reset);
		assert_int_equal(RESET_PROTOCOL, call->why);
		assert_false(call->ended);
		pair_settle(pair);
		assert_null(pair->client);
		assert_int_equal(1, counter_read(&pair->client_counters.protocol_errors));
		pair_free(pair);
	}
}

/* Cut at every byte, by FIN: only what is delimited by the close is whole. */
static void cut_responses(void **state)
{
	static const char bytes[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof bytes - 1; cut++) {
		struct pair *pair = raw_server((struct pair_options){ .seed = cut + 1, .filter = cut % 3 == 0 });
		struct call *call = request(pair, GET, true);

		pair_send_raw(pair, bytes, cut);
		stream_finish(pair->raw);
		assert_true(pair_run_until_over(pair, call));
		assert_true(call->was_reset);
		assert_false(call->ended);
		assert_int_equal(RESET_PEER, call->why);
		pair_settle(pair);
		assert_null(pair->client);
		pair_free(pair);
	}
}

/* --- connections that are kept --- */

static struct call *second_request(struct pair *pair)
{
	struct call *call = request(pair, GET, true);

	pair_send_raw_text(pair, OK_HELLO);
	assert_true(pair_run_until_over(pair, call));
	assert_true(pair_run_until(pair, available_again));
	assert_int_equal(2, pair->available); /* connected, and again */
	return request(pair, POST, false);
}

/* Bytes that nobody has read turn a close into a reset. */
static void reset_raw(struct pair *pair, struct call *call)
{
	stream_pause(pair->raw);
	call_send(call, "body", true);
	pair_settle(pair);
	pair_close_raw(pair);
}

/* The exchange is given the facts: it was used before, something was written, nothing has come back. */
static void stale_connections(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 5; how++) {
		struct pair *pair = raw_server((struct pair_options){ .seed = how + 1, .calm = true });
		struct call *call = second_request(pair);
		bool heard = how >= 2;

		call->keeps_side = true;
		if (heard)
			pair_send_raw_text(pair, how == 4 ? "HTTP/1.1 102 Processing\r\n\r\n" : "H");
		pair_settle(pair);
		if (how % 2)
			reset_raw(pair, call);
		else
			stream_finish(pair->raw);
		assert_true(pair_run_until_over(pair, call));
		assert_true(call->was_reset);
		assert_int_equal(heard ? RESET_PEER : RESET_REFUSED, call->why);
		assert_true(call->side->reused);
		assert_true(call->side->wrote);
		call_release(call, RESET_NONE);
		pair_settle(pair);
		assert_null(pair->client);
		pair_free(pair);
	}
}

static void fresh_connections_that_end(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .seed = 1 });
	struct call *call = request(pair, GET, true);

	(void)state;
	stream_finish(pair->raw);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(RESET_PEER, call->why);
	pair_free(pair);
}

static void idle_connections_end(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		struct pair *pair = raw_server((struct pair_options){ .seed = how + 1, .filter = true });
		struct call *call = request(pair, GET, true);

		pair_send_raw_text(pair, OK_HELLO);
		assert_true(pair_run_until_over(pair, call));
		assert_true(pair_run_until(pair, available_again));
		if (how == 0)
			stream_finish(pair->raw);
		if (how == 1)
			pair_close_raw(pair);
		if (how == 2)
			pair_send_raw_text(pair, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
		pair_settle(pair);
		assert_null(pair->client);
		assert_int_equal(1, pair->client_closed);
		assert_int_equal(how == 2, counter_read(&pair->client_counters.protocol_errors));
		pair_free(pair);
	}
}

static void idle_time(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .calm = true, .limits.idle_ns = 5 * CLOCK_SECOND });
	struct call *call = request(pair, GET, true);

	(void)state;
	sim_run_for(pair->sim, 8 * CLOCK_SECOND); /* it is not idle */
	pair_send_raw_text(pair, OK_HELLO);
	assert_true(pair_run_until_over(pair, call));
	sim_run_for(pair->sim, 4 * CLOCK_SECOND);
	assert_true(available_again(pair));
	assert_true(pair_holds_nothing(pair));
	sim_run_for(pair->sim, 2 * CLOCK_SECOND);
	assert_null(pair->client);
	assert_int_equal(0, pair->client_error);
	pair_free(pair);
}

/* --- responses that are early --- */

static void keep_side(struct call *call, enum call_event event)
{
	(void)call;
	(void)event;
}

static void early_responses(void **state)
{
	(void)state;
	for (unsigned finish = 0; finish < 3; finish++) {
		struct pair *pair = raw_server((struct pair_options){ .seed = finish + 1 });
		struct call *call = request(pair, POST, false);

		call->script = keep_side;
		pair_send_raw_text(pair, OK_HELLO);
		if (finish == 2)
			pair_close_raw(pair);
		assert_true(pair_run_until_over(pair, call));
		assert_true(call->ended);
		pair_settle(pair);
		assert_false(call->was_reset); /* not even by the server's leaving */
		if (finish) {
			assert_true(call_send(call, "body", true));
			pair_settle(pair);
		}
		assert_true(finish == 2 || session_capacity(pair->client) == 0);
		call_release(call, RESET_NONE);
		pair_settle(pair);
		/* A request that was not sent whole leaves nothing that could be used again. */
		assert_int_equal(finish == 1, pair->client != NULL);
		if (finish < 2)
			assert_string_equal(finish ? SENT_POST "body" : SENT_POST, pair->received.bytes);
		pair_free(pair);
	}
}

/* The server breaks the connection with the response whole and not told yet. */
static void paused_at_the_end(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .calm = true });
	struct call *call = request(pair, GET, true);

	(void)state;
	side_pause(call->side);
	pair_send_raw_text(pair, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	pair_settle(pair);
	assert_int_equal(200, call->status);
	pair_close_raw(pair);
	pair_settle(pair);
	assert_false(call->ended);
	assert_false(call->was_reset);
	side_resume(call->side);
	pair_settle(pair);
	assert_true(call->ended);
	pair_free(pair);
}

/* --- upgrades --- */

static void upgrades(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct pair *pair = raw_server((struct pair_options){ .seed = seed, .filter = seed % 2, .tls = seed % 3 == 0 });
		struct call *call = request(pair, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n", false);

		assert_non_null(strstr(pair->received.bytes, "Connection: upgrade\r\n"));
		assert_non_null(strstr(pair->received.bytes, "Upgrade: echo\r\n"));
		pair_send_raw_text(pair, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nHTTP/1.1 ");
		pair_settle(pair);
		assert_int_equal(101, call->status);
		assert_string_equal("HTTP/1.1 ", body_of(call));
		call_send(call, "raw bytes", false);
		assert_true(pair_run_until_received(pair, "\r\n\r\nraw bytes"));
		stream_finish(pair->raw);
		call->script = keep_side;
		assert_true(pair_run_until_over(pair, call));
		assert_true(call->ended);
		call_send(call, "last", true);
		call_release(call, RESET_NONE);
		assert_true(pair_run_until_received(pair, "raw byteslast"));
		assert_true(pair_run_until_raw_over(pair));
		pair_settle(pair);
		assert_null(pair->client);
		pair_free(pair);
	}
}

static void refused_upgrades(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .seed = 1 });
	struct call *call = request(pair, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n", false);

	(void)state;
	call->script = keep_side;
	pair_send_raw_text(pair, OK_HELLO);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(200, call->status);
	assert_string_equal("hello", body_of(call));
	call_send_pattern(call, 0, true);
	call_release(call, RESET_NONE);
	assert_true(pair_run_until(pair, available_again));
	pair_free(pair);
}

static void tunnels(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .seed = 1 });
	struct call *call = request(pair, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", false);

	(void)state;
	assert_string_equal("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", pair->received.bytes);
	pair_send_raw_text(pair, "HTTP/1.1 200 OK\r\n\r\npong");
	pair_settle(pair);
	assert_string_equal("pong", body_of(call));
	call_send(call, "ping", true);
	assert_true(pair_run_until_received(pair, "\r\n\r\nping"));
	assert_true(pair_run_until_raw_over(pair));
	assert_true(pair->raw_ended);
	stream_finish(pair->raw);
	assert_true(pair_run_until_over(pair, call));
	pair_free(pair);
}

/* --- back-pressure --- */

enum { MANY = 3 * 1000 * 1000 };

static void send_more(struct call *call)
{
	while (call->sent < MANY && call_send_pattern(call, 10000, call->sent + 10000 == MANY))
		;
}

static void upload(struct call *call, enum call_event event)
{
	if (event == CALL_WRITABLE)
		send_more(call);
	release_when_over(call, event);
}

static void pause_at_head(struct call *call, enum call_event event)
{
	if (event == CALL_HEAD)
		side_pause(call->side);
	release_when_over(call, event);
}

/* Not even a buffer is read that nobody wants: only the one that the head lies in is held. */
static void paused_responses_are_not_read(void **state)
{
	static const char zeros[100 * 1000];
	struct pair *pair = raw_server((struct pair_options){ .calm = true });
	struct call *call = request(pair, GET, true);

	(void)state;
	call->script = pause_at_head;
	pair_send_raw_text(pair, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	pair_settle(pair);
	assert_true(call->has_head);
	pair_send_raw(pair, zeros, sizeof zeros);
	pair_settle(pair);
	assert_int_equal(0, call->pieces);
	assert_true(loop_buffers(pair->client_loop)->in_use <= 1);
	side_resume(call->side);
	assert_true(pair_run_until_over(pair, call));
	assert_int_equal(100000, call->body_length);
	pair_free(pair);
}

static void slow_servers(void **state)
{
	struct pair *pair = raw_server((struct pair_options){ .seed = 5, .limits.max_waiting_bytes = 30000 });
	struct call *call;

	(void)state;
	pair->raw_paused = true;
	call = pair_call(pair, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n", false, upload);
	send_more(call);
	sim_run_for(pair->sim, 20 * CLOCK_SECOND);
	assert_true(call->sent < 300 * 1000);
	assert_true(loop_buffers(pair->client_loop)->peak < 20);
	stream_resume(pair->raw);
	sim_run_for(pair->sim, 20 * CLOCK_SECOND);
	assert_int_equal(MANY, call->sent);
	assert_int_equal(strlen("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n") + MANY, pair->received.length);
	pair_send_raw_text(pair, OK_HELLO);
	assert_true(pair_run_until_over(pair, call));
	pair_free(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_as_sent),
		cmocka_unit_test(responses_at_every_split),
		cmocka_unit_test(responses_to_head),
		cmocka_unit_test(malformed_responses),
		cmocka_unit_test(cut_responses),
		cmocka_unit_test(stale_connections),
		cmocka_unit_test(fresh_connections_that_end),
		cmocka_unit_test(idle_connections_end),
		cmocka_unit_test(idle_time),
		cmocka_unit_test(early_responses),
		cmocka_unit_test(paused_at_the_end),
		cmocka_unit_test(upgrades),
		cmocka_unit_test(refused_upgrades),
		cmocka_unit_test(tunnels),
		cmocka_unit_test(paused_responses_are_not_read),
		cmocka_unit_test(slow_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of HTTP/2, judged by the frames that a server sees and by what its exchanges are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "support/frames.h"

#define GET "GET /path?query HTTP/1.1\r\nHost: example\r\nX-Test: 1\r\n\r\n"
#define POST "POST /in HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\n\r\n"
#define WEBSOCKET \
	"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

static struct pair *pair;
static struct frames frames;

/* A connection to a server that has said nothing. */
static void connect_with(struct pair_options options)
{
	options.codec = &codec_http2;
	pair = pair_new(&options);
	pair_serve_raw(pair);
	pair_connect(pair);
	frames_new(&frames, pair);
	frames_settle(&frames);
}

/* And has sent its SETTINGS. */
static void begin_with(struct pair_options options)
{
	connect_with(options);
	frames_put(&frames, HTTP2_SETTINGS, 0, 0, NULL, 0);
	frames_exchange(&frames);
}

static void begin(void)
{
	begin_with((struct pair_options){ 0 });
}

static void end(void)
{
	pair_free(pair);
	frames_free(&frames);
}

static uint32_t reset_code(uint32_t stream)
{
	const struct frames_seen *seen = frames_find(&frames, HTTP2_RST_STREAM, stream);

	return seen ? seen->code : UINT32_MAX;
}

/* The connection is still good. */
static void expect_answer(uint32_t stream)
{
	struct call *call = pair_call(pair, GET, true, call_release_when_over);

	frames_exchange(&frames);
	assert_non_null(frames_find(&frames, HTTP2_HEADERS, stream));
	frames_headers(&frames, stream, 0, FRAMES_OK);
	frames_data(&frames, stream, HTTP2_END_STREAM, 5);
	frames_exchange(&frames);
	assert_true(call->ended);
	assert_int_equal(200, call->status);
	assert_int_equal(5, call->body_length);
}

static void preface_and_request(void **state)
{
	(void)state;
	begin();
	assert_memory_equal(http2_preface, pair->received.bytes, HTTP2_PREFACE_LENGTH);
	assert_int_equal(HTTP2_SETTINGS, frames.seen[0].frame.type);
	assert_memory_equal("\0\2\0\0\0\0"
			    "\0\4\0\1\0\0"
			    "\0\6\0\0\x20\0",
		frames.seen[0].payload, 18);
	expect_answer(1);
	const struct frames_seen *head = frames_find(&frames, HTTP2_HEADERS, 1);
	assert_string_equal(":method: GET\r\n:authority: example\r\n:scheme: http\r\n:path: /path?query\r\nx-test: 1\r\n", head->fields);
	assert_int_equal(HTTP2_END_HEADERS | HTTP2_END_STREAM, head->frame.flags);
	expect_answer(3);
	assert_int_equal(1, pair->available);
	assert_true(pair_holds_nothing(pair));
	end();
}

static void no_settings_at_first(void **state)
{
	(void)state;
	connect_with((struct pair_options){ 0 });
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_OK);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_PROTOCOL_ERROR, frames_goaway_code(&frames));
	assert_int_equal(1, pair->client_closed);
	end();
}

/* Who accepts, and ends before its SETTINGS, has processed nothing: it is as if no connection had been made. */
static void an_end_before_settings(void **state)
{
	(void)state;
	connect_with((struct pair_options){ 0 });
	assert_true(pair->client->undecided);
	assert_false(pair->client->connected);
	assert_int_equal(0, session_capacity(pair->client));
	assert_null(call_begin(&pair->calls, pair->client, GET, true, NULL, pair));
	pair_close_raw(pair);
	pair_settle(pair);
	assert_int_equal(0, pair->available);
	assert_int_equal(1, pair->client_closed);
	assert_int_equal(ERROR_CLOSED, pair->client_error);
	assert_int_equal(0, counter_read(&pair->client_counters.connects));
	end();
}

/* --- how many at once --- */

static void as_many_as_the_server_takes(void **state)
{
	(void)state;
	connect_with((struct pair_options){ 0 });
	frames_setting(&frames, HTTP2_MAX_CONCURRENT_STREAMS, 2);
	frames_exchange(&frames);
	assert_false(pair->client->undecided);
	assert_int_equal(2, session_capacity(pair->client));
	pair_call(pair, GET, true, call_release_when_over);
	pair_call(pair, GET, true, call_release_when_over);
	assert_int_equal(0, session_capacity(pair->client));
	assert_null(call_begin(&pair->calls, pair->client, GET, true, NULL, pair));
	frames_exchange(&frames);
	assert_int_equal(1, pair->available);
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_OK);
	frames_exchange(&frames);
	assert_int_equal(2, pair->available);
	assert_int_equal(1, session_capacity(pair->client));
	frames_setting(&frames, HTTP2_MAX_CONCURRENT_STREAMS, 5000);
	frames_exchange(&frames);
	assert_int_equal(999, session_capacity(pair->client)); /* our own limit */
	end();
}

/* It has told that there is room, and then there is less than what is open: it owes it anew. */
static void as_many_as_the_server_still_takes(void **state)
{
	(void)state;
	begin();
	frames_setting(&frames, HTTP2_MAX_CONCURRENT_STREAMS, 2);
	frames_exchange(&frames);
	pair_call(pair, GET, true, call_release_when_over);
	frames_exchange(&frames);
	assert_int_equal(1, session_capacity(pair->client));
	frames_setting(&frames, HTTP2_MAX_CONCURRENT_STREAMS, 1);
	frames_exchange(&frames);
	assert_int_equal(0, session_capacity(pair->client));
	assert_int_equal(1, pair->available);
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_OK);
	frames_exchange(&frames);
	assert_int_equal(2, pair->available);
	frames_setting(&frames, HTTP2_MAX_CONCURRENT_STREAMS, 0);
	frames_exchange(&frames);
	frames_setting(&frames, HTTP2_MAX_CONCURRENT_STREAMS, 1);
	frames_exchange(&frames);
	assert_int_equal(3, pair->available);
	end();
}

/* Section 6.5.3: nothing goes on between the values of one frame, and what goes by them comes behind its acknowledgement. */
static void settings_that_arrive_in_pieces(void **state)
{
	static const char first[] = "\0\0\14\4\0\0\0\0\0"
				    "\0\4\0\0\7\320",
			  second[] = "\0\3\0\0\0\1";

	(void)state;
	begin();
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, 1000);
	frames_exchange(&frames);
	struct call *call = pair_call(pair, POST, false, NULL);
	call_send_pattern(call, 5000, true);
	frames_exchange(&frames);
	text_append(&frames.out, slice_make(first, sizeof(first) - 1));
	frames_exchange(&frames);
	assert_int_equal(1000, frames_data_length(&frames, 1));
	text_append(&frames.out, slice_make(second, sizeof(second) - 1));
	frames_exchange(&frames);
	assert_int_equal(2000, frames_data_length(&frames, 1));
	assert_int_equal(HTTP2_DATA, frames.seen[frames.count - 1].frame.type);
	assert_int_equal(HTTP2_SETTINGS, frames.seen[frames.count - 2].frame.type);
	assert_int_equal(HTTP2_ACK, frames.seen[frames.count - 2].frame.flags);
	end();
}

static void ids_run_out(void **state)
{
	(void)state;
	begin();
	expect_answer(1);
	pair->client->exchanges = HTTP2_STREAM_MOST / 2 - 1;
	expect_answer(3);
	frames_settle(&frames);
	assert_null(pair->client); /* it was the last */
	assert_int_equal(0, pair->client_error);
	end();
}

/* --- the server sends away --- */

static void streams_that_are_refused(void **state)
{
	struct call *call;

	(void)state;
	begin();
	call = pair_call(pair, GET, true, NULL);
	frames_exchange(&frames);
	frames_reset(&frames, 1, HTTP2_REFUSED_STREAM);
	frames_exchange(&frames);
	assert_true(call->was_reset);
	assert_int_equal(RESET_REFUSED, call->why);
	assert_int_equal(0, call->error);
	call = pair_call(pair, GET, true, NULL);
	frames_exchange(&frames);
	frames_reset(&frames, 3, HTTP2_INTERNAL_ERROR);
	frames_exchange(&frames);
	assert_int_equal(RESET_PEER, call->why);
	expect_answer(5);
	end();
}

static void goaway(void **state)
{
	struct call *first, *second;

	(void)state;
	begin();
	first = pair_call(pair, GET, true, call_release_when_over);
	second = pair_call(pair, POST, false, NULL);
	frames_exchange(&frames);
	frames_goaway(&frames, 1, HTTP2_NO_ERROR);
	frames_exchange(&frames);
	assert_true(second->was_reset);
	assert_int_equal(RESET_REFUSED, second->why);
	assert_int_equal(0, second->error);
	assert_int_equal(0, session_capacity(pair->client));
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_OK);
	frames_exchange(&frames);
	assert_true(first->ended);
	assert_null(pair->client);
	assert_int_equal(0, pair->client_error);
	assert_int_equal(HTTP2_NO_ERROR, frames_goaway_code(&frames));
	assert_true(pair->raw_ended);
	end();
}

/* --- answers that are early, late or cut --- */

static void an_answer_before_the_request_ends(void **state)
{
	struct call *call;

	(void)state;
	begin();
	call = pair_call(pair, POST, false, call_listen);
	call_send_pattern(call, 100, false);
	frames_exchange(&frames);
	frames_headers(&frames, 1, 0, FRAMES_OK);
	frames_data(&frames, 1, HTTP2_END_STREAM, 5);
	frames_reset(&frames, 1, HTTP2_NO_ERROR);
	frames_exchange(&frames);
	assert_true(call->ended);
	assert_false(call->was_reset);
	assert_int_equal(1000, session_capacity(pair->client));
	assert_true(call_send_pattern(call, 100, true)); /* goes nowhere */
	call_release(call, RESET_NONE);
	assert_int_equal(100, frames_data_length(&frames, 1));
	expect_answer(3);
	end();
}

/* What is blocked by a window, and then not wanted any more, may go on: nowhere. */
static void a_blocked_request_that_is_not_wanted(void **state)
{
	struct call *call;

	(void)state;
	begin();
	call = pair_call(pair, POST, false, call_listen);
	assert_false(call_send_pattern(call, 300000, false));
	frames_exchange(&frames);
	assert_int_equal(HTTP2_WINDOW_FIRST, frames_data_length(&frames, 1));
	assert_int_equal(0, call->writables);
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_OK);
	frames_reset(&frames, 1, HTTP2_NO_ERROR);
	frames_exchange(&frames);
	assert_true(call->ended);
	assert_false(call->was_reset);
	assert_int_equal(1, call->writables);
	assert_true(call_send_pattern(call, 300000, true));
	call_release(call, RESET_NONE);
	expect_answer(3);
	end();
}

static void pause_at_head(struct call *call, enum call_event event)
{
	if (event == CALL_HEAD)
		side_pause(call->side);
}

/* A whole answer stands, though its reader is slow and the connection is gone; half of one does not. */
static void answers_outlive_the_connection(void **state)
{
	struct call *whole, *half;

	(void)state;
	begin();
	whole = pair_call(pair, GET, true, pause_at_head);
	half = pair_call(pair, GET, true, pause_at_head);
	frames_exchange(&frames);
	frames_headers(&frames, 1, 0, FRAMES_OK);
	frames_data(&frames, 1, HTTP2_END_STREAM, 5000);
	frames_headers(&frames, 3, 0, FRAMES_OK);
	frames_data(&frames, 3, 0, 5000);
	frames_exchange(&frames);
	pair_close_raw(pair);
	pair_settle(pair);
	assert_true(half->was_reset);
	assert_int_equal(RESET_PEER, half->why);
	assert_false(whole->was_reset);
	assert_int_equal(0, session_capacity(pair->client));
	side_resume(whole->side);
	pair_settle(pair);
	assert_true(whole->ended);
	assert_int_equal(5000, whole->body_length);
	call_release(whole, RESET_NONE);
	pair_settle(pair);
	assert_null(pair->client);
	end();
}

static void cancelling(void **state)
{
	struct call *call;

	(void)state;
	begin();
	call = pair_call(pair, GET, true, NULL);
	frames_exchange(&frames);
	call_release(call, RESET_CANCEL);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_CANCEL, reset_code(1));
	/* What was on its way for it disturbs nobody; the table follows. */
	frames_headers(&frames, 1, 0, FRAMES_OK "x|1\n");
	frames_data(&frames, 1, 0, 5000);
	frames_headers(&frames, 1, HTTP2_END_STREAM, "grpc-status|0\n");
	expect_answer(3);
	assert_int_equal(UINT32_MAX, frames_goaway_code(&frames));
	end();
}

/* One that has not been sent at all. */
static void released_before_its_head(void **state)
{
	struct side *side;
	static const struct side_events none;

	(void)state;
	begin();
	assert_int_equal(0, session_open(pair->client, &none, NULL, &side));
	side_release(side, RESET_CANCEL);
	expect_answer(1);
	end();
}

/* --- answers that are wrong --- */

static void answer_is_wrong(const char *fields, size_t length, unsigned flags)
{
	struct call *call;

	begin();
	call = pair_call(pair, GET, true, NULL);
	frames_exchange(&frames);
	if (fields)
		frames_headers(&frames, 1, length ? 0 : flags, fields);
	if (length > 0 || !fields)
		frames_data(&frames, 1, flags, length);
	frames_exchange(&frames);
	assert_true(call->was_reset);
	assert_int_equal(RESET_PROTOCOL, call->why);
	assert_true(reset_code(1) == HTTP2_PROTOCOL_ERROR);
	assert_true(counter_read(&pair->client_counters.protocol_errors) > 0);
	expect_answer(3);
	end();
}

static void answers_that_are_wrong(void **state)
{
	(void)state;
	answer_is_wrong(NULL, 5, HTTP2_END_STREAM);
	answer_is_wrong("x|1\n", 0, HTTP2_END_STREAM);
	answer_is_wrong(":status|abc\n", 0, HTTP2_END_STREAM);
	answer_is_wrong(":status|101\n", 0, 0);
	answer_is_wrong(":status|200\nconnection|close\n", 0, HTTP2_END_STREAM);
	answer_is_wrong(":status|200\nx|a\rb\n", 0, HTTP2_END_STREAM);
	answer_is_wrong(":status|200\ncontent-length|4\n", 5, HTTP2_END_STREAM);
	answer_is_wrong(":status|200\ncontent-length|6\n", 5, HTTP2_END_STREAM);
	answer_is_wrong(":status|204\n", 5, HTTP2_END_STREAM);
	answer_is_wrong(":status|100\n", 0, HTTP2_END_STREAM);
}

static void breaks_the_connection(unsigned type, unsigned flags, uint32_t stream, const char *payload, size_t length, enum http2_error code)
{
	struct call *call;

	begin();
	call = pair_call(pair, GET, true, NULL);
	frames_exchange(&frames);
	frames_put(&frames, type, flags, stream, payload, length);
	frames_exchange(&frames);
	assert_int_equal(code, frames_goaway_code(&frames));
	assert_true(call->was_reset);
	assert_int_equal(RESET_PROTOCOL, call->why);
	assert_null(pair->client);
	end();
}

static void what_a_server_may_not_send(void **state)
{
	(void)state;
	breaks_the_connection(HTTP2_PUSH_PROMISE, HTTP2_END_HEADERS, 1, "\0\0\0\2\x82", 5, HTTP2_PROTOCOL_ERROR);
	breaks_the_connection(HTTP2_HEADERS, HTTP2_END_HEADERS, 2, "\x88", 1, HTTP2_PROTOCOL_ERROR);
	breaks_the_connection(HTTP2_HEADERS, HTTP2_END_HEADERS, 3, "\x88", 1, HTTP2_PROTOCOL_ERROR);
	breaks_the_connection(HTTP2_HEADERS, HTTP2_END_HEADERS, 1, "\xbe", 1, HTTP2_COMPRESSION_ERROR);
	breaks_the_connection(HTTP2_DATA, 0, 5, "x", 1, HTTP2_PROTOCOL_ERROR);
	breaks_the_connection(HTTP2_SETTINGS, 0, 0, "\0\2\0\0\0\1", 6, HTTP2_PROTOCOL_ERROR);
}

static void informational_heads(void **state)
{
	struct call *call;

	(void)state;
	begin();
	call = pair_call(pair, GET, true, call_release_when_over);
	frames_exchange(&frames);
	frames_headers(&frames, 1, 0, ":status|103\nlink|x\n");
	frames_headers(&frames, 1, 0, ":status|102\n");
	frames_headers(&frames, 1, 0, FRAMES_OK);
	frames_headers(&frames, 1, HTTP2_END_STREAM, "grpc-status|0\n");
	frames_exchange(&frames);
	assert_int_equal(2, call->informational);
	assert_int_equal(200, call->status);
	assert_string_equal("grpc-status: 0\r\n", call->trailers.bytes);
	end();
}

/* --- upgrades --- */

static void websockets(void **state)
{
	struct call *call;
	struct head head;

	(void)state;
	begin();
	frames_setting(&frames, HTTP2_ENABLE_CONNECT_PROTOCOL, 1);
	frames_exchange(&frames);
	call = pair_call(pair, WEBSOCKET, false, call_release_when_over);
	frames_exchange(&frames);
	assert_string_equal(":method: CONNECT\r\n:authority: a\r\n:scheme: http\r\n:path: /chat\r\n:protocol: "
			    "websocket\r\nsec-websocket-version: 13\r\n",
		frames_find(&frames, HTTP2_HEADERS, 1)->fields);
	assert_int_equal(HTTP2_END_HEADERS, frames_find(&frames, HTTP2_HEADERS, 1)->frame.flags);
	frames_headers(&frames, 1, 0, ":status|200\nsec-websocket-protocol|chat\n");
	frames_data(&frames, 1, 0, 3);
	frames_exchange(&frames);
	assert_int_equal(101, call->status);
	head = call->head;
	assert_true(slice_equal(SLICE("websocket"), field_value(head_find(&head, FIELD_UPGRADE))));
	assert_true(slice_equal(SLICE("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), field_value(head_find_name(&head, SLICE("sec-websocket-accept")))));
	assert_int_equal(3, call->body_length);
	call_send(call, "up", true);
	frames_data(&frames, 1, HTTP2_END_STREAM, 4);
	frames_exchange(&frames);
	assert_int_equal(2, frames_data_length(&frames, 1));
	assert_int_equal(7, call->body_length);
	assert_true(call->ended);
	end();
}

/* A server that doesn't know of it gets an ordinary request, whose answer is one. */
static void websockets_to_a_server_without_them(void **state)
{
	struct call *call;

	(void)state;
	begin();
	call = pair_call(pair, WEBSOCKET, false, call_release_when_over);
	frames_exchange(&frames);
	assert_true(strncmp(frames_find(&frames, HTTP2_HEADERS, 1)->fields, ":method: GET\r\n", 14) == 0);
	assert_int_equal(HTTP2_END_HEADERS | HTTP2_END_STREAM, frames_find(&frames, HTTP2_HEADERS, 1)->frame.flags);
	frames_headers(&frames, 1, HTTP2_END_STREAM, ":status|400\n");
	frames_exchange(&frames);
	assert_int_equal(400, call->status);
	assert_true(call->ended);
	end();
}

static void idle_and_silent_connections(void **state)
{
	(void)state;
	begin_with((struct pair_options){ .limits = { .idle_ns = 5 * CLOCK_SECOND } });
	expect_answer(1);
	sim_run_for(pair->sim, 7 * CLOCK_SECOND);
	assert_null(pair->client);
	assert_int_equal(0, pair->client_error);
	end();

	begin_with((struct pair_options){ .limits = { .ping_ns = 5 * CLOCK_SECOND } });
	struct call *call = pair_call(pair, GET, true, NULL);
	frames_send(&frames);
	sim_run_for(pair->sim, 12 * CLOCK_SECOND);
	assert_null(pair->client);
	assert_int_equal(RESET_TIMEOUT, call->why);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preface_and_request),
		cmocka_unit_test(no_settings_at_first),
		cmocka_unit_test(an_end_before_settings),
		cmocka_unit_test(as_many_as_the_server_takes),
		cmocka_unit_test(as_many_as_the_server_still_takes),
		cmocka_unit_test(settings_that_arrive_in_pieces),
		cmocka_unit_test(ids_run_out),
		cmocka_unit_test(streams_that_are_refused),
		cmocka_unit_test(goaway),
		cmocka_unit_test(an_answer_before_the_request_ends),
		cmocka_unit_test(a_blocked_request_that_is_not_wanted),
		cmocka_unit_test(answers_outlive_the_connection),
		cmocka_unit_test(cancelling),
		cmocka_unit_test(released_before_its_head),
		cmocka_unit_test(answers_that_are_wrong),
		cmocka_unit_test(what_a_server_may_not_send),
		cmocka_unit_test(informational_heads),
		cmocka_unit_test(websockets),
		cmocka_unit_test(websockets_to_a_server_without_them),
		cmocka_unit_test(idle_and_silent_connections),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end of HTTP/2, judged by the frames that a client sees. What h2spec checks is not checked here again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "support/frames.h"

enum { MANY = 300 * 1000, WINDOW = 65536 };

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static struct pair *pair;
static struct frames frames;

static void answer_hello(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, OK_HELLO, false);
	call_send(call, "hello", false);
	call_send(call, "", true);
	call_release(call, RESET_NONE);
}

/* A client that has said hello. */
static void begin(struct pair_options options)
{
	options.codec = &codec_http2;
	if (!options.serve)
		options.serve = answer_hello;
	pair = pair_new(&options);
	pair_connect_raw(pair);
	frames_new(&frames, pair);
	frames_preface(&frames);
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

static uint64_t count_of(const struct counter *counter)
{
	return counter_read(counter);
}

/* --- what is said --- */

static void preface_and_answer(void **state)
{
	(void)state;
	begin((struct pair_options){ 0 });
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_SETTINGS, frames.seen[0].frame.type);
	assert_memory_equal("\0\3\0\0\3\xe8"
			    "\0\x8\0\0\0\1"
			    "\0\4\0\1\0\0"
			    "\0\6\0\0\x20\0",
		frames.seen[0].payload, 24);
	assert_int_equal(24, frames.seen[0].frame.length);
	assert_int_equal(HTTP2_WINDOW_UPDATE, frames.seen[1].frame.type);
	assert_int_equal(1, frames_number(&frames, HTTP2_SETTINGS, 0) - 1); /* the ACK */
	const struct frames_seen *head = frames_find(&frames, HTTP2_HEADERS, 1), *data = frames_find(&frames, HTTP2_DATA, 1);
	assert_string_equal(":status: 200\r\ncontent-length: 5\r\n", head->fields);
	assert_int_equal(HTTP2_END_HEADERS, head->frame.flags);
	assert_int_equal(0x20, head->payload[0]); /* no table */
	assert_memory_equal("hello", data->payload, 5);
	/* The end is told later than the last byte, and still in the same frame. */
	assert_int_equal(HTTP2_END_STREAM, data->frame.flags);
	assert_int_equal(1, frames_number(&frames, HTTP2_DATA, 1));
	assert_true(frames_hello(&frames, 3));
	assert_int_equal((char)0x88, frames.seen[frames.count - 2].payload[0]);
	assert_true(pair_holds_nothing(pair));
	end();
}

static void byte_by_byte(void **state)
{
	(void)state;
	begin((struct pair_options){ .calm = true });
	frames_headers(&frames, 1, 0, FRAMES_POST "content-length|5\n");
	frames_put(&frames, HTTP2_DATA, HTTP2_PADDED, 1,
		"\3"
		"ab\0\0\0",
		6);
	frames_put(&frames, 0x42, 0xff, 1, "any", 3); /* of a type that nobody knows */
	frames_data(&frames, 1, HTTP2_END_STREAM, 3);
	for (size_t i = 0; i < frames.out.length; i++) {
		pair_send_raw(pair, frames.out.bytes + i, 1);
		sim_run_for(pair->sim, 10 * CLOCK_MS);
	}
	frames_read(&frames);
	assert_int_equal(1, pair->opened);
	assert_int_equal(5, pair->served->body_length);
	assert_int_equal(5, frames_data_length(&frames, 1));
	end();
}

static void blocks_in_parts(void **state)
{
	char room[400];
	struct slice block = frames_block(FRAMES_GET "x|y\n", room);

	(void)state;
	begin((struct pair_options){ .serve = call_listen });
	frames_put(&frames, HTTP2_HEADERS, HTTP2_END_STREAM, 1, block.at, 3);
	frames_put(&frames, HTTP2_CONTINUATION, 0, 1, block.at + 3, 10);
	frames_put(&frames, HTTP2_CONTINUATION, HTTP2_END_HEADERS, 1, block.at + 13, block.length - 13);
	frames_exchange(&frames);
	assert_true(pair->served->ended);
	assert_true(slice_equal(SLICE("y"), field_value(head_find_name(&pair->served->head, SLICE("x")))));
	end();
}

static void answer_with_trailers(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, OK_CHUNKED, false);
	call_send_pattern(call, call->to_send ? call->to_send : 10, false);
	call_send_trailers(call, "Grpc-Status", "0");
	call_release(call, RESET_NONE);
}

static void trailers_end_a_stream(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = answer_with_trailers });
	frames_headers(&frames, 1, 0, FRAMES_POST);
	frames_data(&frames, 1, 0, 7);
	frames_headers(&frames, 1, HTTP2_END_STREAM, "x-sum|1\n");
	frames_exchange(&frames);
	assert_string_equal("x-sum: 1\r\n", pair->served->trailers.bytes);
	assert_int_equal(2, frames_number(&frames, HTTP2_HEADERS, 1));
	assert_string_equal("grpc-status: 0\r\n", frames.seen[frames.count - 1].fields);
	assert_int_equal(HTTP2_END_HEADERS | HTTP2_END_STREAM, frames.seen[frames.count - 1].frame.flags);
	assert_int_equal(10, frames_data_length(&frames, 1));
	end();
}

/* --- windows of what is sent --- */

static void answer_much(struct call *call, enum call_event event)
{
	if (call_event_ends(event)) {
		call_send_head(call, OK_CHUNKED, false);
		call->to_send = MANY;
	}
	while ((call_event_ends(event) || event == CALL_WRITABLE) && call->sent < call->to_send) {
		size_t left = call->to_send - call->sent, part = left < 5000 ? left : 5000;

		if (!call_send_pattern(call, part, false))
			return;
	}
	if (call->to_send && call->sent == call->to_send && call->side) {
		call_send_trailers(call, "X-Last", "1");
		call_release(call, RESET_NONE);
	}
}

static void windows_are_kept(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = answer_much });
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, 1000);
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	assert_int_equal(1000, frames_data_length(&frames, 1));
	frames_window(&frames, 1, 500);
	frames_exchange(&frames);
	assert_int_equal(1500, frames_data_length(&frames, 1));
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, 500); /* now it is -500 */
	frames_window(&frames, 1, 500);
	frames_exchange(&frames);
	assert_int_equal(1500, frames_data_length(&frames, 1));
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, 1000);
	frames_exchange(&frames);
	assert_int_equal(2000, frames_data_length(&frames, 1));
	/* The connection's stops it at 65,535. */
	frames_window(&frames, 1, 1000 * 1000);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_WINDOW_FIRST, frames_data_length(&frames, 1));
	assert_int_equal(1, frames_number(&frames, HTTP2_HEADERS, 1));
	frames_window(&frames, 0, 1000 * 1000);
	frames_exchange(&frames);
	assert_int_equal(MANY, frames_data_length(&frames, 1));
	assert_string_equal("x-last: 1\r\n", frames.seen[frames.count - 1].fields);
	end();
}

static bool two_are_opened(struct pair *of)
{
	return of->opened == 2;
}

/* A stream whose own window is closed, and large ones, don't keep a small one waiting. */
static void small_answers_are_not_held_up(void **state)
{
	unsigned last = 0, small = 0;

	(void)state;
	begin((struct pair_options){ .serve = answer_much });
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET); /* stops after 65,535 bytes */
	frames_window(&frames, 0, 10 * 1000 * 1000);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_WINDOW_FIRST, frames_data_length(&frames, 1));
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, 10 * 1000 * 1000);
	frames_headers(&frames, 3, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	assert_true(pair_run_until(pair, two_are_opened));
	pair->options.serve = answer_hello;
	frames_headers(&frames, 5, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	assert_int_equal(MANY, frames_data_length(&frames, 3));
	assert_int_equal(5, frames_data_length(&frames, 5));
	for (unsigned i = 0; i < frames.count; i++) {
		last = frames.seen[i].frame.type == HTTP2_DATA && frames.seen[i].frame.stream == 3 ? i : last;
		small = frames.seen[i].frame.type == HTTP2_DATA && frames.seen[i].frame.stream == 5 ? i : small;
	}
	assert_true(small < last);
	end();
}

static void windows_that_overflow(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = answer_much });
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_window(&frames, 1, INT32_MAX);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_FLOW_CONTROL_ERROR, reset_code(1));
	frames_headers(&frames, 3, HTTP2_END_STREAM, FRAMES_GET);
	frames_window(&frames, 3, INT32_MAX - 100000);
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, INT32_MAX);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_FLOW_CONTROL_ERROR, frames_goaway_code(&frames));
	end();
}

/* --- windows of what is received --- */

static void pause_at_once(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		side_pause(call->side);
	if (event == CALL_RESET)
		call_release(call, RESET_NONE);
}

/* What the exchange does not take is not given back to the stream's window, but to the connection's; another stream goes on. */
static void slow_exchanges_stop_their_own_stream(void **state)
{
	struct call *slow;

	(void)state;
	begin((struct pair_options){ .serve = pause_at_once });
	frames_headers(&frames, 1, 0, FRAMES_POST);
	for (unsigned i = 0; i < 4; i++)
		frames_data(&frames, 1, 0, 16384);
	frames_exchange(&frames);
	slow = pair->served;
	assert_int_equal(0, slow->body_length);
	assert_int_equal(0, frames_number(&frames, HTTP2_WINDOW_UPDATE, 1));
	assert_true(frames_window_given(&frames, 0) >= 1024 * 1024 - HTTP2_WINDOW_FIRST + 3 * 16384);
	pair->options.serve = answer_hello;
	assert_true(frames_hello(&frames, 3));
	/* One byte more than the window. */
	side_resume(slow->side);
	frames_exchange(&frames);
	assert_int_equal(65536, slow->body_length);
	assert_int_equal(65536, frames_window_given(&frames, 1));
	side_pause(slow->side);
	for (unsigned i = 0; i < 4; i++)
		frames_data(&frames, 1, 0, 16384);
	frames_data(&frames, 1, 0, 1);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_FLOW_CONTROL_ERROR, reset_code(1));
	assert_true(frames_hello(&frames, 5));
	end();
}

/* A body that comes a byte at a time, to exchanges that don't want it, holds no more memory than it is long. */
static void crumbs_that_nobody_reads(void **state)
{
	enum { STREAMS = 8, CRUMBS = 8000 };

	(void)state;
	begin((struct pair_options){ .serve = pause_at_once, .calm = true });
	for (unsigned i = 0; i < STREAMS; i++)
		frames_headers(&frames, 1 + 2 * i, 0, FRAMES_POST);
	for (unsigned j = 0; j < CRUMBS; j++) {
		for (unsigned i = 0; i < STREAMS; i++)
			frames_data(&frames, 1 + 2 * i, 0, 1);
		if (j % 100 == 0) {
			frames_send(&frames);
			sim_run_for(pair->sim, 10 * CLOCK_MS);
		}
	}
	frames_exchange(&frames);
	assert_int_equal(UINT32_MAX, frames_goaway_code(&frames));
	assert_int_equal(STREAMS, pair->opened);
	/* 64,000 bytes, in a buffer for each stream, and what they share. */
	assert_true(loop_buffers(pair->server_loop)->in_use <= 2 * STREAMS + 6);
	for (struct call *call = pair->calls; call; call = call->next)
		side_resume(call->side);
	frames_exchange(&frames);
	for (struct call *call = pair->calls; call; call = call->next)
		assert_int_equal(CRUMBS, call->body_length);
	end();
}

/* --- messages that are wrong --- */

static void expect_stream_error(const char *fields, size_t length, unsigned flags, enum http2_error code)
{
	begin((struct pair_options){ 0 });
	frames_headers(&frames, 1, 0, fields);
	frames_data(&frames, 1, flags, length);
	frames_exchange(&frames);
	assert_int_equal(code, reset_code(1));
	assert_true(count_of(&pair->server_counters.protocol_errors) > 0);
	assert_true(frames_hello(&frames, 3));
	end();
}

static void lengths_that_lie(void **state)
{
	(void)state;
	expect_stream_error(FRAMES_POST "content-length|5\n", 6, 0, HTTP2_PROTOCOL_ERROR);
	expect_stream_error(FRAMES_POST "content-length|5\n", 4, HTTP2_END_STREAM, HTTP2_PROTOCOL_ERROR);
	expect_stream_error(FRAMES_POST "content-length|0\n", 1, 0, HTTP2_PROTOCOL_ERROR);
	expect_stream_error(FRAMES_POST "transfer-encoding|chunked\n", 5, HTTP2_END_STREAM, HTTP2_PROTOCOL_ERROR);
}

/* RFC 9113 section 6.3: of the stream, which need not be there. */
static void priorities_of_a_wrong_length(void **state)
{
	static const unsigned lengths[] = { 0, 4, 6, 16384 };
	static const char payload[16384];

	(void)state;
	begin((struct pair_options){ .serve = call_listen });
	for (uint32_t i = 0; i < 4; i++) {
		frames_headers(&frames, 1 + 4 * i, 0, FRAMES_POST);
		frames_put(&frames, HTTP2_PRIORITY, 0, 1 + 4 * i, payload, lengths[i]);
		frames_put(&frames, HTTP2_PRIORITY, 0, 3 + 4 * i, payload, lengths[i]);
	}
	frames_exchange(&frames);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(HTTP2_FRAME_SIZE_ERROR, reset_code(1 + 4 * i));
		assert_int_equal(HTTP2_FRAME_SIZE_ERROR, reset_code(3 + 4 * i));
	}
	pair->options.serve = answer_hello;
	assert_true(frames_hello(&frames, 17));
	end();
}

static void trailers_of_the_connection(void **state)
{
	(void)state;
	begin((struct pair_options){ 0 });
	frames_headers(&frames, 1, 0, FRAMES_POST);
	frames_headers(&frames, 1, HTTP2_END_STREAM, "connection|close\n");
	frames_exchange(&frames);
	assert_int_equal(HTTP2_PROTOCOL_ERROR, reset_code(1));
	assert_true(frames_hello(&frames, 3));
	end();
}

static void heads_that_are_too_large(void **state)
{
	static char fields[20000];
	int length;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin((struct pair_options){ 0 });
		length = snprintf(fields, sizeof fields, i ? ":method|GET\n:scheme|http\n:authority|a\n:path|/" : FRAMES_GET "x|");
		memset(fields + length, 'v', 9000);
		strcpy(fields + length + 9000, "\n");
		frames_headers(&frames, 1, i ? 0 : HTTP2_END_STREAM, fields);
		frames_exchange(&frames);
		assert_string_equal(i ? ":status: 414\r\n" : ":status: 431\r\n", frames_find(&frames, HTTP2_HEADERS, 1)->fields);
		assert_int_equal(i ? HTTP2_NO_ERROR : UINT32_MAX, reset_code(1));
		assert_int_equal(1, pair->refused);
		assert_int_equal(i ? 414 : 431, pair->refused_status);
		assert_int_equal(1, count_of(&pair->server_counters.large_heads));
		assert_true(frames_hello(&frames, 3));
		end();
	}
}

/* --- limits and attacks --- */

static void more_streams_than_allowed(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = call_listen, .limits = { .max_streams = 2 } });
	for (uint32_t id = 1; id < 9; id += 2)
		frames_headers(&frames, id, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	assert_int_equal(2, pair->opened);
	assert_int_equal(HTTP2_REFUSED_STREAM, reset_code(5));
	assert_int_equal(HTTP2_REFUSED_STREAM, reset_code(7));
	assert_int_equal(2, count_of(&pair->server_counters.refused_streams));
	frames_reset(&frames, 1, HTTP2_CANCEL);
	frames_headers(&frames, 9, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	assert_int_equal(3, pair->opened);
	assert_int_equal(UINT32_MAX, reset_code(9));
	end();
}

/* CVE-2023-44487 */
static void rapid_reset(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = call_listen });
	for (uint32_t id = 1; id < 10000; id += 2) {
		frames_headers(&frames, id, HTTP2_END_STREAM, FRAMES_GET);
		frames_reset(&frames, id, HTTP2_CANCEL);
	}
	frames_exchange(&frames);
	assert_int_equal(HTTP2_ENHANCE_YOUR_CALM, frames_goaway_code(&frames));
	assert_in_range(pair->opened, 1000, 1001);
	assert_int_equal(1, count_of(&pair->server_counters.reset_floods));
	assert_true(pair->raw_ended || pair->raw_failed);
	assert_true(pair->server_pools != NULL);
	end();
}

/* Who also lets exchanges end may take some back: each that ends earns one. */
static void resets_among_work(void **state)
{
	(void)state;
	begin((struct pair_options){ .limits = { .max_resets = 20 } });
	for (uint32_t id = 1; id < 4000; id += 4) {
		frames_headers(&frames, id, 0, FRAMES_POST);
		frames_reset(&frames, id, HTTP2_CANCEL);
		frames_headers(&frames, id + 2, HTTP2_END_STREAM, FRAMES_GET);
	}
	frames_exchange(&frames);
	assert_int_equal(UINT32_MAX, frames_goaway_code(&frames));
	assert_int_equal(2000, pair->opened);
	end();
}

/* What makes the server reset streams is the same attack. */
static void errors_one_after_the_other(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = call_listen });
	for (uint32_t id = 1; id < 10000; id += 2) {
		frames_headers(&frames, id, 0, FRAMES_POST);
		frames_window(&frames, id, 0);
	}
	frames_exchange(&frames);
	assert_int_equal(HTTP2_ENHANCE_YOUR_CALM, frames_goaway_code(&frames));
	assert_in_range(pair->opened, 1000, 1001);
	end();
}

static void put_ping(unsigned i)
{
	(void)i;
	frames_ping(&frames, "12345678", false);
}

static void put_settings(unsigned i)
{
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, i);
}

static void put_settings_ack(unsigned i)
{
	(void)i;
	frames_put(&frames, HTTP2_SETTINGS, HTTP2_ACK, 0, NULL, 0);
}

static void put_empty_data(unsigned i)
{
	(void)i;
	frames_data(&frames, 1, 0, 0);
}

static void put_padding(unsigned i)
{
	(void)i;
	frames_put(&frames, HTTP2_DATA, HTTP2_PADDED, 1, "\0", 1);
}

static void put_priority(unsigned i)
{
	(void)i;
	frames_put(&frames, HTTP2_PRIORITY, 0, 3, "\0\0\0\0\0", 5);
}

static void put_window(unsigned i)
{
	(void)i;
	frames_window(&frames, 0, 1);
}

static void put_unknown(unsigned i)
{
	frames_put(&frames, 0x20 + i % 100, 0, i, "x", 1);
}

static void put_late_reset(unsigned i)
{
	(void)i;
	frames_reset(&frames, 3, HTTP2_CANCEL);
}

/* Each does nothing for anybody, and costs us something. */
static void floods(void **state)
{
	static void (*const puts[])(unsigned i) = { put_ping, put_settings, put_settings_ack, put_empty_data, put_padding, put_priority,
		put_window, put_unknown, put_late_reset };

	(void)state;
	for (unsigned i = 0; i < sizeof puts / sizeof *puts; i++) {
		begin((struct pair_options){ .serve = call_listen });
		frames_headers(&frames, 1, 0, FRAMES_POST);
		frames_headers(&frames, 3, HTTP2_END_STREAM, FRAMES_GET);
		frames_reset(&frames, 3, HTTP2_CANCEL);
		for (unsigned j = 0; j < 5000; j++)
			puts[i](j);
		frames_exchange(&frames);
		assert_int_equal(HTTP2_ENHANCE_YOUR_CALM, frames_goaway_code(&frames));
		assert_int_equal(1, count_of(&pair->server_counters.floods));
		assert_true(loop_buffers(pair->server_loop)->peak < 30);
		end();
	}
}

/* The same PINGs from somebody who also works, and over a long time, are no flood. */
static void pings_among_work(void **state)
{
	(void)state;
	begin((struct pair_options){ .limits = { .max_control_frames = 20 } });
	for (uint32_t id = 1; id < 2000; id += 2) {
		frames_headers(&frames, id, HTTP2_END_STREAM, FRAMES_GET);
		frames_ping(&frames, "12345678", false);
		frames_ping(&frames, "12345678", false);
	}
	frames_exchange(&frames);
	for (unsigned i = 0; i < 100; i++) {
		frames_ping(&frames, "12345678", false);
		frames_exchange(&frames);
	}
	assert_int_equal(2100, frames_number(&frames, HTTP2_PING, 0));
	assert_int_equal(UINT32_MAX, frames_goaway_code(&frames));
	end();
}

/* PINGs and requests of somebody who doesn't read: what is owed to him stays bounded. */
static void a_client_that_does_not_read(void **state)
{
	(void)state;
	begin((struct pair_options){ .calm = true });
	stream_pause(pair->raw);
	for (uint32_t id = 1; id < 200000; id += 2)
		frames_headers(&frames, id, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	sim_run_for(pair->sim, 20 * CLOCK_SECOND);
	assert_int_equal(1, count_of(&pair->server_counters.reset_floods));
	assert_true(loop_buffers(pair->server_loop)->peak < 60);
	end();
}

static void continuation_flood(void **state)
{
	char empty = 0;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin((struct pair_options){ 0 });
		frames_put(&frames, HTTP2_HEADERS, HTTP2_END_STREAM, 1, &empty, 0);
		for (unsigned j = 0; j < 5000; j++)
			frames_put(&frames, HTTP2_CONTINUATION, 0, 1, "\x10\1x\1y\x10\1x\1y", i ? 10 : 0);
		frames_exchange(&frames);
		assert_int_equal(HTTP2_ENHANCE_YOUR_CALM, frames_goaway_code(&frames));
		assert_int_equal(1, count_of(&pair->server_counters.floods));
		assert_true(loop_buffers(pair->server_loop)->peak < 10);
		end();
	}
	/* Large frames: 96 KiB are looked at. */
	begin((struct pair_options){ 0 });
	static char large[16000];
	memset(large, 0x82, sizeof large);
	frames_put(&frames, HTTP2_HEADERS, HTTP2_END_STREAM, 1, large, sizeof large);
	for (unsigned i = 0; i < 6; i++)
		frames_put(&frames, HTTP2_CONTINUATION, 0, 1, large, sizeof large);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_ENHANCE_YOUR_CALM, frames_goaway_code(&frames));
	assert_int_equal(1, count_of(&pair->server_counters.floods));
	end();
}

/* An entry of the table of 4,000 bytes, named ten thousand times. */
static void hpack_bomb(void **state)
{
	static char block[16000], value[4000];
	char *at;

	(void)state;
	begin((struct pair_options){ 0 });
	memset(value, 'v', sizeof value);
	memset(block, 0xbe, sizeof block);
	at = hpack_put_field(block, HPACK_NONE, SLICE("x"), slice_make(value, sizeof value), false);
	block[0] = 0x40; /* into the table */
	frames_put(&frames, HTTP2_HEADERS, HTTP2_END_HEADERS | HTTP2_END_STREAM, 1, block, (size_t)(at - block) + 11000);
	frames_exchange(&frames);
	assert_string_equal(":status: 431\r\n", frames_find(&frames, HTTP2_HEADERS, 1)->fields);
	assert_int_equal(0, pair->opened);
	assert_true(loop_buffers(pair->server_loop)->peak < 6);
	assert_true(frames_hello(&frames, 3));
	end();
}

static void stalled_streams(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = answer_much, .limits = { .write_stall_ns = 10 * CLOCK_SECOND } });
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, 0);
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	pair->options.serve = answer_hello;
	sim_run_for(pair->sim, 8 * CLOCK_SECOND);
	assert_false(pair->calls->was_reset);
	struct call *slow = pair->served;
	sim_run_for(pair->sim, 2 * CLOCK_SECOND);
	frames_read(&frames);
	assert_int_equal(HTTP2_CANCEL, reset_code(1));
	assert_true(slow->was_reset);
	assert_int_equal(RESET_TIMEOUT, slow->why);
	assert_int_equal(1, count_of(&pair->server_counters.stalled));
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, 100);
	assert_true(frames_hello(&frames, 3));
	end();

	/* Windows, but nobody who reads. */
	begin((struct pair_options){ .serve = answer_much, .limits = { .write_stall_ns = 10 * CLOCK_SECOND } });
	frames_setting(&frames, HTTP2_INITIAL_WINDOW_SIZE, INT32_MAX);
	frames_window(&frames, 0, 100 * 1000 * 1000);
	stream_pause(pair->raw);
	for (uint32_t id = 1; id < 40; id += 2)
		frames_headers(&frames, id, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	sim_run_for(pair->sim, 25 * CLOCK_SECOND);
	assert_null(pair->server);
	assert_true(count_of(&pair->server_counters.stalled) > 0);
	assert_true(loop_buffers(pair->server_loop)->peak < 80);
	end();
}

/* --- times --- */

static void halves(void **state)
{
	char room[100];
	struct slice block = frames_block(FRAMES_GET, room);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		begin((struct pair_options){ .limits = { .head_ns = 5 * CLOCK_SECOND } });
		if (i == 0)
			frames.out.length = 10;
		else if (i == 1)
			frames.out.length = HTTP2_PREFACE_LENGTH;
		else
			frames_put(&frames, HTTP2_HEADERS, HTTP2_END_STREAM, 1, block.at, 3);
		frames_send(&frames);
		sim_run_for(pair->sim, 4 * CLOCK_SECOND);
		assert_false(pair->raw_ended);
		sim_run_for(pair->sim, 3 * CLOCK_SECOND);
		assert_true(pair->raw_ended);
		assert_int_equal(0, pair->opened);
		end();
	}
}

static void idle_connections(void **state)
{
	(void)state;
	begin((struct pair_options){ .limits = { .idle_ns = 5 * CLOCK_SECOND } });
	assert_true(frames_hello(&frames, 1));
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_true(frames_hello(&frames, 3));
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_false(pair->raw_ended);
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	frames_read(&frames);
	assert_true(pair->raw_ended);
	assert_int_equal(HTTP2_NO_ERROR, frames_goaway_code(&frames));
	assert_int_equal(0, pair->server_error);
	end();
}

static void keep_alive(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = call_listen, .limits = { .ping_ns = 5 * CLOCK_SECOND } });
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	sim_run_for(pair->sim, 6 * CLOCK_SECOND);
	frames_read(&frames);
	assert_int_equal(1, frames_number(&frames, HTTP2_PING, 0));
	frames_ping(&frames, frames_find(&frames, HTTP2_PING, 0)->payload, true);
	frames_send(&frames);
	sim_run_for(pair->sim, 5 * CLOCK_SECOND);
	assert_non_null(pair->server);
	sim_run_for(pair->sim, 5 * CLOCK_SECOND);
	assert_null(pair->server);
	assert_int_equal(RESET_TIMEOUT, pair->served->why);
	end();
}

/* A request that doesn't go on; a connection where nothing is to come is not silent. */
static void silent_connections(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = call_listen, .limits = { .read_stall_ns = 5 * CLOCK_SECOND } });
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	sim_run_for(pair->sim, 20 * CLOCK_SECOND);
	assert_non_null(pair->server);
	frames_headers(&frames, 3, 0, FRAMES_POST);
	frames_exchange(&frames);
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	frames_data(&frames, 3, 0, 1);
	frames_exchange(&frames);
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_non_null(pair->server);
	sim_run_for(pair->sim, 3 * CLOCK_SECOND);
	assert_null(pair->server);
	assert_int_equal(RESET_TIMEOUT, pair->served->why);
	end();
}

/* --- the end --- */

static void draining(void **state)
{
	const struct frames_seen *goaway;

	(void)state;
	begin((struct pair_options){ .serve = call_listen });
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	struct call *first = pair->served;
	session_drain(pair->server);
	/* What was on its way is served. */
	frames_headers(&frames, 3, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	sim_run_for(pair->sim, 500 * CLOCK_MS);
	frames_read(&frames);
	goaway = frames_find(&frames, HTTP2_GOAWAY, 0);
	assert_int_equal(HTTP2_STREAM_MOST, http2_get32(goaway->payload));
	assert_int_equal(2, pair->opened);
	frames_ping(&frames, frames_find(&frames, HTTP2_PING, 0)->payload, true);
	frames_exchange(&frames);
	goaway = &frames.seen[frames.count - 1];
	assert_int_equal(HTTP2_GOAWAY, goaway->frame.type);
	assert_int_equal(3, http2_get32(goaway->payload));
	assert_int_equal(HTTP2_NO_ERROR, goaway->code);
	frames_headers(&frames, 5, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(&frames);
	assert_int_equal(2, pair->opened);
	assert_int_equal(HTTP2_REFUSED_STREAM, reset_code(5));
	assert_false(pair->raw_ended);
	answer_hello(first, CALL_END);
	answer_hello(pair->served, CALL_END);
	frames_exchange(&frames);
	assert_int_equal(5, frames_data_length(&frames, 1));
	assert_int_equal(5, frames_data_length(&frames, 3));
	assert_true(pair->raw_ended);
	assert_null(pair->server);
	assert_int_equal(0, pair->server_error);
	end();
}

/* Also when the PING is not answered, and when a connection's life is over. */
static void lives_end(void **state)
{
	(void)state;
	begin((struct pair_options){ .limits = { .life_ns = 10 * CLOCK_SECOND } });
	assert_true(frames_hello(&frames, 1));
	sim_run_for(pair->sim, 8 * CLOCK_SECOND);
	assert_false(pair->raw_ended);
	sim_run_for(pair->sim, 4 * CLOCK_SECOND);
	frames_read(&frames);
	assert_true(pair->raw_ended);
	assert_int_equal(2, frames_number(&frames, HTTP2_GOAWAY, 0));
	end();
}

/* --- Expect, tunnels --- */

static void want_body(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED && call->to_send)
		side_pause(call->side);
	answer_hello(call, event);
}

static void a_client_that_waits_for_100(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = want_body });
	frames_headers(&frames, 1, 0, FRAMES_POST "expect|100-continue\n");
	frames_exchange(&frames);
	assert_string_equal(":status: 100\r\n", frames_find(&frames, HTTP2_HEADERS, 1)->fields);
	frames_data(&frames, 1, HTTP2_END_STREAM, 5);
	frames_exchange(&frames);
	assert_int_equal(2, frames_number(&frames, HTTP2_HEADERS, 1));
	assert_int_equal(5, frames_data_length(&frames, 1));
	/* Who sends at once has not waited. */
	frames_headers(&frames, 3, 0, FRAMES_POST "expect|100-continue\n");
	frames_data(&frames, 3, HTTP2_END_STREAM, 5);
	frames_exchange(&frames);
	assert_int_equal(1, frames_number(&frames, HTTP2_HEADERS, 3));
	end();
}

static void answer_tunnel(struct call *call, enum call_event event)
{
	if (event == CALL_BODY && call->body_length >= 3 && call->sent == 0)
		call_send(call, "pong", false);
	if (call_event_ends(event)) {
		call_send(call, "", true);
		call_release(call, RESET_NONE);
	}
}

static void connect_makes_a_tunnel(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = answer_tunnel });
	frames_headers(&frames, 1, 0, ":method|CONNECT\n:authority|a:443\n");
	frames_data(&frames, 1, 0, 3);
	frames_exchange(&frames);
	assert_int_equal(0, pair->served->body_length); /* it may yet be refused */
	call_send_head(pair->served, "HTTP/1.1 200 OK\r\n\r\n", false);
	frames_exchange(&frames);
	assert_int_equal(3, pair->served->body_length);
	assert_int_equal(4, frames_data_length(&frames, 1));
	frames_data(&frames, 1, HTTP2_END_STREAM, 2);
	frames_exchange(&frames);
	assert_int_equal(5, pair->served->body_length);
	assert_int_equal(HTTP2_END_STREAM, frames.seen[frames.count - 1].frame.flags);
	end();
}

static void connect_that_is_refused(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = call_listen });
	frames_headers(&frames, 1, 0, ":method|CONNECT\n:authority|a:443\n");
	frames_data(&frames, 1, 0, 3);
	frames_exchange(&frames);
	call_send_head(pair->served, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", true);
	frames_exchange(&frames);
	assert_true(pair->served->ended);
	assert_int_equal(0, pair->served->body_length);
	call_release(pair->served, RESET_NONE);
	frames_data(&frames, 1, HTTP2_END_STREAM, 2);
	pair->options.serve = answer_hello;
	assert_true(frames_hello(&frames, 3));
	assert_string_equal(":status: 403\r\ncontent-length: 0\r\n", frames_find(&frames, HTTP2_HEADERS, 1)->fields);
	end();
}

static void websockets(void **state)
{
	struct head *head;

	(void)state;
	begin((struct pair_options){ .serve = answer_tunnel });
	frames_headers(
		&frames, 1, 0, ":method|CONNECT\n:protocol|websocket\n:scheme|http\n:path|/chat\n:authority|a\nsec-websocket-version|13\n");
	frames_exchange(&frames);
	head = &pair->served->head;
	assert_int_equal(METHOD_GET, head->method);
	assert_true(head->upgrades);
	assert_true(slice_equal(SLICE("websocket"), field_value(head_find(head, FIELD_UPGRADE))));
	assert_int_equal(24, field_value(head_find_name(head, SLICE("sec-websocket-key"))).length);
	call_send_head(pair->served,
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", false);
	frames_data(&frames, 1, 0, 3);
	frames_exchange(&frames);
	assert_string_equal(":status: 200\r\n", frames_find(&frames, HTTP2_HEADERS, 1)->fields);
	assert_int_equal(4, frames_data_length(&frames, 1));
	frames_data(&frames, 1, HTTP2_END_STREAM, 0);
	frames_exchange(&frames);
	assert_int_equal(3, pair->served->body_length);
	end();
}

/* --- memory --- */

static void without_memory(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = call_listen, .max_sides = 3 });
	for (uint32_t id = 1; id < 11; id += 2)
		frames_headers(&frames, id, 0, FRAMES_POST);
	frames_exchange(&frames);
	assert_int_equal(3, pair->opened);
	assert_int_equal(HTTP2_REFUSED_STREAM, reset_code(7));
	assert_int_equal(HTTP2_REFUSED_STREAM, reset_code(9));
	frames_reset(&frames, 1, HTTP2_CANCEL);
	frames_headers(&frames, 11, 0, FRAMES_POST);
	frames_exchange(&frames);
	assert_int_equal(4, pair->opened);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preface_and_answer),
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(blocks_in_parts),
		cmocka_unit_test(trailers_end_a_stream),
		cmocka_unit_test(windows_are_kept),
		cmocka_unit_test(small_answers_are_not_held_up),
		cmocka_unit_test(windows_that_overflow),
		cmocka_unit_test(priorities_of_a_wrong_length),
		cmocka_unit_test(trailers_of_the_connection),
		cmocka_unit_test(slow_exchanges_stop_their_own_stream),
		cmocka_unit_test(crumbs_that_nobody_reads),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(heads_that_are_too_large),
		cmocka_unit_test(more_streams_than_allowed),
		cmocka_unit_test(rapid_reset),
		cmocka_unit_test(resets_among_work),
		cmocka_unit_test(errors_one_after_the_other),
		cmocka_unit_test(floods),
		cmocka_unit_test(pings_among_work),
		cmocka_unit_test(a_client_that_does_not_read),
		cmocka_unit_test(continuation_flood),
		cmocka_unit_test(hpack_bomb),
		cmocka_unit_test(stalled_streams),
		cmocka_unit_test(halves),
		cmocka_unit_test(idle_connections),
		cmocka_unit_test(keep_alive),
		cmocka_unit_test(silent_connections),
		cmocka_unit_test(draining),
		cmocka_unit_test(lives_end),
		cmocka_unit_test(a_client_that_waits_for_100),
		cmocka_unit_test(connect_makes_a_tunnel),
		cmocka_unit_test(connect_that_is_refused),
		cmocka_unit_test(websockets),
		cmocka_unit_test(without_memory),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

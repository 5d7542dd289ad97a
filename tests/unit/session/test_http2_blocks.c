/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks of HTTP/2 that are longer than one of the loop's buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "session/pools.h"
#include "support/frames.h"

static struct pair *pair;
static struct frames frames;

/* A client that has said hello. */
static void begin(struct pair_options options)
{
	options.codec = &codec_http2;
	if (!options.serve)
		options.serve = call_answer_hello;
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

/* Its HEADERS and CONTINUATION frames, of so many bytes at most. */
static void put_block(uint32_t stream, struct slice block, size_t most)
{
	for (bool first = true; first || block.length > 0; first = false) {
		size_t length = block.length < most ? block.length : most;
		unsigned flags = (first ? HTTP2_END_STREAM : 0u) | (length == block.length ? HTTP2_END_HEADERS : 0u);

		frames_put(&frames, first ? HTTP2_HEADERS : HTTP2_CONTINUATION, flags, stream, block.at, length);
		block = slice_from(block, length);
	}
}

/* However long the block is that says it, a head that is too large is its own stream's trouble: the tables stay in step. */
static void long_blocks(void **state)
{
	static char fields[90100], room[91000];
	static const size_t lengths[] = { 16300, 16384 - 48, 30000, 60000, 90000 };

	(void)state;
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		int length = snprintf(fields, sizeof fields, FRAMES_GET "x|");

		begin((struct pair_options){ .serve = call_listen });
		memset(fields + length, 'v', lengths[i]);
		memcpy(fields + length + lengths[i], "\n", 2);
		put_block(1, frames_block(fields, room), HTTP2_FRAME_MOST);
		frames_exchange(&frames);
		assert_string_equal(":status: 431\r\n", frames_find(&frames, HTTP2_HEADERS, 1)->fields);
		/* "b: 2" is added to the table behind what is too large, and then named. */
		struct slice block = frames_block(fields, room);

		memcpy(room + block.length,
			"\x40\1b\1"
			"2",
			5);
		put_block(3, slice_make(room, block.length + 5), 10000);
		block = frames_block(FRAMES_GET, room);
		room[block.length] = (char)0xbe;
		put_block(5, slice_make(room, block.length + 1), HTTP2_FRAME_MOST);
		frames_exchange(&frames);
		assert_string_equal(":status: 431\r\n", frames_find(&frames, HTTP2_HEADERS, 3)->fields);
		assert_non_null(strstr(pair->served->head.fields[0].line, "b: 2\r\n"));
		assert_int_equal(UINT32_MAX, frames_goaway_code(&frames));
		pair->options.serve = call_answer_hello;
		assert_true(frames_hello(&frames, 7));
		end();
	}
}

/* The request's fields as the response's, and as its trailers, behind a body that waits for the peer's window. */
static void echo(struct call *call, enum call_event event)
{
	static struct head response;
	struct fields trailers = { .at = response.fields };

	if (event == CALL_OPENED) {
		head_copy(&response, call->side->head);
		response.is_response = true;
		response.status = 200;
		response.body = BODY_CHUNKED;
		side_send_head(call->side, &response, false);
		call_send_pattern(call, 70000, false);
		trailers.count = response.field_count;
		side_send_trailers(call->side, &trailers);
	}
	if (event == CALL_END)
		call_release(call, RESET_NONE);
}

/* What an exchange adds to a request's head, and takes out again behind the fields that it came with. */
static void add_most(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		struct head *head = call->side->head;
		uint16_t received = head->field_count;

		for (unsigned i = 0; i < HEAD_ADDED; i++)
			assert_int_equal(0, head_add_line(head, FIELD_OTHER, SLICE("added: here\r\n"), 5, 7));
		assert_string_equal("added: here\r\n", head->fields[received + HEAD_ADDED - 1].line);
		head->field_count = received;
	}
	echo(call, event);
}

/* However short a head is kept, what is added to it has room, and none of its fields is lost. */
static void short_heads(void **state)
{
	char fields[2000], wanted[2000], room[3000];

	(void)state;
	begin((struct pair_options){ .serve = add_most, .calm = true });
	for (unsigned count = 0; count <= 30; count++) {
		int length = snprintf(fields, sizeof fields, FRAMES_GET), lines = snprintf(wanted, sizeof wanted, ":status: 200\r\n");

		for (unsigned i = 0; i < count; i++) {
			length += snprintf(fields + length, sizeof fields - (size_t)length, "x-%u|value-%u\n", i, i);
			lines += snprintf(wanted + lines, sizeof wanted - (size_t)lines, "x-%u: value-%u\r\n", i, i);
		}
		put_block(2 * count + 1, frames_block(fields, room), HTTP2_FRAME_MOST);
		frames_exchange(&frames);
		assert_string_equal(wanted, frames_find(&frames, HTTP2_HEADERS, 2 * count + 1)->fields);
		frames_reset(&frames, 2 * count + 1, HTTP2_CANCEL);
	}
	frames_exchange(&frames);
	assert_int_equal(0, pair->server_pools->http2_shortest_heads.in_use);
	assert_int_equal(0, pair->server_pools->http2_short_heads.in_use);
	assert_true(pair->server_pools->http2_shortest_heads.peak > 0 && pair->server_pools->http2_short_heads.peak > 0);
	end();
}

/* Heads up to the largest limit are carried, in as many frames as they need and in memory that is given back. */
static void long_heads(void **state)
{
	static char fields[64 * 1024 + 200], wanted[sizeof fields], room[sizeof fields + 1000];
	static const size_t lengths[] = { 1000, 16100, 16384 - 48, 16384, 30000, 32700, 32768, 65536 - 60 };

	(void)state;
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		int length = snprintf(fields, sizeof fields, FRAMES_GET "x|");
		const struct frames_seen *seen;

		begin((struct pair_options){ .serve = echo, .limits.max_head_bytes = SESSION_LARGEST_HEAD, .calm = true });
		memset(fields + length, 'v', lengths[i]);
		memcpy(fields + length + lengths[i], "\n", 2);
		snprintf(wanted, sizeof wanted, "x: %.*s\r\n", (int)lengths[i], fields + length);
		put_block(1, frames_block(fields, room), i % 2 ? HTTP2_FRAME_MOST : 5000);
		frames_exchange(&frames);
		seen = frames_find(&frames, HTTP2_HEADERS, 1);
		assert_non_null(seen);
		assert_int_equal(0, memcmp(":status: 200\r\n", seen->fields, 14));
		assert_string_equal(wanted, seen->fields + 14);
		assert_int_equal((lengths[i] + 16) / HTTP2_FRAME_MOST, frames_number(&frames, HTTP2_CONTINUATION, 1));
		assert_int_equal(1, frames_number(&frames, HTTP2_HEADERS, 1));
		frames_window(&frames, 0, 100000);
		frames_window(&frames, 1, 100000);
		frames_exchange(&frames);
		assert_int_equal(70000, frames_data_length(&frames, 1));
		assert_int_equal(2, frames_number(&frames, HTTP2_HEADERS, 1));
		seen = frames_last(&frames, HTTP2_HEADERS, 1);
		assert_int_equal(HTTP2_END_STREAM, seen->frame.flags & HTTP2_END_STREAM);
		assert_string_equal(wanted, seen->fields);
		assert_int_equal(0, pair->server_pools->large_buffers.in_use);
		assert_int_equal(lengths[i] <= 16100, pair->server_pools->large_buffers.peak == 0);
		pair->options.serve = call_answer_hello;
		assert_true(frames_hello(&frames, 3));
		end();
	}
}

/* Each head that is kept holds one; when there are no more, the next is refused, and no other stream is harmed. */
static void large_buffers_run_out(void **state)
{
	enum { TIMES = 8, LENGTH = 3900 };
	static char fields[LENGTH + 200], room[LENGTH + 1000], first[LENGTH + 1000];
	uint32_t last = 2 * SESSION_LARGE_BUFFERS + 1;
	struct slice block = frames_block(FRAMES_POST, room), start = frames_block(FRAMES_POST, first), entry;

	(void)state;
	begin((struct pair_options){ .serve = call_listen, .limits.max_head_bytes = SESSION_LARGEST_HEAD, .calm = true });
	/* One entry of the table, named again and again by each head. */
	memset(room + block.length, 0xbe, TIMES);
	block.length += TIMES;
	(void)snprintf(fields, sizeof fields, "x|%0*d\n", LENGTH, 0);
	entry = frames_block(fields, first + start.length);
	first[start.length] = 0x40;
	frames_put(&frames, HTTP2_HEADERS, HTTP2_END_HEADERS, 1, first, start.length + entry.length);
	for (uint32_t stream = 3; stream <= last + 2; stream += 2)
		frames_put(&frames, HTTP2_HEADERS, HTTP2_END_HEADERS, stream, block.at, block.length);
	frames_exchange(&frames);
	assert_int_equal(SESSION_LARGE_BUFFERS, pair->server_pools->large_buffers.in_use);
	assert_int_equal(SESSION_LARGE_BUFFERS + 1, pair->opened);
	assert_string_equal(":status: 503\r\n", frames_find(&frames, HTTP2_HEADERS, last + 2)->fields);
	assert_int_equal(UINT32_MAX, frames_goaway_code(&frames));
	frames_reset(&frames, 3, HTTP2_CANCEL);
	frames_put(&frames, HTTP2_HEADERS, HTTP2_END_HEADERS, last + 4, block.at, block.length);
	frames_exchange(&frames);
	assert_int_equal(SESSION_LARGE_BUFFERS + 2, pair->opened);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_blocks),
		cmocka_unit_test(short_heads),
		cmocka_unit_test(long_heads),
		cmocka_unit_test(large_buffers_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks of HTTP/2 that are longer than one of the loop's buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

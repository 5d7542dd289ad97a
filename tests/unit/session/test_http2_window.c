/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of what is received: however many streams are slow, the others go on, and what waits has its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "support/frames.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

enum {
	STREAMS = 200,
	WINDOW = 65536,
	BODY = 3 * WINDOW / 2,
	HELD_MOST = 4 * 1024 * 1024,
};

static struct pair *pair;
static struct frames frames;

static void end(void)
{
	pair_free(pair);
	frames_free(&frames);
}

/* --- a peer that sends as much as it may: bodies of BODY bytes on streams 1, 3, ... --- */

static struct {
	int64_t connection, stream[STREAMS + 1]; /* windows */
	int64_t initial;
	size_t sent[STREAMS + 1], all;
	unsigned looked_at; /* frames */
	unsigned changes;   /* of the initial window, by SETTINGS */
	bool deaf;          /* to those */
} peer;

static void peer_begin(void)
{
	memset(&peer, 0, sizeof peer);
	peer.connection = HTTP2_WINDOW_FIRST;
	peer.initial = HTTP2_WINDOW_FIRST;
	for (unsigned i = 0; i <= STREAMS; i++)
		peer.stream[i] = peer.initial;
}

static void peer_settings(const struct frames_seen *seen, bool first)
{
	for (uint32_t at = 0; at < seen->frame.length; at += HTTP2_SETTING_LENGTH) {
		int64_t value = http2_get32(seen->payload + at + 2);

		if (seen->payload[at + 1] != HTTP2_INITIAL_WINDOW_SIZE)
			continue;
		for (unsigned i = 0; i <= STREAMS; i++)
			peer.stream[i] += value - peer.initial;
		peer.initial = value;
		peer.changes += !first;
	}
	frames_put(&frames, HTTP2_SETTINGS, HTTP2_ACK, 0, NULL, 0);
}

static void peer_listen(void)
{
	for (; peer.looked_at < frames.count; peer.looked_at++) {
		const struct frames_seen *seen = &frames.seen[peer.looked_at];
		bool first = frames_find(&frames, HTTP2_SETTINGS, 0) == seen;

		if (seen->frame.type == HTTP2_WINDOW_UPDATE && seen->frame.stream == 0)
			peer.connection += http2_get32(seen->payload);
		else if (seen->frame.type == HTTP2_WINDOW_UPDATE)
			peer.stream[seen->frame.stream / 2] += http2_get32(seen->payload);
		else if (seen->frame.type == HTTP2_SETTINGS && !(seen->frame.flags & HTTP2_ACK) && (first || !peer.deaf))
			peer_settings(seen, first);
	}
}

static bool peer_send_some(unsigned i)
{
	int64_t most = peer.connection < peer.stream[i] ? peer.connection : peer.stream[i];

	if (most > HTTP2_FRAME_MOST)
		most = HTTP2_FRAME_MOST;
	if (most > (int64_t)(BODY - peer.sent[i]))
		most = (int64_t)(BODY - peer.sent[i]);
	if (most <= 0)
		return false;
	peer.sent[i] += (size_t)most;
	peer.all += (size_t)most;
	peer.connection -= most;
	peer.stream[i] -= most;
	frames_data(&frames, 1 + 2 * i, peer.sent[i] == BODY ? HTTP2_END_STREAM : 0, (size_t)most);
	return true;
}

/* On so many streams, in turns, until nothing more may be sent. */
static void peer_send(unsigned streams)
{
	bool any;

	do {
		frames_exchange(&frames);
		peer_listen();
		any = frames.out.length > 0;
		for (bool more = true; more;) {
			more = false;
			for (unsigned i = 0; i < streams; i++)
				more |= peer_send_some(i);
			any |= more;
		}
	} while (any);
}

/* --- a client's end --- */

static void pause_at_head(struct call *call, enum call_event event)
{
	if (event == CALL_HEAD)
		side_pause(call->side);
}

static void release_when_over(struct call *call, enum call_event event)
{
	if (event == CALL_END)
		call_release(call, RESET_NONE);
}

/* Connected, and STREAMS answers have begun that nobody takes. */
static void begin_answers(void)
{
	pair = pair_new(&(struct pair_options){ .codec = &codec_http2, .calm = true });
	pair_serve_raw(pair);
	pair_connect(pair);
	frames_new(&frames, pair);
	frames_settle(&frames);
	frames_put(&frames, HTTP2_SETTINGS, 0, 0, NULL, 0);
	frames_exchange(&frames);
	peer_begin();
	for (unsigned i = 0; i < STREAMS; i++)
		assert_non_null(pair_call(pair, GET, true, pause_at_head));
	for (unsigned i = 0; i < STREAMS; i++)
		frames_headers(&frames, 1 + 2 * i, 0, FRAMES_OK);
}

static void resume_all(void)
{
	for (struct call *call = pair->calls; call; call = call->next) {
		call->script = release_when_over;
		if (call->side)
			side_resume(call->side);
	}
}

static void slow_streams_hold_up_no_other(void **state)
{
	struct call *quick;

	(void)state;
	begin_answers();
	peer_send(STREAMS);
	assert_int_equal(UINT32_MAX, frames_goaway_code(&frames));
	assert_int_equal(1, peer.changes);
	assert_true(peer.all <= HELD_MOST);
	assert_true(peer.connection > 512 * 1024);
	quick = pair_call(pair, GET, true, release_when_over);
	frames_headers(&frames, 1 + 2 * STREAMS, 0, FRAMES_OK);
	peer_send(STREAMS + 1);
	assert_true(quick->ended);
	assert_int_equal(BODY, quick->body_length);
	/* Those that were slow go on, with their windows of before. */
	resume_all();
	peer_send(STREAMS);
	for (struct call *call = pair->calls; call; call = call->next)
		assert_int_equal(BODY, call->body_length);
	assert_int_equal(2, peer.changes);
	assert_int_equal(WINDOW, peer.initial);
	assert_true(pair_holds_nothing(pair));
	end();
}

/* One that takes no notice of our settings is held up as a whole, and goes on when there is room. */
static void a_peer_that_does_not_heed(void **state)
{
	(void)state;
	begin_answers();
	peer.deaf = true;
	peer_send(STREAMS);
	assert_int_equal(0, peer.connection);
	assert_true(peer.all <= HELD_MOST + 1024 * 1024 + WINDOW);
	resume_all();
	peer_send(STREAMS);
	for (struct call *call = pair->calls; call; call = call->next)
		assert_int_equal(BODY, call->body_length);
	end();
}

/* --- a server's end --- */

static void pause_at_once(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		side_pause(call->side);
	if (event == CALL_END)
		call_send_head(call, "HTTP/1.1 204 No Content\r\n\r\n", true);
}

static void wait_for_end(struct call *call, enum call_event event)
{
	if (event == CALL_END)
		call_send_head(call, "HTTP/1.1 204 No Content\r\n\r\n", true);
}

static void slow_uploads_hold_up_no_other(void **state)
{
	(void)state;
	pair = pair_new(&(struct pair_options){ .codec = &codec_http2, .serve = pause_at_once, .calm = true });
	pair_connect_raw(pair);
	frames_new(&frames, pair);
	frames_preface(&frames);
	peer_begin();
	for (unsigned i = 0; i < STREAMS; i++)
		frames_headers(&frames, 1 + 2 * i, 0, FRAMES_POST);
	peer_send(STREAMS);
	assert_int_equal(1, peer.changes);
	assert_true(peer.all <= HELD_MOST);
	assert_true(peer.connection > 512 * 1024);
	pair->options.serve = wait_for_end;
	frames_headers(&frames, 1 + 2 * STREAMS, 0, FRAMES_POST);
	peer_send(STREAMS + 1);
	assert_true(pair->served->ended);
	assert_int_equal(BODY, pair->served->body_length);
	assert_non_null(frames_find(&frames, HTTP2_HEADERS, 1 + 2 * STREAMS));
	end();
}

/* Few streams of ordinary windows: nobody is told anything. */
static void a_few_slow_streams_change_nothing(void **state)
{
	(void)state;
	pair = pair_new(&(struct pair_options){ .codec = &codec_http2, .serve = pause_at_once, .calm = true });
	pair_connect_raw(pair);
	frames_new(&frames, pair);
	frames_preface(&frames);
	peer_begin();
	for (unsigned i = 0; i < 20; i++)
		frames_headers(&frames, 1 + 2 * i, 0, FRAMES_POST);
	peer_send(20);
	assert_int_equal(20 * WINDOW, peer.all);
	assert_int_equal(0, peer.changes);
	end();
}

/* How much has to be taken of a window before the peer is told. */
static void share_of_a_window(void **state)
{
	static const struct {
		double share;
		unsigned updates;
	} cases[] = { { 0.99, 4 }, { 0, 2 }, { 0.01, 1 } };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		pair = pair_new(&(struct pair_options){
			.codec = &codec_http2, .serve = wait_for_end, .calm = true, .limits.window_share = cases[i].share });
		pair_connect_raw(pair);
		frames_new(&frames, pair);
		frames_preface(&frames);
		frames_headers(&frames, 1, 0, FRAMES_POST);
		for (unsigned j = 0; j < 4; j++)
			frames_data(&frames, 1, 0, 16384);
		frames_exchange(&frames);
		assert_int_equal(cases[i].updates, frames_number(&frames, HTTP2_WINDOW_UPDATE, 1));
		end();
	}
}

/* Frames may be as long as is said, and HPACK's table as small. */
static void long_frames_and_no_table(void **state)
{
	static const char said[] = "\0\3\0\0\3\350"
				   "\0\10\0\0\0\1"
				   "\0\4\0\1\0\0"
				   "\0\6\0\0\40\0"
				   "\0\1\0\0\0\0"
				   "\0\5\0\0\370\0";

	(void)state;
	pair = pair_new(&(struct pair_options){ .codec = &codec_http2,
		.serve = wait_for_end,
		.calm = true,
		.limits.max_frame = 0xf800,
		.limits.header_table = SESSION_NO_TABLE });
	pair_connect_raw(pair);
	frames_new(&frames, pair);
	frames_preface(&frames);
	frames_headers(&frames, 1, 0, FRAMES_POST);
	frames_data(&frames, 1, HTTP2_END_STREAM, 0xf800);
	frames_exchange(&frames);
	assert_int_equal(sizeof said - 1, frames.seen[0].frame.length);
	assert_memory_equal(said, frames.seen[0].payload, sizeof said - 1);
	assert_int_equal(0xf800, pair->served->body_length);
	assert_non_null(frames_find(&frames, HTTP2_HEADERS, 1));
	frames_headers(&frames, 3, 0, FRAMES_POST);
	frames_data(&frames, 3, HTTP2_END_STREAM, 0xf801);
	frames_exchange(&frames);
	assert_int_equal(HTTP2_FRAME_SIZE_ERROR, frames_goaway_code(&frames));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_streams_hold_up_no_other),
		cmocka_unit_test(a_peer_that_does_not_heed),
		cmocka_unit_test(slow_uploads_hold_up_no_other),
		cmocka_unit_test(a_few_slow_streams_change_nothing),
		cmocka_unit_test(share_of_a_window),
		cmocka_unit_test(long_frames_and_no_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

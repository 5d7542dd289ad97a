/* SPDX-License-Identifier: Apache-2.0 */
/* Frames out. Heads are written at once; bodies too when nothing is in their way, else they wait in their stream, and streams take
 * turns, a frame each, so that a large one never starves a small one. Everything goes into the output; the task sends it. */
#include "session/http2_session.h"

#include "base/check.h"
#include "session/pools.h"

enum {
	SETTINGS_MOST = 6, /* of put_own_settings and put_settings together */
	/* Of max_waiting_bytes, what a stream may have waiting on its own before its exchange is to stop. */
	STREAM_SHARE = 4,
};

char *http2_send_room(struct http2_session *h, size_t length)
{
	char *at;

	if (h->closing != HTTP2_CLOSING_NOT)
		return NULL;
	at = output_room(&h->output, length);
	if (!at)
		http2_session_end(h, HTTP2_CLOSING_NOW, RESET_OVERLOAD, ERROR_NO_MEMORY);
	return at;
}

void http2_send_wrote(struct http2_session *h, const char *from, const char *to)
{
	output_wrote(&h->output, (size_t)(to - from));
	http2_session_touch(h);
}

/* --- frames of the connection --- */

/* What only one end says. */
static char *put_own_settings(struct http2_session *h, char *at)
{
	if (!h->server)
		return http2_put_setting(at, HTTP2_ENABLE_PUSH, 0);
	at = http2_put_setting(at, HTTP2_MAX_CONCURRENT_STREAMS, h->limits.max_streams);
	return http2_put_setting(at, HTTP2_ENABLE_CONNECT_PROTOCOL, 1);
}

/* What others take for granted is not said. */
static char *put_settings(struct http2_session *h, char *at)
{
	at = put_own_settings(h, at);
	at = http2_put_setting(at, HTTP2_INITIAL_WINDOW_SIZE, h->limits.stream_window);
	at = http2_put_setting(at, HTTP2_MAX_HEADER_LIST_SIZE, h->reader.limits.max_head_bytes);
	if (h->limits.header_table != HPACK_TABLE_MOST)
		at = http2_put_setting(at, HTTP2_HEADER_TABLE_SIZE, h->limits.header_table);
	if (h->limits.max_frame != HTTP2_FRAME_MOST)
		at = http2_put_setting(at, HTTP2_MAX_FRAME_SIZE, h->limits.max_frame);
	return at;
}

void http2_send_preface(struct http2_session *h)
{
	size_t preface = h->server ? 0 : HTTP2_PREFACE_LENGTH;
	char *start = http2_send_room(h, preface + HTTP2_FRAME_HEAD + SETTINGS_MOST * HTTP2_SETTING_LENGTH + HTTP2_WINDOW_UPDATE_ROOM);
	char *at, *settings;

	if (!start)
		return;
	memcpy(start, http2_preface, preface);
	settings = start + preface;
	at = put_settings(h, settings + HTTP2_FRAME_HEAD);
	http2_put_frame(settings, (size_t)(at - settings) - HTTP2_FRAME_HEAD, HTTP2_SETTINGS, 0, 0);
	at = http2_put_window_update(at, 0, http2_window_of_connection(h) - HTTP2_WINDOW_FIRST);
	h->receive_window = http2_window_of_connection(h);
	http2_send_wrote(h, start, at);
}

void http2_send_rst_stream(struct http2_session *h, uint32_t id, enum http2_error code)
{
	char *at = http2_send_room(h, HTTP2_RST_STREAM_ROOM);

	if (at)
		http2_send_wrote(h, at, http2_put_rst_stream(at, id, code));
}

void http2_send_window_update(struct http2_session *h, uint32_t id, uint32_t increment)
{
	char *at = http2_send_room(h, HTTP2_WINDOW_UPDATE_ROOM);

	if (at)
		http2_send_wrote(h, at, http2_put_window_update(at, id, increment));
}

void http2_send_goaway(struct http2_session *h, uint32_t last, enum http2_error code)
{
	char *at = http2_send_room(h, HTTP2_GOAWAY_ROOM);

	if (!at)
		return;
	h->goaway_last = last;
	http2_send_wrote(h, at, http2_put_goaway(at, last, code));
}

void http2_send_ping(struct http2_session *h, const char payload[HTTP2_PING_LENGTH], bool ack)
{
	char *at = http2_send_room(h, HTTP2_PING_ROOM);

	if (at)
		http2_send_wrote(h, at, http2_put_ping(at, payload, ack));
}

/* --- heads --- */

/* A large buffer that can't be had, or is too small, is its own stream's trouble. */
static char *long_room(struct http2_session *h, struct http2_stream *s, size_t room)
{
	char *at = h->closing == HTTP2_CLOSING_NOT ? output_room(&h->output, room) : NULL;

	if (!at)
		http2_stream_fail(h, s, HTTP2_INTERNAL_ERROR, RESET_OVERLOAD, ERROR_LIMIT);
	return at;
}

char *http2_send_block(struct http2_session *h, struct http2_stream *s, size_t room, char **start)
{
	/* What other bytes are there of the connection's first block, and the heads of CONTINUATION frames. */
	room += HTTP2_FRAME_HEAD + 1 + room / HTTP2_FRAME_MOST * HTTP2_FRAME_HEAD;
	*start = room > BUFFER_CAPACITY ? long_room(h, s, room) : http2_send_room(h, room);
	if (!*start)
		return NULL;
	if (h->said_no_table)
		return *start + HTTP2_FRAME_HEAD;
	h->said_no_table = true;
	return hpack_put_no_table(*start + HTTP2_FRAME_HEAD);
}

/* A block of more than one frame, whose first one's head is put by the caller: the parts behind move, the last one farthest, so that
 * there is place for a head before each (section 6.10). Where it ends. */
static char *put_continuations(char *start, char *end, uint32_t id)
{
	char *block = start + HTTP2_FRAME_HEAD;
	size_t count = (size_t)(end - block - 1) / HTTP2_FRAME_MOST, length = (size_t)(end - block) - count * HTTP2_FRAME_MOST;

	end += count * HTTP2_FRAME_HEAD;
	for (size_t i = count; i > 0; i--) {
		char *part = block + i * HTTP2_FRAME_MOST, *frame = part + (i - 1) * HTTP2_FRAME_HEAD;

		memmove(frame + HTTP2_FRAME_HEAD, part, length);
		http2_put_frame(frame, length, HTTP2_CONTINUATION, i == count ? HTTP2_END_HEADERS : 0, id);
		length = HTTP2_FRAME_MOST;
	}
	return end;
}

void http2_send_headers(struct http2_session *h, struct http2_stream *s, char *start, char *end, bool ends)
{
	unsigned flags = HTTP2_END_HEADERS | (ends ? HTTP2_END_STREAM : 0);
	size_t length = (size_t)(end - start) - HTTP2_FRAME_HEAD;

	if (length > HTTP2_FRAME_MOST) {
		end = put_continuations(start, end, s->id);
		length = HTTP2_FRAME_MOST;
		flags &= ~(unsigned)HTTP2_END_HEADERS;
	}
	http2_put_frame(start, length, HTTP2_HEADERS, flags, s->id);
	http2_send_wrote(h, start, end);
	s->side.wrote = true;
}

/* --- the end of what is sent --- */

/* END_STREAM is written. */
static void sent(struct http2_session *h, struct http2_stream *s)
{
	http2_stream_send_in(s, HTTP2_SENDING_DONE);
	expiry_cancel(&s->stall);
	if (s->receiving >= HTTP2_RECEIVING_OVER)
		http2_stream_close_if_over(h, s);
	else if (s->released)
		/* The answer is whole, and nobody listens to what is left of the request (RFC 9113 section 8.1). */
		http2_stream_fail(h, s, h->server ? HTTP2_NO_ERROR : HTTP2_CANCEL, RESET_CANCEL, 0);
}

void http2_send_nowhere(struct http2_stream *s, bool end)
{
	if (end && s->sending != HTTP2_SENDING_DONE)
		http2_stream_send_in(s, HTTP2_SENDING_DONE);
}

void http2_send_drop(struct http2_session *h, struct http2_stream *s)
{
	queue_drop(&s->out, &h->shared);
	piece_release(&s->out_trailers);
	list_remove(&s->ready);
	expiry_cancel(&s->stall);
	if (s->sending == HTTP2_SENDING_ENDING)
		http2_stream_send_in(s, HTTP2_SENDING_DONE);
	list_remove(&s->waiting);
}

/* --- DATA --- */

static void put_data(struct http2_session *h, struct http2_stream *s, struct piece piece, bool ends)
{
	uint64_t taken = h->output.taken;
	size_t length = piece.length;
	char *at = http2_send_room(h, HTTP2_FRAME_HEAD);

	if (!at) {
		piece_release(&piece);
		return;
	}
	http2_send_wrote(h, at, http2_put_frame(at, length, HTTP2_DATA, ends ? HTTP2_END_STREAM : 0, s->id));
	output_piece(&h->output, piece);
	s->send_window -= (int32_t)length;
	h->send_window -= (int64_t)length;
	http2_session_earn(h, 4, 0);
	/* As long as the stream below has not got it, it can still become the last one. */
	h->last_flags = h->output.taken == taken ? at + 4 : NULL;
	h->last_taken = taken;
	h->last_data = s->id;
}

/* An empty frame, or none: the flag is put where the last byte was. */
static void put_end(struct http2_session *h, struct http2_stream *s)
{
	if (h->last_flags && h->last_data == s->id && h->last_taken == h->output.taken)
		*h->last_flags |= HTTP2_END_STREAM;
	else
		put_data(h, s, (struct piece){ 0 }, true);
}

static bool put_trailers(struct http2_session *h, struct http2_stream *s)
{
	size_t length = s->out_trailers.length;
	char *start, *at = http2_send_block(h, s, length, &start);

	if (!at)
		return false;
	memcpy(at, s->out_trailers.at, length);
	http2_send_headers(h, s, start, at + length, true);
	piece_release(&s->out_trailers);
	return true;
}

static size_t may_send(const struct http2_session *h, const struct http2_stream *s)
{
	int64_t most = s->send_window < h->send_window ? s->send_window : h->send_window;

	if (most > HTTP2_FRAME_MOST)
		most = HTTP2_FRAME_MOST;
	return most > 0 ? (size_t)most : 0;
}

/* It waits for a window, or for its turn. */
static void wait_for(struct http2_session *h, struct http2_stream *s)
{
	list_remove(&s->ready);
	if (queue_empty(&s->out) || s->send_window > 0)
		list_append(queue_empty(&s->out) || h->send_window > 0 ? &h->ready : &h->starved, &s->ready);
	if (!expiry_is_set(&s->stall))
		expiry_set(&h->pools->expiries, &s->stall, h->limits.write_stall_ns);
}

/* Nothing is left of what it had: it ends, or its exchange may go on. */
static void emptied(struct http2_session *h, struct http2_stream *s)
{
	list_remove(&s->ready);
	expiry_cancel(&s->stall);
	if (s->sending == HTTP2_SENDING_ENDING)
		sent(h, s);
	else if (s->blocked && list_empty(&s->waiting))
		list_append(&h->waiting, &s->waiting);
}

/* One frame of the stream whose turn it is. */
static void take_turn(struct http2_session *h, struct http2_stream *s)
{
	bool last = s->sending == HTTP2_SENDING_ENDING && s->out_trailers.length == 0;
	size_t most;

	if (queue_empty(&s->out)) {
		if (s->out_trailers.length > 0 ? put_trailers(h, s) : true)
			emptied(h, s);
		return;
	}
	most = may_send(h, s);
	if (most == 0) {
		wait_for(h, s);
		return;
	}
	struct piece piece = queue_take(&s->out, &h->shared, most);
	put_data(h, s, piece, last && queue_empty(&s->out));
	expiry_cancel(&s->stall);
	if (queue_empty(&s->out) && s->out_trailers.length == 0)
		emptied(h, s);
	else
		wait_for(h, s);
}

void http2_send_pump(struct http2_session *h)
{
	struct list *link;

	while (h->closing == HTTP2_CLOSING_NOT && output_backlog(&h->output) < h->limits.max_waiting_bytes &&
		(link = list_first(&h->ready)))
		take_turn(h, LIST_OF(link, struct http2_stream, ready));
}

void http2_send_window_grew(struct http2_session *h, struct http2_stream *s)
{
	struct list *link;

	http2_session_touch(h);
	if (s) {
		if (s->send_window > 0 && !queue_empty(&s->out) && list_empty(&s->ready))
			wait_for(h, s);
		return;
	}
	while (h->send_window > 0 && (link = list_first(&h->starved))) {
		list_remove(link);
		list_append(&h->ready, link);
	}
}

/* --- what exchanges send --- */

static bool is_backed_up(const struct http2_session *h)
{
	return output_backlog(&h->output) >= h->limits.max_waiting_bytes;
}

/* At once, when nobody else waits; else in the stream's queue. */
static void send_piece(struct http2_session *h, struct http2_stream *s, struct piece piece)
{
	if (queue_empty(&s->out) && list_empty(&h->ready) && piece.length <= may_send(h, s) && !is_backed_up(h)) {
		put_data(h, s, piece, false);
		return;
	}
	if (!queue_put(&s->out, &h->shared, piece)) {
		http2_stream_fail(h, s, HTTP2_INTERNAL_ERROR, RESET_OVERLOAD, ERROR_NO_MEMORY);
		return;
	}
	if (list_empty(&s->ready))
		wait_for(h, s);
	http2_session_touch(h);
}

static void send_end(struct http2_session *h, struct http2_stream *s)
{
	if (s->framing == BODY_LENGTH && s->send_left > 0 && !s->tunnel) {
		/* Less than was announced: the peer must see that it is cut. */
		http2_stream_send_in(s, HTTP2_SENDING_DONE);
		http2_stream_fail(h, s, HTTP2_INTERNAL_ERROR, RESET_CANCEL, 0);
		return;
	}
	http2_stream_send_in(s, HTTP2_SENDING_ENDING);
	if (queue_empty(&s->out)) {
		put_end(h, s);
		sent(h, s);
	}
}

/* Never more than was announced. */
static void clip(struct http2_stream *s, struct piece *piece)
{
	if (s->tunnel)
		return;
	if (s->framing == BODY_LENGTH) {
		if (piece->length > s->send_left)
			piece->length = s->send_left;
		s->send_left -= piece->length;
	} else if (s->framing == BODY_NONE) {
		piece->length = 0;
	}
}

bool http2_send_body(struct side *side, struct piece piece, bool end)
{
	struct http2_session *h = http2_session_of(side->session);
	struct http2_stream *s = http2_stream_of(side);

	if (!s->open || h->closing != HTTP2_CLOSING_NOT || s->sending >= HTTP2_SENDING_ENDING) {
		piece_release(&piece);
		if (s->sending < HTTP2_SENDING_ENDING)
			http2_send_nowhere(s, end);
		return true;
	}
	CHECK(s->sending != HTTP2_SENDING_HEAD);
	clip(s, &piece);
	if (piece.length > 0)
		send_piece(h, s, piece);
	else
		piece_release(&piece);
	if (s->open && h->closing == HTTP2_CLOSING_NOT && end)
		send_end(h, s);
	if (!s->open || h->closing != HTTP2_CLOSING_NOT) {
		if (s->sending < HTTP2_SENDING_ENDING)
			http2_send_nowhere(s, end);
		return true;
	}
	if (end || (s->out.bytes < h->limits.max_waiting_bytes / STREAM_SHARE && !is_backed_up(h)))
		return true;
	s->blocked = true;
	if (queue_empty(&s->out) && list_empty(&s->waiting))
		list_append(&h->waiting, &s->waiting);
	return false;
}

static bool any_is_sent(const struct fields *trailers)
{
	for (size_t i = 0; i < trailers->count; i++) {
		if (!trailers->at[i].dropped)
			return true;
	}
	return false;
}

/* In the buffer that what waits shares, or in a large one. */
static char *trailers_room(struct http2_session *h, const struct fields *trailers, struct buffer **buffer)
{
	size_t room = http2_trailers_room(trailers);

	if (room <= BUFFER_CAPACITY)
		return queue_room(&h->shared, room, buffer);
	*buffer = room <= BUFFER_LARGE_CAPACITY ? buffer_get(&h->pools->large_buffers) : NULL;
	return *buffer ? (*buffer)->bytes : NULL;
}

/* They wait behind what waits. */
static void keep_trailers(struct http2_session *h, struct http2_stream *s, const struct fields *trailers)
{
	struct buffer *buffer;
	char *at = trailers_room(h, trailers, &buffer);

	if (!at) {
		http2_stream_fail(h, s, HTTP2_INTERNAL_ERROR, RESET_OVERLOAD, ERROR_NO_MEMORY);
		return;
	}
	s->out_trailers = (struct piece){ buffer, at, (size_t)(http2_write_trailers(at, trailers) - at) };
	buffer->filled += (uint32_t)s->out_trailers.length;
	http2_stream_send_in(s, HTTP2_SENDING_ENDING);
}

void http2_send_trailers(struct side *side, const struct fields *trailers)
{
	struct http2_session *h = http2_session_of(side->session);
	struct http2_stream *s = http2_stream_of(side);
	char *start, *at;

	if (!s->open || h->closing != HTTP2_CLOSING_NOT || s->sending >= HTTP2_SENDING_ENDING) {
		if (s->sending < HTTP2_SENDING_ENDING)
			http2_send_nowhere(s, true);
		return;
	}
	CHECK(s->sending != HTTP2_SENDING_HEAD);
	if (s->tunnel || !any_is_sent(trailers) || (s->framing == BODY_LENGTH && s->send_left > 0)) {
		send_end(h, s);
	} else if (!queue_empty(&s->out)) {
		keep_trailers(h, s, trailers);
	} else {
		at = http2_send_block(h, s, http2_trailers_room(trailers), &start);
		if (at) {
			http2_send_headers(h, s, start, http2_write_trailers(at, trailers), true);
			sent(h, s);
		}
	}
	if (s->sending < HTTP2_SENDING_ENDING && (!s->open || h->closing != HTTP2_CLOSING_NOT))
		http2_send_nowhere(s, true);
}

void http2_send_follow(struct http2_session *h, struct http2_stream *s, const struct head *head, enum body framing, bool end)
{
	s->framing = (uint8_t)framing;
	s->send_left = framing == BODY_LENGTH ? head->body_length : 0;
	http2_stream_send_in(s, HTTP2_SENDING_BODY);
	if (end)
		sent(h, s);
}

void http2_send_tell_writable(struct http2_session *h)
{
	struct list *link;

	while (h->closing == HTTP2_CLOSING_NOT && !is_backed_up(h) && (link = list_first(&h->waiting))) {
		struct http2_stream *s = LIST_OF(link, struct http2_stream, waiting);

		list_remove(link);
		if (!queue_empty(&s->out) || !s->blocked)
			continue;
		s->blocked = false;
		s->side.events->writable(&s->side);
	}
}

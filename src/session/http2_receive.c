/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in (RFC 9113 sections 4 to 6). Each step consumes something, or finds that more is needed; between steps all of the state is
 * looked at anew, since whatever was told may have reset, released or closed. */
#include "session/http2_session.h"

#include "session/pools.h"

enum { PRIORITY_LENGTH = 5 };

static const char drain_ping[HTTP2_PING_LENGTH] = HTTP2_DRAIN_PING;

static bool fail(struct http2_session *h, enum http2_error code)
{
	http2_session_fail(h, code, RESET_PROTOCOL, ERROR_SYNTAX);
	return false;
}

/* The first piece has so many bytes, if they have been received. */
static bool has(struct http2_session *h, size_t length)
{
	while (input_slice(&h->input).length < length) {
		bool moved;
		int e = input_join(&h->input, loop_buffers(h->session.loop), &h->pools->large_buffers, &moved);

		if (e == ERROR_NO_MEMORY)
			http2_session_end(h, HTTP2_CLOSING_NOW, RESET_OVERLOAD, e);
		if (e)
			return false;
	}
	return true;
}

static void consume(struct http2_session *h, size_t length)
{
	input_skip(&h->input, length);
	h->left -= (uint32_t)length;
}

static struct http2_stream *find(struct http2_session *h, uint32_t id)
{
	return http2_stream_find(h, id);
}

/* A stream that was never there. */
static bool is_idle(const struct http2_session *h, uint32_t id)
{
	bool own = (id & 1) != h->server;

	return own ? id >= h->next_id : id > h->last_peer_id;
}

/* By its peer, of late: then it knows. */
static bool was_closed(const struct http2_session *h, uint32_t id)
{
	for (unsigned i = 0; i < HTTP2_CLOSED_KNOWN; i++) {
		if (h->closed[i] == id)
			return true;
	}
	return false;
}

/* A mistake that concerns one stream. */
static bool stream_error(struct http2_session *h, struct http2_stream *s, enum http2_error code)
{
	if (h->session.counters)
		counter_add(&h->session.counters->protocol_errors, 1);
	if (!http2_session_spend_reset(h))
		return false;
	http2_stream_fail(h, s, code, RESET_PROTOCOL, ERROR_SYNTAX);
	return true;
}

/* --- DATA (section 6.1) --- */

static bool check_data(struct http2_session *h, struct http2_stream *s, uint32_t length)
{
	uint32_t id = h->frame.stream;

	if (!s) {
		if (is_idle(h, id))
			return fail(h, HTTP2_PROTOCOL_ERROR);
		if (!was_closed(h, id))
			return http2_session_spend_control(h);
		if (!http2_session_spend_reset(h))
			return false;
		http2_send_rst_stream(h, id, HTTP2_STREAM_CLOSED);
		return true;
	}
	if (s->cut)
		return http2_session_spend_control(h);
	if (s->receiving >= HTTP2_RECEIVING_OVER)
		return stream_error(h, s, HTTP2_STREAM_CLOSED);
	if (s->receiving == HTTP2_RECEIVING_HEAD)
		return stream_error(h, s, HTTP2_PROTOCOL_ERROR);
	if (!http2_window_take(h, s, h->frame.length))
		return stream_error(h, s, HTTP2_FLOW_CONTROL_ERROR);
	if (s->counted && length > s->receive_left)
		return stream_error(h, s, HTTP2_PROTOCOL_ERROR);
	s->receive_left -= s->counted ? length : 0;
	s->taken += h->frame.length - length;
	s->heard = true;
	return true;
}

static bool data_begin(struct http2_session *h)
{
	struct http2_stream *s = find(h, h->frame.stream);
	uint32_t padding = 0, length = h->frame.length;

	if (h->frame.flags & HTTP2_PADDED) {
		if (length == 0)
			return fail(h, HTTP2_FRAME_SIZE_ERROR);
		if (!has(h, 1))
			return false;
		padding = 1u + (unsigned char)input_slice(&h->input).at[0];
		if (padding > length)
			return fail(h, HTTP2_PROTOCOL_ERROR);
		consume(h, 1);
		length -= padding;
	}
	h->receive_window -= h->frame.length;
	if (h->receive_window < 0)
		return fail(h, HTTP2_FLOW_CONTROL_ERROR);
	h->unreturned += h->frame.length;
	/* One that carries nothing is work for nothing. */
	if (length == 0 && !(h->frame.flags & HTTP2_END_STREAM) && !http2_session_spend_control(h))
		return false;
	if (length > 0)
		http2_session_earn(h, 1, 0);
	if (!check_data(h, s, length))
		return false;
	h->data_left = length;
	h->reading = HTTP2_READING_DATA;
	return true;
}

/* To the exchange, if it wants it now and nothing is before it. */
static void tell_or_keep(struct http2_session *h, struct http2_stream *s, struct piece piece)
{
	size_t length = piece.length;

	if (s->released) {
		piece_release(&piece);
	} else if (!s->paused && !s->held && queue_empty(&s->in) && s->fate == RESET_NONE) {
		s->taken += (uint32_t)length;
		h->telling = s;
		s->side.events->body(&s->side, piece);
		if (h->telling == s)
			http2_stream_deliver(h, s);
	} else if (queue_put(&s->in, &h->shared, piece)) {
		h->held_bytes += length;
		http2_window_adapt(h);
	} else {
		http2_stream_fail(h, s, HTTP2_INTERNAL_ERROR, RESET_OVERLOAD, ERROR_NO_MEMORY);
	}
}

/* END_STREAM. */
static void all_received(struct http2_session *h, struct http2_stream *s)
{
	if (s->cut)
		return;
	if (s->counted && s->receive_left > 0) {
		stream_error(h, s, HTTP2_PROTOCOL_ERROR);
		return;
	}
	http2_stream_receive_in(s, HTTP2_RECEIVING_OVER);
	h->telling = s;
	if (s->sending == HTTP2_SENDING_DONE)
		http2_stream_close_if_over(h, s);
	if (h->telling == s)
		http2_stream_deliver(h, s);
}

static bool data(struct http2_session *h)
{
	struct slice bytes = input_slice(&h->input);
	size_t length = bytes.length < h->data_left ? bytes.length : h->data_left;
	struct http2_stream *s = find(h, h->frame.stream);

	if (length > 0) {
		struct piece piece = { 0 };

		if (s && !s->cut)
			piece = piece_of(h->input.buffer, bytes.at, length);
		consume(h, length);
		h->data_left -= (uint32_t)length;
		if (s && !s->cut)
			tell_or_keep(h, s, piece);
		s = find(h, h->frame.stream);
	}
	if (h->data_left > 0)
		return length > 0;
	h->reading = HTTP2_READING_REST;
	if (h->closing == HTTP2_CLOSING_NOT && (h->frame.flags & HTTP2_END_STREAM) && s && s->receiving == HTTP2_RECEIVING_BODY)
		all_received(h, s);
	if (h->closing == HTTP2_CLOSING_NOT)
		http2_window_return(h);
	return true;
}

/* --- header blocks (sections 6.2 and 6.10) --- */

/* What went wrong with a block, of a stream that there is. */
static void block_failed(struct http2_session *h, struct http2_stream *s, int e)
{
	if (e == ERROR_SYNTAX)
		fail(h, HTTP2_COMPRESSION_ERROR);
	else if (e == ERROR_NO_MEMORY)
		http2_session_end(h, HTTP2_CLOSING_NOW, RESET_OVERLOAD, e);
	else if (s)
		stream_error(h, s, HTTP2_PROTOCOL_ERROR);
}

static void skip_block(struct http2_session *h, struct http2_stream *s, struct slice block, enum http2_error code)
{
	int e = http2_skip_block(&h->reader, block);

	if (e)
		block_failed(h, s, e);
	else if (s)
		stream_error(h, s, code);
}

static void trailers(struct http2_session *h, struct http2_stream *s, struct slice block, bool ends)
{
	struct http2_head *head;
	int e;

	if (s->receiving >= HTTP2_RECEIVING_OVER) {
		skip_block(h, s->cut ? NULL : s, block, HTTP2_STREAM_CLOSED);
		return;
	}
	if (!ends || s->tunnel || s->held) {
		skip_block(h, s, block, HTTP2_PROTOCOL_ERROR);
		return;
	}
	head = http2_head_begin(h);
	if (!head) {
		skip_block(h, NULL, block, 0);
		http2_stream_fail(h, s, HTTP2_INTERNAL_ERROR, RESET_OVERLOAD, ERROR_NO_MEMORY);
		return;
	}
	e = http2_read_trailers(&h->reader, block, &head->head, &head->buffer);
	if (e) {
		block_failed(h, s, e);
		return;
	}
	s->trailers = http2_head_take(h);
	all_received(h, s);
}

/* A whole block, of the stream with this id. `depends`: its priority says that it depends on itself, which RFC 7540 forbids. */
static void block_received(struct http2_session *h, uint32_t id, struct slice block, bool ends, bool depends)
{
	struct http2_stream *s = find(h, id);

	if (s && depends) {
		skip_block(h, s, block, HTTP2_PROTOCOL_ERROR);
	} else if (s && (h->server || s->receiving != HTTP2_RECEIVING_HEAD)) {
		trailers(h, s, block, ends);
	} else if (s) {
		http2_client_block(h, s, block, ends);
	} else if (was_closed(h, id)) {
		fail(h, HTTP2_STREAM_CLOSED);
	} else if (!h->server && is_idle(h, id)) {
		fail(h, HTTP2_PROTOCOL_ERROR);
	} else if (h->server && is_idle(h, id)) {
		http2_server_block(h, id, block, ends, depends);
	} else if (id >= h->gap_from && id < h->gap_to) {
		fail(h, HTTP2_PROTOCOL_ERROR);
	} else if (http2_session_spend_control(h)) {
		/* What was on its way when we reset it. */
		skip_block(h, NULL, block, 0);
	}
}

/* Longer than anybody who means well makes a block: the connection ends, as the peer's table can't be followed any more. */
static bool block_too_long(struct http2_session *h)
{
	if (h->session.counters)
		counter_add(&h->session.counters->floods, 1);
	http2_session_fail(h, HTTP2_ENHANCE_YOUR_CALM, RESET_OVERLOAD, ERROR_LIMIT);
	return false;
}

/* It goes on in another frame: gathered in a buffer of its own, a large one if need be, which bounds it. What is longer than heads may
 * be is refused when it is decoded. */
static bool block_add(struct http2_session *h, struct slice fragment)
{
	size_t have = h->block ? h->block->filled : 0, length = have + fragment.length;
	struct buffer *fresh;

	if (length > BUFFER_LARGE_CAPACITY)
		return block_too_long(h);
	if (!h->block || fragment.length > buffer_room(h->block)) {
		fresh = buffer_get(length > BUFFER_CAPACITY ? &h->pools->large_buffers : loop_buffers(h->session.loop));
		if (!fresh) {
			http2_session_end(h, HTTP2_CLOSING_NOW, RESET_OVERLOAD, ERROR_NO_MEMORY);
			return false;
		}
		if (h->block) {
			memcpy(fresh->bytes, h->block->bytes, have);
			fresh->filled = (uint32_t)have;
			buffer_unref(h->block);
		}
		h->block = fresh;
	}
	memcpy(h->block->bytes + h->block->filled, fragment.at, fragment.length);
	h->block->filled += (uint32_t)fragment.length;
	return true;
}

/* Padding and priority, which are not of the block. */
static bool strip(struct http2_session *h, struct slice *fragment, bool *depends)
{
	uint8_t flags = h->frame.flags;
	size_t padding = 0;

	*depends = false;
	if (flags & HTTP2_PADDED) {
		if (fragment->length < 1)
			return fail(h, HTTP2_FRAME_SIZE_ERROR);
		padding = (unsigned char)fragment->at[0];
		*fragment = slice_from(*fragment, 1);
	}
	if (flags & HTTP2_HAS_PRIORITY) {
		if (fragment->length < PRIORITY_LENGTH)
			return fail(h, HTTP2_FRAME_SIZE_ERROR);
		*depends = (http2_get32(fragment->at) & HTTP2_STREAM_MOST) == h->frame.stream;
		*fragment = slice_from(*fragment, PRIORITY_LENGTH);
	}
	if (padding > fragment->length)
		return fail(h, HTTP2_PROTOCOL_ERROR);
	fragment->length -= padding;
	return true;
}

/* Frames with parts of a block are looked at when they are whole. */
static bool has_frame(struct http2_session *h)
{
	return h->left <= BUFFER_LARGE_CAPACITY ? has(h, h->left) : block_too_long(h);
}

static bool headers(struct http2_session *h)
{
	struct slice fragment;
	bool ends = h->frame.flags & HTTP2_END_STREAM, depends;
	uint32_t length = h->left;

	if (!has_frame(h))
		return false;
	fragment = slice_make(input_slice(&h->input).at, length);
	if (!strip(h, &fragment, &depends))
		return false;
	if (h->frame.flags & HTTP2_END_HEADERS) {
		/* What it causes may not touch the input: frames are consumed here alone. */
		block_received(h, h->frame.stream, fragment, ends, depends);
	} else {
		h->block_stream = h->frame.stream;
		h->block_ends = ends;
		h->block_depends = depends;
		expiry_set(&h->pools->expiries, &h->phase, h->limits.head_ns);
		if (!block_add(h, fragment))
			return false;
	}
	consume(h, length);
	h->reading = HTTP2_READING_FRAME;
	return true;
}

static bool continuation(struct http2_session *h)
{
	uint32_t length = h->left, id = h->block_stream;
	struct buffer *block;

	if (!has_frame(h))
		return false;
	if (!http2_session_spend_control(h) || !block_add(h, slice_make(input_slice(&h->input).at, length)))
		return false;
	consume(h, length);
	h->reading = HTTP2_READING_FRAME;
	if (!(h->frame.flags & HTTP2_END_HEADERS))
		return true;
	block = h->block;
	h->block = NULL;
	h->block_stream = 0;
	http2_session_rest(h);
	block_received(h, id, slice_make(block->bytes, block->filled), h->block_ends, h->block_depends);
	buffer_unref(block);
	return true;
}

/* --- small frames --- */

/* A mistake of a PRIORITY frame, which may concern a stream that isn't there (section 6.3). */
static bool priority_error(struct http2_session *h, enum http2_error code)
{
	struct http2_stream *s = find(h, h->frame.stream);

	if (s)
		return stream_error(h, s, code);
	if (!http2_session_spend_reset(h))
		return false;
	http2_send_rst_stream(h, h->frame.stream, code);
	return true;
}

static bool priority(struct http2_session *h)
{
	if ((http2_get32(input_slice(&h->input).at) & HTTP2_STREAM_MOST) != h->frame.stream)
		return http2_session_spend_control(h);
	return priority_error(h, HTTP2_PROTOCOL_ERROR);
}

static bool rst_stream(struct http2_session *h)
{
	struct http2_stream *s = find(h, h->frame.stream);
	enum http2_error code = http2_get32(input_slice(&h->input).at);

	if (!s) {
		if (is_idle(h, h->frame.stream))
			return fail(h, HTTP2_PROTOCOL_ERROR);
		return http2_session_spend_control(h);
	}
	/* One that asks and takes it back, over and over (CVE-2023-44487). */
	if (h->server && !http2_session_spend_reset(h))
		return false;
	h->closed[h->closed_next++ % HTTP2_CLOSED_KNOWN] = s->id;
	http2_stream_reset(h, s, code == HTTP2_REFUSED_STREAM ? RESET_REFUSED : RESET_PEER, 0);
	return true;
}

/* Once all of a SETTINGS frame is there: nothing goes on between its values (section 6.5.3). */
static bool change_windows(struct http2_session *h)
{
	int64_t change = (int64_t)h->peer.initial_window_size - h->stream_send_window;

	h->stream_send_window = h->peer.initial_window_size;
	if (change == 0)
		return true;
	LIST_EACH(&h->streams, link) {
		struct http2_stream *s = LIST_OF(link, struct http2_stream, link);

		if (s->send_window + change > HTTP2_WINDOW_MOST)
			return fail(h, HTTP2_FLOW_CONTROL_ERROR);
		s->send_window = (int32_t)(s->send_window + change);
		if (change > 0 && s->open)
			http2_send_window_grew(h, s);
	}
	return true;
}

static bool settings(struct http2_session *h)
{
	enum http2_error code;
	char *at;

	while (h->left > 0) {
		if (!has(h, HTTP2_SETTING_LENGTH))
			return false;
		code = http2_settings_apply(&h->peer, input_slice(&h->input).at, !h->server);
		if (code != HTTP2_NO_ERROR)
			return fail(h, code);
		consume(h, HTTP2_SETTING_LENGTH);
	}
	h->reading = HTTP2_READING_FRAME;
	if (!change_windows(h))
		return false;
	if (h->frame.flags & HTTP2_ACK) {
		http2_window_known(h);
		return http2_session_spend_control(h);
	}
	if (h->got_settings && !http2_session_spend_control(h))
		return false;
	if (!h->got_settings && !h->server)
		http2_session_count(h);
	h->got_settings = true;
	h->tell_available = h->tell_available || h->session.undecided;
	h->session.undecided = false;
	/* What it allows may now be less than what is open. */
	h->full = h->full || (!h->server && session_capacity(&h->session) == 0);
	http2_session_rest(h);
	at = http2_send_room(h, HTTP2_FRAME_HEAD);
	if (at)
		http2_send_wrote(h, at, http2_put_frame(at, 0, HTTP2_SETTINGS, HTTP2_ACK, 0));
	return true;
}

static bool ping(struct http2_session *h)
{
	const char *payload = input_slice(&h->input).at;

	if (!http2_session_spend_control(h))
		return false;
	if (!(h->frame.flags & HTTP2_ACK)) {
		http2_send_ping(h, payload, true);
		return true;
	}
	h->pinged = false;
	if (h->server && h->draining == HTTP2_DRAINING_ANNOUNCED && memcmp(payload, drain_ping, HTTP2_PING_LENGTH) == 0)
		http2_server_drained(h);
	return true;
}

static bool goaway(struct http2_session *h)
{
	if (!http2_session_spend_control(h))
		return false;
	if (!h->server)
		http2_client_goaway(h, http2_get32(input_slice(&h->input).at) & HTTP2_STREAM_MOST);
	return true;
}

static bool window_update(struct http2_session *h)
{
	uint32_t increment = http2_get32(input_slice(&h->input).at) & HTTP2_STREAM_MOST;
	struct http2_stream *s = h->frame.stream ? find(h, h->frame.stream) : NULL;

	if (!http2_session_spend_control(h))
		return false;
	if (h->frame.stream == 0) {
		h->send_window += increment;
		if (increment == 0)
			return fail(h, HTTP2_PROTOCOL_ERROR);
		if (h->send_window > HTTP2_WINDOW_MOST)
			return fail(h, HTTP2_FLOW_CONTROL_ERROR);
		http2_send_window_grew(h, NULL);
		return true;
	}
	if (!s)
		return is_idle(h, h->frame.stream) ? fail(h, HTTP2_PROTOCOL_ERROR) : true;
	if (increment == 0)
		return stream_error(h, s, HTTP2_PROTOCOL_ERROR);
	if ((int64_t)s->send_window + increment > HTTP2_WINDOW_MOST)
		return stream_error(h, s, HTTP2_FLOW_CONTROL_ERROR);
	s->send_window += (int32_t)increment;
	http2_send_window_grew(h, s);
	return true;
}

/* --- any frame --- */

/* What its head alone says. */
static enum http2_error check_frame(const struct http2_session *h)
{
	const struct http2_frame *frame = &h->frame;
	bool on_stream = frame->stream != 0;

	if (frame->length > h->limits.max_frame)
		return HTTP2_FRAME_SIZE_ERROR;
	if (h->block_stream && (frame->type != HTTP2_CONTINUATION || frame->stream != h->block_stream))
		return HTTP2_PROTOCOL_ERROR;
	if (!h->got_settings && (frame->type != HTTP2_SETTINGS || (frame->flags & HTTP2_ACK)))
		return HTTP2_PROTOCOL_ERROR;
	switch (frame->type) {
	case HTTP2_DATA:
		return on_stream ? HTTP2_NO_ERROR : HTTP2_PROTOCOL_ERROR;
	case HTTP2_HEADERS:
		/* A client's streams are odd; a server has none. */
		return on_stream && (frame->stream & 1) ? HTTP2_NO_ERROR : HTTP2_PROTOCOL_ERROR;
	case HTTP2_PRIORITY:
		return on_stream ? HTTP2_NO_ERROR : HTTP2_PROTOCOL_ERROR;
	case HTTP2_RST_STREAM:
		return !on_stream ? HTTP2_PROTOCOL_ERROR : frame->length != 4 ? HTTP2_FRAME_SIZE_ERROR : HTTP2_NO_ERROR;
	case HTTP2_SETTINGS:
		if (on_stream)
			return HTTP2_PROTOCOL_ERROR;
		if (frame->length % HTTP2_SETTING_LENGTH || ((frame->flags & HTTP2_ACK) && frame->length > 0))
			return HTTP2_FRAME_SIZE_ERROR;
		return HTTP2_NO_ERROR;
	case HTTP2_PUSH_PROMISE:
		return HTTP2_PROTOCOL_ERROR;
	case HTTP2_PING:
		return on_stream ? HTTP2_PROTOCOL_ERROR : frame->length != HTTP2_PING_LENGTH ? HTTP2_FRAME_SIZE_ERROR : HTTP2_NO_ERROR;
	case HTTP2_GOAWAY:
		return on_stream ? HTTP2_PROTOCOL_ERROR : frame->length < 8 ? HTTP2_FRAME_SIZE_ERROR : HTTP2_NO_ERROR;
	case HTTP2_WINDOW_UPDATE:
		return frame->length != 4 ? HTTP2_FRAME_SIZE_ERROR : HTTP2_NO_ERROR;
	case HTTP2_CONTINUATION:
		return h->block_stream ? HTTP2_NO_ERROR : HTTP2_PROTOCOL_ERROR;
	default:
		return HTTP2_NO_ERROR;
	}
}

static bool frame_head(struct http2_session *h)
{
	struct slice bytes = input_slice(&h->input);
	enum http2_error code;

	if (h->header_have == 0 && bytes.length >= HTTP2_FRAME_HEAD) {
		http2_parse_frame(bytes.at, &h->frame);
		input_skip(&h->input, HTTP2_FRAME_HEAD);
	} else {
		size_t length = HTTP2_FRAME_HEAD - h->header_have;

		if (length > bytes.length)
			length = bytes.length;
		memcpy(h->header + h->header_have, bytes.at, length);
		input_skip(&h->input, length);
		h->header_have += (uint8_t)length;
		if (h->header_have < HTTP2_FRAME_HEAD)
			return !input_empty(&h->input);
		h->header_have = 0;
		http2_parse_frame(h->header, &h->frame);
	}
	code = check_frame(h);
	if (code != HTTP2_NO_ERROR)
		return fail(h, code);
	h->left = h->frame.length;
	h->reading = h->frame.type == HTTP2_SETTINGS ? HTTP2_READING_SETTINGS : HTTP2_READING_PAYLOAD;
	return true;
}

/* A frame whose first bytes are of a fixed length. */
static bool small(struct http2_session *h, size_t length, bool (*take)(struct http2_session *h))
{
	if (!has(h, length) || !take(h))
		return false;
	consume(h, length);
	h->reading = HTTP2_READING_REST;
	return true;
}

static bool payload(struct http2_session *h)
{
	switch (h->frame.type) {
	case HTTP2_DATA:
		return data_begin(h);
	case HTTP2_HEADERS:
		return headers(h);
	case HTTP2_CONTINUATION:
		return continuation(h);
	case HTTP2_PRIORITY:
		if (h->frame.length == PRIORITY_LENGTH)
			return small(h, PRIORITY_LENGTH, priority);
		h->reading = HTTP2_READING_REST;
		return priority_error(h, HTTP2_FRAME_SIZE_ERROR);
	case HTTP2_RST_STREAM:
		return small(h, 4, rst_stream);
	case HTTP2_PING:
		return small(h, HTTP2_PING_LENGTH, ping);
	case HTTP2_GOAWAY:
		return small(h, 8, goaway);
	case HTTP2_WINDOW_UPDATE:
		return small(h, 4, window_update);
	default:
		h->reading = HTTP2_READING_REST;
		return http2_session_spend_control(h);
	}
}

static bool rest(struct http2_session *h)
{
	struct slice bytes = input_slice(&h->input);

	consume(h, bytes.length < h->left ? bytes.length : h->left);
	if (h->left > 0)
		return bytes.length > 0;
	h->reading = HTTP2_READING_FRAME;
	return true;
}

static bool preface(struct http2_session *h)
{
	struct slice bytes = input_slice(&h->input);
	size_t length = bytes.length < HTTP2_PREFACE_LENGTH ? bytes.length : HTTP2_PREFACE_LENGTH;

	if (memcmp(bytes.at, http2_preface, length) != 0)
		return fail(h, HTTP2_PROTOCOL_ERROR);
	if (!has(h, HTTP2_PREFACE_LENGTH))
		return false;
	if (memcmp(input_slice(&h->input).at, http2_preface, HTTP2_PREFACE_LENGTH) != 0)
		return fail(h, HTTP2_PROTOCOL_ERROR);
	input_skip(&h->input, HTTP2_PREFACE_LENGTH);
	h->reading = HTTP2_READING_FRAME;
	return true;
}

static bool step(struct http2_session *h)
{
	switch ((enum http2_reading)h->reading) {
	case HTTP2_READING_PREFACE:
		return preface(h);
	case HTTP2_READING_FRAME:
		return !input_empty(&h->input) && frame_head(h);
	case HTTP2_READING_PAYLOAD:
		return payload(h);
	case HTTP2_READING_DATA:
		return data(h);
	case HTTP2_READING_SETTINGS:
		return settings(h);
	case HTTP2_READING_REST:
		return rest(h);
	}
	return false;
}

void http2_receive(struct http2_session *h)
{
	while (h->closing == HTTP2_CLOSING_NOT && step(h))
		;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "http2_end.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

/* RFC 9113 section 6 and 6.5.2: not the product's. */
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8, WITH_PRIORITY = 32 };
enum { SET_MAX_STREAMS = 3, SET_WINDOW = 4 };
enum { FRAME_HEAD = 9, FIRST_WINDOW = 65535, BLOCK_MOST = 64 * 1024, LEAST_WINDOW = 3000, DATA_MOST = 8000, WHIMS_MOST = 6 };
enum { PADDING_MOST = 256 };
/* Nothing that befalls a connection and leaves it alive holds a frame up for so long. */
#define OVERDUE (15 * CLOCK_SECOND)

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static bool chance(struct http2_end *end, uint32_t per_million)
{
	return draw_chance(&end->random, per_million);
}

static uint32_t get32(const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static char *put32(char *out, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		*out++ = (char)(value >> shift);
	return out;
}

/* --- the end of it --- */

void http2_end_close(struct http2_end *end, bool linger)
{
	if (!end->stream)
		return;
	if (linger)
		stream_linger(end->stream);
	else
		stream_close(end->stream);
	end->stream = NULL;
	timer_cancel(end->loop, &end->pace);
	timer_cancel(end->loop, &end->giving);
	timer_cancel(end->loop, &end->whim);
	timer_cancel(end->loop, &end->overdue);
	memory_free(end->block);
	end->block = NULL;
	hpack_decoder_fini(&end->decoder);
	pool_fini(&end->tables);
}

static void gone(struct http2_end *end)
{
	http2_end_close(end, false);
	end->events->gone(end->owner);
}

/* What has closed waits for nothing: it may be freed at any time. */
static void set(struct http2_end *end, struct timer *timer, int64_t when)
{
	if (end->stream)
		timer_set(end->loop, timer, when);
}

/* The other end breaks the protocol. */
static void wrong(struct http2_end *end, uint32_t stream, const char *problem)
{
	harness_fail(end->harness, "an HTTP/2 %s is told on stream %u %s", end->client ? "user" : "service", stream, problem);
	gone(end);
}

static void forget(struct http2_stream_end *stream)
{
	if (stream->open)
		list_remove(&stream->link);
	stream->open = false;
}

static struct http2_stream_end *find(struct http2_end *end, uint32_t id)
{
	LIST_EACH(&end->streams, link) {
		struct http2_stream_end *stream = LIST_OF(link, struct http2_stream_end, link);
		if (stream->id == id)
			return stream;
	}
	return NULL;
}

static void forget_if_over(struct http2_stream_end *stream)
{
	if (stream->in_over && stream->out_over)
		forget(stream);
}

/* --- frames out --- */

/* Something may be to send: from the loop, so that nothing is told to who is calling. */
static void schedule(struct http2_end *end, int64_t after)
{
	if (!timer_is_set(&end->pace))
		set(end, &end->pace, loop_now(end->loop) + after);
}

static void send(struct http2_end *end, const char *bytes, size_t length)
{
	if (!end->stream || end->broken)
		return;
	struct buffer *buffer = buffer_get(loop_buffers(end->loop));
	if (!buffer) {
		end->broken = true;
		set(end, &end->pace, loop_now(end->loop));
		return;
	}
	CHECK(length <= buffer_room(buffer));
	memcpy(buffer->bytes, bytes, length);
	buffer->filled = (uint32_t)length;
	struct piece piece = { buffer, buffer->bytes, length };
	if (stream_take(end->stream, &piece, 1) > 0)
		end->blocked = true;
}

static void put_frame(struct http2_end *end, unsigned type, unsigned flags, uint32_t stream, const char *payload, size_t length)
{
	char frame[FRAME_HEAD + DATA_MOST + PADDING_MOST];
	CHECK(length <= DATA_MOST + PADDING_MOST);
	frame[0] = (char)(length >> 16);
	frame[1] = (char)(length >> 8);
	frame[2] = (char)length;
	frame[3] = (char)type;
	frame[4] = (char)flags;
	put32(frame + 5, stream);
	memcpy(frame + FRAME_HEAD, payload, length);
	send(end, frame, FRAME_HEAD + length);
}

static void put_number(struct http2_end *end, unsigned type, uint32_t stream, uint32_t number)
{
	char payload[4];
	put32(payload, number);
	put_frame(end, type, 0, stream, payload, sizeof(payload));
}

static struct http2_end_owed *owe(struct http2_end *end)
{
	struct http2_end_owed *owed = &end->owed[end->owed_count++];
	*owed = (struct http2_end_owed){ .number = ++end->owed_number };
	set(end, &end->overdue, loop_now(end->loop) + OVERDUE);
	return owed;
}

static void put_settings(struct http2_end *end, uint32_t window, uint32_t streams)
{
	char payload[12], *out = payload;
	if (end->owed_count == HTTP2_END_OWED)
		return;
	struct http2_end_owed *owed = owe(end);
	owed->window = window;
	owed->max_streams = streams;
	if (window) {
		*out++ = 0;
		*out++ = SET_WINDOW;
		out = put32(out, window);
	}
	if (streams) {
		*out++ = 0;
		*out++ = SET_MAX_STREAMS;
		out = put32(out, streams);
	}
	put_frame(end, SETTINGS, 0, 0, payload, (size_t)(out - payload));
}

static void put_ping(struct http2_end *end)
{
	char payload[8] = "ping";
	if (end->owed_count == HTTP2_END_OWED)
		return;
	struct http2_end_owed *owed = owe(end);
	owed->ping = true;
	owed->sent = end->sent;
	put32(payload + 4, owed->number);
	put_frame(end, PING, 0, 0, payload, sizeof(payload));
}

/* --- header blocks out: literals, some of which the other end is to remember (RFC 7541 section 6.2) --- */

struct block {
	char bytes[1024];
	size_t length;
};

static void put_text(struct block *block, const char *text)
{
	size_t length = strlen(text);
	CHECK(length < 127 && block->length + length + 2 < sizeof(block->bytes));
	block->bytes[block->length++] = (char)length;
	memcpy(block->bytes + block->length, text, length);
	block->length += length;
}

static void put_field(struct http2_end *end, struct block *block, const char *name, const char *value)
{
	static const char kinds[] = { 0x00, 0x10, 0x40 };
	block->bytes[block->length++] = kinds[draw_below(&end->random, sizeof(kinds))];
	put_text(block, name);
	put_text(block, value);
}

static void put_number_field(struct http2_end *end, struct block *block, const char *name, uint64_t number)
{
	char text[24];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	put_field(end, block, name, text);
}

/* In one frame, or cut in two anywhere. */
static void put_block(struct http2_end *end, uint32_t stream, const struct block *block, bool ends)
{
	unsigned flags = ends ? END_STREAM : 0;
	size_t first = chance(end, 100000) ? (size_t)draw_below(&end->random, (int64_t)block->length) : block->length;
	put_frame(end, HEADERS, flags | (first == block->length ? END_HEADERS : 0), stream, block->bytes, first);
	if (first < block->length)
		put_frame(end, CONTINUATION, END_HEADERS, stream, block->bytes + first, block->length - first);
}

void http2_end_head(
	struct http2_end *end, struct http2_stream_end *stream, enum message_salt salt, uint64_t id, bool has_body, uint64_t length, ...)
{
	struct block block = { .length = 0 };
	va_list arguments;
	va_start(arguments, length);
	for (const char *name; (name = va_arg(arguments, const char *)) != NULL;)
		put_field(end, &block, name, va_arg(arguments, const char *));
	va_end(arguments);
	put_number_field(end, &block, "x-id", id);
	put_number_field(end, &block, "x-length", length);
	if (has_body && chance(end, 500000))
		put_number_field(end, &block, "content-length", length);
	stream->salt = salt;
	stream->out_id = id;
	stream->out_length = has_body ? length : 0;
	stream->out_position = 0;
	stream->out_over = !has_body;
	put_block(end, stream->id, &block, !has_body);
	forget_if_over(stream);
	schedule(end, 0);
}

void http2_end_informational(struct http2_end *end, struct http2_stream_end *stream)
{
	struct block block = { .length = 0 };
	put_field(end, &block, ":status", "103");
	put_field(end, &block, "link", "</style>");
	put_block(end, stream->id, &block, false);
}

/* What was sent on a stream that is no more is asked about: acknowledged() looks at the window. */
static void ask_for_credit(struct http2_end *end)
{
	if (end->stream && end->got_settings && chance(end, 500000))
		put_ping(end);
}

void http2_end_reset(struct http2_end *end, struct http2_stream_end *stream, enum http2_end_code code)
{
	forget(stream);
	if (!end->stream)
		return;
	put_number(end, RST_STREAM, stream->id, code);
	ask_for_credit(end);
}

void http2_end_goaway(struct http2_end *end, uint32_t last)
{
	char payload[8] = { 0 };
	put32(payload, last);
	end->goaway_sent = true;
	put_frame(end, GOAWAY, 0, 0, payload, sizeof(payload));
}

/* --- bodies out --- */

static bool has_to_send(const struct http2_end *end, const struct http2_stream_end *stream)
{
	uint64_t most = stream->out_length < stream->cut_at ? stream->out_length : stream->cut_at;
	if (stream->out_id == 0 || stream->out_over)
		return false;
	return stream->out_position >= most || (stream->send_window > 0 && end->send_window > 0);
}

static size_t fill(struct http2_end *end, struct http2_stream_end *stream, char *room)
{
	int64_t most = end->slow || end->padded ? 1 + draw_below(&end->random, 2000) : DATA_MOST;
	if (most > stream->send_window)
		most = stream->send_window;
	if (most > end->send_window)
		most = end->send_window;
	if ((uint64_t)most > stream->out_length - stream->out_position)
		most = (int64_t)(stream->out_length - stream->out_position);
	if ((uint64_t)most > stream->cut_at - stream->out_position)
		most = (int64_t)(stream->cut_at - stream->out_position);
	message_write_body(room, (size_t)most, stream->out_id, stream->salt, stream->out_position);
	stream->out_position += (uint64_t)most;
	return (size_t)most;
}

/* Padding counts like the bytes that it is put to. */
static void put_data(struct http2_end *end, struct http2_stream_end *stream, bool ends, const char *bytes, size_t length)
{
	char padded[DATA_MOST + PADDING_MOST] = { 0 };
	unsigned flags = ends ? END_STREAM : 0;
	int64_t narrower = stream->send_window < end->send_window ? stream->send_window : end->send_window;
	size_t padding = (size_t)draw_below(&end->random, end->padded ? PADDING_MOST : 0), whole = length + 1 + padding;
	if (end->padded && (int64_t)whole <= narrower) {
		padded[0] = (char)padding;
		memcpy(padded + 1, bytes, length);
		put_frame(end, DATA, flags | PADDED, stream->id, padded, whole);
	} else {
		whole = length;
		put_frame(end, DATA, flags, stream->id, bytes, length);
	}
	stream->send_window -= (int64_t)whole;
	end->send_window -= (int64_t)whole;
	end->sent += whole;
}

static void send_next(struct http2_end *end, struct http2_stream_end *stream)
{
	char room[DATA_MOST];
	bool cut = stream->cut_at <= stream->out_length;
	size_t length = 0;
	if (stream->out_position < stream->out_length && stream->out_position < stream->cut_at)
		length = fill(end, stream, room);
	bool last = !cut && stream->out_position == stream->out_length;
	bool ends = last && !stream->out_trailers;
	if (length > 0 || ends)
		put_data(end, stream, ends, room, length);
	if (last && stream->out_trailers) {
		struct block block = { .length = 0 };
		put_field(end, &block, "x-end", "yes");
		put_block(end, stream->id, &block, true);
	}
	if (!last && !(cut && stream->out_position == stream->cut_at))
		return;
	stream->out_over = true;
	if (last)
		forget_if_over(stream);
	end->events->sent(end->owner, stream);
}

static struct http2_stream_end *next_to_send(struct http2_end *end)
{
	LIST_EACH(&end->streams, link) {
		struct http2_stream_end *stream = LIST_OF(link, struct http2_stream_end, link);
		if (has_to_send(end, stream))
			return stream;
	}
	return NULL;
}

static void on_pace(void *owner)
{
	struct http2_end *end = owner;
	if (end->broken) {
		gone(end);
		return;
	}
	while (end->stream && !end->blocked && !end->broken) {
		struct http2_stream_end *stream = next_to_send(end);
		if (!stream)
			return;
		/* In turn. */
		list_remove(&stream->link);
		list_append(&end->streams, &stream->link);
		send_next(end, stream);
		if (end->stream && end->slow) {
			schedule(end, draw_below(&end->random, 3 * CLOCK_MS));
			return;
		}
	}
}

/* --- windows in --- */

static void give_back(struct http2_end *end)
{
	LIST_EACH(&end->streams, link) {
		struct http2_stream_end *stream = LIST_OF(link, struct http2_stream_end, link);
		if (stream->unreturned == 0 || stream->in_over)
			continue;
		put_number(end, WINDOW_UPDATE, stream->id, stream->unreturned);
		stream->receive_window += stream->unreturned;
		stream->unreturned = 0;
	}
	if (end->unreturned > 0) {
		put_number(end, WINDOW_UPDATE, 0, end->unreturned);
		end->receive_window += end->unreturned;
		end->unreturned = 0;
	}
}

static void on_giving(void *owner)
{
	give_back(owner);
}

/* What a DATA frame took of the windows, padding included. False: more than they had. */
static bool count_data(struct http2_end *end, struct http2_stream_end *stream, uint32_t length)
{
	end->receive_window -= length;
	end->unreturned += length;
	if (stream) {
		stream->receive_window -= length;
		stream->unreturned += length;
	}
	if (end->receive_window < 0 || (stream && length > 0 && stream->receive_window < 0)) {
		wrong(end, stream ? stream->id : 0, "more than the window allows");
		return false;
	}
	if (!timer_is_set(&end->giving)) {
		bool late = chance(end, end->manners.pause_chance);
		set(end, &end->giving, loop_now(end->loop) + (late ? draw_below(&end->random, 20 * CLOCK_MS) : 0));
	}
	return true;
}

/* --- header blocks in --- */

static bool read_fields(struct http2_end *end, struct message *message)
{
	const char *at = end->block, *to = end->block + end->block_used;
	char line[8192];
	if (hpack_begin(&end->decoder, &at, to))
		return false;
	while (at < to) {
		struct hpack_field field;
		if (hpack_decode(&end->decoder, &at, to, line, sizeof(line), &field))
			return false;
		char *name = line, *value = line + field.name_length + 2;
		name[field.name_length] = '\0';
		value[field.value_length] = '\0';
		if (!message)
			continue;
		if (strcmp(name, ":status") == 0)
			sscanf(value, "%3u", &message->status);
		else if (strcmp(name, ":method") == 0)
			snprintf(message->method, sizeof(message->method), "%s", value);
		else if (strcmp(name, ":path") == 0)
			snprintf(message->target, sizeof(message->target), "%s", value);
		else
			message_field(message, strcmp(name, ":authority") == 0 ? "host" : name, value);
	}
	return true;
}

static struct http2_stream_end *opened(struct http2_end *end, uint32_t id)
{
	unsigned open = 0;
	LIST_EACH(&end->streams, link)
		open++;
	if (id % 2 == 0 || id <= end->last_id) {
		wrong(end, id, "a request whose number is none");
		return NULL;
	}
	end->last_id = id;
	if (open >= end->streams_allowed) {
		wrong(end, id, "one request more than is allowed at a time");
		return NULL;
	}
	struct http2_stream_end *stream = end->events->opened(end->owner, id);
	if (!stream)
		return NULL;
	*stream = (struct http2_stream_end){
		.id = id,
		.open = true,
		.send_window = end->peer_window,
		.receive_window = end->window,
		.owed_before = end->owed_number,
		.cut_at = UINT64_MAX,
	};
	message_init(&stream->in, SALT_REQUEST);
	list_append(&end->streams, &stream->link);
	return stream;
}

static void message_ends(struct http2_end *end, struct http2_stream_end *stream)
{
	stream->in_over = true;
	forget_if_over(stream);
	end->events->done(end->owner, stream);
}

/* An answer to what was asked behind SETTINGS or a PING, but they weren't answered. */
static bool overtakes(const struct http2_end *end, const struct http2_stream_end *stream)
{
	return end->client && end->owed_count > 0 && end->owed[0].number <= stream->owed_before;
}

static void block_done(struct http2_end *end)
{
	uint32_t id = end->block_stream;
	struct http2_stream_end *stream = find(end, id);
	bool trailers = stream && stream->has_head;
	end->block_stream = 0;
	if (!stream && !end->client && id > end->last_id)
		stream = opened(end, id);
	if (!end->stream)
		return;
	if (!read_fields(end, trailers || !stream ? NULL : &stream->in)) {
		wrong(end, id, "a header block that can't be read");
		return;
	}
	if (!stream)
		return;
	if (stream->in_over || (trailers && !end->block_ends)) {
		wrong(end, id, "fields where none may be");
	} else if (overtakes(end, stream)) {
		wrong(end, id, "an answer before what was said earlier is acknowledged");
	} else if (trailers) {
		message_ends(end, stream);
	} else if (end->client && stream->in.status < 200) {
		bool to_head = stream->in.to_head;
		message_init(&stream->in, SALT_RESPONSE);
		stream->in.to_head = to_head;
	} else {
		stream->has_head = true;
		bool ends = end->block_ends;
		end->events->head(end->owner, stream);
		if (ends && end->stream && find(end, id) == stream)
			message_ends(end, stream);
	}
}

static void add_block(struct http2_end *end, unsigned flags, const char *bytes, size_t length)
{
	if (end->block_used + length > BLOCK_MOST) {
		wrong(end, end->block_stream, "a header block without an end");
		return;
	}
	memcpy(end->block + end->block_used, bytes, length);
	end->block_used += length;
	if (flags & END_HEADERS)
		block_done(end);
}

/* --- frames in --- */

/* Takes padding off. False: it is longer than the frame. */
static bool strip(unsigned flags, const char **bytes, size_t *length)
{
	if (!(flags & PADDED))
		return true;
	if (*length == 0)
		return false;
	size_t padding = (unsigned char)**bytes;
	if (padding >= *length)
		return false;
	(*bytes)++;
	*length -= 1 + padding;
	return true;
}

static bool is_idle(const struct http2_end *end, uint32_t id)
{
	return id == 0 || id % 2 == 0 || (end->client ? id >= end->next_id : id > end->last_id);
}

static void read_data(struct http2_end *end, unsigned flags, uint32_t id, const char *bytes, size_t length)
{
	struct http2_stream_end *stream = find(end, id);
	if (is_idle(end, id) || (stream && (stream->in_over || !stream->has_head))) {
		wrong(end, id, "DATA where none may be");
		return;
	}
	if (!count_data(end, stream, (uint32_t)length))
		return;
	if (!strip(flags, &bytes, &length)) {
		wrong(end, id, "padding longer than its frame");
		return;
	}
	if (!stream)
		return;
	stream->heard = loop_now(end->loop);
	message_body(&stream->in, bytes, length);
	if (flags & END_STREAM)
		message_ends(end, stream);
}

static void read_headers(struct http2_end *end, unsigned flags, uint32_t id, const char *bytes, size_t length)
{
	if (end->client ? is_idle(end, id) : id == 0) {
		wrong(end, id, "HEADERS where none may be");
		return;
	}
	if (!strip(flags, &bytes, &length) || ((flags & WITH_PRIORITY) && length < 5)) {
		wrong(end, id, "padding longer than its frame");
		return;
	}
	if (flags & WITH_PRIORITY) {
		bytes += 5;
		length -= 5;
	}
	if (!end->block)
		end->block = memory_new(BLOCK_MOST);
	end->block_used = 0;
	end->block_stream = id;
	end->block_ends = flags & END_STREAM;
	add_block(end, flags, bytes, length);
}

static void read_reset(struct http2_end *end, uint32_t id, const char *bytes, size_t length)
{
	if (length != 4 || is_idle(end, id)) {
		wrong(end, id, "RST_STREAM where none may be");
		return;
	}
	struct http2_stream_end *stream = find(end, id);
	if (!stream)
		return;
	forget(stream);
	ask_for_credit(end);
	end->events->reset(end->owner, stream, get32(bytes));
}

static void apply_setting(struct http2_end *end, unsigned name, uint32_t value)
{
	if (name == SET_MAX_STREAMS) {
		end->max_streams = value;
	} else if (name == SET_WINDOW) {
		LIST_EACH(&end->streams, link)
			LIST_OF(link, struct http2_stream_end, link)->send_window += (int64_t)value - end->peer_window;
		end->peer_window = value;
	}
}

/* What was sent before a PING was read when it is acknowledged, so the connection's window has it again, but for what isn't worth
 * a frame; also what was sent on streams that are no more. */
static void check_credit(struct http2_end *end, uint64_t sent_before)
{
	int64_t missing = end->widest - end->send_window - (int64_t)(end->sent - sent_before);
	if (missing > FIRST_WINDOW / 2)
		harness_fail(end->harness, "an HTTP/2 %s misses %lld bytes in its connection's window", end->client ? "user" : "service",
			(long long)missing);
}

/* The oldest of what is owed. */
static void acknowledged(struct http2_end *end, bool ping, uint32_t number)
{
	struct http2_end_owed owed = end->owed[0];
	if (end->owed_count == 0 || owed.ping != ping || (ping && owed.number != number)) {
		wrong(end, 0, ping ? "an acknowledgement of a PING out of turn" : "an acknowledgement of SETTINGS out of turn");
		return;
	}
	memmove(&end->owed[0], &end->owed[1], --end->owed_count * sizeof(end->owed[0]));
	if (end->owed_count == 0)
		timer_cancel(end->loop, &end->overdue);
	if (owed.window) {
		LIST_EACH(&end->streams, link)
			LIST_OF(link, struct http2_stream_end, link)->receive_window += (int64_t)owed.window - end->window;
		end->window = owed.window;
	}
	if (owed.max_streams)
		end->streams_allowed = owed.max_streams;
	if (ping)
		check_credit(end, owed.sent);
}

static void read_settings(struct http2_end *end, unsigned flags, const char *bytes, size_t length)
{
	if (flags & ACK) {
		acknowledged(end, false, 0);
		return;
	}
	for (size_t at = 0; at + 6 <= length; at += 6)
		apply_setting(end, (unsigned char)bytes[at] * 256u + (unsigned char)bytes[at + 1], get32(bytes + at + 2));
	end->got_settings = true;
	put_frame(end, SETTINGS, ACK, 0, "", 0);
	schedule(end, 0);
}

static void read_ping(struct http2_end *end, unsigned flags, const char *bytes, size_t length)
{
	if (length != 8)
		wrong(end, 0, "a PING of another length");
	else if (flags & ACK)
		acknowledged(end, true, get32(bytes + 4));
	else
		put_frame(end, PING, ACK, 0, bytes, 8);
}

static void read_goaway(struct http2_end *end, const char *bytes, size_t length)
{
	if (length < 8) {
		wrong(end, 0, "a GOAWAY that is too short");
		return;
	}
	end->goaway_seen = true;
	if (get32(bytes + 4) != HTTP2_END_NO_ERROR && end->harness->silences == 0)
		sim_note(end->harness->sim, "GOAWAY with the code %u", get32(bytes + 4));
	end->events->goaway(end->owner, get32(bytes));
}

static void read_window(struct http2_end *end, uint32_t id, const char *bytes, size_t length)
{
	struct http2_stream_end *stream = id ? find(end, id) : NULL;
	if (length != 4 || get32(bytes) == 0 || (id && is_idle(end, id))) {
		wrong(end, id, "WINDOW_UPDATE where none may be");
		return;
	}
	if (id == 0)
		end->send_window += get32(bytes);
	else if (stream)
		stream->send_window += get32(bytes);
	if (end->send_window > end->widest)
		end->widest = end->send_window;
	if (end->send_window > HTTP2_END_ID_MOST || (stream && stream->send_window > HTTP2_END_ID_MOST))
		wrong(end, id, "of a window above all limits");
	else
		schedule(end, 0);
}

static void read_frame(struct http2_end *end, unsigned type, unsigned flags, uint32_t id, const char *bytes, size_t length)
{
	if (end->block_stream && (type != CONTINUATION || id != end->block_stream)) {
		wrong(end, id, "something else within a header block");
		return;
	}
	if (!end->got_settings && type != SETTINGS) {
		wrong(end, id, "something before SETTINGS");
		return;
	}
	switch (type) {
	case DATA:
		read_data(end, flags, id, bytes, length);
		break;
	case HEADERS:
		read_headers(end, flags, id, bytes, length);
		break;
	case CONTINUATION:
		if (end->block_stream)
			add_block(end, flags, bytes, length);
		else
			wrong(end, id, "CONTINUATION of nothing");
		break;
	case RST_STREAM:
		read_reset(end, id, bytes, length);
		break;
	case SETTINGS:
		read_settings(end, flags, bytes, length);
		break;
	case PING:
		read_ping(end, flags, bytes, length);
		break;
	case GOAWAY:
		read_goaway(end, bytes, length);
		break;
	case WINDOW_UPDATE:
		read_window(end, id, bytes, length);
		break;
	case PUSH_PROMISE:
		wrong(end, id, "PUSH_PROMISE");
		break;
	default:
		break;
	}
}

/* How many bytes it took: at most to the end of one frame. */
static size_t read_some(struct http2_end *end, const char *bytes, size_t length)
{
	size_t wanted = FRAME_HEAD;
	if (end->in_used >= FRAME_HEAD)
		wanted += get32(end->in) >> 8;
	if (wanted > sizeof(end->in)) {
		wrong(end, 0, "a frame that is too long");
		return length;
	}
	size_t most = wanted - end->in_used < length ? wanted - end->in_used : length;
	memcpy(end->in + end->in_used, bytes, most);
	end->in_used += most;
	if (end->in_used >= FRAME_HEAD && end->in_used == FRAME_HEAD + (get32(end->in) >> 8)) {
		end->in_used = 0;
		read_frame(end, (unsigned char)end->in[3], (unsigned char)end->in[4], get32(end->in + 5) & HTTP2_END_ID_MOST,
			end->in + FRAME_HEAD, get32(end->in) >> 8);
	}
	return most;
}

static void on_received(void *owner, struct buffer *buffer)
{
	struct http2_end *end = owner;
	size_t at = 0;
	for (; !end->client && end->preface_read < sizeof(preface) - 1 && at < buffer->filled; at++) {
		if (buffer->bytes[at] != preface[end->preface_read++]) {
			wrong(end, 0, "no preface");
			break;
		}
	}
	while (end->stream && at < buffer->filled)
		at += read_some(end, buffer->bytes + at, buffer->filled - at);
	buffer_unref(buffer);
}

static void on_connected(void *owner)
{
	(void)owner;
}

static void on_ended(void *owner)
{
	gone(owner);
}

static void on_drained(void *owner)
{
	struct http2_end *end = owner;
	end->blocked = false;
	schedule(end, 0);
}

static void on_failed(void *owner, int error)
{
	(void)error;
	gone(owner);
}

static const struct stream_events events = {
	.connected = on_connected,
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.failed = on_failed,
};

/* --- life --- */

static uint32_t draw_window(struct http2_end *end)
{
	bool narrow = chance(end, end->manners.narrow_chance);
	return LEAST_WINDOW + (uint32_t)draw_skewed(&end->random, narrow ? 10000 : 200000, 6);
}

static uint32_t draw_streams(struct http2_end *end)
{
	return end->client ? 0 : 1 + (uint32_t)draw_skewed(&end->random, 60, 6);
}

static void plan_whim(struct http2_end *end)
{
	set(end, &end->whim, loop_now(end->loop) + draw_skewed(&end->random, 500 * CLOCK_MS, 8));
}

static void on_whim(void *owner)
{
	struct http2_end *end = owner;
	switch (draw_below(&end->random, 4)) {
	case 0:
		put_ping(end);
		break;
	case 1:
		put_settings(end, draw_window(end), 0);
		break;
	case 2:
		put_settings(end, 0, draw_streams(end));
		break;
	default:
		put_settings(end, draw_window(end), draw_streams(end));
		put_ping(end);
		break;
	}
	if (end->whims++ < WHIMS_MOST)
		plan_whim(end);
}

static void on_overdue(void *owner)
{
	struct http2_end *end = owner;
	if (end->harness->silences == 0)
		wrong(end, 0, "nothing of SETTINGS or a PING for a long time");
	else
		gone(end);
}

bool http2_end_open(struct http2_end *end, struct http2_stream_end *stream)
{
	unsigned open = 0;
	LIST_EACH(&end->streams, link)
		open++;
	if (!end->stream || end->broken || end->goaway_seen || open >= end->max_streams)
		return false;
	*stream = (struct http2_stream_end){
		.id = end->next_id,
		.open = true,
		.send_window = end->peer_window,
		.receive_window = end->window,
		.owed_before = end->owed_number,
		.heard = loop_now(end->loop),
		.cut_at = UINT64_MAX,
	};
	end->next_id += 2;
	message_init(&stream->in, SALT_RESPONSE);
	list_append(&end->streams, &stream->link);
	return true;
}

void http2_end_start(struct http2_end *end, struct harness *harness, struct loop *loop, struct stream *stream, bool client,
	const struct http2_end_manners *manners, uint64_t seed, const struct http2_end_events *told, void *owner)
{
	*end = (struct http2_end){
		.harness = harness,
		.loop = loop,
		.stream = stream,
		.client = client,
		.events = told,
		.owner = owner,
		.manners = *manners,
		.next_id = 1,
		.max_streams = 100,
		.receive_window = FIRST_WINDOW,
		.window = FIRST_WINDOW,
		.streams_allowed = UINT32_MAX,
		.send_window = FIRST_WINDOW,
		.widest = FIRST_WINDOW,
		.peer_window = FIRST_WINDOW,
	};
	random_init(&end->random, seed);
	list_init(&end->streams);
	pool_init(&end->tables, "table", hpack_table_size(), 1);
	hpack_decoder_init(&end->decoder, &end->tables);
	timer_init(&end->pace, on_pace, end);
	timer_init(&end->giving, on_giving, end);
	timer_init(&end->whim, on_whim, end);
	timer_init(&end->overdue, on_overdue, end);
	end->slow = chance(end, manners->slow_chance);
	end->padded = chance(end, manners->padded_chance);
	stream_own(stream, &events, end);
	stream_resume(stream);
	if (client)
		send(end, preface, sizeof(preface) - 1);
	put_settings(end, draw_window(end), draw_streams(end));
	if (chance(end, manners->whim_chance))
		plan_whim(end);
}

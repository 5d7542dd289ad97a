/* SPDX-License-Identifier: Apache-2.0 */
#include "support/frames.h"

#include "base/check.h"
#include "base/memory.h"

enum { BLOCK_ROOM = 96 * 1024 };

void frames_new(struct frames *frames, struct pair *pair)
{
	*frames = (struct frames){ .pair = pair };
	pool_init(&frames->tables, "table", hpack_table_size(), 0);
}

static void forget_seen(struct frames *frames)
{
	for (unsigned i = 0; i < frames->count; i++)
		memory_free(frames->seen[i].fields);
	memory_free(frames->seen);
	frames->seen = NULL;
	frames->count = 0;
}

void frames_free(struct frames *frames)
{
	forget_seen(frames);
	for (unsigned i = 0; i < frames->kept_count; i++)
		text_free(&frames->kept[i]);
	memory_free(frames->kept);
	text_free(&frames->out);
	pool_fini(&frames->tables);
}

/* --- out --- */

void frames_put(struct frames *frames, unsigned type, unsigned flags, uint32_t stream, const void *payload, size_t length)
{
	char head[HTTP2_FRAME_HEAD];

	http2_put_frame(head, length, (enum http2_type)type, flags, stream);
	text_append(&frames->out, slice_make(head, sizeof head));
	if (length > 0)
		text_append(&frames->out, slice_make(payload, length));
}

void frames_preface(struct frames *frames)
{
	text_append(&frames->out, slice_make(http2_preface, HTTP2_PREFACE_LENGTH));
	frames_put(frames, HTTP2_SETTINGS, 0, 0, NULL, 0);
}

struct slice frames_block(const char *fields, char *room)
{
	struct slice rest = slice_of(fields), line, name;
	char *at = room;

	while (rest.length > 0 && slice_split(&rest, '\n', &line)) {
		slice_split(&line, '|', &name);
		at = hpack_put_field(at, HPACK_NONE, name, line, false);
	}
	return slice_make(room, (size_t)(at - room));
}

void frames_headers(struct frames *frames, uint32_t stream, unsigned flags, const char *fields)
{
	char *room = memory_new(BLOCK_ROOM);
	struct slice block = frames_block(fields, room);

	frames_put(frames, HTTP2_HEADERS, flags | HTTP2_END_HEADERS, stream, block.at, block.length);
	memory_free(room);
}

void frames_data(struct frames *frames, uint32_t stream, unsigned flags, size_t length)
{
	char *bytes = memory_new(length + 1);

	memset(bytes, 'd', length);
	frames_put(frames, HTTP2_DATA, flags, stream, bytes, length);
	memory_free(bytes);
}

void frames_setting(struct frames *frames, enum http2_setting setting, uint32_t value)
{
	char payload[HTTP2_SETTING_LENGTH];

	http2_put_setting(payload, setting, value);
	frames_put(frames, HTTP2_SETTINGS, 0, 0, payload, sizeof payload);
}

void frames_window(struct frames *frames, uint32_t stream, uint32_t increment)
{
	char bytes[HTTP2_WINDOW_UPDATE_ROOM];

	http2_put_window_update(bytes, stream, increment);
	text_append(&frames->out, slice_make(bytes, sizeof bytes));
}

void frames_reset(struct frames *frames, uint32_t stream, enum http2_error code)
{
	char bytes[HTTP2_RST_STREAM_ROOM];

	http2_put_rst_stream(bytes, stream, code);
	text_append(&frames->out, slice_make(bytes, sizeof bytes));
}

void frames_goaway(struct frames *frames, uint32_t last, enum http2_error code)
{
	char bytes[HTTP2_GOAWAY_ROOM];

	http2_put_goaway(bytes, last, code);
	text_append(&frames->out, slice_make(bytes, sizeof bytes));
}

void frames_ping(struct frames *frames, const char *payload, bool ack)
{
	char bytes[HTTP2_PING_ROOM];

	http2_put_ping(bytes, payload, ack);
	text_append(&frames->out, slice_make(bytes, sizeof bytes));
}

void frames_send(struct frames *frames)
{
	if (frames->out.length == 0)
		return;
	frames->kept = memory_grow(frames->kept, frames->kept_count + 1, sizeof *frames->kept);
	frames->kept[frames->kept_count++] = frames->out;
	if (frames->pair->raw)
		pair_send_raw(frames->pair, frames->out.bytes, frames->out.length);
	frames->out = (struct text){ 0 };
}

/* --- in --- */

static char *decode_fields(struct hpack_decoder *decoder, struct slice block)
{
	const char *at = block.at, *end = at + block.length;
	char *room = memory_new(BLOCK_ROOM), *fields;
	struct text text = { 0 };
	struct hpack_field field;
	int e = hpack_begin(decoder, &at, end);

	while (e == 0 && at < end) {
		e = hpack_decode(decoder, &at, end, room, BLOCK_ROOM, &field);
		CHECK(e == 0);
		text_append(&text, slice_make(field.line, field.name_length + 4u + field.value_length));
	}
	CHECK(e == 0);
	fields = memory_text(text_slice(&text));
	text_free(&text);
	memory_free(room);
	return fields;
}

/* The fields of a HEADERS frame are there once its block has ended, in that frame or in a CONTINUATION. */
static void gather_block(struct frames *frames, struct hpack_decoder *decoder, struct text *block, unsigned *first)
{
	const struct frames_seen *seen = &frames->seen[frames->count - 1];

	if (seen->frame.type == HTTP2_HEADERS) {
		CHECK(!(seen->frame.flags & (HTTP2_PADDED | HTTP2_HAS_PRIORITY)));
		text_clear(block);
		*first = frames->count - 1;
	} else if (seen->frame.type != HTTP2_CONTINUATION) {
		return;
	}
	text_append(block, slice_make(seen->payload, seen->frame.length));
	if (seen->frame.flags & HTTP2_END_HEADERS)
		frames->seen[*first].fields = decode_fields(decoder, text_slice(block));
}

void frames_read(struct frames *frames)
{
	struct slice rest = text_slice(&frames->pair->received);
	struct text block = { 0 };
	unsigned first = 0;
	struct hpack_decoder decoder;

	forget_seen(frames);
	hpack_decoder_init(&decoder, &frames->tables);
	if (slice_starts(rest, slice_of(http2_preface)))
		rest = slice_from(rest, HTTP2_PREFACE_LENGTH);
	while (rest.length >= HTTP2_FRAME_HEAD) {
		struct frames_seen seen = { 0 };

		http2_parse_frame(rest.at, &seen.frame);
		if (rest.length - HTTP2_FRAME_HEAD < seen.frame.length)
			break;
		seen.payload = rest.at + HTTP2_FRAME_HEAD;
		rest = slice_from(rest, HTTP2_FRAME_HEAD + seen.frame.length);
		if (seen.frame.type == HTTP2_RST_STREAM)
			seen.code = http2_get32(seen.payload);
		if (seen.frame.type == HTTP2_GOAWAY)
			seen.code = http2_get32(seen.payload + 4);
		frames->seen = memory_grow(frames->seen, frames->count + 1, sizeof *frames->seen);
		frames->seen[frames->count++] = seen;
		gather_block(frames, &decoder, &block, &first);
	}
	hpack_decoder_fini(&decoder);
	text_free(&block);
}

void frames_settle(struct frames *frames)
{
	pair_settle(frames->pair);
	frames_read(frames);
}

void frames_exchange(struct frames *frames)
{
	frames_send(frames);
	frames_settle(frames);
}

static bool is(const struct frames_seen *seen, enum http2_type type, uint32_t stream)
{
	return seen->frame.type == type && seen->frame.stream == stream;
}

const struct frames_seen *frames_find(const struct frames *frames, enum http2_type type, uint32_t stream)
{
	for (unsigned i = 0; i < frames->count; i++) {
		if (is(&frames->seen[i], type, stream))
			return &frames->seen[i];
	}
	return NULL;
}

const struct frames_seen *frames_last(const struct frames *frames, enum http2_type type, uint32_t stream)
{
	for (unsigned i = frames->count; i > 0; i--) {
		if (is(&frames->seen[i - 1], type, stream))
			return &frames->seen[i - 1];
	}
	return NULL;
}

unsigned frames_number(const struct frames *frames, enum http2_type type, uint32_t stream)
{
	unsigned number = 0;

	for (unsigned i = 0; i < frames->count; i++)
		number += is(&frames->seen[i], type, stream);
	return number;
}

size_t frames_data_length(const struct frames *frames, uint32_t stream)
{
	size_t length = 0;

	for (unsigned i = 0; i < frames->count; i++)
		length += is(&frames->seen[i], HTTP2_DATA, stream) ? frames->seen[i].frame.length : 0;
	return length;
}

uint64_t frames_window_given(const struct frames *frames, uint32_t stream)
{
	uint64_t given = 0;

	for (unsigned i = 0; i < frames->count; i++)
		given += is(&frames->seen[i], HTTP2_WINDOW_UPDATE, stream) ? http2_get32(frames->seen[i].payload) : 0;
	return given;
}

uint32_t frames_goaway_code(const struct frames *frames)
{
	uint32_t code = UINT32_MAX;

	for (unsigned i = 0; i < frames->count; i++)
		code = frames->seen[i].frame.type == HTTP2_GOAWAY ? frames->seen[i].code : code;
	return code;
}

bool frames_hello(struct frames *frames, uint32_t stream)
{
	frames_headers(frames, stream, HTTP2_END_STREAM, FRAMES_GET);
	frames_exchange(frames);
	return frames_find(frames, HTTP2_HEADERS, stream) && frames_data_length(frames, stream) == 5;
}

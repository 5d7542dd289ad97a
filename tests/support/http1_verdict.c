/* SPDX-License-Identifier: Apache-2.0 */
#include "support/http1_verdict.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, length) ((void)(at), (void)(length))
#define ASAN_UNPOISON_MEMORY_REGION(at, length) ((void)(at), (void)(length))
#endif

enum { MOST_MESSAGES = 8, TRAILER_ROOM = 100 };

enum phase {
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_TRAILERS,
	PHASE_OVER,
};

struct reader {
	const struct verdict_input *input;
	struct text *out, data;
	char *bytes;
	size_t at, available;
	enum phase phase;
	unsigned messages;
	struct http1_parser parser;
	struct http1_body body;
	struct head head;
};

static void must(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "round trip: %s\n", what);
		abort();
	}
}

static void escape(struct text *out, struct slice s)
{
	for (size_t i = 0; i < s.length; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (c < ' ' || c > '~' || c == '\\')
			text_format(out, "\\x%02x", c);
		else
			text_append(out, slice_make(s.at + i, 1));
	}
}

static void line(struct text *out, const char *name, struct slice value)
{
	text_format(out, "%s ", name);
	escape(out, value);
	text_append(out, SLICE("\n"));
}

static bool is_clean(struct slice s)
{
	for (size_t i = 0; i < s.length; i++) {
		if (s.at[i] == '\r' || s.at[i] == '\n' || s.at[i] == '\0')
			return false;
	}
	return true;
}

static void field_line(struct text *out, const char *kind, const struct field *field)
{
	must(is_clean(field_name(field)) && is_clean(field_value(field)), "CR, LF or NUL in a field");
	must(field->id == field_identify(field_name(field)), "a field's id");
	text_format(out, "%s ", kind);
	escape(out, field_name(field));
	text_append(out, SLICE(": "));
	escape(out, field_value(field));
	text_append(out, SLICE("\n"));
}

/* The fields that a head and what was written of it must have in common. */
static bool is_passed(const struct head *head, const struct field *field)
{
	switch (field->id) {
	case FIELD_HOST:
		return head->is_response;
	case FIELD_CONTENT_LENGTH:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_CONNECTION:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
		return false;
	case FIELD_UPGRADE:
		return head->upgrades;
	default:
		return true;
	}
}

static const struct field *next_passed(const struct head *head, size_t *at)
{
	while (*at < head->field_count) {
		const struct field *field = &head->fields[(*at)++];

		if (is_passed(head, field))
			return field;
	}
	return NULL;
}

static void must_equal_fields(const struct head *a, const struct head *b)
{
	size_t in_a = 0, in_b = 0;
	const struct field *f, *g;

	for (;;) {
		f = next_passed(a, &in_a);
		g = next_passed(b, &in_b);
		must(!f == !g, "number of fields");
		if (!f)
			return;
		must(slice_equal(field_name(f), field_name(g)) && slice_equal(field_value(f), field_value(g)), "a field");
	}
}

/* Writes the head, parses what was written, and compares. */
static void round_trip(const struct head *head, enum method request_method)
{
	static struct head again;
	/* What is written may be longer than what was received: the limits are not what is tried here. */
	struct http1_limits limits = { .max_line_bytes = 65535, .max_head_bytes = 65535 };
	enum http1_connection connection = head->upgrades ? HTTP1_CONNECTION_UPGRADE : HTTP1_CONNECTION_DEFAULT;
	enum body framing = http1_response_framing(head, VERSION_1_1);
	size_t room = http1_head_room(head), length, consumed;
	char *out = memory_new(room);
	struct http1_parser parser;
	int e;

	http1_parser_init(&parser, &limits);
	if (head->is_response)
		length = http1_write_response(out, room, head, request_method, framing, connection);
	else
		length = http1_write_request(out, room, head, connection);
	must(length > 0 && length <= room, "room");
	if (head->is_response)
		e = http1_parse_response(&parser, out, length, request_method, &again, &consumed);
	else
		e = http1_parse_request(&parser, out, length, &again, &consumed);
	must(e == 0 && consumed == length, e ? parser.reason : "length");
	must(head->status == again.status && slice_equal(head->reason, again.reason), "status");
	must(slice_equal(head->method_text, again.method_text) && slice_equal(head->target, again.target), "request line");
	must(slice_equal(head->authority, again.authority), "authority");
	must(again.body == (head->is_response ? (uint8_t)framing : head->body), "framing");
	must(head->body != BODY_LENGTH || head->body_length == again.body_length, "length");
	must(head->upgrades == again.upgrades || head->version == VERSION_1_0, "upgrade");
	must(head->expects_continue == again.expects_continue || head->version == VERSION_1_0, "Expect");
	must_equal_fields(head, &again);
	memory_free(out);
}

static void tell_head(struct reader *reader)
{
	static const char *const bodies[] = { "none", "length", "chunked", "close" };
	struct head *head = &reader->head;
	struct text *out = reader->out;

	if (head->is_response) {
		text_format(out, "response %u", head->status);
		line(out, "", head->reason);
	} else {
		text_append(out, SLICE("request "));
		escape(out, head->method_text);
		line(out, "", head->target);
	}
	text_format(out, "version %s\n", head->version == VERSION_1_0 ? "1.0" : "1.1");
	if (head->absolute_form)
		line(out, "scheme", head->scheme);
	if (!head->is_response)
		line(out, "authority", head->authority);
	text_format(out, "flags%s%s%s\n", http1_persistent(head) ? " persistent" : "", head->expects_continue ? " continue" : "",
		head->upgrades ? " upgrade" : "");
	for (size_t i = 0; i < head->field_count; i++)
		field_line(out, "field", &head->fields[i]);
	text_format(out, "body %s", bodies[head->body]);
	if (head->body == BODY_LENGTH)
		text_format(out, " %llu", (unsigned long long)head->body_length);
	text_append(out, SLICE("\n"));
}

static void over(struct reader *reader, const char *how)
{
	text_format(reader->out, "%s %zu\n", how, reader->input->length - reader->at);
	reader->phase = PHASE_OVER;
}

static void refused(struct reader *reader, unsigned status, const char *reason)
{
	text_format(reader->out, "refused %u %s\n", status, reason);
	reader->phase = PHASE_OVER;
}

static void tell_data(struct reader *reader)
{
	if (reader->data.length > 0)
		line(reader->out, "data", text_slice(&reader->data));
	text_clear(&reader->data);
}

static void end_message(struct reader *reader)
{
	const struct head *head = &reader->head;
	bool informational = head->is_response && head->status < 200;
	bool tunnels = head->is_response
		? head->status == 101 || (reader->input->request_method == METHOD_CONNECT && head->status / 100 == 2)
		: head->method == METHOD_CONNECT;

	tell_data(reader);
	text_append(reader->out, SLICE("end\n"));
	reader->phase = PHASE_HEAD;
	if (tunnels)
		over(reader, "tunnel");
	else if (!http1_persistent(head) || (head->is_response && !informational) || ++reader->messages == MOST_MESSAGES)
		over(reader, "closed");
}

/* Each answers whether it got on. */
static bool read_head(struct reader *reader)
{
	char *at = reader->bytes + reader->at;
	size_t length = reader->available - reader->at, consumed;
	int e;

	if (reader->input->is_response)
		e = http1_parse_response(&reader->parser, at, length, reader->input->request_method, &reader->head, &consumed);
	else
		e = http1_parse_request(&reader->parser, at, length, &reader->head, &consumed);
	if (e == ERROR_SYNTAX)
		refused(reader, reader->parser.status, reader->parser.reason);
	if (e)
		return false;
	must(consumed > 0 && consumed <= length, "consumed");
	reader->at += consumed;
	tell_head(reader);
	round_trip(&reader->head, reader->input->request_method);
	http1_body_init(&reader->body, &reader->head);
	reader->phase = PHASE_BODY;
	return true;
}

static bool read_body(struct reader *reader)
{
	struct slice rest = slice_make(reader->bytes + reader->at, reader->available - reader->at), data;
	enum http1_step step;
	size_t consumed;

	if (http1_body_decode(&reader->body, rest, &data, &consumed, &step)) {
		tell_data(reader);
		refused(reader, 400, reader->body.reason);
		return false;
	}
	must(consumed <= rest.length, "consumed");
	reader->at += consumed;
	switch (step) {
	case HTTP1_MORE:
		must(consumed == rest.length, "consumed all");
		return false;
	case HTTP1_DATA:
		must(data.length > 0 && data.at >= rest.at && data.at + data.length <= rest.at + consumed, "data");
		text_append(&reader->data, data);
		return true;
	case HTTP1_TRAILERS:
		tell_data(reader);
		reader->phase = PHASE_TRAILERS;
		return true;
	case HTTP1_END:
		must(http1_body_ended(&reader->body), "ended");
		end_message(reader);
		return reader->phase != PHASE_OVER;
	}
	return false;
}

static bool read_trailers(struct reader *reader)
{
	static struct field room[TRAILER_ROOM];
	struct fields trailers;
	size_t consumed;
	int e = http1_parse_trailers(
		&reader->parser, reader->bytes + reader->at, reader->available - reader->at, room, TRAILER_ROOM, &trailers, &consumed);

	if (e == ERROR_SYNTAX)
		refused(reader, reader->parser.status, reader->parser.reason);
	if (e)
		return false;
	must(consumed > 0 && consumed <= reader->available - reader->at, "consumed");
	reader->at += consumed;
	for (size_t i = 0; i < trailers.count; i++)
		field_line(reader->out, "trailer", &trailers.at[i]);
	end_message(reader);
	return reader->phase != PHASE_OVER;
}

static void read_on(struct reader *reader)
{
	bool on = true;

	while (on) {
		switch (reader->phase) {
		case PHASE_HEAD:
			on = read_head(reader);
			break;
		case PHASE_BODY:
			on = read_body(reader);
			break;
		case PHASE_TRAILERS:
			on = read_trailers(reader);
			break;
		case PHASE_OVER:
			return;
		}
	}
}

static void close_input(struct reader *reader)
{
	if (reader->phase == PHASE_BODY && reader->input->closes && http1_body_close(&reader->body) == 0)
		end_message(reader);
	if (reader->phase != PHASE_OVER) {
		tell_data(reader);
		text_append(reader->out, SLICE("incomplete\n"));
	}
}

void http1_verdict(struct text *out, const struct verdict_input *input)
{
	static struct reader reader;
	size_t step = input->step;

	reader = (struct reader){ .input = input, .out = out };
	http1_parser_init(&reader.parser, &input->limits);
	reader.bytes = memory_new(input->length + 1);
	ASAN_POISON_MEMORY_REGION(reader.bytes, input->length + 1);
	while (reader.available < input->length) {
		size_t next = step > 0 ? reader.available + step : reader.available < input->cut ? input->cut : input->length;

		if (next > input->length)
			next = input->length;
		ASAN_UNPOISON_MEMORY_REGION(reader.bytes, next);
		memcpy(reader.bytes + reader.available, input->bytes + reader.available, next - reader.available);
		reader.available = next;
		read_on(&reader);
	}
	close_input(&reader);
	ASAN_UNPOISON_MEMORY_REGION(reader.bytes, input->length + 1);
	memory_free(reader.bytes);
	text_free(&reader.data);
}

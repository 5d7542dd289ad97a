/* SPDX-License-Identifier: Apache-2.0 */
#include "support/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "support/contract.h"
#include "wire/http1.h"

enum { PATTERN_PIECE = 4096 };

/* --- what they are told --- */

static void play(struct call *call, enum call_event event)
{
	if (call->script)
		call->script(call, event);
	/* An exchange that is over, or was reset, releases its side unless its script has other plans. */
	if (call->side && !call->keeps_side && call->was_reset)
		call_release(call, RESET_NONE);
}

static void told_informational(struct side *side, struct head *head)
{
	struct call *call = side->exchange;

	call->informational++;
	call->last_informational = head->status;
	play(call, CALL_INFORMATIONAL);
}

static void told_head(struct side *side, struct head *head)
{
	struct call *call = side->exchange;

	head_copy(&call->head, head);
	call->has_head = true;
	call->status = head->status;
	play(call, CALL_HEAD);
}

static void told_body(struct side *side, struct piece piece)
{
	struct call *call = side->exchange;

	call->pieces++;
	call->body_length += piece.length;
	if (!call->body_most || call->body.length < call->body_most)
		text_append(&call->body, slice_make(piece.at, piece.length));
	piece_release(&piece);
	play(call, CALL_BODY);
}

static void told_trailers(struct side *side, const struct fields *fields)
{
	struct call *call = side->exchange;

	for (unsigned i = 0; i < fields->count; i++)
		text_append(&call->trailers, slice_make(fields->at[i].line, fields->at[i].line_length));
	call->ended = true;
	play(call, CALL_TRAILERS);
}

static void told_end(struct side *side)
{
	struct call *call = side->exchange;

	call->ended = true;
	play(call, CALL_END);
}

static void told_reset(struct side *side, enum reset why, int error)
{
	struct call *call = side->exchange;

	call->was_reset = true;
	call->why = why;
	call->error = error;
	play(call, CALL_RESET);
}

static void told_writable(struct side *side)
{
	struct call *call = side->exchange;

	call->writables++;
	play(call, CALL_WRITABLE);
}

static const struct side_events side_events = {
	.informational = told_informational,
	.head = told_head,
	.body = told_body,
	.trailers = told_trailers,
	.end = told_end,
	.reset = told_reset,
	.writable = told_writable,
};

/* --- what scripts do --- */

/* Both parsers, so that a head looks as if it had been received. The text must live as long as the head: it is static here. */
static void make_head(const char *text, bool response, struct head *head, char *room)
{
	struct http1_limits limits = { 0 };
	struct http1_parser parser;
	size_t length = strlen(text), consumed;
	int e;

	CHECK(length < CALL_HEAD_TEXT);
	memcpy(room, text, length + 1);
	http1_parser_init(&parser, &limits);
	if (response)
		e = http1_parse_response(&parser, room, length, METHOD_GET, head, &consumed);
	else
		e = http1_parse_request(&parser, room, length, head, &consumed);
	if (e || consumed != length) {
		fprintf(stderr, "a test's head can't be parsed: %s\n", text);
		abort();
	}
}

void call_send_head(struct call *call, const char *text, bool end)
{
	make_head(text, strncmp(text, "HTTP/", 5) == 0, &call->sent_head, call->sent_text);
	side_send_head(call->side, &call->sent_head, end);
}

void call_send_informational(struct call *call, const char *text)
{
	struct head head;
	char room[CALL_HEAD_TEXT];

	make_head(text, true, &head, room);
	side_send_informational(call->side, &head);
}

bool call_send(struct call *call, const char *text, bool end)
{
	struct piece piece = { NULL, text, strlen(text) };

	call->sent += piece.length;
	return side_send_body(call->side, piece, end);
}

static char pattern_at(size_t position)
{
	return (char)('a' + (position * 7 + position / 251) % 26);
}

/* In pieces of the loop's buffers, as if it had been received. */
bool call_send_pattern(struct call *call, size_t length, bool end)
{
	bool more = true;

	do {
		size_t part = length < PATTERN_PIECE ? length : PATTERN_PIECE;
		struct buffer *buffer = buffer_get(loop_buffers(call->loop));
		struct piece piece;

		CHECK(buffer);
		for (size_t i = 0; i < part; i++)
			buffer->bytes[i] = pattern_at(call->sent + i);
		buffer->filled = (uint32_t)part;
		piece = piece_of(buffer, buffer->bytes, part);
		buffer_unref(buffer);
		call->sent += part;
		length -= part;
		more = side_send_body(call->side, piece, end && length == 0);
	} while (length > 0);
	return more;
}

bool call_is_pattern(const struct call *call)
{
	for (size_t i = 0; i < call->body.length; i++) {
		if (call->body.bytes[i] != pattern_at(i))
			return false;
	}
	return true;
}

void call_send_trailers(struct call *call, const char *name, const char *value)
{
	char line[256];
	int length = snprintf(line, sizeof line, "%s: %s\r\n", name, value);
	struct field field = {
		.line = line,
		.line_length = (uint32_t)length,
		.name_length = (uint16_t)strlen(name),
		.value_offset = (uint16_t)(strlen(name) + 2),
		.value_length = (uint32_t)strlen(value),
		.id = (uint8_t)field_identify(slice_of(name)),
	};
	struct fields fields = { 1, &field };

	side_send_trailers(call->side, &fields);
}

void call_release(struct call *call, enum reset why)
{
	struct side *side = call->side;

	call->side = NULL;
	if (side)
		side_release(side, why);
}

/* --- their life --- */

static struct call *call_new(struct call **list, struct loop *loop, call_script *script, void *owner)
{
	struct call *call = memory_new(sizeof *call);

	call->loop = loop;
	call->owner = owner;
	call->script = script;
	call->next = *list;
	*list = call;
	return call;
}

struct call *call_serve(struct call **list, struct loop *loop, struct side *side, call_script *script, void *owner)
{
	struct call *call = call_new(list, loop, script, owner);

	head_copy(&call->head, side->head);
	call->has_head = true;
	call->side = contract_wrap(side, CONTRACT_DOWNSTREAM, &side_events, call);
	play(call, CALL_OPENED);
	return call;
}

struct call *call_begin(struct call **list, struct session *session, const char *head, bool end, call_script *script, void *owner)
{
	struct call *call = call_new(list, session->loop, script, owner);

	if (contract_open(session, &side_events, call, &call->side)) {
		*list = call->next;
		memory_free(call);
		return NULL;
	}
	call_send_head(call, head, end);
	return call;
}

void calls_free(struct call **list)
{
	while (*list) {
		struct call *call = *list;

		*list = call->next;
		call_release(call, RESET_CANCEL);
		text_free(&call->body);
		text_free(&call->trailers);
		memory_free(call);
	}
}

bool call_event_ends(enum call_event event)
{
	return event == CALL_END || event == CALL_TRAILERS;
}

void call_listen(struct call *call, enum call_event event)
{
	(void)call;
	(void)event;
}

void call_release_when_over(struct call *call, enum call_event event)
{
	if (call_event_ends(event))
		call_release(call, RESET_NONE);
}

void call_answer_hello(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false);
	call_send(call, "hello", true);
	call_release(call, RESET_NONE);
}

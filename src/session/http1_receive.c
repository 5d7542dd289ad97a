/* SPDX-License-Identifier: Apache-2.0 */
/* Consumes what the peer sent and tells the exchange. Each step consumes something or tells something; between steps all of
 * the state is looked at anew, since whatever was told may have paused, released or closed. */
#include "session/http1_session.h"

#include "base/check.h"
#include "session/pools.h"

enum { TRAILERS_MOST = 64 };

static bool ends_here(const struct http1_session *h)
{
	return h->ended && input_empty(&h->input);
}

/* The body is complete. A request that may become an upgrade has no `end` before its answer is known. */
static void body_complete(struct http1_session *h)
{
	http1_session_receive_in(h, h->upgrades && h->sending == SENDING_HEAD ? RECEIVING_HELD : RECEIVING_END);
}

void http1_receive_follow(struct http1_session *h, const struct head *head)
{
	http1_body_init(&h->body, head);
	if (!http1_body_ended(&h->body))
		http1_session_receive_in(h, RECEIVING_BODY);
	else
		body_complete(h);
}

void http1_receive_keep(struct http1_session *h, struct http1_side *side, size_t length)
{
	if (side->buffer)
		buffer_unref(side->buffer);
	side->buffer = buffer_ref(h->input.buffer);
	input_skip(&h->input, length);
}

bool http1_receive_join(struct http1_session *h, unsigned status, const char *reason)
{
	bool moved, long_heads = h->parser.limits.max_line_bytes + h->parser.limits.max_head_bytes > BUFFER_CAPACITY;
	int e = input_join(&h->input, loop_buffers(h->session.loop), long_heads ? &h->pools->large_buffers : NULL, &moved);

	if (moved)
		http1_parser_restart(&h->parser);
	if (e == ERROR_LIMIT)
		h->role->broken(h, status, reason);
	else if (e == ERROR_NO_MEMORY)
		http1_session_end(h, CLOSING_NOW, RESET_OVERLOAD, e);
	return e == 0;
}

static void tell_end(struct http1_session *h)
{
	struct side *side = &h->side->side;

	http1_session_receive_in(h, RECEIVING_DONE);
	side->events->end(side);
}

/* Nobody wants these bytes of a request any more. False: there are too many of them. */
static bool may_drop(struct http1_session *h, size_t length)
{
	if (length <= h->left) {
		h->left -= length;
		return true;
	}
	http1_session_end(h, CLOSING_LINGER, RESET_NONE, 0);
	return false;
}

static bool body_at_end(struct http1_session *h)
{
	if (http1_body_close(&h->body) == 0) {
		body_complete(h);
		return true;
	}
	h->role->cut(h);
	return false;
}

/* `100 Continue`, when nobody else has sent it, and the client isn't sending already (RFC 9110 section 10.1.1). */
static void continue_if_owed(struct http1_session *h)
{
	struct slice text = SLICE("HTTP/1.1 100 Continue\r\n\r\n");
	char *at;

	if (!h->owes_continue || h->sending != SENDING_HEAD)
		return;
	at = http1_send_room(h, text.length);
	if (!at)
		return;
	memcpy(at, text.at, text.length);
	http1_send_wrote(h, text.length);
	h->owes_continue = false;
}

static bool body(struct http1_session *h)
{
	struct slice bytes = input_slice(&h->input), data = { 0 };
	struct piece piece = { 0 };
	enum http1_step step;
	size_t consumed = 0;
	int e;

	if (h->paused)
		return false;
	if (bytes.length == 0) {
		if (h->ended)
			return body_at_end(h);
		continue_if_owed(h);
		return false;
	}
	h->owes_continue = false;
	e = http1_body_decode(&h->body, bytes, &data, &consumed, &step);
	if (e) {
		h->role->broken(h, 400, h->body.reason);
		return false;
	}
	if (!h->side && !may_drop(h, consumed))
		return false;
	if (step == HTTP1_DATA && h->side)
		piece = piece_of(h->input.buffer, data.at, data.length);
	input_skip(&h->input, consumed);
	if (step == HTTP1_TRAILERS)
		http1_session_receive_in(h, RECEIVING_TRAILERS);
	else if (http1_body_ended(&h->body))
		body_complete(h);
	if (piece.length > 0)
		h->side->side.events->body(&h->side->side, piece);
	return true;
}

/* Without any field they are an end like another. */
static void tell_trailers(struct http1_session *h, const struct fields *trailers, size_t consumed)
{
	struct piece keep;

	if (trailers->count == 0 || h->upgrades || !h->side) {
		input_skip(&h->input, consumed);
		body_complete(h);
		return;
	}
	keep = piece_of(h->input.buffer, h->input.buffer->bytes, 0);
	input_skip(&h->input, consumed);
	http1_session_receive_in(h, RECEIVING_DONE);
	h->side->side.events->trailers(&h->side->side, trailers);
	piece_release(&keep);
}

static bool trailers(struct http1_session *h)
{
	struct field room[TRAILERS_MOST];
	struct slice bytes = input_slice(&h->input);
	struct fields fields;
	size_t consumed;
	int e;

	if (h->paused)
		return false;
	if (bytes.length == 0) {
		if (h->ended)
			h->role->cut(h);
		return false;
	}
	e = http1_parse_trailers(&h->parser, bytes.at, bytes.length, room, TRAILERS_MOST, &fields, &consumed);
	if (e == ERROR_INCOMPLETE) {
		http1_parser_restart(&h->parser);
		if (http1_receive_join(h, 431, "trailer section too large"))
			return true;
		if (h->ended && h->closing == CLOSING_NOT)
			h->role->cut(h);
		return false;
	}
	if (e) {
		h->role->broken(h, h->parser.status, h->parser.reason);
		return false;
	}
	tell_trailers(h, &fields, consumed);
	return true;
}

static bool end(struct http1_session *h)
{
	if (h->paused)
		return false;
	if (h->side)
		tell_end(h);
	else
		h->role->released(h, RESET_NONE);
	return true;
}

static bool opaque(struct http1_session *h)
{
	struct slice bytes = input_slice(&h->input);
	struct piece piece;

	if (h->paused)
		return false;
	if (bytes.length == 0) {
		if (h->ended)
			tell_end(h);
		return false;
	}
	piece = piece_of(h->input.buffer, bytes.at, bytes.length);
	input_skip(&h->input, bytes.length);
	h->side->side.events->body(&h->side->side, piece);
	return true;
}

/* The exchange has taken the upgrade out of the request: then it is an ordinary one. */
static bool held(struct http1_session *h)
{
	const struct head *head = h->side->head;

	if (head->method == METHOD_CONNECT || (head->upgrades && head_has(head, FIELD_UPGRADE)))
		return false;
	h->upgrades = false;
	http1_session_receive_in(h, RECEIVING_END);
	return true;
}

static bool step(struct http1_session *h)
{
	switch ((enum receiving)h->receiving) {
	case RECEIVING_HEAD:
		if (ends_here(h)) {
			h->role->cut(h);
			return false;
		}
		return h->role->head(h);
	case RECEIVING_HELD:
		return held(h);
	case RECEIVING_BODY:
		return body(h);
	case RECEIVING_TRAILERS:
		return trailers(h);
	case RECEIVING_END:
		return end(h);
	case RECEIVING_OPAQUE:
		return opaque(h);
	case RECEIVING_DONE:
		return false;
	}
	return false;
}

void http1_receive(struct http1_session *h)
{
	while (h->closing == CLOSING_NOT && h->becomes == HTTP1_BECOMES_NOTHING && step(h))
		;
}

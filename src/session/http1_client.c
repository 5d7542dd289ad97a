/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of HTTP/1.1: requests go out, responses come in (RFC 9112). */
#include "base/check.h"
#include "session/http1_session.h"
#include "session/pools.h"

/* --- responses --- */

/* Bytes that answer nothing: the server says goodbye (a 408, say), or worse. What was to be sent can go elsewhere. */
static void unsolicited(struct http1_session *h)
{
	if (h->session.counters)
		counter_add(&h->session.counters->protocol_errors, 1);
	http1_session_end(h, CLOSING_NOW, RESET_REFUSED, ERROR_SYNTAX);
}

static void broken(struct http1_session *h, unsigned status, const char *reason)
{
	(void)status;
	(void)reason;
	if (h->session.counters)
		counter_add(&h->session.counters->protocol_errors, 1);
	http1_session_end(h, CLOSING_NOW, RESET_PROTOCOL, ERROR_SYNTAX);
}

/* The answer to a request that asked for an upgrade, or for a tunnel. */
static bool is_upgrade(const struct http1_session *h, const struct head *head)
{
	if (!h->upgrades)
		return false;
	return h->method == METHOD_CONNECT ? head->status / 100 == 2 : head->status == 101;
}

static void begin_opaque(struct http1_session *h)
{
	h->persistent = false;
	http1_session_receive_in(h, RECEIVING_OPAQUE);
	if (h->sending == SENDING_BODY)
		http1_session_send_in(h, SENDING_OPAQUE);
}

static void tell_head(struct http1_session *h, struct http1_side *s)
{
	struct head *head = s->head;

	if (head->status < 200 && head->status != 101) {
		s->side.events->informational(&s->side, head);
		if (h->side == s)
			http1_session_drop_head(h, s);
		return;
	}
	s->side.head = head;
	if (is_upgrade(h, head)) {
		begin_opaque(h);
	} else {
		h->persistent = h->persistent && http1_persistent(head);
		h->upgrades = false;
		http1_receive_follow(h, head);
	}
	s->side.events->head(&s->side, head);
}

static bool head(struct http1_session *h)
{
	struct slice bytes = input_slice(&h->input);
	struct http1_side *s = h->side;
	size_t consumed;
	int e;

	if (bytes.length == 0)
		return false;
	if (!s || h->sending == SENDING_HEAD) {
		unsolicited(h);
		return false;
	}
	h->heard = true;
	if (!s->head)
		s->head = pool_get(&h->pools->heads);
	if (!s->head) {
		http1_session_end(h, CLOSING_NOW, RESET_OVERLOAD, ERROR_NO_MEMORY);
		return false;
	}
	e = http1_parse_response(
		&h->parser, h->input.buffer->bytes + h->input.at, bytes.length, (enum method)h->method, s->head, &consumed);
	if (e == ERROR_INCOMPLETE) {
		if (http1_receive_join(h, 502, "response head too large"))
			return true;
		if (h->ended)
			http1_session_end(h, CLOSING_NOW, RESET_PEER, ERROR_CLOSED);
		return false;
	}
	if (e || (s->head->status == 101 && !is_upgrade(h, s->head))) {
		broken(h, h->parser.status, h->parser.reason);
		return false;
	}
	http1_receive_keep(h, s, consumed);
	tell_head(h, s);
	return true;
}

/* --- the peer's end --- */

/* A connection that was used before and ends without a byte of the response: the server has closed it for being idle, as a
 * rule before it saw the request. Whether the request may be sent again is for the exchange to say. */
static enum reset why_ended(const struct http1_session *h)
{
	if (!h->session.connected)
		return RESET_CONNECT;
	return h->side && h->side->side.reused && !h->heard ? RESET_REFUSED : RESET_PEER;
}

static void cut(struct http1_session *h)
{
	http1_session_end(h, CLOSING_NOW, why_ended(h), h->side ? ERROR_CLOSED : 0);
}

/* A response that is complete stays so; what is still to be sent of its request goes nowhere. */
static void failed(struct http1_session *h, int error)
{
	if (h->side && (h->receiving == RECEIVING_END || h->receiving == RECEIVING_DONE)) {
		h->ended = true;
		h->persistent = false;
		h->output.waiting = 0;
		http1_session_touch(h);
		return;
	}
	http1_session_end(h, CLOSING_NOW, error == ERROR_LIMIT && h->session.connected ? RESET_OVERLOAD : why_ended(h), error);
}

static void expired(struct http1_session *h)
{
	http1_session_end(h, CLOSING_NOW, RESET_TIMEOUT, 0);
}

/* --- requests --- */

static void send_informational(struct side *side, const struct head *head)
{
	(void)side;
	(void)head;
	CHECK(false); /* requests have no informational heads */
}

static bool write_head(struct http1_session *h, const struct head *head)
{
	bool upgrade = h->upgrades && head->method != METHOD_CONNECT;
	size_t room = http1_head_room(head), written;
	char *at = http1_send_room(h, room);

	if (!at)
		return false;
	written = http1_write_request(at, room, head, upgrade ? HTTP1_CONNECTION_UPGRADE : HTTP1_CONNECTION_DEFAULT);
	CHECK(written > 0);
	http1_send_wrote(h, written);
	return true;
}

static void send_head(struct side *side, const struct head *head, bool end)
{
	struct http1_session *h = http1_session_of_side(side);

	if (!h) {
		http1_send_nowhere(side, end);
		return;
	}
	CHECK(h->sending == SENDING_HEAD);
	h->method = head->method;
	h->upgrades = head->method == METHOD_CONNECT || (head->upgrades && head_has(head, FIELD_UPGRADE));
	h->framing = head->body;
	h->left = head->body == BODY_LENGTH ? head->body_length : 0;
	h->first_chunk = true;
	if (!write_head(h, head)) {
		http1_send_nowhere(side, end);
		return;
	}
	http1_session_send_in(h, SENDING_BODY);
	if (end)
		http1_send_end(h);
}

static void released(struct http1_session *h, enum reset why)
{
	bool upgraded = h->receiving == RECEIVING_DONE && h->finish_stream;

	(void)why;
	if (!http1_session_complete(h) || !h->persistent || h->ended || h->session.draining || !input_empty(&h->input)) {
		http1_session_end(h, upgraded ? CLOSING_LINGER : CLOSING_NOW, RESET_NONE, 0);
		return;
	}
	http1_session_renew(h);
	h->tell_available = true;
}

static const struct side_ops side_ops = {
	.send_informational = send_informational,
	.send_head = send_head,
	.send_body = http1_send_body,
	.send_trailers = http1_send_trailers,
	.pause = http1_side_pause,
	.resume = http1_side_resume,
	.forget_head = http1_side_forget_head,
	.release = http1_side_release,
};

/* --- the session --- */

static uint32_t capacity(const struct session *session)
{
	const struct http1_session *h = (const struct http1_session *)(const void *)session;

	return !h->side && h->closing == CLOSING_NOT && !h->detects && h->becomes == HTTP1_BECOMES_NOTHING && !session->draining &&
		!h->ended && h->receiving == RECEIVING_HEAD;
}

static uint32_t running(const struct session *session)
{
	return ((const struct http1_session *)(const void *)session)->side != NULL;
}

static int open_side(struct session *session, const struct side_events *events, void *exchange, struct side **side)
{
	struct http1_session *h = http1_session_of(session);
	struct http1_side *s;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	if (!capacity(session))
		return ERROR_BUSY;
	s = pool_get(&h->pools->client_sides);
	if (!s)
		return ERROR_LIMIT;
	s->side = (struct side){ .ops = &side_ops, .events = events, .exchange = exchange, .session = session };
	s->side.reused = session->exchanges > 0;
	s->buffer = NULL;
	s->head = NULL;
	session->exchanges++;
	h->side = s;
	h->persistent = true;
	h->given = false;
	h->tell_available = false;
	expiry_cancel(&h->phase);
	http1_parser_restart(&h->parser);
	*side = &s->side;
	return 0;
}

static void drain(struct session *session)
{
	struct http1_session *h = http1_session_of(session);

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	session->draining = true;
	if (!h->side)
		http1_session_end(h, CLOSING_NOW, RESET_SHUTDOWN, 0);
}

static const struct session_ops session_ops = {
	.open = open_side,
	.capacity = capacity,
	.running = running,
	.drain = drain,
	.close = http1_session_close,
};

static const struct http1_role role = {
	.head = head,
	.cut = cut,
	.broken = broken,
	.released = released,
	.failed = failed,
	.expired = expired,
};

int http1_client_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	struct http1_session *h;
	int e = http1_session_new(pools, stream, limits, events, owner, counters, &session_ops, &role, &h);

	if (e)
		return e;
	*session = &h->session;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end of HTTP/1.1: requests come in, responses go out (RFC 9112). */
#include "base/check.h"
#include "session/http1_session.h"
#include "session/http_detect.h"
#include "session/pools.h"

static const struct side_ops side_ops;

/* How long an idle connection that is to be closed still waits for a request that may be on its way. */
static const int64_t farewell = 200 * CLOCK_MS;

/* --- bytes that are no acceptable request --- */

enum { REFUSAL_ROOM = 256, REFUSAL_TEXT = 1024 };

static char *put(char *at, struct slice text)
{
	memcpy(at, text.at, text.length);
	return at + text.length;
}

static char *put_number(char *at, size_t number)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

/* l5d-err carries its text percent-encoded, so that any text is a valid field value. */
static char *put_encoded(char *at, struct slice text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("-._~/:", c, 6)) {
			*at++ = (char)c;
		} else {
			*at++ = '%';
			*at++ = digits[c >> 4];
			*at++ = digits[c & 15];
		}
	}
	return at;
}

static void write_refusal(struct http1_session *h, unsigned status, struct slice text, bool as_error)
{
	char *start, *at;

	if (text.length > REFUSAL_TEXT)
		text.length = REFUSAL_TEXT;
	start = at = output_room(&h->output, REFUSAL_ROOM + 4 * text.length);
	if (!at)
		return;
	at = put(at, SLICE("HTTP/1.1 "));
	at = put_number(at, status);
	at = put(at, SLICE(" "));
	at = put(at, status_reason(status));
	at = put(at, SLICE("\r\nContent-Type: text/plain\r\nContent-Length: "));
	at = put_number(at, text.length);
	if (as_error) {
		at = put(at, SLICE("\r\nl5d-err: "));
		at = put_encoded(at, text);
	}
	at = put(at, SLICE("\r\nConnection: close\r\n\r\n"));
	at = put(at, text);
	output_wrote(&h->output, (size_t)(at - start));
}

/* Answers, unless a response has begun, and closes. An open side is reset. */
static void refuse(struct http1_session *h, unsigned status, const char *reason, enum reset why, int error)
{
	struct session *session = &h->session;
	struct slice text = { 0 };

	if (session->events->refused)
		text = session->events->refused(session->owner, session, status, reason);
	if (h->closing != CLOSING_NOT)
		return;
	if (h->sending == SENDING_HEAD && !(h->detected && h->session.exchanges == 0 && reason == http1_not_http))
		write_refusal(h, status, text.at ? text : slice_of(reason), text.at != NULL);
	http1_session_end(h, CLOSING_LINGER, why, error);
}

static void broken(struct http1_session *h, unsigned status, const char *reason)
{
	if (h->session.counters)
		counter_add(&h->session.counters->protocol_errors, 1);
	refuse(h, status, reason, RESET_PROTOCOL, ERROR_SYNTAX);
}

/* --- requests --- */

static void open_exchange(struct http1_session *h)
{
	struct http1_side *s = h->side;
	const struct head *head = s->head;

	h->method = head->method;
	h->version = head->version;
	h->persistent = http1_persistent(head);
	h->upgrades = head->method == METHOD_CONNECT || head->upgrades;
	h->owes_continue = head->expects_continue && head->version != VERSION_1_0;
	h->session.exchanges++;
	expiry_cancel(&h->phase);
	http1_receive_follow(h, head);
	h->session.events->opened(h->session.owner, &h->session, &s->side);
	CHECK(h->side != s || s->side.events);
}

static struct http1_side *side_for_parsing(struct http1_session *h)
{
	struct http1_server_side *s;

	if (h->parsing)
		return h->parsing;
	s = pool_get(&h->pools->sides);
	if (!s)
		return NULL;
	s->side.side = (struct side){ .ops = &side_ops, .session = &h->session, .head = &s->head };
	s->side.buffer = NULL;
	s->side.head = &s->head;
	h->parsing = &s->side;
	http1_parser_restart(&h->parser);
	return h->parsing;
}

static void head_incomplete(struct http1_session *h)
{
	if (h->ended)
		http1_session_end(h, CLOSING_NOW, RESET_NONE, 0);
	else if (!h->heard)
		expiry_set(&h->pools->expiries, &h->phase, h->head_ns);
	h->heard = true;
}

static bool head(struct http1_session *h)
{
	struct slice bytes = input_slice(&h->input);
	struct http1_side *s;
	size_t consumed;
	int e;

	if (bytes.length == 0)
		return false;
	/* Who asks on and on and doesn't read the answers is not to fill our memory with them. */
	if (output_backlog(&h->output) >= h->max_waiting_bytes) {
		h->stalled = true;
		return false;
	}
	if (h->detects) {
		enum http_detected detected = http_detect_bytes(h);

		if (detected == HTTP_DETECTED_MORE && h->closing == CLOSING_NOT)
			head_incomplete(h);
		if (detected != HTTP_DETECTED_HTTP1)
			return false;
		bytes = input_slice(&h->input);
	}
	s = side_for_parsing(h);
	if (!s) {
		refuse(h, 503, "too many requests at once", RESET_OVERLOAD, ERROR_LIMIT);
		return false;
	}
	e = http1_parse_request(&h->parser, h->input.buffer->bytes + h->input.at, bytes.length, s->head, &consumed);
	if (e == ERROR_INCOMPLETE) {
		if (http1_receive_join(h, 431, "request head too large"))
			return true;
		if (h->closing == CLOSING_NOT)
			head_incomplete(h);
		return false;
	}
	if (e) {
		broken(h, h->parser.status, h->parser.reason);
		return false;
	}
	http1_receive_keep(h, s, consumed);
	if (http_detect_upgrade(h))
		return false;
	h->parsing = NULL;
	h->side = s;
	open_exchange(h);
	return true;
}

/* --- the peer's end --- */

static void cut(struct http1_session *h)
{
	if (h->receiving == RECEIVING_HEAD)
		http1_session_end(h, CLOSING_LINGER, RESET_NONE, 0);
	else
		http1_session_end(h, CLOSING_NOW, RESET_PEER, ERROR_CLOSED);
}

static void failed(struct http1_session *h, int error)
{
	http1_session_end(h, CLOSING_NOW, error == ERROR_LIMIT ? RESET_OVERLOAD : RESET_PEER, error);
}

static void expired(struct http1_session *h)
{
	if (h->receiving == RECEIVING_HEAD && h->heard)
		refuse(h, 408, "the request's head took too long", RESET_TIMEOUT, ERROR_TIMEOUT);
	else
		http1_session_end(h, CLOSING_LINGER, RESET_TIMEOUT, 0);
}

/* --- responses --- */

static bool is_upgrade(const struct http1_session *h, const struct head *head)
{
	if (!h->upgrades)
		return false;
	return h->method == METHOD_CONNECT ? head->status / 100 == 2 : head->status == 101;
}

/* A client that may not send its body any more, since it got no `100 Continue`, may yet have begun to: only closing tells. */
static enum http1_connection connection_for(struct http1_session *h)
{
	if (h->session.draining || h->owes_continue || h->framing == BODY_UNTIL_CLOSE)
		h->persistent = false;
	if (!h->persistent)
		return HTTP1_CONNECTION_CLOSE;
	return h->version == VERSION_1_0 ? HTTP1_CONNECTION_KEEP_ALIVE : HTTP1_CONNECTION_DEFAULT;
}

static bool write_head(struct http1_session *h, const struct head *head, enum body framing, enum http1_connection connection)
{
	size_t room = http1_head_room(head), written;
	char *at = http1_send_room(h, room);

	if (!at)
		return false;
	written = http1_write_response(at, room, head, (enum method)h->method, framing, connection);
	CHECK(written > 0);
	http1_send_wrote(h, written);
	return true;
}

static void send_informational(struct side *side, const struct head *head)
{
	struct http1_session *h = http1_session_of_side(side);

	if (!h || h->sending != SENDING_HEAD || h->version == VERSION_1_0)
		return;
	if (head->status == 100) {
		if (!h->owes_continue)
			return;
		h->owes_continue = false;
	}
	(void)write_head(h, head, BODY_NONE, HTTP1_CONNECTION_DEFAULT);
}

static void send_upgrade(struct http1_session *h, const struct head *head)
{
	enum http1_connection connection = head->status == 101 ? HTTP1_CONNECTION_UPGRADE : HTTP1_CONNECTION_DEFAULT;

	h->persistent = false;
	h->framing = BODY_NONE;
	if (!write_head(h, head, BODY_NONE, connection))
		return;
	http1_session_send_in(h, SENDING_OPAQUE);
	if (h->receiving == RECEIVING_HELD)
		http1_session_receive_in(h, RECEIVING_OPAQUE);
}

static void send_ordinary(struct http1_session *h, const struct head *head)
{
	CHECK(head->status >= 200);
	h->upgrades = false;
	h->framing = (uint8_t)http1_response_framing(head, (enum version)h->version);
	if (h->method == METHOD_HEAD || head->status == 204 || head->status == 304)
		h->framing = BODY_NONE;
	h->left = h->framing == BODY_LENGTH ? head->body_length : 0;
	h->first_chunk = true;
	if (!write_head(h, head, (enum body)h->framing, connection_for(h)))
		return;
	http1_session_send_in(h, SENDING_BODY);
	if (h->receiving == RECEIVING_HELD)
		http1_session_receive_in(h, RECEIVING_END);
}

static void send_head(struct side *side, const struct head *head, bool end)
{
	struct http1_session *h = http1_session_of_side(side);

	if (h) {
		CHECK(h->sending == SENDING_HEAD);
		if (is_upgrade(h, head))
			send_upgrade(h, head);
		else
			send_ordinary(h, head);
		if (end && h->closing == CLOSING_NOT)
			http1_send_end(h);
	}
	if (http1_session_of(side->session)->closing != CLOSING_NOT)
		http1_send_nowhere(side, end);
}

/* The request is still arriving and nobody wants it: its rest is dropped if that is worth it, else the connection ends. */
static void drop_rest(struct http1_session *h)
{
	bool known = h->body.kind == BODY_LENGTH;

	if (!h->persistent || h->receiving == RECEIVING_OPAQUE || h->receiving == RECEIVING_HELD ||
		(known && h->body.left > HTTP1_REST_MOST)) {
		http1_session_end(h, CLOSING_LINGER, RESET_NONE, 0);
		return;
	}
	h->left = HTTP1_REST_MOST;
	expiry_set(&h->pools->expiries, &h->phase, h->head_ns);
	http1_session_touch(h);
}

/* HTTP/1 can't tell a client that its next request will not be taken: one that is on its way meets a closed connection. So an
 * idle connection is not closed at once, and a request that comes is answered with `Connection: close` (RFC 9112 section 9.6). */
static void await_farewell(struct http1_session *h)
{
	expiry_set(&h->pools->expiries, &h->phase, farewell);
}

static void released(struct http1_session *h, enum reset why)
{
	bool recognisable = h->sending == SENDING_BODY && h->framing != BODY_UNTIL_CLOSE;

	(void)why;
	if (h->sending != SENDING_DONE)
		http1_session_end(h, recognisable ? CLOSING_LINGER : CLOSING_NOW, RESET_NONE, 0);
	else if (!http1_session_complete(h))
		drop_rest(h);
	else if (!h->persistent)
		http1_session_end(h, CLOSING_LINGER, RESET_NONE, 0);
	else
		http1_session_renew(h);
	if (h->session.draining && h->closing == CLOSING_NOT && h->receiving == RECEIVING_HEAD && !h->heard && !h->side)
		await_farewell(h);
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

static int open_side(struct session *session, const struct side_events *events, void *exchange, struct side **side)
{
	(void)session;
	(void)events;
	(void)exchange;
	(void)side;
	return ERROR_INVALID;
}

static uint32_t capacity(const struct session *session)
{
	(void)session;
	return 0;
}

static void drain(struct session *session)
{
	struct http1_session *h = http1_session_of(session);

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	session->draining = true;
	/* A handshake has a time limit of its own: what comes behind it is awaited from its end. */
	if (!h->side && h->receiving == RECEIVING_HEAD && !h->heard && !stream_is_handshaking(session->stream))
		await_farewell(h);
}

static const struct session_ops session_ops = {
	.open = open_side,
	.capacity = capacity,
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
	.is_server = true,
};

int http1_server_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	struct http1_session *h;
	int e = http1_session_new(pools, stream, limits, events, owner, counters, &session_ops, &role, &h);

	if (e)
		return e;
	http1_session_count(h);
	*session = &h->session;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end of HTTP/2: requests come in, responses go out. */
#include "base/check.h"
#include "session/http2_session.h"
#include "session/pools.h"

static const struct side_ops side_ops;

enum { DRAIN_SECONDS = 1 };

/* --- requests --- */

static void count_refused(struct http2_session *h)
{
	if (h->session.counters)
		counter_add(&h->session.counters->refused_streams, 1);
}

/* Not processed at all: the client may send it elsewhere. */
static void refuse_stream(struct http2_session *h, uint32_t id, struct slice block)
{
	int e = http2_skip_block(&h->reader, block);

	count_refused(h);
	if (e)
		http2_session_fail(h, HTTP2_COMPRESSION_ERROR, RESET_PROTOCOL, ERROR_SYNTAX);
	else if (http2_session_spend_reset(h))
		http2_send_rst_stream(h, id, HTTP2_REFUSED_STREAM);
}

/* An answer of our own to a head that is too large, and the end of the stream. */
static void refuse_head(struct http2_session *h, struct http2_stream *s, bool ends)
{
	struct http2_reader *reader = &h->reader;
	char digits[3], *start, *at;

	if (h->session.counters)
		counter_add(&h->session.counters->large_heads, 1);
	for (unsigned i = 0, status = reader->status; i < 3; i++, status /= 10)
		digits[2 - i] = (char)('0' + status % 10);
	at = http2_send_block(h, s, hpack_field_room(0, sizeof digits), &start);
	if (at) {
		at = hpack_put_field(at, HPACK_STATUS_200, SLICE(""), slice_make(digits, sizeof digits), false);
		http2_send_headers(h, s, start, at, true);
		if (!ends)
			http2_send_rst_stream(h, s->id, HTTP2_NO_ERROR);
	}
}

/* The head can't be used: its stream, which nobody has seen, is over. */
static void refuse(struct http2_session *h, struct http2_stream *s, int e, bool ends)
{
	struct session *session = &h->session;
	unsigned status = e == ERROR_LIMIT ? h->reader.status : 400;

	s->released = true;
	if (e == ERROR_SYNTAX) {
		http2_session_fail(h, HTTP2_COMPRESSION_ERROR, RESET_PROTOCOL, ERROR_SYNTAX);
		return;
	}
	if (e == ERROR_NO_MEMORY) {
		http2_session_end(h, HTTP2_CLOSING_NOW, RESET_OVERLOAD, e);
		return;
	}
	if (!http2_session_spend_reset(h))
		return;
	if (session->events->refused)
		session->events->refused(session->owner, session, status, h->reader.reason);
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	if (e == ERROR_LIMIT) {
		refuse_head(h, s, ends);
		http2_stream_close(h, s);
		return;
	}
	if (session->counters)
		counter_add(&session->counters->protocol_errors, 1);
	http2_stream_fail(h, s, HTTP2_PROTOCOL_ERROR, RESET_PROTOCOL, ERROR_SYNTAX);
}

/* What HTTP/1 has in a websocket's handshake, and HTTP/2 has not (RFC 8441 section 5.1). */
static int add_websocket_key(struct http2_session *h, struct http2_stream *s)
{
	struct random *random = loop_random(h->session.loop);
	uint64_t nonce[2] = { random_u64(random), random_u64(random) };
	char key[WEBSOCKET_KEY];

	if (!slice_equal_nocase(s->head->head.protocol, SLICE("websocket")))
		return 0;
	websocket_key((const uint8_t *)nonce, key);
	return http2_head_add(&s->head->head, s->head->buffer, SLICE("sec-websocket-key"), slice_make(key, sizeof key));
}

static void open_exchange(struct http2_session *h, struct http2_stream *s, bool ends)
{
	struct head *head = &s->head->head;

	s->side.head = head;
	s->method = head->method;
	s->held = head->method == METHOD_CONNECT || head->upgrades;
	s->counted = head->body == BODY_LENGTH;
	s->receive_left = head->body_length;
	s->owes_continue = head->expects_continue && !ends;
	http2_stream_receive_in(s, HTTP2_RECEIVING_BODY);
	if (ends)
		http2_stream_receive_in(s, HTTP2_RECEIVING_OVER);
	h->session.exchanges++;
	h->telling = s;
	h->session.events->opened(h->session.owner, &h->session, &s->side);
	if (h->telling != s)
		return;
	CHECK(s->side.events || s->released);
	if (s->owes_continue)
		http2_stream_wake(h, s);
	http2_stream_deliver(h, s);
}

static void note_id(struct http2_session *h, uint32_t id)
{
	if (id > h->last_peer_id + 2) {
		h->gap_from = h->last_peer_id + 1;
		h->gap_to = id;
	}
	h->last_peer_id = id;
}

static bool takes_more(struct http2_session *h)
{
	/* Who asks on and on and doesn't read the answers is not to fill our memory with them. */
	return h->open < h->limits.max_streams && output_backlog(&h->output) < 4 * (size_t)h->limits.max_waiting_bytes;
}

void http2_server_block(struct http2_session *h, uint32_t id, struct slice block, bool ends, bool depends)
{
	struct http2_stream *s = NULL;
	struct http2_head *head;
	int e;

	note_id(h, id);
	if (id > h->goaway_last || !takes_more(h)) {
		refuse_stream(h, id, block);
		return;
	}
	s = http2_stream_new(h, &side_ops);
	if (!s) {
		refuse_stream(h, id, block);
		return;
	}
	http2_stream_number(h, s, id);
	http2_session_rest(h);
	head = http2_head_begin(h);
	if (!head) {
		s->released = true;
		http2_stream_close(h, s);
		refuse_stream(h, id, block);
		return;
	}
	e = http2_read_request(&h->reader, block, ends, &head->head, &head->buffer);
	if (e == 0)
		s->head = http2_head_keep(h);
	if (e == 0 && depends) {
		h->reader.reason = "a stream that depends on itself";
		e = ERROR_INVALID;
	}
	if (e == 0 && s->head->head.protocol.length > 0)
		e = add_websocket_key(h, s);
	if (e)
		refuse(h, s, e, ends);
	else
		open_exchange(h, s, ends);
}

void http2_server_upgraded(struct http2_session *h, const struct head *head, struct buffer *buffer, struct piece body)
{
	struct http2_stream *s = http2_stream_new(h, &side_ops);
	struct http2_head *read = NULL;

	note_id(h, 1);
	if (s)
		read = http2_head_begin(h);
	if (read && (body.length == 0 || queue_put(&s->in, &h->shared, body))) {
		h->held_bytes += body.length;
		read->buffer = buffer;
		head_copy(&read->head, head);
		s->head = http2_head_keep(h);
		http2_stream_number(h, s, 1);
		open_exchange(h, s, true);
		return;
	}
	if (read)
		body = (struct piece){ 0 }; /* the queue has released it */
	if (s)
		s->released = true;
	piece_release(&body);
	buffer_unref(buffer);
	http2_session_end(h, HTTP2_CLOSING_NOW, RESET_OVERLOAD, ERROR_NO_MEMORY);
}

enum http2_error http2_server_code(enum reset why)
{
	switch (why) {
	case RESET_REFUSED:
		return HTTP2_REFUSED_STREAM;
	case RESET_OVERLOAD:
		return HTTP2_ENHANCE_YOUR_CALM;
	case RESET_CANCEL:
	case RESET_TIMEOUT:
	case RESET_SHUTDOWN:
		return HTTP2_CANCEL;
	default:
		return HTTP2_INTERNAL_ERROR;
	}
}

/* --- responses --- */

static bool is_tunnel(const struct http2_stream *s, const struct head *head)
{
	if (!s->held)
		return false;
	return s->method == METHOD_CONNECT ? head->status / 100 == 2 : head->status == 101;
}

static struct http2_session *going(struct side *side)
{
	struct http2_session *h = http2_session_of(side->session);

	return h->closing == HTTP2_CLOSING_NOT && http2_stream_of(side)->open ? h : NULL;
}

static void send_informational(struct side *side, const struct head *head)
{
	struct http2_session *h = going(side);
	struct http2_stream *s = http2_stream_of(side);
	char *start, *at;

	if (!h || s->sending != HTTP2_SENDING_HEAD)
		return;
	if (head->status == 100)
		s->owes_continue = false;
	at = http2_send_block(h, s, http2_head_room(head), &start);
	if (at)
		http2_send_headers(h, s, start, http2_write_response(at, head, (enum method)s->method, 0), false);
}

static enum body framing_of(const struct http2_stream *s, const struct head *head)
{
	if (s->method == METHOD_HEAD || head->status == 204 || head->status == 304)
		return BODY_NONE;
	return head->body == BODY_UNTIL_CLOSE ? BODY_CHUNKED : (enum body)head->body;
}

static void send_head(struct side *side, const struct head *head, bool end)
{
	struct http2_session *h = going(side);
	struct http2_stream *s = http2_stream_of(side);
	bool tunnel = is_tunnel(s, head);
	enum body framing = framing_of(s, head);
	char *start, *at = NULL;

	CHECK(s->sending == HTTP2_SENDING_HEAD || !h);
	if (h) {
		end = end || (framing == BODY_NONE && !tunnel);
		at = http2_send_block(h, s, http2_head_room(head), &start);
	}
	if (!at) {
		http2_send_nowhere(s, end);
		return;
	}
	at = http2_write_response(at, head, (enum method)s->method, head->status == 101 ? 200 : 0);
	http2_send_headers(h, s, start, at, end);
	http2_stream_settle(h, s, tunnel);
	http2_send_follow(h, s, head, framing, end);
}

static const struct side_ops side_ops = {
	.send_informational = send_informational,
	.send_head = send_head,
	.send_body = http2_send_body,
	.send_trailers = http2_send_trailers,
	.pause = http2_side_pause,
	.resume = http2_side_resume,
	.forget_head = http2_side_forget_head,
	.release = http2_side_release,
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

void http2_server_drained(struct http2_session *h)
{
	h->draining = HTTP2_DRAINING_FINAL;
	http2_send_goaway(h, h->last_peer_id, HTTP2_NO_ERROR);
	http2_session_touch(h);
}

static void drain(struct session *session)
{
	static const char payload[HTTP2_PING_LENGTH] = HTTP2_DRAIN_PING;
	struct http2_session *h = http2_session_of(session);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	session->draining = true;
	if (h->closing != HTTP2_CLOSING_NOT || h->draining != HTTP2_DRAINING_NOT)
		return;
	h->draining = HTTP2_DRAINING_ANNOUNCED;
	http2_send_goaway(h, HTTP2_STREAM_MOST, HTTP2_NO_ERROR);
	http2_send_ping(h, payload, false);
	expiry_set(&h->pools->expiries, &h->life, DRAIN_SECONDS * CLOCK_SECOND);
}

const struct session_ops http2_server_ops = {
	.open = open_side,
	.capacity = capacity,
	.drain = drain,
	.close = http2_session_close,
};

int http2_server_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	struct http2_session *h;
	int e = http2_session_new(pools, stream, limits, events, owner, counters, &http2_server_ops, true, &h);

	if (e)
		return e;
	http2_session_count(h);
	*session = &h->session;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of HTTP/2: requests go out, responses come in. */
#include "base/check.h"
#include "session/http2_session.h"
#include "session/pools.h"

/* --- responses --- */

static void broken(struct http2_session *h, struct http2_stream *s, int e)
{
	if (e == ERROR_SYNTAX) {
		http2_session_fail(h, HTTP2_COMPRESSION_ERROR, RESET_PROTOCOL, ERROR_SYNTAX);
	} else if (e == ERROR_NO_MEMORY) {
		http2_session_end(h, HTTP2_CLOSING_NOW, RESET_OVERLOAD, e);
	} else {
		if (h->session.counters)
			counter_add(e == ERROR_LIMIT ? &h->session.counters->large_heads : &h->session.counters->protocol_errors, 1);
		http2_stream_fail(h, s, HTTP2_PROTOCOL_ERROR, RESET_PROTOCOL, e == ERROR_LIMIT ? e : ERROR_SYNTAX);
	}
}

/* What HTTP/1 has in the answer to a websocket's handshake (RFC 8441 section 5.1). */
static int add_handshake(struct http2_stream *s, struct http2_head *head)
{
	char accept[WEBSOCKET_ACCEPT];
	int e = 0;

	head->head.status = 101;
	if (!s->websocket)
		return 0;
	websocket_accept(websocket_key_of(s->asked), accept);
	e = http2_head_add(&head->head, head->buffer, SLICE("upgrade"), SLICE("websocket"));
	if (e == 0)
		e = http2_head_add(&head->head, head->buffer, SLICE("sec-websocket-accept"), slice_make(accept, sizeof accept));
	head->head.upgrades = true;
	return e;
}

/* A final head. */
static void tell_head(struct http2_session *h, struct http2_stream *s, struct http2_head *head, bool ends)
{
	bool tunnel = s->held && head->head.status / 100 == 2;

	if (tunnel) {
		head->head.body = BODY_NONE;
		if (s->method != METHOD_CONNECT && add_handshake(s, head)) {
			http2_head_drop(h, &head);
			broken(h, s, ERROR_LIMIT);
			return;
		}
	}
	s->head = head;
	s->side.head = &head->head;
	s->held = false;
	s->tunnel = tunnel;
	s->counted = head->head.body == BODY_LENGTH;
	s->receive_left = head->head.body_length;
	http2_stream_receive_in(s, ends ? HTTP2_RECEIVING_OVER : HTTP2_RECEIVING_BODY);
	if (!ends && head->head.body == BODY_NONE && !tunnel) {
		/* To HEAD, say: DATA may only be an empty frame that ends it. */
		s->counted = true;
		s->receive_left = 0;
	}
	h->telling = s;
	if (ends)
		http2_stream_close_if_over(h, s);
	if (h->telling == s)
		s->side.events->head(&s->side, &head->head);
	if (h->telling == s)
		http2_stream_deliver(h, s);
}

static void tell_informational(struct http2_session *h, struct http2_stream *s, struct http2_head *head)
{
	s->side.events->informational(&s->side, &head->head);
	http2_head_drop(h, &head);
}

void http2_client_block(struct http2_session *h, struct http2_stream *s, struct slice block, bool ends)
{
	struct http2_head *head;
	int e;

	if (s->released) {
		e = http2_skip_block(&h->reader, block);
		if (e)
			broken(h, s, e);
		return;
	}
	head = http2_head_begin(h);
	if (!head) {
		e = http2_skip_block(&h->reader, block);
		http2_stream_fail(h, s, HTTP2_CANCEL, RESET_OVERLOAD, ERROR_NO_MEMORY);
		if (e)
			broken(h, s, e);
		return;
	}
	e = http2_read_response(&h->reader, block, ends, (enum method)s->method, &head->head, &head->buffer);
	if (e) {
		broken(h, s, e);
		return;
	}
	head = http2_head_take(h);
	if (head->head.status < 200) {
		if (http2_session_spend_control(h))
			tell_informational(h, s, head);
		else
			http2_head_drop(h, &head);
	} else {
		tell_head(h, s, head, ends);
	}
}

/* --- the server's end --- */

void http2_client_goaway(struct http2_session *h, uint32_t last)
{
	h->session.draining = true;
	LIST_EACH_SAFE(&h->streams, link, after) {
		struct http2_stream *s = LIST_OF(link, struct http2_stream, link);

		if (!s->open || (s->id != 0 && s->id <= last))
			continue;
		/* Not processed: told from the task, where streams may be released. */
		if (!s->released) {
			s->fate = RESET_REFUSED;
			http2_stream_wake(h, s);
		}
		http2_stream_close(h, s);
	}
	http2_session_touch(h);
}

void http2_client_lost(struct http2_session *h, enum reset why, int error)
{
	bool keeps = false;

	LIST_EACH(&h->streams, link) {
		struct http2_stream *s = LIST_OF(link, struct http2_stream, link);

		keeps = keeps || (!s->released && s->receiving >= HTTP2_RECEIVING_OVER);
	}
	if (!keeps) {
		http2_session_end(h, HTTP2_CLOSING_NOW, why, error);
		return;
	}
	h->lost = true;
	h->error = error;
	LIST_EACH_SAFE(&h->streams, link, after) {
		struct http2_stream *s = LIST_OF(link, struct http2_stream, link);

		if (s->receiving >= HTTP2_RECEIVING_OVER) {
			s->muted = true;
			if (s->blocked)
				http2_stream_wake(h, s);
		} else if (!s->released && s->fate == RESET_NONE) { /* or a GOAWAY has just said that it was not processed */
			s->fate = (uint8_t)why;
			s->fate_error = error;
			http2_stream_wake(h, s);
		}
		if (s->open)
			http2_stream_close(h, s);
	}
	http2_session_touch(h);
}

/* --- requests --- */

static void send_informational(struct side *side, const struct head *head)
{
	(void)side;
	(void)head;
	CHECK(false); /* requests have no informational heads */
}

static void send_request(struct http2_session *h, struct http2_stream *s, const struct head *head, bool end)
{
	bool extended = h->peer.enable_connect_protocol && websocket_asked(head), tunnel;
	char *start, *at;

	tunnel = extended || head->method == METHOD_CONNECT;
	end = end || (head->body == BODY_NONE && !tunnel);
	http2_stream_number(h, s, h->next_id);
	h->next_id += 2;
	s->method = extended ? METHOD_GET : head->method;
	s->held = tunnel;
	s->tunnel = tunnel;
	s->websocket = extended;
	if (extended)
		s->asked = head;
	at = http2_send_block(h, s, http2_head_room(head), &start);
	if (!at) {
		http2_send_nowhere(s, end);
		return;
	}
	at = http2_write_request(at, head, h->secure ? SLICE("https") : SLICE("http"), extended);
	http2_send_headers(h, s, start, at, end);
	http2_send_follow(h, s, head, (enum body)head->body, end);
}

static void send_head(struct side *side, const struct head *head, bool end)
{
	struct http2_session *h = http2_session_of(side->session);
	struct http2_stream *s = http2_stream_of(side);

	if (!s->open || h->closing != HTTP2_CLOSING_NOT) {
		http2_send_nowhere(s, end);
		return;
	}
	CHECK(s->sending == HTTP2_SENDING_HEAD);
	send_request(h, s, head, end);
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

static uint32_t capacity(const struct session *session)
{
	const struct http2_session *h = (const struct http2_session *)(const void *)session;
	uint32_t most = h->peer.max_concurrent_streams;

	if (!h->got_settings || h->closing != HTTP2_CLOSING_NOT || h->lost || session->draining)
		return 0;
	if (most > h->limits.max_streams)
		most = h->limits.max_streams;
	return most > h->open ? most - h->open : 0;
}

static uint32_t running(const struct session *session)
{
	return ((const struct http2_session *)(const void *)session)->open;
}

static int open_side(struct session *session, const struct side_events *events, void *exchange, struct side **side)
{
	struct http2_session *h = http2_session_of(session);
	struct http2_stream *s;

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (capacity(session) == 0) {
		h->full = true;
		return ERROR_BUSY;
	}
	s = http2_stream_new(h, &side_ops);
	if (!s)
		return ERROR_LIMIT;
	side_own(&s->side, events, exchange);
	s->side.reused = session->exchanges > 0;
	session->exchanges++;
	if (capacity(session) == 0)
		h->full = true;
	/* Ids don't come back: this connection has had its time. */
	if (session->exchanges >= HTTP2_STREAM_MOST / 2)
		session->draining = true;
	http2_session_rest(h);
	*side = &s->side;
	return 0;
}

static void drain(struct session *session)
{
	struct http2_session *h = http2_session_of(session);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	session->draining = true;
	http2_session_touch(h);
}

const struct session_ops http2_client_ops = {
	.open = open_side,
	.capacity = capacity,
	.running = running,
	.drain = drain,
	.close = http2_session_close,
};

int http2_client_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	struct http2_session *h;
	int e = http2_session_new(pools, stream, limits, events, owner, counters, &http2_client_ops, false, &h);

	if (e)
		return e;
	h->session.undecided = true;
	*session = &h->session;
	return 0;
}

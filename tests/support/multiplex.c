/* SPDX-License-Identifier: Apache-2.0 */
#include "support/multiplex.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "session/pools.h"
#include "wire/http1.h"

enum {
	MAGIC = 0x4d554c54,
	HEADER = 9,
	LARGEST_PAYLOAD = 64 * 1024,
	LARGEST_HEAD = 16 * 1024,
	TRAILERS_MOST = 32,
	PIECES_AT_ONCE = 32,
};

enum frame {
	FRAME_REQUEST,
	FRAME_INFORMATIONAL,
	FRAME_RESPONSE,
	FRAME_BODY,
	FRAME_TRAILERS,
	FRAME_END,
	FRAME_RESET,  /* payload: enum reset; RESET_NONE: only stop sending, what was sent stands */
	FRAME_WINDOW, /* payload: 4 bytes, how many body bytes more may be sent */
	FRAME_GOODBYE,
	FRAMES,
};

enum closing { CLOSING_NOT, CLOSING_NOW, CLOSING_LINGER, CLOSING_GONE };

struct multiplex {
	struct session session; /* first */
	uint32_t magic;
	bool server, counted, told_closed, tell_available, said_goodbye;
	enum closing closing;
	enum reset why;
	int error;
	struct list sides;       /* those with a peer */
	unsigned running, alive; /* sides in the list; sides not released */
	uint32_t last_id;
	struct text in, out;
	struct task task;
};

/* `told_*`: to the exchange; `in_*`: what has arrived for it; `out_*`: what it has sent. */
struct multiplex_side {
	struct side side; /* first */
	uint32_t id;
	struct list link;
	bool paused, blocked, told_over, in_over, has_trailers, out_over, out_ending, muted;
	bool released; /* by the exchange, and what it has sent still waits for the peer's window */
	enum method method;
	struct text head_text, in_body, in_trailers, out_body, out_trailers;
	uint32_t out_window;
	struct head head;
};

static const struct side_ops side_ops;

static struct multiplex *of_session(struct session *session)
{
	struct multiplex *m = (struct multiplex *)(void *)session;

	CHECK_MAGIC(m, MAGIC);
	return m;
}

static struct multiplex_side *of_side(struct side *side)
{
	return (struct multiplex_side *)(void *)side;
}

static void touch(struct multiplex *m)
{
	if (m->closing != CLOSING_GONE)
		task_set(m->session.loop, &m->task);
}

static void end_session(struct multiplex *m, enum closing how, enum reset why, int error)
{
	if (m->closing != CLOSING_NOT)
		return;
	m->closing = how;
	m->why = why;
	m->error = error;
	touch(m);
}

/* --- frames out --- */

static void put_number(char *at, uint32_t n)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (char)(n >> (8 * i));
}

static uint32_t get_number(const char *at)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < 4; i++)
		n |= (uint32_t)(unsigned char)at[i] << (8 * i);
	return n;
}

static void put_frame(struct multiplex *m, enum frame type, uint32_t id, struct slice payload)
{
	char header[HEADER];

	put_number(header, (uint32_t)payload.length);
	header[4] = (char)type;
	put_number(header + 5, id);
	text_append(&m->out, slice_make(header, HEADER));
	text_append(&m->out, payload);
	touch(m);
}

static void put_reset(struct multiplex *m, uint32_t id, enum reset why)
{
	char payload = (char)why;

	put_frame(m, FRAME_RESET, id, slice_make(&payload, 1));
}

static void put_window(struct multiplex *m, uint32_t id, size_t more)
{
	char payload[4];

	put_number(payload, (uint32_t)more);
	put_frame(m, FRAME_WINDOW, id, slice_make(payload, 4));
}

/* Without memory the session ends. */
static struct buffer *get_buffer(struct multiplex *m)
{
	struct buffer *buffer = buffer_get(loop_buffers(m->session.loop));

	if (!buffer)
		end_session(m, CLOSING_NOW, RESET_OVERLOAD, ERROR_NO_MEMORY);
	return buffer;
}

static void flush(struct multiplex *m)
{
	size_t at = 0;

	while (at < m->out.length) {
		struct piece pieces[PIECES_AT_ONCE];
		unsigned count = 0;

		for (; count < PIECES_AT_ONCE && at < m->out.length; count++) {
			struct buffer *buffer = get_buffer(m);
			size_t length = m->out.length - at < BUFFER_CAPACITY ? m->out.length - at : BUFFER_CAPACITY;

			if (!buffer) {
				at = m->out.length;
				break;
			}
			memcpy(buffer->bytes, m->out.bytes + at, length);
			pieces[count] = (struct piece){ buffer, buffer->bytes, length };
			at += length;
		}
		(void)stream_take(m->session.stream, pieces, count);
	}
	if (at > 0 && m->session.connected) {
		LIST_EACH(&m->sides, link)
			LIST_OF(link, struct multiplex_side, link)->side.wrote = true;
	}
	if (m->session.counters)
		counter_add(&m->session.counters->sent_bytes, at);
	text_clear(&m->out);
}

/* As much of what the exchange has sent as the window lets. */
static void pump(struct multiplex *m, struct multiplex_side *s)
{
	size_t length = s->out_body.length < s->out_window ? s->out_body.length : s->out_window;

	if (length > 0) {
		struct text rest = { 0 };

		put_frame(m, FRAME_BODY, s->id, slice_make(s->out_body.bytes, length));
		s->out_window -= (uint32_t)length;
		text_append(&rest, slice_from(text_slice(&s->out_body), length));
		text_free(&s->out_body);
		s->out_body = rest;
	}
	if (s->out_body.length > 0 || !s->out_ending || s->out_over)
		return;
	s->out_over = true;
	if (s->out_trailers.length > 0)
		put_frame(m, FRAME_TRAILERS, s->id, text_slice(&s->out_trailers));
	else
		put_frame(m, FRAME_END, s->id, SLICE(""));
}

/* --- sides --- */

static struct multiplex_side *side_new(struct multiplex *m, uint32_t id)
{
	struct multiplex_side *s = memory_new(sizeof *s);

	s->side.ops = &side_ops;
	s->side.session = &m->session;
	s->side.head = &s->head;
	s->id = id;
	s->out_window = MULTIPLEX_WINDOW;
	list_append(&m->sides, &s->link);
	m->running++;
	m->alive++;
	return s;
}

static struct multiplex_side *find(struct multiplex *m, uint32_t id)
{
	LIST_EACH(&m->sides, link) {
		struct multiplex_side *s = LIST_OF(link, struct multiplex_side, link);

		if (s->id == id)
			return s;
	}
	return NULL;
}

/* Nothing goes to or comes from the peer any more. */
static void detach(struct multiplex *m, struct multiplex_side *s)
{
	list_remove(&s->link);
	m->running--;
	m->tell_available = !m->server;
	touch(m);
}

static void session_free(struct multiplex *m)
{
	text_free(&m->in);
	text_free(&m->out);
	m->magic = 0;
	memory_free(m);
}

static void side_free(struct multiplex_side *s)
{
	text_free(&s->head_text);
	text_free(&s->in_body);
	text_free(&s->in_trailers);
	text_free(&s->out_body);
	text_free(&s->out_trailers);
	memory_free(s);
}

/* NULL: whatever the exchange does is without effect. */
static struct multiplex *sendable(struct side *side)
{
	struct multiplex *m = of_session(side->session);
	struct multiplex_side *s = of_side(side);

	return m->closing == CLOSING_NOT && !list_empty(&s->link) && !s->muted ? m : NULL;
}

static void put_head(struct multiplex *m, struct multiplex_side *s, enum frame type, const struct head *head)
{
	char room[LARGEST_HEAD];
	size_t length;

	if (type == FRAME_REQUEST)
		length = http1_write_request(room, sizeof room, head, HTTP1_CONNECTION_DEFAULT);
	else
		length = http1_write_response(
			room, sizeof room, head, s->method, http1_response_framing(head, VERSION_1_1), HTTP1_CONNECTION_DEFAULT);
	CHECK(length > 0);
	put_frame(m, type, s->id, slice_make(room, length));
}

static void side_end(struct multiplex *m, struct multiplex_side *s)
{
	s->out_ending = true;
	pump(m, s);
}

static void send_informational(struct side *side, const struct head *head)
{
	struct multiplex *m = sendable(side);

	if (m)
		put_head(m, of_side(side), FRAME_INFORMATIONAL, head);
}

static void send_head(struct side *side, const struct head *head, bool end)
{
	struct multiplex *m = sendable(side);
	struct multiplex_side *s = of_side(side);

	if (!m)
		return;
	if (!m->server)
		s->method = (enum method)head->method;
	put_head(m, s, m->server ? FRAME_RESPONSE : FRAME_REQUEST, head);
	if (end)
		side_end(m, s);
}

static bool send_body(struct side *side, struct piece piece, bool end)
{
	struct multiplex *m = sendable(side);
	struct multiplex_side *s = of_side(side);

	if (m)
		text_append(&s->out_body, slice_make(piece.at, piece.length));
	piece_release(&piece);
	if (!m)
		return true;
	s->out_ending = end;
	pump(m, s);
	if (s->out_body.length == 0 || end)
		return true;
	s->blocked = true;
	return false;
}

static void send_trailers(struct side *side, const struct fields *trailers)
{
	struct multiplex *m = sendable(side);
	struct multiplex_side *s = of_side(side);

	if (!m)
		return;
	for (unsigned i = 0; i < trailers->count; i++)
		text_append(&s->out_trailers, slice_make(trailers->at[i].line, trailers->at[i].line_length));
	text_append(&s->out_trailers, SLICE("\r\n"));
	side_end(m, s);
}

static void pause_side(struct side *side)
{
	of_side(side)->paused = true;
}

static void resume_side(struct side *side)
{
	of_side(side)->paused = false;
	touch(of_session(side->session));
}

static void forget_head(struct side *side)
{
	text_free(&of_side(side)->head_text);
}

static void drop_side(struct multiplex *m, struct multiplex_side *s)
{
	detach(m, s);
	side_free(s);
}

/* All is sent. A complete response stands, and only asks for an end of its request. */
static void finish_released(struct multiplex *m, struct multiplex_side *s)
{
	if (m->server && !s->in_over)
		put_reset(m, s->id, RESET_NONE);
	drop_side(m, s);
}

static void release(struct side *side, enum reset why)
{
	struct multiplex *m = of_session(side->session);
	struct multiplex_side *s = of_side(side);

	m->alive--;
	s->released = true;
	if (list_empty(&s->link)) {
		side_free(s);
	} else if (!s->out_ending || (!s->in_over && !m->server)) {
		put_reset(m, s->id, why == RESET_NONE ? RESET_CANCEL : why);
		drop_side(m, s);
	} else if (s->out_over || s->muted) {
		finish_released(m, s);
	}
	if (m->told_closed && m->alive == 0)
		session_free(m);
}

static const struct side_ops side_ops = {
	.send_informational = send_informational,
	.send_head = send_head,
	.send_body = send_body,
	.send_trailers = send_trailers,
	.pause = pause_side,
	.resume = resume_side,
	.forget_head = forget_head,
	.release = release,
};

/* --- telling --- */

static void tell_body(struct multiplex *m, struct multiplex_side *s)
{
	struct buffer *buffer = get_buffer(m);
	size_t length = s->in_body.length < BUFFER_CAPACITY ? s->in_body.length : BUFFER_CAPACITY;
	struct text rest = { 0 };

	if (!buffer)
		return;
	memcpy(buffer->bytes, s->in_body.bytes, length);
	text_append(&rest, slice_from(text_slice(&s->in_body), length));
	text_free(&s->in_body);
	s->in_body = rest;
	put_window(m, s->id, length);
	s->side.events->body(&s->side, (struct piece){ buffer, buffer->bytes, length });
}

static void tell_over(struct multiplex *m, struct multiplex_side *s)
{
	struct http1_limits limits = { 0 };
	struct http1_parser parser;
	struct field room[TRAILERS_MOST];
	struct fields fields;
	size_t consumed;

	s->told_over = true;
	if (!s->has_trailers) {
		s->side.events->end(&s->side);
		return;
	}
	http1_parser_init(&parser, &limits);
	if (http1_parse_trailers(&parser, s->in_trailers.bytes, s->in_trailers.length, room, TRAILERS_MOST, &fields, &consumed)) {
		end_session(m, CLOSING_NOW, RESET_PROTOCOL, ERROR_SYNTAX);
	} else if (fields.count == 0) {
		s->side.events->end(&s->side);
	} else {
		/* The callback may release the side, and its texts with it. */
		struct text keep = s->in_trailers;

		s->in_trailers = (struct text){ 0 };
		s->side.events->trailers(&s->side, &fields);
		text_free(&keep);
	}
}

/* Tells what has arrived, as far as the exchange wants it. */
static void deliver(struct multiplex *m, uint32_t id)
{
	struct multiplex_side *s;

	while (m->closing == CLOSING_NOT && (s = find(m, id)) && !s->paused && !s->released) {
		if (s->in_body.length > 0)
			tell_body(m, s);
		else if (s->in_over && !s->told_over)
			tell_over(m, s);
		else
			return;
	}
}

static void deliver_all(struct multiplex *m)
{
	uint32_t ids[2 * MULTIPLEX_EXCHANGES];
	unsigned count = 0;

	LIST_EACH(&m->sides, link)
		ids[count++] = LIST_OF(link, struct multiplex_side, link)->id;
	for (unsigned i = 0; i < count; i++)
		deliver(m, ids[i]);
}

/* --- frames in --- */

static bool parse_head(struct multiplex *m, struct text *text, bool response, enum method method, struct head *head)
{
	struct http1_limits limits = { .max_head_bytes = LARGEST_HEAD };
	struct http1_parser parser;
	size_t consumed;
	int e;

	http1_parser_init(&parser, &limits);
	if (response)
		e = http1_parse_response(&parser, text->bytes, text->length, method, head, &consumed);
	else
		e = http1_parse_request(&parser, text->bytes, text->length, head, &consumed);
	if (e)
		end_session(m, CLOSING_NOW, RESET_PROTOCOL, ERROR_SYNTAX);
	return e == 0;
}

static void got_request(struct multiplex *m, uint32_t id, struct slice payload)
{
	struct multiplex_side *s;

	if (m->session.draining || m->running >= MULTIPLEX_EXCHANGES) {
		put_reset(m, id, RESET_REFUSED);
		return;
	}
	s = side_new(m, id);
	text_append(&s->head_text, payload);
	if (!parse_head(m, &s->head_text, false, METHOD_GET, &s->head)) {
		m->alive--;
		detach(m, s);
		side_free(s);
		return;
	}
	s->method = (enum method)s->head.method;
	m->session.exchanges++;
	m->session.events->opened(m->session.owner, &m->session, &s->side);
}

static void got_informational(struct multiplex *m, struct multiplex_side *s, struct slice payload)
{
	struct text text = { 0 };
	struct head head;

	text_append(&text, payload);
	if (parse_head(m, &text, true, s->method, &head))
		s->side.events->informational(&s->side, &head);
	text_free(&text);
}

static void got_response(struct multiplex *m, struct multiplex_side *s, struct slice payload)
{
	text_append(&s->head_text, payload);
	if (parse_head(m, &s->head_text, true, s->method, &s->head))
		s->side.events->head(&s->side, &s->head);
}

static void got_reset(struct multiplex *m, struct multiplex_side *s, enum reset why)
{
	if (s->released) {
		drop_side(m, s);
		return;
	}
	if (s->out_ending && s->told_over)
		return;
	if (why == RESET_NONE && s->in_over) {
		bool blocked = s->blocked;

		/* The response is there as a whole: only what we still send is not wanted. */
		s->muted = true;
		s->blocked = false;
		text_clear(&s->out_body);
		if (blocked)
			s->side.events->writable(&s->side);
		return;
	}
	detach(m, s);
	s->side.events->reset(&s->side, why == RESET_REFUSED ? RESET_REFUSED : RESET_PEER, 0);
}

static void got_window(struct multiplex *m, struct multiplex_side *s, uint32_t more)
{
	s->out_window += more;
	pump(m, s);
	if (s->released) {
		if (s->out_over)
			finish_released(m, s);
		return;
	}
	if (s->blocked && s->out_body.length == 0) {
		s->blocked = false;
		s->side.events->writable(&s->side);
	}
}

static void got_goodbye(struct multiplex *m)
{
	m->session.draining = true;
	if (m->running == 0)
		end_session(m, CLOSING_NOW, RESET_NONE, 0);
}

static void got_frame(struct multiplex *m, enum frame type, uint32_t id, struct slice payload)
{
	struct multiplex_side *s = find(m, id);

	if (type == FRAME_GOODBYE) {
		got_goodbye(m);
	} else if (type == FRAME_REQUEST && m->server && !s) {
		got_request(m, id, payload);
	} else if (s && s->released && type < FRAME_RESET) {
		s->in_over = s->in_over || type == FRAME_TRAILERS || type == FRAME_END;
	} else if (s && type == FRAME_INFORMATIONAL) {
		got_informational(m, s, payload);
	} else if (s && type == FRAME_RESPONSE) {
		got_response(m, s, payload);
	} else if (s && type == FRAME_BODY) {
		text_append(&s->in_body, payload);
	} else if (s && (type == FRAME_TRAILERS || type == FRAME_END)) {
		s->in_over = true;
		s->has_trailers = type == FRAME_TRAILERS;
		text_append(&s->in_trailers, payload);
	} else if (s && type == FRAME_RESET && payload.length == 1) {
		got_reset(m, s, (enum reset)payload.at[0]);
	} else if (s && type == FRAME_WINDOW && payload.length == 4) {
		got_window(m, s, get_number(payload.at));
	}
	/* Anything else is for an exchange that is gone. */
	deliver(m, id);
}

static void consume(struct multiplex *m)
{
	size_t at = 0;
	struct text rest = { 0 };

	while (m->closing == CLOSING_NOT && m->in.length - at >= HEADER) {
		uint32_t length = get_number(m->in.bytes + at), id = get_number(m->in.bytes + at + 5);
		enum frame type = (enum frame)m->in.bytes[at + 4];

		if (length > LARGEST_PAYLOAD || type >= FRAMES) {
			end_session(m, CLOSING_NOW, RESET_PROTOCOL, ERROR_SYNTAX);
			break;
		}
		if (m->in.length - at - HEADER < length)
			break;
		got_frame(m, type, id, slice_make(m->in.bytes + at + HEADER, length));
		at += HEADER + length;
	}
	text_append(&rest, slice_from(text_slice(&m->in), at));
	text_free(&m->in);
	m->in = rest;
}

/* --- the session --- */

static void reset_sides(struct multiplex *m)
{
	struct list *first;

	while ((first = list_first(&m->sides))) {
		struct multiplex_side *s = LIST_OF(first, struct multiplex_side, link);

		if (s->released) {
			drop_side(m, s);
			continue;
		}
		detach(m, s);
		if ((!s->out_ending && !s->muted) || !s->told_over)
			s->side.events->reset(&s->side, m->why == RESET_NONE ? RESET_CANCEL : m->why, m->error);
	}
}

static void take_down(struct multiplex *m)
{
	enum closing how = m->closing;

	m->closing = CLOSING_GONE;
	if (how == CLOSING_LINGER) {
		flush(m);
		stream_linger(m->session.stream);
	} else {
		stream_close(m->session.stream);
	}
	m->session.stream = NULL;
	reset_sides(m);
	task_cancel(m->session.loop, &m->task);
	if (m->counted)
		counter_add(&m->session.counters->closes, 1);
	m->session.events->closed(m->session.owner, &m->session, m->error);
	list_remove(&m->session.link);
	m->told_closed = true;
	if (m->alive == 0)
		session_free(m);
}

static void run(void *owner)
{
	struct multiplex *m = owner;

	CHECK_MAGIC(m, MAGIC);
	deliver_all(m);
	if (m->closing == CLOSING_NOT)
		flush(m);
	if (m->closing == CLOSING_NOT && m->session.draining && m->running == 0)
		end_session(m, CLOSING_LINGER, RESET_NONE, 0);
	if (m->closing == CLOSING_NOT && m->tell_available && !m->session.draining) {
		m->tell_available = false;
		m->session.events->available(m->session.owner, &m->session);
	}
	if (m->closing != CLOSING_NOT)
		take_down(m);
}

static void count(struct multiplex *m)
{
	m->session.connected = true;
	stream_addresses(m->session.stream, &m->session.local, &m->session.remote);
	m->counted = m->session.counters != NULL;
	if (m->counted)
		counter_add(&m->session.counters->connects, 1);
}

static void connected(void *owner)
{
	struct multiplex *m = owner;

	if (m->session.connected) /* a server's: its handshake is done */
		return;
	count(m);
	LIST_EACH(&m->sides, link)
		LIST_OF(link, struct multiplex_side, link)->side.wrote = true;
	m->tell_available = true;
	touch(m);
}

static void received(void *owner, struct buffer *buffer)
{
	struct multiplex *m = owner;

	CHECK_MAGIC(m, MAGIC);
	if (m->session.counters)
		counter_add(&m->session.counters->received_bytes, buffer->filled);
	text_append(&m->in, slice_make(buffer->bytes, buffer->filled));
	buffer_unref(buffer);
	consume(m);
}

static void ended(void *owner)
{
	struct multiplex *m = owner;

	end_session(m, CLOSING_NOW, RESET_PEER, m->running > 0 ? ERROR_CLOSED : 0);
}

static void drained(void *owner)
{
	(void)owner;
}

static void failed(void *owner, int error)
{
	struct multiplex *m = owner;

	end_session(m, CLOSING_NOW, m->session.connected ? RESET_PEER : RESET_CONNECT, error);
}

static const struct stream_events stream_events = {
	.connected = connected,
	.received = received,
	.ended = ended,
	.drained = drained,
	.failed = failed,
};

static uint32_t capacity(const struct session *session)
{
	const struct multiplex *m = (const struct multiplex *)(const void *)session;

	if (m->server || m->closing != CLOSING_NOT || session->draining)
		return 0;
	return MULTIPLEX_EXCHANGES - m->running;
}

static uint32_t running(const struct session *session)
{
	return ((const struct multiplex *)(const void *)session)->running;
}

static int open_side(struct session *session, const struct side_events *events, void *exchange, struct side **side)
{
	struct multiplex *m = of_session(session);
	struct multiplex_side *s;

	if (capacity(session) == 0)
		return ERROR_BUSY;
	s = side_new(m, ++m->last_id);
	s->side.reused = session->exchanges++ > 0;
	side_own(&s->side, events, exchange);
	*side = &s->side;
	return 0;
}

static void drain(struct session *session)
{
	struct multiplex *m = of_session(session);

	session->draining = true;
	if (m->server && !m->said_goodbye && m->closing == CLOSING_NOT)
		put_frame(m, FRAME_GOODBYE, 0, SLICE(""));
	m->said_goodbye = true;
	touch(m);
}

static void close_session(struct session *session, enum reset why)
{
	end_session(of_session(session), CLOSING_NOW, why, 0);
}

static const struct session_ops session_ops = {
	.open = open_side,
	.capacity = capacity,
	.running = running,
	.drain = drain,
	.close = close_session,
};

static struct multiplex *session_new(
	struct loop *loop, struct stream *stream, const struct session_events *events, void *owner, struct session_counters *counters)
{
	struct multiplex *m = memory_new(sizeof *m);

	m->magic = MAGIC;
	m->session = (struct session){
		.ops = &session_ops,
		.events = events,
		.owner = owner,
		.stream = stream,
		.loop = loop,
		.counters = counters,
		.began = loop_now(loop),
	};
	list_init(&m->session.link);
	list_init(&m->sides);
	task_init(&m->task, run, m);
	stream_own(stream, &stream_events, m);
	stream_resume(stream);
	return m;
}

int multiplex_server_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	struct multiplex *m = session_new(pools->loop, stream, events, owner, counters);

	(void)limits;
	m->server = true;
	count(m);
	*session = &m->session;
	return 0;
}

int multiplex_client_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	struct multiplex *m = session_new(pools->loop, stream, events, owner, counters);

	(void)limits;
	*session = &m->session;
	return 0;
}

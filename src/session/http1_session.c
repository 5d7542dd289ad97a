/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a session: states, the task, closing. The tables are in http1_session.h. */
#include "session/http1_session.h"

#include "base/check.h"
#include "session/http_detect.h"
#include "session/pools.h"

#define BIT(state) (1u << (state))

enum {
	DEFAULT_HEAD_SECONDS = 60,
	DEFAULT_STALL_SECONDS = 300,
	DEFAULT_MAX_WAITING = 64 * 1024,
	LARGEST_LINE = 15 * 1024,
};

static const uint16_t receiving_next[] = {
	[RECEIVING_HEAD] = BIT(RECEIVING_HELD) | BIT(RECEIVING_BODY) | BIT(RECEIVING_END) | BIT(RECEIVING_OPAQUE),
	[RECEIVING_HELD] = BIT(RECEIVING_OPAQUE) | BIT(RECEIVING_END),
	[RECEIVING_BODY] = BIT(RECEIVING_TRAILERS) | BIT(RECEIVING_END) | BIT(RECEIVING_HELD),
	[RECEIVING_TRAILERS] = BIT(RECEIVING_DONE) | BIT(RECEIVING_END) | BIT(RECEIVING_HELD),
	[RECEIVING_END] = BIT(RECEIVING_DONE) | BIT(RECEIVING_HEAD),
	[RECEIVING_OPAQUE] = BIT(RECEIVING_DONE),
	[RECEIVING_DONE] = BIT(RECEIVING_HEAD),
};

static const uint16_t sending_next[] = {
	[SENDING_HEAD] = BIT(SENDING_BODY) | BIT(SENDING_OPAQUE) | BIT(SENDING_DONE),
	[SENDING_BODY] = BIT(SENDING_OPAQUE) | BIT(SENDING_DONE),
	[SENDING_OPAQUE] = BIT(SENDING_DONE),
	[SENDING_DONE] = BIT(SENDING_HEAD),
};

static const struct stream_events stream_events;

void http1_session_receive_in(struct http1_session *h, enum receiving state)
{
	CHECK(receiving_next[h->receiving] & BIT(state));
	h->receiving = (uint8_t)state;
}

void http1_session_send_in(struct http1_session *h, enum sending state)
{
	CHECK(sending_next[h->sending] & BIT(state));
	h->sending = (uint8_t)state;
}

bool http1_session_complete(const struct http1_session *h)
{
	return h->sending == SENDING_DONE && (h->receiving == RECEIVING_DONE || h->receiving == RECEIVING_END);
}

void http1_session_touch(struct http1_session *h)
{
	task_set(h->session.loop, &h->task);
}

/* In the middle of a message that ends with the connection: a connection that ends in order would make it look whole. Of a
 * tunnel whose peer has ended there is no more to say. */
static bool cuts_open_end(const struct http1_session *h)
{
	if (h->sending == SENDING_OPAQUE)
		return h->receiving != RECEIVING_DONE;
	return h->sending == SENDING_BODY && h->framing == BODY_UNTIL_CLOSE;
}

void http1_session_end(struct http1_session *h, enum closing how, enum reset why, int error)
{
	if (h->closing != CLOSING_NOT)
		return;
	h->closing = (uint8_t)(cuts_open_end(h) ? CLOSING_RESET : how);
	h->why = (uint8_t)why;
	h->error = error;
	http1_session_touch(h);
}

void http1_session_renew(struct http1_session *h)
{
	http1_session_receive_in(h, RECEIVING_HEAD);
	http1_session_send_in(h, SENDING_HEAD);
	h->heard = h->upgrades = h->owes_continue = false;
	if (h->idle_ns > 0)
		expiry_set(&h->pools->expiries, &h->phase, h->idle_ns);
	else
		expiry_cancel(&h->phase);
	http1_session_touch(h);
}

/* Reads while what arrives can be consumed, or when nothing waits (to hear of the peer's end). */
static void set_reading(struct http1_session *h)
{
	bool want;

	switch ((enum receiving)h->receiving) {
	case RECEIVING_BODY:
	case RECEIVING_TRAILERS:
	case RECEIVING_OPAQUE:
		want = !h->paused;
		break;
	case RECEIVING_HELD:
	case RECEIVING_END:
	case RECEIVING_DONE:
		want = input_empty(&h->input);
		break;
	default:
		want = true;
	}
	want = want && !h->input.more && !h->ended;
	if (want == h->reading)
		return;
	h->reading = want;
	if (want)
		stream_resume(h->session.stream);
	else
		stream_pause(h->session.stream);
}

/* Whether it is the peer's turn. Not while a request is worked on here, or a connection to a server idles. */
static bool waits_for_peer(const struct http1_session *h)
{
	switch ((enum receiving)h->receiving) {
	case RECEIVING_HEAD:
		return h->role->is_server || (h->side && h->sending == SENDING_DONE);
	case RECEIVING_BODY:
	case RECEIVING_TRAILERS:
	case RECEIVING_OPAQUE:
		return !h->paused;
	case RECEIVING_HELD:
	case RECEIVING_END:
	case RECEIVING_DONE:
		break;
	}
	return false;
}

/* `anew`: something has come. */
static void watch_silence(struct http1_session *h, bool anew)
{
	if (h->read_stall_ns == 0)
		return;
	if (!waits_for_peer(h))
		expiry_cancel(&h->silence);
	else if (anew || !expiry_is_set(&h->silence))
		expiry_set(&h->pools->expiries, &h->silence, h->read_stall_ns);
}

/* Behind stream_finish the stream doesn't tell how much is on its way; it closes by itself. */
static void watch_stall(struct http1_session *h)
{
	if (h->output.waiting == 0 || h->finished_stream || expiry_is_set(&h->stall))
		return;
	h->sent_before = h->output.given - h->output.waiting;
	expiry_set(&h->pools->expiries, &h->stall, h->write_stall_ns);
}

static void flush(struct http1_session *h)
{
	struct output *output = &h->output;
	bool gather = h->closing == CLOSING_NOT && !h->finish_stream && output_may_gather(output);

	if (!gather && output->gathered > 0)
		output_flush(output);
	/* Also what was taken before, for having no place among the pieces. */
	if (output->taken > 0) {
		h->given = true;
		if (h->side && h->session.connected)
			h->side->side.wrote = true;
		if (h->session.counters)
			counter_add(&h->session.counters->sent_bytes, output->taken);
		output->taken = 0;
		watch_stall(h);
	}
	if (h->finish_stream && !h->finished_stream) {
		h->finished_stream = true;
		stream_finish(h->session.stream);
	}
}

static void tell_writable(struct http1_session *h)
{
	if (!h->blocked || output_backlog(&h->output) > 0)
		return;
	h->blocked = false;
	if (h->side)
		h->side->side.events->writable(&h->side->side);
}

static void go_on_stalled(struct http1_session *h)
{
	if (!h->stalled || output_backlog(&h->output) >= h->max_waiting_bytes)
		return;
	h->stalled = false;
	http1_session_touch(h);
}

static void free_session(struct http1_session *h)
{
	struct session_pools *pools = h->pools;

	h->magic = 0;
	pool_put(h->plain ? &pools->plain_sessions : &pools->sessions, h);
}

static void close_stream(struct http1_session *h, enum closing how)
{
	struct stream *stream = h->session.stream;

	if (how == CLOSING_LINGER) {
		flush(h);
		stream_linger(stream);
	} else {
		bool cut = how == CLOSING_RESET || h->output.gathered > 0;

		output_drop(&h->output);
		if (cut)
			stream_reset(stream);
		else
			stream_close(stream);
	}
	h->session.stream = NULL;
}

/* The open side hears of it unless both directions have ended. */
static void tell_side(struct http1_session *h)
{
	struct side *side = &h->side->side;
	enum reset why = h->why == RESET_NONE ? RESET_CANCEL : (enum reset)h->why;

	if (h->sending != SENDING_DONE || h->receiving != RECEIVING_DONE)
		side->events->reset(side, why, h->error);
}

void http1_session_stop_times(struct http1_session *h)
{
	expiry_cancel(&h->phase);
	expiry_cancel(&h->life);
	expiry_cancel(&h->silence);
	expiry_cancel(&h->stall);
}

static void take_down(struct http1_session *h)
{
	enum closing how = (enum closing)h->closing;
	struct session *session = &h->session;

	h->closing = CLOSING_GONE;
	close_stream(h, how);
	task_cancel(session->loop, &h->task);
	http1_session_stop_times(h);
	input_drop(&h->input);
	if (h->parsing)
		http1_session_put_side(h, h->parsing);
	h->parsing = NULL;
	if (h->side)
		tell_side(h);
	if (h->counted)
		counter_add(&session->counters->closes, 1);
	session->events->closed(session->owner, session, h->error);
	list_remove(&session->link);
	h->told_closed = true;
	if (!h->side)
		free_session(h);
}

static void run(void *owner)
{
	struct http1_session *h = owner;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	if (h->closing == CLOSING_NOT && h->becomes != HTTP1_BECOMES_NOTHING) {
		http_detect_become(h);
		return;
	}
	if (h->closing == CLOSING_NOT)
		http1_receive(h);
	if (h->closing == CLOSING_NOT) {
		flush(h);
		tell_writable(h);
		go_on_stalled(h);
	}
	if (h->closing == CLOSING_NOT && h->tell_available) {
		h->tell_available = false;
		h->session.events->available(h->session.owner, &h->session);
	}
	if (h->closing == CLOSING_NOT) {
		set_reading(h);
		watch_silence(h, false);
	} else {
		take_down(h);
	}
}

/* --- the stream's events --- */

static void connected(void *owner)
{
	struct http1_session *h = owner;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	http_detect_connected(h);
	if (h->role->is_server && h->session.draining && h->becomes == HTTP1_BECOMES_NOTHING)
		session_drain(&h->session);
	/* A server's connection was made before; here its handshake is done. HTTP/2's waits for SETTINGS. */
	if (h->session.connected || h->becomes != HTTP1_BECOMES_NOTHING)
		return;
	http1_session_count(h);
	/* The stream may have sent what it was given before it told that it is connected. */
	if (h->side && h->given)
		h->side->side.wrote = true;
	h->tell_available = true;
	http1_session_touch(h);
}

static void received(void *owner, struct buffer *buffer)
{
	struct http1_session *h = owner;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	if (h->session.counters)
		counter_add(&h->session.counters->received_bytes, buffer->filled);
	if (h->closing != CLOSING_NOT) {
		buffer_unref(buffer);
		return;
	}
	input_add(&h->input, buffer);
	http1_receive(h);
	if (h->closing != CLOSING_NOT)
		return;
	set_reading(h);
	watch_silence(h, true);
}

static void ended(void *owner)
{
	struct http1_session *h = owner;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	h->ended = true;
	if (h->closing == CLOSING_NOT)
		http1_receive(h);
}

static void drained(void *owner)
{
	struct http1_session *h = owner;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	h->output.waiting = 0;
	expiry_cancel(&h->stall);
	if (h->output.gathered > 0)
		http1_session_touch(h);
	if (h->closing == CLOSING_NOT) {
		tell_writable(h);
		go_on_stalled(h);
	}
}

static void failed(void *owner, int error)
{
	struct http1_session *h = owner;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	if (h->closing == CLOSING_NOT)
		h->role->failed(h, error);
	if (h->closing == CLOSING_LINGER)
		h->closing = CLOSING_NOW;
}

static const struct stream_events stream_events = {
	.connected = connected,
	.received = received,
	.ended = ended,
	.drained = drained,
	.failed = failed,
};

/* --- time --- */

static void phase_over(struct expiry *expiry)
{
	struct http1_session *h = LIST_OF(expiry, struct http1_session, phase);

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	if (h->closing == CLOSING_NOT)
		h->role->expired(h);
}

static void silence_over(struct expiry *expiry)
{
	struct http1_session *h = LIST_OF(expiry, struct http1_session, silence);

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	if (h->closing != CLOSING_NOT)
		return;
	if (h->receiving == RECEIVING_HEAD)
		h->role->expired(h);
	else
		http1_session_end(h, CLOSING_NOW, RESET_TIMEOUT, ERROR_TIMEOUT);
}

/* Some of it may have left although not all has. */
static void stall_over(struct expiry *expiry)
{
	struct http1_session *h = LIST_OF(expiry, struct http1_session, stall);

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	if (h->closing != CLOSING_NOT || h->finished_stream)
		return;
	if (output_sent(&h->output) != h->sent_before) {
		watch_stall(h);
		return;
	}
	if (h->session.counters)
		counter_add(&h->session.counters->stalled, 1);
	http1_session_end(h, CLOSING_NOW, RESET_TIMEOUT, ERROR_TIMEOUT);
}

static void life_over(struct expiry *expiry)
{
	struct http1_session *h = LIST_OF(expiry, struct http1_session, life);

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	session_drain(&h->session);
}

/* --- making --- */

static uint32_t value_or(uint32_t value, uint32_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static void set_limits(struct http1_session *h, const struct session_limits *limits)
{
	struct http1_limits parser;

	h->idle_ns = limits->idle_ns;
	h->read_stall_ns = limits->read_stall_ns;
	h->head_ns = limits->head_ns > 0 ? limits->head_ns : DEFAULT_HEAD_SECONDS * CLOCK_SECOND;
	h->write_stall_ns = limits->write_stall_ns > 0 ? limits->write_stall_ns : DEFAULT_STALL_SECONDS * CLOCK_SECOND;
	h->max_waiting_bytes = value_or(limits->max_waiting_bytes, DEFAULT_MAX_WAITING);
	parser.max_line_bytes = limits->max_line_bytes > LARGEST_LINE ? LARGEST_LINE : limits->max_line_bytes;
	parser.max_head_bytes = limits->max_head_bytes > SESSION_LARGEST_HEAD ? SESSION_LARGEST_HEAD : limits->max_head_bytes;
	parser.max_fields = limits->max_fields;
	http1_parser_init(&h->parser, &parser);
}

static void init_session(struct http1_session *h, const struct session_events *events, void *owner, struct session_counters *counters,
	const struct session_ops *ops, struct stream *stream)
{
	struct session *session = &h->session;

	*session = (struct session){
		.ops = ops,
		.events = events,
		.owner = owner,
		.stream = stream,
		.loop = h->pools->loop,
		.counters = counters,
		.began = loop_now(h->pools->loop),
	};
	list_init(&session->link);
}

static void init_output(struct http1_session *h)
{
	struct stream *stream = h->session.stream;
	struct pool *buffers = loop_buffers(h->session.loop);

	if (h->plain)
		output_init(&h->output, stream, buffers, h->pieces, HTTP1_PLAIN_PIECES);
	else
		output_init(&h->output, stream, buffers, http1_changing_of(h)->pieces, HTTP1_PIECES);
	h->output.large = &h->pools->large_buffers;
}

int http1_session_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, const struct session_ops *ops,
	const struct http1_role *role, struct http1_session **h)
{
	struct http1_session *new;
	bool plain;

	CHECK_MAGIC(pools, SESSION_POOLS_MAGIC);
	/* A server's becomes what its client speaks, a secured client's what was agreed upon. */
	plain = !role->is_server && !stream->ops->security;
	new = pool_get(plain ? &pools->plain_sessions : &pools->sessions);
	if (!new) {
		stream_close(stream);
		return ERROR_LIMIT;
	}
	*new = (struct http1_session){ .magic = HTTP1_SESSION_MAGIC, .plain = plain, .role = role, .pools = pools };
	if (!plain)
		http1_changing_of(new)->limits = *limits;
	init_session(new, events, owner, counters, ops, stream);
	input_init(&new->input);
	init_output(new);
	set_limits(new, limits);
	task_init(&new->task, run, new);
	expiry_init(&new->phase, phase_over);
	expiry_init(&new->life, life_over);
	expiry_init(&new->silence, silence_over);
	expiry_init(&new->stall, stall_over);
	stream_own(stream, &stream_events, new);
	if (new->idle_ns > 0)
		expiry_set(&pools->expiries, &new->phase, new->idle_ns);
	if (limits->life_ns > 0)
		expiry_set(&pools->expiries, &new->life, limits->life_ns);
	set_reading(new);
	watch_silence(new, false);
	*h = new;
	return 0;
}

void http1_session_count(struct http1_session *h)
{
	struct session *session = &h->session;

	session->connected = true;
	stream_addresses(session->stream, &session->local, &session->remote);
	if (!session->counters)
		return;
	h->counted = true;
	counter_add(&session->counters->connects, 1);
}

void http1_session_close(struct session *session, enum reset why)
{
	struct http1_session *h = http1_session_of(session);

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	http1_session_end(h, CLOSING_NOW, why, 0);
}

/* --- sides --- */

void http1_side_pause(struct side *side)
{
	struct http1_session *h = http1_session_of_side(side);

	if (h)
		h->paused = true;
	if (h && h->reading)
		http1_session_touch(h);
}

void http1_side_resume(struct side *side)
{
	struct http1_session *h = http1_session_of_side(side);

	if (!h || !h->paused)
		return;
	h->paused = false;
	http1_session_touch(h);
}

void http1_session_drop_head(struct http1_session *h, struct http1_side *side)
{
	if (side->buffer)
		buffer_unref(side->buffer);
	side->buffer = NULL;
	if (h->role->is_server || !side->head)
		return;
	pool_put(&h->pools->heads, side->head);
	side->head = side->side.head = NULL;
}

void http1_session_put_side(struct http1_session *h, struct http1_side *side)
{
	http1_session_drop_head(h, side);
	pool_put(h->role->is_server ? &h->pools->sides : &h->pools->client_sides, side);
}

void http1_side_forget_head(struct side *side)
{
	http1_session_drop_head(http1_session_of(side->session), (struct http1_side *)(void *)side);
}

void http1_side_release(struct side *side, enum reset why)
{
	struct http1_session *h = http1_session_of(side->session);
	struct http1_side *s = (struct http1_side *)(void *)side;

	CHECK_MAGIC(h, HTTP1_SESSION_MAGIC);
	CHECK(h->side == s);
	h->side = NULL;
	h->paused = h->blocked = false;
	http1_session_put_side(h, s);
	if (h->told_closed)
		free_session(h);
	else if (h->closing == CLOSING_NOT)
		h->role->released(h, why);
}

const struct codec http1_codec = {
	.server = http1_server_new,
	.client = http1_client_new,
};

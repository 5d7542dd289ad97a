/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an HTTP/2 connection: the task, the stream's events, times, budgets, closing. */
#include "session/http2_session.h"

#include "base/check.h"
#include "session/pools.h"

enum {
	DEFAULT_HEAD_SECONDS = 60,
	DEFAULT_STALL_SECONDS = 300,
	DEFAULT_MAX_WAITING = 64 * 1024,
	DEFAULT_MAX_STREAMS = 1000,
	DEFAULT_STREAM_WINDOW = 64 * 1024,
	DEFAULT_MAX_HELD = 4 * 1024 * 1024,
	DEFAULT_MAX_CONTROL = 1000,
	DEFAULT_MAX_RESETS = 1000,
	/* What budgets get back in a second, whatever is done. */
	CONTROL_RATE = 50,
	RESET_RATE = 33,
};

static const struct stream_events stream_events;

/* Late: the frames of many streams, each caused by an event on a connection of its own, go out together. */
void http2_session_touch(struct http2_session *h)
{
	task_set_late(h->session.loop, &h->task);
}

void http2_session_end(struct http2_session *h, enum http2_closing how, enum reset why, int error)
{
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	h->closing = (uint8_t)how;
	h->why = (uint8_t)why;
	h->error = error;
	http2_session_touch(h);
}

void http2_session_fail(struct http2_session *h, enum http2_error code, enum reset why, int error)
{
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	if (h->session.counters && why == RESET_PROTOCOL)
		counter_add(&h->session.counters->protocol_errors, 1);
	http2_send_goaway(h, h->last_peer_id, code);
	http2_session_end(h, HTTP2_CLOSING_LINGER, why, error);
}

/* --- budgets --- */

static void refill(struct http2_session *h)
{
	int64_t seconds = (loop_now(h->session.loop) - h->budgets_at) / CLOCK_SECOND;

	if (seconds <= 0)
		return;
	if (seconds > DEFAULT_MAX_CONTROL)
		seconds = DEFAULT_MAX_CONTROL;
	h->budgets_at = loop_now(h->session.loop);
	http2_session_earn(h, CONTROL_RATE * (unsigned)seconds, RESET_RATE * (unsigned)seconds);
}

static int32_t capped(int32_t value, uint32_t more, uint32_t most)
{
	int64_t sum = (int64_t)value + more;

	return (int32_t)(sum < most ? sum : most);
}

void http2_session_earn(struct http2_session *h, unsigned control, unsigned resets)
{
	h->control_budget = capped(h->control_budget, control, h->limits.max_control_frames);
	h->reset_budget = capped(h->reset_budget, resets, h->limits.max_resets);
}

static bool spend(struct http2_session *h, int32_t *budget)
{
	if (*budget <= 0)
		refill(h);
	if (*budget > 0) {
		--*budget;
		return true;
	}
	http2_session_fail(h, HTTP2_ENHANCE_YOUR_CALM, RESET_OVERLOAD, ERROR_LIMIT);
	return false;
}

bool http2_session_spend_control(struct http2_session *h)
{
	bool good = spend(h, &h->control_budget);

	if (!good && h->session.counters)
		counter_add(&h->session.counters->floods, 1);
	return good;
}

bool http2_session_spend_reset(struct http2_session *h)
{
	bool good = spend(h, &h->reset_budget);

	if (!good && h->session.counters)
		counter_add(&h->session.counters->reset_floods, 1);
	return good;
}

/* --- the task --- */

static void watch_stall(struct http2_session *h)
{
	if (h->output.waiting == 0 || expiry_is_set(&h->stall))
		return;
	h->sent_before = h->output.given - h->output.waiting;
	expiry_set(&h->pools->expiries, &h->stall, h->limits.write_stall_ns);
}

/* Something is to come from the peer: more of a message, or a server's next request. `anew`: something has come. */
static void watch_silence(struct http2_session *h, bool anew)
{
	if (h->limits.read_stall_ns <= 0)
		return;
	if (h->awaited == 0 && !(h->server && h->open == 0))
		expiry_cancel(&h->silence);
	else if (anew || !expiry_is_set(&h->silence))
		expiry_set(&h->pools->expiries, &h->silence, h->limits.read_stall_ns);
}

static void flush(struct http2_session *h)
{
	struct output *output = &h->output;

	if (h->closing == HTTP2_CLOSING_NOT && output_may_gather(output)) {
		watch_stall(h); /* of what was taken before, for having no place among the pieces */
		return;
	}
	h->last_flags = NULL;
	if (output->gathered > 0) {
		output_flush(output);
		if (h->session.counters)
			counter_add(&h->session.counters->sent_bytes, output->taken);
		output->taken = 0;
	}
	watch_stall(h);
}

static void free_session(struct http2_session *h)
{
	struct session_pools *pools = h->pools;

	h->magic = 0;
	pool_put(&pools->sessions, h);
}

void http2_session_unref(struct http2_session *h)
{
	if (h->told_closed && h->alive == 0)
		free_session(h);
}

static void close_stream(struct http2_session *h, enum http2_closing how)
{
	struct stream *stream = h->session.stream;

	if (how == HTTP2_CLOSING_LINGER) {
		flush(h);
		stream_linger(stream);
	} else {
		output_drop(&h->output);
		stream_close(stream);
	}
	h->session.stream = NULL;
}

static void reset_stream(struct http2_session *h, struct http2_stream *s)
{
	bool over = s->receiving == HTTP2_RECEIVING_DONE && s->sending >= HTTP2_SENDING_ENDING;
	bool tell = !s->resets && !s->released && !over;
	enum reset why = s->fate != RESET_NONE ? (enum reset)s->fate : (enum reset)h->why;
	int error = s->fate != RESET_NONE ? s->fate_error : h->error;

	s->resets = s->resets || tell;
	if (s->open)
		http2_stream_close(h, s);
	if (tell)
		s->side.events->reset(&s->side, why == RESET_NONE ? RESET_CANCEL : why, error);
}

/* A callback may release any of them. */
static void reset_streams(struct http2_session *h)
{
	struct list told, *link;

	list_init(&told);
	while ((link = list_first(&h->streams))) {
		list_remove(link);
		list_append(&told, link);
		reset_stream(h, LIST_OF(link, struct http2_stream, link));
	}
	while ((link = list_first(&told))) {
		list_remove(link);
		list_append(&h->streams, link);
	}
}

static void give_back_all(struct http2_session *h)
{
	input_drop(&h->input);
	if (h->block)
		buffer_unref(h->block);
	h->block = NULL;
	queue_rest(&h->shared);
	http2_reader_fini(&h->reader);
}

static void take_down(struct http2_session *h)
{
	enum http2_closing how = (enum http2_closing)h->closing;
	struct session *session = &h->session;

	h->closing = HTTP2_CLOSING_GONE;
	close_stream(h, how);
	task_cancel(session->loop, &h->task);
	expiry_cancel(&h->phase);
	expiry_cancel(&h->life);
	expiry_cancel(&h->ping);
	expiry_cancel(&h->stall);
	expiry_cancel(&h->silence);
	/* A callback may release other streams: none is gone before the last was told. */
	h->alive++;
	reset_streams(h);
	h->alive--;
	expiry_cancel(&h->phase);
	give_back_all(h);
	if (h->counted)
		counter_add(&session->counters->closes, 1);
	session->events->closed(session->owner, session, h->error);
	list_remove(&session->link);
	h->told_closed = true;
	http2_session_unref(h);
}

static void end_if_done(struct http2_session *h)
{
	if (h->lost) {
		bool any = false;

		LIST_EACH(&h->streams, link)
			any = any || !LIST_OF(link, struct http2_stream, link)->released;
		if (!any)
			http2_session_end(h, HTTP2_CLOSING_NOW, RESET_PEER, h->error);
	} else if (h->open == 0 && h->alive == 0 && h->session.draining) {
		if (!h->server && h->session.connected)
			http2_send_goaway(h, 0, HTTP2_NO_ERROR);
		if (!h->server || h->draining == HTTP2_DRAINING_FINAL)
			http2_session_end(h, h->session.connected ? HTTP2_CLOSING_LINGER : HTTP2_CLOSING_NOW, RESET_SHUTDOWN, 0);
	}
}

static void tell_available(struct http2_session *h)
{
	bool room = session_capacity(&h->session) > 0;

	if (!h->tell_available && !(h->full && room))
		return;
	h->tell_available = false;
	h->full = !room;
	h->session.events->available(h->session.owner, &h->session);
}

/* Buffers that nothing lies in any more. */
static void trim(struct http2_session *h)
{
	if (h->reader.lines && h->reader.lines->references == 1)
		http2_reader_rest(&h->reader);
	if (h->shared.buffer && h->shared.buffer->references == 1)
		queue_rest(&h->shared);
}

static void run(void *owner)
{
	struct http2_session *h = owner;

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	http2_stream_wakes(h);
	http2_window_taken(h);
	http2_send_pump(h);
	if (h->closing == HTTP2_CLOSING_NOT && !h->lost) {
		flush(h);
		http2_send_tell_writable(h);
	}
	if (h->closing == HTTP2_CLOSING_NOT)
		end_if_done(h);
	if (h->closing == HTTP2_CLOSING_NOT && !h->lost)
		tell_available(h);
	if (h->closing != HTTP2_CLOSING_NOT) {
		take_down(h);
		return;
	}
	trim(h);
	watch_silence(h, false);
}

/* --- the stream's events --- */

void http2_session_count(struct http2_session *h)
{
	struct session *session = &h->session;

	session->connected = true;
	stream_addresses(session->stream, &session->local, &session->remote);
	h->secure = stream_security(session->stream) != NULL;
	if (!session->counters || h->counted)
		return;
	h->counted = true;
	counter_add(&session->counters->connects, 1);
}

static void connected(void *owner)
{
	struct http2_session *h = owner;

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	/* A client's is not yet: who only accepts, and then ends, has processed nothing. Of that its SETTINGS, which come first, are
	 * the first sign (RFC 9113 section 3.4). */
	if (h->server)
		http2_session_count(h);
}

static void received(void *owner, struct buffer *buffer)
{
	struct http2_session *h = owner;

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (h->session.counters)
		counter_add(&h->session.counters->received_bytes, buffer->filled);
	if (h->closing != HTTP2_CLOSING_NOT || h->lost) {
		buffer_unref(buffer);
		return;
	}
	input_add(&h->input, buffer);
	http2_receive(h);
	trim(h);
	if (h->closing == HTTP2_CLOSING_NOT)
		watch_silence(h, true);
}

/* The connection is over. At a client, whole answers still are told. */
static void lost(struct http2_session *h, enum reset why, int error)
{
	if (h->closing != HTTP2_CLOSING_NOT || h->lost)
		return;
	if (h->server)
		http2_session_end(h, HTTP2_CLOSING_NOW, why, error);
	else
		http2_client_lost(h, why, error);
}

static void ended(void *owner)
{
	http2_session_ended(owner);
}

void http2_session_ended(struct http2_session *h)
{
	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	lost(h, RESET_PEER, h->open > 0 || !h->session.connected ? ERROR_CLOSED : 0);
}

static void drained(void *owner)
{
	struct http2_session *h = owner;

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	h->output.waiting = 0;
	expiry_cancel(&h->stall);
	http2_session_touch(h);
}

static void failed(void *owner, int error)
{
	struct http2_session *h = owner;
	enum reset why = h->session.connected ? RESET_PEER : RESET_CONNECT;

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	lost(h, error == ERROR_LIMIT && h->session.connected ? RESET_OVERLOAD : why, error);
	if (h->closing == HTTP2_CLOSING_LINGER)
		h->closing = HTTP2_CLOSING_NOW;
}

static const struct stream_events stream_events = {
	.connected = connected,
	.received = received,
	.ended = ended,
	.drained = drained,
	.failed = failed,
};

/* --- time --- */

void http2_session_rest(struct http2_session *h)
{
	if (h->closing != HTTP2_CLOSING_NOT || h->block_stream || !h->got_settings)
		return;
	if (h->open > 0) {
		expiry_cancel(&h->phase);
		return;
	}
	if (h->limits.idle_ns > 0)
		expiry_set(&h->pools->expiries, &h->phase, h->limits.idle_ns);
	else
		expiry_cancel(&h->phase);
}

/* It is idle, or a preface or a header block that has begun doesn't come to its end. */
static void phase_over(struct expiry *expiry)
{
	struct http2_session *h = LIST_OF(expiry, struct http2_session, phase);
	bool idle = h->got_settings && !h->block_stream;

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (idle && h->open > 0)
		return;
	if (idle && !h->server) {
		h->session.draining = true;
		http2_session_touch(h);
		return;
	}
	http2_session_fail(h, HTTP2_NO_ERROR, RESET_TIMEOUT, idle ? 0 : ERROR_TIMEOUT);
}

static void life_over(struct expiry *expiry)
{
	struct http2_session *h = LIST_OF(expiry, struct http2_session, life);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	/* Draining uses it for a second time: whoever doesn't answer the PING has had time enough. */
	if (h->server && h->draining == HTTP2_DRAINING_ANNOUNCED)
		http2_server_drained(h);
	else
		session_drain(&h->session);
}

/* Some of it may have left although not all has. */
static void stall_over(struct expiry *expiry)
{
	struct http2_session *h = LIST_OF(expiry, struct http2_session, stall);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	if (output_sent(&h->output) != h->sent_before) {
		watch_stall(h);
		return;
	}
	if (h->session.counters)
		counter_add(&h->session.counters->stalled, 1);
	http2_session_end(h, HTTP2_CLOSING_NOW, RESET_TIMEOUT, ERROR_TIMEOUT);
}

static void silence_over(struct expiry *expiry)
{
	struct http2_session *h = LIST_OF(expiry, struct http2_session, silence);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (h->open == 0)
		http2_session_fail(h, HTTP2_NO_ERROR, RESET_TIMEOUT, 0);
	else
		http2_session_end(h, HTTP2_CLOSING_NOW, RESET_TIMEOUT, ERROR_TIMEOUT);
}

static void ping_due(struct expiry *expiry)
{
	static const char payload[HTTP2_PING_LENGTH] = HTTP2_KEEP_ALIVE_PING;
	struct http2_session *h = LIST_OF(expiry, struct http2_session, ping);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (h->closing != HTTP2_CLOSING_NOT || h->lost)
		return;
	if (h->pinged) {
		http2_session_end(h, HTTP2_CLOSING_NOW, RESET_TIMEOUT, ERROR_TIMEOUT);
		return;
	}
	h->pinged = true;
	http2_send_ping(h, payload, false);
	expiry_set(&h->pools->expiries, &h->ping, h->limits.ping_ns);
}

/* --- making --- */

static uint32_t value_or(uint32_t value, uint32_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static void set_limits(struct http2_session *h, const struct session_limits *limits)
{
	struct session_limits *l = &h->limits;

	*l = *limits;
	if (l->head_ns <= 0)
		l->head_ns = DEFAULT_HEAD_SECONDS * CLOCK_SECOND;
	if (l->write_stall_ns <= 0)
		l->write_stall_ns = DEFAULT_STALL_SECONDS * CLOCK_SECOND;
	l->max_waiting_bytes = value_or(l->max_waiting_bytes, DEFAULT_MAX_WAITING);
	l->max_streams = value_or(l->max_streams, DEFAULT_MAX_STREAMS);
	l->stream_window = value_or(l->stream_window, DEFAULT_STREAM_WINDOW);
	if (l->stream_window > HTTP2_WINDOW_MOST)
		l->stream_window = HTTP2_WINDOW_MOST;
	if (l->max_frame < HTTP2_FRAME_MOST)
		l->max_frame = HTTP2_FRAME_MOST;
	if (l->header_table == SESSION_NO_TABLE)
		l->header_table = 0;
	else if (l->header_table == 0 || l->header_table > HPACK_TABLE_MOST)
		l->header_table = HPACK_TABLE_MOST;
	l->max_held_bytes = value_or(l->max_held_bytes, DEFAULT_MAX_HELD);
	l->max_control_frames = value_or(l->max_control_frames, DEFAULT_MAX_CONTROL);
	l->max_resets = value_or(l->max_resets, DEFAULT_MAX_RESETS);
}

static void init_reader(struct http2_session *h)
{
	struct http2_limits limits = {
		.max_line_bytes = h->limits.max_line_bytes,
		.max_head_bytes = h->limits.max_head_bytes > SESSION_LARGEST_HEAD ? SESSION_LARGEST_HEAD : h->limits.max_head_bytes,
		.max_fields = h->limits.max_fields,
	};

	http2_reader_init(&h->reader, &limits, &h->pools->hpack_tables, loop_buffers(h->session.loop), &h->pools->large_buffers);
}

static void init_lists(struct http2_session *h)
{
	list_init(&h->streams);
	list_init(&h->wakes);
	list_init(&h->ready);
	list_init(&h->starved);
	list_init(&h->waiting);
	h->table = h->small_table;
	h->table_mask = HTTP2_TABLE_FIRST - 1;
	h->shared = (struct queue_shared){ &h->pools->queue_items, loop_buffers(h->session.loop), NULL };
}

static void set_times(struct http2_session *h)
{
	struct expiries *expiries = &h->pools->expiries;

	task_init(&h->task, run, h);
	expiry_init(&h->phase, phase_over);
	expiry_init(&h->life, life_over);
	expiry_init(&h->ping, ping_due);
	expiry_init(&h->stall, stall_over);
	expiry_init(&h->silence, silence_over);
	expiry_set(expiries, &h->phase, h->limits.head_ns);
	if (h->limits.life_ns > 0)
		expiry_set(expiries, &h->life, h->limits.life_ns);
	if (h->limits.ping_ns > 0)
		expiry_set(expiries, &h->ping, h->limits.ping_ns);
}

void http2_session_begin(struct http2_session *h, struct session_pools *pools, const struct session_limits *limits, bool server)
{
	struct session session = h->session;

	*h = (struct http2_session){
		.session = session,
		.magic = HTTP2_SESSION_MAGIC,
		.server = server,
		.pools = pools,
		.reading = server ? HTTP2_READING_PREFACE : HTTP2_READING_FRAME,
		.receive_window = HTTP2_WINDOW_FIRST,
		.send_window = HTTP2_WINDOW_FIRST,
		.next_id = server ? 2 : 1,
		.goaway_last = HTTP2_STREAM_MOST,
		.budgets_at = loop_now(session.loop),
	};
	http2_settings_init(&h->peer);
	h->stream_send_window = h->peer.initial_window_size;
	set_limits(h, limits);
	http2_window_init(h);
	h->control_budget = (int32_t)h->limits.max_control_frames;
	h->reset_budget = (int32_t)h->limits.max_resets;
	init_reader(h);
	init_lists(h);
	input_init(&h->input);
	output_init(&h->output, h->session.stream, loop_buffers(session.loop), h->pieces, HTTP2_PIECES);
	h->output.large = &pools->large_buffers;
	set_times(h);
}

void http2_session_start(struct http2_session *h)
{
	stream_own(h->session.stream, &stream_events, h);
	http2_send_preface(h);
	stream_resume(h->session.stream);
}

int http2_session_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, const struct session_ops *ops, bool server,
	struct http2_session **h)
{
	struct http2_session *new;

	CHECK_MAGIC(pools, SESSION_POOLS_MAGIC);
	new = pool_get(&pools->sessions);
	if (!new) {
		stream_close(stream);
		return ERROR_LIMIT;
	}
	new->session = (struct session){
		.ops = ops,
		.events = events,
		.owner = owner,
		.stream = stream,
		.loop = pools->loop,
		.counters = counters,
		.began = loop_now(pools->loop),
	};
	list_init(&new->session.link);
	http2_session_begin(new, pools, limits, server);
	http2_session_start(new);
	*h = new;
	return 0;
}

void http2_session_close(struct session *session, enum reset why)
{
	struct http2_session *h = http2_session_of(session);

	CHECK_MAGIC(h, HTTP2_SESSION_MAGIC);
	if (h->closing != HTTP2_CLOSING_NOT)
		return;
	http2_send_goaway(h, h->last_peer_id, HTTP2_NO_ERROR);
	http2_session_end(h, h->output.waiting == 0 && session->connected ? HTTP2_CLOSING_LINGER : HTTP2_CLOSING_NOW, why, 0);
}

const struct codec http2_codec = {
	.server = http2_server_new,
	.client = http2_client_new,
};

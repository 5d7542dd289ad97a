/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a connection as an io/stream. Calls change the state and mark the stream ready; its loop's turn tells the owner
 * what is due, each event at most once a turn and in this order: connected, drained, received, ended, failed. */
#include "io/sim/connection.h"

enum { PIECES_AT_ONCE = 64, FIRST_QUEUE = 8, LINGER_MOST = 65536 };

struct sim_stream {
	struct stream stream;
	uint32_t magic;
	struct loop *loop;
	struct connection *connection; /* NULL once it is closed or its process has crashed */
	unsigned side;
	struct ready ready;
	struct list link;    /* loop->open or loop->closed */
	struct piece *queue; /* taken and not sent; a ring */
	uint32_t first, count, capacity;
	size_t waiting;      /* bytes in it */
	struct timer stall;  /* the world's: sending may go on */
	struct timer linger; /* the world's: enough waited */
	size_t dropped;      /* bytes read while lingering */
	size_t waited;       /* bytes that waited a second ago, while lingering */
	struct address local, remote;
	bool connecting, tell_connected;
	bool paused;
	bool want_drained;  /* a take left something waiting */
	bool finishing;     /* stream_finish was called */
	bool ended, failed; /* told */
	bool lingering;     /* has no owner any more */
};

static const struct stream_ops ops;

static void tell(struct ready *ready);
static void stall_over(void *owner);
static void linger_over(void *owner);

static struct sim_stream *sim_stream(struct stream *stream)
{
	struct sim_stream *s = (struct sim_stream *)(void *)stream;
	/* Fails too when the stream was closed before. */
	CHECK_MAGIC(s, STREAM_MAGIC);
	return s;
}

static struct sim *sim_of(const struct sim_stream *s)
{
	return s->loop->sim;
}

static struct pipe *pipe_out(struct sim_stream *s)
{
	return &s->connection->pipes[s->side];
}

static struct pipe *pipe_in(struct sim_stream *s)
{
	return &s->connection->pipes[!s->side];
}

static struct end *end_of(struct sim_stream *s)
{
	return &s->connection->ends[s->side];
}

static void note(struct sim_stream *s, enum event event, uint64_t a, uint64_t b)
{
	world_event(sim_of(s), event, connection_name(s->connection, s->side), a, b);
}

/* --- making and freeing --- */

void streams_pool_init(struct pool *pool, uint32_t max)
{
	pool_init(pool, "stream", sizeof(struct sim_stream), max);
}

/* What a Unix socket's address has besides its family is the network's own. */
static struct address shown(const struct address *address)
{
	return address->family == ADDRESS_UNIX ? (struct address){ .family = ADDRESS_UNIX } : *address;
}

struct sim_stream *stream_new(struct loop *loop, struct connection *connection, unsigned side)
{
	struct sim_stream *s = pool_get(&loop->streams);
	if (!s)
		return NULL;
	*s = (struct sim_stream){
		.stream = { .ops = &ops, .loop = loop },
		.magic = STREAM_MAGIC,
		.loop = loop,
		.connection = connection,
		.side = side,
		.ready = { .tell = tell },
		.paused = true,
		.connecting = side == 0,
		.local = shown(&connection->ends[side].address),
		.remote = shown(&connection->ends[!side].address),
	};
	list_init(&s->ready.link);
	timer_init(&s->stall, stall_over, s);
	timer_init(&s->linger, linger_over, s);
	list_append(&loop->open, &s->link);
	loop->open_count++;
	connection->ends[side].stream = s;
	return s;
}

struct stream *stream_base(struct sim_stream *stream)
{
	return &stream->stream;
}

static void drop_queue(struct sim_stream *s)
{
	for (; s->count > 0; s->count--) {
		piece_release(&s->queue[s->first]);
		s->first = (s->first + 1) % s->capacity;
	}
	s->waiting = 0;
}

/* No call and no event comes any more. */
static void retire(struct sim_stream *s)
{
	drop_queue(s);
	loop_unready(s->loop, &s->ready);
	timers_cancel(&sim_of(s)->events, &s->stall);
	timers_cancel(&sim_of(s)->events, &s->linger);
	if (!s->lingering)
		s->loop->open_count--;
	s->magic = 0;
	s->connection = NULL;
	list_remove(&s->link);
	list_append(&s->loop->closed, &s->link);
}

static void leave(struct sim_stream *s, bool reset)
{
	struct connection *connection = s->connection;
	s->connection = NULL;
	connection_leave(connection, s->side, reset);
}

void streams_free_closed(struct loop *loop)
{
	LIST_EACH_SAFE(&loop->closed, link, after) {
		struct sim_stream *s = LIST_OF(link, struct sim_stream, link);
		list_remove(&s->link);
		memory_free(s->queue);
		pool_put(&loop->streams, s);
	}
}

void streams_drop_lingering(struct loop *loop)
{
	LIST_EACH_SAFE(&loop->open, link, after) {
		struct sim_stream *s = LIST_OF(link, struct sim_stream, link);
		if (!s->lingering)
			continue;
		if (s->connection)
			leave(s, true);
		retire(s);
	}
}

void streams_crash(struct loop *loop, enum sim_crash how)
{
	LIST_EACH(&loop->open, link) {
		struct sim_stream *s = LIST_OF(link, struct sim_stream, link);
		timers_cancel(&sim_of(s)->events, &s->stall);
		timers_cancel(&sim_of(s)->events, &s->linger);
		loop_unready(loop, &s->ready);
		if (!s->connection)
			continue;
		if (how == SIM_CRASH_RESET) {
			leave(s, true);
		} else {
			struct connection *connection = s->connection;
			s->connection = NULL;
			connection_vanish(connection, s->side);
		}
	}
}

/* --- sending --- */

static void queue_piece(struct sim_stream *s, struct piece piece)
{
	if (s->count == s->capacity) {
		uint32_t capacity = s->capacity ? s->capacity * 2 : FIRST_QUEUE;
		struct piece *queue = memory_array(capacity, sizeof(*queue));
		for (uint32_t i = 0; i < s->count; i++)
			queue[i] = s->queue[(s->first + i) % s->capacity];
		memory_free(s->queue);
		s->queue = queue;
		s->capacity = capacity;
		s->first = 0;
	}
	s->queue[(s->first + s->count++) % s->capacity] = piece;
	s->waiting += piece.length;
}

/* Puts at most `most` bytes of the queue on their way. */
static void send_some(struct sim_stream *s, size_t most)
{
	while (most > 0 && s->count > 0) {
		struct piece *piece = &s->queue[s->first];
		size_t length = piece->length < most ? piece->length : most;
		pipe_put(pipe_out(s), piece->at, length);
		piece->at += length;
		piece->length -= length;
		s->waiting -= length;
		most -= length;
		if (piece->length == 0) {
			piece_release(piece);
			s->first = (s->first + 1) % s->capacity;
			s->count--;
		}
	}
	pipe_send(pipe_out(s));
}

static void stall_over(void *owner)
{
	stream_pump(owner);
}

void stream_pump(struct sim_stream *s)
{
	if (s->connecting || !s->connection || end_of(s)->failure || timer_is_set(&s->stall))
		return;
	size_t most = pipe_space(pipe_out(s));
	if (most > s->waiting)
		most = s->waiting;
	if (most > 0 && world_chance(sim_of(s), connection_link(s->connection, s->side)->stall_chance)) {
		most = (size_t)world_draw(sim_of(s), (int64_t)most - 1);
		timers_set(&sim_of(s)->events, &s->stall, sim_of(s)->now + 50 * CLOCK_US + world_draw(sim_of(s), 2 * CLOCK_MS));
	}
	send_some(s, most);
	if (s->waiting > 0) {
		pipe_want_ack(pipe_out(s));
		return;
	}
	if (s->finishing)
		pipe_finish(pipe_out(s));
	if (s->want_drained || s->lingering)
		stream_wake(s);
}

static size_t take(struct stream *stream, const struct piece *pieces, unsigned count)
{
	struct sim_stream *s = sim_stream(stream);
	CHECK(count <= PIECES_AT_ONCE);
	CHECK(!s->finishing);
	bool lost = !s->connection || end_of(s)->failure;
	for (unsigned i = 0; i < count; i++) {
		struct piece piece = pieces[i];
		if (lost || piece.length == 0)
			piece_release(&piece);
		else
			queue_piece(s, piece);
	}
	if (lost)
		return 0;
	stream_pump(s);
	if (s->waiting > 0)
		s->want_drained = true;
	return s->waiting;
}

static void finish(struct stream *stream)
{
	struct sim_stream *s = sim_stream(stream);
	s->finishing = true;
	stream_pump(s);
}

/* --- what the connection tells --- */

void stream_wake(struct sim_stream *s)
{
	if (s->connection)
		loop_ready(s->loop, &s->ready);
}

void stream_connected(struct sim_stream *s)
{
	s->connecting = false;
	s->tell_connected = true;
	stream_wake(s);
	stream_pump(s);
}

void stream_broken(struct sim_stream *s)
{
	/* The kernel has dropped what it was to send; so do we, when the owner is told. */
	timers_cancel(&sim_of(s)->events, &s->stall);
	stream_wake(s);
}

/* --- telling the owner --- */

static bool is_alive(const struct sim_stream *s)
{
	return s->magic == STREAM_MAGIC && s->connection && !s->failed && !s->lingering;
}

static void tell_failed(struct sim_stream *s, int error)
{
	note(s, EVENT_FAILED, (uint64_t)-error, 0);
	drop_queue(s);
	s->failed = true;
	s->stream.events->failed(s->stream.owner, error);
}

static void tell_received(struct sim_stream *s)
{
	struct pipe *pipe = pipe_in(s);
	struct buffer *buffer = world_fails(sim_of(s), SIM_CALL_BUFFER) ? NULL : buffer_get(&s->loop->buffers);
	if (!buffer) {
		connection_fail(s->connection, s->side, ERROR_LIMIT);
		tell_failed(s, ERROR_LIMIT);
		return;
	}
	size_t length = pipe_available(pipe);
	if (length > buffer->capacity)
		length = buffer->capacity;
	if (length > 1 && world_chance(sim_of(s), connection_link(s->connection, !s->side)->cut_chance)) {
		/* Short reads of a few bytes as often as any other. */
		size_t most = world_chance(sim_of(s), 500000) && length > 8 ? 8 : length - 1;
		length = 1 + (size_t)world_draw(sim_of(s), (int64_t)most - 1);
	}
	pipe_take(pipe, buffer->bytes, length);
	buffer->filled = (uint32_t)length;
	note(s, EVENT_RECEIVED, length, world_hash_bytes(buffer->bytes, length));
	s->stream.events->received(s->stream.owner, buffer);
}

static bool wants_to_receive(struct sim_stream *s)
{
	return !s->paused && pipe_available(pipe_in(s)) > 0 && !(end_of(s)->failure && s->connection->reset_eats);
}

static bool wants_to_end(struct sim_stream *s)
{
	struct pipe *pipe = pipe_in(s);
	return !s->paused && !s->ended && pipe->fin_arrived && pipe_available(pipe) == 0 && !end_of(s)->failure;
}

static void lingered(struct sim_stream *s);

static void tell(struct ready *ready)
{
	struct sim_stream *s = LIST_OF(ready, struct sim_stream, ready);
	CHECK_MAGIC(s, STREAM_MAGIC);
	if (s->lingering) {
		lingered(s);
		return;
	}
	if (!is_alive(s))
		return;
	CHECK(s->stream.events != NULL); /* stream_own comes before the loop's next turn */
	if (s->tell_connected) {
		s->tell_connected = false;
		note(s, EVENT_CONNECTED, 0, 0);
		s->stream.events->connected(s->stream.owner);
		loop_run_tasks(s->loop);
	}
	if (is_alive(s) && s->want_drained && s->waiting == 0 && !end_of(s)->failure) {
		s->want_drained = false;
		note(s, EVENT_DRAINED, 0, 0);
		s->stream.events->drained(s->stream.owner);
		loop_run_tasks(s->loop);
	}
	if (is_alive(s) && wants_to_receive(s)) {
		tell_received(s);
		loop_run_tasks(s->loop);
	}
	if (is_alive(s) && wants_to_end(s)) {
		s->ended = true;
		note(s, EVENT_ENDED, 0, 0);
		s->stream.events->ended(s->stream.owner);
		loop_run_tasks(s->loop);
	}
	if (is_alive(s) && end_of(s)->failure && !wants_to_receive(s))
		tell_failed(s, end_of(s)->failure);
	else if (is_alive(s) && (wants_to_receive(s) || wants_to_end(s)))
		stream_wake(s);
}

static void pause_reading(struct stream *stream)
{
	sim_stream(stream)->paused = true;
}

static void resume_reading(struct stream *stream)
{
	struct sim_stream *s = sim_stream(stream);
	s->paused = false;
	stream_wake(s);
}

static void addresses(const struct stream *stream, struct address *local, struct address *remote)
{
	const struct sim_stream *s = (const struct sim_stream *)(const void *)stream;
	CHECK_MAGIC(s, STREAM_MAGIC);
	*local = s->local;
	*remote = s->remote;
}

static int peer(const struct stream *stream, struct stream_peer *who)
{
	const struct sim_stream *s = (const struct sim_stream *)(const void *)stream;
	CHECK_MAGIC(s, STREAM_MAGIC);
	if (s->remote.family != ADDRESS_UNIX)
		return ERROR_UNSUPPORTED;
	if (!s->connection)
		return ERROR_RESET;
	*who = s->connection->ends[!s->side].who;
	return 0;
}

/* --- closing --- */

static bool has_unread(struct sim_stream *s)
{
	return pipe_available(pipe_in(s)) > 0;
}

static void close_now(struct sim_stream *s, bool reset)
{
	/* As kernels do: what the peer sent and nobody read, or what we took and did not send, makes it a reset. */
	if (s->connection)
		leave(s, reset || has_unread(s) || s->waiting > 0);
	retire(s);
}

static void close_stream(struct stream *stream, enum stream_closing how)
{
	struct sim_stream *s = sim_stream(stream);
	bool lost = !s->connection || s->failed || end_of(s)->failure;
	if (how != STREAM_LINGER || lost || s->connecting) {
		close_now(s, how == STREAM_RESET);
		return;
	}
	s->lingering = true;
	s->loop->open_count--;
	s->finishing = true;
	s->stream.events = NULL;
	s->stream.owner = NULL;
	timers_set(&sim_of(s)->events, &s->linger, sim_of(s)->now + CLOCK_SECOND);
	stream_wake(s);
	stream_pump(s);
}

/* A turn's worth of a stream that has no owner: reads and drops; done when both directions have ended. */
static void lingered(struct sim_stream *s)
{
	struct pipe *in = pipe_in(s);
	size_t length = pipe_available(in);
	s->dropped += length;
	pipe_take(in, NULL, length);
	bool done = in->fin_arrived && pipe_out(s)->finished && s->waiting == 0;
	if (end_of(s)->failure || s->dropped > LINGER_MOST || done)
		close_now(s, false);
}

static void linger_over(void *owner)
{
	struct sim_stream *s = owner;
	/* A peer that reads slowly gets what was taken for as long as it reads at all. */
	if (s->waiting > 0 && !end_of(s)->failure && s->waiting != s->waited) {
		s->waited = s->waiting;
		timers_set(&sim_of(s)->events, &s->linger, sim_of(s)->now + CLOCK_SECOND);
		return;
	}
	close_now(s, false);
}

static const struct stream_ops ops = {
	.take = take,
	.pause = pause_reading,
	.resume = resume_reading,
	.finish = finish,
	.close = close_stream,
	.addresses = addresses,
	.peer = peer,
};

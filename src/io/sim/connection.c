/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sim/connection.h"

enum { TRIES_MOST = 15, BREAK_WITHIN = 32768 };

static void arrive(void *owner);
static void ack_arrives(void *owner);

/* --- the connection --- */

static uint32_t power_of_two(uint32_t least)
{
	uint32_t size = 64;
	while (size < least)
		size *= 2;
	return size;
}

/* Small ones as often as large ones. */
static int64_t draw_skewed(struct sim *sim, int64_t most, int64_t halvings)
{
	most >>= world_draw(sim, halvings);
	return world_draw(sim, most);
}

static void pipe_init(struct pipe *pipe, struct connection *connection, unsigned from, const struct sim_link *link)
{
	struct sim *sim = connection->sim;
	*pipe = (struct pipe){ .connection = connection, .from = from, .breaks_at = UINT64_MAX, .vanishes_at = UINT64_MAX };
	uint32_t least = link->window_least ? link->window_least : 1;
	uint32_t most = link->window_most > least ? link->window_most : least;
	pipe->window = least + (uint32_t)draw_skewed(sim, (int64_t)(most - least), 4);
	if (world_chance(sim, link->reset_chance))
		pipe->breaks_at = (uint64_t)draw_skewed(sim, BREAK_WITHIN, 8);
	if (world_chance(sim, link->vanish_chance))
		pipe->vanishes_at = (uint64_t)draw_skewed(sim, BREAK_WITHIN, 8);
	timer_init(&pipe->arrival, arrive, pipe);
	timer_init(&pipe->ack, ack_arrives, pipe);
}

struct connection *connection_new(struct network *from, struct network *to, const struct address *local, const struct address *remote)
{
	struct sim *sim = from->sim;
	struct connection *connection = memory_new(sizeof(*connection));
	connection->sim = sim;
	connection->id = ++sim->connection_count;
	connection->ends[0] = (struct end){ .host = from, .address = *local };
	connection->ends[1] = (struct end){ .host = to, .address = *remote };
	const struct sim_link *link = connection_link(connection, 0);
	pipe_init(&connection->pipes[0], connection, 0, link);
	pipe_init(&connection->pipes[1], connection, 1, connection_link(connection, 1));
	connection->refused = world_chance(sim, link->refuse_chance);
	connection->blackholed = world_chance(sim, link->blackhole_chance);
	connection->reset_eats = world_chance(sim, 500000);
	list_init(&connection->backlog);
	handshake_begin(connection);
	return connection;
}

static void connection_free(struct connection *connection)
{
	struct timers *events = &connection->sim->events;
	for (unsigned i = 0; i < 2; i++) {
		timers_cancel(events, &connection->pipes[i].arrival);
		timers_cancel(events, &connection->pipes[i].ack);
		memory_free(connection->pipes[i].ring);
	}
	timers_cancel(events, &connection->handshake);
	memory_free(connection);
}

uint64_t connection_name(const struct connection *connection, unsigned side)
{
	return connection->id * 2 + side;
}

struct sim_link *connection_link(const struct connection *connection, unsigned from)
{
	struct network *a = connection->ends[from].host, *b = connection->ends[!from].host;
	if (!a || !b)
		return &connection->sim->options.link;
	return sim_link(a, b);
}

int64_t connection_delay(struct connection *connection, unsigned from)
{
	const struct sim_link *link = connection_link(connection, from);
	return link->latency_ns + world_draw(connection->sim, link->jitter_ns);
}

static void free_if_gone(struct connection *connection)
{
	if (connection->ends[0].gone && connection->ends[1].gone)
		connection_free(connection);
}

static void segment_add(struct pipe *pipe, enum segment_kind kind, uint64_t to, int64_t travel);

static void send_reset(struct pipe *pipe)
{
	if (pipe->rst_sent)
		return;
	pipe->rst_sent = true;
	pipe->connection->sim->totals.resets++;
	segment_add(pipe, SEGMENT_RST, pipe->sent, connection_delay(pipe->connection, pipe->from));
}

void connection_leave(struct connection *connection, unsigned side, bool reset)
{
	struct end *end = &connection->ends[side];
	struct pipe *pipe = &connection->pipes[side];
	CHECK(!end->gone);
	world_event(connection->sim, EVENT_CLOSED, connection_name(connection, side), reset, 0);
	end->gone = true;
	end->stream = NULL;
	if (side == 1)
		socket_forget(connection);
	if (connection->phase == PHASE_SYN)
		connection->ends[1].gone = true;                 /* it never came to be */
	else if (!end->failure || end->failure == ERROR_LIMIT) { /* the latter the peer has not heard of */
		if (reset || end->failure)
			send_reset(pipe);
		else
			pipe_finish(pipe);
	}
	free_if_gone(connection);
}

void connection_vanish(struct connection *connection, unsigned side)
{
	struct end *end = &connection->ends[side];
	connection->sim->totals.half_open++;
	end->gone = end->vanished = true;
	end->stream = NULL;
	if (side == 1)
		socket_forget(connection);
	if (connection->phase == PHASE_SYN)
		connection->ends[1].gone = true;
	free_if_gone(connection);
}

void connection_fail(struct connection *connection, unsigned side, int error)
{
	struct end *end = &connection->ends[side];
	if (end->gone || end->failure)
		return;
	end->failure = error;
	if (end->stream)
		stream_broken(end->stream);
}

/* Something on the way breaks the connection for both. */
static void break_both(struct connection *connection)
{
	world_event(connection->sim, EVENT_FAULT, connection->id, 0, 0);
	connection->sim->totals.resets++;
	for (unsigned i = 0; i < 2; i++) {
		struct pipe *pipe = &connection->pipes[i];
		pipe->segment_count = 0;
		timers_cancel(&connection->sim->events, &pipe->arrival);
	}
	connection_fail(connection, 0, ERROR_RESET);
	connection_fail(connection, 1, ERROR_RESET);
}

/* --- sending --- */

static struct segment *segment_last(struct pipe *pipe)
{
	return &pipe->segments[(pipe->first_segment + pipe->segment_count - 1) % SEGMENTS];
}

static void segment_add(struct pipe *pipe, enum segment_kind kind, uint64_t to, int64_t travel)
{
	struct sim *sim = pipe->connection->sim;
	int64_t at = sim->now + travel;
	if (at < pipe->last_at)
		at = pipe->last_at;
	pipe->last_at = at;
	/* The last two places are for FIN and RST. */
	if (kind == SEGMENT_BYTES && pipe->segment_count >= SEGMENTS - 2) {
		*segment_last(pipe) = (struct segment){ at, to, kind };
	} else {
		CHECK(pipe->segment_count < SEGMENTS);
		pipe->segment_count++;
		*segment_last(pipe) = (struct segment){ at, to, kind };
	}
	if (!timer_is_set(&pipe->arrival))
		timers_set(&sim->events, &pipe->arrival, pipe->segments[pipe->first_segment].at);
}

uint32_t pipe_space(const struct pipe *pipe)
{
	return pipe->window - (uint32_t)(pipe->sent - pipe->acked);
}

void pipe_put(struct pipe *pipe, const char *bytes, size_t length)
{
	if (!pipe->ring) {
		pipe->ring_size = power_of_two(pipe->window);
		pipe->ring = memory_new(pipe->ring_size);
	}
	CHECK(length <= pipe_space(pipe));
	size_t at = pipe->sent & (pipe->ring_size - 1);
	size_t first = length < pipe->ring_size - at ? length : pipe->ring_size - at;
	memcpy(pipe->ring + at, bytes, first);
	memcpy(pipe->ring, bytes + first, length - first);
	pipe->sent += length;
	pipe->connection->sim->totals.bytes_sent += length;
}

static uint64_t position_sent(const struct pipe *pipe)
{
	if (pipe->segment_count == 0)
		return pipe->arrived;
	return pipe->segments[(pipe->first_segment + pipe->segment_count - 1) % SEGMENTS].to;
}

void pipe_send(struct pipe *pipe)
{
	struct connection *connection = pipe->connection;
	const struct sim_link *link = connection_link(connection, pipe->from);
	uint64_t from = position_sent(pipe), length = pipe->sent - from;
	if (length == 0)
		return;
	int64_t travel = connection_delay(connection, pipe->from);
	if (link->bytes_per_second)
		travel += (int64_t)(length * (uint64_t)CLOCK_SECOND / link->bytes_per_second);
	if (length > 1 && world_chance(connection->sim, link->cut_chance))
		segment_add(pipe, SEGMENT_BYTES, from + 1 + (uint64_t)world_draw(connection->sim, (int64_t)length - 2), travel);
	segment_add(pipe, SEGMENT_BYTES, pipe->sent, travel + world_draw(connection->sim, link->jitter_ns));
}

void pipe_finish(struct pipe *pipe)
{
	if (pipe->finished || pipe->rst_sent)
		return;
	pipe->finished = true;
	segment_add(pipe, SEGMENT_FIN, pipe->sent, connection_delay(pipe->connection, pipe->from));
}

/* --- arriving --- */

static bool is_blocked(const struct pipe *pipe)
{
	const struct connection *connection = pipe->connection;
	const struct end *to = &connection->ends[!pipe->from];
	return connection->vanished || connection_link(connection, pipe->from)->down || (to->vanished && !host_alive(to->host));
}

/* Nothing gets through: again after a while, as TCP does, and in the end the sender gives up. */
static void try_again(struct pipe *pipe)
{
	struct connection *connection = pipe->connection;
	pipe->tries++;
	if (pipe->tries > TRIES_MOST) {
		pipe->segment_count = 0;
		connection_fail(connection, pipe->from, ERROR_TIMEOUT);
		return;
	}
	int64_t delay = (200 * CLOCK_MS) << (pipe->tries < 10 ? pipe->tries - 1 : 9);
	delay = delay < 120 * CLOCK_SECOND ? delay : 120 * CLOCK_SECOND;
	timers_set(&connection->sim->events, &pipe->arrival, connection->sim->now + delay);
}

/* False when the rest of the segments has to wait, or there is none any more. */
static bool bytes_arrive(struct pipe *pipe, struct segment *segment)
{
	struct connection *connection = pipe->connection;
	struct end *to = &connection->ends[!pipe->from];
	bool fated = connection->id > connection->sim->mended;
	if (fated && segment->to > pipe->vanishes_at) {
		world_event(connection->sim, EVENT_FAULT, connection->id, 1, pipe->vanishes_at);
		connection->sim->totals.half_open++;
		connection->vanished = true;
		try_again(pipe);
		return false;
	}
	if (to->gone || to->failure) {
		pipe->arrived = pipe->read = pipe->acked = segment->to;
		send_reset(&connection->pipes[!pipe->from]);
		return true;
	}
	bool breaks = fated && segment->to > pipe->breaks_at;
	if (segment->to > pipe->arrived)
		pipe->arrived = breaks && pipe->breaks_at > pipe->arrived ? pipe->breaks_at : breaks ? pipe->arrived : segment->to;
	if (to->stream)
		stream_wake(to->stream);
	if (breaks)
		break_both(connection);
	return !breaks;
}

static bool segment_arrives(struct pipe *pipe, struct segment *segment)
{
	struct connection *connection = pipe->connection;
	struct end *to = &connection->ends[!pipe->from];
	switch (segment->kind) {
	case SEGMENT_BYTES:
		return bytes_arrive(pipe, segment);
	case SEGMENT_FIN:
		pipe->fin_arrived = true;
		if (to->vanished)
			send_reset(&connection->pipes[!pipe->from]);
		else if (to->stream)
			stream_wake(to->stream);
		return true;
	case SEGMENT_RST:
		connection_fail(connection, !pipe->from, ERROR_RESET);
		return true;
	}
	return true;
}

static void arrive(void *owner)
{
	struct pipe *pipe = owner;
	struct sim *sim = pipe->connection->sim;
	while (pipe->segment_count && pipe->segments[pipe->first_segment].at <= sim->now) {
		if (is_blocked(pipe)) {
			try_again(pipe);
			return;
		}
		pipe->tries = 0;
		if (!segment_arrives(pipe, &pipe->segments[pipe->first_segment]))
			return;
		pipe->first_segment = (pipe->first_segment + 1) % SEGMENTS;
		pipe->segment_count--;
	}
	if (pipe->segment_count)
		timers_set(&sim->events, &pipe->arrival, pipe->segments[pipe->first_segment].at);
}

/* --- reading --- */

void pipe_take(struct pipe *pipe, char *bytes, size_t length)
{
	CHECK(length <= pipe_available(pipe));
	size_t at = pipe->read & (pipe->ring_size - 1);
	size_t first = length < pipe->ring_size - at ? length : pipe->ring_size - at;
	if (bytes && length) {
		memcpy(bytes, pipe->ring + at, first);
		memcpy(bytes + first, pipe->ring, length - first);
	}
	pipe->read += length;
	pipe->connection->sim->totals.bytes_received += length;
	if (pipe->sent - pipe->acked > pipe->window / 2)
		pipe_want_ack(pipe);
}

void pipe_want_ack(struct pipe *pipe)
{
	struct sim *sim = pipe->connection->sim;
	if (pipe->read == pipe->acked || timer_is_set(&pipe->ack))
		return;
	timers_set(&sim->events, &pipe->ack, sim->now + connection_delay(pipe->connection, !pipe->from));
}

static void ack_arrives(void *owner)
{
	struct pipe *pipe = owner;
	struct connection *connection = pipe->connection;
	struct end *sender = &connection->ends[pipe->from];
	if (connection->vanished)
		return;
	if (connection_link(connection, !pipe->from)->down) {
		timers_set(&connection->sim->events, &pipe->ack, connection->sim->now + CLOCK_SECOND);
		return;
	}
	pipe->acked = pipe->read;
	if (sender->stream)
		stream_pump(sender->stream);
}

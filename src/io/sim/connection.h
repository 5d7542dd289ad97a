/* SPDX-License-Identifier: Apache-2.0 */
/* io/sim/connection.h: a TCP connection as the network has it: two ends, and a pipe in each direction.
 *
 * A pipe is a ring of bytes with four positions, each never ahead of the one before: sent, arrived, read by the receiving
 * stream, and acked (known by the sender to be read). Beyond window bytes between acked and sent the sender waits. What was
 * sent travels as segments, in order, each with its instant of arrival; FIN and RST travel in the same queue.
 *
 * The connection belongs to the world. An end is gone when it is closed or its process vanished; with both gone it is freed.
 */
#ifndef IO_SIM_CONNECTION_H
#define IO_SIM_CONNECTION_H

#include "io/sim/world.h"
#include "io/stream.h"

struct sim_stream;
struct socket;

enum segment_kind { SEGMENT_BYTES, SEGMENT_FIN, SEGMENT_RST };

struct segment {
	int64_t at;
	uint64_t to; /* position behind its last byte */
	enum segment_kind kind;
};

enum { SEGMENTS = 32 };

struct pipe {
	struct connection *connection;
	unsigned from; /* the end that sends */
	char *ring;
	uint32_t ring_size; /* a power of two */
	uint32_t window;
	uint64_t sent, arrived, read, acked;
	struct segment segments[SEGMENTS];
	unsigned first_segment, segment_count;
	int64_t last_at; /* when the newest segment arrives */
	struct timer arrival, ack;
	unsigned tries; /* to get the first segment through */
	bool finished;  /* FIN is on its way, or there */
	bool fin_arrived, rst_sent;
	uint64_t breaks_at, vanishes_at;
};

struct end {
	struct network *host; /* end 1: NULL when there is no such host */
	struct address address;
	struct stream_peer who;    /* of a Unix socket: its process */
	struct sim_stream *stream; /* NULL before it is accepted, and after it is closed */
	int failure;               /* known to this end's kernel */
	bool gone;
	bool vanished; /* its process went silently */
};

/* The life of a connection: SYN → ANSWER → OPEN; closing is told by its ends. */
enum phase {
	PHASE_SYN,    /* the request to connect is under way; end 1 does not exist yet */
	PHASE_ANSWER, /* end 1 is in a backlog or accepted; end 0 doesn't know yet */
	PHASE_OPEN,
};

struct connection {
	struct sim *sim;
	uint64_t id;
	enum phase phase;
	struct end ends[2];   /* 0 connected, 1 accepted */
	struct pipe pipes[2]; /* [i]: what ends[i] sends */
	struct timer handshake;
	unsigned attempts;
	bool refused, blackholed; /* drawn */
	bool vanished;            /* nothing gets through any more */
	bool reset_eats;          /* what arrived before a reset is lost when not read yet */
	struct socket *socket;    /* whose backlog it is in */
	struct list backlog;
};

struct connection *connection_new(struct network *from, struct network *to, const struct address *local, const struct address *remote);
/* The end's own name in the event log. */
uint64_t connection_name(const struct connection *connection, unsigned side);
struct sim_link *connection_link(const struct connection *connection, unsigned from);
/* One way, from end `from`, with its jitter. */
int64_t connection_delay(struct connection *connection, unsigned from);

/* The end is closed: by an RST to the peer, or by FIN if that was not sent yet. May free the connection. */
void connection_leave(struct connection *connection, unsigned side, bool reset);
/* The end's process is silently gone. */
void connection_vanish(struct connection *connection, unsigned side);
/* This end learns that the connection has failed. */
void connection_fail(struct connection *connection, unsigned side, int error);

uint32_t pipe_space(const struct pipe *pipe);
/* Copies; at most pipe_space. */
void pipe_put(struct pipe *pipe, const char *bytes, size_t length);
/* Sends what was put. */
void pipe_send(struct pipe *pipe);
void pipe_finish(struct pipe *pipe);
static inline size_t pipe_available(const struct pipe *pipe)
{
	return (size_t)(pipe->arrived - pipe->read);
}
/* At most pipe_available; bytes may be NULL. */
void pipe_take(struct pipe *pipe, char *bytes, size_t length);
/* The sender waits for space: lets it hear of what was read. */
void pipe_want_ack(struct pipe *pipe);

/* stream.c: what the connection tells its ends. */
void stream_wake(struct sim_stream *stream); /* something to tell */
void stream_pump(struct sim_stream *stream); /* space to send */
void stream_connected(struct sim_stream *stream);
void stream_broken(struct sim_stream *stream); /* its end's failure is set */
struct sim_stream *stream_new(struct loop *loop, struct connection *connection, unsigned side);
struct stream *stream_base(struct sim_stream *stream);

/* network.c */
void handshake_begin(struct connection *connection);
void socket_forget(struct connection *connection);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* session/session.h: one connection with its codec: a server's end (downstream) or a client's end (upstream).
 *
 * A session owns its stream. It belongs to its loop's thread. It may end by itself (the peer closes, a protocol error, an idle
 * time): then `closed` is told once, after every open side was reset, and the session is gone.
 *
 *	struct session *s = http1_server_new(worker_sessions, stream, &limits, &events, listener);
 *	...
 *	session_drain(s);     // finish what runs, take no more, then close
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/list.h"
#include "io/address.h"
#include "io/loop.h"
#include "io/stream.h"
#include "session/exchange.h"

/* What sessions of one worker share: pools of sessions and sides. Made on the loop's thread; outlives its sessions. */
struct session_pools;
MUST_CHECK int session_pools_new(struct loop *loop, uint32_t max_sessions, uint32_t max_sides, struct session_pools **pools);
void session_pools_free(struct session_pools *pools);

enum {
	SESSION_NO_TABLE = UINT32_MAX,    /* session_limits.header_table */
	SESSION_LARGEST_HEAD = 64 * 1024, /* with a request line of 15 KiB, and what the proxy adds, it fits in a large buffer */
};

/* Bytes and connections, one shard a worker; may be NULL. */
struct session_counters {
	struct counter connects; /* sessions begun */
	struct counter closes;   /* sessions ended: connections = connects - closes */
	struct counter received_bytes;
	struct counter sent_bytes;
	struct counter protocol_errors;
	/* HTTP/2 */
	struct counter refused_streams; /* beyond max_streams, or with too much waiting for the peer to read it */
	struct counter large_heads;     /* answered with 414 or 431, or reset */
	struct counter floods;          /* connections ended for frames that do nothing, or header blocks without end */
	struct counter reset_floods;    /* connections ended for requests that are taken back, or wrong, one after the other */
	struct counter stalled;         /* streams and connections whose peer let nothing leave for write_stall_ns */
};

struct session_limits {
	uint32_t max_line_bytes;    /* request or status line; 0: 4096 */
	uint32_t max_head_bytes;    /* all field lines; 0: 8192; at most SESSION_LARGEST_HEAD */
	uint32_t max_fields;        /* 0, or more than HEAD_MAX_FIELDS: HEAD_MAX_FIELDS */
	int64_t idle_ns;            /* without an exchange, then closed; 0: never */
	int64_t head_ns;            /* from the first byte of a head to its end (slow loris); 0: 60 s */
	int64_t life_ns;            /* after which the session drains; 0: no limit */
	int64_t read_stall_ns;      /* nothing comes although a request, or more of a message, is waited for: closed; 0: never */
	int64_t write_stall_ns;     /* the peer takes nothing of what is sent to it: closed; 0: 5 minutes. HTTP/2: a stream whose window
	                                * stays closed, too */
	uint32_t max_waiting_bytes; /* sent bytes waiting before send_body answers false; 0: 64 KiB */
	/* HTTP/2 */
	uint32_t max_streams;        /* at once; 0: 1000. At a client's end the server's limit counts, too */
	uint32_t stream_window;      /* bytes of a body that the peer may send before the exchange has taken them; 0: 64 KiB */
	uint32_t max_frame;          /* bytes of a frame that the peer may send, 16384 or more; 0: 16384 */
	uint32_t header_table;       /* bytes of HPACK's table, for what the peer sends; 0, or more: 4096. SESSION_NO_TABLE: none */
	double window_share;         /* a stream's peer is told of new room when no more than that share of its window is left; 0: 0.5 */
	uint32_t max_held_bytes;     /* of all bodies of a connection that wait for their exchanges; at half of it the windows of its
	                                * streams are made narrow, and it is only reached by a peer that doesn't heed that; 0: 4 MiB */
	uint32_t max_control_frames; /* that do nothing for a request, at once; useful work and time (50/s) give them back; 0: 1000 */
	uint32_t max_resets;         /* requests taken back or refused, at once; whole exchanges and time (33/s) give them back; 0: 1000 */
	int64_t ping_ns;             /* a PING each time, and the end if the last has no answer; 0: never */
};

struct session_events {
	/* Server sessions: a request's head. The owner calls side_own before it returns. side->head is the head. */
	void (*opened)(void *owner, struct session *session, struct side *side);
	/* Server sessions: bytes that are no acceptable request: the codec answers `status` itself and closes; this is for
	 * counting and for the body and fields of the answer: it may return text (static or living until the next call) put into
	 * the body and, as l5d-err, into the head. May be NULL. */
	struct slice (*refused)(void *owner, struct session *session, unsigned status, const char *reason);
	/* Client sessions: it is connected, or can open exchanges again after it could not. */
	void (*available)(void *owner, struct session *session);
	/* It is gone; error is 0 after an orderly end. Client sessions whose connection could not be made: the connect error. */
	void (*closed)(void *owner, struct session *session, int error);
};

struct session_ops {
	int (*open)(struct session *session, const struct side_events *events, void *exchange, struct side **side);
	uint32_t (*capacity)(const struct session *session);
	uint32_t (*running)(const struct session *session); /* client sessions */
	void (*drain)(struct session *session);
	void (*close)(struct session *session, enum reset why);
};

/* Embedded at the start of every implementation. */
struct session {
	const struct session_ops *ops;
	const struct session_events *events;
	void *owner;
	struct stream *stream;
	struct loop *loop;
	struct session_counters *counters;
	struct list link; /* for the owner: a listener's sessions, a pool's idle ones */
	struct address local, remote;
	uint64_t exchanges; /* begun on it so far */
	int64_t began;      /* loop_now when it was made */
	bool connected;     /* HTTP/2's client: and the server's SETTINGS have come, without which no request is sent */
	bool draining;
	bool undecided; /* client: how many exchanges it takes is not known before `available` is told with this cleared */
};

/* The ends of HTTP/1.1 (RFC 9112). The stream's ownership passes, also on failure. */
MUST_CHECK int http1_server_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);
/* The stream may still be connecting; exchanges may be opened at once and wait for it. */
MUST_CHECK int http1_client_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);

/* The ends of HTTP/2 (RFC 9113) with prior knowledge. The client has no capacity before the server has said how much it takes. */
MUST_CHECK int http2_server_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);
MUST_CHECK int http2_client_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);

/* A protocol's two ends, for who makes sessions without caring which protocol it is: the proxy. */
struct codec {
	int (*server)(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
		const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);
	int (*client)(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
		const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);
};

/* http_codec: a server's connection is whatever its first bytes say, or the protocol agreed with TLS (ALPN), or becomes HTTP/2 by
 * `Upgrade: h2c`; a client's is HTTP/2 where that was agreed, else HTTP/1. Before it is agreed, a client's session that will be
 * secured has no capacity. */
extern const struct codec http1_codec, http2_codec, http_codec;

/* Begins an exchange on a client session: ERROR_BUSY when capacity is 0, ERROR_NO_MEMORY, ERROR_LIMIT. */
MUST_CHECK static inline int session_open(struct session *session, const struct side_events *events, void *exchange, struct side **side)
{
	return session->ops->open(session, events, exchange, side);
}

/* How many exchanges could be opened now. HTTP/1: 1 when idle, else 0. */
static inline uint32_t session_capacity(const struct session *session)
{
	return session->ops->capacity(session);
}

/* Client sessions: how many exchanges are on it now. */
static inline uint32_t session_running(const struct session *session)
{
	return session->ops->running(session);
}

/* Takes no new exchanges (server: `Connection: close` on the responses still to come), then closes by itself. */
static inline void session_drain(struct session *session)
{
	session->ops->drain(session);
}

/* Closes now; open sides are told reset(why) and `closed` is told, both from the loop, later in this turn. */
static inline void session_close(struct session *session, enum reset why)
{
	session->ops->close(session, why);
}

#endif

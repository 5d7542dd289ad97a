/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/peer.h: a target on one worker: a candidate of its upstream's balancer, with its connections and those who wait for one.
 *
 * A peer whose target was taken away serves what runs on it and then goes. Connections are reused last-in first-out. Requests that
 * come while a connection is being made that may carry many of them wait for it; when the target's connections are limited and all
 * are in use, they wait in the order in which they came.
 *
 *	struct peer *peer = upstream_pick(upstream, now, exchange's tried peers, &forced);
 *	e = peer_open(peer, &limits, &side_events, exchange, &side);   // ERROR_BUSY: peer_wait(peer, &waiter)
 *	peer_done(peer, now, latency, judged, success);                // after the attempt
 */
#ifndef PROXY_PEER_H
#define PROXY_PEER_H

#include "proxy/worker.h"
#include "tls/stream.h"

struct upstream;

struct peer {
	struct candidate candidate; /* first: a candidate is its peer */
	struct upstream *upstream;
	struct target *target; /* counted */
	struct list link;      /* upstream->peers */
	struct list idle;      /* connections with capacity, by session->link; the most recently used first */
	struct list busy;
	struct list waiting;              /* struct peer_waiter */
	struct map_entry by_target;       /* worker->peers_by_target, while it is limited and not removed */
	struct task look;                 /* something can be done for those who wait */
	struct tls_session tls;           /* to be resumed by the next connection */
	struct health_check *check;       /* NULL: none is wanted, or there was no memory for it */
	uint32_t connections, references; /* references: attempts and connections, those of checks too */
	uint8_t turns;                    /* how often its own requests went before those of other workers */
	uint32_t undecided;               /* connections of which it is not known yet how many requests they take */
	bool spares;                      /* has said that it has idle connections (sharing.h) */
	bool removed;
};

struct peer_waiter {
	struct list link;
	void (*ready)(struct peer_waiter *waiter); /* try peer_open again, unless `failed` */
	int failed;                                /* what it waited for ended so before it could be used; 0: try again */
};

/* Balanced from now on. NULL: no memory. It takes a reference of the target. */
struct peer *peer_new(struct upstream *upstream, struct target *target, double weight);
/* Its target was taken away: nothing begins on it any more; it goes when nothing runs on it. */
void peer_remove(struct peer *peer);
void peer_ref(struct peer *peer);
void peer_unref(struct peer *peer);

/* An exchange on an idle connection, or on a new one, which is made with `limits`. ERROR_BUSY: one is being made, or connections are
 * limited and in use; ERROR_CLOSED: the target was taken away; ERROR_LIMIT, ERROR_NO_MEMORY. */
MUST_CHECK int peer_open(
	struct peer *peer, const struct session_limits *limits, const struct side_events *events, void *exchange, struct side **side);
/* False when too many wait already. */
bool peer_wait(struct peer *peer, struct peer_waiter *waiter);
void peer_leave(struct peer *peer, struct peer_waiter *waiter); /* before `ready` */
/* The attempt is over: for the balancer (latency < 0: unknown) and, when `judged`, for the target's health. */
void peer_done(struct peer *peer, int64_t now, int64_t latency_ns, bool judged, bool success);

/* For sharing.c: the request that has waited longest tries again; whether somebody waits for whom no connection is being made; an idle
 * connection is closed, false: there is none. */
void peer_wake_one(struct peer *peer);
bool peer_lacks(const struct peer *peer);
bool peer_spare_one(struct peer *peer);

/* Ends connections that have been idle too long, and those whose endpoint is silent; with `all` every one on which nothing runs. */
void peer_sweep(struct peer *peer, int64_t now, bool all);
size_t peer_connection_size(void); /* bytes, for worker->connections */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/upstream.h: a client on one worker: its balancer, its peers, and their connections.
 *
 *	upstream  a client (proxy/live.h) on this worker
 *	peer      one of its targets on this worker: a candidate of the balancer, with a stack of idle connections
 *	connection one session to a peer
 *
 * A peer whose target was taken away serves what runs on it and then goes. Connections are reused last-in first-out. When the
 * target's connections are limited and all are in use, exchanges wait in the order in which they came.
 *
 *	struct peer *peer = upstream_pick(upstream, now, exchange's tried peers, &forced);
 *	e = peer_open(peer, &limits, &side_events, exchange, &side);   // ERROR_BUSY: peer_wait(peer, &waiter)
 *	peer_close(peer, now, latency, outcome);                // after the attempt
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "proxy/worker.h"
#include "tls/stream.h"

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

struct caller;

struct upstream {
	struct map_entry entry; /* worker->upstreams_by_client, by the client's address as bytes */
	struct worker *worker;
	struct client *client;   /* counted */
	struct targets *targets; /* counted */
	struct client_stats *stats;
	struct balancer balancer;
	struct budget_share share;
	struct list peers;
	struct map callers;      /* struct caller (caller.h), by name */
	uint64_t plain_ended[2]; /* calls in plain text that the callers don't count yet, by success */
	uint32_t references;     /* bound routes and attempts */
	int64_t unused_since;    /* when references fell to 0 */
	bool incomplete;         /* there was no memory for some of the peers */
};

struct peer_waiter {
	struct list link;
	void (*ready)(struct peer_waiter *waiter); /* try peer_open again, unless `failed` */
	int failed;                                /* what it waited for ended so before it could be used; 0: try again */
};

/* Finds or makes the worker's upstream for a client and gives it its targets; takes the references of both. From the inbox. */
void upstream_publish(struct worker *worker, struct client *client, struct targets *targets);
struct upstream *upstream_find(struct worker *worker, const struct client *client);
void upstream_ref(struct upstream *upstream);
void upstream_unref(struct upstream *upstream);

/* NULL: there are no endpoints. The peer is counted for the caller, and its attempt has begun. */
struct peer *upstream_pick(struct upstream *upstream, int64_t now, struct candidate *const *tried, unsigned tried_count, bool *forced);
/* Requests that come while a connection to the peer is being made wait for it when it may carry many of them.
 * An exchange on an idle connection, or on a new one, which is made with `limits`. ERROR_BUSY: connections are limited and in use;
 * ERROR_CLOSED: the target was taken away; ERROR_LIMIT, ERROR_NO_MEMORY. */
MUST_CHECK int peer_open(
	struct peer *peer, const struct session_limits *limits, const struct side_events *events, void *exchange, struct side **side);
/* False when too many wait already. */
bool peer_wait(struct peer *peer, struct peer_waiter *waiter);
void peer_leave(struct peer *peer, struct peer_waiter *waiter); /* before `ready` */
/* A stream to the peer as its policy wants it, with TLS, for who makes a session of its own: `protocol` is what will be spoken. Until
 * that stream has ended the peer is to be counted. ERROR_LIMIT, ERROR_NO_MEMORY, ERROR_INVALID: TLS to an endpoint without a name. */
MUST_CHECK int peer_connect(struct peer *peer, enum upstream_protocol protocol, struct stream **stream);
void peer_ref(struct peer *peer);
void peer_unref(struct peer *peer);
/* For sharing.c: the request that has waited longest tries again; an idle connection is closed, false: there is none. */
void peer_wake_one(struct peer *peer);
/* Whether somebody waits for whom no connection is being made. */
bool peer_lacks(const struct peer *peer);
bool peer_spare_one(struct peer *peer);
/* The attempt is over: for the balancer (latency < 0: unknown) and, when `judged`, for the target's health. */
void peer_done(struct peer *peer, int64_t now, int64_t latency_ns, bool judged, bool success);

/* Idle connections that have been idle too long, upstreams that nobody uses; with `all` every idle connection. */
void upstream_sweep(struct worker *worker, int64_t now, bool all);
/* Every upstream, when no connection is left. */
void upstream_free_all(struct worker *worker);
size_t upstream_connection_size(void);

#endif

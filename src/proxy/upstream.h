/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/upstream.h: a client on one worker: its balancer, its peers, and their connections.
 *
 *	upstream  a client (proxy/live.h) on this worker
 *	peer      one of its targets on this worker: a candidate of the balancer, with a stack of idle connections
 *	connection one session to a peer
 *
 *	struct peer *peer = upstream_pick(upstream, now, exchange's tried peers, &forced);
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "proxy/peer.h"

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

/* Finds or makes the worker's upstream for a client and gives it its targets; takes the references of both. From the inbox. */
void upstream_publish(struct worker *worker, struct client *client, struct targets *targets);
struct upstream *upstream_find(struct worker *worker, const struct client *client);
void upstream_ref(struct upstream *upstream);
void upstream_unref(struct upstream *upstream);

/* NULL: there are no endpoints. The peer is counted for the caller, and its attempt has begun. */
struct peer *upstream_pick(struct upstream *upstream, int64_t now, struct candidate *const *tried, unsigned tried_count, bool *forced);
/* Idle connections that have been idle too long, upstreams that nobody uses; with `all` every idle connection. */
void upstream_sweep(struct worker *worker, int64_t now, bool all);
/* Every upstream, when no connection is left. */
void upstream_free_all(struct worker *worker);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/worker.h: what one worker has: its loop, pools, listeners, routes and upstreams.
 *
 * Everything here belongs to the worker's thread. The control thread reaches it by messages (io/channel.h) and by the live
 * objects that it publishes (proxy/live.h).
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "balance/balancer.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "io/channel.h"
#include "io/loop.h"
#include "io/network.h"
#include "model/snapshot.h"
#include "observe/ring.h"
#include "proxy/live.h"
#include "proxy/stats.h"
#include "proxy/tap.h"
#include "session/session.h"
#include "tls/stream.h"

struct ingress_news;
struct proxy;

enum {
	WORKER_MAGIC = 0x776f726b,
	ROUTER_MAGIC = 0x726f7574,
};

/* A listening socket's set, and what all workers share about it. The control thread makes and frees it. */
struct port {
	struct list link; /* control: proxy->ports */
	struct listen_set *set;
	struct address bound;
	struct address asked; /* as configured: port 0 stays 0 */
	struct scope *scope;  /* control: struct server_stats, under its present router's label; NULL: none yet */
	struct scope **past;  /* control: those under the labels that it had before: sessions may still count there */
	unsigned past_count;
	_Atomic uint32_t concurrent; /* requests now; kept only when there is a limit */
	_Atomic uint32_t references; /* workers that still have it, and the control thread */
	unsigned generation;         /* control: of the last snapshot that had it; 0: none yet */
	unsigned previous_generation;
	unsigned router, listener; /* control: which listener of the present snapshot it is */
	struct tls_server *tls;    /* control: of the present snapshot, counted; NULL: plain text */
	struct scope *tls_scope;   /* control: where its certificate is told of */
};

/* A worker's share of a port. */
struct worker_listener {
	struct list link; /* worker->listeners */
	struct worker *worker;
	struct port *port;
	struct listener *listener;            /* NULL once stopped */
	struct worker_router *router;         /* the present one */
	const struct listener_policy *policy; /* in router->snapshot */
	struct server_stats *stats;           /* of its present router's label: for what begins from now on */
	struct session_limits limits;
	struct list sessions; /* by session->link */
	uint32_t exchanges;   /* that refer to it: one may outlive its session */
	bool has_secured;     /* ever TLS: sessions that began with it may still be there */
	bool stopped;         /* not configured any more; gone with its last session and exchange */
};

/* A router on this worker, for one snapshot. The control thread makes it and frees it. */
struct worker_router {
	uint32_t magic;
	uint32_t references; /* the worker's, while it is the present one, and its listeners' */
	bool retired;        /* a newer snapshot has taken its place: no routes any more */
	struct worker *worker;
	struct snapshot *snapshot; /* counted */
	const struct router *router;
	struct binder *binder;
	struct scope *scope; /* counted */
	struct metrics *metrics;
	struct router_stats *stats;
	struct lines *access_lines; /* of its access log; NULL: it has none */
	struct slice dst_prefix;    /* shown: "/svc" */
	struct map routes;          /* struct route, least recently used first */
	struct map methods;         /* struct rpc_method (methods.c), by gRPC's names */
	unsigned local_routes;      /* of them, those with a dtab of the request's own */
	struct ingress **ingresses; /* by struct ingress_policy.index, counted; NULL: not known yet */
	struct list unnamed;        /* struct waiter: exchanges that wait for one of them */
	struct list link;           /* worker->dying_routers */
};

/* A configuration on its way to a worker: made by the control thread, used up by the worker. */
struct worker_config {
	struct worker_router **routers;
	unsigned router_count;
	struct ring *recents; /* not owned; NULL: recent requests are not kept */
	double recent_rate;
	struct ring *spans; /* not owned; NULL: nobody wants spans */
	double span_rate;
	struct joining *joining; /* not owned; NULL: no configuration has wanted it yet */
	unsigned entry_count;
	struct {
		struct port *port;
		struct scope *scope; /* port->scope, as of this configuration */
		unsigned router;     /* index */
		const struct listener_policy *policy;
	} entries[];
};

/* The time of the last line of an access log (access_line_time). */
struct access_time {
	int64_t ms; /* since 1970 */
	char text[sizeof "2026-11-26T18:22:19.123Z"];
};

struct worker {
	uint32_t magic;
	unsigned index;
	struct proxy *proxy;
	struct loop *loop;
	struct network *network;
	const struct codec *codec; /* of all; NULL: what the policies say */
	struct channel *inbox;     /* from the control thread */
	struct channel *control;   /* to the control thread */
	struct session_pools *sessions;
	struct tls_pools *tls;
	struct pool exchanges, blocks, small_blocks, routes, bound_routes, upstreams, peers, connections, checks;
	struct list listeners;
	struct worker_router **routers;
	unsigned router_count;
	struct map upstreams_by_client;
	struct map peers_by_target; /* those whose connections are limited */
	_Atomic bool overlooked;    /* another worker's message about one of them didn't fit into the inbox */
	struct list unready_routes; /* a binding was published that there was no memory for */
	struct list dying_routes;   /* released; the control thread has not been told yet */
	struct list dying_routers;  /* the same */
	uint32_t configured;        /* configurations taken over that the control thread doesn't know of yet */
	uint32_t routes_alive;      /* until the control thread has acknowledged their release */
	struct list running;        /* exchanges */
	struct timer sweep;         /* once a second: what is idle goes */
	int64_t access_second;      /* what access_date says, seconds since 1970 (access.c) */
	char access_date[sizeof "[26/11/2026:18:22:19 UTC]"];
	struct access_time access_time;
	uint64_t hash_key;
	struct ring *records; /* struct record */
	struct ring *notes;   /* struct note */
	struct ring *recents; /* struct recent, not owned; or NULL */
	double recent_rate;
	struct ring *spans;         /* struct span, not owned; or NULL */
	double span_rate;           /* of the requests for which their callers haven't decided it */
	struct joining *joining;    /* once there is one, kept to the end; not owned */
	struct tap *taps[TAP_MOST]; /* live requests that are asked for; not owned */
	unsigned tap_count;
	struct map flows;          /* struct flow (flows.h), by key */
	_Atomic int64_t flows_for; /* how long somebody wants them counted; 0: nobody does. The control thread's */
	struct counter flows_lost;
	struct timer look; /* while draining: tells `left` */
	bool draining, shutting_down;
	/* What is left, told by `look`, each by a counter of its own, so that an old number is not taken for a new one: sessions and
	 * exchanges while draining; everything while shutting down. UINT32_MAX: nothing was told yet. */
	_Atomic uint32_t left_draining, left_shutting_down;
};

static inline bool flows_are_wanted(const struct worker *worker)
{
	return __builtin_expect(atomic_load_explicit(&worker->flows_for, memory_order_relaxed) != 0, 0);
}

/* `records`: of requests, that are kept; 0: 4096. */
MUST_CHECK int worker_init(struct worker *worker, struct proxy *proxy, unsigned index, struct loop *loop, struct network *network,
	const struct codec *codec, struct channel *control, uint32_t records);
/* Everything must be drained or is closed now; on the loop's thread, or after it has ended. */
void worker_fini(struct worker *worker);

/* Takes over a configuration: listeners that it lacks are stopped, new ones started, the others get their new routers;
 * exchanges parked for a name are routed anew. Frees `config`. From the inbox. */
void worker_configure(struct worker *worker, struct worker_config *config);
/* Takes over news of Ingresses, which it frees; exchanges that wait for such go on. From the inbox. */
void worker_take_ingress(struct worker *worker, struct ingress_news *news);
/* Calls proxy_configured on the control thread, for certain though perhaps later. */
void worker_acknowledge(struct worker *worker);
void proxy_configured(struct proxy *proxy); /* proxy.c */
/* All workers, in the order of their indices; proxy.c. */
struct worker *proxy_workers(struct proxy *proxy, unsigned *count);
/* What listeners, and a client with that policy, speak. Every listener takes HTTP/1 and HTTP/2, whatever its router's protocol. */
const struct codec *worker_server_codec(const struct worker *worker);
const struct codec *worker_client_codec(const struct worker *worker, const struct client_policy *policy);
void worker_router_ref(struct worker_router *router);
void worker_router_unref(struct worker_router *router);

/* Begins draining: sessions finish what runs; parked exchanges go on. */
void worker_drain(struct worker *worker);
/* Closes whatever still runs. */
void worker_close_all(struct worker *worker);
/* Everything that the worker has goes; worker->left_shutting_down says how much is left (any thread may look). */
void worker_shut_down(struct worker *worker);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/route.h: a worker's cache of names: what each logical name (with the request's own dtab) is bound to now.
 *
 * A name met for the first time is asked for at the control thread (`want`, proxy/binder.h) and the exchanges that need it are
 * parked on the route until its binding is published, or until their time is over. Bindings are replaced as the world
 * changes; an exchange keeps the bound_route that it began with. Routes idle for the configured time, and the least
 * recently used ones above the configured number, are released.
 *
 *	struct route *route;
 *	int e = route_find(router, key, path_length, local, &route);
 *	if (route->bound) use(bound_route_ref(route->bound)); else route_wait(route, &exchange->waiter);
 *
 * Life of a route, moved by route_move only:
 *	WANTED --first binding--> BOUND --evicted or idle--> RELEASED --the control thread acknowledges--> gone
 *	WANTED --nobody waits any more, idle--> RELEASED
 */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "proxy/upstream.h"
#include "proxy/worker.h"

enum { ROUTE_MAGIC = 0x6e616d65, ROUTE_KEY_INLINE = 256 };

enum route_state {
	ROUTE_WANTED,
	ROUTE_BOUND,
	ROUTE_RELEASED,
};

struct binder;
struct interest;

struct bound_leaf {
	struct upstream *upstream; /* counted */
	struct attempt_stats *stats;
};

/* A binding made ready for this worker. Counted without atomics; immutable. */
struct bound_route {
	uint32_t references;
	struct worker *worker;
	struct binding *binding; /* counted */
	struct service_stats *stats;
	struct budget_share share;
	unsigned leaf_count;
	struct bound_leaf *leaves; /* `first`, or leaf_count of them on the heap */
	struct bound_leaf first;
};

struct route {
	uint32_t magic;
	enum route_state state;
	struct map_entry entry;       /* router->routes; key = local dtab, LF, path */
	struct list link;             /* worker->unready_routes, or dying_routes */
	struct worker_router *router; /* NULL once released */
	struct worker *worker;
	unsigned path_length; /* the key's last bytes: "/svc/hello" */
	bool local;
	struct bound_route *bound; /* counted; NULL until bound */
	struct list waiting;       /* struct waiter */
	int64_t used;              /* loop_now */
	uint64_t uses;
	struct binder *binder; /* who binds it; the control thread frees it after its last route */
	unsigned router_index;
	struct interest *interest; /* the control thread's; never touched here */
	char *key;                 /* own_key, or on the heap */
	char own_key[ROUTE_KEY_INLINE];
};

/* Embedded in an exchange. */
struct waiter {
	struct list link; /* route->waiting, or worker_router->unnamed; unlinked when not waiting */
	void (*ready)(
		struct waiter *waiter); /* it is known now, or can't be; called from the loop, after unlinking. It may come to wait again */
};

/* Calls all that wait now, not those that come meanwhile. */
void waiters_wake(struct list *waiting);

/* Finds or makes; `hash` is slice_hash(key, router->routes.seed). ERROR_LIMIT: no place (all entries are in use), or the control
 * thread's queue is full. */
MUST_CHECK int route_find(struct worker_router *router, struct slice key, unsigned path_length, bool local, struct route **route);
void route_wait(struct route *route, struct waiter *waiter);

/* All that wait are called although there is no binding yet: the router has been retired. */
void route_wake(struct route *route);
/* A binding was published; takes its reference. When there is no memory for it, it's asked for again later. From the inbox. */
void route_publish(struct route *route, struct binding *binding);
/* The control thread has forgotten the route. */
void route_gone(struct route *route);
/* Releases what is idle, and with `all` everything. */
void route_sweep(struct worker_router *router, int64_t now, bool all);
/* Asks again for bindings that there was no memory for, and sends again the releases that found the control thread's queue
 * full. */
void route_flush(struct worker *worker);

static inline struct bound_route *bound_route_ref(struct bound_route *bound)
{
	bound->references++;
	return bound;
}

void bound_route_unref(struct bound_route *bound);

static inline struct slice route_path(const struct route *route)
{
	struct slice key = route->entry.key;

	return slice_make(key.at + key.length - route->path_length, route->path_length);
}

#endif

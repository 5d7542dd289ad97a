/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/route.h"

#include "base/check.h"
#include "base/memory.h"
#include "proxy/binder.h"

/* ---- bindings made ready ---- */

static struct bound_route *bound_route_new(struct worker *worker, struct binding *binding)
{
	/* The targets of each client were published before the binding: an upstream is lacking only when memory was. */
	for (unsigned i = 0; i < binding->leaf_count; i++)
		if (!upstream_find(worker, binding->leaves[i].client))
			return NULL;
	struct bound_route *bound = pool_get(&worker->bound_routes);

	if (!bound)
		return NULL;
	*bound = (struct bound_route){ .references = 1, .worker = worker, .binding = binding, .leaf_count = binding->leaf_count };
	bound->stats = scope_shard(binding->service->scope, worker->index);
	bound->leaves = binding->leaf_count > 1 ? memory_array(binding->leaf_count, sizeof *bound->leaves) : &bound->first;
	for (unsigned i = 0; i < binding->leaf_count; i++) {
		bound->leaves[i].upstream = upstream_find(worker, binding->leaves[i].client);
		bound->leaves[i].stats = scope_shard(binding->leaves[i].scope, worker->index);
		upstream_ref(bound->leaves[i].upstream);
	}
	return bound;
}

void bound_route_unref(struct bound_route *bound)
{
	struct worker *worker = bound->worker;

	if (--bound->references)
		return;
	budget_flush(&bound->binding->service->budget, &bound->share, loop_now(worker->loop));
	for (unsigned i = 0; i < bound->leaf_count; i++)
		upstream_unref(bound->leaves[i].upstream);
	if (bound->leaves != &bound->first)
		memory_free(bound->leaves);
	live_unref(&bound->binding->object);
	pool_put(&worker->bound_routes, bound);
}

/* ---- routes ---- */

static struct route *route_at(struct map_entry *entry)
{
	return MAP_OF(entry, struct route, entry);
}

static struct cache_stats *cache_of(struct worker_router *router, bool local)
{
	return local ? &router->stats->trees : &router->stats->paths;
}

static void deliver_want(const struct message *message)
{
	struct route *route = message->a;

	binder_want(route->binder, (unsigned)message->n, route);
}

static void deliver_release(const struct message *message)
{
	struct route *route = message->a;

	binder_release(route->binder, (unsigned)message->n, route);
}

static void deliver_again(const struct message *message)
{
	struct route *route = message->a;

	binder_again(route->binder, (unsigned)message->n, route);
}

static int tell_control(struct route *route, void (*deliver)(const struct message *))
{
	return channel_post(route->worker->control, (struct message){ .deliver = deliver, .a = route, .n = route->worker->index });
}

/* The only place where a route's state changes. */
static void route_move(struct route *route, enum route_state state)
{
	static const char allowed[3][3] = {
		[ROUTE_WANTED] = { [ROUTE_BOUND] = 1, [ROUTE_RELEASED] = 1 },
		[ROUTE_BOUND] = { [ROUTE_BOUND] = 1, [ROUTE_RELEASED] = 1 },
	};

	CHECK_MAGIC(route, ROUTE_MAGIC);
	CHECK(allowed[route->state][state]);
	route->state = state;
}

static void route_free(struct route *route)
{
	struct worker *worker = route->worker;

	if (route->key != route->own_key)
		memory_free(route->key);
	route->magic = 0;
	worker->routes_alive--;
	pool_put(&worker->routes, route);
}

static void drop_binding(struct route *route)
{
	if (route->bound)
		bound_route_unref(route->bound);
	route->bound = NULL;
}

/* Out of the cache; freed when the control thread has acknowledged it. */
static void route_release(struct route *route)
{
	struct worker *worker = route->worker;

	CHECK(list_empty(&route->waiting));
	route_move(route, ROUTE_RELEASED);
	map_remove(&route->router->routes, &route->entry);
	if (route->local)
		route->router->local_routes--;
	if (route->uses <= 1)
		counter_add(&cache_of(route->router, route->local)->oneshots, 1);
	route->router = NULL;
	drop_binding(route);
	list_remove(&route->link);
	list_append(&worker->dying_routes, &route->link);
	route_flush(worker);
}

void route_flush(struct worker *worker)
{
	LIST_EACH_SAFE(&worker->unready_routes, link, after) {
		if (tell_control(LIST_OF(link, struct route, link), deliver_again))
			break;
		list_remove(link);
	}
	LIST_EACH_SAFE(&worker->dying_routes, link, after) {
		struct route *route = LIST_OF(link, struct route, link);

		if (tell_control(route, deliver_release))
			return;
		list_remove(link);
	}
}

static struct route *route_new(struct worker_router *router, struct slice key, unsigned path_length, bool local)
{
	struct worker *worker = router->worker;
	struct route *route = pool_get(&worker->routes);

	if (!route)
		return NULL;
	memset(route, 0, offsetof(struct route, own_key));
	route->magic = ROUTE_MAGIC;
	route->router = router;
	route->worker = worker;
	route->binder = router->binder;
	route->router_index = router->router->index;
	route->path_length = path_length;
	route->local = local;
	route->key = key.length <= ROUTE_KEY_INLINE ? route->own_key : memory_new(key.length);
	memcpy(route->key, key.at, key.length);
	list_init(&route->waiting);
	list_init(&route->link);
	worker->routes_alive++;
	return route;
}

/* Makes room by releasing the least recently used route that nobody waits for; among those of one kind (with the request's
 * own dtab, or without), so that strangers' dtabs can't drive out everybody's names. */
static bool make_room(struct worker_router *router, bool local)
{
	uint32_t max = local ? router->router->cache_trees : router->router->cache_paths;
	uint32_t count = local ? router->local_routes : router->routes.count - router->local_routes;

	if (count < max)
		return true;
	MAP_EACH(&router->routes, entry) {
		struct route *route = route_at(entry);

		if (route->local == local && list_empty(&route->waiting)) {
			counter_add(&cache_of(router, local)->evicts, 1);
			route_release(route);
			return true;
		}
	}
	return false;
}

int route_find(struct worker_router *router, struct slice key, unsigned path_length, bool local, struct route **out)
{
	struct worker *worker = router->worker;
	struct map_entry *entry = map_find(&router->routes, key);
	struct route *route;

	if (entry) {
		route = route_at(entry);
		if (route->used != loop_now(worker->loop)) {
			route->used = loop_now(worker->loop);
			map_touch(&router->routes, entry);
		}
		route->uses++;
		*out = route;
		return 0;
	}
	counter_add(&cache_of(router, local)->misses, 1);
	if (!make_room(router, local))
		return ERROR_LIMIT;
	route = route_new(router, key, path_length, local);
	if (!route)
		return ERROR_NO_MEMORY;
	route->used = loop_now(worker->loop);
	route->uses = 1;
	map_insert(&router->routes, &route->entry, slice_make(route->key, key.length));
	if (tell_control(route, deliver_want)) {
		map_remove(&router->routes, &route->entry);
		route_free(route);
		return ERROR_LIMIT;
	}
	if (local)
		router->local_routes++;
	*out = route;
	return 0;
}

void route_wait(struct route *route, struct waiter *waiter)
{
	list_append(&route->waiting, &waiter->link);
}

void waiters_wake(struct list *waiting)
{
	struct list ready;

	list_init(&ready);
	while (!list_empty(waiting)) {
		struct list *link = waiting->next;

		list_remove(link);
		list_append(&ready, link);
	}
	while (!list_empty(&ready)) {
		struct waiter *waiter = LIST_OF(ready.next, struct waiter, link);

		list_remove(&waiter->link);
		waiter->ready(waiter);
	}
}

void route_wake(struct route *route)
{
	waiters_wake(&route->waiting);
}

void route_publish(struct route *route, struct binding *binding)
{
	CHECK_MAGIC(route, ROUTE_MAGIC);
	if (route->state == ROUTE_RELEASED) {
		live_unref(&binding->object);
		return;
	}
	struct bound_route *bound = bound_route_new(route->worker, binding);

	list_remove(&route->link);
	if (!bound) {
		live_unref(&binding->object);
		list_append(&route->worker->unready_routes, &route->link);
		return;
	}
	drop_binding(route);
	route->bound = bound;
	route_move(route, ROUTE_BOUND);
	route_wake(route);
}

void route_gone(struct route *route)
{
	CHECK_MAGIC(route, ROUTE_MAGIC);
	CHECK(route->state == ROUTE_RELEASED);
	route_free(route);
}

void route_sweep(struct worker_router *router, int64_t now, bool all)
{
	MAP_EACH_SAFE(&router->routes, entry, after) {
		struct route *route = route_at(entry);

		if (!all && now - route->used < router->router->cache_idle_ns)
			break; /* those behind it were used later */
		if (!list_empty(&route->waiting))
			continue;
		if (!all)
			counter_add(&cache_of(router, route->local)->expires, 1);
		route_release(route);
	}
}

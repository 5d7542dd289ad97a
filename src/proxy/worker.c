/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/worker.h"

#include "base/check.h"
#include "base/memory.h"
#include "proxy/exchange.h"
#include "proxy/flows.h"
#include "proxy/health_check.h"
#include "proxy/ingresses.h"
#include "proxy/listener.h"
#include "proxy/methods.h"
#include "proxy/router.h"
#include "proxy/upstream.h"

enum {
	INBOX = 4096, /* messages from the control thread that may wait */
	MAX_EXCHANGES = 200000,
	RECORDS = 4096,        /* of the last requests, unless it is said; 72 bytes each */
	RECORDS_TO_A_NOTE = 4, /* notes are 256 bytes each, which are touched as they are written */
	MAX_BLOCKS = 65536,
	BLOCK_BYTES = 16384,
	SMALL_BLOCK_BYTES = 1024, /* what most exchanges that need more than they have need */
	MAX_ROUTES = 65536,
	MAX_UPSTREAMS = 16384,
	MAX_PEERS = 262144,
	MAX_CONNECTIONS = 200000,
	MAX_SESSIONS = 400000,
};

#define SWEEP CLOCK_SECOND
#define LOOK (5 * CLOCK_MS)

/* ---- routers ---- */

static void deliver_router(const struct message *message)
{
	router_bury(message->a);
}

static void flush_routers(struct worker *worker)
{
	LIST_EACH_SAFE(&worker->dying_routers, link, after) {
		struct worker_router *router = LIST_OF(link, struct worker_router, link);

		list_remove(link);
		if (channel_post(worker->control, (struct message){ .deliver = deliver_router, .a = router })) {
			list_prepend(&worker->dying_routers, link);
			return;
		}
	}
}

static void deliver_configured(const struct message *message)
{
	proxy_configured(message->owner);
}

static void flush_configured(struct worker *worker)
{
	while (worker->configured &&
		channel_post(worker->control, (struct message){ .deliver = deliver_configured, .owner = worker->proxy }) == 0)
		worker->configured--;
}

const struct codec *worker_server_codec(const struct worker *worker)
{
	return worker->codec ? worker->codec : &http_codec;
}

const struct codec *worker_client_codec(const struct worker *worker, const struct client_policy *policy)
{
	if (worker->codec)
		return worker->codec;
	switch (policy->protocol) {
	case UPSTREAM_HTTP1:
		return &http1_codec;
	case UPSTREAM_HTTP2:
		return &http2_codec;
	case UPSTREAM_AUTO:
		break;
	}
	return &http_codec;
}

void worker_router_ref(struct worker_router *router)
{
	router->references++;
}

void worker_router_unref(struct worker_router *router)
{
	struct worker *worker = router->worker;

	if (--router->references)
		return;
	CHECK(router->retired && router->routes.count == 0);
	list_append(&worker->dying_routers, &router->link);
	flush_routers(worker);
}

void worker_take_ingress(struct worker *worker, struct ingress_news *news)
{
	CHECK_MAGIC(worker, WORKER_MAGIC);
	for (unsigned i = 0; i < worker->router_count; i++) {
		struct worker_router *router = worker->routers[i];

		if (router->snapshot->generation != news->generation)
			continue;
		ingress_unref(router->ingresses[news->index]);
		router->ingresses[news->index] = ingress_ref(news->rules);
		waiters_wake(&router->unnamed); /* each is asked for its name again */
	}
	ingress_unref(news->rules);
	memory_free(news);
}

static void retire(struct worker_router *router)
{
	router->retired = true;
	waiters_wake(&router->unnamed);
	MAP_EACH(&router->routes, entry)
		route_wake(MAP_OF(entry, struct route, entry));
	route_sweep(router, loop_now(router->worker->loop), true);
	worker_router_unref(router);
}

static bool configured(const struct worker_config *config, const struct port *port)
{
	for (unsigned i = 0; i < config->entry_count; i++)
		if (config->entries[i].port == port)
			return true;
	return false;
}

void worker_acknowledge(struct worker *worker)
{
	worker->configured++;
	flush_configured(worker);
}

void worker_configure(struct worker *worker, struct worker_config *config)
{
	struct worker_router **old = worker->routers;
	unsigned old_count = worker->router_count;

	CHECK_MAGIC(worker, WORKER_MAGIC);
	worker->routers = config->routers;
	worker->router_count = config->router_count;
	worker->recents = config->recents;
	worker->recent_rate = config->recent_rate;
	worker->spans = config->spans;
	worker->span_rate = config->span_rate;
	worker->joining = config->joining;
	for (unsigned i = 0; i < config->entry_count; i++) {
		struct worker_router *router = worker->routers[config->entries[i].router];
		struct worker_listener *listener = listener_find(worker, config->entries[i].port);

		if (listener)
			listener_route(listener, router, config->entries[i].policy, config->entries[i].scope);
		else if (!worker->draining)
			listener_start(worker, config->entries[i].port, router, config->entries[i].policy, config->entries[i].scope);
	}
	LIST_EACH_SAFE(&worker->listeners, link, after) {
		struct worker_listener *listener = LIST_OF(link, struct worker_listener, link);

		if (!listener->stopped && !configured(config, listener->port))
			listener_stop(listener);
	}
	for (unsigned i = 0; i < old_count; i++)
		retire(old[i]);
	memory_free(old);
	memory_free(config);
}

static void look(void *owner);

static void sweep(void *owner)
{
	struct worker *worker = owner;
	int64_t now = loop_now(worker->loop);

	CHECK_MAGIC(worker, WORKER_MAGIC);
	timer_set(worker->loop, &worker->sweep, now + SWEEP);
	route_flush(worker);
	flush_routers(worker);
	flush_configured(worker);
	for (unsigned i = 0; i < worker->router_count; i++) {
		route_sweep(worker->routers[i], now, false);
		methods_flush(worker->routers[i]);
	}
	upstream_sweep(worker, now, worker->draining);
	flows_sweep(worker, now);
}

int worker_init(struct worker *worker, struct proxy *proxy, unsigned index, struct loop *loop, struct network *network,
	const struct codec *codec, struct channel *control, uint32_t records)
{
	int e;

	*worker = (struct worker){ .magic = WORKER_MAGIC,
		.index = index,
		.proxy = proxy,
		.loop = loop,
		.network = network,
		.codec = codec,
		.control = control,
		.left_draining = UINT32_MAX,
		.left_shutting_down = UINT32_MAX };
	e = channel_new(loop, INBOX, &worker->inbox);
	if (e)
		return e;
	e = session_pools_new(loop, MAX_SESSIONS, MAX_EXCHANGES * 2, &worker->sessions);
	if (e) {
		channel_free(worker->inbox);
		return e;
	}
	e = tls_pools_new(loop, &(struct tls_limits){ .max_streams = MAX_SESSIONS }, &worker->tls);
	if (e) {
		session_pools_free(worker->sessions);
		channel_free(worker->inbox);
		return e;
	}
	pool_init(&worker->exchanges, "exchange", sizeof(struct exchange), MAX_EXCHANGES);
	pool_init(&worker->blocks, "block", BLOCK_BYTES, MAX_BLOCKS);
	pool_init(&worker->small_blocks, "small block", SMALL_BLOCK_BYTES, MAX_EXCHANGES * 2);
	pool_init(&worker->routes, "route", sizeof(struct route), MAX_ROUTES);
	pool_init(&worker->bound_routes, "bound route", sizeof(struct bound_route), MAX_ROUTES * 2);
	pool_init(&worker->upstreams, "upstream", sizeof(struct upstream), MAX_UPSTREAMS);
	pool_init(&worker->peers, "peer", sizeof(struct peer), MAX_PEERS);
	pool_init(&worker->connections, "connection", peer_connection_size(), MAX_CONNECTIONS);
	pool_init(&worker->checks, "health check", health_check_size(), MAX_PEERS);
	list_init(&worker->listeners);
	list_init(&worker->unready_routes);
	list_init(&worker->dying_routes);
	list_init(&worker->dying_routers);
	timer_init(&worker->look, look, worker);
	list_init(&worker->running);
	worker->hash_key = random_u64(loop_random(loop));
	map_init(&worker->upstreams_by_client, 0);
	map_init(&worker->peers_by_target, 0);
	map_init(&worker->flows, worker->hash_key);
	records = records ? records : RECORDS;
	worker->records = ring_new(sizeof(struct record), records);
	worker->notes = ring_new(sizeof(struct note), records / RECORDS_TO_A_NOTE);
	timer_init(&worker->sweep, sweep, worker);
	timer_set(loop, &worker->sweep, loop_now(loop) + SWEEP);
	return 0;
}

static void abort_running(struct worker *worker)
{
	LIST_EACH_SAFE(&worker->running, link, after)
		exchange_abort(LIST_OF(link, struct exchange, link));
}

void worker_close_all(struct worker *worker)
{
	abort_running(worker);
	LIST_EACH(&worker->listeners, link)
		listener_close_sessions(LIST_OF(link, struct worker_listener, link));
	upstream_sweep(worker, loop_now(worker->loop), true);
}

void worker_fini(struct worker *worker)
{
	CHECK_MAGIC(worker, WORKER_MAGIC);
	timer_cancel(worker->loop, &worker->sweep);
	timer_cancel(worker->loop, &worker->look);
	channel_free(worker->inbox);
	CHECK(worker->router_count == 0 && list_empty(&worker->listeners));
	flows_fini(worker);
	upstream_free_all(worker);
	session_pools_free(worker->sessions);
	tls_pools_free(worker->tls);
	map_fini(&worker->upstreams_by_client);
	map_fini(&worker->peers_by_target);
	memory_free(worker->routers);
	ring_free(worker->records);
	ring_free(worker->notes);
	pool_fini(&worker->exchanges);
	pool_fini(&worker->blocks);
	pool_fini(&worker->small_blocks);
	pool_fini(&worker->routes);
	pool_fini(&worker->bound_routes);
	pool_fini(&worker->upstreams);
	pool_fini(&worker->peers);
	pool_fini(&worker->connections);
	pool_fini(&worker->checks);
	worker->magic = 0;
}

/* ---- draining and shutting down ---- */

static uint32_t count_left(struct worker *worker)
{
	uint32_t left = 0;

	LIST_EACH(&worker->listeners, link)
		left += !list_empty(&LIST_OF(link, struct worker_listener, link)->sessions);
	left += !list_empty(&worker->running);
	if (worker->shutting_down)
		left += worker->routes_alive + worker->connections.in_use + worker->checks.in_use + worker->router_count +
			worker->configured + !list_empty(&worker->dying_routers) + !list_empty(&worker->listeners);
	return left;
}

static void look(void *owner)
{
	struct worker *worker = owner;

	CHECK_MAGIC(worker, WORKER_MAGIC);
	if (worker->shutting_down) {
		flush_routers(worker);
		flush_configured(worker);
		route_flush(worker);
		upstream_sweep(worker, loop_now(worker->loop), true);
	}
	atomic_store_explicit(
		worker->shutting_down ? &worker->left_shutting_down : &worker->left_draining, count_left(worker), memory_order_release);
	timer_set(worker->loop, &worker->look, loop_now(worker->loop) + LOOK);
}

void worker_drain(struct worker *worker)
{
	worker->draining = true;
	LIST_EACH(&worker->listeners, link)
		listener_drain(LIST_OF(link, struct worker_listener, link));
	look(worker);
}

void worker_shut_down(struct worker *worker)
{
	struct worker_config *nothing = memory_new(sizeof *nothing);

	worker->shutting_down = true;
	worker_close_all(worker);
	worker_configure(worker, nothing);
	look(worker);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/methods.h"

#include <stdatomic.h>

#include "base/memory.h"

enum { EARLY = 16 };

/* A worker's method. The control thread makes its scope and frees it after its worker has let go of the router, whose death is told on
 * the same channel, later. */
struct rpc_method {
	struct map_entry entry; /* router->methods, by name */
	struct worker_router *router;
	struct method_stats *_Atomic stats; /* NULL until the control thread has made the scope */
	struct scope *scope;                /* control thread */
	struct {
		uint32_t us;
		uint8_t status;
		bool success;
	} early[EARLY]; /* calls before that */
	uint32_t early_count;
	char name[METHOD_NAME];
};

static void deliver_want(const struct message *message)
{
	struct rpc_method *method = message->a;
	struct worker_router *router = method->router;
	const struct scope_label at[] = {
		{ SLICE("rt"), router->router->label },
		{ SLICE("method"), method->entry.key },
	};

	method->scope = metrics_scope(router->metrics, &method_kind, at, 2);
	atomic_store_explicit(&method->stats, scope_shard(method->scope, router->worker->index), memory_order_release);
}

static struct rpc_method *method_new(struct worker_router *router, struct slice name)
{
	struct rpc_method *method = memory_new(sizeof *method);

	method->router = router;
	memcpy(method->name, name.at, name.length);
	map_insert(&router->methods, &method->entry, slice_make(method->name, name.length));
	if (channel_post(router->worker->control, (struct message){ .deliver = deliver_want, .a = method })) {
		map_remove(&router->methods, &method->entry);
		memory_free(method);
		return NULL;
	}
	return method;
}

static struct rpc_method *find(struct worker_router *router, struct slice name)
{
	struct map_entry *entry = map_find(&router->methods, name);

	return entry ? MAP_OF(entry, struct rpc_method, entry) : NULL;
}

/* NULL: not now. */
static struct rpc_method *method_of(struct exchange *exchange)
{
	struct worker_router *router = exchange->listener->router;
	struct slice name = exchange->rpc_method;
	bool is_known = exchange->attempts > 0 && exchange->rpc_status < GRPC_STATUSES && exchange->rpc_status != GRPC_UNIMPLEMENTED;
	struct rpc_method *method = find(router, name);

	if (method)
		return method;
	if (is_known && name.length && name.length <= METHOD_NAME && router->methods.count < METHODS_MOST)
		return method_new(router, name);
	method = find(router, SLICE("overflow"));
	return method ? method : method_new(router, SLICE("overflow"));
}

static void count(struct method_stats *stats, uint64_t us, uint8_t status, bool success)
{
	counter_add(&stats->requests, 1);
	counter_add(success ? &stats->success : &stats->failures, 1);
	counter_add(&stats->statuses[status < GRPC_STATUSES ? status : GRPC_STATUSES], 1);
	histogram_record(&stats->latency, us);
}

static void flush(struct rpc_method *method, struct method_stats *stats)
{
	for (uint32_t i = 0; i < method->early_count; i++)
		count(stats, method->early[i].us, method->early[i].status, method->early[i].success);
	method->early_count = 0;
}

void methods_count(struct exchange *exchange, int64_t now)
{
	uint64_t us = (uint64_t)(now - exchange->began) / 1000;
	struct rpc_method *method;

	if (exchange->listener->router->retired || !(method = method_of(exchange)))
		return;
	struct method_stats *stats = atomic_load_explicit(&method->stats, memory_order_acquire);

	if (stats) {
		flush(method, stats);
		count(stats, us, exchange->rpc_status, exchange->success);
	} else if (method->early_count < EARLY) {
		method->early[method->early_count].us = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
		method->early[method->early_count].status = exchange->rpc_status;
		method->early[method->early_count++].success = exchange->success;
	}
}

void methods_flush(struct worker_router *router)
{
	MAP_EACH(&router->methods, entry) {
		struct rpc_method *method = MAP_OF(entry, struct rpc_method, entry);
		struct method_stats *stats = atomic_load_explicit(&method->stats, memory_order_acquire);

		if (stats)
			flush(method, stats);
	}
}

void methods_free(struct worker_router *router)
{
	MAP_EACH_SAFE(&router->methods, entry, after) {
		struct rpc_method *method = MAP_OF(entry, struct rpc_method, entry);

		map_remove(&router->methods, entry);
		if (method->scope)
			scope_unref(method->scope);
		memory_free(method);
	}
	map_fini(&router->methods);
}

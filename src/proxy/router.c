/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/router.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/ingress.h"
#include "model/path.h"
#include "proxy/methods.h"

/* The gauge rt/LABEL/originator, for routers that say they are where calls begin. */
static double one(void *owner)
{
	(void)owner;
	return 1;
}

static bool shows_originator(const struct worker_router *router)
{
	return router->router->originator && router->worker->index == 0;
}

struct worker_router *router_make(
	struct worker *worker, struct snapshot *snapshot, unsigned index, struct binder *binder, struct metrics *metrics)
{
	struct worker_router *made = memory_new(sizeof *made);
	const struct router *router = &snapshot->routers[index];
	const struct scope_label at[] = { { SLICE("rt"), router->label } };
	struct text prefix = { 0 };

	made->magic = ROUTER_MAGIC;
	made->references = 1;
	made->worker = worker;
	made->snapshot = snapshot_ref(snapshot);
	made->router = router;
	made->binder = binder;
	made->scope = metrics_scope(metrics, &router_kind, at, 1);
	made->stats = scope_shard(made->scope, worker->index);
	made->metrics = metrics;
	if (shows_originator(made))
		metrics_gauge(metrics, made->scope, "originator", one, made);
	path_show_text(&prefix, *router->dst_prefix);
	made->dst_prefix = text_slice(&prefix);
	map_init(&made->routes, worker->hash_key);
	map_init(&made->methods, worker->hash_key);
	made->ingresses = memory_array(snapshot->ingress_count + 1, sizeof(struct ingress *));
	list_init(&made->unnamed);
	list_init(&made->link);
	return made;
}

void router_bury(struct worker_router *router)
{
	CHECK_MAGIC(router, ROUTER_MAGIC);
	CHECK(list_empty(&router->unnamed));
	for (unsigned i = 0; i < router->snapshot->ingress_count; i++)
		ingress_unref(router->ingresses[i]);
	memory_free(router->ingresses);
	map_fini(&router->routes);
	methods_free(router);
	if (shows_originator(router))
		metrics_gauge_remove(router->metrics, router);
	scope_unref(router->scope);
	memory_free((void *)(uintptr_t)router->dst_prefix.at);
	router->magic = 0;
	snapshot_unref(router->snapshot);
	memory_free(router);
}

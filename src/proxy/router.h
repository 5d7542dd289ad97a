/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/router.h: making and freeing a worker's routers. Control thread. */
#ifndef PROXY_ROUTER_H
#define PROXY_ROUTER_H

#include "proxy/worker.h"

struct worker_router *router_make(
	struct worker *worker, struct snapshot *snapshot, unsigned index, struct binder *binder, struct metrics *metrics);
/* The worker has let go of it. */
void router_bury(struct worker_router *router);

#endif

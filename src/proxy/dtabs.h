/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/dtabs.h: the dtabs that a snapshot's routers have now: what an interpreter takes from elsewhere (io.l5d.k8s.configMap), live, and then
 * the router's own. A dtab that isn't one is logged, and the one before it stays. Control thread.
 *
 *	e = dtabs_new(clusters, snapshot, changed, owner, &dtabs, &why);
 *	e = dtabs_get(dtabs, router_index, &arena, &dtab, &reason);
 *	dtabs_free(dtabs);
 */
#ifndef PROXY_DTABS_H
#define PROXY_DTABS_H

#include "base/text.h"
#include "model/dtab.h"
#include "model/snapshot.h"
#include "proxy/change.h"

struct dtabs;
struct k8s_clusters;

/* `changed` comes from the loop, with the index of the router whose dtab is new. ERROR_INVALID with *why. */
MUST_CHECK int dtabs_new(struct k8s_clusters *clusters, const struct snapshot *snapshot,
	void (*changed)(void *owner, unsigned router_index), void *owner, struct dtabs **dtabs, struct text *why);
void dtabs_free(struct dtabs *dtabs); /* NULL is allowed */

/* In the arena, or the snapshot's. ERROR_BUSY: it isn't known yet. ERROR_INVALID: nor can it be, for the reason *why (until the next change).
 * ERROR_NO_MEMORY. */
MUST_CHECK int dtabs_get(const struct dtabs *dtabs, unsigned router_index, struct arena *arena, struct dtab *dtab, struct slice *why);
/* Of any change. */
void dtabs_watch(struct dtabs *dtabs, struct change_watch *watch);

#endif

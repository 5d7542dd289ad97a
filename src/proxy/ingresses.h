/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/ingresses.h: what a snapshot's io.l5d.ingress identifiers know: the rules of each, live, and as news on its way to a worker.
 * Control thread.
 *
 *	e = ingresses_new(clusters, snapshot, changed, owner, &ingresses, &why);
 *	identify_request(router, ingresses_rules(ingresses), head, &arena, &found, &why);
 *	ingresses_free(ingresses);
 */
#ifndef PROXY_INGRESSES_H
#define PROXY_INGRESSES_H

#include "base/text.h"
#include "model/ingress.h"
#include "model/snapshot.h"
#include "proxy/change.h"

struct ingresses;
struct k8s_clusters;

/* For one worker. Heap; the worker frees it. */
struct ingress_news {
	uint64_t generation; /* of the snapshot */
	unsigned index;
	struct ingress *rules; /* counted */
};

/* `changed` comes from the loop, with the index of whose rules are new. ERROR_INVALID with *why. */
MUST_CHECK int ingresses_new(struct k8s_clusters *clusters, const struct snapshot *snapshot, void (*changed)(void *owner, unsigned index),
	void *owner, struct ingresses **ingresses, struct text *why);
void ingresses_free(struct ingresses *ingresses); /* NULL is allowed */

/* By struct ingress_policy.index, snapshot->ingress_count of them; NULL: not known yet. Until the next change. */
struct ingress *const *ingresses_rules(const struct ingresses *ingresses);
/* Of any change. */
void ingresses_watch(struct ingresses *ingresses, struct change_watch *watch);

#endif

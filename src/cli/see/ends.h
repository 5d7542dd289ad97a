/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/ends.h: who is at the two ends of a flow, as users of Kubernetes know them: the pods that have its addresses, their workloads or their
 * namespaces. Main thread.
 *
 * A call from node to node passes two of the mesh's proxies and is a flow at each: from the caller's pod to a proxy, and from a proxy to the
 * endpoint's pod. What counts is the end that is no proxy: for who is called the second, for who calls the first. Which workload the first one
 * leads to is inferred then: it is whom calls of the same Service have reached, at whatever proxy.
 *
 *	struct ends *ends = ends_new(pods, ENDS_WORKLOADS);
 *	ends_learn(ends, reading);                         // every proxy's, before the first question
 *	ends_tell(ends, meter, &arena, &told);             // the arena may get what is told; else it is the reading's or the pods'
 *	ends_free(ends);
 */
#ifndef CLI_SEE_ENDS_H
#define CLI_SEE_ENDS_H

#include "cli/see/reading.h"

struct ends;
struct pod_names;

enum ends_by {
	ENDS_NAMESPACES,
	ENDS_WORKLOADS,
	ENDS_PODS,
};

struct ends_told {
	bool from_proxy, to_proxy;             /* one of the mesh's */
	bool inferred;                         /* the called end */
	bool known;                            /* both ends are somebody's now */
	struct slice caller_namespace, caller; /* as the next two, of who calls */
	struct slice caller_shown;             /* "shop/deploy/front", "shop/front-x2x4p", "shop"; a node's name, "outside" */
	struct slice namespace;                /* of who is called; empty: of none */
	struct slice called; /* "deploy/cart", "cart-x2x4p"; a node's name; "outside": nobody known; empty: not known, or ENDS_NAMESPACES */
	unsigned all, ready; /* pods of who is called */
};

struct ends *ends_new(struct pod_names *pods, enum ends_by by);
void ends_free(struct ends *ends);
void ends_learn(struct ends *ends, const struct reading *reading);
void ends_tell(const struct ends *ends, const struct meter *flow, struct arena *arena, struct ends_told *told);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s.h: the namers io.l5d.k8s, io.l5d.k8s.ns and io.l5d.k8s.external: endpoints of Kubernetes' Services.
 *
 *	/#/io.l5d.k8s/NAMESPACE/PORT/SERVICE           the endpoints of a Service's port, by name or by the Service's number
 *	/#/io.l5d.k8s/NAMESPACE/PORT/SERVICE/VALUE     with a label: only of slices that have it with that value
 *	/#/io.l5d.k8s.ns/PORT/SERVICE[/VALUE]          the same, in one namespace
 *	/#/io.l5d.k8s.external/NAMESPACE/PORT/SERVICE[/VALUE]
 *	                                               a Service's load balancers, at its port, as callers outside of the cluster see it
 *
 * Segments are taken in lower case. What isn't there (a Service, a port) is neg, and what comes later is told. What is known stays
 * known while the API server can't be reached; before it was ever reached the names fail, saying why. Control thread.
 *
 *	k8s_new(&(struct k8s_options){ .clusters = clusters, .cluster = { .host = SLICE("localhost"), .port = 8001 }, .prefix = prefix },
 *		&namer, &why);
 *	w = namer_lookup(namer, path, changed, owner);
 */
#ifndef DISCOVER_K8S_H
#define DISCOVER_K8S_H

#include "discover/k8s_clusters.h"
#include "discover/namer.h"

/* All is copied. */
struct k8s_options {
	struct k8s_clusters *clusters;
	struct k8s_cluster_options cluster;
	struct resolver *resolver; /* for load balancers' names (external); NULL: only IP addresses are understood */
	struct path prefix;
	struct slice namespace; /* empty: names begin with one (io.l5d.k8s) */
	struct slice label;     /* a key; empty: names end with the Service */
	bool external;          /* load balancers, not endpoints */
};

/* As k8s_api_new. Nothing is asked for before the first name is looked up. */
MUST_CHECK int k8s_new(const struct k8s_options *options, struct namer **namer, struct text *why);

#endif

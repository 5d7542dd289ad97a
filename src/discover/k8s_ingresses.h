/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_ingresses.h: Ingress objects (networking.k8s.io/v1, or extensions/v1beta1 on a server that has no other) as one set of
 * rules (model/ingress.h), live.
 *
 * Which Ingresses count: those of a namespace, or all; whose class, said by spec.ingressClassName or else by the annotation
 * kubernetes.io/ingress.class, is `class`, or who say none. They are taken in the order of their namespaces and names. A path without a
 * type, or ImplementationSpecific, is a regular expression for the whole path, as in Linkerd 1.x; one that isn't understood is logged and
 * left out. What is known stays known during outages. Control thread; `changed` comes from the loop only.
 *
 *	e = k8s_ingresses_new(&(struct k8s_ingresses_options){ .clusters = clusters, .cluster = cluster, .class = SLICE("linkerd") },
 *		changed, owner, &ingresses, &why);
 *	rules = k8s_ingresses_rules(ingresses);        // NULL: not known yet
 *	k8s_ingresses_free(ingresses);
 */
#ifndef DISCOVER_K8S_INGRESSES_H
#define DISCOVER_K8S_INGRESSES_H

#include "discover/k8s_clusters.h"
#include "model/ingress.h"

struct k8s_ingresses;

/* All is copied. */
struct k8s_ingresses_options {
	struct k8s_clusters *clusters;
	struct k8s_cluster_options cluster;
	struct slice namespace; /* empty: all */
	struct slice class;
	bool without_defaults; /* default backends don't count */
};

/* As k8s_cluster_get. Asks at once. */
MUST_CHECK int k8s_ingresses_new(const struct k8s_ingresses_options *options, void (*changed)(void *owner), void *owner,
	struct k8s_ingresses **ingresses, struct text *why);
void k8s_ingresses_free(struct k8s_ingresses *ingresses); /* NULL is allowed */
/* Belongs to `ingresses` until the next change; a failure (ingress_failure) as long as nothing was ever known. */
struct ingress *k8s_ingresses_rules(const struct k8s_ingresses *ingresses);

#endif

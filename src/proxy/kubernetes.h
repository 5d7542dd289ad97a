/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/kubernetes.h: which Kubernetes a configuration means: what it says of the API, or else what a pod is told of its own cluster,
 * or the environment of kubectl's (KUBECONFIG).
 * Control thread.
 *
 *	struct k8s_cluster_options cluster;
 *	kubernetes_find(&policy->place, &cluster);     // its slices are the policy's, the environment's, or static
 */
#ifndef PROXY_KUBERNETES_H
#define PROXY_KUBERNETES_H

#include "base/error.h"
#include "discover/k8s_clusters.h"
#include "model/router.h"

void kubernetes_find(const struct k8s_place *place, struct k8s_cluster_options *cluster);
/* A variable that the configuration needs. ERROR_INVALID with *why: it isn't set, or empty. `what` completes "which is to say ...". */
MUST_CHECK int kubernetes_variable(const char *name, const char *what, struct slice *value, struct text *why);

#endif

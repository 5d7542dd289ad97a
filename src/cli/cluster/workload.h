/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cluster/workload.h: which workload a pod is of, as `kubectl` calls it: what controls it. Pure.
 *
 *	workload_of(pod, &out);        // "deploy/hello", "sts/db", "ds/l5d", "job/report", "rs/by-hand", "pod/alone"
 *
 * Only the pod itself is looked at, so that no more than the right to list pods is needed. Its controller is in its ownerReferences. That of a
 * Deployment's pod is a ReplicaSet, and which Deployment that is of is told by the label that the Deployment's controller gives to both:
 * the ReplicaSet is called after the Deployment, "-" and the label `pod-template-hash`. A ReplicaSet made by hand has no such label. A CronJob's
 * pods are their Job's.
 */
#ifndef CLI_CLUSTER_WORKLOAD_H
#define CLI_CLUSTER_WORKLOAD_H

#include "base/text.h"

struct document_node;

/* Added to `out`. */
void workload_of(const struct document_node *pod, struct text *out);

#endif

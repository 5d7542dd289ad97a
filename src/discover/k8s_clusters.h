/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_clusters.h: the Kubernetes API servers that a process asks, each once, with what is known of each kind of object.
 *
 * Namers that mean the same server share it, those of the configuration that is being replaced and of its successor too: a reload
 * asks for nothing again, and loses nothing during an outage. A table begins with the first that wants it and lives as long as its
 * cluster. Control thread; heap.
 *
 *	struct k8s_clusters *clusters = k8s_clusters_new(loop, network, resolver, metrics);
 *	e = k8s_cluster_get(clusters, &(struct k8s_cluster_options){ .host = SLICE("localhost"), .port = 8001 }, &cluster, &why);
 *	table = k8s_cluster_table(cluster, &k8s_slices_kind, SLICE(""));
 *	k8s_cluster_unref(cluster);
 *	k8s_clusters_free(clusters);
 */
#ifndef DISCOVER_K8S_CLUSTERS_H
#define DISCOVER_K8S_CLUSTERS_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct k8s_cluster;
struct k8s_clusters;
struct k8s_table;
struct k8s_table_kind;
struct loop;
struct metrics;
struct network;
struct resolver;
struct text;

struct k8s_cluster_options {
	struct slice host;
	uint16_t port;
	struct slice token_file, ca_file, kubeconfig; /* as in k8s_api.h */
};

/* `resolver` NULL: only IP addresses as hosts. `metrics`: where lists, watches and failures are counted, all of a resource together; or NULL. */
struct k8s_clusters *k8s_clusters_new(struct loop *loop, struct network *network, struct resolver *resolver, struct metrics *metrics);
void k8s_clusters_free(struct k8s_clusters *clusters); /* every cluster was given back. NULL is allowed */

/* The cluster of these options, new or not; give it back. As k8s_api_new. */
MUST_CHECK int k8s_cluster_get(
	struct k8s_clusters *clusters, const struct k8s_cluster_options *options, struct k8s_cluster **cluster, struct text *why);
void k8s_cluster_unref(struct k8s_cluster *cluster); /* NULL is allowed */
/* The table of this kind and label, new or not; the cluster's. And that of one object alone, "namespace/name". */
struct k8s_table *k8s_cluster_table(struct k8s_cluster *cluster, const struct k8s_table_kind *kind, struct slice label);
struct k8s_table *k8s_cluster_object(struct k8s_cluster *cluster, const struct k8s_table_kind *kind, struct slice object);
/* Of one object: it is freed unless somebody watches it. What all names share stays. */
void k8s_cluster_drop(struct k8s_cluster *cluster, struct k8s_table *table);

#endif

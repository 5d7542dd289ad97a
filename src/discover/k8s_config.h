/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_config.h: the value of one key of a ConfigMap, live. Only that ConfigMap is asked for. What is known stays known during
 * outages. Control thread; `changed` comes from the loop only.
 *
 *	e = k8s_config_new(&(struct k8s_config_options){ .clusters = clusters, .cluster = cluster, .namespace = SLICE("default"),
 *		.name = SLICE("l5d-dtab"), .key = SLICE("dtab") }, changed, owner, &config, &why);
 *	if (k8s_config_read(config, &text) == K8S_CONFIG_THERE) ...
 *	k8s_config_free(config);
 */
#ifndef DISCOVER_K8S_CONFIG_H
#define DISCOVER_K8S_CONFIG_H

#include "discover/k8s_clusters.h"

struct k8s_config;

/* All is copied. */
struct k8s_config_options {
	struct k8s_clusters *clusters;
	struct k8s_cluster_options cluster;
	struct slice namespace, name, key;
};

enum k8s_config_state {
	K8S_CONFIG_PENDING, /* not known yet */
	K8S_CONFIG_FAILED,  /* nor can it be asked for */
	K8S_CONFIG_ABSENT,  /* there is no such ConfigMap, or it hasn't the key */
	K8S_CONFIG_THERE,
};

/* As k8s_cluster_get. Asks at once. */
MUST_CHECK int k8s_config_new(
	const struct k8s_config_options *options, void (*changed)(void *owner), void *owner, struct k8s_config **config, struct text *why);
void k8s_config_free(struct k8s_config *config); /* NULL is allowed */
/* *text: the value; of FAILED the reason. Until the next change. */
enum k8s_config_state k8s_config_read(const struct k8s_config *config, struct slice *text);

#endif

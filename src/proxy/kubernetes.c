/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/kubernetes.h"

#include "base/text.h"
#include "io/process.h"

/* What a pod is given (Kubernetes' documentation, "Accessing the Kubernetes API from a Pod"). */
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

enum { PROXY_PORT = 8001 }; /* of `kubectl proxy` */

static bool says_where(const struct k8s_place *place)
{
	return place->host.length || place->port || place->kubeconfig.length;
}

/* Elsewhere, as kubectl: the first file that KUBECONFIG names. Empty: none. */
static struct slice kubeconfig_of(const struct k8s_place *place)
{
	const char *variable = process_environment("KUBECONFIG");
	struct slice rest = slice_of(variable ? variable : ""), first = rest;

	if (says_where(place) || place->ca_file.length || place->token_file.length)
		return place->kubeconfig;
	slice_split(&rest, ':', &first);
	return first;
}

/* Of a pod: its own cluster. False: this is none, or the configuration says where the API is. */
static bool find_own(const struct k8s_place *place, struct k8s_cluster_options *cluster)
{
	const char *host = process_environment("KUBERNETES_SERVICE_HOST"), *port = process_environment("KUBERNETES_SERVICE_PORT");
	uint64_t number;

	if (says_where(place) || !host || !host[0] || !port || slice_to_u64(slice_of(port), UINT16_MAX, &number))
		return false;
	*cluster = (struct k8s_cluster_options){
		.host = slice_of(host),
		.port = (uint16_t)number,
		.ca_file = place->ca_file.length ? place->ca_file : SLICE(SERVICE_ACCOUNT "ca.crt"),
		.token_file = place->token_file.length ? place->token_file : SLICE(SERVICE_ACCOUNT "token"),
	};
	return true;
}

void kubernetes_find(const struct k8s_place *place, struct k8s_cluster_options *cluster)
{
	if (find_own(place, cluster))
		return;
	*cluster = (struct k8s_cluster_options){
		.host = place->host.length ? place->host : SLICE("localhost"),
		.port = place->port ? place->port : PROXY_PORT,
		.ca_file = place->ca_file,
		.token_file = place->token_file,
		.kubeconfig = kubeconfig_of(place),
	};
}

int kubernetes_variable(const char *name, const char *what, struct slice *value, struct text *why)
{
	const char *found = process_environment(name);

	if (!found || !found[0]) {
		text_format(why, "the environment has no %s, which is to say %s", name, what);
		return ERROR_INVALID;
	}
	*value = slice_of(found);
	return 0;
}

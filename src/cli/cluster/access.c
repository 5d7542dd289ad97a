/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster/access.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/see/targets.h"
#include "discover/k8s_api.h"
#include "discover/k8s_clusters.h"
#include "io/network.h"
#include "proxy/kubernetes.h"
#include "tls/library.h"

static bool read_api(const char *command, const char *api, struct k8s_place *place)
{
	struct slice host;
	uint16_t port;

	if (!targets_address(slice_of(api), &host, &port)) {
		cli_complain("weft %s: --api takes HOST:PORT, such as 127.0.0.1:8001, not `%s`", command, api);
		return false;
	}
	/* Without a port it is the one of admin servers, which is not meant here. */
	place->port = slice_equal(slice_of(api), host) ? 0 : port;
	place->host = host.at[0] == '[' ? slice_make(host.at + 1, host.length - 2) : host;
	return true;
}

bool access_read(const char *command, struct access *access)
{
	const char *namespace = access->namespace ? access->namespace : "default";

	access->namespace = namespace;
	if (!*namespace || strspn(namespace, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(namespace)) {
		cli_complain("weft %s: --namespace takes a name of lower-case letters, digits and `-`, not `%s`", command, namespace);
		return false;
	}
	if (access->kubeconfig && (access->api || access->ca_file || access->token_file)) {
		cli_complain("weft %s: --kubeconfig says what --api, --ca-file and --token-file do: one or the other", command);
		return false;
	}
	access->place.ca_file = slice_of(access->ca_file ? access->ca_file : "");
	access->place.token_file = slice_of(access->token_file ? access->token_file : "");
	access->place.kubeconfig = slice_of(access->kubeconfig ? access->kubeconfig : "");
	return !access->api || read_api(command, access->api, &access->place);
}

bool access_read_optional(const char *command, struct access *access, bool admin)
{
	const struct {
		const char *option;
		bool given;
	} options[] = {
		{ "--direct", access->direct },
		{ "--namespace", access->namespace },
		{ "--api", access->api },
		{ "--ca-file", access->ca_file },
		{ "--token-file", access->token_file },
		{ "--kubeconfig", access->kubeconfig },
	};

	for (unsigned i = 0; !access->kubernetes && i < sizeof options / sizeof *options; i++)
		if (options[i].given) {
			cli_complain("weft %s: %s goes with --kubernetes", command, options[i].option);
			return false;
		}
	if (access->kubernetes && admin) {
		cli_complain("weft %s: --kubernetes finds the proxies that --admin would name: one or the other", command);
		return false;
	}
	return !access->kubernetes || access_read(command, access);
}

static void tell_server(const struct k8s_cluster_options *cluster, struct text *out)
{
	bool bare = slice_find(cluster->host, ':') < cluster->host.length;

	if (cluster->kubeconfig.length)
		text_format(out, "the server of %.*s", SLICE_ARGS(cluster->kubeconfig));
	else
		text_format(out, "%s://%s%.*s%s:%u", cluster->ca_file.length ? "https" : "http", bare ? "[" : "", SLICE_ARGS(cluster->host),
			bare ? "]" : "", cluster->port);
}

int access_open(const struct k8s_place *place, struct loop *loop, struct resolver *resolver, unsigned sessions, struct k8s_api **api,
	struct text *server, struct text *why)
{
	struct k8s_cluster_options found;
	int e;

	library_start();
	kubernetes_find(place, &found);
	tell_server(&found, server);
	e = k8s_api_new(&(struct k8s_api_options){ .loop = loop,
				.network = network_host(),
				.resolver = resolver,
				.host = found.host,
				.port = found.port,
				.token_file = found.token_file,
				.ca_file = found.ca_file,
				.kubeconfig = found.kubeconfig,
				.sessions = sessions,
				.keep = true },
		api, why);
	if (e && !why->length)
		text_format(why, "%s", error_text(e));
	return e;
}

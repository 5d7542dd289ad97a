/* SPDX-License-Identifier: Apache-2.0 */
/* discover/kubeconfig.h: a file as kubectl has it: where a cluster's API is, and who we are to it (Kubernetes' documentation, "Organizing
 * Cluster Access Using kubeconfig Files"; the reference of client.config, v1).
 *
 * What is understood: of the present context its cluster (server, certificate-authority, certificate-authority-data,
 * insecure-skip-tls-verify, tls-server-name) and its user (client-certificate, client-key, both with -data; token, tokenFile). A user that
 * needs a program (exec), a provider, a name and password, or a proxy, is refused by name. Paths are relative to the file's folder.
 * Blocking; heap; control thread.
 *
 *	struct kubeconfig config;
 *	if (kubeconfig_read("/etc/weft/kubeconfig", &config, &why)) ...
 *	kubeconfig_fini(&config);
 */
#ifndef DISCOVER_KUBECONFIG_H
#define DISCOVER_KUBECONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* A file's path, or what would be in it; both empty: not given. */
struct kubeconfig_file {
	struct text path, bytes;
};

struct kubeconfig {
	struct text host;
	uint16_t port;
	struct text prefix; /* of all paths, "/k8s/clusters/a"; usually empty */
	bool secure;        /* over TLS */
	bool no_verification;
	struct text server_name; /* the name that its certificate must have; empty: the host */
	struct kubeconfig_file authority, certificate, key;
	struct text token, token_file;
};

/* ERROR_NOT_FOUND and what file_read answers, ERROR_SYNTAX, ERROR_INVALID, ERROR_UNSUPPORTED, each with *why; *config is then empty. */
MUST_CHECK int kubeconfig_read(const char *path, struct kubeconfig *config, struct text *why);
void kubeconfig_fini(struct kubeconfig *config);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cluster/access.h: the options by which commands reach a cluster of Kubernetes: where its API is, and in which namespace weft
 * lives. Main thread.
 *
 *	struct access access = { .namespace = NULL };
 *	const struct argument table[] = { ACCESS_ARGUMENTS(access), { .name = NULL } };
 *	if (!arguments_read(...) || !access_read("check", &access)) return 2;
 *	asking = asking_new(&access.place, &why);
 */
#ifndef CLI_CLUSTER_ACCESS_H
#define CLI_CLUSTER_ACCESS_H

#include "base/error.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "model/router.h"

struct k8s_api;
struct loop;
struct resolver;

struct access {
	bool kubernetes; /* of commands that may do without */
	bool direct;     /* proxies are asked at their own addresses, not by way of the API server */
	const char *namespace, *api, *ca_file, *token_file, *kubeconfig; /* as given; NULL: not */
	struct k8s_place place;
};

#define ACCESS_ARGUMENTS(access) \
	{ "--namespace", .value = &(access).namespace }, { "--api", .value = &(access).api }, { "--ca-file", .value = &(access).ca_file }, \
		{ "--token-file", .value = &(access).token_file }, \
	{ \
		"--kubeconfig", .value = &(access).kubeconfig \
	}

/* For commands that ask proxies, whether or not in a cluster. */
#define ACCESS_OPTIONAL_ARGUMENTS(access) \
	{ "--kubernetes", .flag = &(access).kubernetes }, { "--direct", .flag = &(access).direct }, ACCESS_ARGUMENTS(access)

/* Fills in `place`, and the namespace `default`. What is wrong is told. */
bool access_read(const char *command, struct access *access);
/* The same, of optional arguments: nothing of them may be there without --kubernetes, nor --admin (`admin`: it is) with it. */
bool access_read_optional(const char *command, struct access *access, bool admin);
/* The API, and in `server` which one: a URL, or the kubeconfig that says it. `sessions`: calls at a time; 0: some. */
MUST_CHECK int access_open(const struct k8s_place *place, struct loop *loop, struct resolver *resolver, unsigned sessions,
	struct k8s_api **api, struct text *server, struct text *why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_api.h: a Kubernetes API server, and requests to it: over `kubectl proxy` in plain text, over TLS with a token, as a
 * pod may, or as a kubeconfig says (discover/kubeconfig.h), which is read once.
 *
 * The token's file is read for each request, and the CA's file again when the server isn't trusted: both are replaced while a pod
 * lives. A server that can't be reached makes the next request go to the next of its addresses. Control thread; heap. Counted. When the
 * last reference goes, and every call was dropped, the resolver is let go at once; connections end in this turn of the loop, and the
 * server's memory with them.
 *
 *	e = k8s_api_new(&(struct k8s_api_options){ .loop = loop, .network = network, .host = SLICE("127.0.0.1"), .port = 8001 }, &api, &why);
 *	static const struct k8s_call_events events = { .body = body, .ended = ended };
 *	e = k8s_call_new(api, SLICE("/api/v1/services?limit=500"), &limits, &events, owner, &call);
 *	k8s_call_drop(call);           // at any time before it has ended, also from inside its events: none comes any more
 *	k8s_api_unref(api);
 */
#ifndef DISCOVER_K8S_API_H
#define DISCOVER_K8S_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct fetch_limits;
struct k8s_api;
struct k8s_call;
struct loop;
struct network;
struct resolver;
struct text;

enum { K8S_TOKEN_MOST = 16 * 1024 };

/* Slices are copied. */
struct k8s_api_options {
	struct loop *loop;
	struct network *network;
	struct resolver *resolver; /* NULL: the host must be an IP address */
	struct slice host;         /* also the name that its certificate must have */
	uint16_t port;
	struct slice token_file; /* empty: no token is sent */
	struct slice ca_file;    /* PEM; empty: plain text */
	struct slice kubeconfig; /* a file's path; not empty: it says the host and all that follows it */
	unsigned sessions;       /* calls at a time; 0: 64 */
	bool keep; /* connections stay for the next calls: for who asks again and again, and for no longer than its own life */
};

/* `why` says in words what is wrong: the CA's file, the host's name, the kubeconfig. */
MUST_CHECK int k8s_api_new(const struct k8s_api_options *options, struct k8s_api **api, struct text *why);
struct k8s_api *k8s_api_ref(struct k8s_api *api);
void k8s_api_unref(struct k8s_api *api); /* NULL is allowed */
struct loop *k8s_api_loop(const struct k8s_api *api);

struct k8s_call_events {
	/* Some of the body of an answer with this status. */
	void (*body)(void *owner, unsigned status, struct slice bytes);
	/* Once; the call is gone. error 0: the answer is whole, whatever its status. */
	void (*ended)(void *owner, unsigned status, int error);
};

/* GET. Fails at once with ERROR_BUSY (the host's name is still asked for), ERROR_NOT_FOUND (it has no addresses, or the token's file
 * isn't there), or as fetch_send. */
MUST_CHECK int k8s_call_new(struct k8s_api *api, struct slice target, const struct fetch_limits *limits,
	const struct k8s_call_events *events, void *owner, struct k8s_call **call);
/* POST of an object as JSON, copied. As above. */
MUST_CHECK int k8s_call_post(struct k8s_api *api, struct slice target, struct slice object, const struct fetch_limits *limits,
	const struct k8s_call_events *events, void *owner, struct k8s_call **call);
void k8s_call_drop(struct k8s_call *call); /* NULL is allowed */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/kube_name.h: names as users of Kubernetes know them: which Service a client leads to, and which workload an identity is.
 * Pure; slices are of what was given.
 *
 *	struct kube_name name;
 *	if (kube_name_of_client(SLICE("%/io.l5d.k8s.daemonset/default/incoming/l5d/#/io.l5d.k8s/shop/http/cart"), &name))
 *		use(name.namespace, name.service, name.port);                // shop, cart, http
 *	kube_name_of_caller(SLICE("spiffe://example.org/ns/shop/sa/front"))  // shop/front, on the heap
 */
#ifndef CLI_SEE_KUBE_NAME_H
#define CLI_SEE_KUBE_NAME_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/text.h"

struct kube_name {
	struct slice namespace, service, port;
};

/* A client's id from its last "#/" on: without the transformers before it. Empty: no namer has bound it. */
struct slice kube_name_bound(struct slice client);
/* False: no namer of Kubernetes has bound it. The namer that takes its own namespace leaves `namespace` empty. */
bool kube_name_of_client(struct slice client, struct kube_name *name);
/* Lists with commas between, in the order of their names, each name once: `list` with all of `more`. On the arena, or one of the two. */
struct slice kube_name_join(struct arena *arena, struct slice list, struct slice more);
/* "NAMESPACE/SERVICE_ACCOUNT" for an identity of that form, else the caller as it is. */
void kube_name_of_caller(struct slice caller, struct text *out);

#endif

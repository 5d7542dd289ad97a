/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/pod_names.h: which pods have which addresses, in all namespaces of a cluster, and of which workload each is. Asked for when it is made,
 * and again, but not sooner than 10 s later, when an address is met that nobody has. Main thread, one loop.
 *
 *	pod_names_new(loop, resolver, access, failed, owner, &names, &why);
 *	pod_names_tell(names, SLICE("10.244.1.6:47738"), false, &out);        // "default/hello-x2x4p", or what was given
 *	const struct pod_name *pod = pod_names_find(names, SLICE("10.244.1.6:7777"));
 */
#ifndef CLI_SEE_POD_NAMES_H
#define CLI_SEE_POD_NAMES_H

#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"
#include "base/text.h"

struct access;
struct loop;
struct pod_names;
struct resolver;

/* Who has an address. Of a node's address, which its pods on the node's network share, and that with a port that none of them
 * declares: the node, with `pod` and `workload` empty. Slices live until pods are asked for again: to the next turn of the loop. */
struct pod_name {
	struct map_entry entry; /* pod_names' */
	struct slice namespace, pod, node;
	struct slice workload; /* "deploy/hello" (cluster/workload.h) */
	bool proxy;            /* one of the mesh's proxies is there */
	int64_t gone_at;       /* loop_now, when it was not listed any more; 0: it is */
};

/* `failed` is told once, when the API doesn't say which pods there are; then addresses stay what they are. */
MUST_CHECK int pod_names_new(struct loop *loop, struct resolver *resolver, const struct access *access,
	void (*failed)(void *owner, const char *server, const char *why), void *owner, struct pod_names **names, struct text *why);
void pod_names_free(struct pod_names *names); /* NULL is allowed; its connections are closed in the turns of the loop that follow */

/* They were told once; or they could not be. */
bool pod_names_are_there(const struct pod_names *names);
/* Asks again if they are older than that, in ns. */
void pod_names_refresh(struct pod_names *names, int64_t age);
/* "ip:port", "[ip6]:port" or an IP address alone. NULL: nobody has it. */
const struct pod_name *pod_names_find(struct pod_names *names, struct slice address);
/* How many pods the workload, or the pod "pod/NAME", has, and how many of them are ready. */
void pod_names_count(const struct pod_names *names, struct slice namespace, struct slice workload, unsigned *all, unsigned *ready);
/* NAMESPACE/POD; of a pod on its node's network the node's name, which all of them share; else the address as it is. `port`: with it. */
void pod_names_tell(struct pod_names *names, struct slice address, bool port, struct text *out);

#endif

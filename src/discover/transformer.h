/* SPDX-License-Identifier: Apache-2.0 */
/* discover/transformer.h: what an interpreter or a namer does to the endpoints that it found.
 *
 *	io.l5d.port          every address gets this port           id: /%/io.l5d.port/4141 ++ id
 *	io.l5d.specificHost  only addresses with this IP stay       id: /%/io.l5d.specificHost ++ id
 *	io.l5d.localhost     only addresses of this machine stay    id: /%/io.l5d.localhost ++ id
 *	io.l5d.k8s.localnode only addresses of this node stay       id: /%/io.l5d.k8s.localnode/10.1.0.7 ++ id
 *	io.l5d.k8s.daemonset each address is replaced by the one,   id: /%/io.l5d.k8s.daemonset/default/incoming/l5d ++ id
 *	                     of a DaemonSet's Service, on its node
 *
 * What is on one node: what has one nodeName among its labels, or, as Linkerd 1.x had it, what is in one net, as large as the one that
 * a node usually gives its pods: IPv4's /24, IPv6's /64.
 *
 * A configured `prefix` replaces what follows /%, but for the address or name at the end of localnode's. Filtered to nothing, a set
 * becomes neg. Pure; immutable once made; any thread may apply one, sets are made on the control thread.
 *
 *	struct transformer *port = transformer_new_port(4141, PATH_EMPTY);
 *	struct endpoints *seen = transformer_apply(port, found, NULL);     // a new reference, same version as `found`
 *	transformer_id(port, id, &arena, &client_id);   // of a list in order: the last one's prefix is first
 */
#ifndef DISCOVER_TRANSFORMER_H
#define DISCOVER_TRANSFORMER_H

#include "base/error.h"
#include "model/endpoints.h"
#include "model/path.h"

struct transformer;

/* `prefix`: empty for the default, else the configured path (copied), without "/%". */
struct transformer *transformer_new_port(uint16_t port, struct path prefix);
struct transformer *transformer_new_specific_host(const struct address *host, struct path prefix);
/* `local` are this machine's addresses (network_local_addresses), ports are ignored; copied. */
struct transformer *transformer_new_localhost(const struct address *local, unsigned count, struct path prefix);
/* `own`: this pod's address. */
struct transformer *transformer_new_local_net(const struct address *own, struct path prefix);
/* `node`: this node's name. */
struct transformer *transformer_new_local_node(struct slice node, struct path prefix);
/* `prefix` must not be empty. `by_node`: by the node's name, not by net. `here`: this node's name, or empty. With it, only the endpoints
 * that Kubernetes hints for this node, or for the zone that the DaemonSet's endpoint on this node is in, count, as kube-proxy has it: if
 * every endpoint has such a hint, and some endpoint's is for here. But when there is no way to any of them all count. */
struct transformer *transformer_new_daemonset(bool by_node, struct slice here, struct path prefix);
void transformer_free(struct transformer *transformer);

/* "io.l5d.port" etc. */
const char *transformer_kind(const struct transformer *transformer);
/* "/%/io.l5d.port/4141"; belongs to the transformer. */
struct path transformer_prefix(const struct transformer *transformer);

/* A reference to give back. Sets that aren't bound come back as they are (same object, one reference more). `gateways`: what the
 * DaemonSet's Service has now, for io.l5d.k8s.daemonset; else ignored. While that isn't bound, it is the answer, and the made set's
 * version rises with both. */
struct endpoints *transformer_apply(const struct transformer *transformer, struct endpoints *endpoints, const struct endpoints *gateways);
/* transformer_prefix ++ id. ERROR_NO_MEMORY. */
MUST_CHECK int transformer_id(const struct transformer *transformer, struct path id, struct arena *arena, struct path *transformed);

#endif

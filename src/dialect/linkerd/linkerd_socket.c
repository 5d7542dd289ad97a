/* SPDX-License-Identifier: Apache-2.0 */
/* `socketOptions`, of admin, servers and clients. */
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct linkerd_socket, member)

static const struct linkerd_key keys[] = {
	{ "noDelay", LINKERD_BOOL, AT(no_delay), .says = "segments are sent at once; true" },
	{ "keepAlive", LINKERD_BOOL, AT(keep_alive), .says = "idle connections are probed; false" },
	{ "backlog", LINKERD_COUNT, AT(backlog), 1, .says = "connections that wait to be accepted; 4096" },
	{ "reuseAddr", LINKERD_BOOL, AT(reuse_address),
		.says = "may listen although connections of a process before it are not forgotten yet; true" },
	{ "reusePort", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: each worker has a socket of its own anyway; false" },
	{ "readTimeoutMs", LINKERD_MS, AT(read_timeout_ns), 1,
		.says = "a connection on which what is waited for doesn't come for so long is closed; none" },
	{ "writeTimeoutMs", LINKERD_MS, AT(write_timeout_ns), 1,
		.says = "a connection whose peer takes nothing for so long is closed; none" },
	{ "ackTimeoutMs", LINKERD_MS, AT(ack_timeout_ns), 2000,
		.says = "of clients: a connection whose endpoint's machine is silent for so long is closed; as the kernel does" },
	{ 0 },
};

const struct linkerd_block linkerd_socket = { .name = "socketOptions", .keys = keys };

struct linkerd_socket linkerd_read_socket(struct linkerd_load *load, const struct document_node *node)
{
	struct linkerd_socket socket = { .no_delay = true, .reuse_address = true };

	linkerd_read_block(load, node, &linkerd_socket, &socket);
	return socket;
}

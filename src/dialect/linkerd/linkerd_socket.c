/* SPDX-License-Identifier: Apache-2.0 */
/* `socketOptions`, of admin and of servers. */
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct linkerd_socket, member)

/* Listening sockets always have SO_REUSEADDR: without it a restart would have to wait for old connections to be forgotten. */
static void read_reuse_address(struct linkerd_load *load, const struct document_node *node, void *out)
{
	bool wanted = true;

	(void)out;
	if (document_read_bool(node, &wanted, load->problems) && !wanted)
		linkerd_problem(load, node, "false is not yet supported by weft (known from Linkerd 1.x)");
}

static const struct linkerd_key keys[] = {
	{ "noDelay", LINKERD_BOOL, AT(no_delay), .says = "segments are sent at once; true" },
	{ "keepAlive", LINKERD_BOOL, AT(keep_alive), .says = "idle connections are probed; false" },
	{ "backlog", LINKERD_COUNT, AT(backlog), 1, .says = "connections that wait to be accepted; 4096" },
	{ "reuseAddr", LINKERD_READ, LINKERD_NOWHERE, .read = read_reuse_address, .says = "only `true`; true" },
	{ "reusePort", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: each worker has a socket of its own anyway; false" },
	LINKERD_KEY_LATER("readTimeoutMs"),
	LINKERD_KEY_LATER("writeTimeoutMs"),
	{ 0 },
};

const struct linkerd_block linkerd_socket = { .name = "socketOptions", .keys = keys };

struct linkerd_socket linkerd_read_socket(struct linkerd_load *load, const struct document_node *node)
{
	struct linkerd_socket socket = { .no_delay = true };

	linkerd_read_block(load, node, &linkerd_socket, &socket);
	return socket;
}

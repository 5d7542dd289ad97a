/* SPDX-License-Identifier: Apache-2.0 */
/* `admin` and `usage`. */
#include "base/clock.h"
#include "dialect/linkerd/linkerd_parts.h"

/* ---- admin ---- */

#define AT(member) offsetof(struct admin_policy, member)

static void read_pattern(struct linkerd_load *load, const struct document_node *item, void *out)
{
	struct slice pattern;

	if (document_read_text(item, &pattern, load->problems))
		*(struct slice *)out = linkerd_copy(load, pattern);
}

static void read_allow(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct admin_policy *admin = out;

	admin->allow = linkerd_read_list(load, list, sizeof(struct slice), read_pattern, &admin->allow_count);
}

static void read_deny(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct admin_policy *admin = out;

	admin->deny = linkerd_read_list(load, list, sizeof(struct slice), read_pattern, &admin->deny_count);
}

static const struct linkerd_key security_keys[] = {
	{ "uiEnabled", LINKERD_BOOL, AT(ui), .says = "pages for people; true" },
	{ "controlEnabled", LINKERD_BOOL, AT(control), .says = "pages that change something; true" },
	{ "diagnosticsEnabled", LINKERD_BOOL, AT(diagnostics), .says = "all other pages; true" },
	{ "pathWhitelist", LINKERD_READ, 0, .read = read_allow, .says = "regular expressions of pages allowed although disabled; none" },
	{ "pathBlacklist", LINKERD_READ, 0, .read = read_deny, .says = "regular expressions of pages forbidden although enabled; none" },
	{ 0 },
};
static const struct linkerd_block security_block = { .name = "security", .keys = security_keys };

static void read_socket(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct linkerd_socket socket = linkerd_read_socket(load, node);
	struct admin_policy *admin = out;

	admin->delay = !socket.no_delay;
	admin->keep_alive = socket.keep_alive;
	admin->backlog = (int)socket.backlog;
	admin->exclusive = !socket.reuse_address;
	admin->read_timeout_ns = socket.read_timeout_ns;
	admin->write_timeout_ns = socket.write_timeout_ns;
}

static const struct linkerd_key admin_keys[] = {
	{ "ip", LINKERD_IP, AT(address), .says = "to listen on; 127.0.0.1" },
	{ "port", LINKERD_PORT, AT(address.port), .says = "0: any free one; 9990" },
	{ "shutdownGraceMs", LINKERD_MS, AT(shutdown_grace_ns), .says = "how long requests may take after SIGTERM; 10000" },
	{ "drainDelayMs", LINKERD_MS, AT(drain_delay_ns),
		.says = "weft's own (docs/extensions.md): how long it still accepts after SIGTERM, while it says that it isn't ready; 0" },
	{ "workerThreads", LINKERD_COUNT, LINKERD_NOWHERE, 1, .says = "no effect: the admin server has one thread; 2" },
	{ "security", LINKERD_BLOCK, 0, .block = &security_block, .says = "which pages there are" },
	{ "socketOptions", LINKERD_READ, 0, .read = read_socket, .block = &linkerd_socket, .says = "of the listening socket" },
	{ "httpIdentifierPort", LINKERD_PORT, AT(identifier_port), .sets = ADMIN_IDENTIFIER,
		.says = "where any request is told how the routers would name it; 0: any free one; none" },
	{ "requestRecords", LINKERD_COUNT, AT(request_records), 64, 1 << 20,
		.says = "requests that each worker remembers, for `weft explain --id` (weft's own key); 4096" },
	{ "tls", LINKERD_READ, AT(tls), .read = linkerd_read_server_tls, .block = &linkerd_server_tls,
		.says = "the pages are served over TLS; no" },
	{ 0 },
};

const struct linkerd_block linkerd_admin = { .name = "admin", .keys = admin_keys, .set_offset = AT(set) };

struct admin_policy linkerd_admin_default(void)
{
	return (struct admin_policy){
		.address = { .family = ADDRESS_IP4, .port = 9990, .ip = { 127, 0, 0, 1 } },
		.shutdown_grace_ns = 10 * CLOCK_SECOND,
		.ui = true,
		.control = true,
		.diagnostics = true,
	};
}

/* ---- usage: Linkerd told its makers once an hour that it ran; weft tells nobody ---- */

static const struct linkerd_key usage_keys[] = {
	{ "enabled", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing is ever sent; true" },
	{ "orgId", LINKERD_TEXT_OR_EMPTY, LINKERD_NOWHERE, .says = "no effect; empty" },
	{ 0 },
};

const struct linkerd_block linkerd_usage = { .name = "usage", .keys = usage_keys };

/* SPDX-License-Identifier: Apache-2.0 */
/* `admin`, `usage` and `telemetry`. */
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
	{ "workerThreads", LINKERD_COUNT, LINKERD_NOWHERE, 1, .says = "no effect: the admin server has one thread; 2" },
	{ "security", LINKERD_BLOCK, 0, .block = &security_block, .says = "which pages there are" },
	{ "socketOptions", LINKERD_READ, 0, .read = read_socket, .block = &linkerd_socket, .says = "of the listening socket" },
	{ "httpIdentifierPort", LINKERD_PORT, AT(identifier_port), .sets = ADMIN_IDENTIFIER,
		.says = "where any request is told how the routers would name it; 0: any free one; none" },
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

/* ---- telemetry ---- */

#undef AT
#define AT(member) offsetof(struct telemetry_policy, member)

/* Linkerd's prometheus telemeter serves any path of the admin server. */
static void read_page(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice path;

	if (!document_read_text(node, &path, load->problems))
		return;
	if (!slice_starts(path, SLICE("/")))
		linkerd_problem(load, node, "must begin with `/`");
	*(struct slice *)out = linkerd_copy(load, path);
}

static const struct linkerd_key common_keys[] = {
	LINKERD_KEY_KIND,
	{ "experimental", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing here is experimental; false" },
	{ 0 },
};
static const struct linkerd_block common_block = { .name = "any", .keys = common_keys };

static const struct linkerd_key prometheus_keys[] = {
	{ "path", LINKERD_READ, AT(prometheus_path), .read = read_page, .says = "of the page; /admin/metrics/prometheus" },
	{ "prefix", LINKERD_TEXT_OR_EMPTY, AT(prometheus_prefix), .says = "of all names; empty" },
	{ 0 },
};
static const struct linkerd_key recent_keys[] = {
	{ "sampleRate", LINKERD_SHARE, AT(recent_sample_rate), .required = true, .says = "of all requests, 0 to 1" },
	{ "capacity", LINKERD_COUNT, AT(recent_capacity), 1, 100000, .says = "how many are shown; 10" },
	{ 0 },
};
static const struct linkerd_block prometheus_block = {
	.name = "io.l5d.prometheus",
	.keys = prometheus_keys,
	.also = &common_block,
};
static const struct linkerd_block recent_block = {
	.name = "io.l5d.recentRequests",
	.keys = recent_keys,
	.also = &common_block,
};

enum { PROMETHEUS, RECENT_REQUESTS };

static const struct linkerd_kind telemetry_kinds[] = {
	{ "io.l5d.prometheus", PROMETHEUS, &prometheus_block, "metrics as Prometheus reads them" },
	{ "io.l5d.recentRequests", RECENT_REQUESTS, &recent_block, "the page /requests" },
	LINKERD_KIND_LATER("io.l5d.influxdb"),
	LINKERD_KIND_LATER("io.l5d.statsd"),
	LINKERD_KIND_LATER("io.l5d.tracelog"),
	LINKERD_KIND_LATER("io.l5d.zipkin"),
	LINKERD_KIND_LATER("io.zipkin.http"),
	{ 0 },
};

const struct linkerd_choice linkerd_telemetry = { .name = "telemetry[]", .kinds = telemetry_kinds };

static void read_telemeter(struct linkerd_load *load, const struct document_node *node, struct telemetry_policy *telemetry)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &linkerd_telemetry);

	if (!kind)
		return;

	bool *on = kind->value == PROMETHEUS ? &telemetry->prometheus : &telemetry->recent_requests;

	if (*on)
		linkerd_problem(load, node, "there is more than one %s", kind->name);
	*on = true;
	linkerd_read_block(load, node, kind->block, telemetry);
}

void linkerd_read_telemetry(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct telemetry_policy *telemetry = out;

	telemetry->prometheus_path = SLICE("/admin/metrics/prometheus");
	telemetry->prometheus_prefix = SLICE("");
	telemetry->recent_capacity = 10;
	if (!document_expect(list, DOCUMENT_SEQUENCE, load->problems))
		return;
	for (uint32_t i = 0; i < list->count; i++)
		read_telemeter(load, list->items[i], telemetry);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `routers`: how requests are named, and what is done with the names. */
#include "base/check.h"
#include "base/clock.h"
#include "dialect/linkerd/linkerd_parts.h"
#include "model/dtab.h"

#define AT(member) offsetof(struct router, member)

enum { MOST_HEAD_KB = 15, MOST_ERROR_KB = 65536 };

/* ---- names ---- */

/* "... found at '/svc => [!]/x'": that is said by line and column already, and the text may be long. */
static struct slice without_excerpt(struct slice why)
{
	static const char at[] = " at '";

	for (size_t i = 0; i + sizeof at - 1 <= why.length; i++) {
		if (slice_starts(slice_from(why, i), slice_of(at)))
			return slice_make(why.at, i);
	}
	return why;
}

static void read_dtab(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct dtab *dtab = linkerd_memory(load, sizeof *dtab);
	struct slice text, why;
	uint32_t offset = 0;

	if (!document_read_text(node, &text, load->problems))
		return;
	if (dtab_parse(linkerd_copy(load, text), &load->snapshot->arena, dtab, &why, &offset))
		linkerd_problem_inside(load, node, offset, "%.*s", SLICE_ARGS(without_excerpt(why)));
	*(const struct dtab **)out = dtab;
}

static void read_dst_prefix(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct path *path = linkerd_memory(load, sizeof *path);
	struct slice text, why;

	if (!document_read_text(node, &text, load->problems))
		return;
	if (path_parse(linkerd_copy(load, text), &load->snapshot->arena, path, &why))
		linkerd_problem(load, node, "%.*s", SLICE_ARGS(why));
	*(const struct path **)out = path;
}

/* ---- identifier ---- */

static const struct linkerd_key token_keys[] = {
	LINKERD_KEY_KIND,
	{ "header", LINKERD_READ, offsetof(struct identifier, header), .read = linkerd_read_field_name,
	  .says = "its value is one segment behind dstPrefix; Host" },
	{ 0 },
};
static const struct linkerd_block token_block = { .name = "io.l5d.header.token", .keys = token_keys };

static const struct linkerd_kind identifier_kinds[] = {
	{ "io.l5d.header.token", IDENTIFIER_HEADER_TOKEN, &token_block, "the value of a header; the default" },
	LINKERD_KIND_LATER("io.l5d.header"),
	LINKERD_KIND_LATER("io.l5d.header.path"),
	LINKERD_KIND_LATER("io.l5d.methodAndHost"),
	LINKERD_KIND_LATER("io.l5d.path"),
	LINKERD_KIND_LATER("io.l5d.static"),
	LINKERD_KIND_LATER("io.l5d.ingress"),
	LINKERD_KIND_LATER("io.l5d.k8s.istio"),
	{ 0 },
};
static const struct linkerd_choice identifier_choice = { .name = "identifier", .kinds = identifier_kinds };

static void read_identifier(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &identifier_choice);
	struct identifier *identifier = out;
	char *name;

	if (!kind)
		return;
	identifier->kind = (enum identifier_kind)kind->value;
	identifier->header = SLICE("host");
	linkerd_read_block(load, node, kind->block, identifier);

	struct slice header = identifier->header;

	identifier->header.at = name = linkerd_memory(load, header.length + 1);
	for (size_t i = 0; i < header.length; i++)
		name[i] = header.at[i] >= 'A' && header.at[i] <= 'Z' ? (char)(header.at[i] + 32) : header.at[i];
}

/* One, or a list that is tried in order. */
static void read_identifiers(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct router *router = out;

	if (node->kind != DOCUMENT_SEQUENCE) {
		struct identifier *one = linkerd_memory(load, sizeof *one);

		read_identifier(load, node, one);
		router->identifiers = one;
		router->identifier_count = 1;
		return;
	}
	if (node->count == 0)
		linkerd_problem(load, node, "must not be empty");
	router->identifiers =
		linkerd_read_list(load, node, sizeof(struct identifier), read_identifier, &router->identifier_count);
}

/* ---- interpreter ---- */

static const struct linkerd_key interpreter_keys[] = {
	LINKERD_KEY_KIND,
	{ "transformers", LINKERD_READ, 0, .read = linkerd_read_transformers, .choice = &linkerd_transformer,
	  .says = "applied to what a name is bound to, in this order" },
	{ "experimental", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing here is experimental; false" },
	{ 0 },
};
static const struct linkerd_block interpreter_block = { .name = "default", .keys = interpreter_keys };

static const struct linkerd_kind interpreter_kinds[] = {
	{ "default", 0, &interpreter_block, "names are bound here, with the namers of this file" },
	LINKERD_KIND_LATER("io.l5d.namerd"),
	LINKERD_KIND_LATER("io.l5d.namerd.http"),
	LINKERD_KIND_LATER("io.l5d.mesh"),
	LINKERD_KIND_LATER("io.l5d.fs"),
	LINKERD_KIND_LATER("io.l5d.k8s.configMap"),
	LINKERD_KIND_LATER("io.l5d.consul.interpreter"),
	LINKERD_KIND_LATER("io.l5d.k8s.istio"),
	{ 0 },
};
static const struct linkerd_choice interpreter_choice = {
	.name = "interpreter", .kinds = interpreter_kinds, .usual = "default",
};

static void read_interpreter(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &interpreter_choice);
	struct linkerd_transformers transformers = { 0 };
	struct router *router = out;

	if (!kind)
		return;
	linkerd_read_block(load, node, kind->block, &transformers);
	router->transformers = transformers.list;
	router->transformer_count = transformers.count;
}

/* ---- bindingCache ---- */

static const struct linkerd_key cache_keys[] = {
	{ "paths", LINKERD_COUNT, AT(cache_paths), 1, .says = "names kept; 1000" },
	{ "trees", LINKERD_COUNT, AT(cache_trees), 1, .says = "trees kept; 1000" },
	{ "bounds", LINKERD_COUNT, AT(cache_bounds), 1, .says = "bound names kept; 1000" },
	{ "clients", LINKERD_COUNT, AT(cache_clients), 1, .says = "clients kept; 1000" },
	{ "idleTtlSecs", LINKERD_SECONDS, AT(cache_idle_ns), 1, .says = "then what is unused is forgotten; 600" },
	{ 0 },
};
static const struct linkerd_block cache_block = { .name = "bindingCache", .keys = cache_keys };

/* ---- the router ---- */

static void read_servers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct router *router = out;

	router->listeners = linkerd_read_list(load, list, sizeof(struct listener_policy), linkerd_read_server, &router->listener_count);
	if (list->kind == DOCUMENT_SEQUENCE && list->count == 0)
		linkerd_problem(load, list, "must not be empty: a router needs a server");
}

static const struct linkerd_key router_keys[] = {
	{ "protocol", LINKERD_APART, .required = true, .says = "http; not yet: h2, thrift, mux, thriftmux" },
	{ "label", LINKERD_TEXT, AT(label), .says = "in metrics; the protocol" },
	{ "servers", LINKERD_READ, 0, .required = true, .read = read_servers, .block = &linkerd_server, .says = "where it listens" },
	{ "dtab", LINKERD_READ, AT(dtab), .read = read_dtab, .says = "how names are rewritten; empty" },
	{ "dstPrefix", LINKERD_READ, AT(dst_prefix), .read = read_dst_prefix, .says = "what all names begin with; /svc" },
	{ "identifier", LINKERD_READ, 0, .read = read_identifiers, .choice = &identifier_choice,
	  .says = "how a request is named: one, or a list that is tried in order" },
	{ "interpreter", LINKERD_READ, 0, .read = read_interpreter, .choice = &interpreter_choice, .says = "how names are bound" },
	{ "service", LINKERD_READ, 0, .read = linkerd_read_service, .choice = &linkerd_service, .says = "calls to a logical name" },
	{ "client", LINKERD_READ, 0, .read = linkerd_read_client, .choice = &linkerd_client, .says = "the endpoints behind a name" },
	{ "bindingTimeoutMs", LINKERD_MS, AT(binding_timeout_ns), 1, .says = "how long a request waits for its name; 10000" },
	{ "bindingCache", LINKERD_BLOCK, 0, .block = &cache_block, .says = "what is remembered of names" },
	{ "maxHeadersKB", LINKERD_KB, AT(max_head_bytes), 1, MOST_HEAD_KB, .says = "of a message; 8, at most 15" },
	{ "maxInitialLineKB", LINKERD_KB, AT(max_line_bytes), 1, MOST_HEAD_KB, .says = "request and status line; 4, at most 15" },
	{ "maxErrResponseKB", LINKERD_KB, AT(max_error_bytes), 1, MOST_ERROR_KB, .says = "of errors' bodies; 5120" },
	{ "originator", LINKERD_BOOL, AT(originator), .says = "adds the gauge rt/LABEL/originator; false" },
	{ "experimental", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing here is experimental; false" },
	LINKERD_KEY_LATER("announcers"),
	LINKERD_KEY_LATER("httpAccessLog"),
	LINKERD_KEY_LATER("httpAccessLogRollPolicy"),
	LINKERD_KEY_LATER("httpAccessLogAppend"),
	LINKERD_KEY_LATER("httpAccessLogRotateCount"),
	LINKERD_KEY_LATER("streamAfterContentLengthKB"),
	LINKERD_KEY_LATER("streamingEnabled"),
	LINKERD_KEY_LATER("compressionLevel"),
	LINKERD_KEY_LATER("tracePropagator"),
	LINKERD_KEY_LATER("h2AccessLog"),
	LINKERD_KEY_LATER("h2AccessLogRollPolicy"),
	LINKERD_KEY_LATER("h2AccessLogAppend"),
	LINKERD_KEY_LATER("h2AccessLogRotateCount"),
	LINKERD_KEY_LATER("thriftMethodInDst"),
	LINKERD_KEY_LATER("thriftProtocol"),
	{ 0 },
};

const struct linkerd_block linkerd_router = { .name = "routers[]", .keys = router_keys };

/* False when nothing else of the router can be judged: keys of another protocol would only seem unknown. */
static bool read_protocol(struct linkerd_load *load, const struct document_node *node, enum protocol *protocol)
{
	static const char *const names[] = { "http", "h2", "thrift", "mux", "thriftmux", NULL };
	const struct document_node *value = document_get(node, "protocol");
	int which = 0;

	if (value && !document_read_choice(value, names, &which, load->problems))
		return false;
	*protocol = PROTOCOL_HTTP;
	if (which > 0)
		linkerd_problem(load, value, "%s is not yet supported by weft (known from Linkerd 1.x)", names[which]);
	return which == 0;
}

static void read_router(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const struct slice svc = { "svc", 3 };
	static const struct path default_prefix = { &svc, 1 };
	static const struct dtab no_dtab;
	static const struct identifier default_identifier = { IDENTIFIER_HEADER_TOKEN, { "host", 4 } };
	struct router *router = out;

	*router = (struct router){
		.label = SLICE("http"),
		.index = (unsigned)(router - load->snapshot->routers),
		.dst_prefix = &default_prefix,
		.dtab = &no_dtab,
		.identifiers = &default_identifier,
		.identifier_count = 1,
		.binding_timeout_ns = 10 * CLOCK_SECOND,
		.cache_paths = 1000,
		.cache_trees = 1000,
		.cache_bounds = 1000,
		.cache_clients = 1000,
		.cache_idle_ns = 600 * CLOCK_SECOND,
		.max_head_bytes = 8 * 1024,
		.max_line_bytes = 4 * 1024,
		.max_error_bytes = 5120 * 1024,
	};
	if (!document_expect(node, DOCUMENT_MAPPING, load->problems) || !read_protocol(load, node, &router->protocol)) {
		router->label = SLICE(""); /* not read, so not to be compared */
		return;
	}
	linkerd_read_block(load, node, &linkerd_router, router);

	struct listener_policy *listeners = linkerd_memory(load, router->listener_count * sizeof *listeners);

	for (unsigned i = 0; i < router->listener_count; i++) {
		listeners[i] = router->listeners[i];
		if (listeners[i].label.length == 0)
			listeners[i].label = router->label;
	}
	router->listeners = listeners;
}

void linkerd_read_routers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct snapshot *snapshot = out;

	if (!document_expect(list, DOCUMENT_SEQUENCE, load->problems))
		return;
	if (list->count == 0)
		linkerd_problem(load, list, "must not be empty: there is nothing to do without a router");
	/* Known before they are filled, so that a load that fails in the middle lets go of the matchers read so far. */
	snapshot->routers = linkerd_memory(load, list->count * sizeof *snapshot->routers);
	snapshot->router_count = list->count;
	for (uint32_t i = 0; i < list->count; i++)
		read_router(load, list->items[i], &snapshot->routers[i]);
}

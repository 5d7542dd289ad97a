/* SPDX-License-Identifier: Apache-2.0 */
/* `routers`: how requests are named, and what is done with the names. */
#include "base/check.h"
#include "base/clock.h"
#include "dialect/linkerd/linkerd_parts.h"
#include "model/dtab.h"

#define AT(member) offsetof(struct router, member)

enum { MOST_HEAD_KB = 64, MOST_LINE_KB = 15, MOST_ERROR_KB = 65536 };

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
	struct dentry *entries;
	struct slice text, why;
	uint32_t offset = 0;
	int line, column;

	if (!document_read_text(node, &text, load->problems))
		return;
	*(const struct dtab **)out = dtab;
	if (dtab_parse(linkerd_copy(load, text), &load->snapshot->arena, dtab, &why, &offset)) {
		linkerd_problem_inside(load, node, offset, "%.*s", SLICE_ARGS(without_excerpt(why)));
		return;
	}
	entries = linkerd_memory(load, dtab->count * sizeof *entries);
	for (uint32_t i = 0; i < dtab->count; i++) {
		entries[i] = dtab->entries[i];
		document_text_place(node, entries[i].offset, &line, &column);
		entries[i].line = (uint32_t)line;
	}
	dtab->entries = entries;
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

#define IDENTIFIER(member) offsetof(struct identifier, member)

/* Which of HTTP/2's pseudo-headers may be named; HTTP/1 has them elsewhere. */
static void read_header(struct linkerd_load *load, const struct document_node *node, struct slice pseudo, struct slice *out)
{
	struct slice name;

	if (!document_read_text(node, &name, load->problems))
		return;
	if (slice_equal(name, pseudo))
		*out = pseudo;
	else
		linkerd_read_field_name(load, node, out);
}

static void read_path_header(struct linkerd_load *load, const struct document_node *node, void *out)
{
	read_header(load, node, SLICE(":path"), out);
}

static void read_token_header(struct linkerd_load *load, const struct document_node *node, void *out)
{
	read_header(load, node, SLICE(":authority"), out);
}

static const struct linkerd_key token_keys[] = {
	LINKERD_KEY_KIND,
	{ "header", LINKERD_READ, IDENTIFIER(header), .read = read_token_header,
		.says = "its value is one segment behind dstPrefix; Host, for h2 :authority" },
	{ 0 },
};
static const struct linkerd_block token_block = { .name = "io.l5d.header.token", .keys = token_keys };

static const struct linkerd_key header_keys[] = {
	LINKERD_KEY_KIND,
	{ "header", LINKERD_READ, IDENTIFIER(header), .read = linkerd_read_field_name,
		.says = "its value is a path, /a/b, behind dstPrefix; l5d-name" },
	{ 0 },
};
static const struct linkerd_block header_block = { .name = "io.l5d.header", .keys = header_keys };

static const struct linkerd_key header_path_keys[] = {
	LINKERD_KEY_KIND,
	{ "header", LINKERD_READ, IDENTIFIER(header), .read = read_path_header, .says = "whose value is a URL's path; :path" },
	{ "segments", LINKERD_COUNT, IDENTIFIER(segments), 1, .says = "how many of them, 1 or more; all" },
	{ 0 },
};
static const struct linkerd_block header_path_block = { .name = "io.l5d.header.path", .keys = header_path_keys };

static const struct linkerd_key path_keys[] = {
	LINKERD_KEY_KIND,
	{ "segments", LINKERD_COUNT, IDENTIFIER(segments), 1, .says = "of the URL's path; 1" },
	{ "consume", LINKERD_BOOL, IDENTIFIER(consume), .says = "they are taken out of the URL; false" },
	{ 0 },
};
static const struct linkerd_block path_block = { .name = "io.l5d.path", .keys = path_keys };

static const struct linkerd_key method_keys[] = {
	LINKERD_KEY_KIND,
	{ "httpUriInDst", LINKERD_BOOL, IDENTIFIER(with_uri), .says = "the URL's path is part of the name; false" },
	{ 0 },
};
static const struct linkerd_block method_block = { .name = "io.l5d.methodAndHost", .keys = method_keys };

static const struct linkerd_key constant_keys[] = {
	LINKERD_KEY_KIND,
	{ "path", LINKERD_READ, IDENTIFIER(path), .required = true, .read = read_dst_prefix, .says = "all requests are called so" },
	{ 0 },
};
static const struct linkerd_block constant_block = { .name = "io.l5d.static", .keys = constant_keys };

#define INGRESS(member) offsetof(struct ingress_policy, member)
static const struct linkerd_key ingress_keys[] = {
	LINKERD_KEY_KIND,
	{ "namespace", LINKERD_TEXT, INGRESS(namespace), .says = "whose Ingresses count; all" },
	{ "ingressClassAnnotation", LINKERD_TEXT, INGRESS(class), .says = "those of this class count, and those that say none; linkerd" },
	{ "ignoreDefaultBackends", LINKERD_BOOL, INGRESS(without_defaults), .says = "default backends don't count; false" },
	{ "host", LINKERD_TEXT, INGRESS(place.host),
		.says = "of Kubernetes' API; in a pod its own cluster's, over TLS; elsewhere localhost" },
	{ "port", LINKERD_PORT, INGRESS(place.port), 1, .says = "of `kubectl proxy`; 8001" },
	{ "caFile", LINKERD_TEXT, INGRESS(place.ca_file), .says = "as for the namer io.l5d.k8s; plain text" },
	{ "tokenFile", LINKERD_TEXT, INGRESS(place.token_file), .says = "as for the namer io.l5d.k8s; none" },
	{ "kubeconfig", LINKERD_TEXT, INGRESS(place.kubeconfig), .says = "as for the namer io.l5d.k8s; none" },
	{ 0 },
};
static const struct linkerd_block ingress_block = { .name = "io.l5d.ingress", .keys = ingress_keys };

static const struct linkerd_kind identifier_kinds[] = {
	{ "io.l5d.header.token", IDENTIFIER_HEADER_TOKEN, &token_block, "the value of a header; the default" },
	{ "io.l5d.header", IDENTIFIER_HEADER, &header_block, "a path that a header names" },
	{ "io.l5d.header.path", IDENTIFIER_HEADER_PATH, &header_path_block, "segments of :path: gRPC's service and method" },
	{ "io.l5d.methodAndHost", IDENTIFIER_METHOD_AND_HOST, &method_block, "/1.1/METHOD/HOST" },
	{ "io.l5d.path", IDENTIFIER_PATH, &path_block, "the first segments of the URL's path" },
	{ "io.l5d.static", IDENTIFIER_STATIC, &constant_block, "always the same" },
	{ "io.l5d.ingress", IDENTIFIER_INGRESS, &ingress_block, "what Kubernetes' Ingresses say: /NAMESPACE/PORT/SERVICE" },
	LINKERD_KIND_LATER("io.l5d.k8s.istio"),
	{ 0 },
};
static const struct linkerd_choice identifier_choice = { .name = "identifier", .kinds = identifier_kinds };

static struct slice usual_header(enum identifier_kind kind)
{
	switch (kind) {
	case IDENTIFIER_HEADER:
		return SLICE("l5d-name");
	case IDENTIFIER_HEADER_PATH:
		return SLICE(":path");
	default:
		return SLICE("host");
	}
}

/* A block of its own: it has much that the others don't. */
static void read_ingress(struct linkerd_load *load, const struct document_node *node, struct identifier *identifier)
{
	struct ingress_policy *ingress = linkerd_memory(load, sizeof *ingress);

	ingress->class = SLICE("linkerd");
	ingress->index = load->snapshot->ingress_count++;
	linkerd_read_block(load, node, &ingress_block, ingress);
	linkerd_check_kubeconfig(load, node);
	identifier->ingress = ingress;
}

static void read_identifier(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &identifier_choice);
	struct identifier *identifier = out;
	char *name;

	if (!kind)
		return;
	identifier->kind = (enum identifier_kind)kind->value;
	identifier->line = node->line;
	if (identifier->kind == IDENTIFIER_INGRESS) {
		read_ingress(load, node, identifier);
		return;
	}
	identifier->header = usual_header(identifier->kind);
	identifier->segments = identifier->kind == IDENTIFIER_PATH;
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
	router->identifiers = linkerd_read_list(load, node, sizeof(struct identifier), read_identifier, &router->identifier_count);
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

/* What an interpreter says. */
struct interpreter {
	struct linkerd_transformers transformers;
	struct config_map_policy config_map;
};

#define CONFIG_MAP(member) (offsetof(struct interpreter, config_map) + offsetof(struct config_map_policy, member))
static const struct linkerd_key config_map_keys[] = {
	{ "name", LINKERD_TEXT, CONFIG_MAP(name), .required = true, .says = "of the ConfigMap" },
	{ "filename", LINKERD_TEXT, CONFIG_MAP(key), .required = true, .says = "its key whose value is a dtab, before the router's own" },
	{ "namespace", LINKERD_TEXT, CONFIG_MAP(namespace), .says = "of the ConfigMap; default" },
	{ "host", LINKERD_TEXT, CONFIG_MAP(place.host),
		.says = "of Kubernetes' API; in a pod its own cluster's, over TLS; elsewhere localhost" },
	{ "port", LINKERD_PORT, CONFIG_MAP(place.port), 1, .says = "of `kubectl proxy`; 8001" },
	{ "caFile", LINKERD_TEXT, CONFIG_MAP(place.ca_file), .says = "as for the namer io.l5d.k8s; plain text" },
	{ "tokenFile", LINKERD_TEXT, CONFIG_MAP(place.token_file), .says = "as for the namer io.l5d.k8s; none" },
	{ "kubeconfig", LINKERD_TEXT, CONFIG_MAP(place.kubeconfig), .says = "as for the namer io.l5d.k8s; none" },
	{ 0 },
};
static const struct linkerd_block config_map_block = {
	.name = "io.l5d.k8s.configMap",
	.keys = config_map_keys,
	.also = &interpreter_block,
};

enum { INTERPRETER_DEFAULT, INTERPRETER_CONFIG_MAP };

static const struct linkerd_kind interpreter_kinds[] = {
	{ "default", INTERPRETER_DEFAULT, &interpreter_block, "names are bound here, with the namers of this file" },
	{ "io.l5d.k8s.configMap", INTERPRETER_CONFIG_MAP, &config_map_block, "and with a dtab from a ConfigMap of Kubernetes" },
	LINKERD_KIND_LATER("io.l5d.namerd"),
	LINKERD_KIND_LATER("io.l5d.namerd.http"),
	LINKERD_KIND_LATER("io.l5d.mesh"),
	LINKERD_KIND_LATER("io.l5d.fs"),
	LINKERD_KIND_LATER("io.l5d.consul.interpreter"),
	LINKERD_KIND_LATER("io.l5d.k8s.istio"),
	{ 0 },
};
static const struct linkerd_choice interpreter_choice = {
	.name = "interpreter",
	.kinds = interpreter_kinds,
	.usual = "default",
};

static void read_interpreter(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &interpreter_choice);
	struct interpreter *interpreter;
	struct router *router = out;

	if (!kind)
		return;
	interpreter = linkerd_memory(load, sizeof *interpreter);
	interpreter->config_map.namespace = SLICE("default");
	linkerd_read_block(load, node, kind->block, interpreter);
	linkerd_check_kubeconfig(load, node);
	router->transformers = interpreter->transformers.list;
	router->transformer_count = interpreter->transformers.count;
	if (kind->value == INTERPRETER_CONFIG_MAP)
		router->config_map = &interpreter->config_map;
}

/* ---- bindingCache ---- */

static const struct linkerd_key cache_keys[] = {
	{ "paths", LINKERD_COUNT, AT(cache_paths), 1, .says = "names kept; 1000" },
	{ "trees", LINKERD_COUNT, AT(cache_trees), 1, .says = "trees kept; 1000" },
	{ "bounds", LINKERD_COUNT, LINKERD_NOWHERE, 1, .says = "no effect: a name and what it is bound to are one entry; 1000" },
	{ "clients", LINKERD_COUNT, LINKERD_NOWHERE, 1, .says = "no effect: clients live as long as a name is bound to them; 1000" },
	{ "idleTtlSecs", LINKERD_SECONDS, AT(cache_idle_ns), 1, .says = "then what is unused is forgotten; 600" },
	{ 0 },
};
static const struct linkerd_block cache_block = { .name = "bindingCache", .keys = cache_keys };

/* ---- tracePropagator ---- */

/* Which labels there are is known once all routers are read (linkerd_check.c). */
static void read_label(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice text;

	if (document_read_text(node, &text, load->problems))
		*(struct slice *)out = linkerd_copy(load, text);
}

static void read_joins(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct router *router = out;
	struct slice *one;

	if (node->kind == DOCUMENT_SEQUENCE) {
		router->joins = linkerd_read_list(load, node, sizeof *router->joins, read_label, &router->joins_count);
		return;
	}
	one = linkerd_memory(load, sizeof *one);
	read_label(load, node, one);
	router->joins = one;
	router->joins_count = 1;
}

static const struct linkerd_key propagator_keys[] = {
	LINKERD_KEY_KIND,
	{ "joins", LINKERD_READ, 0, .read = read_joins,
		.says = "routers, by label: a call without a trace joins the one request of theirs that its caller works on (weft's own "
			"key); none" },
	{ 0 },
};
static const struct linkerd_block propagator_block = { .name = "any", .keys = propagator_keys };

static const struct linkerd_kind propagator_kinds[] = {
	{ "io.l5d.default", PROPAGATOR_L5D, &propagator_block, "l5d-ctx-trace" },
	{ "io.l5d.zipkin", PROPAGATOR_B3, &propagator_block, "x-b3-traceid, x-b3-spanid, x-b3-parentspanid, x-b3-sampled, x-b3-flags" },
	{ "io.weft.b3", PROPAGATOR_B3_SINGLE, &propagator_block, "b3, or the several headers, is read; b3 is written" },
	{ "io.weft.w3c", PROPAGATOR_W3C, &propagator_block, "traceparent; tracestate goes on as it came" },
	{ "io.weft.any", PROPAGATOR_ANY, &propagator_block,
		"any of them is read; traceparent and l5d-ctx-trace are written, and B3 if that came" },
	{ 0 },
};
static const struct linkerd_choice propagator_choice = { .name = "tracePropagator", .kinds = propagator_kinds, .usual = "io.l5d.default" };

static void read_propagator(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &propagator_choice);
	struct router *router = out;

	if (!kind)
		return;
	router->propagator = (enum propagator)kind->value;
	linkerd_read_block(load, node, kind->block, router);
}

/* ---- the router ---- */

static void read_servers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct router *router = out;

	router->listeners = linkerd_read_list(load, list, sizeof(struct listener_policy), linkerd_read_server, &router->listener_count);
	if (list->kind == DOCUMENT_SEQUENCE && list->count == 0)
		linkerd_problem(load, list, "must not be empty: a router needs a server");
}

static const struct linkerd_key router_keys[] = {
	{ "protocol", LINKERD_APART, .required = true, .says = "http or h2; not yet: thrift, mux, thriftmux" },
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
	{ "maxHeadersKB", LINKERD_KB, AT(max_head_bytes), 1, MOST_HEAD_KB, .says = "of a message; 8, at most 64" },
	{ "maxInitialLineKB", LINKERD_KB, AT(max_line_bytes), 1, MOST_LINE_KB, .says = "request and status line; 4, at most 15" },
	{ "maxErrResponseKB", LINKERD_KB, LINKERD_NOWHERE, 1, MOST_ERROR_KB,
		.says = "no effect: errors made here are at most 16 KB, and endpoints' are passed on as they come; 5120" },
	{ "tracePropagator", LINKERD_READ, 0, .read = read_propagator, .choice = &propagator_choice,
		.says = "which headers carry the trace" },
	{ "originator", LINKERD_BOOL, AT(originator), .says = "adds the gauge rt/LABEL/originator; false" },
	{ "experimental", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing here is experimental; false" },
	LINKERD_KEY_LATER("announcers"),
	LINKERD_KEY_LATER("streamAfterContentLengthKB"),
	LINKERD_KEY_LATER("streamingEnabled"),
	LINKERD_KEY_LATER("compressionLevel"),
	LINKERD_KEY_LATER("thriftMethodInDst"),
	LINKERD_KEY_LATER("thriftProtocol"),
	{ 0 },
};

const struct linkerd_block linkerd_router = { .name = "routers[]", .keys = router_keys, .also = &linkerd_access_log };

/* False when nothing else of the router can be judged: keys of another protocol would only seem unknown. */
static bool read_protocol(struct linkerd_load *load, const struct document_node *node, enum protocol *protocol)
{
	static const char *const names[] = { "http", "h2", "thrift", "mux", "thriftmux", NULL };
	const struct document_node *value = document_get(node, "protocol");
	int which = 0;

	if (value && !document_read_choice(value, names, &which, load->problems))
		return false;
	*protocol = which == 1 ? PROTOCOL_H2 : PROTOCOL_HTTP;
	if (which > 1)
		linkerd_problem(load, value, "%s is not yet supported by weft (known from Linkerd 1.x)", names[which]);
	return which <= 1;
}

/* The first rule of a router for HTTP/2: that is what its clients speak, unless another says otherwise. */
static void speak_http2(struct linkerd_load *load, struct router *router)
{
	struct client_rule *rules = linkerd_memory(load, (router->client_rule_count + 1) * sizeof *rules);

	rules[0].policy = client_policy_default();
	rules[0].policy.protocol = UPSTREAM_HTTP2;
	rules[0].policy.set = CLIENT_PROTOCOL;
	for (unsigned i = 0; i < router->client_rule_count; i++)
		rules[i + 1] = router->client_rules[i];
	router->client_rules = rules;
	router->client_rule_count++;
}

static void read_router(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const struct slice svc = { "svc", 3 };
	static const struct path default_prefix = { &svc, 1 };
	static const struct dtab no_dtab;
	static const struct identifier default_identifier = { .kind = IDENTIFIER_HEADER_TOKEN, .header = { "host", 4 } };
	struct router *router = out;

	*router = (struct router){
		.label = SLICE("http"),
		.line = node->line,
		.index = (unsigned)(router - load->snapshot->routers),
		.dst_prefix = &default_prefix,
		.dtab = &no_dtab,
		.identifiers = &default_identifier,
		.identifier_count = 1,
		.binding_timeout_ns = 10 * CLOCK_SECOND,
		.cache_paths = 1000,
		.cache_trees = 1000,
		.cache_idle_ns = 600 * CLOCK_SECOND,
		.max_head_bytes = 8 * 1024,
		.max_line_bytes = 4 * 1024,
		.access_log = { .append = true, .rotate_count = -1 },
	};
	if (!document_expect(node, DOCUMENT_MAPPING, load->problems) || !read_protocol(load, node, &router->protocol)) {
		router->label = SLICE(""); /* not read, so not to be compared */
		return;
	}
	load->protocol = router->protocol;
	if (router->protocol == PROTOCOL_H2)
		router->label = SLICE("h2");
	linkerd_read_block(load, node, &linkerd_router, router);
	linkerd_check_access_log(load, node, router);
	if (router->protocol == PROTOCOL_H2)
		speak_http2(load, router);

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

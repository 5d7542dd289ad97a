/* SPDX-License-Identifier: Apache-2.0 */
/* `namers`, and the transformers of namers and interpreters. */
#include "dialect/linkerd/linkerd_parts.h"
#include "model/path.h"

void linkerd_read_prefix(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice text, why;
	struct path path;

	if (!document_read_text(node, &text, load->problems))
		return;

	struct slice shown = linkerd_copy(load, text);

	if (!slice_starts(shown, SLICE("/")))
		shown = arena_join(&load->snapshot->arena, SLICE("/"), shown);
	if (path_parse(shown, &load->snapshot->arena, &path, &why))
		linkerd_problem(load, node, "%.*s", SLICE_ARGS(why));
	else if (path.count == 0)
		linkerd_problem(load, node, "must have at least one segment");
	else
		*(struct slice *)out = slice_from(path_show(&load->snapshot->arena, path), 1);
}

/* ---- transformers ---- */

#define AT(member) offsetof(struct transformer_policy, member)

static const struct linkerd_key common_keys[] = {
	LINKERD_KEY_KIND,
	{ "prefix", LINKERD_READ, AT(prefix), .read = linkerd_read_prefix,
		.says = "what follows /% in ids; the kind, for io.l5d.port with the port, for io.l5d.k8s.daemonset with "
			"NAMESPACE/PORT/SERVICE" },
	{ 0 },
};
static const struct linkerd_key port_keys[] = {
	{ "port", LINKERD_PORT, AT(port), 1, .required = true, .says = "in place of every address's own" },
	{ 0 },
};
static const struct linkerd_key host_keys[] = {
	{ "host", LINKERD_IP, AT(host), .required = true, .says = "the IP address that stays" },
	{ 0 },
};
#define BY_NODE_SAYS "nodes are told apart by their name, which EndpointSlices have, not by net; false"
static const struct linkerd_key local_node_keys[] = {
	{ "hostNetwork", LINKERD_BOOL, AT(host_network), .says = "this proxy has its node's address: means byNode; false" },
	{ "byNode", LINKERD_BOOL, AT(by_node), .says = BY_NODE_SAYS },
	{ 0 },
};
static const struct linkerd_key daemonset_keys[] = {
	{ "namespace", LINKERD_TEXT, AT(namespace), .required = true, .says = "of the DaemonSet's Service" },
	{ "service", LINKERD_TEXT, AT(service), .required = true, .says = "its name" },
	{ "port", LINKERD_TEXT, AT(port_name), .required = true, .says = "of it, by name or number" },
	{ "hostNetwork", LINKERD_BOOL, AT(host_network), .says = "the DaemonSet's pods have their nodes' addresses: means byNode; false" },
	{ "byNode", LINKERD_BOOL, AT(by_node), .says = BY_NODE_SAYS },
	{ "k8sHost", LINKERD_TEXT, AT(k8s.host), .says = "of Kubernetes' API; in a pod its own cluster's, over TLS; elsewhere localhost" },
	{ "k8sPort", LINKERD_PORT, AT(k8s.port), 1, .says = "of `kubectl proxy`; 8001" },
	{ "caFile", LINKERD_TEXT, AT(k8s.ca_file), .says = "as for io.l5d.k8s; plain text" },
	{ "tokenFile", LINKERD_TEXT, AT(k8s.token_file), .says = "as for io.l5d.k8s; none" },
	{ "kubeconfig", LINKERD_TEXT, AT(k8s.kubeconfig), .says = "as for io.l5d.k8s; none" },
	{ 0 },
};
static const struct linkerd_block common_block = { .name = "io.l5d.localhost", .keys = common_keys };
static const struct linkerd_block port_block = { .name = "io.l5d.port", .keys = port_keys, .also = &common_block };
static const struct linkerd_block host_block = { .name = "io.l5d.specificHost", .keys = host_keys, .also = &common_block };
static const struct linkerd_block local_node_block = { .name = "io.l5d.k8s.localnode", .keys = local_node_keys, .also = &common_block };
static const struct linkerd_block daemonset_block = { .name = "io.l5d.k8s.daemonset", .keys = daemonset_keys, .also = &common_block };

static const struct linkerd_kind transformer_kinds[] = {
	{ "io.l5d.port", TRANSFORMER_PORT, &port_block, "every address gets this port" },
	{ "io.l5d.specificHost", TRANSFORMER_SPECIFIC_HOST, &host_block, "only this IP address stays" },
	{ "io.l5d.localhost", TRANSFORMER_LOCALHOST, &common_block, "only this machine's addresses stay" },
	{ "io.l5d.k8s.localnode", TRANSFORMER_LOCAL_NODE, &local_node_block, "only this node's addresses stay" },
	{ "io.l5d.k8s.daemonset", TRANSFORMER_DAEMONSET, &daemonset_block, "each address is replaced by a DaemonSet's on its node" },
	LINKERD_KIND_LATER("io.l5d.const"),
	LINKERD_KIND_LATER("io.l5d.replace"),
	{ 0 },
};

const struct linkerd_choice linkerd_transformer = { .name = "transformers[]", .kinds = transformer_kinds };

/* What follows "/%/" when nothing is configured. */
static struct slice usual_prefix(struct linkerd_load *load, const struct linkerd_kind *kind, const struct transformer_policy *transformer)
{
	const struct slice segments[] = { slice_of(kind->name), transformer->namespace, transformer->port_name, transformer->service };
	struct arena *arena = &load->snapshot->arena;

	switch (transformer->kind) {
	case TRANSFORMER_PORT:
		return arena_format(arena, "%s/%u", kind->name, transformer->port);
	case TRANSFORMER_DAEMONSET:
		return slice_from(path_show(arena, (struct path){ segments, sizeof segments / sizeof *segments }), 1);
	default:
		return segments[0];
	}
}

static void read_transformer(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &linkerd_transformer);
	struct transformer_policy *transformer = out;

	if (!kind)
		return;
	transformer->kind = (enum transformer_kind)kind->value;
	linkerd_read_block(load, node, kind->block, transformer);
	linkerd_check_kubeconfig(load, node);
	if (!transformer->prefix.length)
		transformer->prefix = usual_prefix(load, kind, transformer);
}

void linkerd_read_transformers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct linkerd_transformers *transformers = out;

	transformers->list = linkerd_read_list(load, list, sizeof(struct transformer_policy), read_transformer, &transformers->count);
}

/* ---- namers ---- */

#undef AT
#define AT(member) offsetof(struct namer_policy, member)

static void read_transformers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct linkerd_transformers transformers;
	struct namer_policy *namer = out;

	linkerd_read_transformers(load, list, &transformers);
	namer->transformers = transformers.list;
	namer->transformer_count = transformers.count;
}

static const struct linkerd_key namer_keys[] = {
	LINKERD_KEY_KIND,
	{ "prefix", LINKERD_READ, AT(prefix), .read = linkerd_read_prefix, .says = "names below /#/PREFIX are asked here; the kind" },
	{ "transformers", LINKERD_READ, 0, .read = read_transformers, .choice = &linkerd_transformer, .says = "applied in this order" },
	{ "experimental", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing here is experimental; false" },
	{ 0 },
};
static const struct linkerd_key fs_keys[] = {
	{ "rootDir", LINKERD_TEXT, AT(root_dir), .required = true,
		.says = "the directory: a file for each name, in it a line `host port` for each endpoint" },
	{ 0 },
};
static const struct linkerd_key k8s_keys[] = {
	{ "host", LINKERD_TEXT, AT(k8s.place.host),
		.says = "of Kubernetes' API; in a pod its own cluster's, over TLS; elsewhere localhost" },
	{ "port", LINKERD_PORT, AT(k8s.place.port), 1, .says = "of `kubectl proxy`; 8001" },
	{ "caFile", LINKERD_TEXT, AT(k8s.place.ca_file),
		.says = "PEM: the API is asked over TLS, and this is who signed its certificate; plain text" },
	{ "tokenFile", LINKERD_TEXT, AT(k8s.place.token_file), .says = "read for each request, and sent as a bearer token; none" },
	{ "kubeconfig", LINKERD_TEXT, AT(k8s.place.kubeconfig),
		.says = "a file as kubectl has it, which says all this; outside of pods that of KUBECONFIG" },
	{ "labelSelector", LINKERD_TEXT, AT(k8s.label),
		.says = "a label's key: names go on with its value, and only such endpoints are meant; none" },
	{ 0 },
};
static const struct linkerd_key k8s_ns_keys[] = {
	{ "envVar", LINKERD_TEXT, AT(k8s.variable), .says = "the variable with the namespace that is meant; POD_NAMESPACE" },
	{ 0 },
};
static const struct linkerd_block namer_block = { .name = "any", .keys = namer_keys };
static const struct linkerd_block fs_block = { .name = "io.l5d.fs", .keys = fs_keys, .also = &namer_block };
static const struct linkerd_block k8s_block = { .name = "io.l5d.k8s", .keys = k8s_keys, .also = &namer_block };
static const struct linkerd_block k8s_ns_block = { .name = "io.l5d.k8s.ns", .keys = k8s_ns_keys, .also = &k8s_block };

static const struct linkerd_kind namer_kinds[] = {
	{ "io.l5d.fs", NAMER_FS, &fs_block, "files" },
	{ "io.l5d.k8s", NAMER_K8S, &k8s_block, "Services of Kubernetes: NAMESPACE/PORT/SERVICE" },
	{ "io.l5d.k8s.ns", NAMER_K8S_NS, &k8s_ns_block, "Services of one namespace: PORT/SERVICE" },
	{ "io.l5d.k8s.external", NAMER_K8S_EXTERNAL, &k8s_block, "Services' load balancers: NAMESPACE/PORT/SERVICE" },
	LINKERD_KIND_LATER("io.l5d.k8s.istio"),
	LINKERD_KIND_LATER("io.l5d.consul"),
	LINKERD_KIND_LATER("io.l5d.marathon"),
	LINKERD_KIND_LATER("io.l5d.dnssrv"),
	LINKERD_KIND_LATER("io.l5d.serversets"),
	LINKERD_KIND_LATER("io.l5d.zkLeader"),
	LINKERD_KIND_LATER("io.l5d.curator"),
	LINKERD_KIND_LATER("io.l5d.rancher"),
	LINKERD_KIND_LATER("io.l5d.rewrite"),
	{ 0 },
};

const struct linkerd_choice linkerd_namer = { .name = "namers[]", .kinds = namer_kinds };

static void read_namer(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &linkerd_namer);
	struct namer_policy *namer = out;

	if (!kind)
		return;
	namer->kind = (enum namer_kind)kind->value;
	namer->prefix = slice_of(kind->name);
	namer->k8s.variable = SLICE("POD_NAMESPACE");
	linkerd_read_block(load, node, kind->block, namer);
	linkerd_check_kubeconfig(load, node);
}

void linkerd_read_namers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct snapshot *snapshot = out;

	snapshot->namers = linkerd_read_list(load, list, sizeof(struct namer_policy), read_namer, &snapshot->namer_count);
	/* Of namers with one prefix, Linkerd asks the file's last first. */
	for (unsigned i = 0; i < snapshot->namer_count / 2; i++) {
		struct namer_policy *first = &snapshot->namers[i], *last = &snapshot->namers[snapshot->namer_count - 1 - i];
		struct namer_policy kept = *first;

		*first = *last;
		*last = kept;
	}
}

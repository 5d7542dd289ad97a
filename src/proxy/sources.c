/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sources.h"

#include "base/check.h"
#include "base/memory.h"
#include "discover/fs.h"
#include "discover/k8s.h"
#include "discover/system.h"
#include "discover/transformer.h"
#include "io/network.h"
#include "proxy/kubernetes.h"

enum { MAX_LOCAL_ADDRESSES = 64 };

struct sources {
	struct namers namers;
	struct source_transformers *by_namer; /* parallel to namers.list */
	struct source_transformers *by_router;
	unsigned router_count;
	uint32_t next_asked; /* the next transformer's asked_as */
};

/* ---- transformers ---- */

static int make_local_node(const struct transformer_policy *policy, struct path prefix, struct transformer **transformer, struct text *why)
{
	struct address address;
	struct slice value;
	int e;

	if (policy->host_network || policy->by_node) {
		e = kubernetes_variable("NODE_NAME", "this node's name", &value, why);
		if (!e)
			*transformer = transformer_new_local_node(value, prefix);
		return e;
	}
	e = kubernetes_variable("POD_IP", "this pod's address", &value, why);
	if (e)
		return e;
	e = address_parse(value, 0, &address);
	if (e)
		text_format(why, "POD_IP is `%.*s`, which is no IP address", SLICE_ARGS(value));
	else
		*transformer = transformer_new_local_net(&address, prefix);
	return e;
}

/* Without it hints of Kubernetes mean nothing, and calls go anywhere. */
static struct slice this_node(void)
{
	struct slice name = SLICE("");
	struct text why = { 0 };

	if (kubernetes_variable("NODE_NAME", "this node's name", &name, &why))
		text_free(&why);
	return name;
}

/* With a namer of its own: whoever asks for endpoints behind it asks that one for the DaemonSet's. */
static int make_daemonset(const struct source_options *options, const struct transformer_policy *policy, struct path prefix,
	struct source_transformer *made, struct text *why)
{
	const struct slice name[] = { policy->namespace, policy->port_name, policy->service };
	struct slice kind = SLICE("io.l5d.k8s");
	struct k8s_options k8s = { .clusters = options->clusters, .prefix = { &kind, 1 } };
	int e;

	kubernetes_find(&policy->k8s, &k8s.cluster);
	e = k8s_new(&k8s, &made->namer, why);
	if (e)
		return e;
	made->below = path_new((struct path){ name, sizeof name / sizeof *name });
	made->transformer = transformer_new_daemonset(policy->host_network || policy->by_node, this_node(), prefix);
	return 0;
}

static int make_transformer(const struct source_options *options, const struct transformer_policy *policy, struct path prefix,
	struct source_transformer *made, struct text *why)
{
	struct address local[MAX_LOCAL_ADDRESSES];

	switch (policy->kind) {
	case TRANSFORMER_PORT:
		made->transformer = transformer_new_port(policy->port, prefix);
		return 0;
	case TRANSFORMER_SPECIFIC_HOST:
		made->transformer = transformer_new_specific_host(&policy->host, prefix);
		return 0;
	case TRANSFORMER_LOCALHOST:
		made->transformer =
			transformer_new_localhost(local, network_local_addresses(options->network, local, MAX_LOCAL_ADDRESSES), prefix);
		return 0;
	case TRANSFORMER_LOCAL_NODE:
		return make_local_node(policy, prefix, &made->transformer, why);
	case TRANSFORMER_DAEMONSET:
		return make_daemonset(options, policy, prefix, made, why);
	}
	check_failed("a transformer's kind", __FILE__, __LINE__);
}

static int transformers_make(struct sources *sources, const struct source_options *options, const struct transformer_policy *policies,
	unsigned count, struct source_transformers *all, struct text *why)
{
	struct slice reason;
	struct arena arena;
	int e = 0;

	all->list = memory_array(count ? count : 1, sizeof *all->list);
	arena_init(&arena, NULL, 0);
	for (unsigned i = 0; i < count && !e; i++) {
		const struct transformer_policy *policy = &policies[i];
		struct path prefix = PATH_EMPTY;
		struct text what = { 0 };

		/* The dialect has seen to it that a configured prefix parses. */
		if (policy->prefix.length)
			CHECK(path_parse(arena_join(&arena, SLICE("/"), policy->prefix), &arena, &prefix, &reason) == 0);
		all->list[i].asked_as = sources->next_asked++;
		e = make_transformer(options, policy, prefix, &all->list[i], &what);
		if (e)
			text_format(why, "transformer %.*s: %s", SLICE_ARGS(policy->prefix), what.length ? what.bytes : error_text(e));
		else
			all->count++;
		text_free(&what);
	}
	arena_reset(&arena);
	return e;
}

static void transformers_free(struct source_transformers *all)
{
	for (unsigned i = 0; i < all->count; i++) {
		transformer_free(all->list[i].transformer);
		path_free(&all->list[i].below);
		namer_free(all->list[i].namer);
	}
	memory_free(all->list);
}

/* ---- namers ---- */

static int make_k8s(
	const struct source_options *options, const struct namer_policy *policy, struct path prefix, struct namer **namer, struct text *why)
{
	struct k8s_options k8s = {
		.clusters = options->clusters, .resolver = options->resolver, .prefix = prefix, .label = policy->k8s.label
	};

	if (policy->kind == NAMER_K8S_NS) {
		int e = kubernetes_variable(policy->k8s.variable.at, "the namespace", &k8s.namespace, why);

		if (e)
			return e;
	}
	k8s.external = policy->kind == NAMER_K8S_EXTERNAL;
	kubernetes_find(&policy->k8s.place, &k8s.cluster);
	return k8s_new(&k8s, namer, why);
}

static int make_namer(const struct source_options *options, const struct namer_policy *policy, struct path prefix, struct arena *arena,
	struct namer **namer, struct text *why)
{
	const struct fs_options fs = {
		.discover = { options->loop, options->resolver },
		.prefix = prefix,
		.root = arena_text(arena, policy->root_dir),
	};

	switch (policy->kind) {
	case NAMER_FS:
		return fs_new(&fs, namer);
	case NAMER_K8S:
	case NAMER_K8S_NS:
	case NAMER_K8S_EXTERNAL:
		return make_k8s(options, policy, prefix, namer, why);
	}
	check_failed("a namer's kind", __FILE__, __LINE__);
}

static int namer_make(const struct source_options *options, const struct namer_policy *policy, struct namer **namer, struct text *why)
{
	struct arena arena;
	struct path prefix;
	struct slice reason;
	struct text shown = { 0 }, what = { 0 };
	int e;

	arena_init(&arena, NULL, 0);
	text_format(&shown, "/#/%.*s", SLICE_ARGS(policy->prefix));
	e = path_parse(text_slice(&shown), &arena, &prefix, &reason);
	if (e) {
		text_format(why, "namer prefix %.*s: %.*s", SLICE_ARGS(policy->prefix), SLICE_ARGS(reason));
	} else {
		e = make_namer(options, policy, prefix, &arena, namer, &what);
		if (e)
			text_format(why, "namer %.*s: %s", SLICE_ARGS(policy->prefix), what.length ? what.bytes : error_text(e));
	}
	text_free(&shown);
	text_free(&what);
	arena_reset(&arena);
	return e;
}

/* Namers are asked from the last to the first: /$ comes first here, then the configuration's in reverse. */
static int namers_make(struct sources *sources, const struct source_options *options, const struct snapshot *snapshot, struct text *why)
{
	struct discover discover = { options->loop, options->resolver };

	sources->next_asked = snapshot->namer_count + 1; /* behind the namers' cursors */
	sources->by_namer = memory_array(snapshot->namer_count + 1, sizeof *sources->by_namer);
	namers_add(&sources->namers, system_new(&discover));
	for (unsigned i = snapshot->namer_count; i-- > 0;) {
		const struct namer_policy *policy = &snapshot->namers[i];
		struct namer *namer;
		int e = namer_make(options, policy, &namer, why);

		if (e)
			return e;
		namers_add(&sources->namers, namer);
		e = transformers_make(sources, options, policy->transformers, policy->transformer_count,
			&sources->by_namer[sources->namers.count - 1], why);
		if (e)
			return e;
	}
	return 0;
}

static int routers_make(struct sources *sources, const struct source_options *options, const struct snapshot *snapshot, struct text *why)
{
	int e = 0;

	sources->by_router = memory_array(snapshot->router_count ? snapshot->router_count : 1, sizeof *sources->by_router);
	while (sources->router_count < snapshot->router_count && !e) {
		const struct router *router = &snapshot->routers[sources->router_count];

		e = transformers_make(sources, options, router->transformers, router->transformer_count,
			&sources->by_router[sources->router_count++], why);
	}
	return e;
}

int sources_new(const struct source_options *options, const struct snapshot *snapshot, struct sources **out, struct text *why)
{
	struct sources *sources = memory_new(sizeof *sources);
	int e = namers_make(sources, options, snapshot, why);

	if (!e)
		e = routers_make(sources, options, snapshot, why);
	if (e) {
		sources_free(sources);
		return e;
	}
	*out = sources;
	return 0;
}

void sources_free(struct sources *sources)
{
	for (unsigned i = 0; i < sources->namers.count; i++)
		transformers_free(&sources->by_namer[i]);
	for (unsigned i = 0; i < sources->router_count; i++)
		transformers_free(&sources->by_router[i]);
	memory_free(sources->by_namer);
	memory_free(sources->by_router);
	namers_free(&sources->namers);
	memory_free(sources);
}

/* ---- asking them ---- */

struct namer *sources_next(const struct sources *sources, struct path path, uint32_t *cursor)
{
	return namers_next(&sources->namers, path, cursor);
}

const struct source_transformers *sources_of_namer(const struct sources *sources, uint32_t cursor)
{
	return &sources->by_namer[cursor];
}

const struct source_transformers *sources_of_router(const struct sources *sources, unsigned router_index)
{
	return &sources->by_router[router_index];
}

uint32_t sources_begin(const struct sources *sources)
{
	return sources->namers.count;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sources.h"

#include "base/check.h"
#include "base/memory.h"
#include "discover/fs.h"
#include "discover/k8s.h"
#include "discover/system.h"
#include "discover/transformer.h"
#include "io/network.h"
#include "io/process.h"

enum { MAX_LOCAL_ADDRESSES = 64 };

struct transformers {
	struct transformer **list;
	unsigned count;
};

struct sources {
	struct namers namers;
	struct transformers *by_namer; /* parallel to namers.list */
	struct transformers *by_router;
	unsigned router_count;
};

/* ---- making them ---- */

static struct transformer *transformer_make(
	const struct source_options *options, const struct transformer_policy *policy, struct arena *arena)
{
	struct path prefix = PATH_EMPTY;
	struct slice why;

	/* The dialect has seen to it that a configured prefix parses. */
	if (policy->prefix.length)
		CHECK(path_parse(arena_join(arena, SLICE("/"), policy->prefix), arena, &prefix, &why) == 0);
	switch (policy->kind) {
	case TRANSFORMER_PORT:
		return transformer_new_port(policy->port, prefix);
	case TRANSFORMER_SPECIFIC_HOST:
		return transformer_new_specific_host(&policy->host, prefix);
	case TRANSFORMER_LOCALHOST: {
		struct address local[MAX_LOCAL_ADDRESSES];
		unsigned count = network_local_addresses(options->network, local, MAX_LOCAL_ADDRESSES);

		return transformer_new_localhost(local, count, prefix);
	}
	}
	check_failed("a transformer's kind", __FILE__, __LINE__);
}

static struct transformers transformers_make(
	const struct source_options *options, const struct transformer_policy *policies, unsigned count)
{
	struct transformers all = { memory_array(count ? count : 1, sizeof(struct transformer *)), count };
	struct arena arena;

	arena_init(&arena, NULL, 0);
	for (unsigned i = 0; i < count; i++)
		all.list[i] = transformer_make(options, &policies[i], &arena);
	arena_reset(&arena);
	return all;
}

static void transformers_free(struct transformers *all)
{
	for (unsigned i = 0; i < all->count; i++)
		transformer_free(all->list[i]);
	memory_free(all->list);
}

/* What a pod is given (Kubernetes' documentation, "Accessing the Kubernetes API from a Pod"). */
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

/* Of a pod: its own cluster. False: this is none, or the configuration says where the API is. */
static bool own_cluster(const struct k8s_policy *policy, struct k8s_cluster_options *cluster)
{
	const char *host = process_environment("KUBERNETES_SERVICE_HOST"), *port = process_environment("KUBERNETES_SERVICE_PORT");
	uint64_t number;

	if (policy->host.length || policy->port || !host || !host[0] || !port || slice_to_u64(slice_of(port), UINT16_MAX, &number))
		return false;
	*cluster = (struct k8s_cluster_options){
		.host = slice_of(host),
		.port = (uint16_t)number,
		.ca_file = policy->ca_file.length ? policy->ca_file : SLICE(SERVICE_ACCOUNT "ca.crt"),
		.token_file = policy->token_file.length ? policy->token_file : SLICE(SERVICE_ACCOUNT "token"),
	};
	return true;
}

static int make_k8s(
	const struct source_options *options, const struct namer_policy *policy, struct path prefix, struct namer **namer, struct text *why)
{
	struct k8s_options k8s = { .clusters = options->clusters, .prefix = prefix, .label = policy->k8s.label };

	if (policy->kind == NAMER_K8S_NS) {
		const char *namespace = process_environment(policy->k8s.variable.at);

		if (!namespace || !namespace[0]) {
			text_format(why, "the environment has no %s, which is to say the namespace", policy->k8s.variable.at);
			return ERROR_INVALID;
		}
		k8s.namespace = slice_of(namespace);
	}
	if (!own_cluster(&policy->k8s, &k8s.cluster))
		k8s.cluster = (struct k8s_cluster_options){
			.host = policy->k8s.host.length ? policy->k8s.host : SLICE("localhost"),
			.port = policy->k8s.port ? policy->k8s.port : 8001,
			.ca_file = policy->k8s.ca_file,
			.token_file = policy->k8s.token_file,
		};
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

	sources->by_namer = memory_array(snapshot->namer_count + 1, sizeof *sources->by_namer);
	namers_add(&sources->namers, system_new(&discover));
	for (unsigned i = snapshot->namer_count; i-- > 0;) {
		const struct namer_policy *policy = &snapshot->namers[i];
		struct namer *namer;
		int e = namer_make(options, policy, &namer, why);

		if (e)
			return e;
		sources->by_namer[sources->namers.count] = transformers_make(options, policy->transformers, policy->transformer_count);
		namers_add(&sources->namers, namer);
	}
	return 0;
}

int sources_new(const struct source_options *options, const struct snapshot *snapshot, struct sources **out, struct text *why)
{
	struct sources *sources = memory_new(sizeof *sources);
	int e = namers_make(sources, options, snapshot, why);

	if (e) {
		sources_free(sources);
		return e;
	}
	sources->by_router = memory_array(snapshot->router_count ? snapshot->router_count : 1, sizeof *sources->by_router);
	for (; sources->router_count < snapshot->router_count; sources->router_count++) {
		const struct router *router = &snapshot->routers[sources->router_count];

		sources->by_router[sources->router_count] = transformers_make(options, router->transformers, router->transformer_count);
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

static int transform(const struct transformers *all, struct arena *arena, struct path *id, struct endpoints **endpoints)
{
	for (unsigned i = 0; i < all->count; i++) {
		struct endpoints *seen = transformer_apply(all->list[i], *endpoints);
		int e = transformer_id(all->list[i], *id, arena, id);

		endpoints_unref(*endpoints);
		*endpoints = seen;
		if (e)
			return e;
	}
	return 0;
}

int sources_transform_found(
	const struct sources *sources, uint32_t index, struct arena *arena, struct path *id, struct endpoints **endpoints)
{
	return transform(&sources->by_namer[index], arena, id, endpoints);
}

int sources_transform_routed(
	const struct sources *sources, unsigned router_index, struct arena *arena, struct path *id, struct endpoints **endpoints)
{
	return transform(&sources->by_router[router_index], arena, id, endpoints);
}

uint32_t sources_begin(const struct sources *sources)
{
	return sources->namers.count;
}

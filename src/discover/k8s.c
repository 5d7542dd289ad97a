/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "discover/host_set.h"
#include "discover/k8s_ports.h"
#include "discover/k8s_slices.h"

enum { K8S_MAGIC = 0x6b387321 };

struct k8s {
	struct namer base;
	uint32_t magic;
	struct k8s_cluster *cluster;
	struct discover discover;
	struct text namespace, label;
	bool external;
	uint64_t version; /* of the newest endpoints */
	uint32_t watch_count;
};

struct k8s_watch {
	struct namer_watch base;
	struct arena arena;
	struct path name;                       /* the whole name, what is consumed in lower case */
	uint32_t consumed;                      /* segments, the prefix included */
	struct slice port;                      /* of the name */
	uint16_t number;                        /* not 0: the port is one */
	struct slice value;                     /* of the label */
	struct k8s_table_watch *slices, *ports; /* ports: of a number, or external; both NULL: the name is too short */
	struct endpoints *endpoints;            /* counted; what is told */
	struct host_set *hosts;                 /* external: the load balancers; NULL: none */
	struct text shown;                      /* external: which they are, with the port */
};

/* ---- answers ---- */

static void answer_nothing(struct k8s_watch *watch, enum namer_state state, struct slice message)
{
	watch->base.answer = (struct namer_answer){ .state = state, .message = message };
}

/* A table that isn't known yet is the answer. */
static bool is_known(struct k8s_watch *watch, const struct k8s_table_watch *table)
{
	struct slice why;

	switch (k8s_table_state(table->table, &why)) {
	case K8S_TABLE_PENDING:
		answer_nothing(watch, NAMER_PENDING, SLICE(""));
		return false;
	case K8S_TABLE_FAILED:
		answer_nothing(watch, NAMER_FAILED, why);
		return false;
	case K8S_TABLE_KNOWN:
		break;
	}
	return true;
}

/* Takes `endpoints`; NULL: the port isn't there. */
static void answer_endpoints(struct k8s_watch *watch, struct endpoints *endpoints)
{
	if (!endpoints) {
		answer_nothing(watch, NAMER_NEG, SLICE(""));
	} else {
		if (watch->endpoints && endpoints_equal(watch->endpoints, endpoints)) {
			endpoints_unref(endpoints);
		} else {
			endpoints_unref(watch->endpoints);
			watch->endpoints = endpoints;
		}
		watch->base.answer = (struct namer_answer){
			.state = NAMER_LEAF,
			.id = path_first(watch->name, watch->consumed),
			.residual = path_from(watch->name, watch->consumed),
			.endpoints = watch->endpoints,
		};
	}
}

static bool same_answer(const struct namer_answer *a, const struct namer_answer *b)
{
	return a->state == b->state && a->endpoints == b->endpoints && a->state != NAMER_FAILED;
}

static void hosts_changed(void *owner)
{
	struct k8s_watch *watch = owner;
	struct namer_answer before = watch->base.answer;

	answer_endpoints(watch, endpoints_ref(host_set_endpoints(watch->hosts)));
	if (!same_answer(&before, &watch->base.answer))
		watch->base.changed(watch->base.owner);
}

/* The hosts, each in the text too, which says whether they are others than before. */
static struct host *list_hosts(struct slice hosts, uint16_t port, struct text *shown, uint32_t *count)
{
	struct host *list = memory_array(hosts.length / 2 + 1, sizeof *list); /* each takes two bytes at least */
	struct slice host;

	*count = 0;
	text_format(shown, "%u", port);
	while (k8s_ports_next_host(&hosts, &host)) {
		if (!host_set_is_name(host))
			continue;
		text_format(shown, " %.*s", SLICE_ARGS(host));
		list[(*count)++] = (struct host){ host, port, 1.0 };
	}
	return list;
}

/* A Service without load balancers is neg, as one that isn't there: callers from outside can't reach it. */
static void answer_balancers(struct k8s_watch *watch)
{
	struct k8s *k8s = (struct k8s *)watch->base.namer;
	struct text shown = { 0 };
	struct host *list = NULL;
	struct slice hosts;
	uint32_t count = 0;
	uint16_t port;

	if (k8s_ports_balancers(watch->ports, watch->port, watch->value, &port, &hosts))
		list = list_hosts(hosts, port, &shown, &count);
	if (!slice_equal(text_slice(&shown), text_slice(&watch->shown))) {
		host_set_free(watch->hosts);
		watch->hosts = count ? host_set_new(&k8s->discover, list, count, &k8s->version, hosts_changed, watch) : NULL;
		text_clear(&watch->shown);
		text_append(&watch->shown, text_slice(&shown));
	}
	answer_endpoints(watch, watch->hosts ? endpoints_ref(host_set_endpoints(watch->hosts)) : NULL);
	text_free(&shown);
	memory_free(list);
}

static void answer(struct k8s_watch *watch)
{
	struct k8s *k8s = (struct k8s *)watch->base.namer;
	struct slice port = watch->port;

	if (k8s->external && watch->ports) {
		if (is_known(watch, watch->ports))
			answer_balancers(watch);
		return;
	}
	if (!watch->slices) {
		answer_nothing(watch, NAMER_NEG, SLICE(""));
		return;
	}
	if (!is_known(watch, watch->slices) || (watch->ports && !is_known(watch, watch->ports)))
		return;
	if (watch->ports && !k8s_ports_name(watch->ports, watch->number, &port)) {
		answer_nothing(watch, NAMER_NEG, SLICE(""));
		return;
	}
	answer_endpoints(watch, k8s_slices_endpoints(watch->slices, port, watch->value, ++k8s->version));
}

static void rows_changed(void *owner)
{
	struct k8s_watch *watch = owner;
	struct namer_answer before = watch->base.answer;

	answer(watch);
	if (!same_answer(&before, &watch->base.answer))
		watch->base.changed(watch->base.owner);
}

/* ---- names ---- */

static void check_room(bool made)
{
	if (!made)
		check_out_of_memory("a name below io.l5d.k8s");
}

static struct slice lower(struct arena *arena, struct slice text)
{
	char *copy = arena_get(arena, text.length);

	check_room(copy);
	for (size_t i = 0; i < text.length; i++)
		copy[i] = text.at[i] >= 'A' && text.at[i] <= 'Z' ? (char)(text.at[i] - 'A' + 'a') : text.at[i];
	return slice_make(copy, text.length);
}

/* The whole name, with what is consumed of it in lower case. */
static void set_name(struct k8s_watch *watch, struct path below)
{
	const struct path prefix = watch->base.namer->prefix;
	struct slice *segments = arena_get(&watch->arena, (prefix.count + below.count + 1) * sizeof *segments);

	check_room(segments);
	for (uint32_t i = 0; i < prefix.count; i++)
		segments[i] = prefix.segments[i];
	for (uint32_t i = 0; i < below.count; i++) {
		bool consumed = prefix.count + i < watch->consumed;

		segments[prefix.count + i] =
			consumed ? lower(&watch->arena, below.segments[i]) : arena_copy(&watch->arena, below.segments[i]);
	}
	watch->name = (struct path){ segments, prefix.count + below.count };
}

static void begin(struct k8s_watch *watch)
{
	struct k8s *k8s = (struct k8s *)watch->base.namer;
	const struct slice *segment = &watch->name.segments[watch->base.namer->prefix.count];
	struct slice namespace = text_slice(&k8s->namespace), service;
	struct text group = { 0 };
	uint64_t number;

	if (!namespace.length)
	namespace = *segment++;
	watch->port = *segment++;
	service = *segment++;
	if (k8s->label.length)
		watch->value = *segment;
	text_format(&group, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(service));
	if (k8s->external) {
		watch->ports = k8s_table_watch(
			k8s_cluster_table(k8s->cluster, &k8s_ports_kind, text_slice(&k8s->label)), text_slice(&group), rows_changed, watch);
		text_free(&group);
		return;
	}
	watch->slices = k8s_table_watch(
		k8s_cluster_table(k8s->cluster, &k8s_slices_kind, text_slice(&k8s->label)), text_slice(&group), rows_changed, watch);
	if (!slice_to_u64(watch->port, UINT16_MAX, &number)) {
		watch->number = (uint16_t)number;
		watch->ports = k8s_table_watch(
			k8s_cluster_table(k8s->cluster, &k8s_ports_kind, SLICE("")), text_slice(&group), rows_changed, watch);
	}
	text_free(&group);
}

/* ---- the namer ---- */

static struct namer_watch *k8s_lookup(struct namer *namer, struct path below, void (*changed)(void *owner), void *owner)
{
	struct k8s *k8s = (struct k8s *)namer;
	struct k8s_watch *watch = memory_new(sizeof *watch);
	uint32_t wanted = 2 + (k8s->namespace.length == 0) + (k8s->label.length > 0);

	CHECK_MAGIC(k8s, K8S_MAGIC);
	arena_init(&watch->arena, NULL, 0);
	watch->base = (struct namer_watch){ namer, changed, owner, { .state = NAMER_NEG } };
	watch->consumed = namer->prefix.count + wanted;
	set_name(watch, below);
	if (below.count >= wanted)
		begin(watch);
	answer(watch);
	k8s->watch_count++;
	return &watch->base;
}

static void k8s_cancel(struct namer_watch *base)
{
	struct k8s_watch *watch = (struct k8s_watch *)base;

	((struct k8s *)base->namer)->watch_count--;
	k8s_table_unwatch(watch->slices);
	k8s_table_unwatch(watch->ports);
	endpoints_unref(watch->endpoints);
	host_set_free(watch->hosts);
	text_free(&watch->shown);
	arena_reset(&watch->arena);
	memory_free(watch);
}

static void k8s_free(struct namer *namer)
{
	struct k8s *k8s = (struct k8s *)namer;

	CHECK_MAGIC(k8s, K8S_MAGIC);
	CHECK(k8s->watch_count == 0);
	k8s_cluster_unref(k8s->cluster);
	path_free(&k8s->base.prefix);
	text_free(&k8s->namespace);
	text_free(&k8s->label);
	k8s->magic = 0;
	memory_free(k8s);
}

static const struct namer_ops ops = {
	.kind = "io.l5d.k8s",
	.lookup = k8s_lookup,
	.cancel = k8s_cancel,
	.free = k8s_free,
};

int k8s_new(const struct k8s_options *options, struct namer **namer, struct text *why)
{
	struct k8s_cluster *cluster;
	struct k8s *k8s;
	int e = k8s_cluster_get(options->clusters, &options->cluster, &cluster, why);

	if (e)
		return e;
	k8s = memory_new(sizeof *k8s);
	k8s->base.ops = &ops;
	k8s->base.prefix = path_new(options->prefix);
	k8s->magic = K8S_MAGIC;
	k8s->cluster = cluster;
	text_append(&k8s->namespace, options->namespace);
	text_append(&k8s->label, options->label);
	k8s->discover.resolver = options->resolver;
	k8s->external = options->external;
	*namer = &k8s->base;
	return 0;
}

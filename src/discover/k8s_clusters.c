/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_clusters.h"

#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/text.h"
#include "discover/k8s_api.h"
#include "discover/k8s_reflector.h"
#include "discover/k8s_table.h"
#include "observe/metrics.h"

enum { MOST_RESOURCES = 16 };

#define ROW(member, name) METRIC(struct k8s_reflector_counts, member, METRIC_COUNTER, name)

static const struct metric rows[] = {
	ROW(lists, "lists"),
	ROW(watches, "watches"),
	ROW(events, "events"),
	ROW(expired, "expired"),
	ROW(failures, "failed_requests"),
};

static const struct metric_kind counts_kind = { "kubernetes", rows, sizeof rows / sizeof rows[0], sizeof(struct k8s_reflector_counts),
	MOST_RESOURCES };

struct k8s_clusters {
	struct loop *loop;
	struct network *network;
	struct resolver *resolver;
	struct metrics *metrics;
	struct list list; /* struct k8s_cluster.link */
};

struct cluster_table {
	struct list link;
	struct k8s_table *table;
	struct scope *scope; /* NULL: without metrics */
};

struct k8s_cluster {
	struct list link;
	struct k8s_clusters *clusters;
	uint32_t references;
	struct text name; /* all its options */
	struct k8s_api *api;
	struct list tables; /* struct cluster_table.link: one for each kind, label, and object that is asked for by itself */
};

struct k8s_clusters *k8s_clusters_new(struct loop *loop, struct network *network, struct resolver *resolver, struct metrics *metrics)
{
	struct k8s_clusters *clusters = memory_new(sizeof *clusters);

	clusters->loop = loop;
	clusters->network = network;
	clusters->resolver = resolver;
	clusters->metrics = metrics;
	list_init(&clusters->list);
	return clusters;
}

void k8s_clusters_free(struct k8s_clusters *clusters)
{
	if (!clusters)
		return;
	CHECK(list_empty(&clusters->list));
	memory_free(clusters);
}

static struct k8s_cluster *find(struct k8s_clusters *clusters, struct slice name)
{
	LIST_EACH(&clusters->list, link) {
		struct k8s_cluster *cluster = LIST_OF(link, struct k8s_cluster, link);

		if (slice_equal(text_slice(&cluster->name), name))
			return cluster;
	}
	return NULL;
}

static int make(struct k8s_clusters *clusters, const struct k8s_cluster_options *options, struct slice name, struct k8s_cluster **out,
	struct text *why)
{
	const struct k8s_api_options api = {
		.loop = clusters->loop,
		.network = clusters->network,
		.resolver = clusters->resolver,
		.host = options->host,
		.port = options->port,
		.token_file = options->token_file,
		.ca_file = options->ca_file,
		.kubeconfig = options->kubeconfig,
	};
	struct k8s_cluster *cluster = memory_new(sizeof *cluster);
	int e = k8s_api_new(&api, &cluster->api, why);

	if (e) {
		memory_free(cluster);
		return e;
	}
	cluster->clusters = clusters;
	text_append(&cluster->name, name);
	list_init(&cluster->tables);
	list_append(&clusters->list, &cluster->link);
	*out = cluster;
	return 0;
}

int k8s_cluster_get(struct k8s_clusters *clusters, const struct k8s_cluster_options *options, struct k8s_cluster **out, struct text *why)
{
	struct text name = { 0 };
	struct k8s_cluster *cluster;
	int e = 0;

	text_format(&name, "%.*s\n%u\n%.*s\n%.*s\n%.*s", SLICE_ARGS(options->host), options->port, SLICE_ARGS(options->token_file),
		SLICE_ARGS(options->ca_file), SLICE_ARGS(options->kubeconfig));
	cluster = find(clusters, text_slice(&name));
	if (!cluster)
		e = make(clusters, options, text_slice(&name), &cluster, why);
	text_free(&name);
	if (e)
		return e;
	cluster->references++;
	*out = cluster;
	return 0;
}

static void entry_free(struct cluster_table *entry)
{
	list_remove(&entry->link);
	k8s_table_free(entry->table);
	if (entry->scope)
		scope_unref(entry->scope);
	memory_free(entry);
}

void k8s_cluster_unref(struct k8s_cluster *cluster)
{
	if (!cluster || --cluster->references)
		return;
	LIST_EACH_SAFE(&cluster->tables, link, after)
		entry_free(LIST_OF(link, struct cluster_table, link));
	list_remove(&cluster->link);
	k8s_api_unref(cluster->api);
	text_free(&cluster->name);
	memory_free(cluster);
}

/* Of all tables of a resource together, as `kubernetes/endpointslices`: the path's last word. */
static struct scope *counts_of(const struct k8s_clusters *clusters, const struct k8s_table_kind *kind)
{
	struct scope_label name = { SLICE("kubernetes"), slice_of(strrchr(kind->path, '/') + 1) };

	return clusters->metrics ? metrics_scope(clusters->metrics, &counts_kind, &name, 1) : NULL;
}

static struct k8s_table *table_of(struct k8s_cluster *cluster, const struct k8s_table_kind *kind, struct slice label, struct slice object)
{
	struct cluster_table *entry;

	LIST_EACH(&cluster->tables, link) {
		struct k8s_table *table = LIST_OF(link, struct cluster_table, link)->table;

		if (k8s_table_kind(table) == kind && slice_equal(k8s_table_label(table), label) &&
			slice_equal(k8s_table_object(table), object))
			return table;
	}
	entry = memory_new(sizeof *entry);
	entry->scope = counts_of(cluster->clusters, kind);
	entry->table = k8s_table_new(cluster->api, kind, label, object, entry->scope ? scope_shard(entry->scope, 0) : NULL);
	list_append(&cluster->tables, &entry->link);
	return entry->table;
}

struct k8s_table *k8s_cluster_table(struct k8s_cluster *cluster, const struct k8s_table_kind *kind, struct slice label)
{
	return table_of(cluster, kind, label, SLICE(""));
}

struct k8s_table *k8s_cluster_object(struct k8s_cluster *cluster, const struct k8s_table_kind *kind, struct slice object)
{
	return table_of(cluster, kind, SLICE(""), object);
}

void k8s_cluster_drop(struct k8s_cluster *cluster, struct k8s_table *table)
{
	if (k8s_table_is_watched(table))
		return;
	LIST_EACH_SAFE(&cluster->tables, link, after) {
		struct cluster_table *entry = LIST_OF(link, struct cluster_table, link);

		if (entry->table == table)
			entry_free(entry);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_ingresses.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "discover/k8s_packed.h"
#include "discover/k8s_table.h"
#include "doc/document.h"
#include "model/pattern.h"

enum { INGRESSES_MAGIC = 0x6b38696e };

/* All rows are one group: a change of any Ingress is a change of the rules. */
#define EVERY SLICE("*")

/*	packed: class, default { port, service }, u32 rules { u8 kind, host, path (long), port, service }
 *	where an empty service is none */

/* ---- objects to rows ---- */

struct read {
	const struct document_node *object;
	struct text *packed;
	uint32_t count;
};

static struct slice text_at(const struct document_node *node, const char *key)
{
	struct slice text = SLICE("");

	document_read_text(document_get(node, key), &text, NULL);
	return text;
}

/* What is said by networking.k8s.io/v1 and by extensions/v1beta1. */
static void put_backend(struct text *packed, const struct document_node *backend)
{
	const struct document_node *service = document_get(backend, "service"), *port = document_get(service, "port");
	struct slice name = service ? text_at(service, "name") : text_at(backend, "serviceName");
	struct slice at = service ? text_at(port, "name") : text_at(backend, "servicePort");

	if (!at.length)
		at = text_at(port, "number");
	k8s_packed_put_text(packed, at);
	k8s_packed_put_text(packed, at.length ? name : SLICE(""));
}

static void refuse(const struct read *read, struct slice path, const char *why)
{
	const struct document_node *metadata = document_get(read->object, "metadata");

	LOG(LOG_WARN, "discover", "Kubernetes' Ingress %.*s/%.*s: the path `%.*s` is left out: %s",
		SLICE_ARGS(text_at(metadata, "namespace")), SLICE_ARGS(text_at(metadata, "name")), SLICE_ARGS(path), why);
}

/* False: it is left out. */
static bool kind_of(const struct read *read, const struct document_node *node, struct slice path, enum ingress_path *kind)
{
	struct slice type = text_at(node, "pathType");
	struct pattern *pattern;
	const char *why;

	if (slice_equal(type, SLICE("Exact"))) {
		*kind = INGRESS_EXACT;
	} else if (slice_equal(type, SLICE("Prefix"))) {
		*kind = INGRESS_PREFIX;
	} else if (!path.length) {
		*kind = INGRESS_ANY;
	} else if (pattern_new(path, &pattern, &why)) {
		refuse(read, path, why);
		return false;
	} else {
		pattern_free(pattern);
		*kind = INGRESS_PATTERN;
	}
	return true;
}

static void put_path(struct read *read, struct slice host, const struct document_node *node)
{
	struct slice path = text_at(node, "path");
	enum ingress_path kind;

	if (!kind_of(read, node, path, &kind))
		return;
	k8s_packed_put_u8(read->packed, (uint8_t)kind);
	k8s_packed_put_text(read->packed, host);
	k8s_packed_put_long_text(read->packed, path);
	put_backend(read->packed, document_get(node, "backend"));
	read->count++;
}

/* A rule without paths sends its host's requests to the default backend. */
static void put_rule(struct read *read, const struct document_node *rule)
{
	const struct document_node *paths = document_get(document_get(rule, "http"), "paths");
	struct slice host = text_at(rule, "host");

	for (uint32_t i = 0; document_expect(paths, DOCUMENT_SEQUENCE, NULL) && i < paths->count; i++)
		put_path(read, host, paths->items[i]);
}

static struct slice class_of(const struct document_node *object)
{
	const struct document_node *annotations = document_get(document_get(object, "metadata"), "annotations");
	struct slice class = text_at(document_get(object, "spec"), "ingressClassName");

	return class.length ? class : text_at(annotations, "kubernetes.io/ingress.class");
}

static bool read_ingress(const struct document_node *object, struct slice label, struct text *group, struct text *packed)
{
	const struct document_node *spec = document_get(object, "spec"), *rules = document_get(spec, "rules");
	const struct document_node *usual = document_get(spec, "defaultBackend");
	struct read read = { .object = object, .packed = packed };
	size_t at;

	(void)label;
	text_append(group, EVERY);
	k8s_packed_put_text(packed, class_of(object));
	put_backend(packed, usual ? usual : document_get(spec, "backend"));
	at = packed->length;
	k8s_packed_put_u32(packed, 0);
	for (uint32_t i = 0; document_expect(rules, DOCUMENT_SEQUENCE, NULL) && i < rules->count; i++)
		put_rule(&read, rules->items[i]);
	k8s_packed_set_u32(packed, at, read.count);
	return true;
}

static const struct k8s_table_kind ingress_kind = {
	.path = "/apis/networking.k8s.io/v1/ingresses",
	.older = "/apis/extensions/v1beta1/ingresses",
	.read = read_ingress,
};

/* ---- rows to rules ---- */

struct k8s_ingresses {
	uint32_t magic;
	struct text namespace, class;
	bool without_defaults;
	struct k8s_cluster *cluster;
	struct k8s_table_watch *watch;
	struct ingress *rules; /* counted; NULL: not known yet */
	void (*changed)(void *owner);
	void *owner;
};

struct list_of_rules {
	struct ingress_rule *at; /* heap */
	uint32_t count;
};

static struct ingress_rule *add_rule(struct list_of_rules *list)
{
	/* Doubling, without a room of its own to remember. */
	if ((list->count & (list->count - 1)) == 0)
		list->at = memory_grow(list->at, list->count ? list->count * 2 : 1, sizeof *list->at);
	list->at[list->count] = (struct ingress_rule){ .kind = INGRESS_ANY };
	return &list->at[list->count++];
}

/* A rule without a Service is none; it has been read all the same. */
static void drop_if_empty(struct list_of_rules *list)
{
	if (!list->at[list->count - 1].to.service.length)
		list->count--;
}

static void read_backend(struct slice *rest, struct slice namespace, struct ingress_backend *to)
{
	to->namespace = namespace;
	to->port = k8s_packed_text(rest);
	to->service = k8s_packed_text(rest);
}

static void add_row(const struct k8s_ingresses *ingresses, const struct k8s_row *row, struct list_of_rules *list)
{
	struct slice rest = row->packed, key = row->entry.key, namespace = slice_make(key.at, slice_find(key, '/'));
	struct slice class = k8s_packed_text(&rest);
	struct ingress_rule *rule;

	if (ingresses->namespace.length && !slice_equal(namespace, text_slice(&ingresses->namespace)))
		return;
	if (class.length && !slice_equal(class, text_slice(&ingresses->class)))
		return;
	rule = add_rule(list);
	rule->kind = INGRESS_DEFAULT;
	read_backend(&rest, namespace, &rule->to);
	if (ingresses->without_defaults)
		rule->to.service = SLICE("");
	drop_if_empty(list);
	for (uint32_t i = k8s_packed_u32(&rest); i > 0; i--) {
		rule = add_rule(list);
		rule->kind = (enum ingress_path)k8s_packed_u8(&rest);
		rule->host = k8s_packed_text(&rest);
		rule->path = k8s_packed_long_text(&rest);
		read_backend(&rest, namespace, &rule->to);
		drop_if_empty(list);
	}
}

static int compare_rows(const void *a, const void *b)
{
	return slice_compare((*(struct k8s_row *const *)a)->entry.key, (*(struct k8s_row *const *)b)->entry.key);
}

static struct ingress *compile(const struct k8s_ingresses *ingresses)
{
	struct list_of_rules list = { 0 };
	struct k8s_row **rows;
	struct ingress *made;
	uint32_t count = 0;

	K8S_TABLE_EACH(ingresses->watch, row)
		count++;
	rows = memory_array(count + 1, sizeof(struct k8s_row *));
	count = 0;
	K8S_TABLE_EACH(ingresses->watch, row)
		rows[count++] = row;
	qsort(rows, count, sizeof(struct k8s_row *), compare_rows);
	for (uint32_t i = 0; i < count; i++)
		add_row(ingresses, rows[i], &list);
	made = ingress_new(list.at, list.count);
	memory_free(list.at);
	memory_free(rows);
	return made;
}

/* NULL: not known yet. */
static struct ingress *evaluate(const struct k8s_ingresses *ingresses)
{
	struct slice why;

	switch (k8s_table_state(ingresses->watch->table, &why)) {
	case K8S_TABLE_PENDING:
		return NULL;
	case K8S_TABLE_FAILED:
		return ingress_new_failed(why);
	case K8S_TABLE_KNOWN:
		break;
	}
	return compile(ingresses);
}

static void rows_changed(void *owner)
{
	struct k8s_ingresses *ingresses = owner;

	CHECK_MAGIC(ingresses, INGRESSES_MAGIC);
	ingress_unref(ingresses->rules);
	ingresses->rules = evaluate(ingresses);
	ingresses->changed(ingresses->owner);
}

int k8s_ingresses_new(const struct k8s_ingresses_options *options, void (*changed)(void *owner), void *owner, struct k8s_ingresses **out,
	struct text *why)
{
	struct k8s_cluster *cluster;
	struct k8s_ingresses *ingresses;
	int e = k8s_cluster_get(options->clusters, &options->cluster, &cluster, why);

	if (e)
		return e;
	ingresses = memory_new(sizeof *ingresses);
	ingresses->magic = INGRESSES_MAGIC;
	ingresses->cluster = cluster;
	text_append(&ingresses->namespace, options->namespace);
	text_append(&ingresses->class, options->class);
	ingresses->without_defaults = options->without_defaults;
	ingresses->changed = changed;
	ingresses->owner = owner;
	ingresses->watch = k8s_table_watch(k8s_cluster_table(cluster, &ingress_kind, SLICE("")), EVERY, rows_changed, ingresses);
	ingresses->rules = evaluate(ingresses);
	*out = ingresses;
	return 0;
}

void k8s_ingresses_free(struct k8s_ingresses *ingresses)
{
	if (!ingresses)
		return;
	CHECK_MAGIC(ingresses, INGRESSES_MAGIC);
	k8s_table_unwatch(ingresses->watch);
	k8s_cluster_unref(ingresses->cluster);
	ingress_unref(ingresses->rules);
	text_free(&ingresses->namespace);
	text_free(&ingresses->class);
	ingresses->magic = 0;
	memory_free(ingresses);
}

struct ingress *k8s_ingresses_rules(const struct k8s_ingresses *ingresses)
{
	return ingresses->rules;
}

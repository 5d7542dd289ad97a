/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_table.h: what is kept of one kind of object of a Kubernetes API, by the name that is asked for: rows of EndpointSlices by
 * their Service, Services by themselves.
 *
 * Every object of the kind is kept, packed by `read` to what answers are made of. So a name that was never asked for before can be
 * answered at once, and during an outage. An object that `read` doesn't want is forgotten. Rows follow a reflector, which is shared by
 * all who ask. Control thread; heap. `changed` comes from the loop only, once for many changes of one turn, and may watch and unwatch.
 *
 *	static const struct k8s_table_kind kind = { .path = "/api/v1/services", .read = read };
 *	table = k8s_table_new(api, &kind, SLICE("label"), SLICE(""));
 *	watch = k8s_table_watch(table, SLICE("default/hello"), changed, owner);
 *	if (k8s_table_state(table, &why) == K8S_TABLE_KNOWN)
 *		K8S_TABLE_EACH(watch, row) use(row->packed);
 *	k8s_table_unwatch(watch);
 *	k8s_table_free(table);
 */
#ifndef DISCOVER_K8S_TABLE_H
#define DISCOVER_K8S_TABLE_H

#include <stdbool.h>

#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"

struct document_node;
struct k8s_api;
struct k8s_reflector_counts;
struct k8s_table;
struct text;

enum { K8S_TABLE_NAME_MOST = 253 + 1 + 253 }; /* "namespace/name" (RFC 1123 subdomains) */

struct k8s_table_kind {
	const char *path;  /* of the collection, over all namespaces */
	const char *older; /* on servers that don't know `path`; NULL: none */
	/* Appends to `group` the name ("namespace/name") under which the object is asked for, and to `packed` what is kept of it.
	 * False: the object is of no use; both are then ignored. `label`: the table's. */
	bool (*read)(const struct document_node *object, struct slice label, struct text *group, struct text *packed);
	/* NULL, or both. Of an object that is told while the API is away or has not been back for two minutes: `before` was packed of it
	 * last, `packed` is now, and may be made to go on with what was true (true: it does). After that it ends (true: it did). */
	bool (*hold)(struct slice before, char *packed, size_t length);
	bool (*release)(char *packed, size_t length);
};

enum k8s_table_state {
	K8S_TABLE_PENDING, /* not listed yet */
	K8S_TABLE_FAILED,  /* not listed yet, and asking failed */
	K8S_TABLE_KNOWN,   /* stays so, whatever fails later */
};

struct k8s_group;

struct k8s_row {
	struct map_entry entry; /* by the object's own "namespace/name" */
	struct list link;       /* in its group */
	struct k8s_group *group;
	uint32_t generation; /* of the list or watch that told it last */
	struct slice packed; /* behind the row, as is the name */
};

struct k8s_table_watch {
	struct list link;  /* in its group */
	struct list dirty; /* in table->dirty */
	struct k8s_group *group;
	struct k8s_table *table;
	void (*changed)(void *owner);
	void *owner;
};

/* `label`: a key; not empty: only objects that have it (labelSelector) are told. `object`: "namespace/name"; not empty: only that one is asked
 * for, which an account may be allowed that may not list all. `counts`: as k8s_collection's. */
struct k8s_table *k8s_table_new(struct k8s_api *api, const struct k8s_table_kind *kind, struct slice label, struct slice object,
	struct k8s_reflector_counts *counts);
void k8s_table_free(struct k8s_table *table); /* nobody watches any more */
enum k8s_table_state k8s_table_state(const struct k8s_table *table, struct slice *why);
struct slice k8s_table_label(const struct k8s_table *table);
struct slice k8s_table_object(const struct k8s_table *table);
const struct k8s_table_kind *k8s_table_kind(const struct k8s_table *table);
bool k8s_table_is_watched(const struct k8s_table *table);
/* The rows of `name` ("namespace/name") at any time, and being told when they, or the table's state, change. */
struct k8s_table_watch *k8s_table_watch(struct k8s_table *table, struct slice name, void (*changed)(void *owner), void *owner);
void k8s_table_unwatch(struct k8s_table_watch *watch); /* NULL is allowed */
struct k8s_row *k8s_table_first(const struct k8s_table_watch *watch);
struct k8s_row *k8s_table_next(const struct k8s_table_watch *watch, const struct k8s_row *row);
#define K8S_TABLE_EACH(watch, row) for (struct k8s_row *row = k8s_table_first(watch); row; row = k8s_table_next(watch, row))

#endif

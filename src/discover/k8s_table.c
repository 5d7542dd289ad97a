/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_table.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "discover/k8s_api.h"
#include "discover/k8s_reflector.h"
#include "doc/document.h"
#include "io/loop.h"

enum { TABLE_MAGIC = 0x6b387462 };

/* Kubernetes' controllers may take a minute to ask its API again, and to hear which nodes are alive. */
#define SETTLE (2 * CLOCK_MINUTE)

/* Exists as long as it has rows or somebody watches it. */
struct k8s_group {
	struct map_entry entry; /* by name, which is behind the group */
	struct list rows, watches;
};

struct k8s_table {
	uint32_t magic;
	uint32_t generation; /* of the list that began last */
	struct loop *loop;
	const struct k8s_table_kind *kind;
	struct text label, object;
	struct k8s_reflector *reflector;
	struct map rows, groups;
	struct list dirty; /* struct k8s_table_watch.dirty: to be told */
	struct task tell;
	bool known;
	bool shaken; /* asking failed, or has not worked again for SETTLE: objects are held */
	bool holds;  /* and one was */
	struct timer settle;
	struct text failure;
	struct text name, group, packed; /* of the object being read */
	uint32_t watch_count;
};

/* ---- telling ---- */

static void tell(void *owner)
{
	struct k8s_table *table = owner;

	CHECK_MAGIC(table, TABLE_MAGIC);
	for (struct list *link = list_first(&table->dirty); link; link = list_first(&table->dirty)) {
		struct k8s_table_watch *watch = LIST_OF(link, struct k8s_table_watch, dirty);

		list_remove(link);
		watch->changed(watch->owner);
	}
}

static void mark(struct k8s_table *table, struct k8s_group *group)
{
	LIST_EACH(&group->watches, link) {
		struct k8s_table_watch *watch = LIST_OF(link, struct k8s_table_watch, link);

		list_remove(&watch->dirty);
		list_append(&table->dirty, &watch->dirty);
		task_set(table->loop, &table->tell);
	}
}

static void mark_all(struct k8s_table *table)
{
	MAP_EACH(&table->groups, entry)
		mark(table, MAP_OF(entry, struct k8s_group, entry));
}

/* ---- rows and groups ---- */

static struct k8s_group *group_of(struct k8s_table *table, struct slice name)
{
	struct map_entry *found = map_find(&table->groups, name);
	struct k8s_group *group;
	char *copy;

	if (found)
		return MAP_OF(found, struct k8s_group, entry);
	group = memory_new(sizeof *group + name.length);
	copy = (char *)(group + 1);
	memcpy(copy, name.at, name.length);
	list_init(&group->rows);
	list_init(&group->watches);
	map_insert(&table->groups, &group->entry, slice_make(copy, name.length));
	return group;
}

static void prune(struct k8s_table *table, struct k8s_group *group)
{
	if (!list_empty(&group->rows) || !list_empty(&group->watches))
		return;
	map_remove(&table->groups, &group->entry);
	memory_free(group);
}

static void remove_row(struct k8s_table *table, struct k8s_row *row)
{
	struct k8s_group *group = row->group;

	map_remove(&table->rows, &row->entry);
	list_remove(&row->link);
	memory_free(row);
	mark(table, group);
	prune(table, group);
}

/* What is packed, then the name. */
static char *row_bytes(struct k8s_row *row)
{
	return (char *)(row + 1);
}

static void add_row(struct k8s_table *table, struct slice name, struct slice group, struct slice packed)
{
	struct k8s_row *row = memory_new(sizeof *row + name.length + packed.length);
	char *bytes = row_bytes(row);

	memcpy(bytes, packed.at, packed.length);
	memcpy(bytes + packed.length, name.at, name.length);
	row->packed = slice_make(bytes, packed.length);
	row->generation = table->generation;
	row->group = group_of(table, group);
	list_append(&row->group->rows, &row->link);
	map_insert(&table->rows, &row->entry, slice_make(bytes + packed.length, name.length));
	mark(table, row->group);
}

static void hold(struct k8s_table *table, const struct k8s_row *row, struct text *packed)
{
	if (!table->shaken || !table->kind->hold || !table->kind->hold(row->packed, packed->bytes, packed->length))
		return;
	if (!table->holds)
		LOG(LOG_WARN, "discover",
			"Kubernetes' API, %s: after an outage an endpoint of %.*s is ready no longer, perhaps because its node could not "
			"be "
			"heard; such endpoints stay in use for two minutes",
			table->kind->path, SLICE_ARGS(row->entry.key));
	table->holds = true;
}

/* The object is now so. Most changes of an object change nothing that is kept of it. */
static void put_row(struct k8s_table *table, struct slice name, struct slice group, struct text *into)
{
	struct map_entry *found = map_find(&table->rows, name);
	struct slice packed = text_slice(into);

	if (found) {
		struct k8s_row *row = MAP_OF(found, struct k8s_row, entry);

		row->generation = table->generation;
		hold(table, row, into);
		if (slice_equal(row->packed, packed) && slice_equal(row->group->entry.key, group))
			return;
		remove_row(table, row);
	}
	add_row(table, name, group, packed);
}

static void drop_row(struct k8s_table *table, struct slice name)
{
	struct map_entry *found = map_find(&table->rows, name);

	if (found)
		remove_row(table, MAP_OF(found, struct k8s_row, entry));
}

/* ---- what the reflector tells ---- */

static void listing(void *owner)
{
	((struct k8s_table *)owner)->generation++;
}

/* False: an object without a name, or with one that can't be. */
static bool read_name(const struct document_node *object, struct text *into)
{
	const struct document_node *metadata = document_get(object, "metadata");
	struct slice namespace, name;

	text_clear(into);
	if (!document_read_text(document_get(metadata, "namespace"), &namespace, NULL) ||
		!document_read_text(document_get(metadata, "name"), &name, NULL))
		return false;
	text_append(into, namespace);
	text_append(into, SLICE("/"));
	text_append(into, name);
	return into->length <= K8S_TABLE_NAME_MOST;
}

static void object_came(void *owner, const struct document_node *object, bool gone)
{
	struct k8s_table *table = owner;
	struct slice name;

	if (!read_name(object, &table->name)) {
		LOG(LOG_WARN, "discover", "Kubernetes' API, %s: an object without a name is ignored", table->kind->path);
		return;
	}
	name = text_slice(&table->name);
	text_clear(&table->group);
	text_clear(&table->packed);
	if (!gone && table->kind->read(object, text_slice(&table->label), &table->group, &table->packed))
		put_row(table, name, text_slice(&table->group), &table->packed);
	else
		drop_row(table, name);
}

static void listed(void *owner)
{
	struct k8s_table *table = owner;

	MAP_EACH_SAFE(&table->rows, entry, after) {
		struct k8s_row *row = MAP_OF(entry, struct k8s_row, entry);

		if (row->generation != table->generation)
			remove_row(table, row);
	}
	if (table->known)
		return;
	table->known = true;
	text_free(&table->failure);
	mark_all(table);
}

static void failed(void *owner, struct slice why)
{
	struct k8s_table *table = owner;

	table->shaken = true;
	timer_cancel(table->loop, &table->settle);
	if (table->known || slice_equal(text_slice(&table->failure), why))
		return;
	text_clear(&table->failure);
	text_append(&table->failure, why);
	mark_all(table);
}

static void back(void *owner)
{
	struct k8s_table *table = owner;

	timer_set(table->loop, &table->settle, clock_after(loop_now(table->loop), SETTLE));
}

static void settled(void *owner)
{
	struct k8s_table *table = owner;

	table->shaken = false;
	if (!table->holds)
		return;
	table->holds = false;
	MAP_EACH(&table->rows, entry) {
		struct k8s_row *row = MAP_OF(entry, struct k8s_row, entry);

		if (table->kind->release(row_bytes(row), row->packed.length))
			mark(table, row->group);
	}
}

static const struct k8s_reflector_events events = {
	.listing = listing, .object = object_came, .listed = listed, .failed = failed, .back = back
};

/* ---- the table ---- */

/* "/api/v1/configmaps" is "/api/v1/namespaces/NAMESPACE/configmaps" in one namespace. */
static void put_namespace(struct slice path, struct slice namespace, struct text *into)
{
	size_t last = path.length;

	while (last > 0 && path.at[last - 1] != '/')
		last--;
	text_format(into, "%.*snamespaces/%.*s/%.*s", (int)last, path.at, SLICE_ARGS(namespace), SLICE_ARGS(slice_from(path, last)));
}

static struct k8s_reflector *reflect(struct k8s_table *table, struct k8s_api *api, struct k8s_reflector_counts *counts)
{
	const struct k8s_table_kind *kind = table->kind;
	struct slice object = text_slice(&table->object), label = text_slice(&table->label), namespace;
	struct text path = { 0 }, fields = { 0 };
	struct k8s_reflector *reflector;

	if (object.length) {
		slice_split(&object, '/', &namespace);
		put_namespace(slice_of(kind->path), namespace, &path);
		text_format(&fields, "metadata.name=%.*s", SLICE_ARGS(object));
	} else {
		text_append(&path, slice_of(kind->path));
	}
	reflector = k8s_reflector_new(api,
		&(struct k8s_collection){
			.path = text_slice(&path),
			.older = slice_of(kind->older ? kind->older : ""),
			.labels = label,
			.fields = text_slice(&fields),
			.counts = counts,
		},
		&events, table);
	text_free(&path);
	text_free(&fields);
	return reflector;
}

struct k8s_table *k8s_table_new(struct k8s_api *api, const struct k8s_table_kind *kind, struct slice label, struct slice object,
	struct k8s_reflector_counts *counts)
{
	struct k8s_table *table = memory_new(sizeof *table);

	table->magic = TABLE_MAGIC;
	table->loop = k8s_api_loop(api);
	table->kind = kind;
	text_append(&table->label, label);
	text_append(&table->object, object);
	map_init(&table->rows, 0);
	map_init(&table->groups, 0);
	list_init(&table->dirty);
	task_init(&table->tell, tell, table);
	timer_init(&table->settle, settled, table);
	table->reflector = reflect(table, api, counts);
	return table;
}

void k8s_table_free(struct k8s_table *table)
{
	CHECK_MAGIC(table, TABLE_MAGIC);
	CHECK(table->watch_count == 0);
	k8s_reflector_free(table->reflector);
	MAP_EACH_SAFE(&table->rows, entry, after)
		remove_row(table, MAP_OF(entry, struct k8s_row, entry));
	CHECK(table->groups.count == 0);
	task_cancel(table->loop, &table->tell);
	timer_cancel(table->loop, &table->settle);
	map_fini(&table->rows);
	map_fini(&table->groups);
	text_free(&table->label);
	text_free(&table->object);
	text_free(&table->failure);
	text_free(&table->name);
	text_free(&table->group);
	text_free(&table->packed);
	table->magic = 0;
	memory_free(table);
}

enum k8s_table_state k8s_table_state(const struct k8s_table *table, struct slice *why)
{
	*why = text_slice(&table->failure);
	if (table->known)
		return K8S_TABLE_KNOWN;
	return why->length ? K8S_TABLE_FAILED : K8S_TABLE_PENDING;
}

struct slice k8s_table_label(const struct k8s_table *table)
{
	return text_slice(&table->label);
}

struct slice k8s_table_object(const struct k8s_table *table)
{
	return text_slice(&table->object);
}

const struct k8s_table_kind *k8s_table_kind(const struct k8s_table *table)
{
	return table->kind;
}

struct k8s_table_watch *k8s_table_watch(struct k8s_table *table, struct slice name, void (*changed)(void *owner), void *owner)
{
	struct k8s_table_watch *watch = memory_new(sizeof *watch);

	CHECK_MAGIC(table, TABLE_MAGIC);
	watch->table = table;
	watch->changed = changed;
	watch->owner = owner;
	watch->group = group_of(table, name);
	list_append(&watch->group->watches, &watch->link);
	list_init(&watch->dirty);
	table->watch_count++;
	return watch;
}

void k8s_table_unwatch(struct k8s_table_watch *watch)
{
	if (!watch)
		return;
	watch->table->watch_count--;
	list_remove(&watch->link);
	list_remove(&watch->dirty);
	prune(watch->table, watch->group);
	memory_free(watch);
}

bool k8s_table_is_watched(const struct k8s_table *table)
{
	return table->watch_count > 0;
}

struct k8s_row *k8s_table_first(const struct k8s_table_watch *watch)
{
	struct list *link = list_first(&watch->group->rows);

	return link ? LIST_OF(link, struct k8s_row, link) : NULL;
}

struct k8s_row *k8s_table_next(const struct k8s_table_watch *watch, const struct k8s_row *row)
{
	struct list *link = row->link.next;

	return link == &watch->group->rows ? NULL : LIST_OF(link, struct k8s_row, link);
}

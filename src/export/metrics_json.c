/* SPDX-License-Identifier: Apache-2.0 */
#include "export/metrics_json.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"
#include "doc/json_write.h"
#include "export/summary.h"

/* A step of a name. Both forms are written from the tree of them, since a metric's name may lie above another's. */
struct node {
	struct map_entry entry;    /* key: the parent's address, the name */
	struct node *next;         /* sibling, in the order of coming */
	struct node *first, *last; /* children */
	struct slice name;
	bool present; /* there is a number here, or a summary */
	enum metric_type type;
	double value;
	struct summary *summary;
	const struct histogram_packed *ever; /* instead, when buckets are wanted */
};

struct tree {
	struct arena arena;
	struct map nodes;
	struct node root;
	bool buckets;
};

static struct node *child(struct tree *tree, struct node *parent, struct slice name)
{
	char *key = arena_get(&tree->arena, sizeof parent + name.length);
	const struct slice whole = slice_make(key, sizeof parent + name.length);

	memcpy(key, &parent, sizeof parent);
	if (name.length)
		memcpy(key + sizeof parent, name.at, name.length);
	struct map_entry *found = map_find(&tree->nodes, whole);

	if (found)
		return MAP_OF(found, struct node, entry);
	struct node *node = arena_zeroed(&tree->arena, sizeof *node);

	node->name = slice_from(whole, sizeof parent);
	map_insert(&tree->nodes, &node->entry, whole);
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return node;
}

/* In the arena, as there are as many as scopes. */
static const struct histogram_packed *pack(struct tree *tree, const struct histogram_view *view)
{
	struct histogram_packed *packed = histogram_pack(NULL, view);
	const size_t size = sizeof *packed + packed->used * sizeof packed->at[0];
	struct histogram_packed *copy = arena_get(&tree->arena, size);

	memcpy(copy, packed, size);
	memory_free(packed);
	return copy;
}

static void add(void *owner, const struct sample *sample)
{
	struct tree *tree = owner;
	struct node *node = &tree->root;
	struct slice rest = sample->name, step;

	for (unsigned i = 0; i < sample->label_count; i++) {
		node = child(tree, node, sample->labels[i].key);
		if (sample->labels[i].value.length)
			node = child(tree, node, sample->labels[i].value);
	}
	while (slice_split(&rest, '/', &step))
		node = child(tree, node, step);
	node->present = true;
	node->type = sample->type;
	node->value = sample->value;
	if (sample->view && tree->buckets) {
		node->ever = pack(tree, sample->view);
	} else if (sample->view) {
		node->summary = arena_zeroed(&tree->arena, sizeof *node->summary);
		summary_make(node->summary, sample->view, sample->type);
	}
}

static void write_number(struct json_writer *writer, const struct node *node)
{
	if (node->type == METRIC_COUNTER)
		json_write_u64(writer, (uint64_t)node->value);
	else
		json_write_number(writer, node->value);
}

static void write_part(struct json_writer *writer, struct slice name, const char *part, double value)
{
	struct text key = { 0 };

	text_format(&key, "%.*s.%s", SLICE_ARGS(name), part);
	json_write_key(writer, text_slice(&key));
	json_write_number(writer, value);
	text_free(&key);
}

static void write_summary(struct json_writer *writer, struct slice name, const struct summary *summary)
{
	write_part(writer, name, "count", (double)summary->count);
	if (!summary->count)
		return;
	write_part(writer, name, "max", summary->max);
	write_part(writer, name, "min", summary->min);
	for (unsigned i = 0; i < SUMMARY_QUANTILES; i++)
		write_part(writer, name, summary_quantiles[i].json, summary->quantiles[i]);
	write_part(writer, name, "sum", summary->sum);
	write_part(writer, name, "avg", summary->average);
}

static void write_distribution(struct json_writer *writer, struct slice name, const struct node *node)
{
	const struct histogram_packed *ever = node->ever;
	const double unit = node->type == METRIC_STAT ? 1000 : 1;
	struct text key = { 0 };

	if (!ever) {
		write_summary(writer, name, node->summary);
		return;
	}
	write_part(writer, name, "count", (double)ever->count);
	write_part(writer, name, "sum", (double)ever->sum / unit);
	text_format(&key, "%.*s.buckets", SLICE_ARGS(name));
	json_write_key(writer, text_slice(&key));
	text_free(&key);
	json_write_array(writer);
	for (uint32_t i = 0; i < ever->used; i++) {
		json_write_array(writer);
		json_write_number(writer, (double)histogram_bucket_least(ever->at[i].bucket) / unit);
		json_write_u64(writer, ever->at[i].n);
		json_write_end(writer);
	}
	json_write_end(writer);
}

/* `name` holds the node's name, and does again afterwards. As deep as names have steps. */
static void write_flat(struct json_writer *writer, const struct node *node, struct text *name)
{
	size_t length = name->length;

	if (node->present && (node->summary || node->ever)) {
		write_distribution(writer, text_slice(name), node);
	} else if (node->present) {
		json_write_key(writer, text_slice(name));
		write_number(writer, node);
	}
	for (const struct node *below = node->first; below; below = below->next) {
		if (length)
			text_append(name, SLICE("/"));
		text_append(name, below->name);
		write_flat(writer, below, name);
		name->length = length;
	}
}

static void write_tree(struct json_writer *writer, const struct node *node)
{
	json_write_object(writer);
	if (node->present && (node->summary || node->ever)) {
		write_distribution(writer, SLICE("stat"), node);
	} else if (node->present) {
		json_write_key(writer, node->type == METRIC_COUNTER ? SLICE("counter") : SLICE("gauge"));
		write_number(writer, node);
	}
	for (const struct node *below = node->first; below; below = below->next) {
		json_write_key(writer, below->name);
		write_tree(writer, below);
	}
	json_write_end(writer);
}

/* The node whose name, joined by "/", is `name`. */
static const struct node *find(const struct node *node, struct slice name)
{
	if (!name.length)
		return node;
	for (const struct node *below = node->first; below; below = below->next) {
		const struct node *found = NULL;

		if (!slice_starts(name, below->name))
			continue;
		struct slice rest = slice_from(name, below->name.length);

		if (!rest.length)
			found = below;
		else if (rest.at[0] == '/' && rest.length > 1)
			found = find(below, slice_from(rest, 1));
		if (found)
			return found;
	}
	return NULL;
}

static void write_unknown(struct json_writer *writer, struct slice name)
{
	struct text message = { 0 };

	text_format(&message, "No such subtree: %.*s", SLICE_ARGS(name));
	json_write_object(writer);
	json_write_key(writer, SLICE("error"));
	json_write_text(writer, text_slice(&message));
	json_write_end(writer);
	text_free(&message);
}

int metrics_json(struct metrics *metrics, const struct metrics_query *query, struct text *out)
{
	struct tree tree = { .buckets = query->buckets };
	struct json_writer writer;
	struct text name = { 0 };

	arena_init(&tree.arena, NULL, 0);
	map_init(&tree.nodes, 0);
	(query->buckets ? metrics_read_ever : metrics_read)(metrics, add, &tree);
	const struct node *from = find(&tree.root, query->subtree);

	json_write_start(&writer, out, query->pretty);
	if (!from) {
		write_unknown(&writer, query->subtree);
	} else if (query->tree) {
		write_tree(&writer, from);
	} else {
		json_write_object(&writer);
		write_flat(&writer, from, &name);
		json_write_end(&writer);
	}
	text_free(&name);
	map_fini(&tree.nodes);
	arena_reset(&tree.arena);
	return from ? 0 : ERROR_NOT_FOUND;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/builder.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

enum {
	DEFAULT_BYTES = 1024 * 1024,
	DEFAULT_NODES = 100000,
	DEFAULT_DEPTH = 64,
};

struct builder_level {
	struct document_node *node;
	size_t first;                         /* its first child in pending */
	const struct document_node *key_node; /* a key whose value is next */
};

void builder_init(struct builder *builder, struct document *document, const struct document_limits *limits, struct problems *problems)
{
	*builder = (struct builder){ .document = document, .problems = problems };
	if (limits)
		builder->limits = *limits;
	if (!builder->limits.max_bytes)
		builder->limits.max_bytes = DEFAULT_BYTES;
	if (!builder->limits.max_nodes)
		builder->limits.max_nodes = DEFAULT_NODES;
	if (!builder->limits.max_depth)
		builder->limits.max_depth = DEFAULT_DEPTH;
}

void builder_fini(struct builder *builder)
{
	memory_free(builder->levels);
	memory_free(builder->pending);
	*builder = (struct builder){ 0 };
}

static void *get(struct document *document, size_t size)
{
	void *p = arena_zeroed(&document->arena, size);
	if (!p)
		check_out_of_memory("a document");
	return p;
}

struct slice builder_text(struct document *document, struct slice text)
{
	char *copy = arena_text(&document->arena, text);
	if (!copy)
		check_out_of_memory("a document");
	return slice_make(copy, text.length);
}

static struct builder_level *innermost(struct builder *builder)
{
	return builder->depth ? &builder->levels[builder->depth - 1] : NULL;
}

static void append(struct builder *builder, struct document_entry entry)
{
	if (builder->pending_count == builder->pending_capacity) {
		builder->pending_capacity = builder->pending_capacity ? builder->pending_capacity * 2 : 32;
		builder->pending = memory_grow(builder->pending, builder->pending_capacity, sizeof *builder->pending);
	}
	builder->pending[builder->pending_count++] = entry;
}

/* Puts the node where the next one belongs: root, item, key or value. */
static int place(struct builder *builder, struct document_node *node)
{
	struct builder_level *level = innermost(builder);
	if (!level) {
		CHECK(!builder->document->root);
		builder->document->root = node;
		return 0;
	}
	node->parent = level->node;
	if (level->node->kind == DOCUMENT_SEQUENCE) {
		append(builder, (struct document_entry){ .value = node });
	} else if (level->key_node) {
		node->key = level->key_node->text;
		append(builder, (struct document_entry){ node->key, level->key_node, node });
		level->key_node = NULL;
	} else if (node->kind == DOCUMENT_SCALAR) {
		level->key_node = node;
	} else {
		problem_add(
			builder->problems, node, "a key must be a text, not a %s", node->kind == DOCUMENT_MAPPING ? "mapping" : "sequence");
		return ERROR_SYNTAX;
	}
	return 0;
}

static int new_node(struct builder *builder, enum document_kind kind, int line, int column, struct document_node **node)
{
	if (builder->nodes == builder->limits.max_nodes) {
		problem_add_at(builder->problems, builder->document->file, line, column, "more than %u values in one document",
			builder->limits.max_nodes);
		return ERROR_LIMIT;
	}
	builder->nodes++;
	*node = get(builder->document, sizeof **node);
	**node = (struct document_node){
		.document = builder->document,
		.kind = (uint8_t)kind,
		.line = line,
		.column = column,
	};
	return 0;
}

static int check_depth(struct builder *builder, uint32_t depth, int line, int column)
{
	if (depth <= builder->limits.max_depth)
		return 0;
	problem_add_at(builder->problems, builder->document->file, line, column, "nested deeper than %u levels", builder->limits.max_depth);
	return ERROR_LIMIT;
}

int builder_scalar(struct builder *builder, struct slice text, enum document_style style, int line, int column, struct document_node **node)
{
	if (text.length && memchr(text.at, '\0', text.length)) {
		problem_add_at(builder->problems, builder->document->file, line, column, "a text must not contain NUL");
		return ERROR_SYNTAX;
	}
	int e = new_node(builder, DOCUMENT_SCALAR, line, column, node);
	if (e)
		return e;
	(*node)->style = (uint8_t)style;
	(*node)->text = builder_text(builder->document, text);
	return place(builder, *node);
}

int builder_open(struct builder *builder, enum document_kind kind, int line, int column, struct document_node **node)
{
	int e = check_depth(builder, builder->depth + 1, line, column);
	if (!e)
		e = new_node(builder, kind, line, column, node);
	if (!e)
		e = place(builder, *node);
	if (e)
		return e;
	if (builder->depth == builder->level_capacity) {
		builder->level_capacity = builder->level_capacity ? builder->level_capacity * 2 : 16;
		builder->levels = memory_grow(builder->levels, builder->level_capacity, sizeof *builder->levels);
	}
	builder->levels[builder->depth++] = (struct builder_level){ *node, builder->pending_count, NULL };
	return 0;
}

static const struct document_node **copy_items(struct document *document, const struct document_entry *from, size_t count)
{
	const struct document_node **items = get(document, count * sizeof *items);
	for (size_t i = 0; i < count; i++)
		items[i] = from[i].value;
	return items;
}

static struct document_entry *copy_entries(struct document *document, const struct document_entry *from, size_t count)
{
	struct document_entry *entries = get(document, count * sizeof *entries);
	if (count)
		memcpy(entries, from, count * sizeof *entries);
	return entries;
}

static int compare_keys(const void *left, const void *right)
{
	const struct document_entry *const *a = left, *const *b = right;
	int order = slice_compare((*a)->key, (*b)->key);
	if (order)
		return order;
	return *a < *b ? -1 : *a > *b;
}

/* Jackson refuses duplicates too; each is named with the place where the key was first. */
static void check_duplicates(struct builder *builder, const struct document_entry *entries, size_t count)
{
	if (count < 2)
		return;
	const struct document_entry **sorted = memory_array(count, sizeof *sorted);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &entries[i];
	qsort(sorted, count, sizeof *sorted, compare_keys);
	const struct document_entry *first = sorted[0];
	for (size_t i = 1; i < count; i++) {
		if (!slice_equal(sorted[i]->key, first->key)) {
			first = sorted[i];
			continue;
		}
		problem_add(builder->problems, sorted[i]->key_node, "duplicate key `%.*s`; it is first at line %d, column %d",
			SLICE_ARGS(first->key), first->key_node->line, first->key_node->column);
		builder->failed = true;
	}
	memory_free(sorted);
}

void builder_close(struct builder *builder)
{
	struct builder_level *level = innermost(builder);
	CHECK(level && !level->key_node);
	size_t count = builder->pending_count - level->first;
	const struct document_entry *children = count ? builder->pending + level->first : NULL;
	level->node->count = (uint32_t)count;
	if (level->node->kind == DOCUMENT_SEQUENCE) {
		level->node->items = copy_items(builder->document, children, count);
	} else {
		level->node->entries = copy_entries(builder->document, children, count);
		check_duplicates(builder, level->node->entries, count);
	}
	builder->pending_count = level->first;
	builder->depth--;
}

/* Recurses as deep as max_depth. The copy keeps the places of what it copies; `line` and `column` are the alias's. */
static int copy_tree(
	struct builder *builder, const struct document_node *from, uint32_t depth, int line, int column, struct document_node **made)
{
	struct document_node *node;
	int e = new_node(builder, (enum document_kind)from->kind, line, column, &node);
	if (!e && from->kind != DOCUMENT_SCALAR)
		e = check_depth(builder, depth + 1, line, column);
	if (e)
		return e;
	*node = *from;
	*made = node;
	if (from->kind == DOCUMENT_SCALAR)
		return 0;
	struct document_entry *children = get(builder->document, from->count * sizeof *children);
	for (uint32_t i = 0; i < from->count; i++) {
		struct document_node *child;
		const struct document_node *old = from->kind == DOCUMENT_SEQUENCE ? from->items[i] : from->entries[i].value;
		e = copy_tree(builder, old, depth + 1, line, column, &child);
		if (e)
			return e;
		child->parent = node;
		if (from->kind == DOCUMENT_MAPPING)
			children[i] = from->entries[i];
		children[i].value = child;
	}
	if (from->kind == DOCUMENT_SEQUENCE)
		node->items = copy_items(builder->document, children, from->count);
	else
		node->entries = children;
	return 0;
}

int builder_copy(struct builder *builder, const struct document_node *from, int line, int column)
{
	struct document_node *copy;
	int e = copy_tree(builder, from, builder->depth, line, column, &copy);
	if (e)
		return e;
	copy->parent = NULL;
	copy->key = (struct slice){ 0 };
	return place(builder, copy);
}

bool builder_is_open(const struct builder *builder, const struct document_node *node)
{
	for (uint32_t i = 0; i < builder->depth; i++) {
		if (builder->levels[i].node == node)
			return true;
	}
	return false;
}

int builder_finish(struct builder *builder)
{
	CHECK(builder->depth == 0);
	return builder->document->root && !builder->failed ? 0 : ERROR_SYNTAX;
}

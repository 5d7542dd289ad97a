/* SPDX-License-Identifier: Apache-2.0 */
#include "model/dtab.h"

#include "model/name_parser.h"
#include "model/name_show.h"

enum { MOST_PAIRS = 1000000 }; /* of entries that are compared */

int dtab_parse(struct slice text, struct arena *arena, struct dtab *dtab, struct slice *why, uint32_t *why_offset)
{
	struct name_parser parser = { .text = text, .arena = arena };
	int e = name_parser_dtab(&parser, dtab);
	if (!e)
		e = name_parser_end(&parser);
	if (e) {
		*why = parser.why;
		if (why_offset)
			*why_offset = (uint32_t)parser.at;
	}
	return e;
}

struct slice dtab_show(struct arena *arena, const struct dtab *dtab)
{
	struct name_show out = { 0 };
	name_show_dtab(&out, dtab);
	char *at = arena_get(arena, out.length);
	if (!at)
		return (struct slice){ 0 };
	out = (struct name_show){ .at = at };
	name_show_dtab(&out, dtab);
	return slice_make(at, out.length);
}

void dtab_show_text(struct text *text, const struct dtab *dtab)
{
	struct name_show out = { .text = text };
	name_show_dtab(&out, dtab);
}

void dentry_show_prefix(struct text *text, const struct dentry *dentry)
{
	struct name_show out = { .text = text };
	name_show_prefix(&out, dentry);
}

void dentry_show_tree(struct text *text, const struct dentry *dentry)
{
	struct name_show out = { .text = text };
	name_show_tree(&out, dentry->tree);
}

static bool dentry_equal(const struct dentry *a, const struct dentry *b)
{
	return path_equal(a->prefix, b->prefix) && name_tree_equal(a->tree, b->tree);
}

bool dtab_equal(const struct dtab *a, const struct dtab *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (!dentry_equal(&a->entries[i], &b->entries[i]))
			return false;
	}
	return true;
}

int dtab_parse_edited(struct slice text, const struct dtab *base, struct arena *arena, struct dtab *dtab, struct slice *why)
{
	uint32_t next = 0, left = MOST_PAIRS;
	struct dentry *entries;
	int e = dtab_parse(text, arena, dtab, why, NULL);

	if (e || dtab->count == 0)
		return e;
	entries = arena_get(arena, dtab->count * sizeof *entries);
	if (!entries) {
		*why = SLICE("out of memory");
		return ERROR_NO_MEMORY;
	}
	memcpy(entries, dtab->entries, dtab->count * sizeof *entries);
	dtab->entries = entries;
	/* Most are where they were: each is looked for from behind the one before it on, and round. */
	for (uint32_t i = 0; i < dtab->count; i++) {
		for (uint32_t j = 0; j < base->count && left; j++, left--) {
			uint32_t at = (next + j) % base->count;

			if (!dentry_equal(&entries[i], &base->entries[at]))
				continue;
			entries[i].line = base->entries[at].line;
			next = at + 1;
			break;
		}
	}
	return 0;
}

int dtab_concat(struct arena *arena, const struct dtab *first, const struct dtab *second, struct dtab *both)
{
	struct dentry *entries = arena_get(arena, ((size_t)first->count + second->count) * sizeof *entries);
	if (!entries)
		return ERROR_NO_MEMORY;
	if (first->count)
		memcpy(entries, first->entries, first->count * sizeof *entries);
	if (second->count)
		memcpy(entries + first->count, second->entries, second->count * sizeof *entries);
	*both = (struct dtab){ entries, first->count + second->count };
	return 0;
}

static int copy_tree(struct arena *arena, const struct name_tree *tree, const struct name_tree **copy)
{
	struct name_tree *node = arena_get(arena, sizeof *node);
	struct name_branch *list = arena_get(arena, tree->count * sizeof *list);
	if (!node || !list)
		return ERROR_NO_MEMORY;
	*node = (struct name_tree){ .kind = tree->kind, .count = tree->count, .branches = list };
	*copy = node;
	for (uint32_t i = 0; i < tree->count; i++) {
		list[i].weight = tree->branches[i].weight;
		int e = copy_tree(arena, tree->branches[i].tree, &list[i].tree);
		if (e)
			return e;
	}
	return path_copy(arena, tree->path, &node->path);
}

int dtab_copy(struct arena *arena, const struct dtab *dtab, struct dtab *copy)
{
	struct dentry *entries = arena_get(arena, dtab->count * sizeof *entries);
	if (!entries)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < dtab->count; i++) {
		entries[i].offset = dtab->entries[i].offset;
		entries[i].line = dtab->entries[i].line;
		int e = path_copy(arena, dtab->entries[i].prefix, &entries[i].prefix);
		if (!e)
			e = copy_tree(arena, dtab->entries[i].tree, &entries[i].tree);
		if (e)
			return e;
	}
	*copy = (struct dtab){ entries, dtab->count };
	return 0;
}

bool dentry_matches(const struct dentry *dentry, struct path path)
{
	struct path prefix = dentry->prefix;
	if (path.count < prefix.count)
		return false;
	for (uint32_t i = 0; i < prefix.count; i++) {
		if (prefix.segments[i].length && !slice_equal(prefix.segments[i], path.segments[i]))
			return false;
	}
	return true;
}

const struct dentry *dtab_next(const struct dtab *dtab, struct path path, uint32_t *cursor)
{
	while (*cursor > 0) {
		const struct dentry *dentry = &dtab->entries[--*cursor];
		if (dentry_matches(dentry, path))
			return dentry;
	}
	return NULL;
}

int dtab_lookup(const struct dtab *dtab, struct path path, struct arena *arena, const struct name_tree **tree)
{
	uint32_t cursor = dtab->count, count = 0;
	while (dtab_next(dtab, path, &cursor))
		count++;
	struct name_branch *list = arena_get(arena, count * sizeof *list);
	if (!list)
		return ERROR_NO_MEMORY;
	cursor = dtab->count;
	for (uint32_t i = 0; i < count; i++) {
		const struct dentry *dentry = dtab_next(dtab, path, &cursor);
		list[i].weight = 1;
		int e = name_tree_extend(arena, dentry->tree, path_from(path, dentry->prefix.count), dentry, &list[i].tree);
		if (e)
			return e;
	}
	return name_tree_join(arena, NAME_TREE_ALT, list, count, tree);
}

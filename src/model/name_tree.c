/* SPDX-License-Identifier: Apache-2.0 */
#include "model/name_tree.h"

#include "model/name_parser.h"
#include "model/name_show.h"

const struct name_tree name_tree_neg = { .kind = NAME_TREE_NEG };
const struct name_tree name_tree_fail = { .kind = NAME_TREE_FAIL };
const struct name_tree name_tree_empty = { .kind = NAME_TREE_EMPTY };

int name_tree_parse(struct slice text, struct arena *arena, const struct name_tree **tree, struct slice *why)
{
	struct name_parser parser = { .text = text, .arena = arena };
	int e = name_parser_tree(&parser, tree);
	if (!e)
		e = name_parser_end(&parser);
	if (e)
		*why = parser.why;
	return e;
}

struct slice name_tree_show(struct arena *arena, const struct name_tree *tree)
{
	struct name_show out = { 0 };
	name_show_tree(&out, tree);
	char *at = arena_get(arena, out.length);
	if (!at)
		return (struct slice){ 0 };
	out = (struct name_show){ .at = at };
	name_show_tree(&out, tree);
	return slice_make(at, out.length);
}

void name_tree_show_text(struct text *text, const struct name_tree *tree)
{
	struct name_show out = { .text = text };
	name_show_tree(&out, tree);
}

bool name_tree_equal(const struct name_tree *a, const struct name_tree *b)
{
	if (a->kind != b->kind || a->count != b->count)
		return false;
	if (a->kind == NAME_TREE_LEAF)
		return path_equal(a->path, b->path);
	for (uint32_t i = 0; i < a->count; i++) {
		if (a->branches[i].weight != b->branches[i].weight || !name_tree_equal(a->branches[i].tree, b->branches[i].tree))
			return false;
	}
	return true;
}

int name_tree_leaf(struct arena *arena, struct path path, const struct name_tree **tree)
{
	struct name_tree *leaf = arena_get(arena, sizeof *leaf);
	if (!leaf)
		return ERROR_NO_MEMORY;
	*leaf = (struct name_tree){ .kind = NAME_TREE_LEAF, .path = path };
	*tree = leaf;
	return 0;
}

int name_tree_join(
	struct arena *arena, enum name_tree_kind kind, const struct name_branch *branches, uint32_t count, const struct name_tree **tree)
{
	if (count < 2) {
		*tree = count ? branches[0].tree : &name_tree_neg;
		return 0;
	}
	struct name_branch *list = arena_get(arena, count * sizeof *list);
	struct name_tree *node = arena_get(arena, sizeof *node);
	if (!list || !node)
		return ERROR_NO_MEMORY;
	memcpy(list, branches, count * sizeof *list);
	*node = (struct name_tree){ .kind = kind, .count = count, .branches = list };
	*tree = node;
	return 0;
}

int name_tree_extend(struct arena *arena, const struct name_tree *tree, struct path suffix, const struct dentry *dentry,
	const struct name_tree **extended)
{
	struct name_tree *node = arena_get(arena, sizeof *node);
	if (!node)
		return ERROR_NO_MEMORY;
	*node = *tree;
	node->dentry = dentry;
	*extended = node;
	if (tree->kind == NAME_TREE_LEAF && suffix.count)
		return path_concat(arena, tree->path, suffix, &node->path);
	if (!tree->count)
		return 0;
	struct name_branch *list = arena_get(arena, tree->count * sizeof *list);
	if (!list)
		return ERROR_NO_MEMORY;
	node->branches = list;
	for (uint32_t i = 0; i < tree->count; i++) {
		list[i].weight = tree->branches[i].weight;
		int e = name_tree_extend(arena, tree->branches[i].tree, suffix, dentry, &list[i].tree);
		if (e)
			return e;
	}
	return 0;
}

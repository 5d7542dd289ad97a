/* SPDX-License-Identifier: Apache-2.0 */
/* model/name_tree.h: what a name stands for, as written on the right side of a dtab entry.
 *
 *	/a | /b        alternatives: the first that is bound
 *	3 * /a & /b    union: weighted shares (default weight 1); binds tighter than |
 *	~  !  $        negative (try the next alternative), fail (stop), empty (bound to nothing)
 *
 * Trees are immutable and live in the arena that they were made in. Any thread.
 *
 *	const struct name_tree *tree;
 *	struct slice why;
 *	int e = name_tree_parse(slice_of("/a | 3 * /b & /c"), &arena, &tree, &why);
 *	struct slice shown = name_tree_show(&arena, tree);    // parses to an equal tree again
 */
#ifndef MODEL_NAME_TREE_H
#define MODEL_NAME_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/path.h"

struct dentry;

enum name_tree_kind {
	NAME_TREE_LEAF,
	NAME_TREE_ALT,
	NAME_TREE_UNION,
	NAME_TREE_NEG,
	NAME_TREE_FAIL,
	NAME_TREE_EMPTY,
};

struct name_branch {
	double weight; /* of unions; 1 in alternations */
	const struct name_tree *tree;
};

struct name_tree {
	enum name_tree_kind kind;
	uint32_t count;                     /* alt, union: how many branches, at least 2 */
	const struct name_branch *branches; /* alt, union */
	struct path path;                   /* leaf */
	const struct dentry *dentry;        /* in the answer of dtab_lookup: the entry that gave this node; else NULL */
};

extern const struct name_tree name_tree_neg, name_tree_fail, name_tree_empty;

/* ERROR_SYNTAX with *why ("simple expected but ')' found at '(/a | [)]'"), ERROR_LIMIT: nested deeper than 100. */
MUST_CHECK int name_tree_parse(struct slice text, struct arena *arena, const struct name_tree **tree, struct slice *why);
/* With the fewest parentheses that parse to an equal tree. {NULL, 0}: no room. */
struct slice name_tree_show(struct arena *arena, const struct name_tree *tree);
void name_tree_show_text(struct text *out, const struct name_tree *tree);
bool name_tree_equal(const struct name_tree *a, const struct name_tree *b);

MUST_CHECK int name_tree_leaf(struct arena *arena, struct path path, const struct name_tree **tree);
/* Alternatives or a union of `count` branches (copied); of one: that branch itself; of none: neg. */
MUST_CHECK int name_tree_join(
	struct arena *arena, enum name_tree_kind kind, const struct name_branch *branches, uint32_t count, const struct name_tree **tree);
/* The same tree with `suffix` appended to each leaf and `dentry` noted in each node. */
MUST_CHECK int name_tree_extend(struct arena *arena, const struct name_tree *tree, struct path suffix, const struct dentry *dentry,
	const struct name_tree **extended);

#endif

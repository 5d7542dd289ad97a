/* SPDX-License-Identifier: Apache-2.0 */
/* model/dtab.h: delegation tables: rules that rewrite a prefix of a name into a tree of names.
 *
 *	/srv => /#/io.l5d.fs;
 *	/svc/ * => /srv | ~;       # (without the blank) `*` stands for exactly one segment; empty entries are fine
 *
 * Looking a name up is pure: no namer is asked, nothing recurses. A dtab and its entries live in the arena that they
 * were parsed into and are never changed. Any thread.
 *
 *	struct dtab base, local, all;
 *	if (dtab_parse(text, &arena, &base, &why)) ...
 *	dtab_concat(&arena, &base, &local, &all);            // local entries are later, so they win
 *	dtab_lookup(&all, path, &arena, &tree);              // later entries first: alternatives; neg when none matches
 *
 * Given "/a => /x; /a => /y", the lookup of /a/b is "/y/b | /x/b".
 */
#ifndef MODEL_DTAB_H
#define MODEL_DTAB_H

#include "model/name_tree.h"
#include "model/path.h"

/* A prefix is a path in which an empty segment stands for `*`. */
struct dentry {
	struct path prefix;
	const struct name_tree *tree;
	uint32_t offset; /* where it began in the text that it was parsed from, in bytes */
	uint32_t line;   /* of the configuration's file, set by who read it; 0: from elsewhere, a request's own */
};

struct dtab {
	const struct dentry *entries;
	uint32_t count;
};

/* ERROR_SYNTAX with *why, and *why_offset (may be NULL) is the byte that was not understood; ERROR_LIMIT: a tree
 * nested deeper than 100. Segments point into `text`, which must live as long as the dtab. */
MUST_CHECK int dtab_parse(struct slice text, struct arena *arena, struct dtab *dtab, struct slice *why, uint32_t *why_offset);
/* The same of what somebody made of `base` by editing it: entries that base has too get base's lines. Looks for at most a million pairs:
 * of two large dtabs that have little in common, not all lines are found. */
MUST_CHECK int dtab_parse_edited(struct slice text, const struct dtab *base, struct arena *arena, struct dtab *dtab, struct slice *why);
/* "/a=>/b;/c=>/d": the form of the l5d-ctx-dtab header. Empty for no entries. {NULL, 0}: no room. */
struct slice dtab_show(struct arena *arena, const struct dtab *dtab);
void dtab_show_text(struct text *out, const struct dtab *dtab);
/* The two sides of an entry, e.g. "/svc/ *" (without the blank) and "/srv | ~". */
void dentry_show_prefix(struct text *out, const struct dentry *dentry);
void dentry_show_tree(struct text *out, const struct dentry *dentry);
bool dtab_equal(const struct dtab *a, const struct dtab *b);

/* first ++ second; the entries are copied, what they point at is shared. */
MUST_CHECK int dtab_concat(struct arena *arena, const struct dtab *first, const struct dtab *second, struct dtab *both);
/* A copy that shares nothing with the original nor its text. */
MUST_CHECK int dtab_copy(struct arena *arena, const struct dtab *dtab, struct dtab *copy);

bool dentry_matches(const struct dentry *dentry, struct path path);
/* The entries that match, later ones first: start with *cursor = dtab->count; NULL at the end. For explaining. */
const struct dentry *dtab_next(const struct dtab *dtab, struct path path, uint32_t *cursor);
/* What `path` stands for: every matching entry's tree with the rest of the path appended to each leaf, later entries
 * first. name_tree_neg when none matches. Leaves point into the dtab's and the path's bytes. */
MUST_CHECK int dtab_lookup(const struct dtab *dtab, struct path path, struct arena *arena, const struct name_tree **tree);

#endif

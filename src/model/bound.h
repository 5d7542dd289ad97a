/* SPDX-License-Identifier: Apache-2.0 */
/* model/bound.h: a destination: what a logical name is bound to, as a small tree.
 *
 * A tree is built on the control thread by one builder, is immutable from then on, and is counted with an atomic, so
 * that workers can hold it for as long as an exchange needs it. A leaf is one client: its id (with the transformers'
 * prefixes), the residual path, and the endpoints of the moment when the tree was made; later endpoints are published
 * alone, under the leaf's id, with a higher version.
 *
 *	struct bound *tree = bound_new();
 *	struct bound_node *alt = bound_branches(tree, BOUND_ALT, 2);
 *	alt->branches[0].node = bound_leaf(tree, id, residual, endpoints);
 *	alt->branches[1].node = bound_state(tree, BOUND_NEG);
 *	bound_finish(tree, alt);                  // from here on nobody changes it
 *	const struct bound_node *chosen = bound_choose(tree->root);
 *	bound_unref(tree);
 *
 * Binding ends at name level: a leaf whose endpoints are empty or neg is still bound, and no alternative is tried for
 * it.
 */
#ifndef MODEL_BOUND_H
#define MODEL_BOUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/endpoints.h"
#include "model/path.h"

enum bound_kind {
	BOUND_LEAF,
	BOUND_ALT,
	BOUND_UNION,
	BOUND_NEG,
	BOUND_FAIL,
	BOUND_EMPTY,
	BOUND_PENDING, /* not known yet: parks the exchange; never chosen */
	BOUND_ERROR,   /* an exception: see message */
};

struct bound_node;

struct bound_branch {
	double weight; /* of unions; 1 in alternations */
	const struct bound_node *node;
};

struct bound_node {
	enum bound_kind kind;
	uint16_t status;               /* leaf, set by who builds it: not 0: answers this HTTP status, calls nobody */
	uint32_t count;                /* alt, union */
	struct bound_branch *branches; /* alt, union: filled by who builds it */
	struct path id;                /* leaf: /%/io.l5d.port/4141/#/io.l5d.fs/hello */
	struct slice id_text;          /* leaf: its showing, the key of the client */
	struct path residual;          /* leaf */
	struct slice residual_text;    /* leaf: its showing, empty for none */
	struct endpoints *endpoints;   /* leaf: a reference that the tree holds */
	struct slice message;          /* error: why */
	struct bound_node *next_leaf;  /* the tree's list of its leaves */
};

struct bound {
	uint32_t magic;
	atomic_uint references;
	const struct bound_node *root;
	struct bound_node *leaves; /* all that were made, the newest first (next_leaf), in the tree or not */
	uint64_t version;          /* the maker's; rises with every tree that is published under one name */
	struct arena arena;
};

/* One reference, root NULL until bound_finish. */
struct bound *bound_new(void);
struct bound *bound_ref(struct bound *bound);
void bound_unref(struct bound *bound); /* NULL is allowed */

/* Paths and texts are copied; the tree takes a reference of its own on `endpoints` (NULL: a pending set is made). */
struct bound_node *bound_leaf(struct bound *bound, struct path id, struct path residual, struct endpoints *endpoints);
/* BOUND_ALT or BOUND_UNION with `count` branches to be filled in, weights 1. */
struct bound_node *bound_branches(struct bound *bound, enum bound_kind kind, uint32_t count);
/* BOUND_NEG, _FAIL, _EMPTY, _PENDING. */
struct bound_node *bound_state(struct bound *bound, enum bound_kind kind);
struct bound_node *bound_error(struct bound *bound, struct slice message);
/* Sets the root, simplified: alternatives that are neg are dropped, and so are those behind a `fail`; branches of
 * unions that are neg or fail are dropped and the weights of the others made a sum of 1; what has one branch left
 * becomes it, what has none becomes neg. Once only. */
void bound_finish(struct bound *bound, struct bound_node *root);

/* The rule "first bound": what a node comes to when alternatives that are neg are passed over; everything else ends
 * the search (so a fail, empty, pending or error is chosen when it is met). A union whose branches are all neg or
 * fail is neg. Never an alternation; those inside unions remain, choose again after picking a branch. Any thread, on
 * finished and unfinished trees. */
const struct bound_node *bound_choose(const struct bound_node *node);
/* The same shape, ids, residuals and weights; endpoints are not compared. */
bool bound_equal(const struct bound_node *a, const struct bound_node *b);
/* As a name tree of client ids, residuals in brackets: "/#/io.l5d.fs/web[/rest] | ~"; for logs and tests. */
void bound_show_text(struct text *out, const struct bound_node *node);

#endif

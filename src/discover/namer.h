/* SPDX-License-Identifier: Apache-2.0 */
/* discover/namer.h: what every namer is: something that says, live, what the names below its prefix stand for.
 *
 * A namer is asked for a path below its prefix and gives a watch: an answer that changes with the world until the
 * watch is cancelled. A namer holds only what its watches need (directory watches, DNS questions) and lets go of it
 * when the last watch that needs it is cancelled. Control thread; `changed` comes from the loop only, never from
 * inside a call made to a namer, and it may look up and cancel whatever it likes, this watch included.
 *
 *	struct namer *fs;
 *	if (fs_new(&(struct fs_options){ .discover = { loop, resolver }, .root = "disco", .prefix = prefix }, &fs)) ...
 *	struct namer_watch *w = namer_lookup(fs, path_from(name, fs->prefix.count), changed, owner);
 *	switch (namer_answer(w)->state) ...       // NAMER_PENDING until it is known; then `changed` is called
 *	namer_cancel(w);
 *	namer_free(fs);                           // all watches must be cancelled
 *
 * What the states mean to who binds a name:
 *	NAMER_PENDING  wait for `changed` (until bindingTimeoutMs)
 *	NAMER_NEG      ask an earlier namer with the same prefix; without one the name is neg
 *	NAMER_LEAF     bound: id, residual, endpoints (which may themselves be pending, neg or failed: still bound)
 *	NAMER_TREE     rewritten: go on with each leaf of the tree as a name (`!` and `$` come as such trees)
 *	NAMER_FAILED   an exception: the name can't be bound; see message
 */
#ifndef DISCOVER_NAMER_H
#define DISCOVER_NAMER_H

#include <stdbool.h>

#include "base/list.h"
#include "model/endpoints.h"
#include "model/name_tree.h"
#include "model/path.h"

struct loop;
struct resolver;

/* What namers work with. */
struct discover {
	struct loop *loop;
	struct resolver *resolver; /* for names of hosts; NULL: only IP literals are understood */
};

enum namer_state {
	NAMER_PENDING,
	NAMER_NEG,
	NAMER_LEAF,
	NAMER_TREE,
	NAMER_FAILED,
};

/* Everything in it belongs to the watch and is valid until the callback or task in which it was asked for returns to
 * the loop, or the watch is cancelled; take a reference on `endpoints` to keep them, copy the rest. */
struct namer_answer {
	enum namer_state state;
	uint16_t status;              /* leaf: not 0: io.buoyant.http.status, answers this; endpoints are bound and none */
	struct path id;               /* leaf: with the namer's prefix, e.g. /#/io.l5d.fs/hello */
	struct path residual;         /* leaf: what the namer did not consume */
	struct endpoints *endpoints;  /* leaf: the newest set; versions rise over all sets of a namer */
	const struct name_tree *tree; /* tree */
	struct slice message;         /* failed */
};

struct namer;

/* The part of a watch that all namers share; namers embed it. */
struct namer_watch {
	struct namer *namer;
	void (*changed)(void *owner);
	void *owner;
	struct namer_answer answer;
};

struct namer_ops {
	const char *kind; /* "io.l5d.fs" */
	struct namer_watch *(*lookup)(struct namer *namer, struct path below, void (*changed)(void *owner), void *owner);
	void (*cancel)(struct namer_watch *watch);
	void (*free)(struct namer *namer);
};

struct namer {
	const struct namer_ops *ops;
	struct path prefix; /* of its own: "/#/io.l5d.fs", or "/$" */
};

/* `below` is copied; it is what follows the namer's prefix. Never fails: what can't be answered is NAMER_FAILED. */
struct namer_watch *namer_lookup(struct namer *namer, struct path below, void (*changed)(void *owner), void *owner);
const struct namer_answer *namer_answer(const struct namer_watch *watch);
void namer_cancel(struct namer_watch *watch); /* NULL is allowed */
void namer_free(struct namer *namer);

/* The namers of a configuration, in the order in which they are asked: what was added later first, `/$` among them. */
struct namers {
	struct namer **list;
	uint32_t count;
};

void namers_add(struct namers *namers, struct namer *namer); /* takes the namer */
/* The namers whose prefix `path` starts with: start with *cursor = namers->count; NULL at the end. A namer that answers
 * NAMER_NEG passes the name on to the next one. */
struct namer *namers_next(const struct namers *namers, struct path path, uint32_t *cursor);
void namers_free(struct namers *namers); /* and all in it */

#endif

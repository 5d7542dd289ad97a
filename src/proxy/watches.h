/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/watches.h: questions to the namers that stay asked: for one name, all that its evaluation has asked for, what transformers have to
 * know included. Control thread.
 *
 * Names are watched together, and let go together. The `changed` of a set comes from the loop when any answer has changed;
 * its owner then asks anew, and what it asks no more is let go.
 *
 *	watches_init(&watches, sources, changed, owner);
 *	watches_begin(&watches);
 *	e = watches_ask(&watches, router_index, path, &arena, &found);       // any number of paths
 *	found_fini(&found);
 *	watches_end(&watches);
 *	watches_fini(&watches);
 */
#ifndef PROXY_WATCHES_H
#define PROXY_WATCHES_H

#include "base/map.h"
#include "proxy/sources.h"

struct watches {
	struct sources *sources;
	struct map map; /* by namer and path */
	void (*changed)(void *owner);
	void *owner;
};

void watches_init(struct watches *watches, struct sources *sources, void (*changed)(void *owner), void *owner);
void watches_fini(struct watches *watches);
/* Before and after an evaluation: what was not asked for between the two is let go. */
void watches_begin(struct watches *watches);
void watches_end(struct watches *watches);

/* The present answer of the first namer for a path that is not neg. */
struct found {
	const struct namer_answer *answer; /* NULL: all are neg, or there is none; lives until watches_end */
	struct path id;                    /* of a leaf, behind all transformers; in the arena */
	struct endpoints *endpoints;       /* counted; NULL unless a leaf */
	struct path before;                /* the id before the router's transformers */
	struct endpoints *found;           /* counted; the endpoints before them */
};
/* ERROR_NO_MEMORY. */
MUST_CHECK int watches_ask(struct watches *watches, unsigned router_index, struct path path, struct arena *arena, struct found *found);
void found_fini(struct found *found);

#endif

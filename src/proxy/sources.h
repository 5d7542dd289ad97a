/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/sources.h: where a snapshot's names end: its namers (discover/) with their transformers, and its routers' transformers. Control
 * thread.
 *
 *	e = sources_new(&options, snapshot, &sources, &why);
 *	for (uint32_t cursor = sources_begin(sources); (namer = sources_next(sources, path, &cursor));)
 *		... namer_lookup(namer, ...) ... sources_of_namer(sources, cursor) ...
 *	sources_free(sources);                  // every lookup was cancelled
 */
#ifndef PROXY_SOURCES_H
#define PROXY_SOURCES_H

#include "base/text.h"
#include "discover/namer.h"
#include "model/snapshot.h"

struct k8s_clusters;
struct loop;
struct network;
struct resolver;
struct sources;

struct source_options {
	struct loop *loop;
	struct network *network;
	struct resolver *resolver; /* may be NULL */
	struct k8s_clusters *clusters;
};

/* ERROR_INVALID and what namers answer, with *why. */
MUST_CHECK int sources_new(
	const struct source_options *options, const struct snapshot *snapshot, struct sources **sources, struct text *why);
void sources_free(struct sources *sources);

/* The namers for `path`, the one to be asked first first; NULL: no more. *cursor then says which one it is. */
uint32_t sources_begin(const struct sources *sources);
struct namer *sources_next(const struct sources *sources, struct path path, uint32_t *cursor);

/* One that takes part, and what it has to know besides. */
struct source_transformer {
	struct transformer *transformer;
	struct namer *namer; /* which says what `gateways` of transformer_apply are; NULL: it needs none */
	struct path below;   /* what that one is asked for */
	uint32_t asked_as;   /* a number like a cursor, that no namer has */
};

struct source_transformers {
	struct source_transformer *list; /* applied in this order */
	unsigned count;
};

/* Those of the namer at `cursor`, and those of a router. */
const struct source_transformers *sources_of_namer(const struct sources *sources, uint32_t cursor);
const struct source_transformers *sources_of_router(const struct sources *sources, unsigned router_index);

#endif

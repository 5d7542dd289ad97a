/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/sources.h: where a snapshot's names end: its namers (discover/) with their transformers, and its routers' transformers. Control
 * thread.
 *
 *	e = sources_new(&options, snapshot, &sources, &why);
 *	for (uint32_t cursor = sources_begin(sources); (namer = sources_next(sources, path, &cursor));)
 *		... namer_lookup(namer, ...) ... sources_transform_found(sources, cursor, &arena, &id, &endpoints);
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

/* The transformers of the namer at `cursor`, and those of a router: *id gets longer (in the arena), *endpoints, a reference, is replaced.
 * ERROR_NO_MEMORY. */
MUST_CHECK int sources_transform_found(
	const struct sources *sources, uint32_t cursor, struct arena *arena, struct path *id, struct endpoints **endpoints);
MUST_CHECK int sources_transform_routed(
	const struct sources *sources, unsigned router_index, struct arena *arena, struct path *id, struct endpoints **endpoints);

#endif

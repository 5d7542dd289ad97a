/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/finder.h: asks Kubernetes' API which pods there are, again and again as one likes. Main thread, one loop.
 *
 * Lists come in chunks, so that neither the API server nor who asks holds a large cluster's at once; what has changed meanwhile may make the API
 * server begin anew.
 *
 *	finder_new(loop, resolver, access, SLICE("/api/v1/pods"), sessions, &finder, &why);
 *	finder_find(finder, found, owner);      // found(owner, list), from the loop: for each chunk, until list->last
 */
#ifndef CLI_SEE_FINDER_H
#define CLI_SEE_FINDER_H

#include "base/error.h"
#include "base/text.h"

struct access;
struct document_node;
struct finder;
struct k8s_api;
struct loop;
struct resolver;

/* All only during the call. */
struct found_list {
	const struct document_node *items; /* pods; NULL: the list could not be had, or not to its end */
	bool first, last;                  /* first: what came before doesn't count */
	const char *why;                   /* of items NULL */
};

typedef void finder_found(void *owner, const struct found_list *list);

/* `target`: the path of the list, copied. `sessions`: how many calls to the API there may be at a time, also by others who use its finder_api. */
MUST_CHECK int finder_new(struct loop *loop, struct resolver *resolver, const struct access *access, struct slice target, unsigned sessions,
	struct finder **finder, struct text *why);
void finder_free(struct finder *finder); /* NULL is allowed; nothing is told any more */
struct k8s_api *finder_api(struct finder *finder);
const char *finder_server(const struct finder *finder);
/* Not while a list is still coming. */
void finder_find(struct finder *finder, finder_found *found, void *owner);

#endif

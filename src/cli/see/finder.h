/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/finder.h: asks Kubernetes' API which pods there are, again and again as one likes. Main thread, one loop.
 *
 *	finder_new(loop, resolver, access, SLICE("/api/v1/pods"), sessions, &finder, &why);
 *	finder_find(finder, found, owner);      // found(owner, pods, why), once, from the loop
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

/* `pods`: what a list has as its items; NULL: it could not be had, `why` says why. Both only during the call. */
typedef void finder_found(void *owner, const struct document_node *pods, const char *why);

/* `target`: the path of the list, copied. `sessions`: how many calls to the API there may be at a time, also by others who use its finder_api. */
MUST_CHECK int finder_new(struct loop *loop, struct resolver *resolver, const struct access *access, struct slice target, unsigned sessions,
	struct finder **finder, struct text *why);
void finder_free(struct finder *finder); /* NULL is allowed; before anything was asked */
struct k8s_api *finder_api(struct finder *finder);
const char *finder_server(const struct finder *finder);
void finder_find(struct finder *finder, finder_found *found, void *owner);

#endif

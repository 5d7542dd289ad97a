/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cluster/lists.h: Kubernetes' lists in chunks: `limit` and `continue`, as weft's own discovery asks for them. Pure.
 *
 *	list_chunk(SLICE("/api/v1/pods?labelSelector=app%3Dl5d"), text_slice(&next), &target);     // next empty: the first
 *	list_next(document_root(answer.document), &next);                                          // empty: it was the last
 */
#ifndef CLI_CLUSTER_LISTS_H
#define CLI_CLUSTER_LISTS_H

#include "base/text.h"

struct document_node;

/* Both add to their last argument. */
void list_chunk(struct slice list, struct slice next, struct text *target);
void list_next(const struct document_node *chunk, struct text *next);

#endif

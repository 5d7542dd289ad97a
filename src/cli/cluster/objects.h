/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cluster/objects.h: Kubernetes' objects as JSON trees: what is at a path, and what a pod is. Pure; slices are the document's.
 *
 *	uint64_t ready = object_number(document_root(answer.document), "status/numberReady");
 *	const struct document_node *items = object_find(document_root(answer.document), "items");
 *	for (unsigned i = 0; i < object_count(items); i++) use(object_text(items->items[i], "metadata/name"));
 */
#ifndef CLI_CLUSTER_OBJECTS_H
#define CLI_CLUSTER_OBJECTS_H

#include "base/text.h"
#include "doc/document.h"

/* Names with slashes between; NULL: there is no such. */
const struct document_node *object_find(const struct document_node *node, const char *path);
struct slice object_text(const struct document_node *node, const char *path); /* empty: none */
uint64_t object_number(const struct document_node *node, const char *path);   /* 0: none */
unsigned object_count(const struct document_node *node);                      /* of a sequence; NULL, and all else: 0 */

bool object_pod_is_ready(const struct document_node *pod);
/* Why it isn't, as kubelet says. */
void object_pod_reason(const struct document_node *pod, struct text *out);

/* What an answer that is an error says: the message of a Status, or what came instead; cut, and on one line. */
void object_tell_error(const struct document *document, struct slice body, struct text *out);

#endif

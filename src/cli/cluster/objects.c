/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster/objects.h"

enum { MOST_TOLD = 300 };

const struct document_node *object_find(const struct document_node *node, const char *path)
{
	struct slice rest = slice_of(path), step;

	while (node && slice_split(&rest, '/', &step)) {
		const struct document_entry *entry = node->kind == DOCUMENT_MAPPING ? document_find(node, step) : NULL;

		node = entry ? entry->value : NULL;
	}
	return node;
}

struct slice object_text(const struct document_node *node, const char *path)
{
	const struct document_node *found = object_find(node, path);

	return found && found->kind == DOCUMENT_SCALAR ? found->text : SLICE("");
}

uint64_t object_number(const struct document_node *node, const char *path)
{
	uint64_t number = 0;

	return slice_to_u64(object_text(node, path), INT32_MAX, &number) ? 0 : number;
}

unsigned object_count(const struct document_node *node)
{
	return node && node->kind == DOCUMENT_SEQUENCE ? node->count : 0;
}

bool object_pod_is_ready(const struct document_node *pod)
{
	const struct document_node *conditions = object_find(pod, "status/conditions");

	for (unsigned i = 0; i < object_count(conditions); i++)
		if (slice_equal(object_text(conditions->items[i], "type"), SLICE("Ready")))
			return slice_equal(object_text(conditions->items[i], "status"), SLICE("True"));
	return false;
}

void object_pod_reason(const struct document_node *pod, struct text *out)
{
	const struct document_node *statuses = object_find(pod, "status/containerStatuses");
	struct slice reason = object_count(statuses) ? object_text(statuses->items[0], "state/waiting/reason") : SLICE("");

	if (!reason.length && object_count(statuses))
		reason = object_text(statuses->items[0], "lastState/terminated/reason");
	if (!reason.length)
		reason = object_text(pod, "status/phase");
	text_append(out, reason);
}

void object_tell_error(const struct document *document, struct slice body, struct text *out)
{
	struct slice said = document ? object_text(document_root(document), "message") : SLICE("");

	said = slice_trim(said.length ? said : body);
	if (said.length > MOST_TOLD)
		said.length = MOST_TOLD;
	text_append(out, said);
	text_join_lines(out);
}

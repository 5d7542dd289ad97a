/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster/lists.h"

#include "cli/cluster/objects.h"
#include "discover/k8s_reflector.h"

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

void list_chunk(struct slice list, struct slice next, struct text *target)
{
	bool question = slice_find(list, '?') < list.length;

	text_format(target, "%.*s%climit=%d", SLICE_ARGS(list), question ? '&' : '?', K8S_CHUNK);
	if (!next.length)
		return;
	text_append(target, SLICE("&continue="));
	for (size_t i = 0; i < next.length; i++)
		if (is_plain(next.at[i]))
			text_append(target, slice_make(&next.at[i], 1));
		else
			text_format(target, "%%%02X", (unsigned char)next.at[i]);
}

void list_next(const struct document_node *chunk, struct text *next)
{
	text_append(next, object_text(chunk, "metadata/continue"));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_ports.h"

#include "base/text.h"
#include "discover/k8s_packed.h"
#include "doc/document.h"

static bool read_service(const struct document_node *object, struct slice label, struct text *group, struct text *packed)
{
	const struct document_node *metadata = document_get(object, "metadata");
	struct slice namespace, name;

	(void)label;
	if (!document_read_text(document_get(metadata, "namespace"), &namespace, NULL) ||
		!document_read_text(document_get(metadata, "name"), &name, NULL))
		return false;
	text_append(group, namespace);
	text_append(group, SLICE("/"));
	text_append(group, name);
	k8s_packed_put_ports(packed, document_get(document_get(object, "spec"), "ports"));
	return true;
}

const struct k8s_table_kind k8s_ports_kind = { .path = "/api/v1/services", .read = read_service };

bool k8s_ports_name(const struct k8s_table_watch *watch, uint16_t number, struct slice *name)
{
	struct k8s_row *row = k8s_table_first(watch); /* names are unique */
	struct slice rest = row ? row->packed : SLICE("");

	return row && k8s_packed_find_number(&rest, number, name);
}

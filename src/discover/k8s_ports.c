/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_ports.h"

#include "base/text.h"
#include "discover/k8s_packed.h"
#include "doc/document.h"

/*	packed: value, ports { u32 number, name }, hosts to the end */

static void put_hosts(struct text *packed, const struct document_node *balancers)
{
	for (uint32_t i = 0; document_expect(balancers, DOCUMENT_SEQUENCE, NULL) && i < balancers->count; i++) {
		struct slice host = SLICE("");

		/* One has a name, or an address. */
		if (!document_read_text(document_get(balancers->items[i], "hostname"), &host, NULL) || !host.length)
			document_read_text(document_get(balancers->items[i], "ip"), &host, NULL);
		if (host.length)
			k8s_packed_put_text(packed, host);
	}
}

static bool read_service(const struct document_node *object, struct slice label, struct text *group, struct text *packed)
{
	const struct document_node *metadata = document_get(object, "metadata");
	const struct document_node *labels = document_get(metadata, "labels"), *status = document_get(object, "status");
	const struct document_entry *entry = label.length && labels ? document_find(labels, label) : NULL;
	struct slice namespace, name, value = SLICE("");

	if (!document_read_text(document_get(metadata, "namespace"), &namespace, NULL) ||
		!document_read_text(document_get(metadata, "name"), &name, NULL))
		return false;
	text_append(group, namespace);
	text_append(group, SLICE("/"));
	text_append(group, name);
	if (entry)
		document_read_text(entry->value, &value, NULL);
	k8s_packed_put_text(packed, value);
	k8s_packed_put_ports(packed, document_get(document_get(object, "spec"), "ports"));
	put_hosts(packed, document_get(document_get(status, "loadBalancer"), "ingress"));
	return true;
}

const struct k8s_table_kind k8s_ports_kind = { .path = "/api/v1/services", .read = read_service };

bool k8s_ports_name(const struct k8s_table_watch *watch, uint16_t number, struct slice *name)
{
	struct k8s_row *row = k8s_table_first(watch); /* names are unique */
	struct slice rest;

	if (!row)
		return false;
	rest = row->packed;
	k8s_packed_text(&rest);
	return k8s_packed_find_number(&rest, number, name);
}

bool k8s_ports_balancers(const struct k8s_table_watch *watch, struct slice port, struct slice value, uint16_t *number, struct slice *hosts)
{
	struct k8s_row *row = k8s_table_first(watch);
	struct slice has, name;
	uint64_t said;

	if (!row)
		return false;
	*hosts = row->packed;
	has = k8s_packed_text(hosts);
	if (k8s_table_label(watch->table).length && !slice_equal(has, value))
		return false;
	if (slice_to_u64(port, UINT16_MAX, &said)) {
		*number = k8s_packed_find_port(hosts, port);
		return *number > 0;
	}
	*number = (uint16_t)said;
	return k8s_packed_find_number(hosts, *number, &name);
}

bool k8s_ports_next_host(struct slice *hosts, struct slice *host)
{
	if (!hosts->length)
		return false;
	*host = k8s_packed_text(hosts);
	return true;
}

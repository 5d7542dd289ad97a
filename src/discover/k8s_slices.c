/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_slices.h"

#include "base/memory.h"
#include "base/text.h"
#include "discover/k8s_packed.h"
#include "discover/k8s_reflector.h"
#include "doc/document.h"
#include "io/address.h"

enum {
	READY = 1 << 0,
	LEAVING = 1 << 1, /* serving, though it terminates */
	UNREADY = 1 << 2,
	HELD = 1 << 3, /* unready since the API was away, before which it was ready */
};

/* What is kept of an endpoint as labels. */
enum {
	NODE,
	ZONE,
	FOR_NODES, /* whom Kubernetes wants it to serve, separated by commas */
	FOR_ZONES,
	LABELS
};

static const char *const keys[LABELS] = {
	[NODE] = "nodeName",
	[ZONE] = "zone",
	[FOR_NODES] = "forNodes",
	[FOR_ZONES] = "forZones",
};

/*	packed: u8 family, value, u32 ports { u32 number, name }, u32 endpoints { u8 flags, ip, text of each label }
 *	where texts are k8s_packed's, and an ip is as long as its family has it */

static unsigned ip_bytes(uint8_t family)
{
	return family == ADDRESS_IP4 ? 4 : 16;
}

/* ---- objects to rows ---- */

static uint8_t family_of(const struct document_node *object)
{
	struct slice type = SLICE("");

	document_read_text(document_get(object, "addressType"), &type, NULL);
	if (slice_equal(type, SLICE("IPv4")))
		return ADDRESS_IP4;
	return slice_equal(type, SLICE("IPv6")) ? ADDRESS_IP6 : ADDRESS_NONE;
}

/* Missing conditions: ready and serving count as true, terminating as false (EndpointConditions of the API's reference). */
static uint8_t flags_of(const struct document_node *endpoint)
{
	const struct document_node *conditions = document_get(endpoint, "conditions");
	bool ready = true, serving = true, terminating = false;

	document_read_bool(document_get(conditions, "ready"), &ready, NULL);
	if (!document_read_bool(document_get(conditions, "serving"), &serving, NULL))
		serving = ready;
	document_read_bool(document_get(conditions, "terminating"), &terminating, NULL);
	if (!ready && !terminating)
		return UNREADY;
	return ready ? READY : serving ? LEAVING : 0;
}

/* "a,b" of [{name: a}, {name: b}]. */
static void pack_names(const struct document_node *list, struct text *packed)
{
	struct text names = { 0 };

	for (uint32_t i = 0; document_expect(list, DOCUMENT_SEQUENCE, NULL) && i < list->count; i++) {
		struct slice name;

		if (document_read_text(document_get(list->items[i], "name"), &name, NULL))
			text_format(&names, "%s%.*s", names.length ? "," : "", SLICE_ARGS(name));
	}
	k8s_packed_put_text(packed, text_slice(&names));
	text_free(&names);
}

static void pack_labels(const struct document_node *endpoint, struct text *packed)
{
	const struct document_node *hints = document_get(endpoint, "hints");
	struct slice node = SLICE(""), zone = SLICE("");

	document_read_text(document_get(endpoint, "nodeName"), &node, NULL);
	document_read_text(document_get(endpoint, "zone"), &zone, NULL);
	k8s_packed_put_text(packed, node);
	k8s_packed_put_text(packed, zone);
	pack_names(document_get(hints, "forNodes"), packed);
	pack_names(document_get(hints, "forZones"), packed);
}

static void pack_endpoint(const struct document_node *endpoint, uint8_t family, struct text *packed, uint32_t *count)
{
	const struct document_node *addresses = document_get(endpoint, "addresses");
	struct slice text;
	struct address address;
	uint8_t flags = flags_of(endpoint);

	if (!flags || !document_expect(addresses, DOCUMENT_SEQUENCE, NULL) || !addresses->count)
		return;
	/* There may be several that mean the same; the first one is to be used. */
	if (!document_read_text(addresses->items[0], &text, NULL) || address_parse(text, 0, &address) || address.family != family)
		return;
	k8s_packed_put_u8(packed, flags);
	text_append(packed, slice_make((const char *)address.ip, ip_bytes(family)));
	pack_labels(endpoint, packed);
	++*count;
}

static bool read_slice(const struct document_node *object, struct slice label, struct text *group, struct text *packed)
{
	const struct document_node *metadata = document_get(object, "metadata"), *labels = document_get(metadata, "labels");
	const struct document_node *endpoints = document_get(object, "endpoints");
	const struct document_entry *entry = label.length && labels ? document_find(labels, label) : NULL;
	struct slice namespace, service, value = SLICE("");
	uint8_t family = family_of(object);
	uint32_t count = 0;
	size_t at;

	if (family == ADDRESS_NONE || !document_read_text(document_get(metadata, "namespace"), &namespace, NULL) ||
		!document_read_text(document_get(labels, "kubernetes.io/service-name"), &service, NULL))
		return false;
	text_append(group, namespace);
	text_append(group, SLICE("/"));
	text_append(group, service);
	if (entry)
		document_read_text(entry->value, &value, NULL);
	k8s_packed_put_u8(packed, family);
	k8s_packed_put_text(packed, value);
	k8s_packed_put_ports(packed, document_get(object, "ports"));
	at = packed->length;
	k8s_packed_put_u32(packed, 0);
	for (uint32_t i = 0; document_expect(endpoints, DOCUMENT_SEQUENCE, NULL) && i < endpoints->count; i++)
		pack_endpoint(endpoints->items[i], family, packed, &count);
	k8s_packed_set_u32(packed, at, count);
	return true;
}

/* ---- rows to endpoints ---- */

/* A row that has the port and, if one is wanted, the value: its endpoints are what `rest` has next. */
struct found {
	struct slice rest;
	uint32_t count;
	uint16_t port;
	uint8_t family;
};

static bool find_port(const struct k8s_row *row, struct slice name, const struct slice *value, struct found *found)
{
	struct slice rest = row->packed;
	uint8_t family = k8s_packed_u8(&rest);
	struct slice has = k8s_packed_text(&rest);
	uint16_t port = k8s_packed_find_port(&rest, name);

	if (!port || (value && !slice_equal(has, *value)))
		return false;
	*found = (struct found){ .port = port, .family = family };
	found->count = k8s_packed_u32(&rest);
	found->rest = rest;
	return true;
}

/* `labels` is room for LABELS, of which it has *count. */
static uint8_t next_endpoint(struct found *found, struct address *address, struct label *labels, uint32_t *count)
{
	uint8_t flags = k8s_packed_u8(&found->rest);
	unsigned length = ip_bytes(found->family);

	*address = (struct address){ .family = found->family, .port = found->port };
	memcpy(address->ip, found->rest.at, length);
	found->rest = slice_from(found->rest, length);
	*count = 0;
	for (unsigned i = 0; i < LABELS; i++) {
		struct slice value = k8s_packed_text(&found->rest);

		if (value.length)
			labels[(*count)++] = (struct label){ slice_of(keys[i]), value };
	}
	return flags & HELD ? READY : flags;
}

/* ---- after the API was away ---- */

static struct found endpoints_of(struct slice packed)
{
	struct found found = { .family = k8s_packed_u8(&packed) };

	k8s_packed_text(&packed);
	found.port = k8s_packed_find_port(&packed, SLICE(""));
	found.count = k8s_packed_u32(&packed);
	found.rest = packed;
	return found;
}

static bool was_ready(struct slice before, const struct address *address)
{
	struct found found = endpoints_of(before);
	struct label labels[LABELS];
	struct address other;
	uint32_t count;

	for (uint32_t i = 0; i < found.count; i++)
		if (next_endpoint(&found, &other, labels, &count) & READY && address_same_ip(&other, address))
			return true;
	return false;
}

/* The flags of all endpoints that have `which` become `next`; of those that were ready only, where `before` says which were. */
static bool change_flags(char *packed, size_t length, uint8_t which, uint8_t next, const struct slice *before)
{
	struct found found = endpoints_of(slice_make(packed, length));
	bool changed = false;

	for (uint32_t i = 0; i < found.count; i++) {
		char *flags = packed + (found.rest.at - packed);
		struct label labels[LABELS];
		struct address address;
		uint32_t count;

		next_endpoint(&found, &address, labels, &count);
		if ((uint8_t)*flags != which || (before && !was_ready(*before, &address)))
			continue;
		*flags = (char)next;
		changed = true;
	}
	return changed;
}

/* While the API is away nodes can't say that they are alive: Kubernetes' node controller may then take their pods for not ready, all of
 * them, until each node was heard again. */
static bool hold(struct slice before, char *packed, size_t length)
{
	return change_flags(packed, length, UNREADY, HELD, &before);
}

static bool release(char *packed, size_t length)
{
	return change_flags(packed, length, HELD, UNREADY, NULL);
}

const struct k8s_table_kind k8s_slices_kind = {
	.path = "/apis/discovery.k8s.io/v1/endpointslices",
	.read = read_slice,
	.hold = hold,
	.release = release,
};

/* ---- of a name ---- */

struct counts {
	uint32_t ready[2], leaving[2]; /* of IPv4, of IPv6 */
	bool port;
};

static void count_all(const struct k8s_table_watch *watch, struct slice port, const struct slice *value, struct counts *counts)
{
	*counts = (struct counts){ .port = false };
	K8S_TABLE_EACH(watch, row) {
		struct found found;
		struct address address;
		struct label labels[LABELS];
		uint32_t label_count;

		if (!find_port(row, port, value, &found))
			continue;
		counts->port = true;
		for (uint32_t i = 0; i < found.count; i++) {
			uint8_t flags = next_endpoint(&found, &address, labels, &label_count);

			if (flags & (READY | LEAVING))
				(flags & READY ? counts->ready : counts->leaving)[found.family == ADDRESS_IP6]++;
		}
	}
}

struct endpoints *k8s_slices_endpoints(const struct k8s_table_watch *watch, struct slice port, struct slice value, uint64_t version)
{
	const struct slice *wanted = k8s_table_label(watch->table).length ? &value : NULL;
	struct counts counts;
	struct endpoint *list;
	struct label *labels;
	struct endpoints *endpoints;
	uint32_t count = 0;

	count_all(watch, port, wanted, &counts);
	if (!counts.port)
		return NULL;
	const bool ready = counts.ready[0] || counts.ready[1];
	const uint32_t *chosen = ready ? counts.ready : counts.leaving;
	const uint8_t family = chosen[0] ? ADDRESS_IP4 : ADDRESS_IP6;
	list = memory_array(chosen[0] + chosen[1] + 1, sizeof *list);
	labels = memory_array((chosen[0] + chosen[1] + 1) * LABELS, sizeof *labels);
	K8S_TABLE_EACH(watch, row) {
		struct found found;

		if (!find_port(row, port, wanted, &found) || found.family != family)
			continue;
		for (uint32_t i = 0; i < found.count; i++) {
			struct endpoint *endpoint = &list[count];

			endpoint->labels = &labels[count * LABELS];
			endpoint->weight = 1;
			count += next_endpoint(&found, &endpoint->address, &labels[count * LABELS], &endpoint->label_count) ==
				(ready ? READY : LEAVING);
		}
	}
	endpoints = endpoints_new(list, count, version);
	memory_free(list);
	memory_free(labels);
	return endpoints;
}

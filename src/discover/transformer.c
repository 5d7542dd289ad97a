/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/transformer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

enum { NET_IP4 = 24 / 8, NET_IP6 = 64 / 8 }; /* bytes */

enum kind {
	PORT,
	SPECIFIC_HOST,
	LOCALHOST,
	LOCAL_NODE,
	DAEMONSET,
};

static const char *const kinds[] = {
	[PORT] = "io.l5d.port",
	[SPECIFIC_HOST] = "io.l5d.specificHost",
	[LOCALHOST] = "io.l5d.localhost",
	[LOCAL_NODE] = "io.l5d.k8s.localnode",
	[DAEMONSET] = "io.l5d.k8s.daemonset",
};

struct transformer {
	enum kind kind;
	struct path prefix; /* heap */
	uint16_t port;
	struct address *kept; /* heap: addresses whose endpoints stay */
	unsigned kept_count;
	bool by_node;        /* LOCAL_NODE, DAEMONSET: not by net */
	struct slice node;   /* LOCAL_NODE, by node: its name; DAEMONSET: this node's, or empty; heap */
	struct address here; /* LOCAL_NODE, by net */
};

/* "/%", what is configured or else the kind, and `last` unless it is empty. */
static struct transformer *new_transformer(enum kind kind, struct path configured, struct slice last)
{
	struct transformer *transformer = memory_new(sizeof *transformer);
	struct slice own = slice_of(kinds[kind]);
	struct path rest = configured.count ? configured : (struct path){ &own, 1 };
	struct slice *segments = memory_array(rest.count + 2, sizeof *segments);

	segments[0] = SLICE("%");
	memcpy(segments + 1, rest.segments, rest.count * sizeof *segments);
	segments[rest.count + 1] = last;
	transformer->kind = kind;
	transformer->prefix = path_new((struct path){ segments, rest.count + 1 + (last.length > 0) });
	memory_free(segments);
	return transformer;
}

struct transformer *transformer_new_port(uint16_t port, struct path prefix)
{
	char text[8];
	struct transformer *transformer;

	snprintf(text, sizeof text, "%u", port);
	transformer = new_transformer(PORT, prefix, prefix.count ? SLICE("") : slice_of(text));
	transformer->port = port;
	return transformer;
}

static void keep(struct transformer *transformer, const struct address *list, unsigned count)
{
	transformer->kept = memory_array(count ? count : 1, sizeof *list);
	transformer->kept_count = count;
	if (count)
		memcpy(transformer->kept, list, count * sizeof *list);
}

struct transformer *transformer_new_specific_host(const struct address *host, struct path prefix)
{
	struct transformer *transformer = new_transformer(SPECIFIC_HOST, prefix, SLICE(""));
	keep(transformer, host, 1);
	return transformer;
}

struct transformer *transformer_new_localhost(const struct address *local, unsigned count, struct path prefix)
{
	struct transformer *transformer = new_transformer(LOCALHOST, prefix, SLICE(""));
	keep(transformer, local, count);
	return transformer;
}

struct transformer *transformer_new_local_net(const struct address *own, struct path prefix)
{
	char text[ADDRESS_TEXT];
	struct transformer *transformer;

	address_format_ip(own, text);
	transformer = new_transformer(LOCAL_NODE, prefix, slice_of(text));
	transformer->here = *own;
	return transformer;
}

struct transformer *transformer_new_local_node(struct slice node, struct path prefix)
{
	struct transformer *transformer = new_transformer(LOCAL_NODE, prefix, node);

	transformer->by_node = true;
	transformer->node = slice_make(memory_text(node), node.length);
	return transformer;
}

struct transformer *transformer_new_daemonset(bool by_node, struct slice here, struct path prefix)
{
	struct transformer *transformer;

	CHECK(prefix.count > 0);
	transformer = new_transformer(DAEMONSET, prefix, SLICE(""));
	transformer->by_node = by_node;
	transformer->node = slice_make(memory_text(here), here.length);
	return transformer;
}

void transformer_free(struct transformer *transformer)
{
	if (!transformer)
		return;
	path_free(&transformer->prefix);
	memory_free(transformer->kept);
	memory_free((void *)(uintptr_t)transformer->node.at);
	memory_free(transformer);
}

const char *transformer_kind(const struct transformer *transformer)
{
	return kinds[transformer->kind];
}

struct path transformer_prefix(const struct transformer *transformer)
{
	return transformer->prefix;
}

/* ---- nodes ---- */

/* What endpoints of one node have alike. Empty: it isn't known on which node this one is. */
static struct slice net_of(const struct address *address)
{
	return slice_make((const char *)address->ip, address->family == ADDRESS_IP4 ? NET_IP4 : NET_IP6);
}

static struct slice place_of(const struct transformer *transformer, const struct endpoint *endpoint)
{
	return transformer->by_node ? endpoint_label(endpoint, SLICE("nodeName")) : net_of(&endpoint->address);
}

static int compare_places(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* ---- hints ---- */

static bool lists(struct slice names, struct slice name)
{
	struct slice one;

	while (slice_split(&names, ',', &one)) {
		if (one.length && slice_equal(one, name))
			return true;
	}
	return false;
}

/* Every endpoint has a hint of this kind, and of some it is for here. */
static bool all_hint(const struct endpoints *endpoints, struct label here)
{
	bool any = false;

	for (uint32_t i = 0; i < endpoints->count; i++) {
		struct slice names = endpoint_label(&endpoints->list[i], here.key);

		if (!names.length)
			return false;
		any |= lists(names, here.value);
	}
	return any;
}

/* Empty: it isn't known. */
static struct slice zone_of_node(const struct endpoints *gateways, struct slice node)
{
	for (uint32_t i = 0; i < gateways->count; i++) {
		if (slice_equal(endpoint_label(&gateways->list[i], SLICE("nodeName")), node))
			return endpoint_label(&gateways->list[i], SLICE("zone"));
	}
	return SLICE("");
}

/* What an endpoint's hints have to list to be for here; without a key: nothing. */
static struct label hint_for(const struct transformer *transformer, const struct endpoints *endpoints, const struct endpoints *gateways)
{
	struct label by_node = { SLICE("forNodes"), transformer->node };
	struct label by_zone = { SLICE("forZones"), zone_of_node(gateways, transformer->node) };

	if (by_node.value.length && all_hint(endpoints, by_node))
		return by_node;
	if (by_node.value.length && by_zone.value.length && all_hint(endpoints, by_zone))
		return by_zone;
	return (struct label){ .key = SLICE("") };
}

static bool is_for(const struct endpoint *endpoint, struct label hint)
{
	return !hint.key.length || lists(endpoint_label(endpoint, hint.key), hint.value);
}

/* ---- gateways ---- */

/* The places of these endpoints, sorted; the array is the heap's. */
static struct slice *places_of(const struct transformer *transformer, const struct endpoints *endpoints, struct label hint, uint32_t *count)
{
	struct slice *places = memory_array(endpoints->count + 1, sizeof *places);

	*count = 0;
	for (uint32_t i = 0; i < endpoints->count; i++) {
		struct slice place = place_of(transformer, &endpoints->list[i]);

		if (place.length && is_for(&endpoints->list[i], hint))
			places[(*count)++] = place;
	}
	qsort(places, *count, sizeof *places, compare_places);
	return places;
}

/* Those of the DaemonSet that are where the endpoints are: one for each node, however many endpoints are on it. */
static uint32_t gateways_to(const struct transformer *transformer, const struct endpoints *endpoints, struct label hint,
	const struct endpoints *gateways, struct endpoint *list)
{
	uint32_t places_count, count = 0;
	struct slice *places = places_of(transformer, endpoints, hint, &places_count);

	for (uint32_t i = 0; i < gateways->count; i++) {
		struct slice place = place_of(transformer, &gateways->list[i]);

		if (bsearch(&place, places, places_count, sizeof *places, compare_places))
			list[count++] = gateways->list[i];
	}
	memory_free(places);
	return count;
}

static uint32_t choose_gateways(
	const struct transformer *transformer, const struct endpoints *endpoints, const struct endpoints *gateways, struct endpoint *list)
{
	struct label hint = hint_for(transformer, endpoints, gateways), none = { .key = SLICE("") };
	uint32_t count = gateways_to(transformer, endpoints, hint, gateways, list);

	return count || !hint.key.length ? count : gateways_to(transformer, endpoints, none, gateways, list);
}

/* ---- endpoints ---- */

static bool keeps(const struct transformer *transformer, const struct endpoint *endpoint)
{
	if (transformer->kind == LOCAL_NODE)
		return slice_equal(place_of(transformer, endpoint), transformer->by_node ? transformer->node : net_of(&transformer->here));
	for (unsigned i = 0; i < transformer->kept_count; i++) {
		if (address_same_ip(&transformer->kept[i], &endpoint->address))
			return true;
	}
	return false;
}

static uint32_t keep_or_change(const struct transformer *transformer, const struct endpoints *endpoints, struct endpoint *list)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < endpoints->count; i++) {
		if (transformer->kind != PORT && !keeps(transformer, &endpoints->list[i]))
			continue;
		list[count] = endpoints->list[i];
		if (transformer->kind == PORT)
			list[count].address.port = transformer->port;
		count++;
	}
	return count;
}

struct endpoints *transformer_apply(const struct transformer *transformer, struct endpoints *endpoints, const struct endpoints *gateways)
{
	uint64_t version = endpoints->version;
	struct endpoints *made;
	struct endpoint *list;
	uint32_t count;

	if (endpoints->state != ENDPOINTS_BOUND)
		return endpoints_ref(endpoints);
	if (transformer->kind == DAEMONSET) {
		version += gateways->version;
		if (gateways->state != ENDPOINTS_BOUND)
			return endpoints_new_state(gateways->state, gateways->message, version);
		list = memory_array(gateways->count + 1, sizeof *list);
		count = choose_gateways(transformer, endpoints, gateways, list);
	} else {
		list = memory_array(endpoints->count + 1, sizeof *list);
		count = keep_or_change(transformer, endpoints, list);
	}
	/* An empty set stays one; only what a filter has emptied becomes neg. */
	made = count == 0 && endpoints->count ? endpoints_new_state(ENDPOINTS_NEG, SLICE(""), version)
					      : endpoints_new(list, count, version);
	memory_free(list);
	return made;
}

int transformer_id(const struct transformer *transformer, struct path id, struct arena *arena, struct path *transformed)
{
	return path_concat(arena, transformer->prefix, id, transformed);
}

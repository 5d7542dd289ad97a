/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/transformer.h"

#include <stdio.h>

#include "base/memory.h"

enum kind {
	PORT,
	SPECIFIC_HOST,
	LOCALHOST,
};

static const char *const kinds[] = {
	[PORT] = "io.l5d.port",
	[SPECIFIC_HOST] = "io.l5d.specificHost",
	[LOCALHOST] = "io.l5d.localhost",
};

struct transformer {
	enum kind kind;
	struct path prefix; /* heap */
	uint16_t port;
	struct address *kept; /* heap: addresses whose endpoints stay */
	unsigned kept_count;
};

/* "/%" and what is configured, or else the kind and `argument` (NULL: none). */
static struct transformer *new_transformer(enum kind kind, struct path configured, const char *argument)
{
	struct transformer *transformer = memory_new(sizeof *transformer);
	struct slice own[] = { slice_of(kinds[kind]), argument ? slice_of(argument) : (struct slice){ 0 } };
	struct path rest = configured.count ? configured : (struct path){ own, argument ? 2 : 1 };
	struct slice *segments = memory_array(rest.count + 1, sizeof *segments);
	segments[0] = SLICE("%");
	memcpy(segments + 1, rest.segments, rest.count * sizeof *segments);
	transformer->kind = kind;
	transformer->prefix = path_new((struct path){ segments, rest.count + 1 });
	memory_free(segments);
	return transformer;
}

struct transformer *transformer_new_port(uint16_t port, struct path prefix)
{
	char text[8];
	snprintf(text, sizeof text, "%u", port);
	struct transformer *transformer = new_transformer(PORT, prefix, text);
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
	struct transformer *transformer = new_transformer(SPECIFIC_HOST, prefix, NULL);
	keep(transformer, host, 1);
	return transformer;
}

struct transformer *transformer_new_localhost(const struct address *local, unsigned count, struct path prefix)
{
	struct transformer *transformer = new_transformer(LOCALHOST, prefix, NULL);
	keep(transformer, local, count);
	return transformer;
}

void transformer_free(struct transformer *transformer)
{
	if (!transformer)
		return;
	path_free(&transformer->prefix);
	memory_free(transformer->kept);
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

static bool keeps(const struct transformer *transformer, const struct address *address)
{
	for (unsigned i = 0; i < transformer->kept_count; i++) {
		if (address_same_ip(&transformer->kept[i], address))
			return true;
	}
	return false;
}

struct endpoints *transformer_apply(const struct transformer *transformer, struct endpoints *endpoints)
{
	if (endpoints->state != ENDPOINTS_BOUND)
		return endpoints_ref(endpoints);
	struct endpoint *list = memory_array(endpoints->count ? endpoints->count : 1, sizeof *list);
	uint32_t count = 0;
	for (uint32_t i = 0; i < endpoints->count; i++) {
		if (transformer->kind != PORT && !keeps(transformer, &endpoints->list[i].address))
			continue;
		list[count] = endpoints->list[i];
		if (transformer->kind == PORT)
			list[count].address.port = transformer->port;
		count++;
	}
	/* An empty set stays one; only what a filter has emptied becomes neg. */
	struct endpoints *made = count == 0 && endpoints->count ? endpoints_new_state(ENDPOINTS_NEG, SLICE(""), endpoints->version)
								: endpoints_new(list, count, endpoints->version);
	memory_free(list);
	return made;
}

int transformer_id(const struct transformer *transformer, struct path id, struct arena *arena, struct path *transformed)
{
	return path_concat(arena, transformer->prefix, id, transformed);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/watches.h"

#include "base/memory.h"
#include "discover/transformer.h"

struct name_watch {
	struct map_entry entry; /* watches->map, by "NAMER PATH"; the key is on the heap */
	struct namer_watch *watch;
	bool used;
};

static struct name_watch *watch_at(struct map_entry *entry)
{
	return MAP_OF(entry, struct name_watch, entry);
}

void watches_init(struct watches *watches, struct sources *sources, void (*changed)(void *owner), void *owner)
{
	*watches = (struct watches){ .sources = sources, .changed = changed, .owner = owner };
	map_init(&watches->map, 0);
}

static void watch_drop(struct watches *watches, struct name_watch *watch)
{
	struct slice key = watch->entry.key;

	map_remove(&watches->map, &watch->entry);
	namer_cancel(watch->watch);
	memory_free((void *)(uintptr_t)key.at);
	memory_free(watch);
}

void watches_fini(struct watches *watches)
{
	MAP_EACH_SAFE(&watches->map, entry, after)
		watch_drop(watches, watch_at(entry));
	map_fini(&watches->map);
}

void watches_begin(struct watches *watches)
{
	MAP_EACH(&watches->map, entry)
		watch_at(entry)->used = false;
}

void watches_end(struct watches *watches)
{
	MAP_EACH_SAFE(&watches->map, entry, after)
		if (!watch_at(entry)->used)
			watch_drop(watches, watch_at(entry));
}

/* `below` the namer's prefix; two names of one namer, which has the number `cursor` alone, differ in it. */
static const struct namer_answer *watch_for(struct watches *watches, struct namer *namer, uint32_t cursor, struct path below)
{
	struct text key = { 0 };
	struct map_entry *entry;
	struct name_watch *watch;

	text_format(&key, "%u ", cursor);
	path_show_text(&key, below);
	entry = map_find(&watches->map, text_slice(&key));
	if (entry) {
		watch = watch_at(entry);
		text_free(&key);
	} else {
		watch = memory_new(sizeof *watch);
		map_insert(&watches->map, &watch->entry, text_slice(&key));
		watch->watch = namer_lookup(namer, below, watches->changed, watches->owner);
	}
	watch->used = true;
	return namer_answer(watch->watch);
}

/* What is known of a DaemonSet's Service; a reference. */
static struct endpoints *gateways_of(const struct namer_answer *answer)
{
	switch (answer->state) {
	case NAMER_LEAF:
		return endpoints_ref(answer->endpoints);
	case NAMER_PENDING:
		return endpoints_new_state(ENDPOINTS_PENDING, SLICE(""), 0);
	case NAMER_FAILED:
		return endpoints_new_state(ENDPOINTS_FAILED, answer->message, 0);
	default:
		return endpoints_new_state(ENDPOINTS_NEG, SLICE(""), 0);
	}
}

static int transform(
	struct watches *watches, const struct source_transformers *all, struct arena *arena, struct path *id, struct endpoints **endpoints)
{
	int e = 0;

	for (unsigned i = 0; i < all->count && !e; i++) {
		const struct source_transformer *at = &all->list[i];
		struct endpoints *gateways = NULL, *seen;

		if (at->namer)
			gateways = gateways_of(watch_for(watches, at->namer, at->asked_as, at->below));
		seen = transformer_apply(at->transformer, *endpoints, gateways);
		endpoints_unref(gateways);
		endpoints_unref(*endpoints);
		*endpoints = seen;
		e = transformer_id(at->transformer, *id, arena, id);
	}
	return e;
}

static int transform_found(struct watches *watches, uint32_t cursor, unsigned router_index, struct arena *arena, struct found *found)
{
	const struct sources *sources = watches->sources;
	int e = transform(watches, sources_of_namer(sources, cursor), arena, &found->id, &found->endpoints);

	if (e)
		return e;
	found->before = found->id;
	found->found = endpoints_ref(found->endpoints);
	return transform(watches, sources_of_router(sources, router_index), arena, &found->id, &found->endpoints);
}

int watches_ask(struct watches *watches, unsigned router_index, struct path path, struct arena *arena, struct found *found)
{
	uint32_t cursor = sources_begin(watches->sources);
	struct namer *namer;
	int e;

	*found = (struct found){ 0 };
	while ((namer = sources_next(watches->sources, path, &cursor)) != NULL) {
		const struct namer_answer *answer = watch_for(watches, namer, cursor, path_from(path, namer->prefix.count));

		if (answer->state == NAMER_NEG)
			continue;
		found->answer = answer;
		if (answer->state != NAMER_LEAF || answer->status)
			return 0;
		found->id = answer->id;
		found->endpoints = endpoints_ref(answer->endpoints);
		e = transform_found(watches, cursor, router_index, arena, found);
		if (e)
			found_fini(found);
		return e;
	}
	return 0;
}

void found_fini(struct found *found)
{
	endpoints_unref(found->endpoints);
	endpoints_unref(found->found);
	found->endpoints = found->found = NULL;
}

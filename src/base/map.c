/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/check.h"
#include "base/memory.h"

enum { BUCKETS_FIRST = 16 };

void map_init(struct map *map, uint64_t seed)
{
	*map = (struct map){ .seed = seed };
	list_init(&map->order);
}

void map_fini(struct map *map)
{
	memory_free(map->buckets);
	map->buckets = NULL;
	map->mask = 0;
	map->count = 0;
	list_init(&map->order);
}

static void put(struct map *map, struct map_entry *entry)
{
	struct map_entry **bucket = &map->buckets[entry->hash & map->mask];
	entry->chain = *bucket;
	*bucket = entry;
}

static void resize(struct map *map, uint32_t buckets)
{
	memory_free(map->buckets);
	map->buckets = memory_array(buckets, sizeof *map->buckets);
	map->mask = buckets - 1;
	MAP_EACH(map, entry)
		put(map, entry);
}

void map_reserve(struct map *map, uint32_t count)
{
	uint32_t buckets = map->buckets ? map->mask + 1 : BUCKETS_FIRST;
	while (buckets < count && buckets < UINT32_C(1) << 31)
		buckets *= 2;
	if (!map->buckets || buckets > map->mask + 1)
		resize(map, buckets);
}

void map_insert(struct map *map, struct map_entry *entry, struct slice key)
{
	map_reserve(map, map->count + 1);
	entry->key = key;
	entry->hash = slice_hash(key, map->seed);
#ifndef NDEBUG
	CHECK(!map_find_hashed(map, key, entry->hash));
#endif
	put(map, entry);
	list_append(&map->order, &entry->order);
	map->count++;
}

struct map_entry *map_find(const struct map *map, struct slice key)
{
	return map->count ? map_find_hashed(map, key, slice_hash(key, map->seed)) : NULL;
}

struct map_entry *map_find_hashed(const struct map *map, struct slice key, uint64_t hash)
{
	if (!map->count)
		return NULL;
	struct map_entry *entry = map->buckets[hash & map->mask];
	while (entry && (entry->hash != hash || !slice_equal(entry->key, key)))
		entry = entry->chain;
	return entry;
}

void map_remove(struct map *map, struct map_entry *entry)
{
	CHECK(map->count > 0);
	struct map_entry **at = &map->buckets[entry->hash & map->mask];
	while (*at != entry) {
		CHECK(*at);
		at = &(*at)->chain;
	}
	*at = entry->chain;
	entry->chain = NULL;
	list_remove(&entry->order);
	map->count--;
}

static struct map_entry *entry_at(const struct map *map, struct list *link)
{
	return link == &map->order ? NULL : LIST_OF(link, struct map_entry, order);
}

struct map_entry *map_first(const struct map *map)
{
	return entry_at(map, map->order.next);
}

struct map_entry *map_next(const struct map *map, const struct map_entry *entry)
{
	return entry_at(map, entry->order.next);
}

void map_touch(struct map *map, struct map_entry *entry)
{
	list_remove(&entry->order);
	list_append(&map->order, &entry->order);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* base/map.h: an intrusive hash map from bytes to objects, bounded by its owner. One thread.
 *
 * Entries are embedded in the objects; the key's bytes belong to the object and must not change while it is in the map.
 * The bucket array grows (heap or given allocator) on insertion only; map_reserve grows it ahead so that later inserts
 * don't allocate. Iteration follows insertion order, never addresses.
 *
 *	struct map map;  map_init(&map, hash_key);
 *	map_insert(&map, &thing->entry, thing->name);
 *	struct map_entry *e = map_find(&map, name);
 *	struct thing *t = e ? MAP_OF(e, struct thing, entry) : NULL;
 *	map_remove(&map, &t->entry);
 *	MAP_EACH(&map, e) ...                    // oldest first; map_next is taken before the body of MAP_EACH_SAFE
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/list.h"
#include "base/slice.h"

struct map_entry {
	struct map_entry *chain;
	struct list order;
	struct slice key;
	uint64_t hash;
};

struct map {
	struct map_entry **buckets;
	uint32_t mask; /* bucket count - 1, 0 when there are none yet */
	uint32_t count;
	uint64_t seed;
	struct list order;
};

#define MAP_OF(entry, type, member) ((type *)(void *)((char *)(entry)-offsetof(type, member)))
#define MAP_EACH(map, e) for (struct map_entry *e = map_first(map); e; e = map_next(map, e))
#define MAP_EACH_SAFE(map, e, after) \
	for (struct map_entry *e = map_first(map), *after = e ? map_next(map, e) : NULL; e; e = after, after = e ? map_next(map, e) : NULL)

void map_init(struct map *map, uint64_t seed);
void map_fini(struct map *map); /* the entries are the owner's */
void map_reserve(struct map *map, uint32_t count);
/* The key must not be in the map yet (CHECKed in debug builds). */
void map_insert(struct map *map, struct map_entry *entry, struct slice key);
struct map_entry *map_find(const struct map *map, struct slice key);
/* The same, with slice_hash(key, map->seed) known already. */
struct map_entry *map_find_hashed(const struct map *map, struct slice key, uint64_t hash);
void map_remove(struct map *map, struct map_entry *entry);
struct map_entry *map_first(const struct map *map);
struct map_entry *map_next(const struct map *map, const struct map_entry *entry);
/* Moves the entry to the end of the iteration order (for least-recently-used caches). */
void map_touch(struct map *map, struct map_entry *entry);

#endif

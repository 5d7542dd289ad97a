/* SPDX-License-Identifier: Apache-2.0 */
/* base/arena.h: memory that is given back all at once.
 *
 * Blocks come from a pool of equal blocks (request path) or, with pool NULL, from the heap (control thread); with `small`, what fits
 * into one of that pool's comes from there. One thread.
 *
 *	struct arena arena;
 *	arena_init(&arena, &worker->blocks, limit);
 *	char *p = arena_get(&arena, n);     // aligned to 8; NULL: over the limit, or memory out
 *	arena_reset(&arena);                // all of it is given back
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/slice.h"

struct arena_block;

struct arena {
	char *at, *end;             /* free part of the newest block */
	struct arena_block *blocks; /* newest first */
	struct pool *pool, *small;  /* where blocks come from, or NULL: the heap; none */
	size_t used, max;           /* bytes handed out; 0 = no limit */
};

void arena_init(struct arena *arena, struct pool *pool, size_t max);
void arena_reset(struct arena *arena);
void *arena_get(struct arena *arena, size_t size) __attribute__((malloc));
void *arena_zeroed(struct arena *arena, size_t size) __attribute__((malloc));
/* Copies; {NULL, 0} when out of room (an empty slice copies to a non-NULL empty one). */
struct slice arena_copy(struct arena *arena, struct slice s);
/* A NUL-terminated copy, or NULL. */
char *arena_text(struct arena *arena, struct slice s);
/* printf into the arena; {NULL, 0} when out of room. */
struct slice arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Joins two slices. */
struct slice arena_join(struct arena *arena, struct slice a, struct slice b);

#endif

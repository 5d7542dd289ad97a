/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdbool.h>

#include "base/check.h"
#include "base/memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define POOL_PASSES_THROUGH 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POOL_PASSES_THROUGH 1
#endif
#ifndef POOL_PASSES_THROUGH
#define POOL_PASSES_THROUGH 0
#endif

enum {
	LINE = 64,
	PAGE = 4096,
	SLAB_FIRST = 8,          /* objects in a pool's first slab; each further slab has twice as many */
	SLAB_BYTES = 256 * 1024, /* until it would be larger than this */
};

/* Followed by its objects, from the next cache line on. They are cut off one by one, so that memory which was never
 * needed is never touched. */
struct pool_slab {
	struct pool_slab *next;
	char *at, *end; /* not cut off yet */
	uint32_t count;
};

void pool_init(struct pool *pool, const char *name, size_t size, uint32_t max)
{
	size = (size + 15) & ~(size_t)15;
	if (size > LINE)
		size = (size + LINE - 1) & ~(size_t)(LINE - 1);
	if (size % PAGE == 0) /* or the objects' first lines would all fall into the same cache set */
		size += LINE;
	*pool = (struct pool){ .name = name, .size = size, .max = max };
}

void pool_fini(struct pool *pool)
{
	CHECK(pool->in_use == 0);
	while (pool->slabs) {
		struct pool_slab *slab = pool->slabs;
		pool->slabs = slab->next;
		memory_free(slab);
	}
	pool->free = NULL;
}

static bool add_slab(struct pool *pool)
{
	size_t count = pool->slabs ? (size_t)pool->slabs->count * 2 : SLAB_FIRST;
	size_t fit = SLAB_BYTES / pool->size;
	if (count > fit)
		count = fit ? fit : 1;
	if (pool->max && count > pool->max - pool->in_use)
		count = pool->max - pool->in_use;
	struct pool_slab *slab = memory_try(sizeof *slab + LINE + count * pool->size);
	if (!slab)
		return false;
	uintptr_t first = ((uintptr_t)(slab + 1) + LINE - 1) & ~(uintptr_t)(LINE - 1);
	slab->at = (char *)first;
	slab->end = slab->at + count * pool->size;
	slab->count = (uint32_t)count;
	slab->next = pool->slabs;
	pool->slabs = slab;
	return true;
}

static void *cut(struct pool *pool)
{
	if (POOL_PASSES_THROUGH)
		return memory_try(pool->size);
	if ((!pool->slabs || pool->slabs->at == pool->slabs->end) && !add_slab(pool))
		return NULL;
	void *object = pool->slabs->at;
	pool->slabs->at += pool->size;
	return object;
}

void *pool_get(struct pool *pool)
{
	void *object = NULL;
	if (!pool->max || pool->in_use < pool->max) {
		object = pool->free;
		if (object)
			pool->free = *(void **)object;
		else
			object = cut(pool);
	}
	if (!object) {
		pool->refused++;
		return NULL;
	}
	if (++pool->in_use > pool->peak)
		pool->peak = pool->in_use;
	return object;
}

void pool_put(struct pool *pool, void *object)
{
	CHECK(pool->in_use > 0);
	pool->in_use--;
	if (POOL_PASSES_THROUGH) {
		memory_free(object);
		return;
	}
	*(void **)object = pool->free;
	pool->free = object;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

enum { HEAP_FIRST = 1024, HEAP_LARGEST = 64 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t size; /* bytes behind this struct */
};

void arena_init(struct arena *arena, struct pool *pool, size_t max)
{
	*arena = (struct arena){ .pool = pool, .max = max };
}

/* For a block with so much room. */
static struct pool *pool_for(const struct arena *arena, size_t size)
{
	return arena->small && size + sizeof(struct arena_block) <= arena->small->size ? arena->small : arena->pool;
}

void arena_reset(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;
		arena->blocks = block->next;
		if (arena->pool)
			pool_put(pool_for(arena, block->size), block);
		else
			memory_free(block);
	}
	struct pool *small = arena->small;
	arena_init(arena, arena->pool, arena->max);
	arena->small = small;
}

/* From a pool all blocks are equal, and what doesn't fit into one is refused. */
static struct arena_block *new_block(struct arena *arena, size_t size)
{
	struct arena_block *block;
	size_t room;
	if (arena->pool) {
		struct pool *pool = pool_for(arena, size);
		room = pool->size - sizeof *block;
		if (size > room)
			return NULL;
		block = pool_get(pool);
	} else {
		room = arena->blocks ? arena->blocks->size * 2 : HEAP_FIRST;
		if (room > HEAP_LARGEST)
			room = HEAP_LARGEST;
		if (room < size)
			room = size;
		block = memory_try(sizeof *block + room);
	}
	if (block)
		block->size = room;
	return block;
}

void *arena_get(struct arena *arena, size_t size)
{
	size_t rounded = (size + 7) & ~(size_t)7;
	if (rounded < size || (arena->max && rounded > arena->max - arena->used))
		return NULL;
	if (rounded > (size_t)(arena->end - arena->at) || !arena->at) {
		struct arena_block *block = new_block(arena, rounded);
		if (!block)
			return NULL;
		block->next = arena->blocks;
		arena->blocks = block;
		arena->at = (char *)(block + 1);
		arena->end = arena->at + block->size;
	}
	void *p = arena->at;
	arena->at += rounded;
	arena->used += rounded;
	return p;
}

void *arena_zeroed(struct arena *arena, size_t size)
{
	void *p = arena_get(arena, size);
	return p ? memset(p, 0, size) : NULL;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
	return arena_join(arena, s, (struct slice){ 0 });
}

char *arena_text(struct arena *arena, struct slice s)
{
	char *text = arena_get(arena, s.length + 1);
	if (!text)
		return NULL;
	if (s.length)
		memcpy(text, s.at, s.length);
	text[s.length] = '\0';
	return text;
}

struct slice arena_format(struct arena *arena, const char *format, ...)
{
	va_list first, second;
	struct slice made = { 0 };
	va_start(first, format);
	va_copy(second, first);
	int length = vsnprintf(NULL, 0, format, first);
	char *text = length < 0 ? NULL : arena_get(arena, (size_t)length + 1);
	if (text) {
		vsnprintf(text, (size_t)length + 1, format, second);
		made = slice_make(text, (size_t)length);
	}
	va_end(second);
	va_end(first);
	return made;
}

struct slice arena_join(struct arena *arena, struct slice a, struct slice b)
{
	char *p = arena_get(arena, a.length + b.length);
	if (!p)
		return (struct slice){ 0 };
	if (a.length)
		memcpy(p, a.at, a.length);
	if (b.length)
		memcpy(p + a.length, b.at, b.length);
	return slice_make(p, a.length + b.length);
}

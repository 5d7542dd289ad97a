/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stddef.h>

void buffer_pool_init(struct pool *pool, const char *name, uint32_t max)
{
	pool_init(pool, name, offsetof(struct buffer, bytes) + BUFFER_CAPACITY, max);
}

void buffer_pool_init_large(struct pool *pool, const char *name, uint32_t max)
{
	pool_init(pool, name, offsetof(struct buffer, bytes) + BUFFER_LARGE_CAPACITY, max);
}

struct buffer *buffer_get(struct pool *pool)
{
	struct buffer *buffer = pool_get(pool);
	if (!buffer)
		return NULL;
	buffer->pool = pool;
	buffer->references = 1;
	/* A pool may round its objects' size up. */
	buffer->capacity = pool->size > BUFFER_LARGE_CAPACITY ? BUFFER_LARGE_CAPACITY : BUFFER_CAPACITY;
	buffer->filled = 0;
	return buffer;
}

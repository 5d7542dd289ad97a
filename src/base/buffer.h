/* SPDX-License-Identifier: Apache-2.0 */
/* base/buffer.h: pooled, counted buffers, and pieces of them.
 *
 * Buffers of one capacity belong to a worker's pool and are used by that thread only. A piece is a slice together with a
 * reference to the buffer that it lies in (or NULL: static bytes, or bytes whose owner outlives the piece by contract).
 * Who receives a piece "by ownership" owes one piece_release.
 *
 *	struct buffer *b = buffer_get(pool);         // one reference; NULL: pool's limit reached or memory out
 *	struct piece p = piece_of(b, b->bytes, 5);   // takes a further reference
 *	buffer_unref(b);
 *	piece_release(&p);                           // back in the pool
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdint.h>

#include "base/pool.h"
#include "base/slice.h"

enum {
	BUFFER_CAPACITY = 16384 - 32,
	BUFFER_LARGE_CAPACITY = 6 * 16384 - 32, /* for what must lie in one piece and is seldom so long */
};

struct buffer {
	struct pool *pool;
	uint32_t references;
	uint32_t capacity;
	uint32_t filled; /* bytes that hold something */
	char bytes[];
};

struct piece {
	struct buffer *buffer;
	const char *at;
	size_t length;
};

/* A pool of buffers of BUFFER_CAPACITY bytes, at most `max` of them (0: no limit). */
void buffer_pool_init(struct pool *pool, const char *name, uint32_t max);
/* The same with BUFFER_LARGE_CAPACITY. */
void buffer_pool_init_large(struct pool *pool, const char *name, uint32_t max);
struct buffer *buffer_get(struct pool *pool);

static inline struct buffer *buffer_ref(struct buffer *buffer)
{
	buffer->references++;
	return buffer;
}

static inline void buffer_unref(struct buffer *buffer)
{
	if (--buffer->references == 0)
		pool_put(buffer->pool, buffer);
}

static inline uint32_t buffer_room(const struct buffer *buffer)
{
	return buffer->capacity - buffer->filled;
}

static inline struct piece piece_of(struct buffer *buffer, const char *at, size_t length)
{
	return (struct piece){ buffer ? buffer_ref(buffer) : NULL, at, length };
}

static inline void piece_release(struct piece *piece)
{
	if (piece->buffer)
		buffer_unref(piece->buffer);
	*piece = (struct piece){ 0 };
}

#endif

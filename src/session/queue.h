/* SPDX-License-Identifier: Apache-2.0 */
/* session/queue.h: pieces that wait, of one direction of a stream: to be told, or to be sent.
 *
 * Their number and the memory that they hold follow from their bytes, however small they come: small ones are copied together
 * into a buffer that all streams of a session share, rather than that each holds the buffer it was read into. Loop's thread.
 *
 *	if (!queue_put(&queue, &shared, piece)) ...      // no memory; the piece is released
 *	struct piece piece = queue_take(&queue, &shared, most);  // the caller's
 */
#ifndef SESSION_QUEUE_H
#define SESSION_QUEUE_H

#include <stdbool.h>

#include "base/buffer.h"

enum {
	QUEUE_COPY = 2048, /* pieces up to this length are copied */
	QUEUE_MOST = 64,   /* items; beyond it they are joined, unless most are large */
};

struct queue_item {
	struct queue_item *next;
	struct piece piece;
};

struct queue {
	struct queue_item *first, *last;
	uint32_t count;
	uint32_t bytes;
};

/* What the queues of a session share. */
struct queue_shared {
	struct pool *items, *buffers;
	struct buffer *buffer; /* small pieces are copied into it; NULL: none yet */
};

static inline bool queue_empty(const struct queue *queue)
{
	return !queue->first;
}

/* Owns the piece, which is not empty. */
bool queue_put(struct queue *queue, struct queue_shared *shared, struct piece piece);
/* The first bytes, at most so many; not when empty. */
struct piece queue_take(struct queue *queue, struct queue_shared *shared, size_t most);
void queue_drop(struct queue *queue, struct queue_shared *shared);
/* Room in the buffer that small pieces share, and a reference to it; who writes there adds to its `filled`. NULL: no memory, or too
 * much. */
char *queue_room(struct queue_shared *shared, size_t length, struct buffer **buffer);
/* Gives back the buffer when nothing is going on. */
void queue_rest(struct queue_shared *shared);

#endif

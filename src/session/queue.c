/* SPDX-License-Identifier: Apache-2.0 */
#include "session/queue.h"

#include <string.h>

#include "base/check.h"

char *queue_room(struct queue_shared *shared, size_t length, struct buffer **buffer)
{
	struct buffer *fresh = shared->buffer;

	if (length > BUFFER_CAPACITY)
		return NULL;
	if (fresh && fresh->references == 1)
		fresh->filled = 0;
	if (!fresh || buffer_room(fresh) < length) {
		fresh = buffer_get(shared->buffers);
		if (!fresh)
			return NULL;
		queue_rest(shared);
		shared->buffer = fresh;
	}
	*buffer = buffer_ref(fresh);
	return fresh->bytes + fresh->filled;
}

/* Copies a small piece behind the last small one of the session. Without a buffer it stays as it is. */
static void copy_small(struct queue_shared *shared, struct piece *piece)
{
	struct buffer *buffer;
	char *at = queue_room(shared, piece->length, &buffer);

	if (!at)
		return;
	memcpy(at, piece->at, piece->length);
	buffer->filled += (uint32_t)piece->length;
	piece_release(piece);
	*piece = (struct piece){ buffer, at, (size_t)(buffer->bytes + buffer->filled - at) };
}

static void append(struct queue *queue, struct queue_item *item)
{
	item->next = NULL;
	if (queue->last)
		queue->last->next = item;
	else
		queue->first = item;
	queue->last = item;
	queue->count++;
}

static bool follows(const struct queue *queue, const struct piece *piece)
{
	const struct piece *last = &queue->last->piece;

	return last->buffer && last->buffer == piece->buffer && last->at + last->length == piece->at;
}

/* Copies a piece to the beginning of a buffer that nobody else refers to. False: it stays as it is. */
static bool own_buffer(struct queue_shared *shared, struct piece *piece)
{
	struct buffer *fresh = piece->length <= BUFFER_CAPACITY ? buffer_get(shared->buffers) : NULL;

	if (!fresh)
		return false;
	memcpy(fresh->bytes, piece->at, piece->length);
	fresh->filled = (uint32_t)piece->length;
	piece_release(piece);
	*piece = (struct piece){ fresh, fresh->bytes, fresh->filled };
	return true;
}

/* Many pieces become a few that fill their buffers. Without a buffer it stays as it is: then only their number has no bound but
 * their bytes. */
static void join(struct queue *queue, struct queue_shared *shared)
{
	struct queue_item *into = NULL, *item = queue->first, *next;

	queue->count = 0;
	queue->first = queue->last = NULL;
	for (; item; item = next) {
		next = item->next;
		if (into && buffer_room(into->piece.buffer) >= item->piece.length) {
			struct buffer *buffer = into->piece.buffer;

			memcpy(buffer->bytes + buffer->filled, item->piece.at, item->piece.length);
			buffer->filled += (uint32_t)item->piece.length;
			into->piece.length += item->piece.length;
			piece_release(&item->piece);
			pool_put(shared->items, item);
			continue;
		}
		into = own_buffer(shared, &item->piece) ? item : NULL;
		append(queue, item);
	}
}

bool queue_put(struct queue *queue, struct queue_shared *shared, struct piece piece)
{
	struct queue_item *item;

	if (piece.length <= QUEUE_COPY)
		copy_small(shared, &piece);
	queue->bytes += (uint32_t)piece.length;
	if (queue->last && follows(queue, &piece)) {
		queue->last->piece.length += piece.length;
		piece_release(&piece);
		return true;
	}
	item = pool_get(shared->items);
	if (!item) {
		queue->bytes -= (uint32_t)piece.length;
		piece_release(&piece);
		return false;
	}
	item->piece = piece;
	append(queue, item);
	/* Only where it halves their number: large ones would be copied for nothing. */
	if (queue->count > QUEUE_MOST && queue->bytes / queue->count < BUFFER_CAPACITY / 4)
		join(queue, shared);
	return true;
}

struct piece queue_take(struct queue *queue, struct queue_shared *shared, size_t most)
{
	struct queue_item *item = queue->first;
	struct piece piece;

	CHECK(item && most > 0);
	if (item->piece.length > most) {
		piece = piece_of(item->piece.buffer, item->piece.at, most);
		item->piece.at += most;
		item->piece.length -= most;
		queue->bytes -= (uint32_t)most;
		return piece;
	}
	piece = item->piece;
	queue->first = item->next;
	if (!queue->first)
		queue->last = NULL;
	queue->count--;
	queue->bytes -= (uint32_t)piece.length;
	pool_put(shared->items, item);
	return piece;
}

void queue_drop(struct queue *queue, struct queue_shared *shared)
{
	while (queue->first) {
		struct piece piece = queue_take(queue, shared, SIZE_MAX);

		piece_release(&piece);
	}
}

void queue_rest(struct queue_shared *shared)
{
	if (shared->buffer)
		buffer_unref(shared->buffer);
	shared->buffer = NULL;
}

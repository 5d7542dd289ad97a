/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/replay.h"

void replay_init(struct replay *replay, const struct head *request, bool streams)
{
	*replay = (struct replay){ .possible = true, .streams = streams, .limit = streams ? UINT32_MAX : REPLAY_BYTES };
	replay->wanted = streams || request->body == BODY_NONE || (request->body == BODY_LENGTH && request->body_length <= REPLAY_BYTES);
}

void replay_limit(struct replay *replay, uint32_t bytes)
{
	replay->limit = bytes;
	if (replay->bytes > bytes)
		replay->wanted = false;
}

/* Room for so many bytes more, or none at all. */
static int grow(struct replay *replay, struct pool *buffers, size_t length)
{
	unsigned before = replay->count;
	size_t room = before ? buffer_room(replay->buffers[before - 1]) : 0;

	while (room < length) {
		struct buffer *buffer = replay->count < REPLAY_BUFFERS ? buffer_get(buffers) : NULL;

		if (!buffer) {
			int e = replay->count < REPLAY_BUFFERS ? ERROR_NO_MEMORY : ERROR_LIMIT;

			while (replay->count > before)
				buffer_unref(replay->buffers[--replay->count]);
			return e;
		}
		buffer->filled = 0;
		room += buffer->capacity;
		replay->buffers[replay->count++] = buffer;
	}
	return 0;
}

int replay_add(struct replay *replay, struct pool *buffers, const struct piece *piece)
{
	struct slice left = { piece->at, piece->length };
	unsigned at = replay->count ? replay->count - 1u : 0;
	int e = grow(replay, buffers, piece->length);

	if (e)
		return e;
	for (; left.length; at++) {
		struct buffer *buffer = replay->buffers[at];
		size_t part = left.length < buffer_room(buffer) ? left.length : buffer_room(buffer);

		memcpy(buffer->bytes + buffer->filled, left.at, part);
		buffer->filled += (uint32_t)part;
		left = slice_from(left, part);
	}
	replay->bytes += (uint32_t)piece->length;
	return 0;
}

struct piece replay_piece(const struct replay *replay, unsigned index)
{
	struct buffer *buffer = replay->buffers[index];

	return piece_of(buffer, buffer->bytes, buffer->filled);
}

void replay_drop(struct replay *replay)
{
	while (replay->count)
		buffer_unref(replay->buffers[--replay->count]);
	replay->bytes = 0;
	replay->possible = false;
	replay->wanted = false;
}

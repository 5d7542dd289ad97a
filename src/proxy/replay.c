/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/replay.h"

void replay_init(struct replay *replay, const struct head *request)
{
	*replay = (struct replay){ .possible = true };
	replay->wanted = request->body == BODY_NONE || (request->body == BODY_LENGTH && request->body_length <= REPLAY_BYTES);
}

int replay_add(struct replay *replay, struct pool *buffers, const struct piece *piece)
{
	if (piece->length == 0)
		return 0;
	if (!replay->buffer) {
		replay->buffer = buffer_get(buffers);
		if (!replay->buffer)
			return ERROR_NO_MEMORY;
		replay->buffer->filled = 0;
	}
	if (piece->length > buffer_room(replay->buffer))
		return ERROR_LIMIT;
	memcpy(replay->buffer->bytes + replay->buffer->filled, piece->at, piece->length);
	replay->buffer->filled += (uint32_t)piece->length;
	return 0;
}

struct piece replay_piece(const struct replay *replay)
{
	if (!replay->buffer)
		return (struct piece){ 0 };
	return piece_of(replay->buffer, replay->buffer->bytes, replay->buffer->filled);
}

void replay_drop(struct replay *replay)
{
	if (replay->buffer)
		buffer_unref(replay->buffer);
	replay->buffer = NULL;
	replay->possible = false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "session/output.h"

#include <string.h>

#include "base/check.h"

void output_init(struct output *output, struct stream *stream, struct pool *buffers, struct piece *pieces, uint16_t most)
{
	CHECK(most >= 3);
	output->pieces = pieces;
	output->most = most;
	output->stream = stream;
	output->buffers = buffers;
	output->large = NULL;
	output->buffer = NULL;
	output->sealed = 0;
	output->count = 0;
	output->gathered = output->taken = 0;
	output->waiting = output->given = 0;
}

void output_move(struct output *to, const struct output *from, struct piece *pieces, uint16_t most)
{
	CHECK(from->count <= most);
	memcpy(pieces, from->pieces, from->count * sizeof *pieces);
	*to = *from;
	to->pieces = pieces;
	to->most = most;
}

static void take(struct output *output)
{
	output->waiting = stream_take(output->stream, output->pieces, output->count);
	output->count = 0;
	output->taken += output->gathered;
	output->given += output->gathered;
	output->gathered = 0;
}

/* What was written since becomes a piece. */
static void seal(struct output *output)
{
	struct buffer *buffer = output->buffer;

	if (!buffer || buffer->filled == output->sealed)
		return;
	output->pieces[output->count++] = piece_of(buffer, buffer->bytes + output->sealed, buffer->filled - output->sealed);
	output->sealed = buffer->filled;
}

/* Seals, and then has place for a piece and the seal behind it. */
static void seal_and_make_place(struct output *output)
{
	seal(output);
	if (output->count < output->most - 1)
		return;
	take(output);
}

size_t output_room_left(const struct output *output)
{
	return output->buffer ? buffer_room(output->buffer) : 0;
}

char *output_room(struct output *output, size_t length)
{
	if (length > output_room_left(output)) {
		struct buffer *fresh;

		if (length > (output->large ? BUFFER_LARGE_CAPACITY : BUFFER_CAPACITY))
			return NULL;
		fresh = buffer_get(length > BUFFER_CAPACITY ? output->large : output->buffers);
		if (!fresh)
			return NULL;
		seal_and_make_place(output);
		if (output->buffer)
			buffer_unref(output->buffer);
		output->buffer = fresh;
		output->sealed = 0;
	}
	return output->buffer->bytes + output->buffer->filled;
}

void output_wrote(struct output *output, size_t length)
{
	CHECK(length <= output_room_left(output));
	output->buffer->filled += (uint32_t)length;
	output->gathered += (uint32_t)length;
}

void output_piece(struct output *output, struct piece piece)
{
	if (piece.length == 0) {
		piece_release(&piece);
		return;
	}
	if (piece.length <= OUTPUT_COPY &&
		(piece.length <= output_room_left(output) || (output->waiting > 0 && output_room(output, piece.length)))) {
		memcpy(output->buffer->bytes + output->buffer->filled, piece.at, piece.length);
		output_wrote(output, piece.length);
		piece_release(&piece);
		return;
	}
	seal_and_make_place(output);
	output->pieces[output->count++] = piece;
	output->gathered += (uint32_t)piece.length;
}

bool output_may_gather(const struct output *output)
{
	return output->waiting > 0 && output->count == 0 && output_room_left(output) > 0;
}

void output_flush(struct output *output)
{
	seal(output);
	if (output->count > 0)
		take(output);
	if (output->buffer) {
		buffer_unref(output->buffer);
		output->buffer = NULL;
		output->sealed = 0;
	}
}

uint64_t output_sent(struct output *output)
{
	output->waiting = stream_take(output->stream, NULL, 0);
	return output->given - output->waiting;
}

void output_drop(struct output *output)
{
	for (unsigned i = 0; i < output->count; i++)
		piece_release(&output->pieces[i]);
	if (output->buffer)
		buffer_unref(output->buffer);
	output->buffer = NULL;
	output->sealed = 0;
	output->count = 0;
	output->gathered = 0;
}

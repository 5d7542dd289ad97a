/* SPDX-License-Identifier: Apache-2.0 */
#include "session/input.h"

#include "base/check.h"

void input_init(struct input *input)
{
	*input = (struct input){ 0 };
}

void input_drop(struct input *input)
{
	if (input->buffer)
		buffer_unref(input->buffer);
	if (input->more)
		buffer_unref(input->more);
	input_init(input);
}

void input_add(struct input *input, struct buffer *buffer)
{
	CHECK(!input->more);
	if (buffer->filled == 0) {
		buffer_unref(buffer);
	} else if (!input->buffer) {
		input->buffer = buffer;
		input->at = 0;
	} else {
		input->more = buffer;
		input->more_at = 0;
	}
}

static void append(struct buffer *buffer, const char *at, uint32_t length)
{
	memcpy(buffer->bytes + buffer->filled, at, length);
	buffer->filled += length;
}

/* What others refer to is not written behind: they may count on the buffer's room themselves. */
static bool must_move(const struct input *input, uint32_t length, const struct pool *large)
{
	const struct buffer *buffer = input->buffer;

	if (buffer->references > 1)
		return true;
	if (buffer_room(buffer) >= length)
		return false;
	return input->at > 0 || (buffer_room(buffer) == 0 && large && buffer->capacity < BUFFER_LARGE_CAPACITY);
}

/* To the start of a buffer that has room for more. */
static int move(struct input *input, struct pool *buffers, struct pool *large)
{
	uint32_t kept = input->buffer->filled - input->at;
	struct buffer *fresh = buffer_get(kept < BUFFER_CAPACITY || !large ? buffers : large);

	if (!fresh)
		return ERROR_NO_MEMORY;
	append(fresh, input->buffer->bytes + input->at, kept);
	buffer_unref(input->buffer);
	input->buffer = fresh;
	input->at = 0;
	return 0;
}

int input_join(struct input *input, struct pool *buffers, struct pool *large, bool *moved)
{
	uint32_t length, room;
	int e;

	*moved = false;
	if (!input->more)
		return ERROR_INCOMPLETE;
	length = input->more->filled - input->more_at;
	if (must_move(input, length, large)) {
		e = move(input, buffers, large);
		if (e)
			return e;
		*moved = true;
	}
	room = buffer_room(input->buffer);
	if (room == 0)
		return ERROR_LIMIT;
	append(input->buffer, input->more->bytes + input->more_at, room < length ? room : length);
	if (room < length) {
		input->more_at += room;
		return 0;
	}
	buffer_unref(input->more);
	input->more = NULL;
	return 0;
}

void input_skip(struct input *input, size_t length)
{
	if (length == 0)
		return;
	CHECK(input->buffer && length <= input->buffer->filled - input->at);
	input->at += (uint32_t)length;
	if (input->at < input->buffer->filled)
		return;
	buffer_unref(input->buffer);
	input->buffer = input->more;
	input->at = input->more_at;
	input->more = NULL;
	input->more_at = 0;
}

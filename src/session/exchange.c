/* SPDX-License-Identifier: Apache-2.0 */
#include "session/exchange.h"

#include <string.h>

#include "io/loop.h"
#include "session/session.h"

bool side_send_copy(struct side *side, struct slice bytes, bool end, bool *stalled)
{
	struct pool *buffers = loop_buffers(side->session->loop);

	while (bytes.length) {
		struct buffer *buffer = buffer_get(buffers);
		size_t now;

		if (!buffer)
			return false;
		now = bytes.length < buffer->capacity ? bytes.length : buffer->capacity;
		memcpy(buffer->bytes, bytes.at, now);
		buffer->filled = (uint32_t)now;
		bytes = slice_from(bytes, now);
		if (!side_send_body(side, (struct piece){ buffer, buffer->bytes, now }, end && bytes.length == 0) && stalled)
			*stalled = true;
	}
	return true;
}

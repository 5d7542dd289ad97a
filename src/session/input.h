/* SPDX-License-Identifier: Apache-2.0 */
/* session/input.h: what a session has received and not consumed yet: at most two buffers, kept without copying.
 *
 * A head must lie in one piece. When the first piece ends in the middle of one, input_join brings bytes of the second behind
 * it, copying as little as it can. What outgrows a buffer goes into a large one, where there is a pool of such. Loop's thread.
 * Empty input holds no buffer.
 *
 *	input_add(&input, buffer);                       // owns the buffer's reference
 *	struct slice bytes = input_slice(&input);
 *	input_skip(&input, consumed);                    // or, incomplete:
 *	e = input_join(&input, loop_buffers(loop), large, &moved);
 */
#ifndef SESSION_INPUT_H
#define SESSION_INPUT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

struct input {
	struct buffer *buffer, *more; /* more: what comes behind buffer; NULL: nothing */
	uint32_t at, more_at;         /* consumed up to here */
};

static inline bool input_empty(const struct input *input)
{
	return !input->buffer;
}

/* The first piece; the parser may write into it. */
static inline struct slice input_slice(const struct input *input)
{
	if (!input->buffer)
		return (struct slice){ "", 0 };
	return (struct slice){ input->buffer->bytes + input->at, input->buffer->filled - input->at };
}

void input_init(struct input *input);
void input_drop(struct input *input); /* all of it */
/* Adds what was received; not while `more` is there (nothing is read then). */
void input_add(struct input *input, struct buffer *buffer);
/* Makes the first piece longer. large: NULL: it has at most BUFFER_CAPACITY bytes. *moved: what input_slice gave before now lies elsewhere (set also on errors).
 * ERROR_INCOMPLETE: nothing more was received; ERROR_LIMIT: it fills a whole buffer of the largest kind already; ERROR_NO_MEMORY. */
MUST_CHECK int input_join(struct input *input, struct pool *buffers, struct pool *large, bool *moved);
/* Consumes bytes of the first piece. Gives its buffer back when it is used up. */
void input_skip(struct input *input, size_t length);

#endif

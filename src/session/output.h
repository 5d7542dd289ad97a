/* SPDX-License-Identifier: Apache-2.0 */
/* session/output.h: gathers what one event causes to be sent, so that it goes out in one stream_take.
 *
 * Heads and framing are written straight into a pooled buffer; small pieces are copied behind them, so that a short message is
 * one contiguous run; larger ones are passed on by reference. A buffer is held only while something in it is not taken yet.
 * Loop's thread; calls nothing back. The owner sees to it that output_flush is called (from a task).
 *
 *	char *at = output_room(&output, http1_head_room(head));     // NULL: no buffer to be had, or more than one holds
 *	output_wrote(&output, http1_write_response(at, ...));
 *	output_piece(&output, piece);
 *	output_flush(&output);
 */
#ifndef SESSION_OUTPUT_H
#define SESSION_OUTPUT_H

#include "base/buffer.h"
#include "io/stream.h"

enum {
	OUTPUT_COPY = 2048, /* pieces up to this length are copied when there is room behind what was written */
};

struct output {
	struct stream *stream;
	struct pool *buffers;
	struct pool *large;    /* for heads that are longer than one of those holds; NULL, as output_init leaves it: none */
	struct buffer *buffer; /* being written, or NULL */
	uint32_t sealed;       /* so much of it is in pieces already */
	uint16_t count, most;
	uint32_t gathered;    /* bytes not taken by the stream yet */
	uint32_t taken;       /* bytes taken by the stream since the owner looked, which is in the same turn */
	size_t waiting;       /* bytes that the stream has taken and not sent */
	uint64_t given;       /* taken in all */
	struct piece *pieces; /* the owner's: as many as are worth being sent in one go */
};

/* `pieces`: at least 3, `most`; they stay where they are. */
void output_init(struct output *output, struct stream *stream, struct pool *buffers, struct piece *pieces, uint16_t most);
/* `to` goes on with what `from` has, of which nothing is left; its pieces are elsewhere. */
void output_move(struct output *to, const struct output *from, struct piece *pieces, uint16_t most);
/* Room for so many bytes in one piece, valid until the next call; then tell how many were written. NULL: no buffer to be had, or more than
 * one holds. */
char *output_room(struct output *output, size_t length);
/* How many bytes fit behind the last ones without a new buffer. */
size_t output_room_left(const struct output *output);
void output_wrote(struct output *output, size_t length);
/* Owns the piece. */
void output_piece(struct output *output, struct piece piece);
/* Whether the stream has enough to send, so that what little was gathered had better wait for more of it: given away
 * bit by bit it would take up a buffer for each. Until the stream has drained. */
bool output_may_gather(const struct output *output);
void output_flush(struct output *output);
void output_drop(struct output *output); /* what is not taken yet */

/* How many bytes of what the stream was given have left. */
uint64_t output_sent(struct output *output);

/* Bytes on their way that have not left. */
static inline size_t output_backlog(const struct output *output)
{
	return output->waiting + output->gathered;
}

#endif

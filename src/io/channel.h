/* SPDX-License-Identifier: Apache-2.0 */
/* io/channel.h: a bounded queue of messages into a loop, from any thread.
 *
 * Messages of one sender arrive in its order. Posting never blocks. A full channel is counted and refused: the sender then
 * fails only what it was sending for. Delivery is from the loop, in batches that leave I/O its turn.
 *
 *	channel_new(loop, 1024, &channel);                              // on or before the loop's thread runs
 *	channel_post(channel, (struct message){ .deliver = publish, .owner = worker, .a = set });
 */
#ifndef IO_CHANNEL_H
#define IO_CHANNEL_H

#include <stdint.h>

#include "base/error.h"

struct channel;
struct loop;

struct message {
	void (*deliver)(const struct message *message); /* runs on the channel's loop */
	void *owner;
	void *a;
	void *b;
	uint64_t n;
};

MUST_CHECK int channel_new(struct loop *loop, unsigned capacity, struct channel **channel);
/* ERROR_LIMIT when full. */
MUST_CHECK int channel_post(struct channel *channel, struct message message);
uint64_t channel_refused(const struct channel *channel);
/* On the loop's thread, after the last post; undelivered messages are delivered first. */
void channel_free(struct channel *channel);

#endif

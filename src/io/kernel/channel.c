/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: a ring of numbered cells, after Dmitry Vyukov's bounded queue ("Bounded MPMC queue", 1024cores.net), with one
 * reader. A cell's turn says whose move it is: `turn == position` the sender's, `turn == position + 1` the reader's.
 *
 * All channels of a loop share its wake: `woken` is set by the first post after the loop last looked, and only that post
 * makes a system call. The loop clears it before it looks, so that nothing posted is missed. */
#include "io/channel.h"

#include "base/check.h"
#include "base/memory.h"
#include "io/kernel/kernel.h"

enum { CACHE_LINE = 64, DELIVER_AT_ONCE = 128 };

struct cell {
	_Atomic uint64_t turn;
	struct message message;
};

struct channel {
	struct loop *loop;
	struct list link; /* in loop->channels */
	struct cell *cells;
	uint64_t mask;
	uint64_t read; /* the reader's position */
	_Atomic uint64_t refused;
	_Alignas(CACHE_LINE) _Atomic uint64_t written; /* the senders' position */
};

int channel_new(struct loop *loop, unsigned capacity, struct channel **result)
{
	uint64_t cells = 2;
	while (cells < capacity)
		cells *= 2;
	struct channel *channel = memory_new_aligned(sizeof *channel, CACHE_LINE);
	channel->loop = loop;
	channel->mask = cells - 1;
	channel->cells = memory_array(cells, sizeof *channel->cells);
	for (uint64_t i = 0; i < cells; i++)
		atomic_init(&channel->cells[i].turn, i);
	list_append(&loop->channels, &channel->link);
	*result = channel;
	return 0;
}

int channel_post(struct channel *channel, struct message message)
{
	uint64_t position = atomic_load_explicit(&channel->written, memory_order_relaxed);
	for (;;) {
		struct cell *cell = &channel->cells[position & channel->mask];
		uint64_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
		if (turn == position) {
			if (atomic_compare_exchange_weak_explicit(
				    &channel->written, &position, position + 1, memory_order_relaxed, memory_order_relaxed)) {
				cell->message = message;
				atomic_store_explicit(&cell->turn, position + 1, memory_order_release);
				loop_wake(channel->loop);
				return 0;
			}
		} else if (turn < position) { /* the reader is a whole ring behind */
			atomic_fetch_add_explicit(&channel->refused, 1, memory_order_relaxed);
			return ERROR_LIMIT;
		} else {
			position = atomic_load_explicit(&channel->written, memory_order_relaxed);
		}
	}
}

uint64_t channel_refused(const struct channel *channel)
{
	return atomic_load_explicit(&channel->refused, memory_order_relaxed);
}

/* False when there is none. The cell is free again before the call, which may post. */
static bool deliver_one(struct channel *channel)
{
	struct cell *cell = &channel->cells[channel->read & channel->mask];
	if (atomic_load_explicit(&cell->turn, memory_order_acquire) != channel->read + 1)
		return false;
	struct message message = cell->message;
	atomic_store_explicit(&cell->turn, channel->read + channel->mask + 1, memory_order_release);
	channel->read++;
	message.deliver(&message);
	return true;
}

/* A delivery may make and free channels, this one too: so after each it is looked up again by its place in the list, which
 * is turned as the channels have had their share. */
void channel_deliver_all(struct loop *loop)
{
	struct list done;
	struct list *link;
	bool more = false;
	list_init(&done);
	while ((link = list_first(&loop->channels))) {
		list_remove(link);
		list_append(&done, link);
		for (int i = 0; list_last(&done) == link; i++) {
			struct channel *channel = LIST_OF(link, struct channel, link);
			if (i == DELIVER_AT_ONCE)
				more = true;
			if (i == DELIVER_AT_ONCE || !deliver_one(channel))
				break;
			loop_run_tasks(loop);
		}
	}
	while ((link = list_first(&done))) {
		list_remove(link);
		list_append(&loop->channels, link);
	}
	if (more)
		loop_wake(loop);
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	while (deliver_one(channel))
		;
	list_remove(&channel->link);
	memory_free(channel->cells);
	memory_free(channel);
}

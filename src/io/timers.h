/* SPDX-License-Identifier: Apache-2.0 */
/* io/timers.h: the heap of timers that both backends keep in their loops. For backends only; one thread.
 *
 * A 4-ary heap ordered by deadline and, among equal deadlines, by the order in which they were set, so that what runs first
 * never depends on an address. Its array grows on the heap and is kept.
 *
 *	while (budget-- && (t = timers_expired(&loop->timers, loop->now)))
 *		t->fired(t->owner);
 */
#ifndef IO_TIMERS_H
#define IO_TIMERS_H

#include <stdint.h>

#include "base/clock.h"
#include "io/loop.h"

struct timers_slot {
	int64_t deadline;
	uint64_t order; /* which setting this was */
	struct timer *timer;
};

struct timers {
	struct timers_slot *slots; /* the heap is slots[1..count]; a timer's index points here */
	uint32_t count, capacity;
	uint64_t settings;
};

void timers_init(struct timers *timers);
void timers_fini(struct timers *timers); /* timers that are still set are forgotten */
void timers_set(struct timers *timers, struct timer *timer, int64_t deadline);
void timers_cancel(struct timers *timers, struct timer *timer);
/* Takes out the first timer whose deadline is at or before `now`; NULL when there is none. The caller fires it. */
struct timer *timers_expired(struct timers *timers, int64_t now);

/* The first deadline, or CLOCK_NEVER. */
static inline int64_t timers_next(const struct timers *timers)
{
	return timers->count ? timers->slots[1].deadline : CLOCK_NEVER;
}

#endif

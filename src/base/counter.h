/* SPDX-License-Identifier: Apache-2.0 */
/* base/counter.h: numbers that one thread writes and any thread may read, without locks.
 *
 * A counter belongs to one writing thread (a shard); the reader sums the shards. Plain load and store, relaxed: no locked
 * instruction. For what several threads write (limits, budgets, health) see shared_*.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
	_Atomic uint64_t value;
};

static inline void counter_add(struct counter *counter, uint64_t n)
{
	uint64_t old = atomic_load_explicit(&counter->value, memory_order_relaxed);
	atomic_store_explicit(&counter->value, old + n, memory_order_relaxed);
}

static inline void counter_sub(struct counter *counter, uint64_t n)
{
	counter_add(counter, 0 - n);
}

/* For gauges. */
static inline void counter_set(struct counter *counter, uint64_t value)
{
	atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counter *counter)
{
	return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif

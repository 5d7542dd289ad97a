/* SPDX-License-Identifier: Apache-2.0 */
#include "io/timers.h"

#include <stdbool.h>

#include "base/check.h"
#include "base/memory.h"

enum { CHILDREN = 4, FIRST_CAPACITY = 64 };

void timer_init(struct timer *timer, void (*fired)(void *owner), void *owner)
{
	*timer = (struct timer){ .fired = fired, .owner = owner };
}

void timers_init(struct timers *timers)
{
	*timers = (struct timers){ 0 };
}

void timers_fini(struct timers *timers)
{
	for (uint32_t i = 1; i <= timers->count; i++)
		timers->slots[i].timer->index = 0;
	memory_free(timers->slots);
	timers_init(timers);
}

static bool before(const struct timers_slot *a, const struct timers_slot *b)
{
	return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void place(struct timers *timers, uint32_t index, struct timers_slot slot)
{
	timers->slots[index] = slot;
	slot.timer->index = index;
}

/* Nodes count from 1; node i's children are 4i-2 .. 4i+1. */
static uint32_t parent_of(uint32_t index)
{
	return (index + CHILDREN - 2) / CHILDREN;
}

static uint32_t first_child_of(uint32_t index)
{
	return CHILDREN * index - (CHILDREN - 2);
}

static bool rise(struct timers *timers, uint32_t index, struct timers_slot slot)
{
	uint32_t start = index;
	while (index > 1 && before(&slot, &timers->slots[parent_of(index)])) {
		place(timers, index, timers->slots[parent_of(index)]);
		index = parent_of(index);
	}
	place(timers, index, slot);
	return index != start;
}

static void sink(struct timers *timers, uint32_t index, struct timers_slot slot)
{
	for (;;) {
		uint32_t child = first_child_of(index), least = 0;
		for (uint32_t end = child + CHILDREN; child < end && child <= timers->count; child++)
			if (!least || before(&timers->slots[child], &timers->slots[least]))
				least = child;
		if (!least || !before(&timers->slots[least], &slot))
			break;
		place(timers, index, timers->slots[least]);
		index = least;
	}
	place(timers, index, slot);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t deadline)
{
	struct timers_slot slot = { deadline, ++timers->settings, timer };
	if (timer->index) {
		CHECK(timer->index <= timers->count && timers->slots[timer->index].timer == timer);
		if (!rise(timers, timer->index, slot))
			sink(timers, timer->index, slot);
		return;
	}
	if (timers->count + 1 >= timers->capacity) {
		timers->capacity = timers->capacity ? timers->capacity * 2 : FIRST_CAPACITY;
		timers->slots = memory_grow(timers->slots, timers->capacity, sizeof *timers->slots);
	}
	rise(timers, ++timers->count, slot);
}

static void take_out(struct timers *timers, uint32_t index)
{
	struct timers_slot last = timers->slots[timers->count--];
	timers->slots[index].timer->index = 0;
	if (index > timers->count)
		return;
	if (!rise(timers, index, last))
		sink(timers, index, last);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
	if (!timer->index)
		return;
	CHECK(timer->index <= timers->count && timers->slots[timer->index].timer == timer);
	take_out(timers, timer->index);
}

struct timer *timers_expired(struct timers *timers, int64_t now)
{
	if (timers_next(timers) > now || !timers->count)
		return NULL;
	struct timer *timer = timers->slots[1].timer;
	take_out(timers, 1);
	return timer;
}

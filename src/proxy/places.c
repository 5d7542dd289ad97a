/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/places.h"

/* Sequentially consistent, all of it: of two that write one word and then read the other's, one must see the other. */

bool places_take(struct places *places, uint32_t max)
{
	uint32_t open = atomic_load(&places->open);

	/* Never more than there are, not even for a moment: somebody would be refused by what is given back at once. */
	do {
		if (max && open >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&places->open, &open, open + 1));
	return true;
}

void places_give(struct places *places)
{
	atomic_fetch_sub(&places->open, 1);
}

bool places_left(const struct places *places, uint32_t max)
{
	return !max || atomic_load(&places->open) < max;
}

static uint64_t bit_of(unsigned worker)
{
	return UINT64_C(1) << worker % 64;
}

void places_set(struct places_workers *set, unsigned worker)
{
	atomic_fetch_or(&set->words[worker / 64], bit_of(worker));
}

void places_clear(struct places_workers *set, unsigned worker)
{
	atomic_fetch_and(&set->words[worker / 64], ~bit_of(worker));
}

bool places_has(const struct places_workers *set, unsigned worker)
{
	return atomic_load(&set->words[worker / 64]) & bit_of(worker);
}

bool places_others(const struct places_workers *set, unsigned worker)
{
	uint64_t others = 0;

	for (unsigned i = 0; i < PLACES_WORDS; i++)
		others |= atomic_load(&set->words[i]) & ~(i == worker / 64 ? bit_of(worker) : 0);
	return others != 0;
}

int places_next(const struct places_workers *set, unsigned worker, unsigned workers)
{
	for (unsigned i = 1; i < workers; i++) {
		unsigned next = (worker + i) % workers;

		if (places_has(set, next))
			return (int)next;
	}
	return -1;
}

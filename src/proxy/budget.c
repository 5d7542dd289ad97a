/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/budget.h"

#include "base/clock.h"

/* A slot's word: the number of the slot in time (its lowest EPOCH_BITS bits) above the signed sum of what was deposited and
 * withdrawn in it. One compare-and-swap empties an old slot and adds to it, so nothing that workers add is lost. */
enum { VALUE_BITS = 40, EPOCH_BITS = 64 - VALUE_BITS };

/* What a request deposits: finely divisible where a retry costs few deposits, and so that many retries still fit into a word
 * where it costs many. Below LEAST_PERCENT retries come out of the reserve alone. */
enum { FINE = 1000, COARSE = 1 };
#define COARSE_BELOW 1e-3
#define LEAST_PERCENT 1e-6

static uint64_t make_word(uint64_t epoch, int64_t value)
{
	return epoch << VALUE_BITS | ((uint64_t)value & ((UINT64_C(1) << VALUE_BITS) - 1));
}

static uint64_t epoch_of(uint64_t word)
{
	return word >> VALUE_BITS;
}

static int64_t value_of(uint64_t word)
{
	return (int64_t)(word << EPOCH_BITS) >> EPOCH_BITS;
}

/* Whether `word` is of the slot `epoch`, of one of the few before that still count, or of one that another worker, whose
 * clock is a little ahead, has begun already. */
static bool is_current(uint64_t word, uint64_t epoch, int64_t slots)
{
	int64_t age = (int64_t)((epoch - epoch_of(word)) << VALUE_BITS) >> VALUE_BITS;

	return age > -BUDGET_SLOTS - 1 && age < slots;
}

void budget_init(struct budget *budget, const struct budget_policy *policy)
{
	int64_t ttl = policy->ttl_ns >= BUDGET_SLOTS ? policy->ttl_ns : 10 * CLOCK_SECOND;
	double percent = policy->percent_can_retry;

	*budget = (struct budget){ 0 };
	budget->slot_ns = ttl / BUDGET_SLOTS;
	budget->deposit = percent < COARSE_BELOW ? COARSE : FINE;
	budget->earns = percent >= LEAST_PERCENT;
	budget->cost = budget->earns ? (int64_t)((double)budget->deposit / percent + 0.5) : 1;
	if (budget->cost < 1)
		budget->cost = 1;
	budget->reserve = (int64_t)((double)policy->min_retries_per_second * ((double)ttl / 1e9) * (double)budget->cost);
	for (unsigned i = 0; i < BUDGET_SLOTS; i++)
		atomic_init(&budget->slots[i], 0);
}

/* Adds to the slot of `now`, or to the one that another worker has begun in its place already. */
static void add(struct budget *budget, int64_t now, int64_t amount)
{
	uint64_t epoch = (uint64_t)(now / budget->slot_ns), next;
	_Atomic uint64_t *slot = &budget->slots[epoch % BUDGET_SLOTS];
	uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);

	do {
		if (is_current(word, epoch, 1))
			next = make_word(epoch_of(word), value_of(word) + amount);
		else
			next = make_word(epoch, amount);
	} while (!atomic_compare_exchange_weak_explicit(slot, &word, next, memory_order_relaxed, memory_order_relaxed));
	atomic_store_explicit(&budget->now, now, memory_order_relaxed);
}

static int64_t sum(const struct budget *budget, int64_t now)
{
	uint64_t epoch = (uint64_t)(now / budget->slot_ns);
	int64_t total = budget->reserve;

	for (unsigned i = 0; i < BUDGET_SLOTS; i++) {
		uint64_t word = atomic_load_explicit(&budget->slots[i], memory_order_relaxed);

		if (is_current(word, epoch, BUDGET_SLOTS))
			total += value_of(word);
	}
	return total;
}

void budget_flush(struct budget *budget, struct budget_share *share, int64_t now)
{
	if (share->deposits && budget->earns)
		add(budget, now, (int64_t)share->deposits * budget->deposit);
	share->deposits = 0;
}

/* Taken first and given back when it was too much: of several workers that take the last at once, none gets what isn't there
 * (all may be refused). */
bool budget_withdraw(struct budget *budget, struct budget_share *share, int64_t now)
{
	budget_flush(budget, share, now);
	if (sum(budget, now) < budget->cost)
		return false;
	add(budget, now, -budget->cost);
	if (sum(budget, now) >= 0)
		return true;
	add(budget, now, budget->cost);
	return false;
}

double budget_balance(const struct budget *budget)
{
	int64_t left = sum(budget, atomic_load_explicit(&budget->now, memory_order_relaxed));

	return left > 0 ? (double)left / (double)budget->cost : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/budget.h"

#include "base/clock.h"

enum { DEPOSIT = 1000 };

void budget_init(struct budget *budget, const struct budget_policy *policy)
{
	int64_t ttl = policy->ttl_ns > 0 ? policy->ttl_ns : 10 * CLOCK_SECOND;
	double cost = policy->percent_can_retry > 0 ? DEPOSIT / policy->percent_can_retry : 0;

	*budget = (struct budget){ 0 };
	budget->slot_ns = ttl / BUDGET_SLOTS;
	budget->earns = cost > 0;
	budget->cost = budget->earns ? (int64_t)cost : DEPOSIT;
	budget->reserve = (int64_t)((double)policy->min_retries_per_second * ((double)ttl / 1e9) * (double)budget->cost);
	for (unsigned i = 0; i < BUDGET_SLOTS; i++)
		atomic_store_explicit(&budget->slots[i].epoch, -1, memory_order_relaxed);
}

/* Adds to the slot of `now`, first emptying it when it still holds a time long gone. */
static void add(struct budget *budget, int64_t now, int64_t amount)
{
	int64_t epoch = now / budget->slot_ns;
	unsigned i = (unsigned)(epoch % BUDGET_SLOTS);
	int64_t found = atomic_load_explicit(&budget->slots[i].epoch, memory_order_acquire);

	if (found < epoch && atomic_compare_exchange_strong(&budget->slots[i].epoch, &found, epoch))
		atomic_store_explicit(&budget->slots[i].value, 0, memory_order_release);
	atomic_fetch_add_explicit(&budget->slots[i].value, amount, memory_order_relaxed);
	atomic_store_explicit(&budget->now, now, memory_order_relaxed);
}

static int64_t sum(const struct budget *budget, int64_t now)
{
	int64_t oldest = now / budget->slot_ns - BUDGET_SLOTS + 1, total = budget->reserve;

	for (unsigned i = 0; i < BUDGET_SLOTS; i++)
		if (atomic_load_explicit(&budget->slots[i].epoch, memory_order_relaxed) >= oldest)
			total += atomic_load_explicit(&budget->slots[i].value, memory_order_relaxed);
	return total;
}

void budget_flush(struct budget *budget, struct budget_share *share, int64_t now)
{
	if (share->deposits && budget->earns)
		add(budget, now, (int64_t)share->deposits * DEPOSIT);
	share->deposits = 0;
}

bool budget_withdraw(struct budget *budget, struct budget_share *share, int64_t now)
{
	budget_flush(budget, share, now);
	if (sum(budget, now) < budget->cost)
		return false;
	add(budget, now, -budget->cost);
	return true;
}

double budget_balance(const struct budget *budget)
{
	int64_t left = sum(budget, atomic_load_explicit(&budget->now, memory_order_relaxed));

	return left > 0 ? (double)left / (double)budget->cost : 0;
}

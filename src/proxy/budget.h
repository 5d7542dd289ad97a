/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/budget.h: how many retries the calls so far have earned; shared by all workers.
 *
 * A leaky token bucket, as Finagle's RetryBudget: each request deposits, a retry withdraws 1 / percent_can_retry deposits;
 * deposits older than ttl no longer count; a reserve of min_retries_per_second * ttl retries is always there. Ten slots of
 * ttl / 10, atomics. Workers deposit in batches of BUDGET_BATCH through a budget_share, so that totals are right up to one
 * batch a worker; no more is ever withdrawn than there is, whoever else withdraws.
 *
 *	budget_init(&service->budget, &policy);
 *	budget_deposit(&service->budget, &mine, now);
 *	if (budget_withdraw(&service->budget, &mine, now)) retry();
 */
#ifndef PROXY_BUDGET_H
#define PROXY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/policy.h"

enum { BUDGET_SLOTS = 10, BUDGET_BATCH = 16 };

struct budget {
	int64_t slot_ns, reserve;
	int64_t deposit, cost;                /* what a request brings, and what a retry takes */
	bool earns;                           /* false: deposits earn nothing, retries come out of the reserve alone */
	_Atomic int64_t now;                  /* the latest time told, for readers */
	_Atomic uint64_t slots[BUDGET_SLOTS]; /* which slot of time it is, and deposits - withdrawals: see budget.c */
};

/* A worker's deposits that it has not told yet. */
struct budget_share {
	uint32_t deposits;
};

void budget_init(struct budget *budget, const struct budget_policy *policy);
void budget_flush(struct budget *budget, struct budget_share *share, int64_t now);
bool budget_withdraw(struct budget *budget, struct budget_share *share, int64_t now);
/* Retries that could be made now, as of the latest time that a worker told; any thread. */
double budget_balance(const struct budget *budget);

static inline void budget_deposit(struct budget *budget, struct budget_share *share, int64_t now)
{
	if (++share->deposits >= BUDGET_BATCH)
		budget_flush(budget, share, now);
}

#endif

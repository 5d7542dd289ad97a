/* SPDX-License-Identifier: Apache-2.0 */
/* balance/health.h: whether an endpoint may be picked: failure accrual, shared by all workers.
 *
 * One cache line per endpoint and client, updated with atomics by every worker. States:
 *
 *	alive --failures in a row--> dead until a time --the time passed, one worker takes the probe--> probing
 *	probing --success--> alive        probing --failure--> dead for the next, longer time
 *	probing --no answer for PROBE_TIMEOUT--> another probe may be taken
 *
 * Any thread that holds the endpoint; no locks.
 *
 *	if (health_available(h, now)) ...               // alive, or a probe could be taken
 *	if (health_begin(h, now)) ...                   // before an attempt: takes the probe if one is due (true: this is it)
 *	enum health_change c = health_report(h, &policy, success, now, random_unit(r), &ns);
 */
#ifndef BALANCE_HEALTH_H
#define BALANCE_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/policy.h"

enum health_state {
	HEALTH_ALIVE,
	HEALTH_DEAD,
	HEALTH_PROBING,
};

enum health_change {
	HEALTH_SAME,
	HEALTH_REMOVED,  /* alive → dead; *ns = for how long */
	HEALTH_REVIVED,  /* probing → alive; *ns = how long it was out */
	HEALTH_AGAIN,    /* a probe failed; *ns = the next time out */
};

struct health {
	_Alignas(64) _Atomic uint64_t word;  /* state, consecutive failures, back-off step: one compare-and-swap moves all */
	_Atomic int64_t until;               /* dead: monotonic ns */
	_Atomic int64_t removed_at;
	_Atomic int64_t last_backoff_ns;
	_Atomic uint32_t open;               /* connections to it, all workers (for connection_policy.max_size) */
};

void health_init(struct health *health);
bool health_available(const struct health *health, int64_t now);
bool health_begin(struct health *health, int64_t now);
enum health_change health_report(struct health *health, const struct accrual_policy *policy, bool success, int64_t now, double random, int64_t *ns);
enum health_state health_state(const struct health *health);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* balance/health.h: whether an endpoint may be picked: failure accrual, and what active checks say; shared by all workers.
 *
 * One cache line per endpoint and client, updated with atomics by every worker. States:
 *
 *	alive --failures in a row--> dead until a time --the time passed, one worker takes the probe--> probing
 *	probing --success--> alive        probing --failure--> dead for the next, longer time
 *	probing --given up, or no answer for HEALTH_PROBE_TIMEOUT--> another probe may be taken
 *
 *	any --its checks fail--> failing      failing --a check passes--> alive
 *
 * What attempts from before the removal report while the endpoint is dead or failing changes nothing. While it is probing any report
 * counts, as in Finagle. Checks that pass bring nothing back that failure accrual has taken out: its probe does.
 *
 * Any thread that holds the endpoint; no locks.
 *
 *	if (health_available(h, now)) ...               // alive, or a probe could be taken
 *	if (health_begin(h, now)) ...                   // before an attempt: takes the probe if one is due (true: this is it)
 *	enum health_change c = health_report(h, &policy, success, now, random_unit(r), &ns);
 *	health_give_up(h, now);                         // instead of a report: the probe ended, and says nothing (cancelled)
 *	if (health_fail(h, now)) ...                    // its checks have failed often enough
 *	if (health_pass(h, now, &ns)) ...               // and passed again
 */
#ifndef BALANCE_HEALTH_H
#define BALANCE_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/policy.h"

enum health_state {
	HEALTH_ALIVE,
	HEALTH_DEAD,
	HEALTH_PROBING,
	HEALTH_FAILING,
};

enum health_change {
	HEALTH_SAME,
	HEALTH_REMOVED, /* alive → dead; *ns = for how long */
	HEALTH_REVIVED, /* probing → alive; *ns = how long it was out */
	HEALTH_AGAIN,   /* a probe failed; *ns = the next time out */
};

#define HEALTH_PROBE_TIMEOUT (5 * CLOCK_SECOND)

/* The word, which one compare-and-swap moves from state to state, has the state in its lowest two bits; above them
 *	alive    how many failures there were in a row
 *	dead     in 6 bits how many times it was taken out since it was alive; then until when, in units of HEALTH_TICK
 *	probing  in 6 bits the same; then when another probe may be taken
 *	failing  never, in those units
 */
enum { HEALTH_TICK = 64 };

struct health {
	_Alignas(64) _Atomic uint64_t word;
	_Atomic int64_t removed_at;
	_Atomic int64_t last_backoff_ns;
};

void health_init(struct health *health);
bool health_begin(struct health *health, int64_t now);
/* `random`: 0 <= x < 1, for the back-off. *ns is set for every change but HEALTH_SAME. */
enum health_change health_report(
	struct health *health, const struct accrual_policy *policy, bool success, int64_t now, double random, int64_t *ns);
/* Who took the probe has no verdict: the next probe may be taken at once. Without effect when it isn't probing. */
void health_give_up(struct health *health, int64_t now);
/* False: it is so already. */
bool health_fail(struct health *health, int64_t now);
/* False: its checks had not failed. *ns: how long it was out. */
bool health_pass(struct health *health, int64_t now, int64_t *ns);
enum health_state health_state(const struct health *health);

/* What is known of an endpoint, for people to read. */
struct health_story {
	enum health_state state;
	unsigned failures;  /* alive: in a row */
	unsigned times_out; /* else: how often it was taken out since it was alive */
	int64_t again_at;   /* else: when a probe may be taken */
	int64_t removed_at; /* when it was taken out, the last time that it was alive; 0: never */
};
struct health_story health_tell(const struct health *health);
/* Its state in one word, wherever people see it: "alive", "out", "probing", "failing" (its checks). Static. */
const char *health_text(const struct health_story *story);

/* health_available for what is not alive. */
bool health_probe_due(const struct health *health, int64_t now);

static inline bool health_available(const struct health *health, int64_t now)
{
	uint64_t word = atomic_load_explicit(&health->word, memory_order_relaxed);

	return (word & 3) == HEALTH_ALIVE || health_probe_due(health, now);
}

#endif

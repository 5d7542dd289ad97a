/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/health.h"

enum {
	STEP_SHIFT = 2,
	STEP_MAX = 63,
	UNTIL_SHIFT = 8,
	FAILURES_SHIFT = 2,
};

static uint64_t load(const struct health *health)
{
	return atomic_load_explicit(&health->word, memory_order_relaxed);
}

static bool move(struct health *health, uint64_t *word, uint64_t next)
{
	return atomic_compare_exchange_weak_explicit(&health->word, word, next, memory_order_acq_rel, memory_order_relaxed);
}

static enum health_state state_of(uint64_t word)
{
	return (enum health_state)(word & 3);
}

static unsigned step_of(uint64_t word)
{
	return (unsigned)(word >> STEP_SHIFT) & STEP_MAX;
}

static int64_t until_of(uint64_t word)
{
	return (int64_t)(word >> UNTIL_SHIFT) * HEALTH_TICK;
}

/* The instant is rounded up: nothing comes back early. */
static uint64_t make(enum health_state state, unsigned step, int64_t until)
{
	uint64_t ticks = ((uint64_t)(until < 0 ? 0 : until) + HEALTH_TICK - 1) / HEALTH_TICK;

	if (ticks > UINT64_MAX >> UNTIL_SHIFT)
		ticks = UINT64_MAX >> UNTIL_SHIFT;
	return (uint64_t)state | (uint64_t)(step < STEP_MAX ? step : STEP_MAX) << STEP_SHIFT | ticks << UNTIL_SHIFT;
}

static bool probe_due(uint64_t word, int64_t now)
{
	return state_of(word) != HEALTH_ALIVE && now >= until_of(word);
}

void health_init(struct health *health)
{
	atomic_init(&health->word, HEALTH_ALIVE);
	atomic_init(&health->removed_at, 0);
	atomic_init(&health->last_backoff_ns, 0);
}

bool health_probe_due(const struct health *health, int64_t now)
{
	return probe_due(load(health), now);
}

bool health_begin(struct health *health, int64_t now)
{
	uint64_t word = load(health);

	while (probe_due(word, now))
		if (move(health, &word, make(HEALTH_PROBING, step_of(word), clock_after(now, HEALTH_PROBE_TIMEOUT))))
			return true;
	return false;
}

/* From `word` to dead, for the time that goes with how often it was taken out in a row. */
static bool take_out(
	struct health *health, const struct accrual_policy *policy, uint64_t *word, unsigned step, int64_t now, double random, int64_t *ns)
{
	int64_t last = atomic_load_explicit(&health->last_backoff_ns, memory_order_relaxed);

	*ns = backoff_next(&policy->backoff, step, step ? last : 0, random);
	if (!move(health, word, make(HEALTH_DEAD, step, clock_after(now, *ns))))
		return false;
	atomic_store_explicit(&health->last_backoff_ns, *ns, memory_order_relaxed);
	return true;
}

static enum health_change report_alive(struct health *health, const struct accrual_policy *policy, uint64_t *word, bool success,
	int64_t now, double random, int64_t *ns, bool *done)
{
	uint64_t failures = *word >> FAILURES_SHIFT;

	if (success) {
		*done = !failures || move(health, word, HEALTH_ALIVE);
		return HEALTH_SAME;
	}
	if (failures + 1 < policy->failures) {
		*done = move(health, word, HEALTH_ALIVE | (failures + 1) << FAILURES_SHIFT);
		return HEALTH_SAME;
	}
	*done = take_out(health, policy, word, 0, now, random, ns);
	if (*done)
		atomic_store_explicit(&health->removed_at, now, memory_order_relaxed);
	return HEALTH_REMOVED;
}

static int64_t out_since(const struct health *health, int64_t now)
{
	int64_t out = now - atomic_load_explicit(&health->removed_at, memory_order_relaxed);

	return out > 0 ? out : 0;
}

static enum health_change report_probing(struct health *health, const struct accrual_policy *policy, uint64_t *word, bool success,
	int64_t now, double random, int64_t *ns, bool *done)
{
	if (!success) {
		*done = take_out(health, policy, word, step_of(*word) + 1, now, random, ns);
		return HEALTH_AGAIN;
	}
	*ns = out_since(health, now);
	*done = move(health, word, HEALTH_ALIVE);
	return HEALTH_REVIVED;
}

enum health_change health_report(
	struct health *health, const struct accrual_policy *policy, bool success, int64_t now, double random, int64_t *ns)
{
	uint64_t word = load(health);
	enum health_change change;
	bool done = false;

	/* Alive without failures, as nearly always: nothing is written, the cache line stays shared. */
	if ((success && word == HEALTH_ALIVE) || policy->kind == ACCRUAL_NONE)
		return HEALTH_SAME;
	do {
		switch (state_of(word)) {
		case HEALTH_ALIVE:
			change = report_alive(health, policy, &word, success, now, random, ns, &done);
			break;
		case HEALTH_PROBING:
			change = report_probing(health, policy, &word, success, now, random, ns, &done);
			break;
		case HEALTH_DEAD:
		case HEALTH_FAILING:
		default:
			return HEALTH_SAME;
		}
	} while (!done);
	return change;
}

void health_give_up(struct health *health, int64_t now)
{
	uint64_t word = load(health);

	while (state_of(word) == HEALTH_PROBING)
		if (move(health, &word, make(HEALTH_DEAD, step_of(word), now - HEALTH_TICK)))
			return;
}

bool health_fail(struct health *health, int64_t now)
{
	uint64_t word = load(health);

	while (state_of(word) != HEALTH_FAILING) {
		if (move(health, &word, make(HEALTH_FAILING, 0, INT64_MAX))) {
			atomic_store_explicit(&health->removed_at, now, memory_order_relaxed);
			return true;
		}
	}
	return false;
}

bool health_pass(struct health *health, int64_t now, int64_t *ns)
{
	uint64_t word = load(health);

	*ns = out_since(health, now);
	while (state_of(word) == HEALTH_FAILING) {
		if (move(health, &word, HEALTH_ALIVE))
			return true;
	}
	return false;
}

enum health_state health_state(const struct health *health)
{
	return state_of(load(health));
}

struct health_story health_tell(const struct health *health)
{
	uint64_t word = load(health);
	struct health_story story = {
		.state = state_of(word),
		.removed_at = atomic_load_explicit(&health->removed_at, memory_order_relaxed),
	};

	if (story.state == HEALTH_ALIVE) {
		story.failures = (unsigned)(word >> FAILURES_SHIFT);
	} else {
		story.times_out = step_of(word) + 1;
		story.again_at = until_of(word);
	}
	return story;
}

const char *health_text(const struct health_story *story)
{
	switch (story->state) {
	case HEALTH_ALIVE:
		return "alive";
	case HEALTH_DEAD:
		return "out";
	case HEALTH_PROBING:
		return "probing";
	case HEALTH_FAILING:
		break;
	}
	return "failing";
}

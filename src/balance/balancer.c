/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/balancer.h"

#include "balance/ewma.h"
#include "base/check.h"
#include "base/memory.h"

enum { DEFAULT_EFFORT = 5, PARTNER_TRIES = 8 };

/* How good a candidate is for an exchange, best last. */
enum rank {
	RANK_NONE,
	RANK_TRIED,   /* not available, and tried already */
	RANK_UNTRIED, /* not available */
	RANK_AVAILABLE_TRIED,
	RANK_USABLE, /* available, and not tried */
};

/* One pick's question. */
struct question {
	int64_t now;
	struct candidate *const *tried;
	unsigned tried_count;
};

void balancer_init(struct balancer *balancer, const struct balancer_policy *policy, struct random *random)
{
	*balancer = (struct balancer){ .policy = *policy, .random = random };
	if (!balancer->policy.max_effort)
		balancer->policy.max_effort = DEFAULT_EFFORT;
	/* So that workers that start together don't all begin with the same endpoint. */
	balancer->next = (uint32_t)random_u64(random);
}

void balancer_fini(struct balancer *balancer)
{
	memory_free(balancer->candidates);
	memory_free(balancer->sums);
	*balancer = (struct balancer){ 0 };
}

void balancer_add(struct balancer *balancer, struct candidate *candidate)
{
	if (balancer->count == balancer->capacity) {
		balancer->capacity = balancer->capacity ? balancer->capacity * 2 : 4;
		balancer->candidates = memory_grow(balancer->candidates, balancer->capacity, sizeof *balancer->candidates);
		balancer->sums = memory_grow(balancer->sums, balancer->capacity, sizeof *balancer->sums);
	}
	candidate->index = balancer->count;
	balancer->candidates[balancer->count++] = candidate;
	balancer->changed = true;
}

void balancer_remove(struct balancer *balancer, struct candidate *candidate)
{
	CHECK(candidate->index < balancer->count && balancer->candidates[candidate->index] == candidate);
	struct candidate *last = balancer->candidates[--balancer->count];

	last->index = candidate->index;
	balancer->candidates[last->index] = last;
	balancer->changed = true;
}

void balancer_set_weight(struct balancer *balancer, struct candidate *candidate, double weight)
{
	candidate->weight = weight;
	balancer->changed = true;
}

static void weigh(struct balancer *balancer)
{
	double sum = 0;

	balancer->changed = false;
	balancer->weighted = false;
	for (uint32_t i = 0; i < balancer->count; i++) {
		double weight = balancer->candidates[i]->weight;

		if (weight != balancer->candidates[0]->weight)
			balancer->weighted = true;
		sum += weight > 0 ? weight : 0;
		balancer->sums[i] = sum;
	}
	if (!(sum > 0))
		balancer->weighted = false;
}

/* The candidate in whose part of all weights, laid end to end, `fraction` falls. */
static struct candidate *at_fraction(const struct balancer *balancer, double fraction)
{
	double wanted = fraction * balancer->sums[balancer->count - 1];
	uint32_t low = 0, high = balancer->count - 1;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (balancer->sums[middle] > wanted)
			high = middle;
		else
			low = middle + 1;
	}
	return balancer->candidates[low];
}

/* Any two, with one draw. */
static void draw_pair(struct balancer *balancer, struct candidate **first, struct candidate **second)
{
	uint64_t bits = random_u64(balancer->random);
	uint32_t a = (uint32_t)((bits >> 32) * balancer->count >> 32);
	uint32_t b = (uint32_t)((bits & UINT32_MAX) * (balancer->count - 1) >> 32);

	*first = balancer->candidates[a];
	*second = balancer->candidates[b + (b >= a)];
}

/* One by its share of the weight, and another of the same weight to compare it with; NULL when none was found. */
static void draw_weighted_pair(struct balancer *balancer, struct candidate **first, struct candidate **second)
{
	*first = at_fraction(balancer, random_unit(balancer->random));
	for (unsigned i = 0; i < PARTNER_TRIES; i++) {
		uint32_t index = random_below(balancer->random, balancer->count - 1);

		*second = balancer->candidates[index + (index >= (*first)->index)];
		if ((*second)->weight == (*first)->weight)
			return;
	}
	*second = NULL;
}

/* The next in turn. With weights: steps of the golden ratio, which spread each one's share evenly over time. */
static struct candidate *draw_next(struct balancer *balancer)
{
	uint32_t turn = balancer->next++;

	if (!balancer->weighted)
		return balancer->candidates[turn % balancer->count];
	return at_fraction(balancer, (double)(uint32_t)(turn * UINT32_C(2654435769)) * 0x1p-32);
}

static enum rank rank(const struct candidate *candidate, const struct question *question)
{
	bool tried = false;

	for (unsigned i = 0; i < question->tried_count && !tried; i++)
		tried = question->tried[i] == candidate;
	if (health_available(candidate->health, question->now))
		return tried ? RANK_AVAILABLE_TRIED : RANK_USABLE;
	return tried ? RANK_TRIED : RANK_UNTRIED;
}

double balancer_load(const struct balancer *balancer, const struct candidate *candidate, int64_t now)
{
	if (balancer->policy.kind == BALANCER_EWMA)
		return ewma_load(candidate, balancer->policy.decay_ns, now);
	return candidate->pending;
}

/* Power of two choices. NULL: neither of the two is usable. */
static struct candidate *pick_of_two(struct balancer *balancer, const struct question *question)
{
	struct candidate *first, *second;

	if (balancer->weighted)
		draw_weighted_pair(balancer, &first, &second);
	else
		draw_pair(balancer, &first, &second);
	bool usable = rank(first, question) == RANK_USABLE;

	if (!second || rank(second, question) != RANK_USABLE)
		return usable ? first : NULL;
	if (!usable)
		return second;
	return balancer_load(balancer, second, question->now) < balancer_load(balancer, first, question->now) ? second : first;
}

static struct candidate *pick_next(struct balancer *balancer, const struct question *question)
{
	struct candidate *candidate = draw_next(balancer);

	return rank(candidate, question) == RANK_USABLE ? candidate : NULL;
}

/* The best of all by rank, beginning anywhere. */
static struct candidate *look_through(struct balancer *balancer, const struct question *question, enum rank *best)
{
	uint32_t start = balancer->count > 1 ? random_below(balancer->random, balancer->count) : 0;
	struct candidate *found = NULL;

	*best = RANK_NONE;
	for (uint32_t i = 0; i < balancer->count && *best != RANK_USABLE; i++) {
		uint32_t index = start + i < balancer->count ? start + i : start + i - balancer->count;
		enum rank its = rank(balancer->candidates[index], question);

		if (its > *best) {
			*best = its;
			found = balancer->candidates[index];
		}
	}
	return found;
}

struct candidate *balancer_pick(struct balancer *balancer, int64_t now, struct candidate *const *tried, unsigned tried_count, bool *forced)
{
	const struct question question = { now, tried, tried ? tried_count : 0 };
	enum rank best;

	*forced = false;
	if (balancer->count == 0)
		return NULL;
	if (balancer->changed)
		weigh(balancer);
	for (uint32_t effort = 0; balancer->count > 1 && effort < balancer->policy.max_effort; effort++) {
		struct candidate *picked =
			balancer->policy.kind == BALANCER_ROUND_ROBIN ? pick_next(balancer, &question) : pick_of_two(balancer, &question);

		if (picked)
			return picked;
	}
	struct candidate *found = look_through(balancer, &question, &best);

	*forced = best < RANK_AVAILABLE_TRIED;
	return found;
}

void balancer_begin(struct balancer *balancer, struct candidate *candidate, int64_t now)
{
	(void)balancer;
	(void)now;
	candidate->pending++;
}

void balancer_end(struct balancer *balancer, struct candidate *candidate, int64_t now, int64_t latency_ns)
{
	CHECK(candidate->pending > 0);
	candidate->pending--;
	if (latency_ns >= 0 && balancer->policy.kind == BALANCER_EWMA)
		ewma_observe(candidate, balancer->policy.decay_ns, now, latency_ns);
}

uint32_t balancer_available(const struct balancer *balancer, int64_t now)
{
	uint32_t available = 0;

	for (uint32_t i = 0; i < balancer->count; i++)
		available += health_available(balancer->candidates[i]->health, now);
	return available;
}

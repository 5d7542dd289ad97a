/* SPDX-License-Identifier: Apache-2.0 */
/* balance/balancer.h: picks one of a client's endpoints for an attempt. One balancer per worker and client; that thread only.
 *
 * A candidate is embedded in what the proxy keeps for an endpoint on this worker. Health is shared by all workers
 * (balance/health.h). A pick never fails while there is a candidate, and prefers, in this order: available and not tried
 * by this exchange; available; any (with *forced set, as Finagle does when all are out). max_effort is how often the
 * policy draws before all candidates are looked through.
 *
 * Weights are Finagle's: an endpoint gets its share of the picks, weight / sum of weights, and loads are compared only among
 * endpoints of the same weight.
 *
 *	balancer_init(&b, &policy, loop_random(loop));
 *	balancer_add(&b, &endpoint->candidate);
 *	struct candidate *c = balancer_pick(&b, now, tried, tried_count, &forced);  // avoids endpoints already tried if it can
 *	balancer_begin(&b, c, now);
 *	balancer_end(&b, c, now, latency_ns);
 */
#ifndef BALANCE_BALANCER_H
#define BALANCE_BALANCER_H

#include <stdbool.h>
#include <stdint.h>

#include "balance/health.h"
#include "base/random.h"
#include "model/policy.h"

struct candidate {
	struct health *health; /* shared; not owned */
	double weight;         /* > 0; 1 is usual; set before balancer_add, then by balancer_set_weight */
	uint32_t pending;      /* attempts in flight on this worker */
	uint32_t index;        /* in the balancer's array */
	double cost;           /* EWMA: nanoseconds, decayed to `stamp` */
	int64_t stamp;
};

struct balancer {
	struct balancer_policy policy;
	struct random *random;
	struct candidate **candidates; /* heap; grows when endpoints come, off the request path */
	uint32_t count, capacity;
	uint32_t next; /* round robin */
	bool weighted; /* not all have the same weight; then sums[i] is the weight of the first i + 1 */
	bool changed;  /* both must be found out anew */
	double *sums;
};

void balancer_init(struct balancer *balancer, const struct balancer_policy *policy, struct random *random);
void balancer_fini(struct balancer *balancer);
void balancer_add(struct balancer *balancer, struct candidate *candidate);
void balancer_remove(struct balancer *balancer, struct candidate *candidate);
void balancer_set_weight(struct balancer *balancer, struct candidate *candidate, double weight);
/* NULL only when there are no candidates. `tried` (may be NULL): those that this exchange used before. */
struct candidate *balancer_pick(struct balancer *balancer, int64_t now, struct candidate *const *tried, unsigned tried_count, bool *forced);
void balancer_begin(struct balancer *balancer, struct candidate *candidate, int64_t now);
/* latency_ns < 0: it did not run to its end, and says nothing about latency. */
void balancer_end(struct balancer *balancer, struct candidate *candidate, int64_t now, int64_t latency_ns);
/* How many are available now. */
uint32_t balancer_available(const struct balancer *balancer, int64_t now);
/* The balancer's opinion of a candidate: lower is better (for explaining, and for metrics). */
double balancer_load(const struct balancer *balancer, const struct candidate *candidate, int64_t now);

#endif

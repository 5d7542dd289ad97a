/* SPDX-License-Identifier: Apache-2.0 */
#include "balance/ewma.h"

#include <math.h>

/* More than eleven days, so above every latency; and exact with a number of attempts added. */
#define PENALTY 1e15
/* A cost below a nanosecond is no memory of anything. */
#define FORGOTTEN 1.0

/* exp(-elapsed / decay). The series is right to 2e-10 up to where exp is called; most calls are microseconds apart. */
static double remaining(int64_t elapsed, int64_t decay)
{
	if (elapsed <= 0)
		return 1;
	if (decay <= 0)
		return 0;
	double x = (double)elapsed / (double)decay;

	if (x < 0x1p-10)
		return 1 - x + x * x / 2;
	return x > 60 ? 0 : exp(-x);
}

static double decayed(const struct candidate *candidate, int64_t decay_ns, int64_t now)
{
	if (candidate->cost <= 0)
		return 0;
	double cost = candidate->cost * remaining(now - candidate->stamp, decay_ns);

	return cost < FORGOTTEN ? 0 : cost;
}

double ewma_load(const struct candidate *candidate, int64_t decay_ns, int64_t now)
{
	double cost = decayed(candidate, decay_ns, now);

	if (cost <= 0 && candidate->pending)
		return PENALTY + candidate->pending;
	return cost * (candidate->pending + 1.0);
}

/* Finagle decays the cost whenever it looks at it, and so averages a latency only over the moment since the last look. What
 * remains of that is a maximum: the latency counts in full where it's above the cost, and else not at all. */
void ewma_observe(struct candidate *candidate, int64_t decay_ns, int64_t now, int64_t latency_ns)
{
	double latency = latency_ns < 1 ? 1 : (double)latency_ns;
	double cost = decayed(candidate, decay_ns, now);

	candidate->cost = latency > cost ? latency : cost;
	candidate->stamp = now;
}

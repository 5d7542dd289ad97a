/* SPDX-License-Identifier: Apache-2.0 */
/* balance/ewma.h: peak EWMA, as Finagle's: what a candidate costs, from the latencies seen on this worker.
 *
 * The cost is the latency that was seen, and decays towards nothing with the time constant `decay_ns`, in time, not in samples,
 * so that an endpoint once slow is asked again. A latency above the cost counts at once and in full (the peak), so that
 * slowness is avoided as soon as it shows. Pure; the balancer's thread.
 *
 *	load = cost * (pending + 1)
 */
#ifndef BALANCE_EWMA_H
#define BALANCE_EWMA_H

#include "balance/balancer.h"

/* Nanoseconds, as if one more attempt began. A candidate that was never measured, or long ago, is free while nothing runs on
 * it, and then worse than all that were measured until its first answer comes. */
double ewma_load(const struct candidate *candidate, int64_t decay_ns, int64_t now);
void ewma_observe(struct candidate *candidate, int64_t decay_ns, int64_t now, int64_t latency_ns);

#endif

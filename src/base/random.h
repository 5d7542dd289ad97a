/* SPDX-License-Identifier: Apache-2.0 */
/* base/random.h: a small fast generator (xoshiro256**), one per loop, seeded by io (the kernel's, or the simulation's seed).
 * Not for secrets. One thread each.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
/* 0 <= n < limit, without bias worth mentioning; limit > 0. */
uint32_t random_below(struct random *random, uint32_t limit);
/* 0 <= x < 1. */
double random_unit(struct random *random);

#endif

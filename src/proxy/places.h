/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/places.h: the connections to an endpoint, counted over all workers, where only so many may be at once; and which workers
 * want one, or have one to spare. Atomics only: any thread. Who tells whom is in sharing.h.
 *
 * A worker that is refused a place says that it wants one and then looks again; one that gives a place back looks, after that,
 * for who wants one. The same holds between who wants and who says that it has one to spare. So one of the two always sees
 * the other, in whatever order they come.
 *
 *	if (!places_take(places, 8)) {
 *		places_set(&places->wanting, worker);
 *		if (places_left(places, 8)) ...           // given back meanwhile
 *	}
 *	places_give(places);
 *	int next = places_next(&places->wanting, worker, workers);   // to be told
 */
#ifndef PROXY_PLACES_H
#define PROXY_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PLACES_WORKERS = 256, PLACES_WORDS = PLACES_WORKERS / 64 };

/* A set of workers. */
struct places_workers {
	_Atomic uint64_t words[PLACES_WORDS];
};

struct places {
	_Alignas(64) _Atomic uint32_t open; /* connections */
	_Atomic uint32_t waiting;           /* requests that wait for one */
	struct places_workers wanting;      /* who has requests that wait */
	struct places_workers sparing;      /* who has idle connections, or had some when it looked last */
};

/* `max` 0: as many as anybody wants. False: all are taken. */
bool places_take(struct places *places, uint32_t max);
void places_give(struct places *places);
bool places_left(const struct places *places, uint32_t max);

void places_set(struct places_workers *set, unsigned worker);
void places_clear(struct places_workers *set, unsigned worker);
bool places_has(const struct places_workers *set, unsigned worker);
/* Whether somebody else is in it. */
bool places_others(const struct places_workers *set, unsigned worker);
/* The first of `workers` behind `worker`, round and round, but never itself; -1: none. */
int places_next(const struct places_workers *set, unsigned worker, unsigned workers);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/harness.h: one simulated run: the world, what was asked of the services, and what may never happen.
 *
 * A scenario builds a world from the seed, lets it run, and tears it down. What is asked is entered in a ledger, one record
 * for each request; clients settle it with what they got, services enter what reached them, and at the end the two must fit.
 * A broken rule is told with harness_fail: the run goes on to its end, and the seed has failed.
 */
#ifndef SIM_HARNESS_H
#define SIM_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "io/sim/sim.h"

/* How a request ended for its client. */
enum outcome {
	OUTCOME_NONE,      /* not yet */
	OUTCOME_ANSWERED,  /* with success, every byte checked */
	OUTCOME_ERROR,     /* a complete answer that says what failed */
	OUTCOME_BROKEN,    /* the connection could not be made, or broke before the answer was complete */
	OUTCOME_LEFT,      /* the client went away on purpose */
	OUTCOME_IMPATIENT, /* no answer within the client's patience */
	OUTCOMES,
};

/* What a user or a service speaks. */
struct speech {
	bool http2; /* with prior knowledge, or as TLS agrees on */
	bool tls;
};

struct record {
	uint64_t reply;   /* bytes asked for */
	uint64_t length;  /* bytes of the request's body */
	uint16_t service; /* which it is for */
	uint8_t outcome;
	bool idempotent;
	bool must_succeed;    /* sent when nothing was broken any more */
	uint16_t arrivals;    /* heads that reached a service */
	uint16_t completions; /* answered by a service in full */
};

struct harness {
	struct sim *sim;
	uint64_t seed;
	const char *scenario;
	struct random random;   /* for the scenario's own draws */
	struct record *records; /* by id, from 1 */
	uint64_t record_count, record_capacity;
	uint64_t outcomes[OUTCOMES];
	unsigned failures;
	unsigned most_arrivals; /* of a request that is not idempotent; more for those that are is always allowed */
	bool hanging_allowed;   /* OUTCOME_IMPATIENT is no failure: nobody in between bounds the wait */
	unsigned silences;      /* faults that leave half-open connections: what waits on one may wait for ever */
	bool trace;
};

void harness_init(struct harness *harness, const char *scenario, uint64_t seed, bool trace);
/* The last checks, then the world's end. */
void harness_fini(struct harness *harness);
void harness_fail(struct harness *harness, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether an answer that began may be unfinished now, as its last bytes came then: while they come, and where it may have lost its
 * service silently, since nobody bounds the time between them. */
bool harness_may_take_long(const struct harness *harness, int64_t last_bytes);

uint64_t record_new(struct harness *harness, unsigned service);
/* NULL, and a failure, for an id that nobody sent. */
struct record *record_of(struct harness *harness, uint64_t id);
void record_settle(struct harness *harness, uint64_t id, enum outcome outcome);
const char *outcome_name(enum outcome outcome);

/* Each process must have given back all but what `allowed` says. */
void harness_check_open(struct harness *harness, const struct sim_process *process, const struct sim_open *allowed);

/* A draw for an actor of its own, so that what one does never changes another's draws. */
void harness_seed(struct harness *harness, struct random *random);
bool draw_chance(struct random *random, uint32_t per_million);
int64_t draw_below(struct random *random, int64_t limit); /* 0 when the limit is not positive */

/* The same, but each order of magnitude as likely: a draw below the limit halved 0 to `halvings` - 1 times. */
int64_t draw_skewed(struct random *random, int64_t limit, unsigned halvings);

#endif

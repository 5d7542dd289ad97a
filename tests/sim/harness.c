/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"

enum { FAILURES_SHOWN = 10 };
/* Partitions and stalled processes, with what TCP adds to them. */
#define PAUSE_MOST (10 * CLOCK_SECOND)

static void print_trace(void *owner, const char *line)
{
	(void)owner;
	printf("%s\n", line);
}

void harness_init(struct harness *harness, const char *scenario, uint64_t seed, bool trace)
{
	*harness = (struct harness){ .seed = seed, .scenario = scenario, .trace = trace, .most_arrivals = 1 };
	harness->sim = sim_new(seed, &(struct sim_options){ .trace = trace ? print_trace : NULL });
	random_init(&harness->random, seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
	record_new(harness, 0); /* no request has id 0 */
}

void harness_fail(struct harness *harness, const char *format, ...)
{
	char text[400];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	sim_note(harness->sim, "FAILURE %s", text);
	if (harness->failures++ < FAILURES_SHOWN)
		fprintf(stderr, "%s seed %" PRIu64 " at %.6f: %s\n", harness->scenario, harness->seed,
			(double)sim_now(harness->sim) / (double)CLOCK_SECOND, text);
}

bool harness_may_take_long(const struct harness *harness, int64_t last_bytes)
{
	bool silent = harness->hanging_allowed || harness->silences > 0;
	return silent || sim_now(harness->sim) - last_bytes < PAUSE_MOST;
}

uint64_t record_new(struct harness *harness, unsigned service)
{
	if (harness->record_count == harness->record_capacity) {
		harness->record_capacity = harness->record_capacity ? harness->record_capacity * 2 : 256;
		harness->records = memory_grow(harness->records, harness->record_capacity, sizeof(*harness->records));
	}
	harness->records[harness->record_count] = (struct record){ .service = (uint16_t)service };
	return harness->record_count++;
}

struct record *record_of(struct harness *harness, uint64_t id)
{
	if (id > 0 && id < harness->record_count)
		return &harness->records[id];
	harness_fail(harness, "a message bears the id %" PRIu64 ", which nobody sent", id);
	return NULL;
}

const char *outcome_name(enum outcome outcome)
{
	static const char *const names[OUTCOMES] = { "open", "answered", "error", "broken", "left", "impatient" };
	return names[outcome];
}

void record_settle(struct harness *harness, uint64_t id, enum outcome outcome)
{
	struct record *record = record_of(harness, id);
	if (!record)
		return;
	sim_note(harness->sim, "request %" PRIu64 " is %s", id, outcome_name(outcome));
	if (record->outcome != OUTCOME_NONE)
		harness_fail(harness, "request %" PRIu64 " is settled twice: %s, then %s", id, outcome_name((enum outcome)record->outcome),
			outcome_name(outcome));
	record->outcome = (uint8_t)outcome;
	harness->outcomes[outcome]++;
	if (record->must_succeed && outcome != OUTCOME_ANSWERED)
		harness_fail(harness, "request %" PRIu64 " is %s although nothing is broken any more", id, outcome_name(outcome));
	if (outcome == OUTCOME_IMPATIENT && !harness->hanging_allowed)
		harness_fail(harness, "request %" PRIu64 " had no answer in time", id);
}

/* Client's and services' views of one request must fit. */
static void check_record(struct harness *harness, uint64_t id)
{
	const struct record *record = &harness->records[id];
	if (record->outcome == OUTCOME_NONE)
		harness_fail(harness, "request %" PRIu64 " was never settled", id);
	if (record->outcome == OUTCOME_ANSWERED && record->completions == 0)
		harness_fail(harness, "request %" PRIu64 " was answered, but by no service", id);
	if (!record->idempotent && record->arrivals > harness->most_arrivals)
		harness_fail(harness, "request %" PRIu64 " must not be repeated, but arrived %u times", id, record->arrivals);
}

void harness_fini(struct harness *harness)
{
	uint64_t settled = 0;
	for (uint64_t id = 1; id < harness->record_count; id++)
		check_record(harness, id);
	for (unsigned i = OUTCOME_NONE + 1; i < OUTCOMES; i++)
		settled += harness->outcomes[i];
	if (settled != harness->record_count - 1)
		harness_fail(harness, "%" PRIu64 " requests, but %" PRIu64 " outcomes", harness->record_count - 1, settled);
	memory_free(harness->records);
	sim_free(harness->sim);
}

void harness_check_open(struct harness *harness, const struct sim_process *process, const struct sim_open *allowed)
{
	static const char *const names[] = { "loops", "streams", "listeners", "listen sets", "datagrams", "timers", "channels", "watches",
		"signals", "locks", "buffers" };
	struct sim_open open;
	sim_process_open(process, &open);
	/* struct sim_open is nothing but these numbers, in this order. */
	_Static_assert(sizeof(open) == sizeof(names) / sizeof(names[0]) * sizeof(unsigned), "a name for each number");
	const unsigned *now = (const unsigned *)&open, *most = (const unsigned *)allowed;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (now[i] > most[i])
			harness_fail(harness, "%u %s left open, at most %u allowed", now[i], names[i], most[i]);
	}
}

void harness_seed(struct harness *harness, struct random *random)
{
	random_init(random, random_u64(&harness->random));
}

bool draw_chance(struct random *random, uint32_t per_million)
{
	return per_million && random_below(random, 1000000) < per_million;
}

int64_t draw_below(struct random *random, int64_t limit)
{
	return limit <= 0 ? 0 : (int64_t)(random_u64(random) % (uint64_t)limit);
}

int64_t draw_skewed(struct random *random, int64_t limit, unsigned halvings)
{
	limit >>= random_below(random, halvings);
	return draw_below(random, limit);
}

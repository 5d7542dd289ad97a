/* SPDX-License-Identifier: Apache-2.0 */
/* sim: runs scenarios from seeds.
 *
 *	sim                                  every scenario, with its own number of seeds
 *	WEFT_SEEDS=500 sim                   and with 500 percent of it
 *	sim --scenario relay --part 2/3      the second third of these seeds
 *	sim --scenario relay --seeds 1..500
 *	sim --scenario relay --seed 17 --trace     one run, with its whole event log
 *	sim --scenario relay --fail-fast     to the first seed that fails, not the fifth
 *
 * Every seventh seed runs twice, and must give the same event log. A failing seed is told with the command that replays it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "scenario.h"

enum { TWICE_EVERY = 7, FAILURES_MOST = 5, PARTS_MOST = 1000 };

struct choice {
	const char *scenario; /* NULL: all */
	uint64_t first, last; /* last 0: the scenario's own number */
	unsigned part, parts; /* of the scenario's own number; the first is 1 */
	unsigned failures_most;
	bool trace;
};

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: sim [--scenario NAME] [--seed N | --seeds A..B | --part K/N] [--fail-fast] [--trace] [--list]\n");
	exit(2);
}

static void list_scenarios(void)
{
	for (unsigned i = 0; i < scenario_count; i++)
		printf("%-12s %s\n", scenarios[i].name, scenarios[i].about);
}

static void read_seeds(struct choice *choice, const char *text)
{
	char *end;
	choice->first = choice->last = strtoull(text, &end, 10);
	if (strncmp(end, "..", 2) == 0)
		choice->last = strtoull(end + 2, &end, 10);
	if (*end || choice->first == 0 || choice->last < choice->first)
		usage();
}

static void read_part(struct choice *choice, const char *text)
{
	unsigned part, parts;
	char more;
	if (sscanf(text, "%u/%u%c", &part, &parts, &more) != 2 || part == 0 || part > parts || parts > PARTS_MOST)
		usage();
	choice->part = part;
	choice->parts = parts;
}

static struct choice read_arguments(int count, char **arguments)
{
	struct choice choice = { .first = 1, .part = 1, .parts = 1, .failures_most = FAILURES_MOST };
	for (int i = 1; i < count; i++) {
		const char *argument = arguments[i];
		if (strcmp(argument, "--trace") == 0) {
			choice.trace = true;
		} else if (strcmp(argument, "--fail-fast") == 0) {
			choice.failures_most = 1;
		} else if (strcmp(argument, "--list") == 0) {
			list_scenarios();
			exit(0);
		} else if (i + 1 == count) {
			usage();
		} else if (strcmp(argument, "--scenario") == 0) {
			choice.scenario = arguments[++i];
		} else if (strcmp(argument, "--seed") == 0 || strcmp(argument, "--seeds") == 0) {
			read_seeds(&choice, arguments[++i]);
		} else if (strcmp(argument, "--part") == 0) {
			read_part(&choice, arguments[++i]);
		} else {
			usage();
		}
	}
	return choice;
}

/* WEFT_SEEDS is in percent. */
static uint64_t seeds_of(const struct scenario *scenario)
{
	const char *percent = getenv("WEFT_SEEDS");
	return ((uint64_t)scenario->seeds * (percent ? strtoul(percent, NULL, 10) : 100) + 99) / 100;
}

struct run {
	uint64_t hash;
	uint64_t outcomes[OUTCOMES];
	unsigned failures;
	uint64_t turns;
};

static struct run run_once(const struct scenario *scenario, uint64_t seed, bool trace)
{
	struct harness harness;
	struct run run;
	harness_init(&harness, scenario->name, seed, trace);
	scenario->run(&harness);
	run.hash = sim_hash(harness.sim);
	run.turns = sim_turns(harness.sim);
	harness_fini(&harness);
	memcpy(run.outcomes, harness.outcomes, sizeof(run.outcomes));
	run.failures = harness.failures;
	return run;
}

/* Whether it holds. */
static bool run_seed(const struct scenario *scenario, uint64_t seed, bool trace, struct run *run)
{
	*run = run_once(scenario, seed, trace);
	bool good = run->failures == 0;
	if (seed % TWICE_EVERY == 0 && !trace) {
		struct run again = run_once(scenario, seed, false);
		if (again.hash != run->hash) {
			fprintf(stderr, "%s seed %" PRIu64 ": a second run gave another event log\n", scenario->name, seed);
			good = false;
		}
	}
	if (!good)
		fprintf(stderr, "  replay: sim --scenario %s --seed %" PRIu64 " --trace\n", scenario->name, seed);
	return good;
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void summarise(const struct scenario *scenario, uint64_t seeds, const uint64_t *outcomes, uint64_t turns, double spent)
{
	printf("%s: %" PRIu64 " seeds, %.1f ms and %" PRIu64 " turns a seed;", scenario->name, seeds, spent * 1e3 / (double)seeds,
		turns / seeds);
	for (unsigned i = OUTCOME_NONE + 1; i < OUTCOMES; i++)
		printf(" %" PRIu64 " %s", outcomes[i], outcome_name((enum outcome)i));
	printf("\n");
}

/* Returns how many seeds failed. */
static unsigned run_scenario(const struct scenario *scenario, const struct choice *choice, unsigned *passed)
{
	uint64_t first = choice->first, last = choice->last;
	if (last == 0) {
		uint64_t seeds = seeds_of(scenario);
		first = seeds * (choice->part - 1) / choice->parts + 1;
		last = seeds * choice->part / choice->parts;
	}
	uint64_t outcomes[OUTCOMES] = { 0 }, turns = 0, seed;
	unsigned failed = 0;
	double began = seconds();
	for (seed = first; seed <= last && failed < choice->failures_most; seed++) {
		struct run run;
		fflush(stdout);
		if (run_seed(scenario, seed, choice->trace, &run))
			(*passed)++;
		else
			failed++;
		turns += run.turns;
		for (unsigned i = 0; i < OUTCOMES; i++)
			outcomes[i] += run.outcomes[i];
	}
	if (seed > first)
		summarise(scenario, seed - first, outcomes, turns, seconds() - began);
	return failed;
}

int main(int count, char **arguments)
{
	struct choice choice = read_arguments(count, arguments);
	unsigned passed = 0, failed = 0, known = 0;
	for (unsigned i = 0; i < scenario_count; i++) {
		if (choice.scenario && strcmp(choice.scenario, scenarios[i].name) != 0)
			continue;
		known++;
		failed += run_scenario(&scenarios[i], &choice, &passed);
	}
	if (known == 0) {
		fprintf(stderr, "sim: no scenario '%s'; there are:\n", choice.scenario);
		list_scenarios();
		return 2;
	}
	/* The closing lines are read by ./dev test. */
	printf("[  PASSED  ] %u test(s).\n", passed);
	if (failed)
		printf("[  FAILED  ] %u test(s).\n", failed);
	return failed ? 1 : 0;
}

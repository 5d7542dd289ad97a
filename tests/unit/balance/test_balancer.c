/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "balance/balancer.h"
#include "balance/ewma.h"
#include "base/clock.h"

enum { MOST = 32 };

/* A balancer with its endpoints; picks are counted by endpoint. */
struct bench {
	struct random random;
	struct balancer balancer;
	struct candidate candidates[MOST];
	struct health healths[MOST];
	unsigned picks[MOST];
	unsigned count;
	int64_t now;
};

static struct bench bench;

static void begin(enum balancer_kind kind, unsigned count)
{
	const struct balancer_policy policy = { .kind = kind, .max_effort = 5, .decay_ns = 10 * CLOCK_SECOND };

	bench = (struct bench){ .count = count, .now = CLOCK_SECOND };
	random_init(&bench.random, 42);
	balancer_init(&bench.balancer, &policy, &bench.random);
	for (unsigned i = 0; i < count; i++) {
		health_init(&bench.healths[i]);
		bench.candidates[i] = (struct candidate){ .health = &bench.healths[i], .weight = 1 };
		balancer_add(&bench.balancer, &bench.candidates[i]);
	}
}

static int end(void **state)
{
	(void)state;
	balancer_fini(&bench.balancer);
	return 0;
}

static unsigned pick(void)
{
	bool forced = true;
	struct candidate *candidate = balancer_pick(&bench.balancer, bench.now, NULL, 0, &forced);

	assert_non_null(candidate);
	assert_false(forced);
	unsigned index = (unsigned)(candidate - bench.candidates);

	bench.picks[index]++;
	return index;
}

static void take_out(unsigned index, int64_t ns)
{
	const struct accrual_policy once = { ACCRUAL_CONSECUTIVE_FAILURES, 1, { BACKOFF_CONSTANT, ns, ns } };
	int64_t out;

	health_report(&bench.healths[index], &once, false, bench.now, 0, &out);
}

/* One request after the other, the endpoint's latency passing in between. */
static void call(unsigned requests, const int64_t *latencies)
{
	for (unsigned i = 0; i < requests; i++) {
		unsigned index = pick();

		balancer_begin(&bench.balancer, &bench.candidates[index], bench.now);
		bench.now += latencies[index];
		balancer_end(&bench.balancer, &bench.candidates[index], bench.now, latencies[index]);
	}
}

static void forget_picks(void)
{
	for (unsigned i = 0; i < MOST; i++)
		bench.picks[i] = 0;
}

static void test_none(void **state)
{
	bool forced = true;

	(void)state;
	begin(BALANCER_P2C, 0);
	assert_null(balancer_pick(&bench.balancer, 0, NULL, 0, &forced));
	assert_false(forced);
}

static void test_all_kinds_are_even_when_idle(void **state)
{
	const enum balancer_kind kinds[] = { BALANCER_P2C, BALANCER_EWMA, BALANCER_ROUND_ROBIN };

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		begin(kinds[k], 10);
		for (unsigned i = 0; i < 100000; i++)
			pick();
		/* Four standard deviations of 100000 draws with one in ten. */
		for (unsigned i = 0; i < 10; i++)
			assert_in_range(bench.picks[i], 9620, 10380);
		balancer_fini(&bench.balancer);
	}
	begin(BALANCER_P2C, 1);
}

static void test_p2c_levels_pending(void **state)
{
	unsigned least = UINT32_MAX, most = 0;

	(void)state;
	begin(BALANCER_P2C, 20);
	for (unsigned i = 0; i < 10000; i++) /* none ends */
		balancer_begin(&bench.balancer, &bench.candidates[pick()], bench.now);
	for (unsigned i = 0; i < 20; i++) {
		least = bench.candidates[i].pending < least ? bench.candidates[i].pending : least;
		most = bench.candidates[i].pending > most ? bench.candidates[i].pending : most;
	}
	/* Two choices: log log n apart, whatever the number; one choice would be some 80 apart. */
	assert_true(most - least <= 6);
}

static void test_ewma_leaves_the_slow_one(void **state)
{
	int64_t latencies[3] = { CLOCK_MS, CLOCK_MS, CLOCK_MS };

	(void)state;
	begin(BALANCER_EWMA, 3);
	call(3000, latencies);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(bench.picks[i], 700, 1300);
	forget_picks();
	latencies[1] = 300 * CLOCK_MS;
	call(3000, latencies);
	assert_true(bench.picks[1] >= 1); /* it had to be noticed */
	assert_true(bench.picks[1] <= 10);
	forget_picks();
	latencies[1] = CLOCK_MS;
	for (unsigned i = 0; i < 60; i++) { /* ten requests a second, for a minute */
		call(10, latencies);
		bench.now += CLOCK_SECOND;
	}
	forget_picks();
	call(3000, latencies);
	assert_in_range(bench.picks[1], 700, 1300); /* forgiven */
}

static void test_ewma_one_slow_answer_counts_at_once(void **state)
{
	(void)state;
	begin(BALANCER_EWMA, 2);
	for (unsigned i = 0; i < 2; i++)
		ewma_observe(&bench.candidates[i], 10 * CLOCK_SECOND, bench.now, CLOCK_MS);
	ewma_observe(&bench.candidates[0], 10 * CLOCK_SECOND, bench.now, 5 * CLOCK_MS);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(pick(), 1);
	/* But a fast one only little by little. */
	ewma_observe(&bench.candidates[0], 10 * CLOCK_SECOND, bench.now + CLOCK_SECOND, CLOCK_MS);
	double load = balancer_load(&bench.balancer, &bench.candidates[0], bench.now + CLOCK_SECOND);
	assert_true(load > 4.5e6 && load < 4.7e6);
}

static void test_ewma_cost_decays_and_multiplies(void **state)
{
	struct candidate *candidate = &bench.candidates[0];

	(void)state;
	begin(BALANCER_EWMA, 1);
	assert_true(balancer_load(&bench.balancer, candidate, bench.now) == 0);
	ewma_observe(candidate, 10 * CLOCK_SECOND, bench.now, CLOCK_MS);
	assert_true(balancer_load(&bench.balancer, candidate, bench.now) == 1e6);
	candidate->pending = 3;
	assert_true(balancer_load(&bench.balancer, candidate, bench.now) == 4e6);
	double later = balancer_load(&bench.balancer, candidate, bench.now + 10 * CLOCK_SECOND);
	assert_true(later > 4e6 * 0.36787 && later < 4e6 * 0.36788);
	/* The quick way and exp agree where they meet. */
	double before = balancer_load(&bench.balancer, candidate, bench.now + 9765624);
	double after = balancer_load(&bench.balancer, candidate, bench.now + 9765626);
	assert_true(before >= after && before - after < 1e-2);
	/* A minute is nothing; twenty are an eternity. */
	assert_true(balancer_load(&bench.balancer, candidate, bench.now + 1200 * CLOCK_SECOND) > 1e14);
}

static void test_ewma_waits_for_the_first_answer(void **state)
{
	(void)state;
	begin(BALANCER_EWMA, 2);
	ewma_observe(&bench.candidates[0], 10 * CLOCK_SECOND, bench.now, 100 * CLOCK_MS);
	unsigned first = pick();
	assert_int_equal(first, 1); /* never measured: free */
	balancer_begin(&bench.balancer, &bench.candidates[1], bench.now);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(pick(), 0); /* measured, slow, still better than nothing known */
	balancer_end(&bench.balancer, &bench.candidates[1], bench.now, -1);
	assert_true(bench.candidates[1].cost == 0);
}

static void test_round_robin_takes_turns(void **state)
{
	(void)state;
	begin(BALANCER_ROUND_ROBIN, 4);
	unsigned last = pick();
	for (unsigned i = 0; i < 100; i++) {
		unsigned now = pick();

		assert_int_equal(now, (last + 1) % 4);
		last = now;
	}
	take_out(2, 100 * CLOCK_SECOND);
	for (unsigned i = 0; i < 100; i++)
		assert_int_not_equal(pick(), 2);
}

static void test_unavailable_are_avoided(void **state)
{
	const enum balancer_kind kinds[] = { BALANCER_P2C, BALANCER_EWMA, BALANCER_ROUND_ROBIN };

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		begin(kinds[k], 30);
		for (unsigned i = 0; i < 29; i++)
			take_out(i, 100 * CLOCK_SECOND);
		assert_int_equal(balancer_available(&bench.balancer, bench.now), 1);
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(pick(), 29); /* also when it takes more than max_effort draws */
		balancer_fini(&bench.balancer);
	}
	begin(BALANCER_P2C, 1);
}

static void test_all_out_gives_one_by_force(void **state)
{
	bool forced = false;
	unsigned seen[3] = { 0 };

	(void)state;
	begin(BALANCER_P2C, 3);
	for (unsigned i = 0; i < 3; i++)
		take_out(i, CLOCK_SECOND);
	for (unsigned i = 0; i < 300; i++) {
		struct candidate *candidate = balancer_pick(&bench.balancer, bench.now, NULL, 0, &forced);

		assert_true(forced);
		seen[candidate - bench.candidates]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(seen[i], 60, 140);
	bench.now += CLOCK_SECOND + HEALTH_TICK;
	pick(); /* a probe is due: available again */
}

static void test_tried_are_avoided_if_possible(void **state)
{
	const enum balancer_kind kinds[] = { BALANCER_P2C, BALANCER_EWMA, BALANCER_ROUND_ROBIN };
	struct candidate *const tried[2] = { &bench.candidates[0], &bench.candidates[2] };
	bool forced = true;

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		begin(kinds[k], 3);
		for (unsigned i = 0; i < 200; i++) {
			assert_ptr_equal(balancer_pick(&bench.balancer, bench.now, tried, 2, &forced), &bench.candidates[1]);
			assert_false(forced);
		}
		take_out(1, CLOCK_SECOND);
		for (unsigned i = 0; i < 200; i++) { /* one that was tried is better than one that is out */
			assert_ptr_not_equal(balancer_pick(&bench.balancer, bench.now, tried, 2, &forced), &bench.candidates[1]);
			assert_false(forced);
		}
		take_out(0, CLOCK_SECOND);
		take_out(2, CLOCK_SECOND);
		assert_ptr_equal(balancer_pick(&bench.balancer, bench.now, tried, 2, &forced), &bench.candidates[1]);
		assert_true(forced);
		balancer_fini(&bench.balancer);
	}
	begin(BALANCER_P2C, 1);
}

static void test_weights_are_shares(void **state)
{
	const enum balancer_kind kinds[] = { BALANCER_P2C, BALANCER_EWMA, BALANCER_ROUND_ROBIN };
	const int64_t latencies[4] = { CLOCK_MS, CLOCK_MS, CLOCK_MS, CLOCK_MS };

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		begin(kinds[k], 4);
		balancer_set_weight(&bench.balancer, &bench.candidates[0], 5);
		balancer_set_weight(&bench.balancer, &bench.candidates[1], 0.5);
		balancer_set_weight(&bench.balancer, &bench.candidates[2], 2.25);
		balancer_set_weight(&bench.balancer, &bench.candidates[3], 2.25);
		call(40000, latencies);
		assert_in_range(bench.picks[0], 19500, 20500);
		assert_in_range(bench.picks[1], 1800, 2200);
		assert_in_range(bench.picks[2] + bench.picks[3], 17500, 18500);
		/* Those of equal weight are balanced among each other. */
		assert_in_range(bench.picks[2], 8400, 9600);
		forget_picks();
		balancer_remove(&bench.balancer, &bench.candidates[0]);
		call(10000, latencies);
		assert_int_equal(bench.picks[0], 0);
		assert_in_range(bench.picks[1], 850, 1150);
		balancer_fini(&bench.balancer);
	}
	begin(BALANCER_P2C, 1);
}

static void test_coming_and_going(void **state)
{
	(void)state;
	begin(BALANCER_P2C, 10);
	for (unsigned i = 0; i < 10; i += 2)
		balancer_remove(&bench.balancer, &bench.candidates[i]);
	assert_int_equal(bench.balancer.count, 5);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(pick() % 2, 1);
	for (unsigned i = 1; i < 10; i += 2)
		assert_true(bench.picks[i] > 100);
	for (unsigned i = 0; i < 10; i += 2)
		balancer_add(&bench.balancer, &bench.candidates[i]);
	forget_picks();
	for (unsigned i = 0; i < 1000; i++)
		pick();
	for (unsigned i = 0; i < 10; i++)
		assert_true(bench.picks[i] > 50);
}

static void test_same_seed_same_picks(void **state)
{
	unsigned first[200];

	(void)state;
	begin(BALANCER_EWMA, 7);
	for (unsigned i = 0; i < 200; i++)
		first[i] = pick();
	balancer_fini(&bench.balancer);
	begin(BALANCER_EWMA, 7);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(pick(), first[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_none, end),
		cmocka_unit_test_teardown(test_all_kinds_are_even_when_idle, end),
		cmocka_unit_test_teardown(test_p2c_levels_pending, end),
		cmocka_unit_test_teardown(test_ewma_leaves_the_slow_one, end),
		cmocka_unit_test_teardown(test_ewma_one_slow_answer_counts_at_once, end),
		cmocka_unit_test_teardown(test_ewma_cost_decays_and_multiplies, end),
		cmocka_unit_test_teardown(test_ewma_waits_for_the_first_answer, end),
		cmocka_unit_test_teardown(test_round_robin_takes_turns, end),
		cmocka_unit_test_teardown(test_unavailable_are_avoided, end),
		cmocka_unit_test_teardown(test_all_out_gives_one_by_force, end),
		cmocka_unit_test_teardown(test_tried_are_avoided_if_possible, end),
		cmocka_unit_test_teardown(test_weights_are_shares, end),
		cmocka_unit_test_teardown(test_coming_and_going, end),
		cmocka_unit_test_teardown(test_same_seed_same_picks, end),
	};

	return cmocka_run_group_tests_name("balancer", tests, NULL, NULL);
}

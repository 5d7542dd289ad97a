/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/health.h"
#include "base/random.h"
#include "io/thread.h"

static const struct accrual_policy three = {
	.kind = ACCRUAL_CONSECUTIVE_FAILURES,
	.failures = 3,
	.backoff = { .kind = BACKOFF_CONSTANT, .min_ns = CLOCK_SECOND },
};

static enum health_change report(struct health *health, bool success, int64_t now, int64_t *ns)
{
	*ns = -1;
	return health_report(health, &three, success, now, 0.5, ns);
}

static void fail_times(struct health *health, unsigned times, int64_t now)
{
	int64_t ns;

	for (unsigned i = 0; i < times; i++)
		report(health, false, now, &ns);
}

static void test_failures_in_a_row_take_it_out(void **state)
{
	struct health health;
	int64_t ns;

	(void)state;
	health_init(&health);
	assert_int_equal(report(&health, false, 10, &ns), HEALTH_SAME);
	assert_int_equal(report(&health, false, 11, &ns), HEALTH_SAME);
	assert_int_equal(report(&health, true, 12, &ns), HEALTH_SAME); /* the row begins anew */
	assert_int_equal(report(&health, false, 13, &ns), HEALTH_SAME);
	assert_int_equal(report(&health, false, 14, &ns), HEALTH_SAME);
	assert_true(health_available(&health, 14));
	assert_int_equal(report(&health, false, 15, &ns), HEALTH_REMOVED);
	assert_int_equal(ns, CLOCK_SECOND);
	assert_int_equal(health_state(&health), HEALTH_DEAD);
	assert_false(health_available(&health, 15));
	assert_false(health_begin(&health, 15));
}

static void test_late_reports_change_nothing_while_dead(void **state)
{
	struct health health;
	int64_t ns;

	(void)state;
	health_init(&health);
	fail_times(&health, 3, 0);
	assert_int_equal(report(&health, true, 1, &ns), HEALTH_SAME);
	assert_int_equal(report(&health, false, 1, &ns), HEALTH_SAME);
	assert_int_equal(health_state(&health), HEALTH_DEAD);
	assert_false(health_available(&health, CLOCK_SECOND - 1000));
}

static void test_one_probe_revives(void **state)
{
	struct health health;
	int64_t ns, later = CLOCK_SECOND + 100;

	(void)state;
	health_init(&health);
	fail_times(&health, 3, 100);
	assert_false(health_available(&health, later - 1)); /* never early */
	later += HEALTH_TICK;
	assert_true(health_available(&health, later));
	assert_true(health_begin(&health, later));
	assert_int_equal(health_state(&health), HEALTH_PROBING);
	assert_false(health_available(&health, later)); /* only one */
	assert_false(health_begin(&health, later));
	assert_int_equal(report(&health, true, later + 5, &ns), HEALTH_REVIVED);
	assert_int_equal(ns, later + 5 - 100);
	assert_int_equal(health_state(&health), HEALTH_ALIVE);
	fail_times(&health, 2, later + 6); /* counting begins at none */
	assert_int_equal(health_state(&health), HEALTH_ALIVE);
}

static void test_failed_probes_wait_longer(void **state)
{
	struct accrual_policy policy = three;
	struct health health;
	int64_t ns = 0, now = 0;
	const int64_t expected[] = { 5, 7, 15, 30, 60, 120, 240, 300, 300 }; /* half of 5 * 2^n, and 0.5 of that again */

	(void)state;
	policy.failures = 1;
	policy.backoff = (struct backoff){ BACKOFF_EQUAL, 5 * CLOCK_SECOND, 300 * CLOCK_SECOND };
	health_init(&health);
	for (unsigned i = 0; i < 9; i++) {
		enum health_change change = health_report(&health, &policy, false, now, 0.5, &ns);

		assert_int_equal(change, i ? HEALTH_AGAIN : HEALTH_REMOVED);
		assert_int_equal(ns / CLOCK_SECOND, expected[i]);
		now += ns + HEALTH_TICK;
		assert_true(health_begin(&health, now));
	}
	assert_int_equal(health_report(&health, &policy, true, now, 0.5, &ns), HEALTH_REVIVED);
	assert_int_equal(ns, now);
	assert_int_equal(health_report(&health, &policy, false, now, 0.5, &ns), HEALTH_REMOVED);
	assert_int_equal(ns, 5 * CLOCK_SECOND); /* revived: from the start again */
}

static void test_jitter_goes_on_from_the_last_wait(void **state)
{
	struct accrual_policy policy = three;
	struct health health;
	int64_t ns = 0, now = 0, last = 0;

	(void)state;
	policy.failures = 1;
	policy.backoff = (struct backoff){ BACKOFF_JITTERED, CLOCK_SECOND, 20 * CLOCK_SECOND };
	health_init(&health);
	for (unsigned i = 0; i < 6; i++) {
		health_report(&health, &policy, false, now, 0.999999, &ns);
		if (i)
			assert_in_range(
				ns, (last * 3 < 20 * CLOCK_SECOND ? last * 3 : 20 * CLOCK_SECOND) - CLOCK_SECOND / 10, 20 * CLOCK_SECOND);
		else
			assert_int_equal(ns, CLOCK_SECOND);
		last = ns;
		now += ns + HEALTH_TICK;
		assert_true(health_begin(&health, now));
	}
}

static void test_lost_probe_times_out(void **state)
{
	struct health health;
	int64_t now = 2 * CLOCK_SECOND;

	(void)state;
	health_init(&health);
	fail_times(&health, 3, 0);
	assert_true(health_begin(&health, now));
	assert_false(health_available(&health, now + HEALTH_PROBE_TIMEOUT - 1));
	assert_true(health_begin(&health, now + HEALTH_PROBE_TIMEOUT + HEALTH_TICK));
}

static void test_given_up_probe_is_taken_again_at_once(void **state)
{
	struct health health;
	int64_t now = 2 * CLOCK_SECOND;

	(void)state;
	health_init(&health);
	health_give_up(&health, now);
	assert_int_equal(health_state(&health), HEALTH_ALIVE);
	fail_times(&health, 3, 0);
	health_give_up(&health, CLOCK_MS);
	assert_false(health_available(&health, CLOCK_MS)); /* dead, not probing: nothing to give up */
	assert_true(health_begin(&health, now));
	health_give_up(&health, now + 1);
	assert_true(health_available(&health, now + 1));
	assert_true(health_begin(&health, now + 1));
}

static void test_no_accrual_never_takes_out(void **state)
{
	const struct accrual_policy none = { .kind = ACCRUAL_NONE };
	struct health health;
	int64_t ns;

	(void)state;
	health_init(&health);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(health_report(&health, &none, false, i, 0, &ns), HEALTH_SAME);
	assert_true(health_available(&health, 100));
}

static void test_far_future_stays_out(void **state)
{
	struct accrual_policy policy = three;
	struct health health;
	int64_t ns;

	(void)state;
	policy.failures = 1;
	policy.backoff.min_ns = INT64_MAX;
	health_init(&health);
	assert_int_equal(health_report(&health, &policy, false, CLOCK_SECOND, 0, &ns), HEALTH_REMOVED);
	assert_false(health_available(&health, 3600 * 24 * 365 * CLOCK_SECOND));
}

enum { WORKERS = 4, TURNS = 20000 };

struct worker {
	struct health *health;
	struct random random;
	uint64_t probes, removed, revived, again, same;
};

/* Its own clock: one microsecond a turn, so all workers' clocks agree roughly, as real ones do. */
static void hammer(void *owner)
{
	struct accrual_policy policy = three;
	struct worker *worker = owner;
	int64_t ns;

	policy.backoff.min_ns = 20 * CLOCK_US;
	for (unsigned i = 0; i < TURNS; i++) {
		int64_t now = i * CLOCK_US;

		if (!health_available(worker->health, now))
			continue;
		worker->probes += health_begin(worker->health, now);
		if (random_below(&worker->random, 50) == 0) {
			health_give_up(worker->health, now);
			continue;
		}
		switch (health_report(worker->health, &policy, random_below(&worker->random, 2) == 0, now, 0, &ns)) {
		case HEALTH_REMOVED:
			worker->removed++;
			break;
		case HEALTH_REVIVED:
			worker->revived++;
			break;
		case HEALTH_AGAIN:
			worker->again++;
			break;
		case HEALTH_SAME:
			worker->same++;
			break;
		}
	}
}

static void test_many_workers_at_once(void **state)
{
	struct health health;
	struct worker workers[WORKERS] = { 0 };
	struct thread *threads[WORKERS];
	struct worker all = { 0 };

	(void)state;
	health_init(&health);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].health = &health;
		random_init(&workers[i].random, i);
		assert_int_equal(thread_start("hammer", hammer, &workers[i], &threads[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		thread_join(threads[i]);
		all.probes += workers[i].probes;
		all.removed += workers[i].removed;
		all.revived += workers[i].revived;
		all.again += workers[i].again;
		all.same += workers[i].same;
	}
	/* Every removal but perhaps the last was followed by exactly one revival, whoever saw them. */
	assert_int_equal(all.removed - all.revived, health_state(&health) == HEALTH_ALIVE ? 0 : 1);
	assert_true(all.removed > 10);
	assert_true(all.again > 10);
	/* Each end of probing was begun by a probe. */
	assert_true(all.probes >= all.revived + all.again);
}

static void test_failing_checks_take_it_out_until_they_pass(void **state)
{
	struct health health;
	int64_t ns;

	(void)state;
	health_init(&health);
	assert_false(health_pass(&health, 5, &ns));
	assert_true(health_fail(&health, 10));
	assert_false(health_fail(&health, 11));
	assert_int_equal(health_state(&health), HEALTH_FAILING);
	/* No probe is ever due, and what is reported changes nothing. */
	assert_false(health_available(&health, INT64_MAX / 4));
	assert_false(health_begin(&health, INT64_MAX / 4));
	assert_int_equal(report(&health, true, 12, &ns), HEALTH_SAME);
	assert_int_equal(report(&health, false, 12, &ns), HEALTH_SAME);
	health_give_up(&health, 12);
	assert_int_equal(health_state(&health), HEALTH_FAILING);
	assert_true(health_pass(&health, 30, &ns));
	assert_int_equal(ns, 20);
	assert_int_equal(health_state(&health), HEALTH_ALIVE);
	assert_true(health_available(&health, 30));
}

static void test_checks_and_accrual_together(void **state)
{
	struct health health;
	int64_t ns;

	(void)state;
	health_init(&health);
	fail_times(&health, 3, 0);
	assert_int_equal(health_state(&health), HEALTH_DEAD);
	/* A check that passes is no probe. */
	assert_false(health_pass(&health, 1, &ns));
	assert_int_equal(health_state(&health), HEALTH_DEAD);
	/* One that fails is worse than dead; what passes then makes it alive. */
	assert_true(health_fail(&health, 2));
	assert_false(health_available(&health, 10 * CLOCK_SECOND));
	assert_true(health_pass(&health, 3, &ns));
	assert_int_equal(health_state(&health), HEALTH_ALIVE);
	/* A probe's report that comes late changes nothing. */
	fail_times(&health, 3, 4);
	assert_true(health_begin(&health, 2 * CLOCK_SECOND));
	assert_true(health_fail(&health, 2 * CLOCK_SECOND));
	assert_int_equal(report(&health, true, 3 * CLOCK_SECOND, &ns), HEALTH_SAME);
	assert_int_equal(health_state(&health), HEALTH_FAILING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures_in_a_row_take_it_out),
		cmocka_unit_test(test_late_reports_change_nothing_while_dead),
		cmocka_unit_test(test_one_probe_revives),
		cmocka_unit_test(test_failed_probes_wait_longer),
		cmocka_unit_test(test_jitter_goes_on_from_the_last_wait),
		cmocka_unit_test(test_lost_probe_times_out),
		cmocka_unit_test(test_given_up_probe_is_taken_again_at_once),
		cmocka_unit_test(test_no_accrual_never_takes_out),
		cmocka_unit_test(test_far_future_stays_out),
		cmocka_unit_test(test_failing_checks_take_it_out_until_they_pass),
		cmocka_unit_test(test_checks_and_accrual_together),
		cmocka_unit_test(test_many_workers_at_once),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}

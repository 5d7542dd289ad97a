/* SPDX-License-Identifier: Apache-2.0 */
/* What a supervisor does when its process has ended. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/restarts.h"

static struct random chance;

static int setup(void **state)
{
	static struct restarts restarts;

	random_init(&chance, 7);
	restarts = (struct restarts){ .random = &chance };
	*state = &restarts;
	return 0;
}

/* One that ran for so long and accepted, and was killed. */
static struct life killed(int64_t lived_ns)
{
	return (struct life){ .end = { .signal = SIGKILL }, .lived_ns = lived_ns, .ready = true };
}

static void assert_ends(struct restart next, int code)
{
	assert_int_equal(next.what, RESTART_END);
	assert_int_equal(next.code, code);
}

static void after_a_long_life_it_is_started_at_once(void **state)
{
	struct restarts *restarts = *state;
	struct life life = killed(CLOCK_MINUTE);

	for (unsigned i = 1; i <= 100; i++) {
		struct restart next = restarts_judge(restarts, &life);

		assert_int_equal(next.what, RESTART_AGAIN);
		assert_int_equal(next.delay_ns, 0);
		assert_int_equal(restarts->count, i);
	}
}

static void after_short_lives_it_waits_longer_and_longer_and_gives_up(void **state)
{
	struct restarts *restarts = *state;
	struct life life = killed(CLOCK_SECOND);
	static const int64_t most_ms[] = { 0, 100, 200, 400, 800, 1600, 3200 };

	for (size_t i = 0; i < sizeof most_ms / sizeof *most_ms; i++) {
		struct restart next = restarts_judge(restarts, &life);

		assert_int_equal(next.what, RESTART_AGAIN);
		assert_in_range(next.delay_ns, most_ms[i] * CLOCK_MS / 2, most_ms[i] * CLOCK_MS);
	}
	assert_ends(restarts_judge(restarts, &life), 128 + SIGKILL);
	assert_int_equal(restarts->count, RESTARTS_MOST_SHORT - 1);
}

static void waiting_is_not_the_same_each_time(void **state)
{
	struct life life = killed(CLOCK_SECOND);
	struct restarts *restarts = *state, others = *restarts;
	struct restart next, other;

	for (int i = 0; i < 3; i++) {
		next = restarts_judge(restarts, &life);
		other = restarts_judge(&others, &life); /* the same generator, further on */
	}
	assert_int_not_equal(next.delay_ns, other.delay_ns);
}

static void a_long_life_between_short_ones_makes_up_for_them(void **state)
{
	struct restarts *restarts = *state;
	struct life brief = killed(CLOCK_SECOND), longer = killed(10 * CLOCK_SECOND);

	for (int row = 0; row < 3; row++) {
		for (int i = 1; i < RESTARTS_MOST_SHORT; i++)
			assert_int_equal(restarts_judge(restarts, &brief).what, RESTART_AGAIN);
		assert_int_equal(restarts_judge(restarts, &longer).delay_ns, 0);
	}
}

static void a_wrong_configuration_ends_it_unless_one_has_run(void **state)
{
	struct restarts *restarts = *state;
	struct life wrong = { .end = { .code = 2 }, .lived_ns = CLOCK_MS }, life = killed(CLOCK_MINUTE);
	struct restarts fresh = *restarts;

	assert_ends(restarts_judge(restarts, &wrong), 2);
	assert_int_equal(restarts_judge(&fresh, &life).what, RESTART_AGAIN);
	for (int i = 1; i < RESTARTS_MOST_SHORT; i++)
		assert_int_equal(restarts_judge(&fresh, &wrong).what, RESTART_AGAIN);
	assert_ends(restarts_judge(&fresh, &wrong), 2);
}

static void codes_of_crashes_are_crashes(void **state)
{
	struct restarts *restarts = *state;
	static const int codes[] = { 1, 3, 70, 71, 127, 255 };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct life life = { .end = { .code = codes[i] }, .lived_ns = CLOCK_MINUTE, .ready = true };

		assert_int_equal(restarts_judge(restarts, &life).what, RESTART_AGAIN);
	}
}

static void who_leaves_is_not_started_again(void **state)
{
	struct restarts *restarts = *state;
	struct life life = { .lived_ns = CLOCK_MINUTE, .ready = true };

	assert_ends(restarts_judge(restarts, &life), 0);
	life.leaving = true;
	for (int code = 0; code < 3; code++) {
		life.end.code = code;
		assert_ends(restarts_judge(restarts, &life), code);
	}
	life.end.signal = SIGSEGV;
	assert_ends(restarts_judge(restarts, &life), 128 + SIGSEGV);
	assert_int_equal(restarts->count, 0);
}

static void who_was_told_to_end_is_not_started_again(void **state)
{
	struct restarts *restarts = *state;
	struct life life = killed(CLOCK_MINUTE);

	life.told = life.stay = true;
	assert_ends(restarts_judge(restarts, &life), 128 + SIGKILL);
	life.leaving = true;
	assert_ends(restarts_judge(restarts, &life), 128 + SIGKILL);
}

static void one_that_stays_is_waited_for(void **state)
{
	struct restarts *restarts = *state;
	struct life life = { .end = { .code = 1 }, .lived_ns = CLOCK_MINUTE, .ready = true, .leaving = true, .stay = true };
	struct restart next = restarts_judge(restarts, &life);

	assert_int_equal(next.what, RESTART_WAIT);
	assert_int_equal(next.code, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(after_a_long_life_it_is_started_at_once, setup),
		cmocka_unit_test_setup(after_short_lives_it_waits_longer_and_longer_and_gives_up, setup),
		cmocka_unit_test_setup(waiting_is_not_the_same_each_time, setup),
		cmocka_unit_test_setup(a_long_life_between_short_ones_makes_up_for_them, setup),
		cmocka_unit_test_setup(a_wrong_configuration_ends_it_unless_one_has_run, setup),
		cmocka_unit_test_setup(codes_of_crashes_are_crashes, setup),
		cmocka_unit_test_setup(who_leaves_is_not_started_again, setup),
		cmocka_unit_test_setup(who_was_told_to_end_is_not_started_again, setup),
		cmocka_unit_test_setup(one_that_stays_is_waited_for, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

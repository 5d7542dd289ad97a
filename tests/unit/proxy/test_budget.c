/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/thread.h"
#include "proxy/budget.h"

#define START (1000 * CLOCK_SECOND)

static struct budget budget;
static struct budget_share share;

static void begin(double percent, uint32_t minimum, int64_t ttl_seconds)
{
	const struct budget_policy policy = { percent, minimum, ttl_seconds * CLOCK_SECOND };

	share = (struct budget_share){ 0 };
	budget_init(&budget, &policy);
}

static void deposit(unsigned times, int64_t now)
{
	for (unsigned i = 0; i < times; i++)
		budget_deposit(&budget, &share, now);
	budget_flush(&budget, &share, now);
}

static unsigned withdraw_all(int64_t now)
{
	unsigned times = 0;

	while (budget_withdraw(&budget, &share, now))
		times++;
	return times;
}

static void test_fresh_has_the_reserve(void **state)
{
	(void)state;
	begin(0.2, 10, 10);
	assert_true(budget_balance(&budget) == 100);
	assert_int_equal(withdraw_all(START), 100);
	assert_true(budget_balance(&budget) == 0);
}

static void test_five_requests_earn_a_retry(void **state)
{
	(void)state;
	begin(0.2, 0, 10);
	deposit(4, START);
	assert_int_equal(withdraw_all(START), 0);
	deposit(1, START);
	assert_int_equal(withdraw_all(START), 1);
	deposit(1000, START);
	assert_true(budget_balance(&budget) == 200);
	assert_int_equal(withdraw_all(START), 200);
}

static void test_a_batch_waits_in_the_share(void **state)
{
	(void)state;
	begin(0.5, 0, 10);
	for (unsigned i = 0; i < BUDGET_BATCH - 1; i++)
		budget_deposit(&budget, &share, START);
	assert_true(budget_balance(&budget) == 0);
	budget_deposit(&budget, &share, START);
	assert_true(budget_balance(&budget) == BUDGET_BATCH / 2);
	assert_int_equal(share.deposits, 0);
	budget_deposit(&budget, &share, START);
	budget_deposit(&budget, &share, START);
	assert_int_equal(withdraw_all(START), BUDGET_BATCH / 2 + 1); /* who withdraws tells its own first */
}

static void test_deposits_and_withdrawals_age(void **state)
{
	(void)state;
	begin(0.2, 1, 10); /* a reserve of 10 */
	deposit(50, START);
	assert_int_equal(withdraw_all(START), 20);
	assert_int_equal(withdraw_all(START + 9 * CLOCK_SECOND), 0);
	/* Ten seconds later neither the deposits nor what was withdrawn count. */
	assert_int_equal(withdraw_all(START + 10 * CLOCK_SECOND), 10);
	deposit(50, START + 11 * CLOCK_SECOND);
	assert_int_equal(withdraw_all(START + 19 * CLOCK_SECOND), 10);
	begin(0.2, 0, 10);
	deposit(50, START);
	assert_int_equal(withdraw_all(START + 10 * CLOCK_SECOND), 0);
}

static void test_no_percentage_leaves_the_reserve(void **state)
{
	(void)state;
	begin(0, 2, 5);
	deposit(1000, START);
	assert_int_equal(withdraw_all(START), 10);
	begin(0, 0, 10);
	deposit(1000, START);
	assert_int_equal(withdraw_all(START), 0);
}

static void test_extreme_percentages(void **state)
{
	(void)state;
	begin(0.00001, 1000, 60);
	assert_true(budget_balance(&budget) == 60000);
	assert_int_equal(withdraw_all(START), 60000);
	begin(0.00001, 0, 60);
	deposit(99999, START);
	assert_int_equal(withdraw_all(START), 0);
	deposit(1, START);
	assert_int_equal(withdraw_all(START), 1);
	begin(1, 0, 10);
	deposit(7, START);
	assert_int_equal(withdraw_all(START), 7);
	begin(10, 0, 10);
	deposit(3, START);
	assert_int_equal(withdraw_all(START), 30);
}

/* Slots are told apart over far longer than any machine stands idle. */
static void test_long_uptime_and_long_pauses(void **state)
{
	const int64_t day = 24 * 3600 * CLOCK_SECOND;

	(void)state;
	for (int64_t now = 50 * day; now < 2000 * day; now += 7 * day + 3 * CLOCK_SECOND) {
		begin(0.2, 0, 10);
		deposit(10, now);
		assert_int_equal(withdraw_all(now + 5 * CLOCK_SECOND), 2);
		deposit(10, now + 6 * CLOCK_SECOND);
		assert_int_equal(withdraw_all(now + 60 * CLOCK_SECOND), 0);
		deposit(10, now + 100 * CLOCK_SECOND);
		assert_int_equal(withdraw_all(now + 100 * CLOCK_SECOND + 100 * day), 0);
	}
}

static void test_a_clock_a_little_behind(void **state)
{
	(void)state;
	begin(1, 0, 10);
	deposit(5, START + CLOCK_SECOND);
	deposit(5, START); /* another worker's */
	assert_int_equal(withdraw_all(START), 10);
}

enum { WORKERS = 4, TURNS = 20000 };

struct worker {
	struct budget_share share;
	unsigned retries;
};

static void work(void *owner)
{
	struct worker *worker = owner;

	for (unsigned i = 0; i < TURNS; i++) {
		int64_t now = START + (int64_t)i * CLOCK_SECOND / 20000; /* within one ttl, over slots */

		budget_deposit(&budget, &worker->share, now);
		worker->retries += budget_withdraw(&budget, &worker->share, now);
	}
	budget_flush(&budget, &worker->share, START + CLOCK_SECOND);
}

static void test_workers_together_never_overdraw(void **state)
{
	struct worker workers[WORKERS] = { 0 };
	struct thread *threads[WORKERS];
	unsigned retries = 0;

	(void)state;
	begin(0.2, 10, 10);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(thread_start("worker", work, &workers[i], &threads[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		thread_join(threads[i]);
		retries += workers[i].retries;
	}
	retries += withdraw_all(START + CLOCK_SECOND);
	assert_int_equal(retries, WORKERS * TURNS / 5 + 100); /* exactly what was earned, and the reserve */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh_has_the_reserve),
		cmocka_unit_test(test_five_requests_earn_a_retry),
		cmocka_unit_test(test_a_batch_waits_in_the_share),
		cmocka_unit_test(test_deposits_and_withdrawals_age),
		cmocka_unit_test(test_no_percentage_leaves_the_reserve),
		cmocka_unit_test(test_extreme_percentages),
		cmocka_unit_test(test_long_uptime_and_long_pauses),
		cmocka_unit_test(test_a_clock_a_little_behind),
		cmocka_unit_test(test_workers_together_never_overdraw),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}

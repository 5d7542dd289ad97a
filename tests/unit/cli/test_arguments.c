/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/arguments.h"

static void test_spans(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "500us", 500 * CLOCK_US },
		{ "50ms", 50 * CLOCK_MS },
		{ "2s", 2 * CLOCK_SECOND },
		{ "1.5s", 1500 * CLOCK_MS },
		{ "0.25ms", 250 * CLOCK_US },
		{ "1m", CLOCK_MINUTE },
		{ "24h", 24 * 60 * CLOCK_MINUTE },
	};
	static const char *const bad[] = { "", "5", "ms", "0s", "-1s", "1 s", "1d", "1e3s", ".5s", "99999999h", "1s ", "1..5s" };

	(void)state;
	for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t ns = 0;

		assert_true(arguments_span("test", "--window", good[i].text, &ns));
		assert_int_equal(ns, good[i].ns);
	}
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t ns = 7;

		assert_false(arguments_span("test", "--window", bad[i], &ns));
		assert_int_equal(ns, 7);
	}
	int64_t kept = 7;

	assert_true(arguments_span("test", "--window", NULL, &kept));
	assert_int_equal(kept, 7);
}

static void test_percentages(void **state)
{
	static const char *const bad[] = { "", "%", "100.1", "-1", "abc", "99.9%%", "99 %" };
	double percent = -1;

	(void)state;
	assert_true(arguments_percent("test", "--min-success", NULL, &percent));
	assert_true(percent == -1);
	assert_true(arguments_percent("test", "--min-success", "99.9", &percent));
	assert_true(percent > 99.8999 && percent < 99.9001);
	assert_true(arguments_percent("test", "--min-success", "100%", &percent));
	assert_true(percent == 100);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(arguments_percent("test", "--min-success", bad[i], &percent));
	assert_true(percent == 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_percentages),
	};

	return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void test_dates(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 951782399, "2000-02-28T23:59:59Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 1077926400, "2004-02-28T00:00:00Z" },
		{ 4107542400, "2100-03-01T00:00:00Z" },
		{ 1795695999, "2026-11-26T12:26:39Z" },
		{ 1767225599, "2025-12-31T23:59:59Z" },
		{ 1767225600, "2026-01-01T00:00:00Z" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[CLOCK_TEXT];

		clock_format(cases[i].seconds * CLOCK_SECOND + 999, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_after(void **state)
{
	(void)state;
	assert_int_equal(clock_after(5, 7), 12);
	assert_int_equal(clock_after(5, CLOCK_NEVER), CLOCK_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_after),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "base/text.h"

static void text_grows(void **state)
{
	(void)state;
	struct text text = { 0 };
	assert_true(slice_equal(text_slice(&text), SLICE("")));
	text_append(&text, SLICE(""));
	assert_string_equal(text.bytes, "");
	for (int i = 0; i < 1000; i++) {
		text_format(&text, "%d", i % 10);
		text_append(&text, SLICE(","));
	}
	assert_int_equal(text.length, 2000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(text.bytes[2 * i], '0' + i % 10);
	text_clear(&text);
	text_append(&text, SLICE("new"));
	assert_string_equal(text.bytes, "new");
	text_free(&text);
	assert_null(text.bytes);
}

static void lines_become_one(void **state)
{
	(void)state;
	struct text text = { 0 };
	text_append(&text, SLICE("a: 1\nb: 2\n\n"));
	text_join_lines(&text);
	assert_string_equal(text.bytes, "a: 1; b: 2");
	text_clear(&text);
	text_join_lines(&text);
	assert_int_equal(text.length, 0);
	text_free(&text);
}

static void every_error_has_a_name(void **state)
{
	(void)state;
	for (int error = ERROR_NONE; error >= ERROR_DENIED; error--)
		assert_string_not_equal(error_text(error), "unknown error");
	assert_string_equal(error_text(ERROR_DENIED - 1), "unknown error");
	assert_string_equal(error_text(1), "unknown error");
	assert_string_equal(error_text(ERROR_RESET), "connection reset");
}

static void random_repeats_for_a_seed(void **state)
{
	(void)state;
	struct random a, b, c;
	random_init(&a, 7);
	random_init(&b, 7);
	random_init(&c, 8);
	bool differ = false;
	for (int i = 0; i < 100; i++) {
		uint64_t x = random_u64(&a);
		assert_true(x == random_u64(&b));
		differ |= x != random_u64(&c);
	}
	assert_true(differ);
}

static void random_fills_its_range(void **state)
{
	(void)state;
	struct random random;
	unsigned seen[10] = { 0 };
	double sum = 0;
	random_init(&random, 0);
	for (int i = 0; i < 100000; i++) {
		seen[random_below(&random, 10)]++;
		double x = random_unit(&random);
		assert_true(x >= 0 && x < 1);
		sum += x;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(seen[i], 9400, 10600);
	assert_true(sum > 49000 && sum < 51000);
	assert_int_equal(random_below(&random, 1), 0);
}

static void instants_do_not_overflow(void **state)
{
	(void)state;
	assert_true(clock_after(5, 6) == 11);
	assert_true(clock_after(5, CLOCK_NEVER) == CLOCK_NEVER);
	assert_true(clock_after(CLOCK_NEVER, 1) == CLOCK_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows),
		cmocka_unit_test(lines_become_one),
		cmocka_unit_test(every_error_has_a_name),
		cmocka_unit_test(random_repeats_for_a_seed),
		cmocka_unit_test(random_fills_its_range),
		cmocka_unit_test(instants_do_not_overflow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

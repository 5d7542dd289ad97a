/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "observe/histogram.h"

static struct histogram histogram;
static struct histogram_view view, earlier;

static int clear(void **state)
{
	(void)state;
	histogram = (struct histogram){ 0 };
	view = earlier = (struct histogram_view){ 0 };
	return 0;
}

static void assert_near(double found, double expected, double relative)
{
	assert_true(found >= expected * (1 - relative) && found <= expected * (1 + relative));
}

static void test_every_value_has_its_bucket(void **state)
{
	unsigned last = 0;

	(void)state;
	for (uint64_t value = 0; value < 100000; value++) {
		unsigned bucket = histogram_bucket(value);

		assert_true(bucket == last || bucket == last + 1);
		assert_true(bucket < HISTOGRAM_BUCKETS);
		last = bucket;
	}
	assert_int_equal(histogram_bucket(UINT32_MAX), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_bucket(UINT32_C(1) << 31), HISTOGRAM_BUCKETS - 16);
}

static void test_quantiles_are_within_a_bucket(void **state)
{
	struct random random;

	(void)state;
	random_init(&random, 7);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t value = random_u64(&random) >> (32 + random_below(&random, 30));

		clear(NULL);
		histogram_record(&histogram, value);
		histogram_view_add(&view, &histogram);
		assert_int_equal(view.count, 1);
		assert_int_equal(view.sum, value);
		double found = histogram_view_quantile(&view, 0.5);
		if (value < 32)
			assert_true(found == (double)value);
		else
			assert_near(found, (double)value, 0.0323); /* half of 1/16, and a little */
	}
}

static void test_quantiles_of_a_thousand(void **state)
{
	(void)state;
	assert_true(histogram_view_quantile(&view, 0.5) == 0);
	assert_true(histogram_view_average(&view) == 0);
	for (unsigned i = 1; i <= 1000; i++)
		histogram_record(&histogram, i * 1000);
	histogram_view_add(&view, &histogram);
	assert_int_equal(view.count, 1000);
	assert_near(histogram_view_quantile(&view, 0), 1000, 0.033);
	assert_near(histogram_view_quantile(&view, 0.5), 500000, 0.033);
	assert_near(histogram_view_quantile(&view, 0.9), 900000, 0.033);
	assert_near(histogram_view_quantile(&view, 0.99), 990000, 0.033);
	assert_near(histogram_view_quantile(&view, 1), 1000000, 0.033);
	assert_true(histogram_view_average(&view) == 500500);
}

static void test_extreme_ranks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 9999; i++)
		histogram_record(&histogram, 1);
	histogram_record(&histogram, 20);
	histogram_view_add(&view, &histogram);
	assert_true(histogram_view_quantile(&view, 0.9999) == 1);
	assert_true(histogram_view_quantile(&view, 1) == 20);
	assert_true(histogram_view_quantile(&view, 0) == 1);
}

static void test_difference_is_what_came_since(void **state)
{
	(void)state;
	histogram_record(&histogram, 5);
	histogram_record(&histogram, 5000);
	histogram_view_add(&earlier, &histogram);
	histogram_record(&histogram, 5);
	histogram_record(&histogram, 7);
	histogram_view_add(&view, &histogram);
	histogram_view_subtract(&view, &earlier);
	assert_int_equal(view.count, 2);
	assert_int_equal(view.sum, 12);
	assert_true(histogram_view_quantile(&view, 1) == 7);
}

static void test_difference_survives_a_wrapped_bucket(void **state)
{
	(void)state;
	atomic_store(&histogram.buckets[3], UINT32_MAX);
	histogram_view_add(&earlier, &histogram);
	histogram_record(&histogram, 3);
	histogram_record(&histogram, 3);
	histogram_view_add(&view, &histogram);
	histogram_view_subtract(&view, &earlier);
	assert_int_equal(view.count, 2);
}

static void test_shards_add_up(void **state)
{
	static struct histogram second;

	(void)state;
	second = (struct histogram){ 0 };
	histogram_record(&histogram, 2);
	histogram_record(&second, 4);
	histogram_view_add(&view, &histogram);
	histogram_view_add(&view, &second);
	assert_int_equal(view.count, 2);
	assert_true(histogram_view_average(&view) == 3);
}

static void test_few_values_have_the_same_buckets(void **state)
{
	static const uint64_t values[] = { 0, 1, 15, 16, 31, 32, 1000 };
	struct histogram_few few = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
		clear(NULL);
		histogram_few_record(&few, values[i]);
		histogram_view_add_few(&view, &few);
		assert_int_equal(view.count, i + 1);
		assert_int_equal(histogram_view_quantile(&view, 1), values[i] < 31 ? values[i] : 31);
	}
	assert_int_equal(view.sum, 0 + 1 + 15 + 16 + 31 + 32 + 1000);
}

static void test_coarse_buckets_are_near_enough(void **state)
{
	struct random random;

	(void)state;
	random_init(&random, 9);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t value = (random_u64(&random) >> (32 + random_below(&random, 26))) + 16;
		struct histogram_coarse coarse = { 0 };

		clear(NULL);
		histogram_coarse_record(&coarse, value);
		histogram_view_add_coarse(&view, &coarse);
		assert_int_equal(view.count, 1);
		assert_int_equal(view.sum, value);
		assert_near(histogram_view_quantile(&view, 0.5), (double)value, 0.17);
	}
}

static void test_a_packed_view_is_the_same(void **state)
{
	struct histogram_packed *packed = NULL;
	static struct histogram_view found;

	(void)state;
	histogram_unpack(NULL, &found);
	assert_int_equal(found.count, 0);
	for (unsigned i = 0; i < 100; i++) {
		histogram_record(&histogram, i * i * i);
		view = (struct histogram_view){ 0 };
		histogram_view_add(&view, &histogram);
		packed = histogram_pack(packed, &view);
		histogram_unpack(packed, &found);
		assert_memory_equal(&found, &view, sizeof view);
	}
	memory_free(packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_every_value_has_its_bucket, clear),
		cmocka_unit_test_setup(test_quantiles_are_within_a_bucket, clear),
		cmocka_unit_test_setup(test_quantiles_of_a_thousand, clear),
		cmocka_unit_test_setup(test_extreme_ranks, clear),
		cmocka_unit_test_setup(test_difference_is_what_came_since, clear),
		cmocka_unit_test_setup(test_difference_survives_a_wrapped_bucket, clear),
		cmocka_unit_test_setup(test_shards_add_up, clear),
		cmocka_unit_test_setup(test_few_values_have_the_same_buckets, clear),
		cmocka_unit_test_setup(test_coarse_buckets_are_near_enough, clear),
		cmocka_unit_test_setup(test_a_packed_view_is_the_same, clear),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}

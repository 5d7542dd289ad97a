/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/see/flows.h"

#define FLOW(number, good, bad) \
	"{\"number\":" #number \
	",\"router\":\"out\",\"client\":\"/%/io.l5d.k8s.daemonset/default/incoming/l5d/#/io.l5d.k8s/shop/http/cart\"," \
	"\"listener\":4140,\"source\":\"10.0.0.1\",\"endpoint\":\"10.0.0.2:4141\",\"secured\":\"mutual\",\"success\":" #good \
	",\"failures\":" #bad ",\"latency_us\":[[1000,2],[100000,1]]}"

static void test_a_page(void **state)
{
	struct text why = { 0 };
	struct reading *reading =
		flows_read(SLICE("{\"began\":77,\"at_ms\":5000,\"lost\":3,\"flows\":[" FLOW(1, 5, 2) "," FLOW(2, 1, 0) "]}"), &why);
	struct histogram_view view = { 0 };
	struct meter *meter;
	uint64_t all = 0;

	(void)state;
	assert_non_null(reading);
	assert_int_equal(2, reading->meters.count);
	assert_true(reading->uptime_ms == 5000 && reading->lost == 3);
	meter = reading_first(reading);
	assert_int_equal(METER_FLOW, meter->kind);
	assert_true(meter->counts[COUNT_REQUESTS] == 7 && meter->counts[COUNT_SUCCESS] == 5 && meter->counts[COUNT_FAILURES] == 2);
	assert_true(slice_equal(meter->kube.namespace, SLICE("shop")) && slice_equal(meter->kube.service, SLICE("cart")));
	assert_true(slice_equal(meter->source, SLICE("10.0.0.1")) && slice_equal(meter->endpoint, SLICE("10.0.0.2:4141")));
	assert_int_equal(4140, meter->listener);
	meter_add_latency(meter, false, &view);
	assert_int_equal(2, view.buckets[histogram_bucket(1000)]);
	assert_int_equal(1, view.buckets[histogram_bucket(100000)]);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		all += view.buckets[i];
	assert_int_equal(3, all);
	reading_free(reading);
	text_free(&why);
}

/* A process that has started anew counts its flows from 1, too. */
static void test_flows_of_another_process_are_others(void **state)
{
	struct text why = { 0 };
	struct reading *before = flows_read(SLICE("{\"began\":77,\"at_ms\":1,\"lost\":0,\"flows\":[" FLOW(1, 5, 2) "]}"), &why);
	struct reading *same = flows_read(SLICE("{\"began\":77,\"at_ms\":2,\"lost\":0,\"flows\":[" FLOW(1, 6, 2) "]}"), &why);
	struct reading *other = flows_read(SLICE("{\"began\":78,\"at_ms\":2,\"lost\":0,\"flows\":[" FLOW(1, 6, 2) "]}"), &why);

	(void)state;
	assert_non_null(reading_same(before, reading_first(same)));
	assert_null(reading_same(before, reading_first(other)));
	reading_free(before);
	reading_free(same);
	reading_free(other);
	text_free(&why);
}

static void test_what_is_no_page(void **state)
{
	static const char *const pages[] = { "", "{}", "[]", "{\"flows\":", "no page" };

	(void)state;
	for (unsigned i = 0; i < sizeof pages / sizeof *pages; i++) {
		struct text why = { 0 };

		assert_null(flows_read(slice_of(pages[i]), &why));
		assert_true(why.length > 0);
		text_free(&why);
	}
}

static void test_the_page_counts_for_longer_than_a_window(void **state)
{
	struct text page = { 0 };

	(void)state;
	flows_page(1500 * CLOCK_MS, &page);
	assert_string_equal("/flows.json?for=62", page.bytes);
	text_free(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_page),
		cmocka_unit_test(test_flows_of_another_process_are_others),
		cmocka_unit_test(test_what_is_no_page),
		cmocka_unit_test(test_the_page_counts_for_longer_than_a_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

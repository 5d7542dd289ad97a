/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/figures_json.h"
#include "page.h"

struct stats {
	struct counter requests, secret, pending;
	struct histogram latency;
};

static const struct metric table[] = {
	METRIC(struct stats, requests, METRIC_COUNTER, "requests"),
	METRIC(struct stats, secret, METRIC_COUNTER, "received_bytes"),
	METRIC(struct stats, pending, METRIC_GAUGE, "pending"),
	METRIC(struct stats, latency, METRIC_STAT, "request_latency_ms"),
};
static const struct metric_kind kind = { "service", table, 4, sizeof(struct stats), 100 };

static struct scope *scope_of(const char *service)
{
	const struct scope_label at[] = { { SLICE("rt"), SLICE("out") }, { SLICE("service"), slice_of(service) } };

	return metrics_scope(metrics, &kind, at, 2);
}

static double read_budget(void *owner)
{
	return *(const double *)owner;
}

static void has_what_is_drawn_without_zeros(void **state)
{
	struct scope *hello = scope_of("svc/hello");
	double budget = 20.5, other = 3;

	(void)state;
	scope_of("svc/idle");
	for (unsigned shard = 0; shard < 2; shard++) {
		struct stats *stats = scope_shard(hello, shard);

		counter_add(&stats->requests, 2);
		counter_add(&stats->secret, 100);
	}
	metrics_gauge(metrics, hello, "retries/budget", read_budget, &budget);
	metrics_gauge(metrics, hello, "not drawn", read_budget, &other);
	figures_json(metrics, &page);
	assert_string_equal(
		page.bytes, "{\"rt/out/service/svc/hello\":{\"requests\":4,\"retries/budget\":20.5},\"rt/out/service/svc/idle\":{}}");
}

static void latencies_are_five_numbers(void **state)
{
	struct stats *stats = scope_shard(scope_of("svc/hello"), 0);

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		histogram_record(&stats->latency, 1000);
	figures_json(metrics, &page);
	assert_string_equal(page.bytes,
		"{\"rt/out/service/svc/hello\":{\"request_latency_ms\":[1.008,1.008,1.008,1.008,1.008]}}"); /* the middle of its bucket */
}

static void nothing_is_an_empty_object(void **state)
{
	(void)state;
	figures_json(metrics, &page);
	assert_string_equal(page.bytes, "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(has_what_is_drawn_without_zeros, page_setup, page_teardown),
		cmocka_unit_test_setup_teardown(latencies_are_five_numbers, page_setup, page_teardown),
		cmocka_unit_test_setup_teardown(nothing_is_an_empty_object, page_setup, page_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

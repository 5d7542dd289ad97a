/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/prometheus.h"
#include "page.h"

struct stats {
	struct counter requests;
	struct histogram latency;
	struct codes status;
};

static const struct metric table[] = {
	METRIC(struct stats, requests, METRIC_COUNTER, "failure_accrual/removals"),
	METRIC(struct stats, requests, METRIC_SEEN, "failures/com.twitter.finagle.ChannelClosedException"),
	METRIC(struct stats, latency, METRIC_STAT, "request_latency_ms"),
	METRIC(struct stats, status, METRIC_CODES, "status"),
};
static const struct metric_kind kind = { "pair", table, 4, sizeof(struct stats), 100 };
static const struct metric_kind empty_kind = { "empty", NULL, 0, 0, 100 };

static const char *get(const char *prefix)
{
	text_clear(&page);
	prometheus_text(metrics, slice_of(prefix), &page);
	return text_slice(&page).at;
}

static struct scope *pair(const char *client, const char *service)
{
	const struct scope_label at[] = {
		{ SLICE("rt"), SLICE("outgoing") },
		{ SLICE("client"), slice_of(client) },
		{ SLICE("service"), slice_of(service) },
	};

	return metrics_scope(metrics, &kind, at, 3);
}

static void test_documented_form(void **state)
{
	struct stats *stats = scope_shard(pair("%/io.l5d.port/4141/#/io.l5d.fs/hello", "svc/hello"), 0);
#define LABELS "rt=\"outgoing\", client=\"%/io.l5d.port/4141/#/io.l5d.fs/hello\", service=\"svc/hello\""

	(void)state;
	assert_string_equal(get(""), "rt:client:service:failure_accrual:removals{" LABELS "} 0\n");
	counter_add(&stats->requests, 5);
	codes_add(&stats->status, 200);
	assert_string_equal(get(""),
		"rt:client:service:failure_accrual:removals{" LABELS "} 5\n"
		"rt:client:service:failures:com_twitter_finagle_ChannelClosedException{" LABELS "} 5\n"
		"rt:client:service:status:200{" LABELS "} 1\n"
		"rt:client:service:status:2XX{" LABELS "} 1\n");
}

static void test_distributions(void **state)
{
	struct stats *stats = scope_shard(pair("c", "s"), 0);
#define SHORT "rt=\"outgoing\", client=\"c\", service=\"s\""

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		histogram_record(&stats->latency, 24);
	histogram_record(&stats->latency, 28);
	assert_string_equal(get("") + strlen("rt:client:service:failure_accrual:removals{" SHORT "} 0\n"),
		"rt:client:service:request_latency_ms_count{" SHORT "} 4\n"
		"rt:client:service:request_latency_ms_sum{" SHORT "} 0.1\n"
		"rt:client:service:request_latency_ms_avg{" SHORT "} 0.025\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"0\"} 0.024\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"0.5\"} 0.024\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"0.9\"} 0.028\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"0.95\"} 0.028\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"0.99\"} 0.028\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"0.999\"} 0.028\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"0.9999\"} 0.028\n"
		"rt:client:service:request_latency_ms{" SHORT ", quantile=\"1\"} 0.028\n");
	metrics_rotate(metrics, 10);
	metrics_rotate(metrics, 10);
	assert_null(strstr(get(""), "request_latency_ms")); /* nothing in the last minute */
}

static void test_hostile_label_values(void **state)
{
	(void)state;
	pair("a\\b\"c\nd", "\xc3\xa4\xff\xc3");
	assert_string_equal(get(""),
		"rt:client:service:failure_accrual:removals{rt=\"outgoing\", "
		"client=\"a\\\\b\\\"c\\nd\", service=\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\"} 0\n");
}

static double read_number(void *owner)
{
	return *(const double *)owner;
}

static void test_names_without_labels_and_numbers(void **state)
{
	const struct scope_label jvm = { SLICE("jvm"), SLICE("") };
	struct scope *scope = metrics_scope(metrics, &empty_kind, &jvm, 1);
	double number = 123456789;

	(void)state;
	metrics_gauge(metrics, scope, "mem/current/used", read_number, &number);
	assert_string_equal(get(""), "jvm:mem:current:used 123456789\n");
	assert_string_equal(get("weft/a-"), "weft:a_jvm:mem:current:used 123456789\n");
	assert_string_equal(get("4"), "_4jvm:mem:current:used 123456789\n");
	number = 1.0 / 3;
	assert_string_equal(get(""), "jvm:mem:current:used 0.3333333333333333\n");
	number = -2;
	assert_string_equal(get(""), "jvm:mem:current:used -2\n");
	number = 1e300 * 1e300;
	assert_string_equal(get(""), "jvm:mem:current:used +Inf\n");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, page_setup, page_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_documented_form),
		TEST(test_distributions),
		TEST(test_hostile_label_values),
		TEST(test_names_without_labels_and_numbers),
	};

	return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}

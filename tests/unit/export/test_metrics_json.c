/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/metrics_json.h"
#include "page.h"

struct stats {
	struct counter requests, failures, pending;
	struct histogram latency;
	struct histogram_few tries;
	struct codes status;
};

static const struct metric table[] = {
	METRIC(struct stats, requests, METRIC_COUNTER, "requests"),
	METRIC(struct stats, failures, METRIC_COUNTER, "failures"),
	METRIC(struct stats, failures, METRIC_SEEN, "failures/ChannelClosed"),
	METRIC(struct stats, pending, METRIC_GAUGE, "pending"),
	METRIC(struct stats, latency, METRIC_STAT, "request_latency_ms"),
	METRIC(struct stats, tries, METRIC_VALUES, "retries/per_request"),
	METRIC(struct stats, status, METRIC_CODES, "status"),
};
static const struct metric_kind kind = { "service", table, 7, sizeof(struct stats), 100 };

static struct stats *hello;

static struct stats *stats_of(const char *service)
{
	const struct scope_label at[] = { { SLICE("rt"), SLICE("outgoing") }, { SLICE("service"), slice_of(service) } };

	return scope_shard(metrics_scope(metrics, &kind, at, 2), 0);
}

static int setup(void **state)
{
	(void)page_setup(state);
	hello = stats_of("svc/hello");
	return 0;
}

static const char *get(const char *subtree, bool tree, int expected)
{
	const struct metrics_query query = { .subtree = slice_of(subtree), .tree = tree };

	text_clear(&page);
	assert_int_equal(metrics_json(metrics, &query, &page), expected);
	return page.bytes;
}

static void test_flat(void **state)
{
	(void)state;
	counter_add(&hello->requests, 5);
	counter_sub(&hello->pending, 2);
	codes_add(&hello->status, 200);
	assert_string_equal(get("", false, 0),
		"{\"rt/outgoing/service/svc/hello/requests\":5,"
		"\"rt/outgoing/service/svc/hello/failures\":0,"
		"\"rt/outgoing/service/svc/hello/pending\":-2,"
		"\"rt/outgoing/service/svc/hello/request_latency_ms.count\":0,"
		"\"rt/outgoing/service/svc/hello/retries/per_request.count\":0,"
		"\"rt/outgoing/service/svc/hello/status/200\":1,"
		"\"rt/outgoing/service/svc/hello/status/2XX\":1}");
}

static void test_distributions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		histogram_record(&hello->latency, 24); /* microseconds, in a bucket of their own */
	histogram_record(&hello->latency, 28);
	histogram_few_record(&hello->tries, 2);
	assert_string_equal(get("rt/outgoing/service/svc/hello/request_latency_ms", false, 0),
		"{\".count\":4,\".max\":0.028,\".min\":0.024,\".p50\":0.024,\".p90\":0.028,\".p95\":0.028,\".p99\":0.028,"
		"\".p9990\":0.028,\".p9999\":0.028,\".sum\":0.1,\".avg\":0.025}");
	assert_non_null(strstr(get("", false, 0), "\"rt/outgoing/service/svc/hello/request_latency_ms.p50\":0.024,"));
	assert_non_null(strstr(get("", false, 0), "\"rt/outgoing/service/svc/hello/retries/per_request.max\":2,"));
}

static void test_tree(void **state)
{
	(void)state;
	counter_add(&hello->requests, 5);
	counter_add(&hello->failures, 1);
	assert_string_equal(get("", true, 0),
		"{\"rt\":{\"outgoing\":{\"service\":{\"svc/hello\":{"
		"\"requests\":{\"counter\":5},"
		"\"failures\":{\"counter\":1,\"ChannelClosed\":{\"counter\":1}},"
		"\"pending\":{\"gauge\":0},"
		"\"request_latency_ms\":{\"stat.count\":0},"
		"\"retries\":{\"per_request\":{\"stat.count\":0}}}}}}}");
}

static void test_scopes_share_their_beginning(void **state)
{
	const struct scope_label router[] = { { SLICE("rt"), SLICE("outgoing") } };
	static const struct metric few[] = { METRIC(struct stats, requests, METRIC_COUNTER, "unidentified") };
	static const struct metric_kind router_kind = { "router", few, 1, sizeof(struct stats), 10 };

	(void)state;
	metrics_scope(metrics, &router_kind, router, 1);
	stats_of("svc/world");
	const char *tree = get("", true, 0);

	assert_non_null(strstr(tree, "{\"rt\":{\"outgoing\":{\"unidentified\":{\"counter\":0},\"service\":{\"svc/hello\":{"));
	assert_non_null(strstr(tree, "}}},\"svc/world\":{\"requests\""));
	assert_null(strstr(strstr(tree, "\"outgoing\"") + 1, "\"outgoing\"")); /* each key once */
}

static void test_subtrees(void **state)
{
	(void)state;
	assert_string_equal(get("rt/outgoing/service/svc/hello/retries", true, 0), "{\"per_request\":{\"stat.count\":0}}");
	assert_string_equal(get("rt/outgoing/service/svc/hello/requests", true, 0), "{\"counter\":0}");
	assert_string_equal(get("rt/outgoing/service/svc/hello/retries", false, 0), "{\"per_request.count\":0}");
	assert_string_equal(get("no/such", false, ERROR_NOT_FOUND), "{\"error\":\"No such subtree: no/such\"}");
	assert_string_equal(get("rt/outgoing/service/svc", true, ERROR_NOT_FOUND),
		"{\"error\":\"No such subtree: rt/outgoing/service/svc\"}"); /* half an identifier */
	assert_string_equal(get("rt/out\"", true, ERROR_NOT_FOUND), "{\"error\":\"No such subtree: rt/out\\\"\"}");
	get("rt/", false, ERROR_NOT_FOUND);
	get("/rt", false, ERROR_NOT_FOUND);
}

static void test_buckets_are_of_all_that_was_ever_recorded(void **state)
{
	const struct metrics_query query = { .subtree = SLICE("rt/outgoing/service/svc/hello"), .tree = true, .buckets = true };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		histogram_record(&hello->latency, 24);
	metrics_rotate(metrics, 10);
	metrics_rotate(metrics, 10);
	histogram_record(&hello->latency, 1050); /* in the bucket of 1024 to 1087 us */
	histogram_few_record(&hello->tries, 2);
	assert_int_equal(metrics_json(metrics, &query, &page), 0);
	assert_non_null(
		strstr(page.bytes, "\"request_latency_ms\":{\"stat.count\":4,\"stat.sum\":1.122,\"stat.buckets\":[[0.024,3],[1.024,1]]}"));
	assert_non_null(strstr(page.bytes, "\"per_request\":{\"stat.count\":1,\"stat.sum\":2,\"stat.buckets\":[[2,1]]}"));
}

static void test_pretty(void **state)
{
	const struct metrics_query query = { .subtree = SLICE("rt/outgoing/service/svc/hello/requests"), .tree = true, .pretty = true };

	(void)state;
	assert_int_equal(metrics_json(metrics, &query, &page), 0);
	assert_non_null(strchr(page.bytes, '\n'));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, page_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_flat),
		TEST(test_distributions),
		TEST(test_tree),
		TEST(test_scopes_share_their_beginning),
		TEST(test_subtrees),
		TEST(test_buckets_are_of_all_that_was_ever_recorded),
		TEST(test_pretty),
	};

	return cmocka_run_group_tests_name("metrics_json", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "cli/see/columns.h"
#include "export/metrics_json.h"
#include "proxy/stats.h"

/* A proxy whose metrics are real ones, read as its admin server shows them. */
struct proxy_rig {
	struct metrics *metrics;
	double uptime_ms;
	struct service_stats *web;
	struct attempt_stats *route;
	struct client_stats *client;
	struct caller_stats *callers[3]; /* an identity's, others' */
};

static struct proxy_rig rigs[2];
static struct reading *readings[8];
static unsigned reading_count;
static struct golden golden;
static struct text out;

static double read_uptime(void *owner)
{
	return *(const double *)owner;
}

static void rig_start(struct proxy_rig *rig)
{
	static const struct metric_kind process = { "process", NULL, 0, 0, 1 };
	const struct scope_label jvm = { SLICE("jvm"), SLICE("") };
	const struct scope_label at[] = {
		{ SLICE("rt"), SLICE("out") },
		{ SLICE("client"), SLICE("#/io.l5d.fs/web") },
		{ SLICE("service"), SLICE("svc/web") },
	};
	const struct scope_label service[] = { at[0], at[2] };

	*rig = (struct proxy_rig){ .metrics = metrics_new(1), .uptime_ms = 1000 };
	metrics_gauge(rig->metrics, metrics_scope(rig->metrics, &process, &jvm, 1), "uptime", read_uptime, &rig->uptime_ms);
	rig->web = scope_shard(metrics_scope(rig->metrics, &service_kind, service, 2), 0);
	rig->client = scope_shard(metrics_scope(rig->metrics, &client_kind, at, 2), 0);
	rig->route = scope_shard(metrics_scope(rig->metrics, &pair_kind, at, 3), 0);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = { "spiffe://example.org/ns/web/sa/front", "tls", "plaintext" };
		const struct scope_label caller[] = { at[0], at[1], { SLICE("caller"), slice_of(names[i]) } };

		rig->callers[i] = scope_shard(metrics_scope(rig->metrics, &caller_kind, caller, 3), 0);
	}
}

static int setup(void **state)
{
	(void)state;
	rig_start(&rigs[0]);
	rig_start(&rigs[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	golden_free(&golden);
	while (reading_count)
		reading_free(readings[--reading_count]);
	metrics_free(rigs[0].metrics);
	metrics_free(rigs[1].metrics);
	text_free(&out);
	return 0;
}

static struct reading *read_rig(struct proxy_rig *rig)
{
	const struct metrics_query query = { .tree = true, .buckets = true };
	struct text page = { 0 }, why = { 0 };
	struct reading *reading;

	assert_int_equal(metrics_json(rig->metrics, &query, &page), 0);
	reading = reading_new(text_slice(&page), &why);
	assert_non_null(reading);
	text_free(&page);
	return readings[reading_count++] = reading;
}

static void serve(struct proxy_rig *rig, unsigned good, unsigned bad, unsigned microseconds)
{
	counter_add(&rig->web->requests, good + bad);
	counter_add(&rig->web->success, good);
	counter_add(&rig->web->failures, bad);
	for (unsigned i = 0; i < good + bad; i++)
		histogram_record(&rig->web->latency, microseconds);
}

static void compute(enum meter_kind kind, bool apart, const char *const *patterns)
{
	golden_free(&golden);
	golden_start(&golden, &(struct golden_choice){ .kind = kind, .apart = apart, .patterns = patterns });
}

static void test_what_happened_between_two_readings(void **state)
{
	struct reading *before, *now;
	const struct golden_row *row;

	(void)state;
	serve(&rigs[0], 100, 100, 500000);
	before = read_rig(&rigs[0]);
	serve(&rigs[0], 19, 1, 1000);
	counter_add(&rigs[0].web->retries, 4);
	counter_add(&rigs[0].client->size, 3);
	counter_add(&rigs[0].client->available, 2);
	counter_add(&rigs[0].client->connections, 5);
	rigs[0].uptime_ms += 2000;
	now = read_rig(&rigs[0]);
	compute(METER_SERVICE, false, NULL);
	golden_add(&golden, SLICE("a:1"), before, now);
	golden_finish(&golden);
	assert_int_equal(golden.count, 1);
	row = golden.rows[0];
	assert_memory_equal(row->service.at, "svc/web", 7);
	assert_true(row->requests == 20 && row->rate == 10 && row->failures == 1 && row->failure_rate == 0.5);
	assert_true(row->success_percent == 95);
	assert_true(row->retry_rate == 2);
	assert_true(row->available == 2 && row->endpoints == 3 && row->connections == 5);
	/* Not the half seconds of before; buckets are 6 % wide. */
	assert_true(row->p50_ms > 0.94 && row->p50_ms < 1.06);
	assert_true(row->p99_ms == row->p50_ms);
}

static void test_proxies_are_summed_or_apart(void **state)
{
	struct reading *before[2], *now[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		before[i] = read_rig(&rigs[i]);
		serve(&rigs[i], i ? 30 : 10, 0, i ? 8000 : 1000);
		counter_add(&rigs[i].client->size, 4);
		counter_add(&rigs[i].client->available, i ? 1 : 4);
		rigs[i].uptime_ms += i ? 3000 : 1000;
		now[i] = read_rig(&rigs[i]);
	}
	compute(METER_SERVICE, false, NULL);
	golden_add(&golden, SLICE("a:1"), before[0], now[0]);
	golden_add(&golden, SLICE("b:1"), before[1], now[1]);
	golden_finish(&golden);
	assert_int_equal(golden.count, 1);
	assert_true(golden.rows[0]->requests == 40 && golden.rows[0]->rate == 20 && golden.rows[0]->proxies == 2);
	assert_true(golden.rows[0]->available == 1 && golden.rows[0]->endpoints == 4); /* as the worse one sees it */
	assert_true(golden.rows[0]->p50_ms > 7 && golden.rows[0]->p50_ms < 9);
	compute(METER_SERVICE, true, NULL);
	golden_add(&golden, SLICE("a:1"), before[0], now[0]);
	golden_add(&golden, SLICE("b:1"), before[1], now[1]);
	golden_finish(&golden);
	assert_int_equal(golden.count, 2);
	assert_memory_equal(golden.rows[1]->proxy.at, "b:1", 3);
	assert_true(golden.rows[0]->requests == 10 && golden.rows[1]->requests == 30);
	assert_true(golden.rows[0]->available == 4 && golden.rows[1]->available == 1);
}

static void test_a_restarted_proxy_counts_from_its_start(void **state)
{
	struct reading *before, *now;

	(void)state;
	rigs[0].uptime_ms = 60000;
	serve(&rigs[0], 1000, 0, 1000);
	before = read_rig(&rigs[0]);
	rigs[1].uptime_ms = 500;
	serve(&rigs[1], 10, 0, 1000);
	now = read_rig(&rigs[1]);
	compute(METER_SERVICE, false, NULL);
	golden_add(&golden, SLICE("a:1"), before, now);
	golden_finish(&golden);
	assert_true(golden.rows[0]->requests == 10 && golden.rows[0]->rate == 20);
	assert_true(golden.rows[0]->p50_ms > 0.94 && golden.rows[0]->p50_ms < 1.06);
}

static void test_nothing_is_not_perfect(void **state)
{
	struct reading *before = read_rig(&rigs[0]), *now;

	(void)state;
	rigs[0].uptime_ms += 1000;
	now = read_rig(&rigs[0]);
	compute(METER_SERVICE, false, NULL);
	golden_add(&golden, SLICE("a:1"), before, now);
	golden_finish(&golden);
	assert_true(isnan(golden.rows[0]->success_percent) && isnan(golden.rows[0]->p99_ms));
	assert_true(golden.rows[0]->rate == 0);
	columns_table(&golden, &(struct columns_look){ .view = VIEW_STAT }, &out);
	assert_string_equal(out.bytes,
		"SERVICE  ROUTER  SUCCESS  RPS  P50  P95  P99  RETRY/S   UP  CONNS\n"
		"svc/web  out           -  0.0    -    -    -      0.0  0/0      0\n");
}

static void test_routes_and_edges(void **state)
{
	struct reading *before = read_rig(&rigs[0]), *now;

	(void)state;
	counter_add(&rigs[0].route->requests, 5);
	counter_add(&rigs[0].route->success, 5);
	counter_add(&rigs[0].client->tls.handshakes, 3);
	counter_add(&rigs[0].client->tls.plain, 1);
	counter_add(&rigs[0].client->sessions.connects, 4);
	rigs[0].uptime_ms += 1000;
	now = read_rig(&rigs[0]);
	compute(METER_ROUTE, false, NULL);
	golden_add(&golden, SLICE("a:1"), before, now);
	golden_finish(&golden);
	assert_int_equal(golden.count, 1);
	assert_memory_equal(golden.rows[0]->client.at, "#/io.l5d.fs/web", 15);
	assert_memory_equal(golden.rows[0]->service.at, "svc/web", 7);
	assert_true(golden.rows[0]->rate == 5);
	compute(METER_CLIENT, false, NULL);
	golden_add(&golden, SLICE("a:1"), before, now);
	golden_finish(&golden);
	assert_int_equal(golden.count, 4);
	assert_memory_equal(golden.rows[1]->from.at, "rt/out", 6);
	assert_memory_equal(golden.rows[1]->secured.at, "75%", 3);
}

static void test_edges_of_callers(void **state)
{
	static const char *const front[] = { "spiffe://*/front", NULL };
	struct reading *before = read_rig(&rigs[0]), *now;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		counter_add(&rigs[0].callers[i]->requests, 10 * (i + 1));
		counter_add(&rigs[0].callers[i]->success, 10 * (i + 1) - 1);
		counter_add(&rigs[0].callers[i]->failures, 1);
	}
	rigs[0].uptime_ms += 1000;
	now = read_rig(&rigs[0]);
	compute(METER_CLIENT, false, NULL);
	golden_add(&golden, SLICE("a:1"), before, now);
	golden_finish(&golden);
	columns_table(&golden, &(struct columns_look){ .view = VIEW_EDGES }, &out);
	assert_string_equal(out.bytes,
		"FROM                                  TO               ROUTER  SUCCESS   RPS  ERR/S  P50  P99   UP  CONNS  SECURED  "
		"PEERS\n"
		"plaintext                             #/io.l5d.fs/web  out      96.66%  30.0    1.0    -    -    -      -  no       -\n"
		"rt/out                                #/io.l5d.fs/web  out           -   0.0    0.0    -    -  0/0      0  -        -\n"
		"spiffe://example.org/ns/web/sa/front  #/io.l5d.fs/web  out      90.00%  10.0    1.0    -    -    -      -  mutual   -\n"
		"tls                                   #/io.l5d.fs/web  out      95.00%  20.0    1.0    -    -    -      -  tls      -\n");
	compute(METER_CLIENT, false, front);
	golden_add(&golden, SLICE("a:1"), before, now);
	golden_finish(&golden);
	assert_int_equal(golden.count, 1);
	assert_true(golden.rows[0]->requests == 10);
}

static void test_names_are_matched(void **state)
{
	(void)state;
	assert_true(golden_matches(SLICE("svc/web"), "svc/web"));
	assert_true(golden_matches(SLICE("svc/web"), "web"));
	assert_false(golden_matches(SLICE("svc/web"), "we"));
	assert_true(golden_matches(SLICE("svc/web-v2"), "web*"));
	assert_true(golden_matches(SLICE("svc/web-v2"), "*v?"));
	assert_true(golden_matches(SLICE("svc/aab"), "*ab"));
	assert_false(golden_matches(SLICE("svc/web"), "*x*"));
	assert_true(golden_matches(SLICE(""), "*"));
	assert_false(golden_matches(SLICE("web"), ""));
}

static void test_patterns_choose(void **state)
{
	static const char *const other[] = { "api", NULL }, *const both[] = { "api", "w*", NULL };
	struct reading *now = read_rig(&rigs[0]);

	(void)state;
	compute(METER_SERVICE, false, other);
	golden_add(&golden, SLICE("a:1"), now, now);
	golden_finish(&golden);
	assert_int_equal(golden.count, 0);
	compute(METER_SERVICE, false, both);
	golden_add(&golden, SLICE("a:1"), now, now);
	golden_finish(&golden);
	assert_int_equal(golden.count, 1);
}

static void test_order(void **state)
{
	struct reading *before[2], *now[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		before[i] = read_rig(&rigs[i]);
		serve(&rigs[i], i ? 30 : 10, 0, 1000);
		rigs[i].uptime_ms += 1000;
		now[i] = read_rig(&rigs[i]);
	}
	compute(METER_SERVICE, true, NULL);
	golden_add(&golden, SLICE("a:1"), before[0], now[0]);
	golden_add(&golden, SLICE("b:1"), before[1], now[1]);
	golden_add(&golden, SLICE("c:1"), now[1], now[1]);
	golden_finish(&golden);
	columns_sort(&golden, column_find(VIEW_STAT, false, SLICE("rate")), false);
	assert_memory_equal(golden.rows[0]->proxy.at, "b:1", 3);
	columns_sort(&golden, column_find(VIEW_STAT, false, SLICE("rate")), true);
	assert_memory_equal(golden.rows[0]->proxy.at, "c:1", 3);
	/* What is unknown is last either way. */
	columns_sort(&golden, column_find(VIEW_STAT, false, SLICE("success")), false);
	assert_memory_equal(golden.rows[2]->proxy.at, "c:1", 3);
	columns_sort(&golden, column_find(VIEW_STAT, false, SLICE("success")), true);
	assert_memory_equal(golden.rows[2]->proxy.at, "c:1", 3);
	assert_null(column_find(VIEW_STAT, false, SLICE("client")));
	assert_non_null(column_find(VIEW_ROUTES, false, SLICE("client")));
}

static void test_pages_that_are_something_else(void **state)
{
	static const char *const pages[] = { "", "<html>", "{}", "[]", "{\"jvm\":{\"uptime\":7}}",
		"{\"jvm\":{\"uptime\":{\"gauge\":\"x\"}}}" };

	(void)state;
	for (unsigned i = 0; i < sizeof pages / sizeof *pages; i++)
		assert_null(reading_new(slice_of(pages[i]), &out));
	struct reading *odd = reading_new(SLICE("{\"jvm\":{\"uptime\":{\"gauge\":1}},\"rt\":{\"a\":7,\"b\":{\"service\":{\"c\":[1],"
						"\"d\":{\"request_latency_ms\":{\"stat.buckets\":[1,[2],[\"x\",1],[-1,2],[1e99,1]]}}}}}}"),
		&out);

	assert_non_null(odd);
	readings[reading_count++] = odd;
	compute(METER_SERVICE, false, NULL);
	golden_add(&golden, SLICE("a:1"), odd, odd);
	golden_finish(&golden);
	assert_int_equal(golden.count, 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_happened_between_two_readings),
		TEST(test_proxies_are_summed_or_apart),
		TEST(test_a_restarted_proxy_counts_from_its_start),
		TEST(test_nothing_is_not_perfect),
		TEST(test_routes_and_edges),
		TEST(test_edges_of_callers),
		TEST(test_names_are_matched),
		TEST(test_patterns_choose),
		TEST(test_order),
		TEST(test_pages_that_are_something_else),
	};

	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "cli/dashboard/mesh_json.h"
#include "export/metrics_json.h"
#include "proxy/stats.h"

enum { PROXIES = 2 };

/* Proxies whose metrics are real ones, read as their admin servers show them. */
struct proxy_rig {
	struct metrics *metrics;
	double uptime_ms;
	struct server_stats *servers[2]; /* of the routers `in` and `out` */
	struct service_stats *web;       /* of `out` */
};

static struct proxy_rig rigs[PROXIES];
static struct target target[PROXIES];
static struct targets targets;
static struct mesh mesh;
static struct text out;
static int64_t wall_ms;

static double read_uptime(void *owner)
{
	return *(const double *)owner;
}

static void rig_start(struct proxy_rig *rig)
{
	static const struct metric_kind process = { "process", NULL, 0, 0, 1 };
	static const char *const labels[] = { "in", "out" };
	const struct scope_label jvm = { SLICE("jvm"), SLICE("") };
	const struct scope_label web[] = { { SLICE("rt"), SLICE("out") }, { SLICE("service"), SLICE("svc/web") } };

	*rig = (struct proxy_rig){ .metrics = metrics_new(1), .uptime_ms = 1000 };
	metrics_gauge(rig->metrics, metrics_scope(rig->metrics, &process, &jvm, 1), "uptime", read_uptime, &rig->uptime_ms);
	rig->web = scope_shard(metrics_scope(rig->metrics, &service_kind, web, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct scope_label server[] = { { SLICE("rt"), slice_of(labels[i]) }, { SLICE("server"), SLICE("127.0.0.1/4140") } };

		rig->servers[i] = scope_shard(metrics_scope(rig->metrics, &server_kind, server, 2), 0);
	}
}

static int setup(void **state)
{
	(void)state;
	targets = (struct targets){ .first = &target[0], .count = PROXIES };
	target[0] = (struct target){ .name = SLICE("a:1"), .next = &target[1] };
	target[1] = (struct target){ .name = SLICE("b:1") };
	for (unsigned i = 0; i < PROXIES; i++)
		rig_start(&rigs[i]);
	mesh_init(&mesh, false);
	wall_ms = 1000000;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROXIES; i++) {
		reading_free(target[i].before);
		reading_free(target[i].now);
		text_free(&target[i].why);
		metrics_free(rigs[i].metrics);
	}
	mesh_free(&mesh);
	text_free(&out);
	return 0;
}

static void serve(struct server_stats *server, unsigned good, unsigned bad, unsigned microseconds)
{
	counter_add(&server->requests, good + bad);
	counter_add(&server->success, good);
	counter_add(&server->failures, bad);
	for (unsigned i = 0; i < good + bad; i++)
		histogram_record(&server->latency, microseconds);
}

/* As targets.c does it: `before` stays what it was while a proxy can't be read. */
static void read_one(unsigned i, bool reached)
{
	const struct metrics_query query = { .tree = true, .buckets = true };
	struct text page = { 0 };

	if (target[i].now) {
		reading_free(target[i].before);
		target[i].before = target[i].now;
		target[i].now = NULL;
	}
	text_clear(&target[i].why);
	rigs[i].uptime_ms += 2000;
	if (!reached) {
		text_append(&target[i].why, SLICE("connection refused"));
		return;
	}
	assert_int_equal(metrics_json(rigs[i].metrics, &query, &page), 0);
	target[i].now = reading_new(text_slice(&page), &target[i].why);
	assert_non_null(target[i].now);
	text_free(&page);
}

static void take(bool first, bool second)
{
	read_one(0, first);
	read_one(1, second);
	wall_ms += 2000;
	mesh_take(&mesh, &targets, wall_ms);
}

static struct mesh_row *row(enum mesh_kind kind, const char *router, const char *name)
{
	return mesh_find(&mesh, kind, slice_of(router), slice_of(name));
}

static bool is_about(double value, double wanted)
{
	return value > wanted * 0.93 && value < wanted * 1.07;
}

static void test_all_is_the_sum_of_the_proxies(void **state)
{
	const struct mesh_row *all, *in, *b;

	(void)state;
	serve(rigs[0].servers[0], 1000, 1000, 900000);
	take(true, true);
	assert_true(isnan(row(MESH_TOTAL, "", "")->now[MESH_RATE]));
	assert_true(row(MESH_TOTAL, "", "")->requests == 2000);
	serve(rigs[0].servers[0], 18, 2, 1000);
	serve(rigs[0].servers[1], 10, 0, 1000);
	serve(rigs[1].servers[1], 66, 4, 8000);
	take(true, true);
	all = row(MESH_TOTAL, "", "");
	assert_true(all->now[MESH_RATE] == 50 && all->now[MESH_SUCCESS] == 94 && all->requests == 2100);
	/* Of the window alone, and of all proxies together. */
	assert_true(is_about(all->now[MESH_P50], 8) && is_about(all->now[MESH_P99], 8));
	in = row(MESH_TOTAL, "in", "");
	assert_true(in->now[MESH_RATE] == 10 && in->now[MESH_SUCCESS] == 90 && is_about(in->now[MESH_P99], 1));
	b = row(MESH_PROXY, "", "b:1");
	assert_true(b->now[MESH_RATE] == 35 && is_about(b->now[MESH_P50], 8) && b->failures == 4);
	assert_true(row(MESH_PROXY, "out", "a:1")->now[MESH_RATE] == 5);
	assert_true(isnan(row(MESH_PROXY, "in", "b:1")->now[MESH_SUCCESS]) && row(MESH_PROXY, "in", "b:1")->now[MESH_RATE] == 0);
}

static void test_a_service_is_the_sum_of_the_proxies(void **state)
{
	const struct mesh_row *web;

	(void)state;
	take(true, true);
	counter_add(&rigs[0].web->requests, 3);
	counter_add(&rigs[0].web->success, 3);
	counter_add(&rigs[1].web->requests, 5);
	counter_add(&rigs[1].web->failures, 5);
	take(true, true);
	web = row(MESH_SERVICE, "out", "svc/web");
	assert_true(web->now[MESH_RATE] == 4 && web->now[MESH_SUCCESS] == 37.5 && web->requests == 8 && web->proxies == 2);
	assert_null(row(MESH_SERVICE, "in", "svc/web"));
}

static void test_who_cannot_be_read_leaves_a_gap(void **state)
{
	struct mesh_row *b;
	unsigned id;

	(void)state;
	take(true, true);
	for (unsigned i = 0; i < 2; i++) {
		serve(rigs[1].servers[1], 10, 0, 1000);
		take(true, true);
	}
	b = row(MESH_PROXY, "", "b:1");
	id = b->id;
	assert_true(b->reached && b->since_ms == 1002000);
	serve(rigs[1].servers[1], 20, 0, 1000);
	take(true, false);
	b = row(MESH_PROXY, "", "b:1");
	assert_true(!b->reached && b->since_ms == 1008000 && b->id == id && isnan(b->now[MESH_RATE]));
	assert_true(row(MESH_TOTAL, "", "")->now[MESH_RATE] == 0);
	/* What it did meanwhile is spread over the time in which nobody looked. */
	take(true, true);
	b = row(MESH_PROXY, "", "b:1");
	assert_true(b->reached && b->since_ms == 1010000 && b->now[MESH_RATE] == 5);
	assert_true(mesh_length(&mesh) == 5);
	assert_true(mesh_past(&mesh, b, 0, MESH_RATE) == 5 && isnan(mesh_past(&mesh, b, 1, MESH_RATE)));
	assert_true(mesh_past(&mesh, b, 2, MESH_RATE) == 5 && isnan(mesh_past(&mesh, b, 4, MESH_RATE)));
	take(false, false);
	assert_true(isnan(row(MESH_TOTAL, "", "")->now[MESH_RATE]));
}

static void test_only_so_much_is_kept(void **state)
{
	const struct mesh_row *all;
	unsigned id;

	(void)state;
	take(true, true);
	serve(rigs[0].servers[0], 10, 0, 1000);
	counter_add(&rigs[0].web->requests, 10);
	take(true, true);
	id = row(MESH_SERVICE, "out", "svc/web")->id;
	for (unsigned i = 0; i < MESH_KEPT - 1; i++)
		take(true, false);
	all = row(MESH_TOTAL, "", "");
	assert_int_equal(mesh_length(&mesh), MESH_KEPT);
	assert_true(mesh_past(&mesh, all, MESH_KEPT - 1, MESH_RATE) == 5 && mesh_past(&mesh, all, 0, MESH_RATE) == 0);
	assert_true(isnan(mesh_past(&mesh, all, MESH_KEPT, MESH_RATE)));
	take(true, false);
	assert_true(mesh_past(&mesh, all, MESH_KEPT - 1, MESH_RATE) == 0);
	/* A service that nobody knows any more goes with its past. */
	assert_non_null(mesh_by_id(&mesh, id));
	for (unsigned i = 0; i < MESH_KEPT; i++)
		take(false, false);
	assert_null(mesh_by_id(&mesh, id));
}

static void test_who_is_not_named_any_more_is_forgotten(void **state)
{
	unsigned id;

	(void)state;
	take(true, true);
	id = row(MESH_PROXY, "", "b:1")->id;
	target[0].next = NULL;
	targets.count = 1;
	take(true, true);
	assert_null(row(MESH_PROXY, "", "b:1"));
	assert_null(mesh_by_id(&mesh, id));
	assert_non_null(row(MESH_PROXY, "", "a:1"));
}

static void test_it_is_told_as_json(void **state)
{
	(void)state;
	take(true, false);
	mesh_json(&mesh, &targets, 2 * CLOCK_SECOND, &out);
	assert_non_null(strstr(out.bytes, "\"name\":\"b:1\",\"reached\":false,\"for_ms\":0,\"why\":\"connection refused\""));
	assert_non_null(strstr(out.bytes, "\"services\":1,\"proxies\":1},\"routers\":{"));
	assert_non_null(strstr(out.bytes, "{\"router\":\"out\",\"name\":\"svc/web\",\"id\":"));
	text_clear(&out);
	serve(rigs[0].servers[0], 3, 1, 1000);
	take(true, false);
	assert_true(mesh_history_json(&mesh, SLICE("1,9999"), true, &out));
	assert_string_equal(out.bytes, "{\"times_ms\":[1002000,1004000],\"rows\":{\"1\":{\"rate_per_s\":[null,2]}}}");
	assert_false(mesh_history_json(&mesh, SLICE("1,x"), false, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_is_the_sum_of_the_proxies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_service_is_the_sum_of_the_proxies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_cannot_be_read_leaves_a_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_so_much_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_is_not_named_any_more_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_is_told_as_json, setup, teardown),
	};

	return cmocka_run_group_tests_name("cli/mesh", tests, NULL, NULL);
}

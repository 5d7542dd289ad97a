/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/text.h"
#include "proxy/outcome.h"
#include "proxy/stats.h"

static const struct metric_kind *const kinds[] = { &server_kind, &service_kind, &client_kind, &pair_kind, &method_kind, &router_kind };

static uint32_t size_of(enum metric_type type)
{
	return type == METRIC_CODES        ? sizeof(struct codes)
		: type == METRIC_STAT      ? sizeof(struct histogram)
		: type == METRIC_SEEN_STAT ? sizeof(struct histogram_coarse)
		: type == METRIC_VALUES    ? sizeof(struct histogram_few)
					   : sizeof(struct counter);
}

/* What a table says lies within the struct that workers write, and no name is there twice. */
static void test_tables_fit_their_structs(void **state)
{
	(void)state;
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (unsigned i = 0; i < kinds[k]->metric_count; i++) {
			const struct metric *metric = &kinds[k]->metrics[i];

			assert_true(metric->offset + size_of(metric->type) <= kinds[k]->shard_size);
			for (unsigned other = 0; other < i; other++)
				assert_string_not_equal(metric->name, kinds[k]->metrics[other].name);
		}
}

static const struct metric *metric_named(const struct metric_kind *kind, const char *name)
{
	for (unsigned i = 0; i < kind->metric_count; i++)
		if (strcmp(kind->metrics[i].name, name) == 0)
			return &kind->metrics[i];
	fail_msg("%s has no %s", kind->name, name);
	return NULL;
}

static void test_failures_are_called_as_outcomes(void **state)
{
	char name[128];

	(void)state;
	assert_true(OUTCOME_COUNT <= sizeof((struct client_stats){ 0 }.exceptions) / sizeof(struct counter));
	for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
		snprintf(name, sizeof name, "failures/%s", outcome_text(i));
		assert_int_equal(metric_named(&client_kind, name)->offset, offsetof(struct client_stats, exceptions[i]));
	}
}

static void test_failures_of_tls_are_called_as_it_calls_them(void **state)
{
	char name[128];

	(void)state;
	for (unsigned i = 0; i < TLS_FAILURES; i++) {
		snprintf(name, sizeof name, "tls/failures/%s", tls_failure_name(i));
		assert_int_equal(metric_named(&client_kind, name)->offset, offsetof(struct client_stats, tls.failures[i]));
		assert_int_equal(metric_named(&server_kind, name)->offset, offsetof(struct server_stats, tls.failures[i]));
	}
}

/* What Linkerd's dashboards and ./dev demo --check read. */
static void test_documented_names_are_there(void **state)
{
	static const struct {
		const struct metric_kind *kind;
		const char *names[16];
	} documented[] = {
		{ &server_kind,
			{ "requests", "success", "failures", "pending", "load", "request_latency_ms", "status", "connections", "connects",
				"received_bytes", "sent_bytes", "connection_duration", "time/2XX", "time/5XX" } },
		{ &service_kind,
			{ "requests", "success", "failures", "pending", "request_latency_ms", "retries/total", "retries/budget_exhausted",
				"retries/per_request" } },
		{ &client_kind,
			{ "requests", "success", "failures", "pending", "load", "request_latency_ms", "status", "connections", "connects",
				"connect_latency_ms", "pool_waiters", "pool_num_waited", "service_creation/failures" } },
		{ &client_kind,
			{ "time/2XX", "time/3XX", "time/4XX", "time/5XX", "failed_connect_latency_ms", "pool_cached", "loadbalancer/busy",
				"loadbalancer/rebuilds" } },
		{ &client_kind,
			{ "loadbalancer/size", "loadbalancer/available", "loadbalancer/adds", "loadbalancer/removes",
				"loadbalancer/updates", "loadbalancer/load", "loadbalancer/max_effort_exhausted",
				"failure_accrual/removals", "failure_accrual/revivals", "failure_accrual/probes",
				"failure_accrual/removed_for_ms", "retries/requeues", "retries/budget_exhausted",
				"retries/requeues_per_request", "retries/request_limit" } },
		{ &pair_kind, { "requests", "success", "failures", "request_latency_ms", "status" } },
		{ &router_kind,
			{ "bindcache/path/misses", "bindcache/path/evicts", "bindcache/path/expires", "bindcache/path/oneshots",
				"bindcache/tree/misses", "bindcache/tree/evicts", "bindcache/tree/expires", "bindcache/tree/oneshots" } },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof documented / sizeof documented[0]; i++)
		for (unsigned k = 0; k < 16 && documented[i].names[k]; k++)
			metric_named(documented[i].kind, documented[i].names[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_fit_their_structs),
		cmocka_unit_test(test_failures_of_tls_are_called_as_it_calls_them),
		cmocka_unit_test(test_failures_are_called_as_outcomes),
		cmocka_unit_test(test_documented_names_are_there),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}

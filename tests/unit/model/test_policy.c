/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "model/matcher.h"
#include "model/policy.h"
#include "model/snapshot.h"
#include "support/names.h"

static void test_linkerd_defaults(void **state)
{
	const struct service_policy service = service_policy_default();
	const struct client_policy client = client_policy_default();

	(void)state;
	assert_int_equal(service.set | client.set, 0);
	assert_int_equal(service.total_timeout_ns, 0);
	assert_true(service.budget.percent_can_retry == 0.2);
	assert_int_equal(service.budget.min_retries_per_second, 10);
	assert_int_equal(service.budget.ttl_ns, 10 * CLOCK_SECOND);
	assert_int_equal(service.backoff.kind, BACKOFF_CONSTANT);
	assert_int_equal(service.backoff.min_ns, 0);
	assert_int_equal(service.classifier, CLASSIFIER_NON_RETRYABLE_5XX);
	assert_int_equal(client.balancer.kind, BALANCER_P2C);
	assert_int_equal(client.balancer.max_effort, 5);
	assert_int_equal(client.balancer.decay_ns, 10 * CLOCK_SECOND);
	assert_int_equal(client.accrual.kind, ACCRUAL_CONSECUTIVE_FAILURES);
	assert_int_equal(client.accrual.failures, 5);
	assert_int_equal(client.accrual.backoff.kind, BACKOFF_EQUAL);
	assert_int_equal(client.accrual.backoff.min_ns, 5 * CLOCK_SECOND);
	assert_int_equal(client.accrual.backoff.max_ns, 300 * CLOCK_SECOND);
	assert_int_equal(client.attempt_timeout_ns, 0);
	assert_int_equal(client.connections.max_size, 0);
}

/* The snapshot's end takes the matchers with it: AddressSanitizer would tell if it did not. */
static void test_rules_apply_in_order_field_by_field(void **state)
{
	struct snapshot *snapshot = snapshot_new();
	struct service_rule rules[] = {
		{ .policy = { .set = SERVICE_TOTAL_TIMEOUT | SERVICE_CLASSIFIER,
			  .total_timeout_ns = 1,
			  .classifier = CLASSIFIER_RETRYABLE_ALL_5XX } },
		{ .matcher = matcher_of("/svc/hello"),
			.policy = { .set = SERVICE_TOTAL_TIMEOUT, .total_timeout_ns = 2, .budget = { 9, 9, 9 } } },
		{ .matcher = matcher_of("/svc/other"), .policy = { .set = SERVICE_TOTAL_TIMEOUT, .total_timeout_ns = 3 } },
	};
	struct client_rule clients[] = {
		{ .matcher = matcher_of("/#/*/hello"), .policy = { .set = CLIENT_ATTEMPT_TIMEOUT, .attempt_timeout_ns = 7 } },
		{ .matcher = matcher_of("/#"), .policy = { .set = CLIENT_ACCRUAL, .accrual = { .kind = ACCRUAL_NONE } } },
	};
	struct router router = { .service_rules = rules, .service_rule_count = 3, .client_rules = clients, .client_rule_count = 2 };
	struct service_policy service;
	struct client_policy client;
	struct path hello = path_of("/svc/hello/more"), world = path_of("/svc/world");
	struct path id = path_of("/#/io.l5d.fs/hello");

	(void)state;
	snapshot->routers = &router;
	snapshot->router_count = 1;
	service_policy_resolve(rules, 3, &hello, &service);
	assert_int_equal(service.total_timeout_ns, 2);
	assert_int_equal(service.classifier, CLASSIFIER_RETRYABLE_ALL_5XX);
	assert_true(service.budget.percent_can_retry == 0.2); /* not set by the rule, whatever it holds */
	assert_int_equal(service.set, SERVICE_TOTAL_TIMEOUT | SERVICE_CLASSIFIER);
	service_policy_resolve(rules, 3, &world, &service);
	assert_int_equal(service.total_timeout_ns, 1);
	client_policy_resolve(clients, 2, &id, &client);
	assert_int_equal(client.attempt_timeout_ns, 7);
	assert_int_equal(client.accrual.kind, ACCRUAL_NONE);
	assert_int_equal(client.balancer.max_effort, 5);
	client_policy_resolve(clients, 2, &hello, &client);
	assert_int_equal(client.set, 0);
	assert_ptr_equal(snapshot_ref(snapshot), snapshot);
	snapshot_unref(snapshot);
	assert_int_equal(snapshot->router_count, 1); /* one reference is left */
	snapshot_unref(snapshot);
	snapshot_unref(NULL);
}

/* What the endpoints of an id may be called, by the rule's patterns. */
static void expect_peers(const char *id, const char *const *patterns, const char *peers)
{
	struct tls_setting settings[4] = { 0 };
	struct client_rule rule = { .policy = { .set = CLIENT_TLS, .tls = { .mutual = MUTUAL_STRICT, .peer_ids = settings } } };
	struct matcher *matcher = matcher_of("/#/{ns}/{service}");
	struct path name = path_of(id);
	struct client_policy policy;

	rule.matcher = matcher;
	for (; patterns[rule.policy.tls.peer_id_count]; rule.policy.tls.peer_id_count++)
		settings[rule.policy.tls.peer_id_count].text = slice_of(patterns[rule.policy.tls.peer_id_count]);
	client_policy_resolve(&rule, 1, &name, &policy);
	assert_int_equal(policy.tls.mutual, MUTUAL_STRICT);
	assert_string_equal(policy.tls.peers, peers);
	matcher_free(matcher);
}

static void test_peers(void **state)
{
	static char more[PEERS_MOST];
	static const char *const captured[] = { "spiffe://example.org/ns/{ns}/sa/{service}", NULL };
	static const char *const two[] = { "spiffe://example.org/a/*", "spiffe://example.org/{ns}/**", NULL };
	static const char *const none[] = { NULL };
	static const char *const twice[] = { "spiffe://example.org/a", more, NULL };

	(void)state;
	expect_peers("/#/web/front", captured, "spiffe://example.org/ns/web/sa/front");
	expect_peers("/#/web/front", two, "spiffe://example.org/a/* spiffe://example.org/web/**");
	expect_peers("/#/web/front", none, "");
	/* Captures that would widen the pattern, or make none of it: nobody. */
	expect_peers("/#/web/\\x2a", captured, "");
	expect_peers("/#/web/a\\x2a", captured, "");
	expect_peers("/#/web/a\\x20b", captured, "");
	memset(more, 'a', sizeof more - 1);
	memcpy(more, "spiffe://a/", 11);
	expect_peers("/#/web/front", twice, "");
}

static void test_constant_backoff(void **state)
{
	const struct backoff backoff = { BACKOFF_CONSTANT, 50, 0 };

	(void)state;
	for (unsigned n = 0; n < 5; n++)
		assert_int_equal(backoff_next(&backoff, n, 999, 0.9), 50);
}

static void test_decorrelated_jitter(void **state)
{
	const struct backoff backoff = { BACKOFF_JITTERED, 100, 5000 };
	struct random random;
	int64_t last = 0;

	(void)state;
	random_init(&random, 3);
	assert_int_equal(backoff_next(&backoff, 0, 0, 0.7), 100);
	assert_int_equal(backoff_next(&backoff, 1, 100, 0), 100);
	assert_int_equal(backoff_next(&backoff, 1, 100, 0.5), 200);
	assert_int_equal(backoff_next(&backoff, 5, 4000, 0.9999), 5000);
	for (unsigned n = 0; n < 1000; n++) {
		int64_t next = backoff_next(&backoff, n, last, random_unit(&random));

		assert_in_range(next, 100, 5000);
		if (n)
			assert_true(next <= 3 * last);
		last = next;
	}
}

static void test_equal_jitter(void **state)
{
	const struct backoff backoff = { BACKOFF_EQUAL, 100, 5000 };

	(void)state;
	assert_int_equal(backoff_next(&backoff, 0, 0, 0.7), 100);
	assert_int_equal(backoff_next(&backoff, 1, 0, 0), 100);
	assert_int_equal(backoff_next(&backoff, 1, 0, 0.5), 150);
	assert_int_equal(backoff_next(&backoff, 2, 0, 0.5), 300);
	assert_int_equal(backoff_next(&backoff, 3, 0, 0.5), 600);
	assert_int_equal(backoff_next(&backoff, 60, 0, 0.5), 5000);
	assert_int_equal(backoff_next(&backoff, UINT32_MAX, 0, 0), 5000);
}

static void test_no_overflow(void **state)
{
	struct backoff backoff = { BACKOFF_JITTERED, INT64_MAX / 2, INT64_MAX };

	(void)state;
	assert_true(backoff_next(&backoff, 3, INT64_MAX, 0.9999999999) > 0);
	backoff.kind = BACKOFF_EQUAL;
	assert_true(backoff_next(&backoff, 100, 0, 0.9999999999) > 0);
	backoff.min_ns = 0;
	assert_int_equal(backoff_next(&backoff, UINT32_MAX, 0, 0.5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linkerd_defaults),
		cmocka_unit_test_setup_teardown(test_rules_apply_in_order_field_by_field, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(test_peers, names_setup, names_teardown),
		cmocka_unit_test(test_constant_backoff),
		cmocka_unit_test(test_decorrelated_jitter),
		cmocka_unit_test(test_equal_jitter),
		cmocka_unit_test(test_no_overflow),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "proxy/stats.h"

struct rig {
	struct metrics *metrics;
	struct live live;
	struct client_policy policy;
	struct client *client;
};

static void rig_init(struct rig *rig, bool probation)
{
	rig->metrics = metrics_new(1);
	live_init(&rig->live, rig->metrics);
	rig->policy = client_policy_default();
	rig->policy.balancer.probation = probation;
	rig->client = live_client(&rig->live, SLICE("out"), SLICE("/#/a"), 1, &rig->policy);
}

static void rig_fini(struct rig *rig)
{
	live_unref(&rig->client->object);
	live_bury(&rig->live);
	assert_int_equal(rig->live.probation, 0);
	live_fini(&rig->live);
	metrics_free(rig->metrics);
}

/* 10.0.0.N:80 for each digit. */
static bool update(struct rig *rig, const char *digits)
{
	struct endpoint list[10];
	unsigned count = 0;

	for (; digits[count]; count++)
		list[count] = (struct endpoint){
			.address = { .family = ADDRESS_IP4, .port = 80, .ip = { 10, 0, 0, (uint8_t)(digits[count] - '0') } },
			.weight = 1,
		};
	struct endpoints *endpoints = endpoints_new(list, count, 1);
	bool changed = live_client_update(rig->client, endpoints);

	endpoints_unref(endpoints);
	return changed;
}

/* The same digits, those on probation behind a "?". */
static void assert_targets(const struct rig *rig, const char *wanted)
{
	const struct targets *targets = rig->client->targets;
	struct text found = { 0 };

	for (unsigned i = 0; i < targets->count; i++)
		text_format(&found, "%s%u", targets->at[i].probation ? "?" : "", targets->at[i].target->address.ip[3]);
	assert_string_equal(text_slice(&found).at, wanted);
	text_free(&found);
}

static void wear_out(const struct rig *rig, unsigned index)
{
	const struct accrual_policy *accrual = &rig->policy.accrual;
	struct health *health = &rig->client->targets->at[index].target->health;
	int64_t ns;

	for (unsigned i = 0; i < accrual->failures; i++)
		(void)health_report(health, accrual, false, CLOCK_SECOND, 0.5, &ns);
	assert_int_equal(health_state(health), HEALTH_DEAD);
}

static void endpoints_that_are_taken_away_go(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, false);
	assert_true(update(&rig, "135"));
	assert_targets(&rig, "135");
	assert_true(update(&rig, "34"));
	assert_targets(&rig, "34");
	assert_false(live_on_probation(&rig.live));
	rig_fini(&rig);
}

static void with_probation_they_stay_while_they_are_healthy(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, true);
	assert_true(update(&rig, "135"));
	assert_false(update(&rig, "135"));
	assert_true(update(&rig, "234"));
	assert_targets(&rig, "?1234?5");
	assert_true(live_on_probation(&rig.live));
	assert_false(live_client_end_probation(rig.client));

	/* One that is named and not healthy stays; one on probation goes for good. */
	wear_out(&rig, 2);
	wear_out(&rig, 4);
	assert_true(live_client_end_probation(rig.client));
	assert_targets(&rig, "?1234");
	assert_true(update(&rig, ""));
	assert_targets(&rig, "?1?2?4");

	/* Named again, it is as it was. */
	struct target *one = rig.client->targets->at[0].target;

	assert_true(update(&rig, "1"));
	assert_targets(&rig, "1?2?4");
	assert_ptr_equal(rig.client->targets->at[0].target, one);
	rig_fini(&rig);
}

static void an_update_lets_go_of_what_has_become_unhealthy(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, true);
	assert_true(update(&rig, "12"));
	wear_out(&rig, 0);
	assert_true(update(&rig, "3"));
	assert_targets(&rig, "?23");
	rig_fini(&rig);
}

static void a_failed_question_changes_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, true);
	assert_true(update(&rig, "12"));
	struct endpoints *failed = endpoints_new_state(ENDPOINTS_FAILED, SLICE("no answer"), 1);

	assert_false(live_client_update(rig.client, failed));
	assert_targets(&rig, "12");
	endpoints_unref(failed);
	rig_fini(&rig);
}

/* A name that is bound later has a scope of its own then, even if it had none before. */
static void names_that_are_bound_to_nothing_count_together(void **state)
{
	const struct service_policy policy = service_policy_default();
	struct service *some[UNBOUND_SERVICES + 2], *again;
	struct rig rig;
	char name[16];

	(void)state;
	rig_init(&rig, false);
	for (unsigned i = 0; i < UNBOUND_SERVICES + 2; i++) {
		snprintf(name, sizeof name, "/svc/%u", i);
		some[i] = live_service(&rig.live, SLICE("out"), slice_of(name), &policy, false);
		assert_int_equal(scope_is_overflow(some[i]->scope), i >= UNBOUND_SERVICES);
	}
	assert_ptr_equal(some[UNBOUND_SERVICES]->scope, some[UNBOUND_SERVICES + 1]->scope);

	again = live_service(&rig.live, SLICE("out"), SLICE("/svc/0"), &policy, true);
	assert_ptr_equal(again, some[0]);
	live_unref(&again->object);
	again = live_service(&rig.live, SLICE("out"), slice_of(name), &policy, true);
	assert_ptr_not_equal(again, some[UNBOUND_SERVICES + 1]);
	assert_false(scope_is_overflow(again->scope));
	assert_true(scope_is_overflow(some[UNBOUND_SERVICES + 1]->scope));
	live_unref(&again->object);
	for (unsigned i = 0; i < UNBOUND_SERVICES + 2; i++)
		live_unref(&some[i]->object);
	rig_fini(&rig);
}

static void a_client_is_found_by_the_rules_that_made_it(void **state)
{
	struct rig rig;
	struct client *found;

	(void)state;
	rig_init(&rig, false);
	found = live_client_find(&rig.live, SLICE("out"), SLICE("/#/a"), 1);
	assert_ptr_equal(found, rig.client);
	live_unref(&found->object);
	assert_null(live_client_find(&rig.live, SLICE("out"), SLICE("/#/a"), 2));
	assert_null(live_client_find(&rig.live, SLICE("in"), SLICE("/#/a"), 1));
	assert_null(live_client_find(&rig.live, SLICE("out"), SLICE("/#/b"), 1));

	/* The next snapshot's rules say the same: it is theirs from then on. */
	found = live_client(&rig.live, SLICE("out"), SLICE("/#/a"), 2, &rig.policy);
	assert_ptr_equal(found, rig.client);
	live_unref(&found->object);
	found = live_client_find(&rig.live, SLICE("out"), SLICE("/#/a"), 2);
	assert_ptr_equal(found, rig.client);
	live_unref(&found->object);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_that_are_taken_away_go),
		cmocka_unit_test(with_probation_they_stay_while_they_are_healthy),
		cmocka_unit_test(an_update_lets_go_of_what_has_become_unhealthy),
		cmocka_unit_test(a_failed_question_changes_nothing),
		cmocka_unit_test(names_that_are_bound_to_nothing_count_together),
		cmocka_unit_test(a_client_is_found_by_the_rules_that_made_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* export/collector before collectors that keep connections, break them off at the worst moment, are slow, or dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collecting.h"
#include "export/collector.h"

struct rig {
	struct collecting all;
	struct collector *collector;
};

static void rig_new(struct rig *rig)
{
	collecting_new(&rig->all);
	assert_int_equal(0, collector_new(&rig->all.options, COLLECTOR_OTLP, &rig->collector));
	collector_configure(rig->collector, &rig->all.snapshot->telemetry.collectors[COLLECTOR_OTLP], rig->all.snapshot);
}

static void rig_free(struct rig *rig)
{
	for (unsigned i = 0; i < 100 && !collector_let_go(rig->collector); i++)
		sim_run_for(rig->all.world.sim, 100 * CLOCK_MS);
	assert_true(collector_let_go(rig->collector));
	collector_free(rig->collector);
	collecting_free(&rig->all);
}

static void run_for(struct rig *rig, int64_t duration)
{
	for (int64_t i = 0; i < duration; i += 10 * CLOCK_MS) {
		collector_work(rig->collector, false);
		sim_run_for(rig->all.world.sim, 10 * CLOCK_MS);
	}
}

static void add(struct rig *rig, unsigned spans)
{
	for (unsigned i = 0; i < spans; i++)
		collector_add(rig->collector, &collecting_span);
}

static int metric(const struct rig *rig, const char *name)
{
	return collecting_metric(&rig->all, name);
}

static unsigned posts(const struct rig *rig, unsigned call)
{
	return collecting_posts(&rig->all, call);
}

/* One span more comes on the connection, the newest, and is taken. */
static void one_round(struct rig *rig, unsigned call)
{
	unsigned before = call < rig->all.world.server.count ? posts(rig, call) : 0;

	add(rig, 1);
	run_for(rig, CLOCK_SECOND);
	assert_int_equal(call + 1, rig->all.world.server.count);
	assert_int_equal(before + 1, posts(rig, call));
	scripted_send(&rig->all.world.server.calls[call], TAKEN);
	run_for(rig, 100 * CLOCK_MS);
}

static void test_a_connection_is_kept(void **state)
{
	struct rig rig;

	(void)state;
	rig_new(&rig);
	for (unsigned i = 1; i <= 4; i++) {
		one_round(&rig, 0);
		assert_int_equal(i, metric(&rig, "spans"));
	}
	assert_int_equal(0, metric(&rig, "failures"));
	rig_free(&rig);
}

static void break_off(struct rig *rig, unsigned call, bool reset)
{
	if (reset)
		scripted_reset(&rig->all.world.server.calls[call]);
	else
		scripted_end(&rig->all.world.server.calls[call]);
	run_for(rig, 100 * CLOCK_MS);
}

/* It was closed while the post was on its way: nobody can know whether it came, and it goes again at once, on another connection. */
static void replaced(bool reset)
{
	struct rig rig;

	rig_new(&rig);
	one_round(&rig, 0);
	add(&rig, 1);
	run_for(&rig, CLOCK_SECOND);
	assert_int_equal(2, posts(&rig, 0));
	break_off(&rig, 0, reset);
	assert_int_equal(2, rig.all.world.server.count);
	assert_int_equal(1, posts(&rig, 1));
	scripted_send(&rig.all.world.server.calls[1], TAKEN);
	run_for(&rig, 100 * CLOCK_MS);
	assert_int_equal(2, metric(&rig, "spans"));
	assert_int_equal(0, metric(&rig, "failures"));
	assert_int_equal(0, metric(&rig, "dropped"));
	one_round(&rig, 1);
	rig_free(&rig);
}

static void test_a_kept_connection_that_ends_is_replaced(void **state)
{
	(void)state;
	replaced(false);
}

static void test_a_kept_connection_that_breaks_is_replaced(void **state)
{
	(void)state;
	replaced(true);
}

/* Once: what breaks on a new connection too is a failure, with its pause. */
static void test_a_connection_is_replaced_once(void **state)
{
	struct rig rig;

	(void)state;
	rig_new(&rig);
	one_round(&rig, 0);
	add(&rig, 1);
	run_for(&rig, CLOCK_SECOND);
	break_off(&rig, 0, true);
	assert_int_equal(2, rig.all.world.server.count);
	break_off(&rig, 1, true);
	assert_int_equal(1, metric(&rig, "failures"));
	run_for(&rig, 500 * CLOCK_MS);
	assert_int_equal(2, rig.all.world.server.count);
	run_for(&rig, CLOCK_SECOND);
	assert_int_equal(3, rig.all.world.server.count);
	scripted_send(&rig.all.world.server.calls[2], TAKEN);
	run_for(&rig, 100 * CLOCK_MS);
	assert_int_equal(2, metric(&rig, "spans"));
	assert_int_equal(0, metric(&rig, "dropped"));
	rig_free(&rig);
}

/* It takes the post and says nothing: more than there is room for is lost, and counted; the rest is sent when it is well again. */
static void test_what_a_slow_collector_leaves_waiting_has_a_bound(void **state)
{
	struct rig rig;
	int taken = 0;

	(void)state;
	rig_new(&rig);
	add(&rig, 1);
	run_for(&rig, CLOCK_SECOND);
	assert_int_equal(1, rig.all.world.server.count);
	add(&rig, WAITING + 99);
	collector_lose(rig.collector, 5);
	assert_int_equal(100 + 5, metric(&rig, "dropped"));
	for (unsigned i = 0; i < 100 && taken < WAITING; i++) {
		scripted_send(&rig.all.world.server.calls[0], TAKEN);
		run_for(&rig, CLOCK_SECOND);
		taken = metric(&rig, "spans");
	}
	assert_int_equal(WAITING, taken);
	assert_int_equal(100 + 5, metric(&rig, "dropped"));
	assert_int_equal(1, rig.all.world.server.count);
	rig_free(&rig);
}

static void test_a_dead_collector_loses_what_has_no_room(void **state)
{
	struct rig rig;

	(void)state;
	rig_new(&rig);
	scripted_stop(&rig.all.world.server);
	for (unsigned i = 0; i < 10; i++) {
		add(&rig, 1000);
		run_for(&rig, CLOCK_SECOND);
	}
	assert_true(metric(&rig, "failures") > 1);
	assert_int_equal(10000 - WAITING, metric(&rig, "dropped"));
	assert_int_equal(0, metric(&rig, "spans"));
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_connection_is_kept),
		cmocka_unit_test(test_a_kept_connection_that_ends_is_replaced),
		cmocka_unit_test(test_a_kept_connection_that_breaks_is_replaced),
		cmocka_unit_test(test_a_connection_is_replaced_once),
		cmocka_unit_test(test_what_a_slow_collector_leaves_waiting_has_a_bound),
		cmocka_unit_test(test_a_dead_collector_loses_what_has_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/network.h"
#include "io/sim/sim.h"
#include "session/expiry.h"

enum { MANY = 40 };

struct world {
	struct sim *sim;
	struct loop *loop;
	struct expiries expiries;
};

/* One deadline, and when it fired. */
struct probe {
	struct world *world;
	struct expiry expiry;
	unsigned fired;
	int64_t at;
	int64_t again; /* set anew when fired */
};

static void fired(struct expiry *expiry)
{
	struct probe *probe = LIST_OF(expiry, struct probe, expiry);

	probe->fired++;
	probe->at = loop_now(probe->world->loop);
	if (probe->again)
		expiry_set(&probe->world->expiries, &probe->expiry, probe->again);
}

static int set_up(void **state)
{
	static struct world world;

	world.sim = sim_new(1, NULL);
	(void)sim_host_new(world.sim, "10.0.0.1");
	if (loop_new(&(struct loop_options){ .name = "test" }, &world.loop))
		return -1;
	expiries_init(&world.expiries, world.loop);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	expiries_fini(&world->expiries);
	loop_free(world->loop);
	sim_free(world->sim);
	return 0;
}

static void probe_init(struct world *world, struct probe *probe)
{
	*probe = (struct probe){ .world = world };
	expiry_init(&probe->expiry, fired);
}

static void durations_expire_apart(void **state)
{
	struct world *world = *state;
	struct probe a, b, c;
	int64_t start = loop_now(world->loop);

	probe_init(world, &a);
	probe_init(world, &b);
	probe_init(world, &c);
	expiry_set(&world->expiries, &a.expiry, 10 * CLOCK_SECOND);
	expiry_set(&world->expiries, &b.expiry, 2 * CLOCK_SECOND);
	expiry_set(&world->expiries, &c.expiry, 10 * CLOCK_SECOND);
	sim_run_for(world->sim, 3 * CLOCK_SECOND);
	assert_int_equal(0, a.fired);
	assert_int_equal(1, b.fired);
	assert_true(b.at >= start + 2 * CLOCK_SECOND);
	assert_false(expiry_is_set(&b.expiry));
	expiry_cancel(&c.expiry);
	expiry_cancel(&c.expiry);
	sim_run_for(world->sim, 20 * CLOCK_SECOND);
	assert_int_equal(1, a.fired);
	assert_true(a.at >= start + 10 * CLOCK_SECOND && a.at < start + 11 * CLOCK_SECOND);
	assert_int_equal(1, b.fired);
	assert_int_equal(0, c.fired);
	assert_false(timer_is_set(&world->expiries.timer)); /* nothing to wait for */
}

/* Setting again is what every request does to the idle time. */
static void putting_off(void **state)
{
	struct world *world = *state;
	struct probe a;

	probe_init(world, &a);
	for (unsigned i = 0; i < 10; i++) {
		expiry_set(&world->expiries, &a.expiry, 5 * CLOCK_SECOND);
		sim_run_for(world->sim, 4 * CLOCK_SECOND);
	}
	assert_int_equal(0, a.fired);
	sim_run_for(world->sim, 2 * CLOCK_SECOND);
	assert_int_equal(1, a.fired);
}

static void set_anew_when_fired(void **state)
{
	struct world *world = *state;
	struct probe a;

	probe_init(world, &a);
	a.again = CLOCK_SECOND;
	expiry_set(&world->expiries, &a.expiry, 3 * CLOCK_SECOND);
	sim_run_for(world->sim, 6 * CLOCK_SECOND + CLOCK_SECOND / 2);
	assert_int_equal(4, a.fired);
	expiry_cancel(&a.expiry);
}

/* Beyond the durations there is room for, the nearest is taken; those given up make room again. */
static void many_durations(void **state)
{
	struct world *world = *state;
	struct probe probes[MANY], late;

	for (unsigned i = 0; i < MANY; i++) {
		probe_init(world, &probes[i]);
		expiry_set(&world->expiries, &probes[i].expiry, (1 + i) * CLOCK_SECOND);
	}
	sim_run_for(world->sim, MANY * 2 * CLOCK_SECOND);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(1, probes[i].fired);
	assert_true(probes[MANY - 1].at >= EXPIRY_DURATIONS * CLOCK_SECOND);
	probe_init(world, &late);
	expiry_set(&world->expiries, &late.expiry, 77 * CLOCK_SECOND);
	sim_run_for(world->sim, 76 * CLOCK_SECOND);
	assert_int_equal(0, late.fired);
	sim_run_for(world->sim, 2 * CLOCK_SECOND);
	assert_int_equal(1, late.fired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(durations_expire_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(putting_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(set_anew_when_fired, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_durations, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

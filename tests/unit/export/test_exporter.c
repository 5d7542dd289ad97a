/* SPDX-License-Identifier: Apache-2.0 */
/* export/exporter between the rings that workers write spans into and a collector: what a ring overwrites before it is read is lost, and counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collecting.h"
#include "export/exporter.h"
#include "observe/ring.h"
#include "proxy/proxy.h"

enum { WORKERS = 3, ROOM = 64 };

struct rig {
	struct collecting all;
	struct exporter *exporter;
	unsigned call, answered; /* the newest connection, and its posts that were answered */
};

/* The proxy's: the third worker has none, as before the first configuration with a collector. */
static struct ring *rings[WORKERS];

struct ring *proxy_spans(struct proxy *proxy, unsigned worker)
{
	(void)proxy;
	return rings[worker];
}

static void put(unsigned worker, unsigned spans)
{
	for (unsigned i = 0; i < spans; i++)
		ring_write(rings[worker], &collecting_span);
}

static void rig_new(struct rig *rig)
{
	*rig = (struct rig){ .answered = 0 };
	collecting_new(&rig->all);
	rig->all.options.worker_count = WORKERS;
	for (unsigned i = 0; i < WORKERS - 1; i++)
		rings[i] = ring_new(sizeof(struct span), ROOM);
	assert_int_equal(0, exporter_new(&rig->all.options, &rig->exporter));
}

static void begin(struct rig *rig)
{
	exporter_configure(rig->exporter, rig->all.snapshot);
	sim_run_for(rig->all.world.sim, 10 * CLOCK_MS);
}

static void answer(struct rig *rig)
{
	struct scripted *server = &rig->all.world.server;

	if (rig->call + 1 < server->count) {
		rig->call = server->count - 1;
		rig->answered = 0;
	}
	for (; server->count && rig->answered < collecting_posts(&rig->all, rig->call); rig->answered++)
		scripted_send(&server->calls[rig->call], TAKEN);
}

/* The collector takes what comes, until nothing does any more. */
static void take_all(struct rig *rig)
{
	for (unsigned i = 0; i < 200; i++) {
		sim_run_for(rig->all.world.sim, 100 * CLOCK_MS);
		answer(rig);
	}
}

static void assert_told(const struct rig *rig, int spans, int dropped)
{
	assert_int_equal(spans, collecting_metric(&rig->all, "spans"));
	assert_int_equal(dropped, collecting_metric(&rig->all, "dropped"));
}

static void ended(void *owner)
{
	*(bool *)owner = true;
}

static void rig_free(struct rig *rig)
{
	bool done = false;

	exporter_flush(rig->exporter, CLOCK_SECOND, ended, &done);
	sim_run_for(rig->all.world.sim, 2 * CLOCK_SECOND);
	assert_true(done);
	exporter_free(rig->exporter);
	for (unsigned i = 0; i < WORKERS; i++) {
		ring_free(rings[i]);
		rings[i] = NULL;
	}
	collecting_free(&rig->all);
}

static void test_a_ring_that_is_full_loses_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_new(&rig);
	begin(&rig);
	put(0, ROOM);
	put(1, ROOM);
	take_all(&rig);
	assert_told(&rig, 2 * ROOM, 0);
	rig_free(&rig);
}

static void test_what_a_ring_overwrites_is_counted(void **state)
{
	struct rig rig;

	(void)state;
	rig_new(&rig);
	begin(&rig);
	put(0, ROOM + 1);
	put(1, 3 * ROOM + 5);
	take_all(&rig);
	assert_told(&rig, 2 * ROOM, 1 + 2 * ROOM + 5);
	/* Once: what comes then has room again. */
	put(1, 7);
	take_all(&rig);
	assert_told(&rig, 2 * ROOM + 7, 1 + 2 * ROOM + 5);
	rig_free(&rig);
}

/* Workers don't wait for a collector that says nothing: rings are read all the same, and of what is read so much waits. */
static void test_each_span_is_sent_or_counted_before_a_slow_collector(void **state)
{
	enum { ROUNDS = 200, MORE = 10 };
	struct rig rig;

	(void)state;
	rig_new(&rig);
	begin(&rig);
	for (unsigned i = 0; i < ROUNDS; i++) {
		put(0, ROOM + MORE);
		sim_run_for(rig.all.world.sim, 100 * CLOCK_MS);
	}
	assert_int_equal(0, collecting_metric(&rig.all, "spans"));
	assert_int_equal(ROUNDS * (ROOM + MORE) - WAITING, collecting_metric(&rig.all, "dropped"));
	take_all(&rig);
	assert_told(&rig, WAITING, ROUNDS * (ROOM + MORE) - WAITING);
	rig_free(&rig);
}

static void test_what_was_written_for_nobody_is_no_loss(void **state)
{
	struct rig rig;

	(void)state;
	rig_new(&rig);
	put(0, 5 * ROOM);
	begin(&rig);
	put(0, 1);
	take_all(&rig);
	assert_told(&rig, 1, 0);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_ring_that_is_full_loses_nothing),
		cmocka_unit_test(test_what_a_ring_overwrites_is_counted),
		cmocka_unit_test(test_each_span_is_sent_or_counted_before_a_slow_collector),
		cmocka_unit_test(test_what_was_written_for_nobody_is_no_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Places that several threads share: never more than there are, and nobody sleeps while one is free. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "io/thread.h"
#include "proxy/places.h"

enum { THREADS = 4, ROUNDS = 20000, MANY_YIELDS = 50 * 1000 * 1000 };

static void limits_are_kept(void **state)
{
	struct places places = { 0 };

	(void)state;
	assert_true(places_take(&places, 2));
	assert_true(places_left(&places, 2));
	assert_true(places_take(&places, 2));
	assert_false(places_left(&places, 2));
	assert_false(places_take(&places, 2));
	assert_int_equal(2, places.open);
	places_give(&places);
	assert_true(places_take(&places, 2));
	/* without a limit they are only counted */
	assert_true(places_left(&places, 0));
	assert_true(places_take(&places, 0));
	assert_int_equal(3, places.open);
}

static void workers_have_their_turn(void **state)
{
	struct places_workers set = { 0 };

	(void)state;
	assert_int_equal(-1, places_next(&set, 0, PLACES_WORKERS));
	places_set(&set, 3);
	assert_true(places_has(&set, 3));
	assert_false(places_others(&set, 3));
	assert_true(places_others(&set, 4));
	assert_int_equal(-1, places_next(&set, 3, PLACES_WORKERS)); /* never itself */
	places_set(&set, 64);
	places_set(&set, 255);
	assert_int_equal(64, places_next(&set, 3, PLACES_WORKERS));
	assert_int_equal(255, places_next(&set, 64, PLACES_WORKERS));
	assert_int_equal(3, places_next(&set, 255, PLACES_WORKERS));
	assert_int_equal(-1, places_next(&set, 3, 4)); /* those that there are */
	places_clear(&set, 64);
	assert_false(places_has(&set, 64));
	assert_int_equal(255, places_next(&set, 3, PLACES_WORKERS));
}

static struct places shared;
static _Atomic uint32_t told[THREADS], inside, most_inside, stuck;

static void tell_next(unsigned worker)
{
	int next = places_next(&shared.wanting, worker, THREADS);

	if (next >= 0)
		atomic_store(&told[next], 1);
}

/* False: nobody has said anything for so long that nobody will. */
static bool wait_to_be_told(unsigned worker)
{
	for (unsigned i = 0; i < MANY_YIELDS; i++) {
		if (atomic_exchange(&told[worker], 0))
			return true;
		sched_yield();
	}
	return false;
}

static bool take(unsigned worker)
{
	while (!places_take(&shared, 2)) {
		places_set(&shared.wanting, worker);
		if (!places_left(&shared, 2) && !wait_to_be_told(worker))
			return false;
		places_clear(&shared.wanting, worker);
	}
	return true;
}

static void work(void *owner)
{
	unsigned worker = (unsigned)(uintptr_t)owner;

	for (unsigned i = 0; i < ROUNDS && !atomic_load(&stuck); i++) {
		if (!take(worker)) {
			atomic_store(&stuck, 1);
			return;
		}
		uint32_t now = atomic_fetch_add(&inside, 1) + 1, most = atomic_load(&most_inside);

		while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now))
			;
		if (i % 16 == 0)
			sched_yield();
		atomic_fetch_sub(&inside, 1);
		places_give(&shared);
		/* What was told to this one too late is passed on. */
		tell_next(worker);
	}
	tell_next(worker);
}

static void nobody_waits_for_what_is_free(void **state)
{
	struct thread *threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(0, thread_start("worker", work, (void *)(uintptr_t)i, &threads[i]));
	for (unsigned i = 0; i < THREADS; i++)
		thread_join(threads[i]);
	assert_int_equal(0, stuck);
	assert_int_equal(2, most_inside);
	assert_int_equal(0, shared.open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(workers_have_their_turn),
		cmocka_unit_test(nobody_waits_for_what_is_free),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

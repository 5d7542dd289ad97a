/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "io/thread.h"
#include "tls/cells.h"

enum { CELLS = 600, ROUNDS = 40000, THREADS = 4 };

struct worker {
	struct random random;
	unsigned char *cells[CELLS];
	size_t sizes[CELLS];
	unsigned wrong;
	void *_Atomic *shared; /* cells that another thread frees */
};

static void fill(struct worker *w, unsigned i, size_t from, size_t size)
{
	if (size > from)
		memset(w->cells[i] + from, (int)i, size - from);
	w->sizes[i] = size;
}

static void check(struct worker *w, unsigned i, size_t length)
{
	for (size_t at = 0; at < length; at++)
		w->wrong += w->cells[i][at] != (unsigned char)i;
}

static size_t draw_size(struct worker *w)
{
	return 1 + random_below(&w->random, random_below(&w->random, 8) == 0 ? 2 * CELLS_LARGEST : 1200);
}

static void use_one(struct worker *w, unsigned i)
{
	size_t size = draw_size(w), had = w->sizes[i];

	if (!w->cells[i]) {
		w->cells[i] = cells_get(size);
		fill(w, i, 0, size);
	} else if (random_below(&w->random, 3) == 0) {
		check(w, i, had);
		w->cells[i] = cells_resize(w->cells[i], size);
		check(w, i, had < size ? had : size);
		fill(w, i, had, size);
	} else {
		check(w, i, had);
		cells_put(w->cells[i]);
		w->cells[i] = NULL;
		w->sizes[i] = 0;
	}
}

static void put_all(struct worker *w)
{
	for (unsigned i = 0; i < CELLS; i++) {
		check(w, i, w->sizes[i]);
		cells_put(w->cells[i]);
		w->cells[i] = NULL;
		w->sizes[i] = 0;
	}
}

static void work(void *owner)
{
	struct worker *w = owner;

	for (unsigned round = 0; round < ROUNDS; round++) {
		use_one(w, random_below(&w->random, CELLS));
		if (w->shared)
			cells_put(atomic_exchange_explicit(w->shared, cells_get(100), memory_order_acq_rel));
	}
	put_all(w);
}

static void cells_keep_what_is_in_them(void **state)
{
	static struct worker w;
	uint64_t before = cells_in_use();

	(void)state;
	w = (struct worker){ 0 };
	random_init(&w.random, 7);
	work(&w);
	assert_int_equal(w.wrong, 0);
	assert_int_equal(cells_in_use(), before);
}

static void threads_free_each_others_cells(void **state)
{
	static struct worker workers[THREADS];
	static void *_Atomic shared;
	struct thread *threads[THREADS];
	uint64_t before = cells_in_use();

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .shared = &shared };
		random_init(&workers[i].random, i);
		assert_int_equal(thread_start("cells", work, &workers[i], &threads[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		thread_join(threads[i]);
		assert_int_equal(workers[i].wrong, 0);
	}
	cells_put(shared);
	assert_int_equal(cells_in_use(), before);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
static void the_steady_state_asks_the_system_for_nothing(void **state)
{
	void *cells[100];
	uint64_t calls = 0;

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		if (round == 1)
			calls = memory_system_calls();
		for (unsigned i = 0; i < 100; i++)
			cells[i] = cells_get(i * 160 + 1);
		for (unsigned i = 0; i < 100; i++)
			cells_put(cells[i]);
	}
	assert_int_equal(memory_system_calls(), calls);
}
#endif

static void little_is_wasted(void **state)
{
	(void)state;
	for (size_t size = 64; size <= CELLS_LARGEST; size++) {
		assert_true(cells_size(size) >= size);
		assert_true(cells_size(size) - size <= cells_size(size) / 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_keep_what_is_in_them),
		cmocka_unit_test(threads_free_each_others_cells),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
		cmocka_unit_test(the_steady_state_asks_the_system_for_nothing),
#endif
		cmocka_unit_test(little_is_wasted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

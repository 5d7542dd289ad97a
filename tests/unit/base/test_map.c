/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"

enum { THINGS = 2000 };

struct thing {
	char name[16];
	struct map_entry entry;
	bool in;
};

static struct thing things[THINGS];

static struct slice name_of(int i)
{
	return slice_of(things[i].name);
}

static int make_things(void **state)
{
	(void)state;
	for (int i = 0; i < THINGS; i++) {
		things[i] = (struct thing){ 0 };
		snprintf(things[i].name, sizeof things[i].name, "thing-%d", i);
	}
	return 0;
}

static void finds_what_is_in(void **state)
{
	(void)state;
	struct map map;
	map_init(&map, 1);
	assert_null(map_find(&map, SLICE("thing-1")));
	for (int i = 0; i < THINGS; i++)
		map_insert(&map, &things[i].entry, name_of(i));
	assert_int_equal(map.count, THINGS);
	for (int i = 0; i < THINGS; i++) {
		assert_ptr_equal(map_find(&map, name_of(i)), &things[i].entry);
		assert_ptr_equal(map_find_hashed(&map, name_of(i), slice_hash(name_of(i), map.seed)), &things[i].entry);
	}
	assert_null(map_find(&map, SLICE("thing-")));
	assert_null(map_find(&map, SLICE("")));
	map_fini(&map);
}

/* Random insertions and removals, against an array of what should be in. */
static void agrees_with_a_model(void **state)
{
	(void)state;
	struct map map;
	struct random random;
	uint32_t count = 0;
	map_init(&map, 2);
	random_init(&random, 42);
	for (int step = 0; step < 50000; step++) {
		int i = (int)random_below(&random, THINGS);
		struct map_entry *found = map_find(&map, name_of(i));
		assert_ptr_equal(found, things[i].in ? &things[i].entry : NULL);
		if (things[i].in)
			map_remove(&map, &things[i].entry);
		else
			map_insert(&map, &things[i].entry, name_of(i));
		count = things[i].in ? count - 1 : count + 1;
		things[i].in = !things[i].in;
		assert_int_equal(map.count, count);
	}
	uint32_t seen = 0;
	MAP_EACH(&map, e) {
		assert_true(MAP_OF(e, struct thing, entry)->in);
		seen++;
	}
	assert_int_equal(seen, count);
	map_fini(&map);
}

static void assert_order(const struct map *map, const int *expected, int count)
{
	int at = 0;
	MAP_EACH(map, e)
		assert_int_equal(MAP_OF(e, struct thing, entry) - things, expected[at++]);
	assert_int_equal(at, count);
}

static void iterates_in_insertion_order(void **state)
{
	(void)state;
	struct map map;
	map_init(&map, 3);
	for (int i = 9; i >= 5; i--)
		map_insert(&map, &things[i].entry, name_of(i));
	assert_order(&map, (int[]){ 9, 8, 7, 6, 5 }, 5);
	map_touch(&map, &things[8].entry);
	map_remove(&map, &things[6].entry);
	assert_order(&map, (int[]){ 9, 7, 5, 8 }, 4);
	MAP_EACH_SAFE(&map, e, after)
		map_remove(&map, e);
	assert_int_equal(map.count, 0);
	assert_null(map_first(&map));
	map_fini(&map);
}

static void a_reserved_map_does_not_allocate(void **state)
{
	(void)state;
	struct map map;
	map_init(&map, 4);
	map_reserve(&map, THINGS);
	uint64_t before = memory_system_calls();
	for (int i = 0; i < THINGS; i++)
		map_insert(&map, &things[i].entry, name_of(i));
	assert_int_equal(memory_system_calls(), before);
	map_fini(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_what_is_in, make_things),
		cmocka_unit_test_setup(agrees_with_a_model, make_things),
		cmocka_unit_test_setup(iterates_in_insertion_order, make_things),
		cmocka_unit_test_setup(a_reserved_map_does_not_allocate, make_things),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

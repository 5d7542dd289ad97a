/* SPDX-License-Identifier: Apache-2.0 */
/* The heap, pools, arenas and buffers: what they hand out, their limits, and what they give back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "base/pool.h"

/* Under a sanitizer each object is a malloc of its own. */
static bool pools_pass_through(void)
{
	static int through = -1;
	if (through < 0) {
		struct pool pool;
		pool_init(&pool, "probe", 32, 0);
		void *a = pool_get(&pool);
		uint64_t before = memory_system_calls();
		void *b = pool_get(&pool);
		through = memory_system_calls() > before;
		pool_put(&pool, a);
		pool_put(&pool, b);
		pool_fini(&pool);
	}
	return through;
}

static void heap_is_zeroed_and_copies(void **state)
{
	(void)state;
	char *p = memory_array(3, 7);
	for (int i = 0; i < 21; i++)
		assert_int_equal(p[i], 0);
	memory_free(p);
	char *text = memory_text(slice_make("abcdef", 3));
	assert_string_equal(text, "abc");
	memory_free(text);
	memory_free(memory_new(0));
	memory_free(NULL);
}

static void nth_allocation_fails_once(void **state)
{
	(void)state;
	memory_fail_nth(2);
	void *first = memory_try(10), *second = memory_try(10), *third = memory_try(10);
	assert_non_null(first);
	assert_null(second);
	assert_non_null(third);
	memory_free(first);
	memory_free(third);
}

static void pool_keeps_its_limit(void **state)
{
	(void)state;
	struct pool pool;
	void *objects[10];
	pool_init(&pool, "ten", 24, 10);
	for (int i = 0; i < 10; i++) {
		objects[i] = pool_get(&pool);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 16, 0);
		memset(objects[i], i, 24);
	}
	assert_null(pool_get(&pool));
	assert_int_equal(pool.refused, 1);
	assert_int_equal(pool.peak, 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(((unsigned char *)objects[i])[23], i);
	pool_put(&pool, objects[3]);
	void *again = pool_get(&pool);
	assert_non_null(again);
	objects[3] = again;
	for (int i = 0; i < 10; i++)
		pool_put(&pool, objects[i]);
	assert_int_equal(pool.in_use, 0);
	pool_fini(&pool);
}

/* The steady state: objects that went through once come back without the system allocator, newest first. */
static void pool_reuses_without_the_system(void **state)
{
	(void)state;
	enum { COUNT = 5000 };
	static void *objects[COUNT], *again[COUNT];
	struct pool pool;
	(void)pools_pass_through(); /* has its own calls counted now */
	pool_init(&pool, "many", 100, 0);
	for (int i = 0; i < COUNT; i++)
		objects[i] = pool_get(&pool);
	for (int i = 0; i < COUNT; i++)
		pool_put(&pool, objects[i]);
	uint64_t before = memory_system_calls();
	for (int i = 0; i < COUNT; i++) {
		void *object = pool_get(&pool);
		assert_true(pools_pass_through() || object == objects[COUNT - 1 - i]);
		again[i] = object;
	}
	if (!pools_pass_through())
		assert_int_equal(memory_system_calls(), before);
	for (int i = 0; i < COUNT; i++)
		pool_put(&pool, again[i]);
	pool_fini(&pool);
}

static void pool_survives_failing_memory(void **state)
{
	(void)state;
	struct pool pool;
	pool_init(&pool, "failing", 64, 0);
	memory_fail_nth(1);
	assert_null(pool_get(&pool));
	assert_int_equal(pool.refused, 1);
	void *object = pool_get(&pool);
	assert_non_null(object);
	pool_put(&pool, object);
	pool_fini(&pool);
}

static void arena_hands_out_separate_aligned_pieces(void **state)
{
	(void)state;
	struct arena arena;
	char *pieces[300];
	arena_init(&arena, NULL, 0);
	for (int i = 0; i < 300; i++) {
		pieces[i] = arena_get(&arena, (size_t)i + 1);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 8, 0);
		memset(pieces[i], i & 0xff, (size_t)i + 1);
	}
	for (int i = 0; i < 300; i++)
		for (int j = 0; j <= i; j++)
			assert_int_equal((unsigned char)pieces[i][j], i & 0xff);
	assert_non_null(arena_get(&arena, 1000000)); /* larger than any block */
	arena_reset(&arena);
	assert_int_equal(arena.used, 0);
}

static void arena_copies_text(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, NULL, 0);
	assert_true(slice_equal(arena_copy(&arena, SLICE("abc")), SLICE("abc")));
	struct slice empty = arena_copy(&arena, SLICE(""));
	assert_non_null(empty.at);
	assert_int_equal(empty.length, 0);
	assert_string_equal(arena_text(&arena, slice_make("abcdef", 2)), "ab");
	assert_true(slice_equal(arena_format(&arena, "%s-%d", "x", 42), SLICE("x-42")));
	assert_true(slice_equal(arena_join(&arena, SLICE("/srv"), SLICE("/hello")), SLICE("/srv/hello")));
	char *zeroed = arena_zeroed(&arena, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zeroed[i], 0);
	arena_reset(&arena);
}

static void arena_keeps_its_limit(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, NULL, 104); /* sizes are rounded up to 8 */
	assert_non_null(arena_get(&arena, 90));
	assert_null(arena_get(&arena, 16));
	assert_non_null(arena_get(&arena, 2));
	assert_null(arena_copy(&arena, SLICE("123456789")).at);
	assert_null(arena_get(&arena, SIZE_MAX));
	arena_reset(&arena);
	assert_non_null(arena_get(&arena, 90));
	arena_reset(&arena);
}

static void arena_gives_blocks_back_to_its_pool(void **state)
{
	(void)state;
	struct pool pool;
	struct arena arena;
	pool_init(&pool, "block", 4096 - 64, 3);
	arena_init(&arena, &pool, 0);
	assert_null(arena_get(&arena, 4096)); /* can't lie in one block */
	for (int i = 0; i < 3; i++)
		assert_non_null(arena_get(&arena, 3000));
	assert_int_equal(pool.in_use, 3);
	assert_null(arena_get(&arena, 3000));    /* the pool's limit */
	assert_non_null(arena_get(&arena, 500)); /* still fits into the last block */
	arena_reset(&arena);
	assert_int_equal(pool.in_use, 0);
	pool_fini(&pool);
}

static void buffers_return_with_their_last_piece(void **state)
{
	(void)state;
	struct pool pool;
	buffer_pool_init(&pool, "buffer", 2);
	struct buffer *a = buffer_get(&pool), *b = buffer_get(&pool);
	assert_non_null(a);
	assert_non_null(b);
	assert_null(buffer_get(&pool));
	assert_int_equal(buffer_room(a), BUFFER_CAPACITY);
	memset(a->bytes, 'a', a->capacity);
	a->filled = a->capacity;
	assert_int_equal(buffer_room(a), 0);
	struct piece piece = piece_of(a, a->bytes + 5, 10);
	buffer_unref(a);
	assert_int_equal(pool.in_use, 2);
	assert_int_equal(piece.at[9], 'a');
	piece_release(&piece);
	assert_null(piece.buffer);
	assert_int_equal(pool.in_use, 1);
	struct piece unowned = piece_of(NULL, "static", 6);
	piece_release(&unowned);
	buffer_unref(b);
	pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heap_is_zeroed_and_copies),
		cmocka_unit_test(nth_allocation_fails_once),
		cmocka_unit_test(pool_keeps_its_limit),
		cmocka_unit_test(pool_reuses_without_the_system),
		cmocka_unit_test(pool_survives_failing_memory),
		cmocka_unit_test(arena_hands_out_separate_aligned_pieces),
		cmocka_unit_test(arena_copies_text),
		cmocka_unit_test(arena_keeps_its_limit),
		cmocka_unit_test(arena_gives_blocks_back_to_its_pool),
		cmocka_unit_test(buffers_return_with_their_last_piece),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "session/queue.h"

struct fixture {
	struct pool items, buffers;
	struct queue_shared shared;
	struct queue queue;
};

static void begin(struct fixture *f, uint32_t max_items, uint32_t max_buffers)
{
	*f = (struct fixture){ 0 };
	pool_init(&f->items, "item", sizeof(struct queue_item), max_items);
	buffer_pool_init(&f->buffers, "buffer", max_buffers);
	f->shared = (struct queue_shared){ &f->items, &f->buffers, NULL };
}

static void end(struct fixture *f)
{
	queue_drop(&f->queue, &f->shared);
	queue_rest(&f->shared);
	pool_fini(&f->items);
	pool_fini(&f->buffers);
}

/* Bytes that say where in all that was put they are. */
static struct piece pattern(struct fixture *f, size_t at, size_t length)
{
	struct buffer *buffer = buffer_get(&f->buffers);

	assert_non_null(buffer);
	for (size_t i = 0; i < length; i++)
		buffer->bytes[i] = (char)((at + i) * 31 % 251);
	buffer->filled = (uint32_t)length;
	return (struct piece){ buffer, buffer->bytes, length };
}

static void check(struct piece piece, size_t at)
{
	for (size_t i = 0; i < piece.length; i++)
		assert_int_equal((char)((at + i) * 31 % 251), piece.at[i]);
	piece_release(&piece);
}

/* Whatever their lengths are and however they are taken, they come out as they went in. */
static void any_lengths(void **state)
{
	struct fixture f;
	struct random random;

	(void)state;
	random_init(&random, 1);
	for (unsigned round = 0; round < 200; round++) {
		size_t put = 0, taken = 0;
		uint32_t most = 1 + random_below(&random, random_below(&random, 2) ? 50 : BUFFER_CAPACITY);

		begin(&f, 0, 0);
		for (unsigned i = 0; i < 300; i++) {
			if (random_below(&random, 3) > 0) {
				size_t length = 1 + random_below(&random, most);

				assert_true(queue_put(&f.queue, &f.shared, pattern(&f, put, length)));
				put += length;
			} else if (!queue_empty(&f.queue)) {
				struct piece piece = queue_take(&f.queue, &f.shared, 1 + random_below(&random, most));
				size_t length = piece.length;

				check(piece, taken);
				taken += length;
			}
			assert_int_equal(put - taken, f.queue.bytes);
			assert_true(f.queue.count <= QUEUE_MOST || f.queue.bytes / f.queue.count >= BUFFER_CAPACITY / 8);
		}
		end(&f);
	}
}

/* A byte each, between those of other queues. */
static void crumbs_hold_little(void **state)
{
	struct fixture f;
	struct queue other = { 0 };

	(void)state;
	begin(&f, 0, 0);
	for (size_t i = 0; i < 50000; i++) {
		assert_true(queue_put(&f.queue, &f.shared, pattern(&f, i, 1)));
		assert_true(queue_put(&other, &f.shared, pattern(&f, i, 1)));
	}
	assert_true(f.buffers.in_use <= 2 * 4 + 3);
	assert_true(f.items.in_use <= 2 * QUEUE_MOST);
	for (size_t i = 0; i < 50000;) {
		struct piece piece = queue_take(&f.queue, &f.shared, SIZE_MAX);
		size_t length = piece.length;

		check(piece, i);
		i += length;
	}
	queue_drop(&other, &f.shared);
	end(&f);
}

static void without_memory(void **state)
{
	struct fixture f;
	struct queue other = { 0 };

	(void)state;
	begin(&f, 1, 0);
	assert_true(queue_put(&f.queue, &f.shared, pattern(&f, 0, 5000)));
	assert_false(queue_put(&f.queue, &f.shared, pattern(&f, 5000, 5000)));
	assert_int_equal(5000, f.queue.bytes);
	assert_false(queue_put(&other, &f.shared, pattern(&f, 0, 1)));
	assert_int_equal(0, other.bytes);
	end(&f);

	/* No buffer to copy into: the pieces stay where they are. */
	begin(&f, 0, 3);
	assert_true(queue_put(&f.queue, &f.shared, pattern(&f, 0, 5000)));
	assert_true(queue_put(&f.queue, &f.shared, pattern(&f, 5000, 5000)));
	assert_true(queue_put(&f.queue, &f.shared, pattern(&f, 10000, 10)));
	assert_int_equal(3, f.buffers.in_use);
	check(queue_take(&f.queue, &f.shared, 5000), 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_lengths),
		cmocka_unit_test(crumbs_hold_little),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

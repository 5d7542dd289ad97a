/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/thread.h"
#include "observe/record.h"
#include "observe/ring.h"

/* All words of an entry follow from its number, so that a torn one shows. */
struct entry {
	uint64_t number;
	uint64_t words[8];
};

static struct entry make(uint64_t number)
{
	struct entry entry = { .number = number };

	for (unsigned i = 0; i < 8; i++)
		entry.words[i] = number * 8 + i;
	return entry;
}

struct seen {
	uint64_t count, first, last, torn, disordered;
};

static void visit(void *owner, const void *found)
{
	const struct entry *entry = found;
	struct seen *seen = owner;

	for (unsigned i = 0; i < 8; i++)
		seen->torn += entry->words[i] != entry->number * 8 + i;
	if (seen->count++ == 0)
		seen->first = entry->number;
	else
		seen->disordered += entry->number <= seen->last;
	seen->last = entry->number;
}

static struct seen look(const struct ring *ring)
{
	struct seen seen = { 0 };

	ring_read(ring, visit, &seen);
	assert_int_equal(seen.torn, 0);
	assert_int_equal(seen.disordered, 0);
	return seen;
}

static void test_keeps_the_last(void **state)
{
	struct ring *ring = ring_new(sizeof(struct entry), 5); /* 8 places */

	(void)state;
	assert_int_equal(look(ring).count, 0);
	for (uint64_t i = 0; i < 100; i++) {
		struct entry entry = make(i);

		ring_write(ring, &entry);
		struct seen seen = look(ring);
		assert_int_equal(seen.count, i < 8 ? i + 1 : 8);
		assert_int_equal(seen.last, i);
		assert_int_equal(seen.first, i < 8 ? 0 : i - 7);
	}
	assert_int_equal(ring_written(ring), 100);
	ring_free(ring);
	ring_free(NULL);
}

static void visit_record(void *owner, const void *found)
{
	*(struct record *)owner = *(const struct record *)found;
}

static void write_some(struct ring *ring, uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n < to; n++) {
		struct entry entry = make(n);

		ring_write(ring, &entry);
	}
}

static void test_reading_on_tells_what_was_lost(void **state)
{
	struct ring *ring = ring_new(sizeof(struct entry), 8);
	struct seen seen = { 0 };
	uint64_t lost = 0, since = 0;

	(void)state;
	since = ring_read_since(ring, since, &lost, visit, &seen);
	assert_true(since == 0 && seen.count == 0);
	write_some(ring, 0, 3);
	since = ring_read_since(ring, since, &lost, visit, &seen);
	assert_true(since == 3 && seen.count == 3 && lost == 0);
	since = ring_read_since(ring, since, &lost, visit, &seen);
	assert_true(since == 3 && seen.count == 3 && lost == 0);
	write_some(ring, 3, 20);
	since = ring_read_since(ring, since, &lost, visit, &seen);
	assert_true(since == 20 && seen.count == 11 && lost == 9 && seen.last == 19);
	assert_true(seen.torn == 0 && seen.disordered == 0);
	ring_free(ring);
}

static void test_holds_decision_records(void **state)
{
	struct ring *ring = ring_new(sizeof(struct record), 1);
	struct record found = { 0 };

	(void)state;
	ring_write(ring, &(struct record){ .trace_id = 7, .status = 503, .flags = FLAG_LOCAL_REPLY, .attempts = 3 });
	ring_read(ring, visit_record, &found);
	assert_int_equal(found.trace_id, 7);
	assert_int_equal(found.status, 503);
	assert_int_equal(found.attempts, 3);
	ring_free(ring);
}

struct writer {
	struct ring *ring;
	_Atomic int stop;
};

static void write_on(void *owner)
{
	struct writer *writer = owner;

	for (uint64_t i = 0; !atomic_load(&writer->stop); i++) {
		struct entry entry = make(i);

		ring_write(writer->ring, &entry);
	}
}

/* A small ring is overwritten under the reader's eyes again and again: entries may be missing, but never torn. */
static void test_reader_beside_the_writer(void **state)
{
	struct writer writer = { .ring = ring_new(sizeof(struct entry), 4) };
	struct thread *thread;
	uint64_t seen = 0;

	(void)state;
	assert_int_equal(thread_start("writer", write_on, &writer, &thread), 0);
	for (unsigned i = 0; i < 20000 || seen == 0; i++) {
		uint64_t before = ring_written(writer.ring);
		struct seen now = look(writer.ring);

		seen += now.count;
		assert_true(now.count <= 4);
		if (now.count) {
			assert_true(now.first + 4 >= before); /* never older than the ring is long */
			assert_true(now.last < ring_written(writer.ring));
		}
	}
	atomic_store(&writer.stop, 1);
	thread_join(thread);
	assert_int_equal(look(writer.ring).count, 4);
	assert_int_equal(look(writer.ring).last, ring_written(writer.ring) - 1);
	ring_free(writer.ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_the_last),
		cmocka_unit_test(test_reading_on_tells_what_was_lost),
		cmocka_unit_test(test_holds_decision_records),
		cmocka_unit_test(test_reader_beside_the_writer),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/thread.h"
#include "observe/lines.h"

enum { LINES = 200000 };

static bool put(struct lines *lines, struct slice line)
{
	char *at = lines_reserve(lines);

	if (!at)
		return false;
	memcpy(at, line.at, line.length);
	lines_commit(lines, line.length);
	return true;
}

/* Up to `most` bytes, as one text. */
static const char *take(struct lines *lines, size_t most)
{
	static char text[4 * LINES_MOST_LINE + 1];
	struct slice some = lines_peek(lines, lines_end(lines), most);

	assert_true(some.length <= most && most < sizeof text);
	memcpy(text, some.at, some.length);
	text[some.length] = '\0';
	lines_release(lines, some.length);
	return text;
}

/* `length` bytes with their newline. */
static struct slice long_line(size_t length)
{
	static char line[LINES_MOST_LINE + 1];

	memset(line, 'x', sizeof line - 1);
	line[length - 1] = '\n';
	line[length] = '\0';
	return slice_make(line, length);
}

static void test_lines_come_out_whole_and_in_order(void **state)
{
	struct lines *lines = lines_new(1);

	(void)state;
	assert_int_equal(2 * LINES_MOST_LINE, lines_capacity(lines));
	assert_string_equal("", take(lines, LINES_MOST_LINE));
	assert_true(put(lines, SLICE("one\n")));
	assert_true(put(lines, SLICE("two\n")));
	assert_int_equal(8, lines_waiting(lines, lines_end(lines)));
	assert_string_equal("one\ntwo\n", take(lines, LINES_MOST_LINE));
	/* A line that doesn't fit behind others waits for the next time. */
	assert_true(put(lines, SLICE("short\n")));
	assert_true(put(lines, long_line(LINES_MOST_LINE)));
	assert_string_equal("short\n", take(lines, LINES_MOST_LINE));
	assert_string_equal(long_line(LINES_MOST_LINE).at, take(lines, LINES_MOST_LINE));
	assert_int_equal(0, lines_waiting(lines, lines_end(lines)));
	lines_free(lines);
}

static void test_what_is_not_released_stays(void **state)
{
	struct lines *lines = lines_new(1);

	(void)state;
	assert_true(put(lines, SLICE("one\n")));
	assert_true(put(lines, SLICE("two\n")));
	assert_int_equal(8, lines_peek(lines, lines_end(lines), LINES_MOST_LINE).length);
	lines_release(lines, 4);
	assert_string_equal("two\n", take(lines, LINES_MOST_LINE));
	lines_free(lines);
}

/* What comes behind a mark waits for the next one; the lines between two are counted, also where 2^32 bytes have come. */
static void test_marks(void **state)
{
	struct lines *lines = lines_new(1);
	struct lines_mark first, second;
	uint32_t count = 0;

	(void)state;
	first = lines_end(lines);
	assert_int_equal(0, first.count);
	for (uint64_t bytes = 0; bytes <= UINT32_MAX; bytes += LINES_MOST_LINE, count++) {
		assert_non_null(lines_reserve(lines));
		lines_commit(lines, LINES_MOST_LINE);
		lines_release(lines, LINES_MOST_LINE);
	}
	assert_int_equal(count, lines_end(lines).count);
	assert_true(put(lines, SLICE("one\n")));
	assert_true(put(lines, SLICE("two\n")));
	second = lines_end(lines);
	assert_true(put(lines, SLICE("three\n")));
	assert_int_equal(count + 2, second.count);
	assert_int_equal(8, lines_waiting(lines, second));
	assert_int_equal(8, lines_peek(lines, second, LINES_MOST_LINE).length);
	lines_release(lines, 8);
	assert_int_equal(0, lines_peek(lines, second, LINES_MOST_LINE).length);
	assert_string_equal("three\n", take(lines, LINES_MOST_LINE));
	lines_free(lines);
}

/* A line of that length meets the ring's end after `room` bytes; another comes behind it. */
static void assert_whole_at_the_end(size_t length, size_t room)
{
	struct lines *lines = lines_new(1);
	char all[2 * LINES_MOST_LINE] = "";

	assert_true(put(lines, long_line(LINES_MOST_LINE)));
	lines_release(lines, LINES_MOST_LINE);
	assert_true(put(lines, long_line(LINES_MOST_LINE - room)));
	assert_true(put(lines, long_line(length)));
	lines_release(lines, LINES_MOST_LINE - room);
	assert_true(put(lines, SLICE("behind\n")));
	while (lines_waiting(lines, lines_end(lines))) {
		const char *some = take(lines, LINES_MOST_LINE);

		assert_true(*some && some[strlen(some) - 1] == '\n');
		strcat(all, some);
	}
	assert_string_equal("behind\n", all + length);
	all[length] = '\0';
	assert_string_equal(long_line(length).at, all);
	lines_free(lines);
}

static void test_a_line_at_the_end_of_the_ring_is_in_one_piece(void **state)
{
	static const size_t lengths[] = { 1, 2, 100, LINES_MOST_LINE - 1, LINES_MOST_LINE };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		for (size_t room = 1; room <= 101; room++)
			assert_whole_at_the_end(lengths[i], room);
}

static void test_what_has_no_room_is_refused(void **state)
{
	struct lines *lines = lines_new(2 * LINES_MOST_LINE);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_true(put(lines, long_line(LINES_MOST_LINE)));
		assert_true(put(lines, long_line(LINES_MOST_LINE)));
		assert_false(put(lines, SLICE("\n")));
		assert_string_equal(long_line(LINES_MOST_LINE).at, take(lines, LINES_MOST_LINE));
		assert_true(put(lines, SLICE("\n")));
		assert_false(put(lines, SLICE("\n")));
		assert_string_equal(long_line(LINES_MOST_LINE).at, take(lines, LINES_MOST_LINE));
		assert_string_equal("\n", take(lines, LINES_MOST_LINE));
	}
	lines_free(lines);
}

static void write_all(void *owner)
{
	struct lines *lines = owner;

	for (unsigned i = 0; i < LINES;) {
		char line[64];
		int length = snprintf(line, sizeof line, "%u %.*s\n", i, (int)(i % 40), "----------------------------------------");

		i += put(lines, slice_make(line, (size_t)length));
	}
}

static void test_two_threads(void **state)
{
	struct lines *lines = lines_new(8 * 1024);
	struct thread *thread;
	unsigned next = 0;

	(void)state;
	assert_int_equal(0, thread_start("writer", write_all, lines, &thread));
	while (next < LINES) {
		for (const char *at = take(lines, LINES_MOST_LINE); *at; at = strchr(at, '\n') + 1, next++) {
			char *blank;

			assert_int_equal(next, strtoul(at, &blank, 10));
			assert_int_equal(next % 40, strchr(at, '\n') - blank - 1);
		}
	}
	thread_join(thread);
	lines_free(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_come_out_whole_and_in_order),
		cmocka_unit_test(test_what_is_not_released_stays),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_a_line_at_the_end_of_the_ring_is_in_one_piece),
		cmocka_unit_test(test_what_has_no_room_is_refused),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

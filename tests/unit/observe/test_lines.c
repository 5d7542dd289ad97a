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

static void test_lines_come_out_whole_and_in_order(void **state)
{
	struct lines *lines = lines_new(1);
	char out[LINES_MOST_LINE], line[LINES_MOST_LINE];

	(void)state;
	assert_int_equal(2 * LINES_MOST_LINE, lines_capacity(lines));
	assert_int_equal(0, lines_take(lines, out, sizeof out));
	assert_true(lines_put(lines, SLICE("one\n")));
	assert_true(lines_put(lines, SLICE("two\n")));
	assert_int_equal(8, lines_waiting(lines));
	assert_int_equal(8, lines_take(lines, out, sizeof out));
	assert_memory_equal("one\ntwo\n", out, 8);
	/* A line that doesn't fit behind others waits for the next time. */
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	assert_true(lines_put(lines, SLICE("short\n")));
	assert_true(lines_put(lines, slice_make(line, sizeof line)));
	assert_int_equal(6, lines_take(lines, out, sizeof out));
	assert_int_equal(sizeof line, lines_take(lines, out, sizeof out));
	assert_memory_equal(line, out, sizeof line);
	assert_int_equal(0, lines_waiting(lines));
	lines_free(lines);
}

static void test_what_has_no_room_is_refused(void **state)
{
	struct lines *lines = lines_new(2 * LINES_MOST_LINE);
	char line[LINES_MOST_LINE], out[LINES_MOST_LINE];

	(void)state;
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	for (unsigned i = 0; i < 5; i++) {
		assert_true(lines_put(lines, slice_make(line, sizeof line)));
		assert_true(lines_put(lines, slice_make(line, sizeof line)));
		assert_false(lines_put(lines, SLICE("\n")));
		assert_int_equal(sizeof line, lines_take(lines, out, sizeof out));
		assert_int_equal(sizeof line, lines_take(lines, out, sizeof out));
	}
	lines_free(lines);
}

static void write_all(void *owner)
{
	struct lines *lines = owner;

	for (unsigned i = 0; i < LINES;) {
		char line[64];
		int length = snprintf(line, sizeof line, "%u %.*s\n", i, (int)(i % 40), "----------------------------------------");

		i += lines_put(lines, slice_make(line, (size_t)length));
	}
}

static void test_two_threads(void **state)
{
	struct lines *lines = lines_new(8 * 1024);
	struct thread *thread;
	unsigned next = 0;
	char out[LINES_MOST_LINE + 1];

	(void)state;
	assert_int_equal(0, thread_start("writer", write_all, lines, &thread));
	while (next < LINES) {
		size_t length = lines_take(lines, out, LINES_MOST_LINE);

		out[length] = '\0';
		for (char *at = out; *at; at = strchr(at, '\n') + 1, next++) {
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
		cmocka_unit_test(test_what_has_no_room_is_refused),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

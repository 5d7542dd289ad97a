/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/recent_log.h"
#include "base/text.h"

enum { WRITERS = 3, EACH = 20000 };

static struct text seen;
static uint64_t next, lost;

static void show(void *owner, const struct recent_line *line)
{
	(void)owner;
	text_format(&seen, "%lld %s %s: %.*s%s\n", (long long)line->at, log_level_text((enum log_level)line->level), line->room,
		(int)line->length, line->text, line->cut ? "…" : "");
}

static const char *read_more(void)
{
	text_clear(&seen);
	next = recent_log_read(next, &lost, show, NULL);
	text_append(&seen, SLICE(""));
	return seen.bytes;
}

static int start(void **state)
{
	(void)state;
	(void)read_more();
	lost = 0;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	text_free(&seen);
	return 0;
}

static void drop(const char *line, size_t length)
{
	(void)line;
	(void)length;
}

static int64_t noon(void)
{
	return 12;
}

static void put(unsigned number)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%u", number);

	recent_log_put(0, LOG_INFO, "io", slice_make(text, (size_t)length));
}

static void what_is_logged_can_be_read(void **state)
{
	(void)state;
	log_set(LOG_INFO, drop);
	log_set_clock(noon);
	LOG(LOG_WARN, "discover", "cannot read %s", "a\nb");
	LOG(LOG_DEBUG, "discover", "not wanted");
	LOG(LOG_ERROR, "a room with a long name", "x");
	assert_string_equal(read_more(), "12 WARN discover: cannot read a?b\n12 ERROR a room with a l: x\n");
	assert_string_equal(read_more(), "");
	log_set_clock(NULL);
	LOG(LOG_INFO, "io", "later");
	assert_string_equal(read_more(), "0 INFO io: later\n");
	log_set(LOG_INFO, NULL);
	assert_int_equal(lost, 0);
}

static void long_lines_are_cut(void **state)
{
	char text[RECENT_LOG_TEXT + 1];

	(void)state;
	memset(text, 'x', sizeof text);
	recent_log_put(1, LOG_INFO, "io", slice_make(text, sizeof text - 1));
	assert_null(strstr(read_more(), "…"));
	recent_log_put(1, LOG_INFO, "io", slice_make(text, sizeof text));
	assert_non_null(strstr(read_more(), "xxx…\n"));
}

static void the_oldest_are_lost_and_counted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RECENT_LOG_LINES + 10; i++)
		put(i);
	assert_int_equal(strncmp(read_more(), "0 INFO io: 10\n0 INFO io: 11\n", 28), 0);
	assert_int_equal(lost, 10);
	put(7);
	assert_string_equal(read_more(), "0 INFO io: 7\n");
	assert_int_equal(lost, 10);
}

/* Who asks for what was never there has read another process, and gets all. */
static void a_number_from_before_a_restart_is_begun_anew(void **state)
{
	uint64_t real = next;

	(void)state;
	put(1);
	next = UINT64_MAX;
	assert_non_null(strstr(read_more(), "0 INFO io: 1\n"));
	assert_int_equal(next, real + 1);
}

/* ---- of many threads ---- */

static atomic_uint running;

struct tally {
	uint64_t lines;
	uint64_t highest[WRITERS];
};

/* A writer's lines are "WRITER NUMBER NUMBER …", the numbers equal and growing from 1. */
static void check_line(void *owner, const struct recent_line *line)
{
	struct tally *tally = owner;
	char text[RECENT_LOG_TEXT + 1], expected[RECENT_LOG_TEXT + 1];
	unsigned writer, number;

	memcpy(text, line->text, line->length);
	text[line->length] = 0;
	assert_int_equal(sscanf(text, "%u %u", &writer, &number), 2);
	assert_in_range(writer, 0, WRITERS - 1);
	snprintf(expected, sizeof expected, "%u %u %u %0*u", writer, number, number, (int)(number % 300) + 1, number);
	assert_string_equal(text, expected);
	assert_true(number > tally->highest[writer]);
	tally->highest[writer] = number;
	tally->lines++;
}

static void *write_many(void *owner)
{
	unsigned writer = (unsigned)(uintptr_t)owner;

	for (unsigned number = 1; number <= EACH; number++) {
		char text[RECENT_LOG_TEXT];
		int length = snprintf(text, sizeof text, "%u %u %u %0*u", writer, number, number, (int)(number % 300) + 1, number);

		recent_log_put(0, LOG_INFO, "io", slice_make(text, (size_t)length));
	}
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void each_line_is_whole_or_counted(void **state)
{
	pthread_t threads[WRITERS];
	struct tally tally = { 0 };

	(void)state;
	atomic_store(&running, WRITERS);
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, (void *)i), 0);
	while (atomic_load(&running))
		next = recent_log_read(next, &lost, check_line, &tally);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	next = recent_log_read(next, &lost, check_line, &tally);
	assert_true(tally.lines >= RECENT_LOG_LINES / 2);
	assert_int_equal(tally.lines + lost, WRITERS * EACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_logged_can_be_read, start, stop),
		cmocka_unit_test_setup_teardown(long_lines_are_cut, start, stop),
		cmocka_unit_test_setup_teardown(the_oldest_are_lost_and_counted, start, stop),
		cmocka_unit_test_setup_teardown(a_number_from_before_a_restart_is_begun_anew, start, stop),
		cmocka_unit_test_setup_teardown(each_line_is_whole_or_counted, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

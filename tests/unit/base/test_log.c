/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

static struct text written;
static int64_t now;

static void write_here(const char *line, size_t length)
{
	text_append(&written, slice_make(line, length));
}

static int64_t read_clock(void)
{
	return now;
}

static int start(void **state)
{
	(void)state;
	text_clear(&written);
	now = 5 * CLOCK_SECOND;
	log_set(LOG_INFO, write_here);
	log_set_clock(NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	log_set(LOG_INFO, NULL);
	text_free(&written);
	return 0;
}

static unsigned lines(void)
{
	struct slice rest = text_slice(&written), line;
	unsigned count = 0;
	while (slice_split(&rest, '\n', &line))
		count++;
	return count - 1;
}

static void writes_level_and_room(void **state)
{
	(void)state;
	LOG(LOG_WARN, "discover", "cannot read %s", "disco");
	LOG(LOG_DEBUG, "discover", "not wanted");
	assert_string_equal(written.bytes, "WARN discover: cannot read disco\n");
}

static void one_event_is_one_line(void **state)
{
	(void)state;
	LOG(LOG_INFO, "wire", "bad name %s", "a\r\nERROR x: forged\x1b[0m");
	assert_string_equal(written.bytes, "INFO wire: bad name a??ERROR x: forged?[0m\n");
}

static void long_lines_are_cut(void **state)
{
	(void)state;
	LOG(LOG_INFO, "wire", "%05000d", 1);
	assert_int_equal(lines(), 1);
	assert_in_range(written.length, 1000, 2048);
	assert_int_equal(written.bytes[written.length - 1], '\n');
}

static void a_call_site_has_a_limit_each_second(void **state)
{
	(void)state;
	log_set_clock(read_clock);
	for (int i = 0; i < 100; i++)
		LOG(LOG_INFO, "io", "again %d", i);
	assert_int_equal(lines(), 20);
	LOG(LOG_INFO, "io", "another site");
	assert_int_equal(lines(), 21);
	now += CLOCK_SECOND;
	text_clear(&written);
	for (int i = 0; i < 2; i++)
		LOG(LOG_INFO, "io", "again %d", i);
	assert_string_equal(written.bytes, "INFO io: again 0 (and 80 more like this before)\nINFO io: again 1\n");
}

static unsigned room_of(const char *name)
{
	unsigned i = 0;

	while (log_room(i) && strcmp(log_room(i), name) != 0)
		i++;
	assert_non_null(log_room(i));
	return i;
}

static void rooms_have_levels_of_their_own(void **state)
{
	(void)state;
	log_room_set(room_of("proxy"), LOG_DEBUG);
	LOG(LOG_DEBUG, "proxy", "said");
	LOG(LOG_DEBUG, "discover", "not wanted");
	LOG(LOG_DEBUG, "of no room", "nor this");
	log_room_set(room_of("proxy"), LOG_ERROR);
	LOG(LOG_WARN, "proxy", "not wanted any more");
	LOG(LOG_WARN, "discover", "still said");
	LOG(LOG_INFO, "of no room", "as before");
	assert_string_equal(written.bytes, "DEBUG proxy: said\nWARN discover: still said\nINFO of no room: as before\n");
	assert_int_equal(log_room_level(room_of("proxy")), LOG_ERROR);
	assert_false(log_wanted(LOG_DEBUG, "proxy"));
}

static void levels_are_read_as_they_are_written(void **state)
{
	enum log_level level;

	(void)state;
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		assert_true(log_level_read(slice_of(log_level_text((enum log_level)i)), &level));
		assert_int_equal(level, i);
	}
	assert_true(log_level_read(SLICE("warning"), &level));
	assert_int_equal(level, LOG_WARN);
	assert_false(log_level_read(SLICE("DEBUGGING"), &level));
	assert_false(log_level_read(SLICE(""), &level));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_level_and_room, start, stop),
		cmocka_unit_test_setup_teardown(one_event_is_one_line, start, stop),
		cmocka_unit_test_setup_teardown(long_lines_are_cut, start, stop),
		cmocka_unit_test_setup_teardown(rooms_have_levels_of_their_own, start, stop),
		cmocka_unit_test_setup_teardown(levels_are_read_as_they_are_written, start, stop),
		cmocka_unit_test_setup_teardown(a_call_site_has_a_limit_each_second, start, stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Access logs on the way to their files: rolled when it is time, and lost when they can't be written. In the simulation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/counter.h"
#include "io/sim/sim.h"
#include "observe/access_log.h"

#define HOUR (60 * CLOCK_MINUTE)
#define DAY (24 * HOUR)
#define PATH "logs/access.log"

static struct {
	struct sim *sim;
	struct network *host;
	struct loop *loop;
	struct metrics *metrics;
	struct access_logs *logs;
	struct access_log *log;
} world;

/* 2026-01-01 was a Thursday; the simulated day is 1000 seconds old. */
static int set_up(void **state)
{
	(void)state;
	world.sim = sim_new(1, NULL);
	world.host = sim_host_new(world.sim, "10.0.0.1");
	sim_host_enter(world.host);
	assert_int_equal(0, loop_new(&(struct loop_options){ .name = "log" }, &world.loop));
	world.metrics = metrics_new(2);
	const struct access_logs_options options = { .loop = world.loop, .metrics = world.metrics, .workers = 2, .ring_bytes = 1 };
	assert_int_equal(0, access_logs_new(&options, &world.logs));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	access_logs_free(world.logs);
	metrics_free(world.metrics);
	loop_free(world.loop);
	sim_free(world.sim);
	return 0;
}

static void open_log(struct access_log_policy policy)
{
	policy.path = SLICE(PATH);
	assert_int_equal(0, access_logs_open(world.logs, &policy, &world.log));
	sim_run_for(world.sim, 10 * CLOCK_MS);
}

static void put_line(unsigned worker, const char *line)
{
	struct lines *lines = access_log_lines(world.log, worker);
	char *at = lines_reserve(lines);

	assert_non_null(at);
	memcpy(at, line, strlen(line));
	lines_commit(lines, strlen(line));
}

static void write_line(unsigned worker, const char *line)
{
	put_line(worker, line);
	sim_run_for(world.sim, 100 * CLOCK_MS);
}

static void assert_file(const char *path, const char *text)
{
	struct slice found = sim_file(world.host, path);

	if (!text) {
		assert_null(found.at);
		return;
	}
	if (!found.at)
		fail_msg("%s is not there", path);
	assert_string_equal(text, found.at);
}

static void count(void *owner, const struct sample *sample)
{
	if (slice_equal(sample->name, slice_of(((const char **)owner)[0])))
		*((double **)owner)[1] = sample->value;
}

static int metric(const char *name)
{
	double value = -1;
	const void *owner[] = { name, &value };

	metrics_read(world.metrics, count, (void *)owner);
	return (int)value;
}

static void test_lines_of_all_workers_are_written(void **state)
{
	(void)state;
	sim_file_put(world.host, PATH, SLICE("before\n"));
	open_log((struct access_log_policy){ .append = true, .rotate_count = -1 });
	write_line(0, "one\n");
	write_line(1, "two\n");
	assert_file(PATH, "before\none\ntwo\n");
	assert_int_equal(2, metric("written"));
	assert_int_equal(0, metric("lost"));
}

static void test_a_file_may_begin_empty(void **state)
{
	(void)state;
	sim_file_put(world.host, PATH, SLICE("before\n"));
	open_log((struct access_log_policy){ .append = false, .rotate_count = -1 });
	write_line(0, "one\n");
	assert_file(PATH, "before\n");
	access_logs_begin(world.logs);
	sim_run_for(world.sim, 100 * CLOCK_MS);
	assert_file(PATH, "one\n");
	/* Once only: a reload is no start. */
	open_log((struct access_log_policy){ .append = false, .rotate_count = -1 });
	access_logs_begin(world.logs);
	access_logs_reopen(world.logs);
	write_line(0, "two\n");
	assert_file(PATH, "one\ntwo\n");
}

static void test_who_takes_over_goes_on_in_the_file(void **state)
{
	const struct access_logs_options options = { .loop = world.loop, .metrics = world.metrics, .workers = 2, .takes_over = true };

	(void)state;
	access_logs_free(world.logs);
	assert_int_equal(0, access_logs_new(&options, &world.logs));
	sim_file_put(world.host, PATH, SLICE("of the process before\n"));
	sim_file_put(world.host, "later.log", SLICE("before\n"));
	open_log((struct access_log_policy){ .append = false, .rotate_count = -1 });
	access_logs_begin(world.logs);
	write_line(0, "one\n");
	assert_file(PATH, "of the process before\none\n");
	/* Only what it had at its start: a log of a later configuration is its own. */
	const struct access_log_policy later = { .path = SLICE("later.log"), .append = false, .rotate_count = -1 };
	assert_int_equal(0, access_logs_open(world.logs, &later, &world.log));
	access_logs_begin(world.logs);
	sim_run_for(world.sim, 100 * CLOCK_MS);
	assert_file("later.log", "");
}

static void test_a_process_that_never_began_leaves_the_file_alone(void **state)
{
	(void)state;
	sim_file_put(world.host, PATH, SLICE("another's\n"));
	open_log((struct access_log_policy){ .append = false, .rotate_count = -1 });
	access_logs_free(world.logs);
	world.logs = NULL;
	assert_file(PATH, "another's\n");
}

static void test_what_waits_at_the_end_is_written(void **state)
{
	(void)state;
	open_log((struct access_log_policy){ .append = true, .rotate_count = -1 });
	put_line(1, "last\n");
	access_logs_free(world.logs);
	world.logs = NULL;
	assert_file(PATH, "last\n");
}

static void test_each_hour_and_each_day(void **state)
{
	(void)state;
	open_log((struct access_log_policy){ .roll = ROLL_HOURLY, .append = true, .rotate_count = -1 });
	write_line(0, "one\n");
	sim_run_for(world.sim, HOUR);
	assert_file("logs/access-20260101-00.log", "one\n");
	assert_file(PATH, NULL); /* made with its first line */
	write_line(0, "two\n");
	/* An hour without lines makes no file. */
	sim_run_for(world.sim, 3 * HOUR);
	assert_file("logs/access-20260101-01.log", "two\n");
	assert_file("logs/access-20260101-02.log", NULL);
	/* Another policy, by a reload, for the same file. */
	open_log((struct access_log_policy){ .roll = ROLL_DAILY, .append = true, .rotate_count = -1 });
	write_line(0, "three\n");
	sim_run_for(world.sim, 19 * HOUR);
	assert_file(PATH, "three\n");
	sim_run_for(world.sim, HOUR);
	assert_file("logs/access-20260101.log", "three\n");
	assert_int_equal(3, metric("rolls"));
}

static void test_each_week(void **state)
{
	(void)state;
	open_log((struct access_log_policy){ .roll = ROLL_WEEKLY, .weekday = 0, .append = true, .rotate_count = -1 });
	write_line(0, "thursday\n");
	sim_run_for(world.sim, 2 * DAY);
	assert_file(PATH, "thursday\n");
	sim_run_for(world.sim, DAY); /* Sunday */
	assert_file("logs/access-20260101.log", "thursday\n");
	write_line(0, "sunday\n");
	sim_run_for(world.sim, 6 * DAY);
	assert_file(PATH, "sunday\n");
	sim_run_for(world.sim, DAY);
	assert_file("logs/access-20260104.log", "sunday\n");
}

static void test_by_size(void **state)
{
	(void)state;
	open_log((struct access_log_policy){ .roll = ROLL_SIZE, .roll_bytes = 10, .append = true, .rotate_count = -1 });
	write_line(0, "12345\n");
	write_line(0, "abc\n");
	assert_file(PATH, "12345\nabc\n");
	write_line(0, "x\n");
	assert_file(PATH, "x\n");
	assert_file("logs/access-20260101-001640.log", "12345\nabc\n");
	/* Within the same second under another name. */
	write_line(0, "a line longer than that\n");
	write_line(0, "y\n");
	assert_file("logs/access-20260101-001640-01.log", "x\n");
	assert_file("logs/access-20260101-001640-02.log", "a line longer than that\n");
	assert_file(PATH, "y\n");
}

/* What has waited goes into one write as a whole, unless the file would grow beyond what it may have by that. */
static void test_by_size_with_much_that_waits(void **state)
{
	char line[LINES_MOST_LINE + 1] = "";

	(void)state;
	memset(line, 'x', LINES_MOST_LINE - 1);
	line[LINES_MOST_LINE - 1] = '\n';
	open_log((struct access_log_policy){ .roll = ROLL_SIZE, .roll_bytes = LINES_MOST_LINE + 10, .append = true, .rotate_count = -1 });
	put_line(0, line);
	write_line(0, line);
	assert_file(PATH, line);
	assert_file("logs/access-20260101-001640.log", line);
	assert_int_equal(2, metric("written"));
}

static void test_a_full_disk_loses_lines_and_is_tried_again(void **state)
{
	(void)state;
	open_log((struct access_log_policy){ .append = true, .rotate_count = -1 });
	write_line(0, "one\n");
	sim_fail_nth(world.sim, SIM_CALL_LOG_FILE, 1);
	write_line(0, "two\n");
	write_line(1, "three\n"); /* not tried before a second has passed */
	assert_int_equal(2, metric("lost"));
	assert_int_equal(1, metric("failures"));
	sim_run_for(world.sim, CLOCK_SECOND);
	write_line(0, "four\n");
	assert_file(PATH, "one\nfour\n");
	assert_int_equal(2, metric("written"));
	assert_int_equal(2, metric("lost"));
}

static void test_a_file_that_was_renamed_is_opened_anew(void **state)
{
	(void)state;
	open_log((struct access_log_policy){ .append = true, .rotate_count = -1 });
	write_line(0, "one\n");
	sim_file_put(world.host, "logs/access.log.1", sim_file(world.host, PATH));
	sim_file_remove(world.host, PATH);
	access_logs_reopen(world.logs);
	write_line(0, "two\n");
	assert_file("logs/access.log.1", "one\n");
	assert_file(PATH, "two\n");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines_of_all_workers_are_written),
		TEST(test_a_file_may_begin_empty),
		TEST(test_who_takes_over_goes_on_in_the_file),
		TEST(test_a_process_that_never_began_leaves_the_file_alone),
		TEST(test_what_waits_at_the_end_is_written),
		TEST(test_each_hour_and_each_day),
		TEST(test_each_week),
		TEST(test_by_size),
		TEST(test_by_size_with_much_that_waits),
		TEST(test_a_full_disk_loses_lines_and_is_tried_again),
		TEST(test_a_file_that_was_renamed_is_opened_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

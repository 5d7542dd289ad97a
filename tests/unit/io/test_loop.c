/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, tasks and turns. */
#include "unit/io/rig.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/random.h"
#include "io/packet.h"
#include "io/timers.h"

enum { TIMERS = 500 };

struct expectation {
	struct timer timer;
	int64_t deadline;
	unsigned order; /* of the setting */
	bool set;
};

static bool earlier(const struct expectation *a, const struct expectation *b)
{
	return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static struct expectation *first_of(struct expectation *all)
{
	struct expectation *first = NULL;
	for (int i = 0; i < TIMERS; i++)
		if (all[i].set && (!first || earlier(&all[i], first)))
			first = &all[i];
	return first;
}

/* Random settings, moves and cancellations with many equal deadlines, against a search through all. */
static void the_heap_agrees_with_a_model(void **state)
{
	(void)state;
	static struct expectation all[TIMERS];
	struct timers timers;
	struct random random;
	unsigned settings = 0;
	random_init(&random, 3);
	timers_init(&timers);
	for (int i = 0; i < TIMERS; i++)
		timer_init(&all[i].timer, NULL, NULL);
	for (int step = 0; step < 20000; step++) {
		struct expectation *one = &all[random_below(&random, TIMERS)];
		switch (random_below(&random, 4)) {
		case 0:
			timers_cancel(&timers, &one->timer);
			one->set = false;
			break;
		case 1: {
			struct expectation *first = first_of(all);
			struct timer *expired = timers_expired(&timers, 50);
			if (first && first->deadline <= 50) {
				assert_ptr_equal(expired, &first->timer);
				first->set = false;
			} else {
				assert_null(expired);
			}
			break;
		}
		default:
			one->deadline = random_below(&random, 100);
			one->order = settings++;
			one->set = true;
			timers_set(&timers, &one->timer, one->deadline);
		}
		assert_int_equal(timer_is_set(&one->timer), one->set);
		struct expectation *next = first_of(all);
		assert_true(timers_next(&timers) == (next ? next->deadline : CLOCK_NEVER));
	}
	timers_fini(&timers);
	for (int i = 0; i < TIMERS; i++)
		assert_false(timer_is_set(&all[i].timer));
}

static char trace[64];
static size_t traced;

static void trace_one(void *owner)
{
	const char *letter = owner;
	trace[traced++] = *letter;
	trace[traced] = '\0';
}

static struct rig *start(void)
{
	traced = 0;
	trace[0] = '\0';
	return rig_new(&(struct loop_options){ .name = "test" });
}

static void timers_fire_in_order(void **state)
{
	(void)state;
	struct rig *rig = start();
	struct timer a, b, c, d, e;
	int64_t now = loop_now(rig->loop);
	timer_init(&a, trace_one, "a");
	timer_init(&b, trace_one, "b");
	timer_init(&c, trace_one, "c");
	timer_init(&d, trace_one, "d");
	timer_init(&e, trace_one, "e");
	timer_set(rig->loop, &c, now + 3 * CLOCK_MS);
	timer_set(rig->loop, &b, now + 2 * CLOCK_MS);
	timer_set(rig->loop, &a, now - 5);
	timer_set(rig->loop, &d, now + 3 * CLOCK_MS);
	timer_set(rig->loop, &e, now + CLOCK_MS);
	timer_cancel(rig->loop, &e);
	timer_cancel(rig->loop, &e);
	timer_set(rig->loop, &c, now + 3 * CLOCK_MS); /* set again: now behind d */
	while (traced < 4)
		rig_turns(rig, 1);
	assert_string_equal(trace, "abdc");
	assert_true(loop_now(rig->loop) >= now + 3 * CLOCK_MS);
	rig_free(rig);
}

static void tasks_run_in_order_and_once(void **state)
{
	(void)state;
	struct rig *rig = start();
	struct task a, b, c;
	task_init(&a, trace_one, "a");
	task_init(&b, trace_one, "b");
	task_init(&c, trace_one, "c");
	task_set(rig->loop, &b);
	task_set(rig->loop, &a);
	task_set(rig->loop, &c);
	task_set(rig->loop, &b); /* is set */
	task_cancel(rig->loop, &c);
	task_cancel(rig->loop, &c);
	assert_int_equal(traced, 0); /* never from inside a call */
	rig_turns(rig, 1);
	assert_string_equal(trace, "ba");
	task_set(rig->loop, &c);
	rig_turns(rig, 1);
	assert_string_equal(trace, "bac");
	rig_free(rig);
}

struct chain {
	struct loop *loop;
	struct task task;
	struct timer timer;
	unsigned runs;
};

static void set_again(void *owner)
{
	struct chain *chain = owner;
	chain->runs++;
	task_set(chain->loop, &chain->task);
}

static void fire_again(void *owner)
{
	struct chain *chain = owner;
	chain->runs++;
	timer_set(chain->loop, &chain->timer, loop_now(chain->loop));
}

static void endless_tasks_and_timers_starve_nothing(void **state)
{
	(void)state;
	struct rig *rig = start();
	struct chain chain = { .loop = rig->loop };
	task_init(&chain.task, set_again, &chain);
	timer_init(&chain.timer, fire_again, &chain);
	task_set(rig->loop, &chain.task);
	timer_set(rig->loop, &chain.timer, loop_now(rig->loop));
	rig_turns(rig, 10);
	assert_true(chain.runs > 10);
	task_cancel(rig->loop, &chain.task);
	timer_cancel(rig->loop, &chain.timer);
	rig_free(rig);
}

static void set_task_of(void *owner)
{
	struct chain *chain = owner;
	trace_one("t");
	task_set(chain->loop, &chain->task);
}

static void trace_task(void *owner)
{
	(void)owner;
	trace_one("k");
}

/* A task set by one callback runs before the next callback, also when both are due. */
static void tasks_run_between_callbacks(void **state)
{
	(void)state;
	struct rig *rig = start();
	struct chain chain = { .loop = rig->loop };
	struct timer second;
	task_init(&chain.task, trace_task, &chain);
	timer_init(&chain.timer, set_task_of, &chain);
	timer_init(&second, trace_one, "2");
	timer_set(rig->loop, &chain.timer, 1);
	timer_set(rig->loop, &second, 2);
	rig_turns(rig, 1);
	assert_string_equal(trace, "tk2");
	rig_free(rig);
}

static void set_late_task_of(void *owner)
{
	struct chain *chain = owner;
	trace_one("t");
	task_set_late(chain->loop, &chain->task);
}

/* A late task waits for all callbacks of the turn, and for the tasks that these and it itself have set; it runs once. */
static void late_tasks_run_behind_all_callbacks(void **state)
{
	(void)state;
	struct rig *rig = start();
	struct chain chain = { .loop = rig->loop };
	struct timer second, third;
	struct task other, cancelled;
	task_init(&chain.task, trace_task, &chain);
	task_init(&other, trace_one, "o");
	task_init(&cancelled, trace_one, "c");
	timer_init(&chain.timer, set_late_task_of, &chain);
	timer_init(&second, trace_one, "2");
	timer_init(&third, set_late_task_of, &chain);
	timer_set(rig->loop, &chain.timer, 1);
	timer_set(rig->loop, &second, 2);
	timer_set(rig->loop, &third, 3);
	rig_turns(rig, 1);
	assert_string_equal(trace, "t2tk");
	task_set_late(rig->loop, &chain.task);
	task_set_late(rig->loop, &cancelled);
	task_set(rig->loop, &other);
	task_cancel(rig->loop, &cancelled);
	rig_turns(rig, 1);
	assert_string_equal(trace, "t2tkok");
	rig_free(rig);
}

static void set_late_again(void *owner)
{
	struct chain *chain = owner;
	chain->runs++;
	task_set_late(chain->loop, &chain->task);
}

static void endless_late_tasks_starve_nothing(void **state)
{
	(void)state;
	struct rig *rig = start();
	struct chain chain = { .loop = rig->loop };
	struct timer timer;
	task_init(&chain.task, set_late_again, &chain);
	timer_init(&timer, trace_one, "t");
	task_set_late(rig->loop, &chain.task);
	timer_set(rig->loop, &timer, loop_now(rig->loop));
	rig_turns(rig, 3);
	assert_string_equal(trace, "t");
	assert_true(chain.runs > 3);
	task_cancel(rig->loop, &chain.task);
	rig_free(rig);
}

static void clocks_agree(void **state)
{
	(void)state;
	struct rig *rig = start();
	rig_turns(rig, 1);
	int64_t now = loop_now(rig->loop), wall = loop_wall(rig->loop);
	assert_true(loop_clock(rig->loop) >= now);
	assert_true(wall > INT64_C(1600000000) * CLOCK_SECOND);
	rig_turns(rig, 3);
	assert_true(loop_now(rig->loop) >= now);
	int64_t drift = (loop_wall(rig->loop) - wall) - (loop_now(rig->loop) - now);
	assert_true(drift > -CLOCK_SECOND && drift < CLOCK_SECOND);
	assert_non_null(loop_random(rig->loop));
	assert_int_equal(loop_buffers(rig->loop)->in_use, 0);
	rig_free(rig);
}

/* ---- a loop that is held up ---- */

static int late_caller = -1; /* a socket that connects to the door just when the loop has waited in vain; -1: none */
static struct sockaddr_un door_name = { .sun_family = AF_UNIX };

/* In place of the C library's, which does the same; but then the process is held up. */
int epoll_wait(int epoll, struct epoll_event *events, int most, int patience)
{
	int count = (int)syscall(SYS_epoll_pwait, epoll, events, most, patience, NULL, 0);
	if (count == 0 && patience > 0 && late_caller >= 0) {
		assert_int_equal(connect(late_caller, (const struct sockaddr *)&door_name, sizeof door_name), 0);
		close(late_caller);
		late_caller = -1;
		usleep(20000);
	}
	return count;
}

struct patience {
	struct rig *rig;
	struct timer timer;
	bool done, over;
};

static void knocked(void *owner, struct packet_link *link)
{
	struct patience *patience = owner;
	timer_cancel(patience->rig->loop, &patience->timer);
	patience->done = true;
	packet_close(link);
}

static void out_of_patience(void *owner)
{
	struct patience *patience = owner;
	patience->done = patience->over = true;
}

/* What comes between the end of the wait and the reading of the clock came in time: it is seen before the timers fire. */
static void events_come_before_timers_that_are_late(void **state)
{
	(void)state;
	struct patience patience = { .rig = start() };
	struct loop *loop = patience.rig->loop;
	struct packet_door *door;
	snprintf(door_name.sun_path, sizeof door_name.sun_path, "/tmp/weft-loop-%d", getpid());
	assert_int_equal(packet_door_open(door_name.sun_path, 0600, &door), 0);
	assert_int_equal(packet_door_start(door, loop, knocked, &patience), 0);
	late_caller = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(late_caller >= 0);
	timer_init(&patience.timer, out_of_patience, &patience);
	timer_set(loop, &patience.timer, loop_clock(loop) + 10 * CLOCK_MS);
	assert_true(rig_until(patience.rig, &patience.done));
	assert_int_equal(late_caller, -1);
	assert_false(patience.over);
	packet_door_close(door, false);
	rig_turns(patience.rig, 2);
	rig_free(patience.rig);
}

int main(void)
{
	process_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_heap_agrees_with_a_model),
		cmocka_unit_test(timers_fire_in_order),
		cmocka_unit_test(tasks_run_in_order_and_once),
		cmocka_unit_test(endless_tasks_and_timers_starve_nothing),
		cmocka_unit_test(tasks_run_between_callbacks),
		cmocka_unit_test(late_tasks_run_behind_all_callbacks),
		cmocka_unit_test(endless_late_tasks_starve_nothing),
		cmocka_unit_test(events_come_before_timers_that_are_late),
		cmocka_unit_test(clocks_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

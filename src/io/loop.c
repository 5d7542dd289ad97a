/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the loop that is the same over every backend. */
#include "io/loop.h"

#include "base/check.h"
#include "io/internal.h"

void loop_init(struct loop *loop, const struct loop_options *options, uint64_t seed)
{
	*loop = (struct loop){ .magic = LOOP_MAGIC, .name = options->name ? options->name : "loop" };
	loop->tasks_end = &loop->tasks;
	timers_init(&loop->timers);
	random_init(&loop->random, seed);
	buffer_pool_init(&loop->buffers, "buffer", options->max_buffers ? options->max_buffers : LOOP_DEFAULT_BUFFERS);
}

void loop_fini(struct loop *loop)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	CHECK(!loop->tasks);
	timers_fini(&loop->timers);
	pool_fini(&loop->buffers);
	loop->magic = 0;
}

int64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

int64_t loop_wall(const struct loop *loop)
{
	return loop->wall;
}

struct random *loop_random(struct loop *loop)
{
	return &loop->random;
}

struct pool *loop_buffers(struct loop *loop)
{
	return &loop->buffers;
}

void timer_init(struct timer *timer, void (*fired)(void *owner), void *owner)
{
	*timer = (struct timer){ .fired = fired, .owner = owner };
}

void timer_set(struct loop *loop, struct timer *timer, int64_t deadline)
{
	timers_set(&loop->timers, timer, deadline);
}

void timer_cancel(struct loop *loop, struct timer *timer)
{
	timers_cancel(&loop->timers, timer);
}

void loop_fire_timers(struct loop *loop)
{
	uint32_t most = loop->timers.count;
	while (most-- && timers_next(&loop->timers) <= loop->now) {
		struct timer *timer = timers_expired(&loop->timers, loop->now);
		if (!timer)
			return;
		timer->fired(timer->owner);
		loop_run_tasks(loop);
	}
}

void task_init(struct task *task, void (*run)(void *owner), void *owner)
{
	*task = (struct task){ .run = run, .owner = owner };
}

void task_set(struct loop *loop, struct task *task)
{
	if (task->set)
		return;
	task->set = true;
	task->next = NULL;
	*loop->tasks_end = task;
	loop->tasks_end = &task->next;
}

void task_cancel(struct loop *loop, struct task *task)
{
	if (!task->set)
		return;
	struct task **at = &loop->tasks;
	while (*at != task) {
		CHECK(*at);
		at = &(*at)->next;
	}
	*at = task->next;
	if (loop->tasks_end == &task->next)
		loop->tasks_end = at;
	task->set = false;
}

void loop_run_tasks_slowly(struct loop *loop)
{
	for (int i = 0; loop->tasks && i < LOOP_TASKS_AT_ONCE; i++) {
		struct task *task = loop->tasks;
		loop->tasks = task->next;
		if (!loop->tasks)
			loop->tasks_end = &loop->tasks;
		task->set = false;
		task->run(task->owner);
	}
}

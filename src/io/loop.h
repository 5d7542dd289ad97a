/* SPDX-License-Identifier: Apache-2.0 */
/* io/loop.h: an event loop: time, timers, tasks, and the pools that its streams read into.
 *
 * One thread runs a loop and owns all that was made on it. Everything here is for that thread, except loop_stop and
 * io/channel.h. Callbacks come only from the loop, never from inside a call made to io: what a call causes is delivered
 * later in the same turn or in the next. Timers can't be starved by I/O, nor I/O by timers.
 *
 *	struct loop *loop = loop_new(&(struct loop_options){ .name = "worker-0" });
 *	timer_init(&t, on_timeout, owner);
 *	timer_set(loop, &t, loop_now(loop) + 5 * CLOCK_SECOND);
 *	loop_run(loop);               // until loop_stop
 *	loop_free(loop);
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

struct loop;

struct loop_options {
	const char *name;     /* for logs; static */
	uint32_t max_buffers; /* of BUFFER_CAPACITY each; 0: 65536 (1 GiB) */
	uint32_t max_streams; /* 0: 1,000,000 */
};

MUST_CHECK int loop_new(const struct loop_options *options, struct loop **loop);
void loop_free(struct loop *loop); /* all that was made on it must be closed */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread; the running turn is finished first */

/* Monotonic nanoseconds, read once a turn. */
int64_t loop_now(const struct loop *loop);
/* Read now; for measuring latencies. Costs some 25 ns. */
int64_t loop_clock(struct loop *loop);
/* Nanoseconds since 1970 that go with loop_now. */
int64_t loop_wall(const struct loop *loop);
struct random *loop_random(struct loop *loop);
struct pool *loop_buffers(struct loop *loop);

/* A timer is embedded in what it is for; it must be cancelled before that is freed. */
struct timer {
	uint32_t index; /* in the loop's heap, 0 = not set */
	void (*fired)(void *owner);
	void *owner;
};

void timer_init(struct timer *timer, void (*fired)(void *owner), void *owner);
void timer_set(struct loop *loop, struct timer *timer, int64_t deadline); /* moves it when already set */
void timer_cancel(struct loop *loop, struct timer *timer);                /* allowed when not set */
static inline bool timer_is_set(const struct timer *timer)
{
	return timer->index != 0;
}

/* A task runs once, soon: after the callback that is running now, before the next event is delivered (so that all that
 * one event causes on a connection can be sent in one system call). Tasks run in the order in which they were set.
 *
 * A late task waits for the end of the turn, so that what many events cause on one connection leaves together; where a turn is long,
 * for some dozens of its events. All other tasks go before. */
struct task {
	struct task *next;
	void (*run)(void *owner);
	void *owner;
	bool set, late;
};

void task_init(struct task *task, void (*run)(void *owner), void *owner);
void task_set(struct loop *loop, struct task *task);      /* no effect when already set */
void task_set_late(struct loop *loop, struct task *task); /* the same */
void task_cancel(struct loop *loop, struct task *task);

#endif

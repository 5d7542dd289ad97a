/* SPDX-License-Identifier: Apache-2.0 */
/* io/internal.h: what both backends' loops have in common. For io/ and its backends only.
 *
 * A backend's loop starts with a struct loop; timers, tasks, pools and random numbers are then done here (io/loop.c), and
 * the backend only moves `now`, calls loop_run_tasks after each callback that it makes, and loop_fire_timers once a turn.
 *
 *	struct kernel_loop { struct loop loop; int epoll; ... };
 *	loop_init(&k->loop, options, seed);
 *	event->callback(...);
 *	loop_run_tasks(&k->loop);
 */
#ifndef IO_INTERNAL_H
#define IO_INTERNAL_H

#include "io/loop.h"
#include "io/timers.h"

enum {
	LOOP_MAGIC = 0x10090a1f,
	LOOP_DEFAULT_BUFFERS = 65536,
	LOOP_DEFAULT_STREAMS = 1000000,
	LOOP_TASKS_AT_ONCE = 1024, /* then an event gets its turn, so that tasks which set each other starve nothing */
};

struct loop {
	uint32_t magic;
	const char *name;
	int64_t now;                 /* monotonic, of this turn */
	int64_t wall;                /* since 1970, of this turn */
	struct task *tasks;          /* first that is set, or NULL */
	struct task **tasks_end;
	struct timers timers;
	struct random random;
	struct pool buffers;
};

void loop_init(struct loop *loop, const struct loop_options *options, uint64_t seed);
void loop_fini(struct loop *loop); /* CHECKs that no task is set and that all buffers came back */

void loop_run_tasks_slowly(struct loop *loop);

/* Runs what is set, including what those set. After every callback. */
static inline void loop_run_tasks(struct loop *loop)
{
	if (loop->tasks)
		loop_run_tasks_slowly(loop);
}

/* Fires what is due at loop->now, with the tasks behind each; as many at most as were set at the start, so that timers
 * that set themselves again to now can't keep the loop from its sockets. */
void loop_fire_timers(struct loop *loop);

#endif

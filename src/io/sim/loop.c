/* SPDX-License-Identifier: Apache-2.0 */
/* Loops: what is theirs over this backend only. A loop runs in turns, each at one instant: what is ready is told in drawn
 * order, timers before or after it as drawn, tasks behind each callback. */
#include "io/sim/world.h"

enum { TASKS_AT_ONCE = 1024, BUFFERS_MOST = 65536, STREAMS_MOST = 1000000 };

/* Loops of crashed processes whose buffers and streams were not freed. Kept, so that a leak checker finds what hangs on
 * them: in a real crash the kernel would have taken it all. */
static struct list graveyard = { &graveyard, &graveyard };

int loop_new(const struct loop_options *options, struct loop **result)
{
	struct sim_process *process = process_current();
	struct sim *sim = process->host->sim;
	struct loop *loop = memory_new(sizeof(*loop));
	loop->magic = LOOP_MAGIC;
	loop->id = ++sim->loop_count;
	loop->name = options->name;
	loop->sim = sim;
	loop->process = process;
	loop->busy_until = sim->now;
	loop->last_task = &loop->first_task;
	loop->last_late = &loop->first_late;
	timers_init(&loop->timers);
	random_init(&loop->random, random_u64(&sim->random));
	list_init(&loop->ready);
	list_init(&loop->open);
	list_init(&loop->closed);
	buffer_pool_init(&loop->buffers, "buffers", options->max_buffers ? options->max_buffers : BUFFERS_MOST);
	streams_pool_init(&loop->streams, options->max_streams ? options->max_streams : STREAMS_MOST);
	list_append(&sim->loops, &loop->link);
	list_append(&process->loops, &loop->process_link);
	loop->wall_ahead = sim->options.wall_ns;
	*result = loop;
	return 0;
}

/* What a crashed process has open was dropped by the crash; elsewhere it is a leak. */
static void check_closed(struct loop *loop)
{
	CHECK(loop->open_count == 0);
	CHECK(loop->listeners == 0);
	CHECK(loop->datagrams == 0);
	CHECK(loop->channels == 0);
	CHECK(loop->timers.count == 0);
	CHECK(loop->first_task == NULL && loop->first_late == NULL);
	CHECK(list_empty(&loop->ready));
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	CHECK_MAGIC(loop, LOOP_MAGIC);
	CHECK(loop->sim->turning != loop);
	streams_drop_lingering(loop);
	streams_free_closed(loop);
	if (!loop_dead(loop))
		check_closed(loop);
	else if (loop->open_count || loop->buffers.in_use) {
		loop_bury(loop);
		return;
	}
	timers_fini(&loop->timers);
	pool_fini(&loop->streams);
	pool_fini(&loop->buffers);
	list_remove(&loop->link);
	list_remove(&loop->process_link);
	loop->magic = 0;
	memory_free(loop);
}

void loop_bury(struct loop *loop)
{
	list_remove(&loop->link);
	list_remove(&loop->process_link);
	list_append(&graveyard, &loop->link);
	loop->buried = loop->sim->now;
	loop->sim = NULL;
	loop->process = NULL;
}

static bool going_on(void *owner)
{
	const struct loop *loop = owner;
	return !loop->stopped;
}

void loop_run(struct loop *loop)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	loop->stopped = false;
	/* False: nothing is left to happen, and nobody has stopped the loop. */
	CHECK(world_run(loop->sim, going_on, loop, CLOCK_NEVER));
}

void loop_stop(struct loop *loop)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	loop->stopped = true;
}

int64_t loop_clock(struct loop *loop)
{
	return loop->sim->now;
}

/* A turn takes no time: its instant is the world's. */
int64_t loop_now(const struct loop *loop)
{
	return loop->sim ? loop->sim->now : loop->buried;
}

int64_t loop_wall(const struct loop *loop)
{
	return loop_now(loop) + loop->wall_ahead;
}

struct random *loop_random(struct loop *loop)
{
	return &loop->random;
}

struct pool *loop_buffers(struct loop *loop)
{
	return &loop->buffers;
}

/* --- timers and tasks --- */

void timer_set(struct loop *loop, struct timer *timer, int64_t deadline)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	timers_set(&loop->timers, timer, deadline);
}

void timer_cancel(struct loop *loop, struct timer *timer)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	timers_cancel(&loop->timers, timer);
}

void task_init(struct task *task, void (*run)(void *owner), void *owner)
{
	*task = (struct task){ .run = run, .owner = owner };
}

static void append_task(struct task ***last, struct task *task, bool late)
{
	if (task->set)
		return;
	task->set = true;
	task->late = late;
	task->next = NULL;
	**last = task;
	*last = &task->next;
}

void task_set(struct loop *loop, struct task *task)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	append_task(&loop->last_task, task, false);
}

void task_set_late(struct loop *loop, struct task *task)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	append_task(&loop->last_late, task, true);
}

void task_cancel(struct loop *loop, struct task *task)
{
	if (!task->set)
		return;
	struct task **at = task->late ? &loop->first_late : &loop->first_task;
	struct task ***last = task->late ? &loop->last_late : &loop->last_task;
	while (*at != task) {
		CHECK(*at != NULL);
		at = &(*at)->next;
	}
	*at = task->next;
	if (*last == &task->next)
		*last = at;
	task->set = false;
	task->next = NULL;
}

static void run_first(struct task **first, struct task ***last)
{
	struct task *task = *first;
	*first = task->next;
	if (!*first)
		*last = first;
	task->set = false;
	task->next = NULL;
	task->run(task->owner);
}

void loop_run_tasks(struct loop *loop)
{
	for (unsigned i = 0; loop->first_task && i < TASKS_AT_ONCE && !loop_dead(loop); i++)
		run_first(&loop->first_task, &loop->last_task);
}

/* What these set runs too. */
static void run_late(struct loop *loop)
{
	for (unsigned i = 0; loop->first_late && i < TASKS_AT_ONCE && !loop_dead(loop); i++) {
		run_first(&loop->first_late, &loop->last_late);
		loop_run_tasks(loop);
	}
}

/* --- what is ready --- */

void loop_ready(struct loop *loop, struct ready *ready)
{
	if (list_empty(&ready->link) && !loop_dead(loop))
		list_append(&loop->ready, &ready->link);
}

void loop_unready(struct loop *loop, struct ready *ready)
{
	list_remove(&ready->link);
	for (unsigned i = 0; i < loop->batch_count; i++) {
		if (loop->batch[i] == ready)
			loop->batch[i] = NULL;
	}
}

static void take_batch(struct loop *loop)
{
	loop->batch_count = 0;
	while (loop->batch_count < TURN_BATCH && !list_empty(&loop->ready)) {
		struct ready *ready = LIST_OF(list_first(&loop->ready), struct ready, link);
		list_remove(&ready->link);
		/* Drawn order: an inside-out shuffle. */
		uint32_t place = random_below(&loop->sim->random, loop->batch_count + 1);
		loop->batch[loop->batch_count++] = loop->batch[place];
		loop->batch[place] = ready;
	}
}

static void tell_batch(struct loop *loop)
{
	take_batch(loop);
	for (unsigned i = 0; i < loop->batch_count && !loop_dead(loop); i++) {
		struct ready *ready = loop->batch[i];
		if (!ready)
			continue;
		loop->batch[i] = NULL;
		ready->tell(ready);
		loop_run_tasks(loop);
	}
	loop->batch_count = 0;
}

/* --- turns --- */

static void fire_timers(struct loop *loop)
{
	/* Those set by the ones that fire now may wait for the next turn, so that I/O gets its turn too. */
	uint32_t most = loop->timers.count;
	while (most-- > 0 && !loop_dead(loop)) {
		int64_t deadline = timers_next(&loop->timers);
		struct timer *timer = timers_expired(&loop->timers, loop->sim->now);

		if (!timer)
			break;
		loop->sim->totals.timers++;
		world_event(loop->sim, EVENT_TIMER, loop->id, (uint64_t)deadline, 0);
		timer->fired(timer->owner);
		loop_run_tasks(loop);
	}
}

static bool has_work(const struct loop *loop)
{
	return !list_empty(&loop->ready) || loop->first_task || loop->first_late;
}

int64_t loop_next(const struct loop *loop)
{
	int64_t next = has_work(loop) ? 0 : timers_next(&loop->timers);
	if (next == CLOCK_NEVER || loop_dead(loop))
		return CLOCK_NEVER;
	if (next < loop->busy_until)
		next = loop->busy_until;
	return next < loop->process->stalled_until ? loop->process->stalled_until : next;
}

uint64_t sim_fail_memory(struct loop *loop, uint64_t nth)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	uint64_t left = loop->memory_fails;
	loop->memory_fails = nth;
	return left;
}

static void run_turn(struct loop *loop)
{
	bool timers_first = random_below(&loop->sim->random, 2) == 0;
	loop_run_tasks(loop); /* set from outside a turn */
	if (timers_first)
		fire_timers(loop);
	tell_batch(loop);
	run_late(loop);
	if (timers_first)
		return;
	fire_timers(loop);
	run_late(loop);
}

void loop_turn(struct loop *loop)
{
	struct sim *sim = loop->sim;
	bool memory_fails = loop->memory_fails > 0;
	sim->turning = loop;
	sim->current = loop->process;
	world_event(sim, EVENT_TURN, loop->id, 0, 0);
	if (memory_fails)
		memory_fail_nth(loop->memory_fails);
	run_turn(loop);
	if (memory_fails)
		loop->memory_fails = memory_fail_nth(0);
	streams_free_closed(loop);
	CHECK(loop->process->locks_held == 0); /* a lock kept beyond a turn would stop the other threads */
	/* At least 1 ns, so that time passes even for a loop that always has something to do. */
	loop->busy_until = sim->now + 1 + world_draw(sim, sim->options.turn_ns);
	sim->turning = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The loop. One turn: wait; read the time; for each event its callback and the tasks that it set; what asked to be called
 * again; the late tasks; the timers that are due, and late tasks of theirs; then what was closed in between is given back.
 *
 * Events come before timers, so that a loop which was held up takes an answer that has arrived for an answer and not for a
 * timeout. It may also be held up behind the wait, before it reads the time: so when a timer is late, events are asked for
 * again. Neither can starve the other: a turn has at most twice LOOP_EVENTS events and as many timers as were set. */
#include "io/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/kernel/kernel.h"
#include "io/kernel/tcp.h"

enum {
	DEFAULT_BUFFERS = 65536,
	DEFAULT_STREAMS = 1000000,
	TASKS_AT_ONCE = 4096, /* then an event gets its turn: tasks that set each other can't stop the loop */
	/* So many events may hold up the late tasks: what these send fills a buffer for each connection. */
	LATE_BEHIND = 64,
};

static const int64_t starved_pause = 10 * CLOCK_MS;
static const int64_t late_timer = 2 * CLOCK_MS; /* more than waiting in whole milliseconds makes it */
static const int64_t wall_interval = CLOCK_SECOND;

static void on_wake(struct source *source, uint32_t events)
{
	(void)events;
	struct loop *loop = LIST_OF(source, struct loop, wake);
	atomic_exchange(&loop->woken, false);
	channel_deliver_all(loop);
}

/* Buffers may have come back: all that starved may try again. */
static void on_starved(void *owner)
{
	struct loop *loop = owner;
	struct list *link;
	while ((link = list_first(&loop->starved)))
		loop_again(loop, LIST_OF(link, struct source, link));
}

static void read_clocks(struct loop *loop)
{
	loop->now = kernel_clock();
	if (loop->now >= loop->wall_due) {
		struct timespec t;
		clock_gettime(CLOCK_REALTIME, &t);
		loop->wall_offset = t.tv_sec * CLOCK_SECOND + t.tv_nsec - loop->now;
		loop->wall_due = loop->now + wall_interval;
	}
}

static uint64_t new_seed(void)
{
	uint64_t seed;
	if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
		seed = (uint64_t)kernel_clock() ^ (uint64_t)getpid() << 32;
	return seed;
}

static int open_descriptors(struct loop *loop)
{
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return kernel_error(errno);
	loop->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int e = loop->wake.fd < 0 ? kernel_error(errno) : loop_register(loop, &loop->wake, EPOLLIN | EPOLLET);
	if (e) {
		kernel_close(loop->wake.fd);
		close(loop->epoll);
	}
	return e;
}

int loop_new(const struct loop_options *options, struct loop **result)
{
	struct loop *loop = memory_new(sizeof *loop);
	loop->magic = LOOP_MAGIC;
	loop->name = options->name ? options->name : "loop";
	loop->wake.ready = on_wake;
	int e = open_descriptors(loop);
	if (e) {
		memory_free(loop);
		return e;
	}
	uint32_t streams = options->max_streams ? options->max_streams : DEFAULT_STREAMS;
	uint32_t buffers = options->max_buffers ? options->max_buffers : DEFAULT_BUFFERS;
	loop->tasks_end = &loop->tasks;
	loop->late_end = &loop->late;
	list_init(&loop->again);
	list_init(&loop->buried);
	list_init(&loop->starved);
	list_init(&loop->channels);
	list_init(&loop->lingering);
	list_init(&loop->wake.link);
	timers_init(&loop->timers);
	timer_init(&loop->starved_timer, on_starved, loop);
	random_init(&loop->random, new_seed());
	buffer_pool_init(&loop->buffers, "buffer", buffers);
	tcp_pools_init(loop, streams);
	read_clocks(loop);
	*result = loop;
	return 0;
}

static void free_buried(struct loop *loop)
{
	struct list *link;
	while ((link = list_first(&loop->buried))) {
		struct source *source = LIST_OF(link, struct source, link);
		list_remove(link);
		source->gone(loop, source);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	CHECK_MAGIC(loop, LOOP_MAGIC);
	tcp_drop_lingering(loop);
	free_buried(loop);
	CHECK(!loop->tasks && !loop->late);
	CHECK(list_empty(&loop->channels));
	CHECK(loop->others == 0);
	timer_cancel(loop, &loop->starved_timer);
	timers_fini(&loop->timers);
	pool_fini(&loop->streams);
	pool_fini(&loop->waiting);
	pool_fini(&loop->buffers);
	kernel_close(loop->wake.fd);
	kernel_close(loop->epoll);
	loop->magic = 0;
	memory_free(loop);
}

/* Milliseconds to sleep, rounded up so that a timer is due when we wake. */
static int sleep_time(const struct loop *loop)
{
	int64_t next = timers_next(&loop->timers);
	if (loop->tasks || loop->late || !list_empty(&loop->again))
		return 0;
	if (next == CLOCK_NEVER)
		return -1;
	if (next <= loop->now)
		return 0;
	int64_t ms = (next - loop->now + CLOCK_MS - 1) / CLOCK_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void run_first(struct task **first, struct task ***end)
{
	struct task *task = *first;
	*first = task->next;
	if (!*first)
		*end = first;
	task->set = false;
	task->run(task->owner);
}

void loop_run_all_tasks(struct loop *loop)
{
	for (int i = 0; loop->tasks && i < TASKS_AT_ONCE; i++)
		run_first(&loop->tasks, &loop->tasks_end);
}

/* What these set runs too. */
static void run_late(struct loop *loop)
{
	for (int i = 0; loop->late && i < TASKS_AT_ONCE; i++) {
		run_first(&loop->late, &loop->late_end);
		loop_run_tasks(loop);
	}
}

static void call_again(struct loop *loop)
{
	struct list these, *link;
	if (list_empty(&loop->again))
		return;
	these = loop->again;
	these.next->previous = these.previous->next = &these;
	list_init(&loop->again);
	while ((link = list_first(&these))) {
		struct source *source = LIST_OF(link, struct source, link);
		list_remove(link);
		source->ready(source, 0);
		loop_run_tasks(loop);
	}
}

static void take_events(struct loop *loop, int count)
{
	for (int i = 0; i < count; i++) {
		struct source *source = loop->events[i].data.ptr;
		if (i + 1 < count)
			__builtin_prefetch(loop->events[i + 1].data.ptr);
		if (source->fd < 0)
			continue;
		source->ready(source, loop->events[i].events);
		loop_run_tasks(loop);
		if (i % LATE_BEHIND == LATE_BEHIND - 1)
			run_late(loop);
	}
}

static void fire_timers(struct loop *loop)
{
	uint32_t most = loop->timers.count;
	if (timers_next(&loop->timers) < loop->now - late_timer) {
		take_events(loop, epoll_wait(loop->epoll, loop->events, LOOP_EVENTS, 0));
		run_late(loop);
	}
	while (most-- && timers_next(&loop->timers) <= loop->now) {
		struct timer *timer = timers_expired(&loop->timers, loop->now);
		if (!timer)
			return;
		timer->fired(timer->owner);
		loop_run_tasks(loop);
	}
}

static void turn(struct loop *loop)
{
	int count = epoll_wait(loop->epoll, loop->events, LOOP_EVENTS, sleep_time(loop));
	read_clocks(loop);
	loop_run_tasks(loop);
	take_events(loop, count);
	call_again(loop);
	run_late(loop);
	fire_timers(loop);
	run_late(loop);
	if (!list_empty(&loop->buried))
		free_buried(loop);
}

void loop_run(struct loop *loop)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	while (!atomic_load_explicit(&loop->stopped, memory_order_acquire))
		turn(loop);
	atomic_store(&loop->stopped, false);
}

void loop_stop(struct loop *loop)
{
	atomic_store_explicit(&loop->stopped, true, memory_order_release);
	loop_wake(loop);
}

void loop_wake(struct loop *loop)
{
	uint64_t one = 1;
	if (!atomic_exchange(&loop->woken, true))
		while (write(loop->wake.fd, &one, sizeof one) < 0 && errno == EINTR)
			;
}

int loop_register(struct loop *loop, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };
	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) ? kernel_error(errno) : 0;
}

void loop_change(struct loop *loop, struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };
	CHECK(epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event) == 0);
}

void loop_unregister(struct loop *loop, struct source *source)
{
	CHECK(epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL) == 0);
}

void loop_again(struct loop *loop, struct source *source)
{
	list_remove(&source->link);
	list_append(&loop->again, &source->link);
}

void loop_starve(struct loop *loop, struct source *source)
{
	LOG(LOG_WARN, "io", "%s: all %u read buffers are in use: reading waits", loop->name, loop->buffers.max);
	list_remove(&source->link);
	list_append(&loop->starved, &source->link);
	if (!timer_is_set(&loop->starved_timer))
		timer_set(loop, &loop->starved_timer, clock_after(loop->now, starved_pause));
}

void loop_bury(struct loop *loop, struct source *source, void (*gone)(struct loop *loop, struct source *source))
{
	source->fd = -1;
	source->gone = gone;
	list_remove(&source->link);
	list_append(&loop->buried, &source->link);
}

int64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

int64_t loop_clock(struct loop *loop)
{
	(void)loop;
	return kernel_clock();
}

int64_t loop_wall(const struct loop *loop)
{
	return loop->now + loop->wall_offset;
}

struct random *loop_random(struct loop *loop)
{
	return &loop->random;
}

struct pool *loop_buffers(struct loop *loop)
{
	return &loop->buffers;
}

void timer_set(struct loop *loop, struct timer *timer, int64_t deadline)
{
	timers_set(&loop->timers, timer, deadline);
}

void timer_cancel(struct loop *loop, struct timer *timer)
{
	timers_cancel(&loop->timers, timer);
}

void task_init(struct task *task, void (*run)(void *owner), void *owner)
{
	*task = (struct task){ .run = run, .owner = owner };
}

static void append_task(struct task ***end, struct task *task, bool late)
{
	if (task->set)
		return;
	task->set = true;
	task->late = late;
	task->next = NULL;
	**end = task;
	*end = &task->next;
}

void task_set(struct loop *loop, struct task *task)
{
	append_task(&loop->tasks_end, task, false);
}

void task_set_late(struct loop *loop, struct task *task)
{
	append_task(&loop->late_end, task, true);
}

void task_cancel(struct loop *loop, struct task *task)
{
	if (!task->set)
		return;
	struct task **at = task->late ? &loop->late : &loop->tasks;
	struct task ***end = task->late ? &loop->late_end : &loop->tasks_end;
	while (*at != task) {
		CHECK(*at);
		at = &(*at)->next;
	}
	*at = task->next;
	if (*end == &task->next)
		*end = at;
	task->set = false;
}

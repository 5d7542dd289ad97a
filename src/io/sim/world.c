/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "io/sim/world.h"

/* The one world of the program: the calls of io/ are plain functions, as they are with a kernel behind them. */
static struct sim *world;

enum { LINE = 512 };

static const char *const event_names[EVENTS] = {
	"note",
	"turn",
	"timer",
	"connect",
	"connected",
	"accepted",
	"received",
	"ended",
	"drained",
	"failed",
	"closed",
	"datagram",
	"message",
	"file",
	"signal",
	"crash",
	"fault",
	"plan",
	"log",
	"print",
};

const struct sim_link SIM_LINK_CALM = {
	.latency_ns = 100 * CLOCK_US,
	.window_least = 65536,
	.window_most = 65536,
};

const struct sim_link SIM_LINK_ORDINARY = {
	.latency_ns = 50 * CLOCK_US,
	.jitter_ns = 400 * CLOCK_US,
	.bytes_per_second = 1000 * 1000 * 1000,
	.window_least = 2048,
	.window_most = 65536,
	.cut_chance = 200000,
	.stall_chance = 50000,
};

struct plan {
	struct list link;
	struct sim *sim;
	struct timer timer;
	void (*happen)(void *owner);
	void *owner;
};

/* --- the event log --- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

uint64_t world_hash_bytes(const char *bytes, size_t length)
{
	return slice_hash(slice_make(bytes, length), 0);
}

static void trace_line(struct sim *sim, enum event event, const char *text)
{
	char line[LINE];
	snprintf(line, sizeof(line), "%5" PRId64 ".%06" PRId64 " %-9s %s", sim->now / CLOCK_SECOND, sim->now % CLOCK_SECOND / CLOCK_US,
		event_names[event], text);
	sim->options.trace(sim->options.trace_owner, line);
}

static void log_event(struct sim *sim, enum event event, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t hash = mix(sim->hash, (uint64_t)sim->now);
	hash = mix(hash, event);
	hash = mix(hash, a);
	hash = mix(hash, b);
	sim->hash = mix(hash, c);
}

void world_event(struct sim *sim, enum event event, uint64_t a, uint64_t b, uint64_t c)
{
	log_event(sim, event, a, b, c);
	if (sim->options.trace) {
		char text[80];
		snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIx64, a, b, c);
		trace_line(sim, event, text);
	}
}

void world_say(struct sim *sim, enum event event, const char *text, size_t length)
{
	log_event(sim, event, length, world_hash_bytes(text, length), 0);
	if (sim->options.trace) {
		char copy[LINE - 32];
		while (length && text[length - 1] == '\n')
			length--;
		snprintf(copy, sizeof(copy), "%.*s", (int)length, text);
		trace_line(sim, event, copy);
	}
}

void sim_note(struct sim *sim, const char *format, ...)
{
	char text[LINE];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	CHECK(length >= 0);
	world_say(sim, EVENT_NOTE, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

uint64_t sim_hash(const struct sim *sim)
{
	return sim->hash;
}

static void write_log(const char *line, size_t length)
{
	if (!world)
		return;
	world->totals.log_lines++;
	/* A broken invariant is the last line there is: it must be seen whether or not the event log is. */
	if (slice_starts(slice_make(line, length), SLICE("ERROR check:")))
		fwrite(line, 1, length, stderr);
	world_say(world, EVENT_LOG, line, length);
}

/* --- draws --- */

bool world_chance(struct sim *sim, uint32_t per_million)
{
	return per_million && random_below(&sim->random, 1000000) < per_million;
}

int64_t world_draw(struct sim *sim, int64_t most)
{
	return most <= 0 ? 0 : (int64_t)(random_u64(&sim->random) % ((uint64_t)most + 1));
}

bool world_fails(struct sim *sim, enum sim_call call)
{
	sim->calls[call]++;
	if (sim->fail_at[call] != sim->calls[call])
		return false;
	sim->fail_at[call] = 0;
	world_event(sim, EVENT_FAULT, (uint64_t)call, sim->calls[call], 0);
	return true;
}

void sim_mend(struct sim *sim)
{
	sim->mended = sim->connection_count;
}

void sim_fail_nth(struct sim *sim, enum sim_call call, uint64_t nth)
{
	sim->fail_at[call] = nth ? sim->calls[call] + nth : 0;
}

uint64_t sim_calls(const struct sim *sim, enum sim_call call)
{
	return sim->calls[call];
}

struct random *sim_random(struct sim *sim)
{
	return &sim->harness;
}

/* --- beginning and end --- */

static void fill_options(struct sim_options *options)
{
	if (options->link.latency_ns == 0 && options->link.window_most == 0)
		options->link = SIM_LINK_ORDINARY;
	if (options->turn_ns == 0)
		options->turn_ns = 20 * CLOCK_US;
	if (options->post_ns == 0)
		options->post_ns = 200 * CLOCK_US;
	if (options->wall_ns == 0)
		options->wall_ns = INT64_C(1767225600) * CLOCK_SECOND;
	if (options->cores == 0)
		options->cores = 2;
}

struct sim *sim_new(uint64_t seed, const struct sim_options *options)
{
	CHECK(world == NULL);
	struct sim *sim = memory_new(sizeof(*sim));
	sim->magic = WORLD_MAGIC;
	sim->seed = seed;
	if (options)
		sim->options = *options;
	fill_options(&sim->options);
	random_init(&sim->random, seed);
	random_init(&sim->harness, seed ^ UINT64_C(0x6861726e657373));
	/* Not 0: an instant of 0 in the product then shows as the mistake that it is. */
	sim->now = 1000 * CLOCK_SECOND + world_draw(sim, CLOCK_SECOND);
	timers_init(&sim->events);
	list_init(&sim->hosts);
	list_init(&sim->loops);
	list_init(&sim->plans);
	list_init(&sim->packets);
	sim->hash = mix(0, seed);
	world = sim;
	log_set(LOG_INFO, write_log);
	return sim;
}

static void host_free(struct network *host)
{
	LIST_EACH_SAFE(&host->processes, link, after)
		process_free(LIST_OF(link, struct sim_process, link));
	CHECK(list_empty(&host->sets));
	CHECK(list_empty(&host->datagrams));
	services_free(host);
	files_free(host);
	for (uint32_t i = 0; i < host->link_count; i++)
		memory_free(host->links[i]);
	memory_free(host->links);
	list_remove(&host->link);
	memory_free(host);
}

static void plan_free(struct plan *plan)
{
	timers_cancel(&plan->sim->events, &plan->timer);
	list_remove(&plan->link);
	memory_free(plan);
}

void sim_free(struct sim *sim)
{
	CHECK_MAGIC(sim, WORLD_MAGIC);
	LIST_EACH_SAFE(&sim->plans, link, after)
		plan_free(LIST_OF(link, struct plan, link));
	packets_free(sim);
	LIST_EACH_SAFE(&sim->hosts, link, after)
		host_free(LIST_OF(link, struct network, link));
	CHECK(list_empty(&sim->loops));
	CHECK(timers_next(&sim->events) == CLOCK_NEVER);
	timers_fini(&sim->events);
	world = NULL;
	memory_free(sim);
}

struct sim *world_current(void)
{
	/* With io/sim, sim_new comes first. */
	CHECK(world != NULL);
	return world;
}

/* --- time --- */

int64_t sim_now(const struct sim *sim)
{
	return sim->now;
}

uint64_t sim_turns(const struct sim *sim)
{
	return sim->turns;
}

void sim_totals(const struct sim *sim, struct sim_totals *totals)
{
	*totals = sim->totals;
}

static void plan_due(void *owner)
{
	struct plan *plan = owner;
	void (*happen)(void *owner) = plan->happen;
	void *its_owner = plan->owner;
	struct sim *sim = plan->sim;
	plan_free(plan);
	world_event(sim, EVENT_PLAN, 0, 0, 0);
	sim->current = NULL;
	happen(its_owner);
}

void sim_at(struct sim *sim, int64_t instant, void (*happen)(void *owner), void *owner)
{
	struct plan *plan = memory_new(sizeof(*plan));
	*plan = (struct plan){ .sim = sim, .happen = happen, .owner = owner };
	list_append(&sim->plans, &plan->link);
	timer_init(&plan->timer, plan_due, plan);
	timers_set(&sim->events, &plan->timer, instant < sim->now ? sim->now : instant);
}

/* --- the scheduler --- */

/* One of the loops that can run now, drawn; NULL when there is none: then *next is when something happens. */
static struct loop *draw_runnable(struct sim *sim, int64_t *next)
{
	struct loop *chosen = NULL;
	uint32_t found = 0;
	*next = timers_next(&sim->events);
	LIST_EACH(&sim->loops, link) {
		struct loop *loop = LIST_OF(link, struct loop, link);
		int64_t then = loop_next(loop);
		if (then < *next)
			*next = then;
		if (then > sim->now)
			continue;
		found++;
		if (found == 1 || random_below(&sim->random, found) == 0)
			chosen = loop;
	}
	return chosen;
}

static void set_time(struct sim *sim, int64_t now)
{
	CHECK(now >= sim->now);
	sim->now = now;
}

/* One turn of one loop, or one step of time. False: nothing happens before `until`, which it is now (or nothing at all). */
static bool world_step(struct sim *sim, int64_t until)
{
	struct timer *due;
	int64_t next;
	while ((due = timers_expired(&sim->events, sim->now)) != NULL)
		due->fired(due->owner);
	struct loop *loop = draw_runnable(sim, &next);
	if (loop) {
		struct sim_process *before = sim->current;
		sim->turns++;
		loop_turn(loop);
		sim->current = before;
		return true;
	}
	if (next > until || next == CLOCK_NEVER) {
		if (until != CLOCK_NEVER)
			set_time(sim, until);
		return false;
	}
	set_time(sim, next);
	return true;
}

bool world_run(struct sim *sim, bool (*waiting)(void *owner), void *owner, int64_t until)
{
	CHECK_MAGIC(sim, WORLD_MAGIC);
	CHECK(sim->turning == NULL); /* not from inside a callback */
	while (!waiting || waiting(owner)) {
		if (!world_step(sim, until))
			return waiting && !waiting(owner);
	}
	return true;
}

void sim_run_until(struct sim *sim, int64_t instant)
{
	CHECK(instant >= sim->now && instant != CLOCK_NEVER);
	(void)world_run(sim, NULL, NULL, instant);
}

void sim_run_for(struct sim *sim, int64_t ns)
{
	sim_run_until(sim, sim->now + ns);
}

bool sim_run_while(struct sim *sim, bool (*waiting)(void *owner), void *owner, int64_t ns)
{
	return world_run(sim, waiting, owner, clock_after(sim->now, ns));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Time, timers, tasks, channels, files, datagrams, signals of the simulation, judged by what the headers of io/ promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/channel.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/process.h"
#include "io/sim/sim.h"
#include "io/thread.h"

/* What happened, as one text: the tests compare it whole. */
static struct text story;

static void tell(const char *what)
{
	text_format(&story, "%s ", what);
}

static void assert_story(const char *expected)
{
	assert_string_equal(story.bytes ? story.bytes : "", expected);
	text_clear(&story);
}

struct world {
	struct sim *sim;
	struct network *host;
	struct loop *loop;
};

static void world_new(struct world *world, uint64_t seed)
{
	world->sim = sim_new(seed, NULL);
	world->host = sim_host_new(world->sim, "10.0.0.1");
	assert_int_equal(0, loop_new(&(struct loop_options){ .name = "loop" }, &world->loop));
}

static void world_free(struct world *world)
{
	loop_free(world->loop);
	sim_free(world->sim);
	text_free(&story);
}

static void say(void *owner)
{
	tell(owner);
}

/* --- time, timers, tasks --- */

static void timers_fire_in_order_at_their_time(void **state)
{
	(void)state;
	struct world world;
	struct timer a, b, c;
	world_new(&world, 1);
	int64_t now = loop_now(world.loop);
	timer_init(&a, say, "a");
	timer_init(&b, say, "b");
	timer_init(&c, say, "c");
	timer_set(world.loop, &a, now + 3 * CLOCK_SECOND);
	timer_set(world.loop, &b, now + CLOCK_SECOND);
	timer_set(world.loop, &c, now + 2 * CLOCK_SECOND);
	timer_cancel(world.loop, &c);
	sim_run_for(world.sim, CLOCK_SECOND / 2);
	assert_story("");
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("b ");
	assert_false(timer_is_set(&b));
	sim_run_for(world.sim, CLOCK_MINUTE);
	assert_story("a ");
	assert_int_equal(loop_now(world.loop), now + CLOCK_MINUTE + CLOCK_SECOND * 3 / 2);
	world_free(&world);
}

struct chain {
	struct loop *loop;
	struct task first, second;
	unsigned left;
};

static void run_first(void *owner)
{
	struct chain *chain = owner;
	tell("first");
	task_set(chain->loop, &chain->second);
}

static void run_second(void *owner)
{
	(void)owner;
	tell("second");
}

static void timer_sets_task(void *owner)
{
	struct chain *chain = owner;
	tell("timer");
	task_set(chain->loop, &chain->first);
	task_set(chain->loop, &chain->first);
}

static void timer_sets_late_task(void *owner)
{
	struct chain *chain = owner;
	tell("timer");
	task_set_late(chain->loop, &chain->first);
	task_set(chain->loop, &chain->second);
}

/* Two timers of one turn, the first of which sets tasks; then tasks that are set outside, one of them cancelled. */
static void tell_story(void (*timer)(void *owner), void (*set)(struct loop *loop, struct task *task), const char *expected)
{
	struct world world;
	world_new(&world, 2);
	struct chain chain = { .loop = world.loop };
	struct timer one, two;
	task_init(&chain.first, run_first, &chain);
	task_init(&chain.second, run_second, &chain);
	timer_init(&one, timer, &chain);
	timer_init(&two, say, "other");
	timer_set(world.loop, &one, loop_now(world.loop) + 1);
	timer_set(world.loop, &two, loop_now(world.loop) + 1);
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story(expected);
	set(world.loop, &chain.first);
	set(world.loop, &chain.second);
	task_cancel(world.loop, &chain.first);
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("second ");
	world_free(&world);
}

static void tasks_run_behind_the_callback_that_set_them(void **state)
{
	(void)state;
	tell_story(timer_sets_task, task_set, "timer first second other ");
}

static void late_tasks_run_behind_all_callbacks(void **state)
{
	(void)state;
	tell_story(timer_sets_late_task, task_set_late, "timer second other first second ");
}

static void stop_loop(void *owner)
{
	loop_stop(owner);
}

static void loop_run_ends_when_stopped(void **state)
{
	(void)state;
	struct world world;
	struct timer timer;
	world_new(&world, 3);
	timer_init(&timer, stop_loop, world.loop);
	int64_t then = loop_now(world.loop) + CLOCK_SECOND;
	timer_set(world.loop, &timer, then);
	loop_run(world.loop);
	assert_true(loop_now(world.loop) >= then);
	world_free(&world);
}

static void a_stalled_process_runs_later(void **state)
{
	(void)state;
	struct world world;
	struct timer timer;
	world_new(&world, 4);
	timer_init(&timer, say, "fired");
	timer_set(world.loop, &timer, loop_now(world.loop) + CLOCK_MS);
	sim_process_stall(sim_process_current(world.sim), CLOCK_SECOND);
	sim_run_for(world.sim, CLOCK_SECOND / 2);
	assert_story("");
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("fired ");
	world_free(&world);
}

static void plans_happen_at_their_time(void **state)
{
	(void)state;
	struct world world;
	world_new(&world, 5);
	sim_at(world.sim, sim_now(world.sim) + 2 * CLOCK_SECOND, say, "two");
	sim_at(world.sim, sim_now(world.sim) + CLOCK_SECOND, say, "one");
	sim_at(world.sim, sim_now(world.sim) + CLOCK_MINUTE, say, "never");
	sim_run_for(world.sim, 10 * CLOCK_SECOND);
	assert_story("one two ");
	world_free(&world);
}

static bool always(void *owner)
{
	(void)owner;
	return true;
}

static void waiting_in_vain_ends(void **state)
{
	(void)state;
	struct world world;
	world_new(&world, 6);
	int64_t began = sim_now(world.sim);
	assert_false(sim_run_while(world.sim, always, NULL, CLOCK_SECOND));
	assert_int_equal(sim_now(world.sim), began + CLOCK_SECOND);
	world_free(&world);
}

/* --- channels --- */

static void delivered(const struct message *message)
{
	text_format(&story, "%d ", (int)message->n);
}

static void messages_keep_their_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 10; seed++) {
		struct world world;
		struct channel *channel;
		world_new(&world, seed);
		assert_int_equal(0, channel_new(world.loop, 4, &channel));
		for (unsigned i = 1; i <= 4; i++)
			assert_int_equal(0, channel_post(channel, (struct message){ .deliver = delivered, .n = i }));
		assert_int_equal(ERROR_LIMIT, channel_post(channel, (struct message){ .deliver = delivered, .n = 5 }));
		assert_int_equal(channel_refused(channel), 1);
		assert_story("");
		sim_run_for(world.sim, CLOCK_SECOND);
		assert_story("1 2 3 4 ");
		assert_int_equal(0, channel_post(channel, (struct message){ .deliver = delivered, .n = 6 }));
		channel_free(channel);
		assert_story("6 ");
		world_free(&world);
	}
}

/* --- files --- */

static void changed(void *owner, struct slice name)
{
	(void)owner;
	text_format(&story, "[%.*s] ", SLICE_ARGS(name));
}

static void files_are_read_and_watched(void **state)
{
	(void)state;
	struct world world;
	struct watch *watch;
	struct slice bytes;
	world_new(&world, 7);
	assert_int_equal(ERROR_NOT_FOUND, file_read("disco/hello", 100, &bytes));
	assert_int_equal(0, watch_new(world.loop, "./disco/", changed, NULL, &watch));
	sim_file_put(world.host, "disco/hello", SLICE("127.0.0.1 80\n"));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("[] [hello] ");
	assert_int_equal(0, file_read("./disco//hello", 100, &bytes));
	assert_true(slice_equal(bytes, SLICE("127.0.0.1 80\n")));
	assert_int_equal(bytes.at[bytes.length], '\0');
	memory_free((void *)(uintptr_t)bytes.at);
	assert_int_equal(ERROR_LIMIT, file_read("disco/hello", 5, &bytes));
	assert_int_equal(ERROR_INVALID, file_read("disco", 100, &bytes));
	sim_file_put(world.host, "disco/hello", SLICE("a"));
	sim_file_put(world.host, "disco/hello", SLICE("b"));
	sim_file_put(world.host, "disco/below/x", SLICE("a directory is made for it"));
	sim_file_put(world.host, "disco/below/y", SLICE("not here"));
	sim_file_put(world.host, "elsewhere/hello", SLICE("nor here"));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("[hello] [below] ");
	assert_int_equal(0, file_write("disco/hello", SLICE("by the product"), 0600));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("[hello] ");
	assert_true(slice_equal(sim_file(world.host, "disco/hello"), SLICE("by the product")));
	sim_file_remove(world.host, "disco/hello");
	sim_fail_nth(world.sim, SIM_CALL_FILE_READ, 1);
	assert_int_equal(ERROR_IO, file_read("disco/hello", 100, &bytes));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("[hello] ");
	watch_free(watch);
	sim_file_put(world.host, "disco/hello", SLICE("unseen"));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("");
	world_free(&world);
}

/* --- datagrams --- */

static void answer(void *owner, struct sim_service *service, const struct address *from, struct slice bytes)
{
	(void)owner;
	char reply[64];
	for (size_t i = 0; i < bytes.length; i++)
		reply[i] = bytes.at[bytes.length - 1 - i];
	sim_datagram_reply(service, from, slice_make(reply, bytes.length));
}

static void received(void *owner, const struct address *from, struct slice bytes, bool truncated)
{
	(void)owner;
	assert_int_equal(from->port, 53);
	assert_false(truncated);
	text_format(&story, "%.*s ", SLICE_ARGS(bytes));
}

static void failed(void *owner, int error)
{
	(void)owner;
	tell(error_text(error));
}

static void datagrams_are_answered_lost_and_repeated(void **state)
{
	(void)state;
	static const struct datagram_events events = { .received = received, .failed = failed };
	struct world world;
	struct datagram *datagram;
	world_new(&world, 8);
	struct network *server = sim_host_new(world.sim, "10.0.0.53");
	sim_datagram_serve(server, 53, answer, NULL);
	struct address peer = *sim_host_address(server);
	peer.port = 53;
	assert_int_equal(0, datagram_open(world.host, world.loop, &peer, &events, NULL, &datagram));
	assert_int_equal(0, datagram_send(datagram, SLICE("abc")));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("cba ");
	sim_link(world.host, server)->repeat_chance = 1000000;
	assert_int_equal(0, datagram_send(datagram, SLICE("xy")));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("yx yx ");
	sim_link(world.host, server)->lose_chance = 1000000;
	assert_int_equal(0, datagram_send(datagram, SLICE("lost")));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("");
	datagram_close(datagram);
	sim_link(world.host, server)->lose_chance = 0;
	peer.port = 54;
	assert_int_equal(0, datagram_open(world.host, world.loop, &peer, &events, NULL, &datagram));
	assert_int_equal(0, datagram_send(datagram, SLICE("nobody there")));
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_true(slice_starts(text_slice(&story), slice_of(error_text(ERROR_REFUSED))));
	datagram_close(datagram);
	world_free(&world);
}

/* --- the process --- */

static void signalled(void *owner, enum process_signal which)
{
	(void)owner;
	tell(which == PROCESS_RELOAD ? "reload" : "terminate");
}

static void signals_reach_their_process(void **state)
{
	(void)state;
	struct world world;
	struct signals *signals;
	world_new(&world, 9);
	assert_int_equal(0, signals_new(world.loop, signalled, NULL, &signals));
	struct sim_process *process = sim_process_current(world.sim);
	sim_process_signal(process, PROCESS_RELOAD);
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("reload ");
	sim_process_signal(process, PROCESS_TERMINATE);
	sim_run_for(world.sim, CLOCK_SECOND);
	assert_story("terminate ");
	signals_free(signals);
	world_free(&world);
}

static void what_is_open_is_counted(void **state)
{
	(void)state;
	struct world world;
	struct timer timer;
	struct channel *channel;
	struct sim_open open;
	world_new(&world, 10);
	struct sim_process *process = sim_process_current(world.sim);
	timer_init(&timer, say, "x");
	timer_set(world.loop, &timer, CLOCK_NEVER - 1);
	assert_int_equal(0, channel_new(world.loop, 1, &channel));
	struct lock *lock = lock_new();
	lock_take(lock);
	lock_release(lock);
	sim_process_open(process, &open);
	assert_int_equal(open.loops, 1);
	assert_int_equal(open.timers, 1);
	assert_int_equal(open.channels, 1);
	assert_int_equal(open.locks, 1);
	assert_int_equal(open.streams, 0);
	lock_free(lock);
	channel_free(channel);
	timer_cancel(world.loop, &timer);
	sim_process_environment(process, "http_proxy", "10.0.0.1:4140");
	assert_string_equal(process_environment("http_proxy"), "10.0.0.1:4140");
	sim_process_environment(process, "http_proxy", NULL);
	assert_null(process_environment("http_proxy"));
	world_free(&world);
}

static void log_lines_and_notes_are_in_the_hash(void **state)
{
	(void)state;
	uint64_t hashes[3];
	for (int i = 0; i < 3; i++) {
		struct world world;
		struct sim_totals totals;
		world_new(&world, 11);
		LOG(LOG_WARN, "test", "the same line");
		sim_note(world.sim, "note %d", i / 2);
		sim_totals(world.sim, &totals);
		assert_int_equal(totals.log_lines, 1);
		hashes[i] = sim_hash(world.sim);
		world_free(&world);
	}
	assert_int_equal(hashes[0], hashes[1]);
	assert_int_not_equal(hashes[1], hashes[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_at_their_time),
		cmocka_unit_test(tasks_run_behind_the_callback_that_set_them),
		cmocka_unit_test(late_tasks_run_behind_all_callbacks),
		cmocka_unit_test(loop_run_ends_when_stopped),
		cmocka_unit_test(a_stalled_process_runs_later),
		cmocka_unit_test(plans_happen_at_their_time),
		cmocka_unit_test(waiting_in_vain_ends),
		cmocka_unit_test(messages_keep_their_order),
		cmocka_unit_test(files_are_read_and_watched),
		cmocka_unit_test(datagrams_are_answered_lost_and_repeated),
		cmocka_unit_test(signals_reach_their_process),
		cmocka_unit_test(what_is_open_is_counted),
		cmocka_unit_test(log_lines_and_notes_are_in_the_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A caller that leaves, an origin that dies, memory that runs out: at every possible step of a scene, over every codec.
 *
 * The scene is run once to count its steps (turns of any loop, so each delivery, timer and message is one), then once for each of
 * them (over a filter, where bytes come by the handful, for some hundred of them). Whatever happens: every call ends, the proxy
 * goes on serving, drains in time, its numbers add up, and all is given back. */
#include "calls.h"

enum { UPLOAD = 40 * 1000, CALLS = 4, STEPS_MOST = 120 };

/* A scene: calls that use all that there is to use, over two connections. */
struct scene {
	struct chain *chain;
	struct caller *callers[2];
	struct call *calls[CALLS];
	uint64_t began; /* sim_turns */
};

/* Answers early, with informational heads, body and trailers. */
static void answer_richly(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		call_send_informational(call, "HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n");
	echo(call, event);
}

static void upload_with_trailers(struct call *call, enum call_event event)
{
	if (event == CALL_WRITABLE && call->sent < call->to_send) {
		while (call->sent < call->to_send && call_send_pattern(call, 5000, false))
			;
		if (call->sent == call->to_send)
			call_send_trailers(call, "X-Sum", "42");
	}
	call_release_when_over(call, event);
}

static struct chain_options options_of(const struct chain_options *options)
{
	struct chain_options mine = *options;

	mine.workers = 1;
	mine.origins = 2;
	mine.serve = answer_richly;
	mine.late_ns = 5 * CLOCK_MS;
	mine.policy = "  service:\n    responseClassifier:\n      kind: io.l5d.http.retryableRead5XX\n"
		      "  client:\n    failureAccrual:\n      kind: none\n    hostConnectionPool:\n      maxSize: 1\n";
	return mine;
}

/* One that uploads, one whose name is being bound for a while, one that may be retried, and a short one with a body. */
static void begin_scene(struct scene *scene, const struct chain_options *options)
{
	struct chain_options mine = options_of(options);
	struct caller *caller;

	*scene = (struct scene){ .chain = chain_new(&mine) };
	scene->began = sim_turns(scene->chain->sim);
	caller = scene->callers[0] = chain_connect(scene->chain);
	scene->calls[0] = begin(scene->chain, &caller, POST_CHUNKED, false, upload_with_trailers);
	scene->calls[0]->to_send = UPLOAD;
	upload_with_trailers(scene->calls[0], CALL_WRITABLE);
	scene->calls[1] = begin(scene->chain, &caller, "GET / HTTP/1.1\r\nHost: late.name\r\n\r\n", true, call_release_when_over);
	caller = scene->callers[1] = options->codec->calls_share ? chain_connect(scene->chain) : caller;
	scene->calls[2] = begin(scene->chain, &caller, GET, true, call_release_when_over);
	scene->calls[3] = begin(scene->chain, &caller, POST_FIVE, false, call_release_when_over);
	call_send_pattern(scene->calls[3], 5, true);
}

struct until {
	struct sim *sim;
	uint64_t turns;
};

static bool before(void *owner)
{
	const struct until *until = owner;

	return sim_turns(until->sim) < until->turns;
}

static void run_steps(struct scene *scene, uint64_t steps)
{
	struct until until = { scene->chain->sim, scene->began + steps };

	if (before(&until))
		(void)sim_run_while(scene->chain->sim, before, &until, CLOCK_MINUTE);
}

static uint64_t count_steps(const struct chain_options *options)
{
	struct scene scene;
	uint64_t steps;

	begin_scene(&scene, options);
	assert_true(chain_run_until_all_over(scene.chain));
	steps = sim_turns(scene.chain->sim) - scene.began;
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(200, scene.calls[i]->status);
	assert_true(call_is_pattern(scene.calls[0]));
	assert_int_equal(UPLOAD, scene.calls[0]->body_length);
	chain_free(scene.chain);
	return steps;
}

/* The proxy is as good as new. */
static void expect_service(struct scene *scene)
{
	struct caller *caller = NULL;
	struct call *call;

	serve(scene->chain, answer_hello);
	call = begin(scene->chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(scene->chain, call));
	check_hello(call);
}

/* All others end; those that were answered in full were answered rightly. */
static void end_scene(struct scene *scene)
{
	assert_true(chain_run_until_all_over(scene->chain));
	if (scene->calls[0]->ended && scene->calls[0]->status == 200) {
		assert_int_equal(UPLOAD, scene->calls[0]->body_length);
		assert_true(call_is_pattern(scene->calls[0]));
	}
	if (!scene->chain->draining && !(scene->chain->origins[0]->crashed && scene->chain->origins[1]->crashed))
		expect_service(scene);
	chain_free(scene->chain);
}

typedef void happen(struct scene *scene);

static void at_every_step(const struct chain_options *options, happen *what)
{
	uint64_t steps = count_steps(options), stride = 1 + steps / STEPS_MOST;

	assert_true(steps > 50);
	for (uint64_t n = 0; n <= steps; n += stride) {
		struct scene scene;

		begin_scene(&scene, options);
		run_steps(&scene, n);
		what(&scene);
		end_scene(&scene);
	}
}

static void leave(struct scene *scene, bool close, unsigned which)
{
	struct call *call = scene->calls[which];

	if (close)
		caller_close(call->owner);
	call_release(call, RESET_CANCEL);
}

static void first_closes(struct scene *scene)
{
	leave(scene, true, 0);
}

static void first_resets(struct scene *scene)
{
	leave(scene, false, 0);
}

static void late_one_resets(struct scene *scene)
{
	leave(scene, false, 1);
}

static void all_leave(struct scene *scene)
{
	for (unsigned i = 0; i < CALLS; i++)
		call_release(scene->calls[i], RESET_CANCEL);
}

static void origin_dies(struct scene *scene)
{
	origin_crash(scene->chain->origins[1]);
}

static void both_origins_die(struct scene *scene)
{
	origin_crash(scene->chain->origins[0]);
	origin_crash(scene->chain->origins[1]);
}

static void both_origins_drain(struct scene *scene)
{
	for (unsigned i = 0; i < 2; i++)
		LIST_EACH(&scene->chain->origins[i]->sessions, link)
			session_drain(LIST_OF(link, struct session, link));
}

static void proxy_drains(struct scene *scene)
{
	chain_drain(scene->chain);
}

static void callers_that_close(struct chain_options options)
{
	at_every_step(&options, first_closes);
}

static void callers_that_reset(struct chain_options options)
{
	at_every_step(&options, first_resets);
}

static void callers_that_reset_what_may_be_parked(struct chain_options options)
{
	at_every_step(&options, late_one_resets);
}

static void callers_that_all_leave(struct chain_options options)
{
	at_every_step(&options, all_leave);
}

static void an_origin_that_dies(struct chain_options options)
{
	at_every_step(&options, origin_dies);
}

static void origins_that_die(struct chain_options options)
{
	at_every_step(&options, both_origins_die);
}

static void origins_that_drain(struct chain_options options)
{
	at_every_step(&options, both_origins_drain);
}

static void a_proxy_that_drains(struct chain_options options)
{
	at_every_step(&options, proxy_drains);
}

/* The nth allocation that may fail does, on the worker. */
static void memory_that_runs_out(struct chain_options options)
{
	for (uint64_t n = 1;; n++) {
		struct scene scene;
		uint64_t left;

		begin_scene(&scene, &options);
		sim_fail_memory(scene.chain->workers[0], n);
		assert_true(chain_run_until_all_over(scene.chain));
		left = sim_fail_memory(scene.chain->workers[0], 0);
		end_scene(&scene);
		if (left > 0)
			return;
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVERY_CODEC(callers_that_close),
		EVERY_CODEC(callers_that_reset),
		EVERY_CODEC(callers_that_reset_what_may_be_parked),
		EVERY_CODEC(callers_that_all_leave),
		EVERY_CODEC(an_origin_that_dies),
		EVERY_CODEC(origins_that_die),
		EVERY_CODEC(origins_that_drain),
		EVERY_CODEC(a_proxy_that_drains),
		EVERY_CODEC(memory_that_runs_out),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What requests through the proxy have in common: budgets, names that are being bound, and connections. See test_path.c. */
#include "calls.h"

#define GET_LATE "GET / HTTP/1.1\r\nHost: late.name\r\n\r\n"
#define UNAVAILABLE "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

#define RETRYABLE "  service:\n    responseClassifier:\n      kind: io.l5d.http.retryableRead5XX\n"
#define CONNECTIONS "  client:\n    failureAccrual:\n      kind: none\n    hostConnectionPool:\n"

/* --- trying again --- */

static void answer_503(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, UNAVAILABLE, true);
	call_release(call, RESET_NONE);
}

static void answer_503_twice(struct call *call, enum call_event event)
{
	struct origin *origin = call->owner;

	if (chain_opened(origin->chain) > 2)
		answer_hello(call, event);
	else
		answer_503(call, event);
}

static void failures_are_retried(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.policy = RETRYABLE;
	options.origins = 3;
	options.serve = answer_503_twice;
	chain = chain_new(&options);
	call = begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, call));
	check_hello(call);
	assert_int_equal(3, chain_opened(chain));
	assert_int_equal(2, (int)chain_metric(chain, SERVICE, "retries/total"));
	assert_int_equal(1, (int)chain_metric(chain, SERVICE, "success"));
	chain_free(chain);
}

static void the_budget_ends(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.policy =
		RETRYABLE "    retries:\n      budget:\n        minRetriesPerSec: 1\n        percentCanRetry: 0\n        ttlSecs: 5\n";
	options.serve = answer_503;
	chain = chain_new(&options);
	call = begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, call));
	assert_int_equal(503, call->status);
	assert_int_equal(6, chain_opened(chain));
	assert_int_equal(5, (int)chain_metric(chain, SERVICE, "retries/total"));
	assert_int_equal(1, (int)chain_metric(chain, SERVICE, "retries/budget_exhausted"));
	chain_free(chain);
}

/* With nobody there and no time between attempts, one call takes its part of the reserve and leaves the rest to others. */
static void one_call_does_not_take_the_whole_budget(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;

	options.policy = RETRYABLE "  client:\n    failureAccrual:\n      kind: none\n";
	options.origins = 2;
	options.serve = answer_503;
	chain = chain_new(&options);
	for (unsigned i = 1; i <= 3; i++) {
		struct call *call = begin(chain, &caller, GET, true, call_release_when_over);

		assert_true(chain_run_until_over(chain, call));
		assert_int_equal(503, call->status);
		assert_int_equal(26 * i, chain_opened(chain));
		assert_int_equal(25 * i, (int)chain_metric(chain, SERVICE, "retries/total"));
		assert_int_equal(i, (int)chain_metric(chain, SERVICE, "retries/request_limit"));
	}
	assert_int_equal(0, (int)chain_metric(chain, SERVICE, "retries/budget_exhausted"));
	chain_free(chain);
}

/* Each origin in turn, but the one that is asked first. */
static void refuse_first(struct call *call, enum call_event event)
{
	struct origin *origin = call->owner;

	if (chain_opened(origin->chain) == origin->chain->options.origins) {
		echo(call, event);
	} else if (call_event_ends(event)) {
		call_release(call, RESET_REFUSED);
	}
}

/* Nothing was done with it, so it goes elsewhere, body and trailers and all, whatever the method. */
static void what_is_refused_goes_elsewhere(struct chain_options options)
{
	if (!options.codec->origins_share)
		return; /* HTTP/1 can't say it */
	for (unsigned used = 0; used < 2; used++) {
		struct chain *chain;
		struct caller *caller = NULL;
		struct call *call;

		options.origins = 2;
		chain = chain_new(&options);
		if (used) { /* connections that have carried exchanges before */
			for (unsigned i = 0; i < 20; i++)
				expect_hello(chain, caller);
			assert_true(chain_connections(chain) >= 2);
		}
		serve(chain, refuse_first);
		for (unsigned i = 0; i < 2; i++)
			chain->origins[i]->opened = 0;
		call = begin(chain, &caller, POST_FIVE, false, call_release_when_over);
		call_send_pattern(call, 5, false);
		call_send_trailers(call, "X-Sum", "42");
		assert_true(chain_run_until_over(chain, call));
		assert_int_equal(200, call->status);
		assert_int_equal(5, call->body_length);
		assert_true(call_is_pattern(call));
		if (options.codec->calls_share) /* HTTP/1 has none behind a body of known length */
			assert_true(slice_equal(SLICE("x-echo: done\r\n"), text_slice(&call->trailers))); /* as they came */
		assert_int_equal(2, chain_opened(chain));
		assert_int_equal(1, (int)chain_metric(chain, CLIENT, "retries/requeues"));
		chain_free(chain);
	}
}

/* An endpoint that refuses connections has seen nothing, so what is on its way there goes elsewhere, though nobody knows how much
 * of it is still to come. */
static void bodies_without_a_length_go_elsewhere(struct chain_options options)
{
	static const size_t lengths[] = { 5, 20000 };
	struct chain *chain;
	struct caller *caller = NULL;

	options.origins = 2;
	options.policy = "  client:\n    failureAccrual:\n      kind: none\n";
	options.serve = echo;
	chain = chain_new(&options);
	sim_link(chain->proxy_host, chain->origins[0]->host)->refuse_chance = 1000000;
	for (unsigned i = 0; i < 20; i++) {
		struct call *call = begin(chain, &caller, POST_CHUNKED, false, call_release_when_over);
		size_t length = lengths[i % 2];

		call_send_pattern(call, length, false);
		sim_run_for(chain->sim, i % 3 * 20 * CLOCK_MS);
		call_send_pattern(call, 3, false);
		call_send_trailers(call, "X-Sum", "42");
		assert_true(chain_run_until_over(chain, call));
		assert_int_equal(200, call->status);
		assert_int_equal(length + 3, call->body_length);
		assert_true(call_is_pattern(call));
		assert_true(slice_equal(SLICE("x-echo: done\r\n"), text_slice(&call->trailers)));
	}
	assert_int_equal(20, chain_opened(chain));
	assert_true(chain_metric(chain, CLIENT, "retries/requeues") > 0);
	chain_free(chain);
}

/* --- names --- */

/* One name is being bound for two seconds: only who asks for it waits. */
static void a_late_binding_parks_its_own_request_only(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL, *late_caller = NULL;
	struct call *late, *call;
	int64_t began;

	options.late_ns = 2 * CLOCK_SECOND;
	options.serve = answer_hello;
	chain = chain_new(&options);
	began = sim_now(chain->sim);
	late = begin(chain, &late_caller, GET_LATE, true, call_release_when_over);
	caller = late_caller; /* the others share its connection, if the codec can do that */
	for (unsigned i = 0; i < 10; i++) {
		call = begin(chain, &caller, GET, true, call_release_when_over);
		assert_true(chain_run_until_over(chain, call));
		check_hello(call);
	}
	assert_int_equal(0, late->status);
	assert_true(sim_now(chain->sim) - began < 2 * CLOCK_SECOND);
	assert_true(chain_run_until_over(chain, late));
	check_hello(late);
	assert_true(sim_now(chain->sim) - began >= 2 * CLOCK_SECOND);
	expect_hello(chain, late_caller);
	chain_free(chain);
}

static void a_binding_that_takes_too_long(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL, *late_caller = NULL;
	struct call *late, *call;

	options.late_ns = 2 * CLOCK_SECOND;
	options.policy = "  bindingTimeoutMs: 500\n";
	options.serve = answer_hello;
	chain = chain_new(&options);
	late = begin(chain, &late_caller, GET_LATE, true, call_release_when_over);
	caller = late_caller;
	call = begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, call));
	check_hello(call);
	assert_true(chain_run_until_over(chain, late));
	assert_int_equal(503, late->status);
	assert_int_equal(1, chain_opened(chain));
	sim_run_for(chain->sim, 3 * CLOCK_SECOND);
	late = begin(chain, &late_caller, GET_LATE, true, call_release_when_over); /* by now it is known */
	assert_true(chain_run_until_over(chain, late));
	check_hello(late);
	chain_free(chain);
}

/* --- connections --- */

/* One connection for everybody, and more calls at once than it carries: the others wait, and all have their turn. */
static void many_calls_wait_for_one_connection(struct chain_options options)
{
	enum { CALLS = 200 };
	struct chain *chain;
	struct caller *caller = NULL;

	options.policy = CONNECTIONS "      maxSize: 1\n";
	options.serve = answer_hello;
	chain = chain_new(&options);
	for (unsigned i = 0; i < CALLS; i++)
		(void)begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until_all_over(chain));
	for (const struct call *call = chain->calls; call; call = call->next)
		check_hello(call);
	assert_int_equal(CALLS, chain_opened(chain));
	if (options.workers == 1)
		assert_int_equal(1, chain_connections(chain));
	chain_free(chain);
}

static void hold(struct call *call, enum call_event event)
{
	(void)call;
	(void)event;
}

static uint64_t timers_of(struct chain *chain)
{
	struct sim_totals totals;

	sim_totals(chain->sim, &totals);
	return totals.timers;
}

/* Each caller's connection is some worker's. */
static void call_from_many(struct chain *chain, unsigned callers)
{
	for (unsigned i = 0; i < callers; i++)
		(void)caller_begin(chain_connect(chain), GET, true, call_release_when_over);
}

/* Nobody looks again and again while requests wait, nor while connections are idle; and when one becomes free, who waits has it at
 * once, whichever worker that is. */
static void waiting_and_idling_take_no_time(struct chain_options options)
{
	enum { CALLERS = 12 };
	struct chain *chain;
	uint64_t timers;
	int64_t began;

	options.workers = 2;
	options.policy = CONNECTIONS "      maxSize: 1\n";
	options.serve = hold;
	chain = chain_new(&options);
	call_from_many(chain, CALLERS);
	sim_run_for(chain->sim, CLOCK_SECOND);
	timers = timers_of(chain);
	sim_run_for(chain->sim, 5 * CLOCK_SECOND);
	assert_true(timers_of(chain) - timers < 50);
	serve(chain, answer_hello);
	for (struct call *call = chain->origins[0]->calls; call; call = call->next)
		answer_hello(call, CALL_END);
	began = sim_now(chain->sim);
	assert_true(chain_run_until_all_over(chain));
	assert_true(sim_now(chain->sim) - began < CLOCK_SECOND);
	for (const struct call *call = chain->calls; call; call = call->next)
		check_hello(call);
	sim_run_for(chain->sim, CLOCK_SECOND);
	timers = timers_of(chain);
	sim_run_for(chain->sim, 5 * CLOCK_SECOND);
	assert_true(timers_of(chain) - timers < 50);
	chain_free(chain);
}

/* The one connection is idle at one worker when a request comes to the other: it is asked for, and given. */
static void idle_connections_are_given_to_who_waits(struct chain_options options)
{
	struct chain *chain;
	struct caller *callers[8];
	int64_t began;

	options.workers = 2;
	options.calm = true;
	options.policy = CONNECTIONS "      maxSize: 1\n";
	options.serve = answer_hello;
	chain = chain_new(&options);
	for (unsigned i = 0; i < 8; i++)
		callers[i] = chain_connect(chain);
	expect_hello(chain, callers[0]); /* what is asked for the first time is bound first */
	began = sim_now(chain->sim);
	for (unsigned i = 0; i < 80; i++) {
		struct call *call = begin(chain, &callers[i % 8], GET, true, call_release_when_over);

		assert_true(chain_run_until_over(chain, call));
		check_hello(call);
	}
	assert_true(sim_now(chain->sim) - began < 80 * (strstr(options.codec->name, "filtered") ? 15 : 2) * CLOCK_MS);
	assert_true(chain_connections(chain) > 1); /* both workers had it */
	chain_free(chain);
}

/* A message that doesn't fit into a worker's inbox costs a second at most. */
static void what_was_not_told_is_found(struct chain_options options)
{
	unsigned lost = 0;

	for (unsigned nth = 1; nth <= 12; nth++) {
		struct chain *chain;

		options.workers = 2;
		options.policy = CONNECTIONS "      maxSize: 1\n";
		options.serve = answer_hello;
		chain = chain_new(&options);
		call_from_many(chain, 10); /* both workers know the name from then on */
		sim_run_for(chain->sim, CLOCK_SECOND);
		int64_t began = sim_now(chain->sim);
		uint64_t posts = sim_calls(chain->sim, SIM_CALL_POST);
		sim_fail_nth(chain->sim, SIM_CALL_POST, nth);
		call_from_many(chain, 40);
		assert_true(chain_run_until_all_over(chain));
		assert_true(sim_now(chain->sim) - began < 3 * CLOCK_SECOND);
		lost += sim_calls(chain->sim, SIM_CALL_POST) - posts >= nth;
		for (const struct call *call = chain->calls; call; call = call->next)
			check_hello(call);
		sim_fail_nth(chain->sim, SIM_CALL_POST, 0);
		chain_free(chain);
	}
	assert_true(options.codec->origins_share || lost >= 6);
}

static bool all_have_come(struct chain *chain)
{
	return chain_opened(chain) == 150;
}

/* Nothing is answered before all have come: a connection carries as many as its codec allows, and no more are made than needed. */
static void connections_are_shared(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;

	options.serve = hold;
	chain = chain_new(&options);
	for (unsigned i = 0; i < 150; i++)
		(void)begin(chain, &caller, GET, true, call_release_when_over);
	assert_true(chain_run_until(chain, all_have_come));
	if (!options.codec->origins_share)
		assert_int_equal(150, chain_connections(chain));
	else
		assert_true(chain_connections(chain) <= 3 + options.workers - 1);
	for (struct call *call = chain->origins[0]->calls; call; call = call->next)
		answer_hello(call, CALL_END);
	assert_true(chain_run_until_all_over(chain));
	for (const struct call *call = chain->calls; call; call = call->next)
		check_hello(call);
	chain_free(chain);
}

/* Exchanges that share a connection end one by one: it is never idle for long. */
static void a_connection_in_use_is_not_idle(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;

	options.workers = 1;
	options.policy = CONNECTIONS "      idleTimeMs: 1500\n";
	chain = chain_new(&options);
	caller = chain_connect(chain);
	for (unsigned i = 0; i < 20; i++) {
		expect_hello(chain, caller);
		sim_run_for(chain->sim, 300 * CLOCK_MS);
	}
	assert_int_equal(1, chain_connections(chain));
	sim_run_for(chain->sim, 4 * CLOCK_SECOND);
	assert_int_equal(0, (int)chain_metric(chain, CLIENT, "pool_size"));
	expect_hello(chain, caller);
	assert_int_equal(2, chain_connections(chain));
	chain_free(chain);
}

/* One exchange that takes longer than a connection may be idle: others still share its connection. */
static void a_long_exchange_keeps_its_connection(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL, *other = NULL;
	struct call *first, *second;

	options.workers = 1;
	options.policy = CONNECTIONS "      idleTimeMs: 1500\n";
	options.serve = hold;
	chain = chain_new(&options);
	first = begin(chain, &caller, GET, true, call_release_when_over);
	sim_run_for(chain->sim, 5 * CLOCK_SECOND);
	struct call *served = chain->origins[0]->served;
	serve(chain, answer_hello);
	second = begin(chain, &other, GET, true, call_release_when_over);
	assert_true(chain_run_until_over(chain, second));
	check_hello(second);
	assert_int_equal(options.codec->origins_share ? 1 : 2, chain_connections(chain));
	answer_hello(served, CALL_END);
	assert_true(chain_run_until_over(chain, first));
	check_hello(first);
	sim_run_for(chain->sim, 4 * CLOCK_SECOND);
	assert_int_equal(0, (int)chain_metric(chain, CLIENT, "pool_size"));
	chain_free(chain);
}

/* Of those that are idle too long as many stay as are to be kept. */
static void some_connections_are_kept(struct chain_options options)
{
	struct chain *chain;

	if (options.codec->origins_share)
		return;
	options.workers = 1;
	options.policy = CONNECTIONS "      minSize: 2\n      idleTimeMs: 1500\n";
	options.serve = hold;
	chain = chain_new(&options);
	call_from_many(chain, 5);
	sim_run_for(chain->sim, CLOCK_SECOND);
	for (struct call *call = chain->origins[0]->calls; call; call = call->next)
		answer_hello(call, CALL_END);
	assert_true(chain_run_until_all_over(chain));
	assert_int_equal(5, (int)chain_metric(chain, CLIENT, "pool_size"));
	sim_run_for(chain->sim, 5 * CLOCK_SECOND);
	assert_int_equal(2, (int)chain_metric(chain, CLIENT, "pool_size"));
	chain_free(chain);
}

/* A connection that takes no more, but still carries an exchange: others go on another, and don't wait for anything. */
static void a_connection_that_says_goodbye(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *first;

	options.workers = 1;
	options.serve = hold;
	chain = chain_new(&options);
	caller = chain_connect(chain);
	first = begin(chain, &caller, GET, true, call_release_when_over);
	sim_run_for(chain->sim, 100 * CLOCK_MS);
	struct call *served = chain->origins[0]->served;
	assert_non_null(served);
	session_drain(served->side->session);
	sim_run_for(chain->sim, 100 * CLOCK_MS);
	expect_hello(chain, caller);
	assert_int_equal(2, chain_connections(chain));
	assert_true(
		chain_metric(chain, CLIENT, "pool_num_waited") <= 2); /* for each connection once, until it is known how much it takes */
	answer_hello(served, CALL_END);
	assert_true(chain_run_until_over(chain, first));
	check_hello(first);
	sim_run_for(chain->sim, 100 * CLOCK_MS);
	expect_hello(chain, caller);
	assert_int_equal(2, chain_connections(chain));
	assert_int_equal(0, (int)chain_metric(chain, CLIENT, "failures"));
	chain_free(chain);
}

/* One of two that wait for the same connection gives up: the time that connecting may take still holds for the other. */
static void who_leaves_while_connecting(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *one, *two;

	options.workers = 1;
	options.serve = answer_hello;
	chain = chain_new(&options);
	sim_link(chain->proxy_host, chain->origins[0]->host)->blackhole_chance = 1000000;
	one = begin(chain, &caller, GET, true, call_release_when_over);
	two = begin(chain, &caller, GET, true, call_release_when_over);
	sim_run_for(chain->sim, 100 * CLOCK_MS);
	call_release(one, RESET_CANCEL);
	sim_run_for(chain->sim, 100 * CLOCK_MS);
	sim_link(chain->proxy_host, chain->origins[0]->host)->blackhole_chance = 0;
	assert_true(chain_run_until_over(chain, two));
	check_hello(two);
	assert_true(chain_metric(chain, CLIENT, "connects") >= 1);
	chain_free(chain);
}

static void link_takes(struct chain *chain, int64_t latency_ns)
{
	sim_link(chain->proxy_host, chain->origins[0]->host)->latency_ns = latency_ns;
	sim_link(chain->origins[0]->host, chain->proxy_host)->latency_ns = latency_ns;
}

/* The proxy begins to drain while an exchange's connection is being made: it is finished all the same, and sent once. */
static void draining_while_connecting(struct chain_options options)
{
	struct chain *chain;
	struct caller *caller = NULL;
	struct call *call;

	options.workers = 1;
	options.serve = hold;
	chain = chain_new(&options);
	link_takes(chain, 250 * CLOCK_MS);
	sim_run_for(chain->sim, 800 * CLOCK_MS);
	call = begin(chain, &caller, GET, true, call_release_when_over);
	sim_run_for(chain->sim, 100 * CLOCK_MS);
	chain_drain(chain);
	sim_run_for(chain->sim, 2 * CLOCK_SECOND);
	assert_int_equal(1, chain_opened(chain));
	assert_false(chain->origins[0]->served->was_reset);
	answer_hello(chain->origins[0]->served, CALL_END);
	assert_true(chain_run_until_over(chain, call));
	check_hello(call);
	assert_int_equal(1, chain_connections(chain));
	chain_free(chain);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVERY_VARIANT(failures_are_retried),
		EVERY_VARIANT(the_budget_ends),
		EVERY_VARIANT(one_call_does_not_take_the_whole_budget),
		EVERY_VARIANT(what_is_refused_goes_elsewhere),
		EVERY_VARIANT(bodies_without_a_length_go_elsewhere),
		EVERY_VARIANT(a_late_binding_parks_its_own_request_only),
		EVERY_VARIANT(a_binding_that_takes_too_long),
		EVERY_VARIANT(many_calls_wait_for_one_connection),
		EVERY_VARIANT(waiting_and_idling_take_no_time),
		EVERY_VARIANT(idle_connections_are_given_to_who_waits),
		EVERY_VARIANT(what_was_not_told_is_found),
		EVERY_VARIANT(connections_are_shared),
		EVERY_VARIANT(a_connection_in_use_is_not_idle),
		EVERY_VARIANT(a_long_exchange_keeps_its_connection),
		EVERY_VARIANT(some_connections_are_kept),
		EVERY_VARIANT(a_connection_that_says_goodbye),
		EVERY_VARIANT(who_leaves_while_connecting),
		EVERY_VARIANT(draining_while_connecting),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

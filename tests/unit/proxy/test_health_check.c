/* SPDX-License-Identifier: Apache-2.0 */
/* Active health checks: who is asked, how often, and what becomes of those that fail. */
#include "calls.h"

#include "base/clock.h"

#define HTTP_CHECK \
	"  client:\n    healthCheck: {kind: io.l5d.http, path: /health, intervalMs: 1000, timeoutMs: 500, " \
	"unhealthyThreshold: 2, healthyThreshold: 2}\n"
#define GRPC_CHECK \
	"  client:\n    healthCheck: {kind: io.l5d.grpc, service: pkg.Greeter, intervalMs: 1000, timeoutMs: 500, " \
	"unhealthyThreshold: 2, " \
	"healthyThreshold: 1}\n"
#define GRPC_ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"

enum answer {
	WELL,
	ILL,      /* 503, NOT_SERVING */
	SILENT,   /* none */
	STATUS,   /* gRPC: UNIMPLEMENTED, trailers-only */
	NONSENSE, /* gRPC: no message */
};

static enum answer answers[CHAIN_ORIGINS];
static unsigned checks[CHAIN_ORIGINS], requests[CHAIN_ORIGINS];
static int64_t last_check[CHAIN_ORIGINS], longest, shortest;

static struct call *waiting[64]; /* checks that are not answered */
static unsigned waiting_count;

static unsigned number_of(const struct call *call)
{
	const struct origin *origin = call->owner;
	unsigned i = 0;

	while (origin->chain->origins[i] != origin)
		i++;
	return i;
}

static void note_check(const struct call *call, unsigned origin)
{
	int64_t now = loop_now(call->loop), since = now - last_check[origin];

	if (last_check[origin] && since > longest)
		longest = since;
	if (last_check[origin] && since < shortest)
		shortest = since;
	last_check[origin] = now;
	checks[origin]++;
}

static void send_bytes(struct call *call, const char *bytes, size_t length)
{
	struct buffer *buffer = buffer_get(loop_buffers(call->loop));

	memcpy(buffer->bytes, bytes, length);
	buffer->filled = (uint32_t)length;
	side_send_body(call->side, (struct piece){ buffer, buffer->bytes, length }, false);
}

static void answer_http_check(struct call *call, enum answer answer)
{
	call_send_head(call,
		answer == WELL ? "HTTP/1.1 204 No Content\r\n\r\n" : "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", true);
}

static void answer_grpc_check(struct call *call, enum answer answer)
{
	/* A message with a length of 13: the service's name. */
	assert_int_equal(5 + 13, call->body.length);
	assert_memory_equal("\0\0\0\0\x0d\x0a\x0bpkg.Greeter", call->body.bytes, 18);
	if (answer == STATUS) {
		call_send_head(call,
			"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\ngrpc-status: "
			"12\r\n\r\n",
			true);
		return;
	}
	call_send_head(call, GRPC_ANSWER, false);
	send_bytes(call, answer == WELL ? "\0\0\0\0\2\x08\1" : answer == ILL ? "\0\0\0\0\2\x08\2" : "\0\0\0\0\2hm", 7);
	call_send_trailers(call, "grpc-status", "0");
}

static bool is_check(const struct call *call)
{
	return slice_equal(call->head.target, SLICE("/health")) || slice_equal(call->head.target, SLICE("/grpc.health.v1.Health/Check"));
}

static void answer(struct call *call, enum call_event event)
{
	unsigned origin = number_of(call);

	if (event == CALL_OPENED)
		call->step = is_check(call);
	if (!call->step) {
		requests[origin] += event == CALL_OPENED;
		answer_hello(call, event);
		return;
	}
	if (event == CALL_OPENED)
		note_check(call, origin);
	if (event == CALL_RESET)
		call_release(call, RESET_NONE);
	if (!call_event_ends(event))
		return;
	if (answers[origin] == SILENT) {
		assert_true(waiting_count < 64);
		waiting[waiting_count++] = call;
		return;
	}
	if (call->head.method == METHOD_GET)
		answer_http_check(call, answers[origin]);
	else
		answer_grpc_check(call, answers[origin]);
	call_release(call, RESET_NONE);
}

static void end(struct chain *chain)
{
	for (unsigned i = 0; i < waiting_count; i++)
		call_release(waiting[i], RESET_CANCEL);
	chain_free(chain);
}

static struct chain *start(struct chain_options *options, const char *policy)
{
	options->policy = policy;
	options->origins = 2;
	options->serve = answer;
	options->calm = true;
	memset(answers, WELL, sizeof answers);
	memset(checks, 0, sizeof checks);
	memset(last_check, 0, sizeof last_check);
	waiting_count = 0;
	longest = 0;
	shortest = INT64_MAX;
	return chain_new(options);
}

static void run_for(struct chain *chain, int64_t ns)
{
	sim_run_for(chain->sim, ns);
}

/* Which of the two origins took how many of `count` requests. */
static void request(struct chain *chain, unsigned count)
{
	memset(requests, 0, sizeof requests);
	for (unsigned i = 0; i < count; i++) {
		struct caller *caller = chain_connect(chain);
		struct call *call = begin(chain, &caller, GET, true, call_release_when_over);

		assert_true(chain_run_until_over(chain, call));
		check_hello(call);
	}
	assert_int_equal(count, requests[0] + requests[1]);
}

static int metric(struct chain *chain, const char *name)
{
	return (int)chain_metric(chain, CLIENT, name);
}

/* Takes out the second one by `how`, and lets it come back. */
static void comes_and_goes(struct chain *chain, enum answer how)
{
	request(chain, 1);
	run_for(chain, 3 * CLOCK_SECOND);
	answers[1] = how;
	run_for(chain, 4 * CLOCK_SECOND);
	assert_int_equal(1, metric(chain, "health_check/removals"));
	assert_int_equal(1, metric(chain, "loadbalancer/available"));
	request(chain, 20);
	assert_int_equal(20, requests[0]);
	answers[1] = WELL;
	run_for(chain, 4 * CLOCK_SECOND);
	assert_int_equal(1, metric(chain, "health_check/removals"));
	assert_int_equal(1, metric(chain, "health_check/revivals"));
	request(chain, 20);
	assert_true(requests[0] > 0 && requests[1] > 0);
	assert_int_equal(
		metric(chain, "health_check/attempt"), metric(chain, "health_check/success") + metric(chain, "health_check/failure"));
	/* The checks of an endpoint are no requests of anybody's. */
	assert_int_equal(41, metric(chain, "requests"));
	end(chain);
}

static void an_endpoint_that_fails_gets_no_requests(struct chain_options options)
{
	comes_and_goes(start(&options, HTTP_CHECK), ILL);
}

static void one_that_does_not_answer_fails(struct chain_options options)
{
	comes_and_goes(start(&options, HTTP_CHECK), SILENT);
}

static void one_that_is_not_serving_fails(struct chain_options options)
{
	comes_and_goes(start(&options, GRPC_CHECK), ILL);
}

static void one_that_has_no_health_service_fails(struct chain_options options)
{
	comes_and_goes(start(&options, GRPC_CHECK), STATUS);
}

static void one_that_answers_nonsense_fails(struct chain_options options)
{
	comes_and_goes(start(&options, GRPC_CHECK), NONSENSE);
}

static void one_worker_asks(struct chain_options options)
{
	struct chain *chain = start(&options, HTTP_CHECK);

	request(chain, 10); /* by all workers */
	run_for(chain, 20 * CLOCK_SECOND);
	assert_in_range(checks[0], 17, 24);
	assert_in_range(checks[1], 17, 24);
	/* Each interval is another one, by a tenth at most (and what the network takes). */
	assert_in_range(shortest, 880 * CLOCK_MS, 1000 * CLOCK_MS);
	assert_in_range(longest, 1000 * CLOCK_MS, 1120 * CLOCK_MS);
	end(chain);
}

/* Of two workers that have used the endpoints one forgets them: if it was the one that asked, the other one does so. */
static void another_takes_over(struct chain_options options)
{
	struct chain *chain = start(&options, HTTP_CHECK "  bindingCache: {idleTtlSecs: 5}\n");
	struct caller *caller = NULL;

	request(chain, 10);
	for (unsigned i = 0; i < 40; i++) {
		struct call *call = begin(chain, &caller, GET, true, call_release_when_over);

		assert_true(chain_run_until_over(chain, call));
		run_for(chain, CLOCK_SECOND);
		if (i == 30)
			memset(checks, 0, sizeof checks);
	}
	assert_in_range(checks[0], 7, 11);
	assert_in_range(checks[1], 7, 11);
	end(chain);
}

static void the_first_check_takes_out_at_once(struct chain_options options)
{
	struct chain *chain = start(&options, HTTP_CHECK);

	answers[0] = ILL;
	request(chain, 1);
	run_for(chain, 300 * CLOCK_MS);
	assert_int_equal(1, metric(chain, "health_check/removals"));
	request(chain, 10);
	assert_int_equal(10, requests[1]);
	end(chain);
}

static void when_all_fail_one_is_asked_all_the_same(struct chain_options options)
{
	struct chain *chain = start(&options, HTTP_CHECK);

	answers[0] = answers[1] = ILL;
	request(chain, 1);
	run_for(chain, 2 * CLOCK_SECOND);
	assert_int_equal(2, metric(chain, "health_check/removals"));
	request(chain, 10);
	end(chain);
}

static void nobody_is_asked_whom_nobody_uses(struct chain_options options)
{
	struct chain *chain = start(&options, HTTP_CHECK "  bindingCache: {idleTtlSecs: 5}\n");

	run_for(chain, 5 * CLOCK_SECOND);
	assert_int_equal(0, checks[0] + checks[1]);
	request(chain, 10);
	run_for(chain, 3 * CLOCK_SECOND);
	assert_true(checks[0] > 0 && checks[1] > 0);
	run_for(chain, 60 * CLOCK_SECOND); /* the name is forgotten, then its client */
	memset(checks, 0, sizeof checks);
	run_for(chain, 10 * CLOCK_SECOND);
	assert_int_equal(0, checks[0] + checks[1]);
	request(chain, 10);
	run_for(chain, 3 * CLOCK_SECOND);
	assert_true(checks[0] > 0 && checks[1] > 0);
	end(chain);
}

static void an_endpoint_that_crashes_is_found_out(struct chain_options options)
{
	struct chain *chain = start(&options, HTTP_CHECK);

	request(chain, 1);
	run_for(chain, 3 * CLOCK_SECOND);
	origin_crash(chain->origins[1]);
	run_for(chain, 4 * CLOCK_SECOND);
	assert_int_equal(1, metric(chain, "health_check/removals"));
	assert_true(metric(chain, "health_check/network_failure") >= 2);
	request(chain, 20);
	assert_int_equal(20, requests[0]);
	end(chain);
}

static void draining_ends_them(struct chain_options options)
{
	struct chain *chain = start(&options, HTTP_CHECK);

	answers[0] = answers[1] = SILENT;
	request(chain, 4);
	run_for(chain, 300 * CLOCK_MS);
	assert_int_equal(2, waiting_count);
	chain_drain(chain);
	run_for(chain, 3 * CLOCK_SECOND);
	assert_int_equal(2, waiting_count); /* nobody is asked any more */
	end(chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_VARIANT(an_endpoint_that_fails_gets_no_requests),
		EVERY_VARIANT(one_that_does_not_answer_fails),
		EVERY_VARIANT(one_that_is_not_serving_fails),
		EVERY_CODEC(one_that_has_no_health_service_fails),
		EVERY_CODEC(one_that_answers_nonsense_fails),
		EVERY_VARIANT(one_worker_asks),
		EVERY_VARIANT(another_takes_over),
		EVERY_CODEC(the_first_check_takes_out_at_once),
		EVERY_CODEC(when_all_fail_one_is_asked_all_the_same),
		EVERY_VARIANT(nobody_is_asked_whom_nobody_uses),
		EVERY_CODEC(an_endpoint_that_crashes_is_found_out),
		EVERY_VARIANT(draining_ends_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

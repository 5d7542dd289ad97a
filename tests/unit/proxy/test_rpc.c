/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC through the whole proxy: status, retries by status, deadlines, and the answers that the proxy makes itself. */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define CALL "POST /pkg.Greeter/Hello HTTP/1.1\r\nHost: web\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CALL_WITHIN(timeout) \
	"POST /pkg.Greeter/Hello HTTP/1.1\r\nHost: web\r\nContent-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n" \
	"grpc-timeout: " timeout "\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"
#define TRAILERS_ONLY(status) \
	"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\ngrpc-status: " status "\r\ngrpc-message: no%0A\r\n\r\n"
#define CLASSIFIER(kind) "  service:\n    responseClassifier: {kind: io.l5d.h2.grpc." kind "}\n"

static const char *statuses[8]; /* of the answers to come, the first first */
static size_t lengths[8];       /* of their bodies; 0: trailers-only */
static unsigned answered;
static char arrived[8][32]; /* grpc-timeout of each */

static void note_timeout(struct call *call)
{
	struct field *field = head_find_name(&call->head, SLICE("grpc-timeout"));

	snprintf(arrived[answered], sizeof arrived[answered], "%.*s", field ? (int)field_value(field).length : 0,
		field ? field_value(field).at : "");
}

/* When the request is over: the next status. */
static void answer_next(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		note_timeout(call);
		call->step = answered++;
	}
	if (!call_event_ends(event))
		return;
	if (lengths[call->step]) {
		call_send_head(call, ANSWER, false);
		call_send_pattern(call, lengths[call->step], false);
		call_send_trailers(call, "grpc-status", statuses[call->step]);
	} else {
		call_send_head(call,
			strcmp(statuses[call->step], "0") == 0           ? TRAILERS_ONLY("0")
				: strcmp(statuses[call->step], "7") == 0 ? TRAILERS_ONLY("7")
									 : TRAILERS_ONLY("14"),
			true);
	}
	call_release(call, RESET_NONE);
}

static void answers(const char *status, size_t length)
{
	statuses[answered] = status;
	lengths[answered] = length;
	answered++;
}

static struct chain *start(struct chain_options *options, const char *policy)
{
	options->protocol = "h2";
	options->policy = policy;
	if (!options->serve)
		options->serve = answer_next;
	answered = 0;
	return chain_new(options);
}

/* A call of `length` bytes; `chain` runs until it is over. */
static struct call *make_call(struct chain *chain, const char *head, size_t length)
{
	struct caller *caller = NULL;
	struct call *call = begin(chain, &caller, head, false, NULL);

	call_send_pattern(call, length, true);
	assert_true(chain_run_until_over(chain, call));
	return call;
}

static void assert_field(struct call *call, const char *name, const char *expected)
{
	struct field *field = head_find_name(&call->head, slice_of(name));

	if (!expected) {
		assert_null(field);
		return;
	}
	if (!field)
		fail_msg("%s is not there", name);
	assert_int_equal(field_value(field).length, strlen(expected));
	assert_memory_equal(field_value(field).at, expected, strlen(expected));
}

static void assert_trailer(const struct call *call, const char *line)
{
	if (!call->trailers.bytes || !strstr(call->trailers.bytes, line))
		fail_msg("%s is not in: %s", line, call->trailers.bytes ? call->trailers.bytes : "");
}

static void end(struct chain *chain, struct call *call)
{
	call_release(call, RESET_NONE);
	chain_free(chain);
}

static void the_status_in_the_trailers_is_success_or_failure(struct chain_options options)
{
	static const char *const table[] = { "0", "5", "16" };

	for (unsigned i = 0; i < 3; i++) {
		struct chain *chain = start(&options, CLASSIFIER("neverRetryable"));
		char line[32];

		answers(table[i], 100);
		answered = 0;
		struct call *call = make_call(chain, CALL, 50);
		assert_int_equal(200, call->status);
		assert_int_equal(100, call->body_length);
		snprintf(line, sizeof line, "grpc-status: %s\r\n", table[i]);
		assert_trailer(call, line);
		assert_field(call, "l5d-success-class", NULL);
		assert_int_equal(i == 0, (int)chain_metric(chain, SERVICE, "success"));
		assert_int_equal(i == 0, (int)chain_metric(chain, CLIENT, "success"));
		assert_int_equal(1, (int)chain_metric(chain, SERVICE, i == 0 ? "stream_success" : "stream_failures"));
		assert_int_equal(150, (int)chain_metric(chain, CLIENT, "data_bytes"));
		end(chain, call);
	}
}

static void a_retryable_status_is_never_seen(struct chain_options options)
{
	static const size_t bodies[] = { 0, 10, 16000 };

	for (unsigned i = 0; i < 3; i++) {
		struct chain *chain = start(&options, CLASSIFIER("default"));

		answers("14", bodies[i]);
		answers("14", bodies[i]);
		answers("0", 20);
		answered = 0;
		struct call *call = make_call(chain, CALL, 16000); /* of a length that nobody told */
		assert_int_equal(20, call->body_length);
		assert_trailer(call, "grpc-status: 0\r\n");
		assert_field(call, "l5d-success-class", "1.0"); /* it was known before the head was sent */
		assert_int_equal(3, answered);
		assert_int_equal(2, (int)chain_metric(chain, SERVICE, "retries/total"));
		assert_int_equal(1, (int)chain_metric(chain, SERVICE, "success"));
		assert_int_equal(2, (int)chain_metric(chain, CLIENT, "failures"));
		for (struct call *served = chain->origins[0]->calls; served; served = served->next) {
			assert_int_equal(16000, served->body_length);
			assert_true(call_is_pattern(served));
		}
		end(chain, call);
	}
}

static void what_is_larger_than_the_buffers_is_not_retried(struct chain_options options)
{
	for (unsigned i = 0; i < 3; i++) {
		struct chain *chain =
			start(&options, i == 2 ? CLASSIFIER("default") "    retryBufferSize: {requestBytes: 10}\n" : CLASSIFIER("default"));

		answers("14", i == 0 ? 16384 : 10);
		answered = 0;
		struct call *call = make_call(chain, CALL, i == 0 ? 10 : i == 1 ? 40000 : 11);
		assert_int_equal(i == 0 ? 16384 : 10, call->body_length);
		assert_true(call_is_pattern(call));
		assert_trailer(call, "grpc-status: 14\r\n");
		assert_int_equal(1, answered);
		end(chain, call);
	}
}

static void statuses_that_are_not_retried_pass(struct chain_options options)
{
	static const struct {
		const char *policy, *status;
		unsigned attempts;
	} table[] = {
		{ CLASSIFIER("default"), "13", 1 },
		{ CLASSIFIER("neverRetryable"), "14", 1 },
		{ CLASSIFIER("alwaysRetryable"), "13", 2 },
		{ CLASSIFIER("retryableStatusCodes, retryableStatusCodes: [13]"), "13", 2 },
		{ CLASSIFIER("alwaysRetryable, successStatusCodes: [0, 13]"), "13", 1 },
	};

	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct chain *chain = start(&options, table[i].policy);

		answers(table[i].status, 10);
		answers("0", 10);
		answered = 0;
		struct call *call = make_call(chain, CALL, 10);
		assert_int_equal(table[i].attempts, answered);
		end(chain, call);
	}
}

/* The head and a message, and then nothing for a while. */
static void stall(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		note_timeout(call);
		answered++;
	}
	if (!call_event_ends(event))
		return;
	call_send_head(call, ANSWER, false);
	call_send_pattern(call, 30, false);
}

static bool caller_has_body(struct chain *chain)
{
	return chain->calls->body_length > 0;
}

static void a_response_is_held_back_for_a_short_while(struct chain_options options)
{
	options.serve = stall;
	options.calm = true;
	struct chain *chain = start(&options, CLASSIFIER("default"));
	struct caller *caller = NULL;
	struct call *call = begin(chain, &caller, CALL, false, NULL);

	call_send_pattern(call, 10, true);
	int64_t before = sim_now(chain->sim);
	assert_true(chain_run_until(chain, caller_has_body));
	int64_t took = sim_now(chain->sim) - before;
	assert_true(took >= 100 * CLOCK_MS && took < 200 * CLOCK_MS);
	call_send_trailers(chain->origins[0]->served, "grpc-status", "14");
	assert_true(chain_run_until_over(chain, call));
	assert_int_equal(30, call->body_length);
	assert_trailer(call, "grpc-status: 14\r\n");
	assert_int_equal(1, answered);
	call_release(chain->origins[0]->served, RESET_NONE);
	end(chain, call);
}

static bool served_was_reset(struct chain *chain)
{
	return chain->origins[0]->served->was_reset;
}

/* By HTTP/1, an endpoint that has all of the request is not told until it answers. */
static void check_canceled(struct chain *chain)
{
	if (chain->options.codec->origins_share)
		assert_true(chain_run_until(chain, served_was_reset));
	call_release(chain->origins[0]->served, RESET_NONE);
}

static void say_nothing(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		note_timeout(call);
		answered++;
	}
}

static void a_deadline_shrinks_and_ends_the_call(struct chain_options options)
{
	options.serve = say_nothing;
	struct chain *chain = start(&options, CLASSIFIER("default"));
	struct call *call = make_call(chain, CALL_WITHIN("300m"), 10);

	assert_int_equal(200, call->status);
	assert_field(call, "content-type", "application/grpc");
	assert_field(call, "grpc-status", "4");
	assert_non_null(head_find_name(&call->head, SLICE("l5d-err")));
	assert_int_equal(0, call->body_length);
	check_canceled(chain);
	assert_int_equal('u', arrived[0][strlen(arrived[0]) - 1]);
	assert_in_range(strtoul(arrived[0], NULL, 10), 200000, 299999);
	assert_int_equal(1, (int)chain_metric(chain, SERVICE, "failures"));
	end(chain, call);
}

static void a_deadline_ends_a_stream_with_a_status(struct chain_options options)
{
	options.serve = stall;
	struct chain *chain = start(&options, CLASSIFIER("neverRetryable"));
	struct call *call = make_call(chain, CALL_WITHIN("1S"), 10);

	assert_int_equal(30, call->body_length);
	assert_false(call->was_reset);
	assert_trailer(call, "grpc-status: 4\r\n");
	check_canceled(chain);
	end(chain, call);
}

static void deadlines_that_make_no_sense(struct chain_options options)
{
	struct chain *chain = start(&options, NULL);
	struct call *call = make_call(chain, CALL_WITHIN("0n"), 10);

	assert_field(call, "grpc-status", "4");
	call_release(call, RESET_NONE);
	call = make_call(chain, CALL_WITHIN("5 seconds"), 10);
	assert_field(call, "grpc-status", "13");
	assert_field(call, "grpc-message", "grpc-timeout is not a timeout");
	assert_int_equal(0, chain_opened(chain));
	end(chain, call);
}

static void the_proxys_own_answers_have_a_status(struct chain_options options)
{
	struct chain *chain = start(&options, NULL);
	struct call *call = make_call(
		chain, "POST /a/b HTTP/1.1\r\nHost: nowhere\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n", 10);

	assert_int_equal(200, call->status);
	assert_true(call->ended);
	assert_field(call, "grpc-status", "14");
	assert_field(call, "l5d-retryable", "true");
	assert_field(call, "l5d-success-class", "0.0");
	assert_int_equal(0, call->body_length);
	call_release(call, RESET_NONE);
	call = make_call(
		chain, "POST /a/b HTTP/1.1\r\nHost: nowhere\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n", 10);
	assert_int_equal(502, call->status);
	end(chain, call);
}

/* Whatever is wrong with a call is told as gRPC tells it, and its message in l5d-err as ever. */
static void bad_calls_have_a_status(struct chain_options options)
{
	static const char *const table[][3] = {
		{ "l5d-dtab: /a =>\r\n", "13", NULL },
		{ "l5d-ctx-dtab: nonsense\r\n", "13", NULL },
		{ "grpc-timeout: soon\r\n", "13", "grpc-timeout is not a timeout" },
		{ "Via: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\r\n", "13",
			"Maximum number of calls (10) has been exceeded. Please check for proxy loops." },
	};
	static const char *const types[] = { "application/grpc", "application/grpc-web", "application/grpc-web-text+proto" };

	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct chain *chain = start(&options, "    grpcWeb: true\n");

		for (unsigned k = 0; k < 3; k++) {
			char head[400];

			snprintf(head, sizeof head,
				"POST /pkg.Greeter/Hello HTTP/1.1\r\nHost: web\r\nContent-Type: %s\r\n%sTransfer-Encoding: chunked\r\n\r\n",
				types[k], table[i][0]);
			struct call *call = make_call(chain, head, 0);
			assert_int_equal(200, call->status);
			assert_field(call, "grpc-status", table[i][1]);
			if (table[i][2])
				assert_field(call, "grpc-message", table[i][2]);
			assert_non_null(head_find_name(&call->head, SLICE("grpc-message")));
			assert_non_null(head_find_name(&call->head, SLICE("l5d-err")));
			assert_field(call, "content-type",
				k == 0           ? "application/grpc"
					: k == 1 ? "application/grpc-web"
						 : "application/grpc-web-text");
			assert_int_equal(0, call->body_length);
			call_release(call, RESET_NONE);
		}
		assert_int_equal(0, chain_opened(chain));
		chain_free(chain);
	}
}

/* What an endpoint could not take for having too many fields. */
static void too_many_fields_are_too_much(struct chain_options options)
{
	struct chain *chain = start(&options, NULL);
	char head[8000];
	int length = snprintf(head, sizeof head, "POST /pkg.Greeter/Hello HTTP/1.1\r\nHost: web\r\nContent-Type: application/grpc\r\n");

	for (unsigned i = 0; i < HEAD_MAX_FIELDS - 5; i++)
		length += snprintf(head + length, sizeof head - (size_t)length, "x-%u: 1\r\n", i);
	snprintf(head + length, sizeof head - (size_t)length, "Transfer-Encoding: chunked\r\n\r\n");
	struct call *call = make_call(chain, head, 0);
	assert_int_equal(200, call->status);
	assert_field(call, "grpc-status", "8");
	end(chain, call);
}

static void break_off_behind_body(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		answered++;
	if (!call_event_ends(event))
		return;
	call_send_head(call, ANSWER, false);
	call_send_pattern(call, 30, false);
	call->step = 1;
}

static bool caller_has_all(struct chain *chain)
{
	return chain->calls->body_length == 30;
}

static void a_stream_that_breaks_ends_with_a_status(struct chain_options options)
{
	options.serve = break_off_behind_body;
	struct chain *chain = start(&options, CLASSIFIER("neverRetryable"));
	struct caller *caller = NULL;
	struct call *call = begin(chain, &caller, CALL, false, NULL);

	call_send_pattern(call, 10, true);
	assert_true(chain_run_until(chain, caller_has_all));
	call_release(chain->origins[0]->served, RESET_CANCEL);
	assert_true(chain_run_until_over(chain, call));
	assert_false(call->was_reset);
	assert_trailer(call, "grpc-status: 1");
	assert_int_equal(1, (int)chain_metric(chain, SERVICE, "failures"));
	end(chain, call);
}

static void fail_by_http(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		answered++;
	if (!call_event_ends(event))
		return;
	call_send_head(call, answered == 1 ? "HTTP/1.1 503 no\r\nContent-Length: 2\r\n\r\n" : TRAILERS_ONLY("0"), answered != 1);
	if (answered == 1)
		call_send(call, "no", true);
	call_release(call, RESET_NONE);
}

/* In a gRPC status' place: only the compliant classifier knows. */
static void http_failures_are_unavailable_to_the_compliant(struct chain_options options)
{
	for (unsigned i = 0; i < 2; i++) {
		options.serve = fail_by_http;
		struct chain *chain = start(&options, i == 0 ? CLASSIFIER("default") : CLASSIFIER("compliant"));
		struct call *call = make_call(chain, CALL, 10);

		assert_int_equal(1 + i, answered);
		assert_int_equal(i == 0 ? 503 : 200, call->status);
		assert_int_equal(i, (int)chain_metric(chain, SERVICE, "success"));
		end(chain, call);
	}
}

static void a_caller_that_cancels_is_heard_upstream(struct chain_options options)
{
	options.serve = stall;
	struct chain *chain = start(&options, CLASSIFIER("default"));
	struct caller *caller = NULL;
	struct call *call = begin(chain, &caller, CALL, false, NULL);

	call_send_pattern(call, 10, true);
	for (unsigned i = 0; i < 1000 && answered == 0; i++)
		sim_run_for(chain->sim, CLOCK_MS);
	sim_run_for(chain->sim, 20 * CLOCK_MS); /* its answer is held back, perhaps */
	call_release(call, RESET_CANCEL);
	check_canceled(chain);
	chain_free(chain);
}

static void methods_are_counted_by_name(struct chain_options options)
{
	struct chain *chain = start(&options, CLASSIFIER("neverRetryable"));

	answers("0", 10);
	answers("0", 10);
	answers("5", 10);
	answers("12", 10);
	answered = 0;
	for (unsigned i = 0; i < 4; i++)
		call_release(make_call(chain,
				     i < 3 ? CALL
					   : "POST /a/b HTTP/1.1\r\nHost: web\r\nContent-Type: application/grpc\r\n"
					     "Transfer-Encoding: chunked\r\n\r\n",
				     10),
			RESET_NONE);
	sim_run_for(chain->sim, 2 * CLOCK_SECOND);
	assert_int_equal(3, (int)chain_metric(chain, "rt/out/method/pkg.Greeter/Hello", "requests"));
	assert_int_equal(2, (int)chain_metric(chain, "rt/out/method/pkg.Greeter/Hello", "success"));
	assert_int_equal(2, (int)chain_metric(chain, "rt/out/method/pkg.Greeter/Hello", "grpc_status/0"));
	assert_int_equal(1, (int)chain_metric(chain, "rt/out/method/pkg.Greeter/Hello", "grpc_status/5"));
	assert_int_equal(1, (int)chain_metric(chain, "rt/out/method/overflow", "grpc_status/12"));
	chain_free(chain);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVERY_VARIANT(the_status_in_the_trailers_is_success_or_failure),
		EVERY_VARIANT(a_retryable_status_is_never_seen),
		EVERY_CODEC(what_is_larger_than_the_buffers_is_not_retried),
		EVERY_CODEC(statuses_that_are_not_retried_pass),
		EVERY_CODEC(a_response_is_held_back_for_a_short_while),
		EVERY_VARIANT(a_deadline_shrinks_and_ends_the_call),
		EVERY_VARIANT(a_deadline_ends_a_stream_with_a_status),
		EVERY_CODEC(deadlines_that_make_no_sense),
		EVERY_CODEC(the_proxys_own_answers_have_a_status),
		EVERY_CODEC(bad_calls_have_a_status),
		EVERY_CODEC(too_many_fields_are_too_much),
		EVERY_VARIANT(a_stream_that_breaks_ends_with_a_status),
		EVERY_CODEC(http_failures_are_unavailable_to_the_compliant),
		EVERY_VARIANT(methods_are_counted_by_name),
		EVERY_VARIANT(a_caller_that_cancels_is_heard_upstream),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

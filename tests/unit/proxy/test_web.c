/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC-Web at a listener that translates it: what the endpoint and the caller see. */
#include "calls.h"

#include <stdio.h>

#include "wire/grpc.h"

#define CALL(type) "POST /pkg.Greeter/Hello HTTP/1.1\r\nHost: web\r\nContent-Type: " type "\r\nTransfer-Encoding: chunked\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n\r\n"
#define FRAME \
	"\x80\0\0\0\x10" \
	"grpc-status: 0\r\n"

static char type_seen[64];

static void see_type(struct call *call)
{
	struct field *field = head_find_name(&call->head, SLICE("content-type"));

	snprintf(type_seen, sizeof type_seen, "%.*s", (int)field_value(field).length, field_value(field).at);
}

static void send_back(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		see_type(call);
	if (!call_event_ends(event))
		return;
	call_send_head(call, ANSWER, false);
	call_send_pattern(call, call->to_send ? call->to_send : 7, false);
	call_send_trailers(call, "Grpc-Status", "0");
	call_release(call, RESET_NONE);
}

static struct chain *start(struct chain_options *options)
{
	options->protocol = "h2";
	options->policy = "    grpcWeb: true\n";
	if (!options->serve)
		options->serve = send_back;
	return chain_new(options);
}

static struct call *make_call(struct chain *chain, const char *head, const char *const *pieces)
{
	struct caller *caller = NULL;
	struct call *call = begin(chain, &caller, head, false, NULL);

	for (; *pieces; pieces++)
		call_send(call, *pieces, pieces[1] == NULL);
	assert_true(chain_run_until_over(chain, call));
	return call;
}

static void assert_field(struct call *call, const char *name, const char *expected)
{
	struct field *field = head_find_name(&call->head, slice_of(name));

	if (!field)
		fail_msg("%s is not there", name);
	assert_int_equal(field_value(field).length, strlen(expected));
	assert_memory_equal(field_value(field).at, expected, strlen(expected));
}

static void binary_calls_get_their_trailers_in_the_body(struct chain_options options)
{
	static const char *const pieces[] = { "hel", "lo", NULL };
	struct chain *chain = start(&options);
	struct call *call = make_call(chain, CALL("application/grpc-web+proto"), pieces);

	assert_string_equal(type_seen, "application/grpc+proto");
	assert_string_equal(chain->origins[0]->served->body.bytes, "hello");
	assert_int_equal(200, call->status);
	assert_field(call, "content-type", "application/grpc-web+proto");
	assert_int_equal(call->body_length, 7 + sizeof FRAME - 1);
	assert_memory_equal(call->body.bytes + 7, FRAME, sizeof FRAME - 1);
	assert_null(call->trailers.bytes);
	call_release(call, RESET_NONE);
	chain_free(chain);
}

static void decode(const struct call *call, char *out, size_t room, size_t *length)
{
	struct grpc_text text = { 0 };
	struct slice in = { call->body.bytes, call->body.length };
	int n = grpc_text_decode(&text, &in, out, room);

	assert_true(n >= 0 && in.length == 0 && !text.have && !text.padded);
	*length = (size_t)n;
}

static void text_calls_are_base64_both_ways(struct chain_options options)
{
	/* "hello, world": cut within a group, and two texts one behind the other */
	static const char *const pieces[] = { "aGV", "sbG8", "=LCB3", "b3JsZA==", NULL };
	struct chain *chain = start(&options);
	struct call *call = make_call(chain, CALL("application/grpc-web-text"), pieces);
	char out[256];
	size_t length;

	assert_string_equal(type_seen, "application/grpc");
	assert_string_equal(chain->origins[0]->served->body.bytes, "hello, world");
	assert_field(call, "content-type", "application/grpc-web-text+proto");
	decode(call, out, sizeof out, &length);
	assert_int_equal(length, 7 + sizeof FRAME - 1);
	assert_memory_equal(out + 7, FRAME, sizeof FRAME - 1);
	call_release(call, RESET_NONE);
	chain_free(chain);
}

static void send_much(struct call *call, enum call_event event)
{
	call->to_send = 20000;
	send_back(call, event);
}

static void text_of_more_than_a_buffer(struct chain_options options)
{
	static const char *const pieces[] = { "aGVsbG8=", NULL };
	static char out[40000];
	size_t length;

	options.serve = send_much;
	struct chain *chain = start(&options);
	struct call *call = make_call(chain, CALL("application/grpc-web-text"), pieces);
	struct call pattern = { .body_length = 20000 };

	decode(call, out, sizeof out, &length);
	assert_int_equal(length, 20000 + sizeof FRAME - 1);
	pattern.body = (struct text){ .bytes = out, .length = 20000 };
	assert_true(call_is_pattern(&pattern));
	call_release(call, RESET_NONE);
	chain_free(chain);
}

static void bytes_that_are_no_text_are_refused(struct chain_options options)
{
	static const char *const bad[][3] = { { "aGV!", NULL }, { "aGVsb", NULL }, { "====", NULL } };

	for (unsigned i = 0; i < 3; i++) {
		struct chain *chain = start(&options);
		struct call *call = make_call(chain, CALL("application/grpc-web-text"), bad[i]);

		assert_int_equal(200, call->status);
		assert_field(call, "content-type", "application/grpc-web-text");
		assert_field(call, "grpc-status", "13");
		call_release(call, RESET_NONE);
		chain_free(chain);
	}
}

/* Without the key it's a body like any other. */
static void other_listeners_leave_it_alone(struct chain_options options)
{
	static const char *const pieces[] = { "aGVsbG8=", NULL };

	options.protocol = "h2";
	options.serve = send_back;
	struct chain *chain = chain_new(&options);
	struct call *call = make_call(chain, CALL("application/grpc-web-text"), pieces);

	assert_string_equal(type_seen, "application/grpc-web-text");
	assert_string_equal(chain->origins[0]->served->body.bytes, "aGVsbG8=");
	assert_true(slice_equal_nocase(SLICE("Grpc-Status: 0\r\n"), text_slice(&call->trailers)));
	call_release(call, RESET_NONE);
	chain_free(chain);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVERY_VARIANT(binary_calls_get_their_trailers_in_the_body),
		EVERY_VARIANT(text_calls_are_base64_both_ways),
		EVERY_VARIANT(text_of_more_than_a_buffer),
		EVERY_CODEC(bytes_that_are_no_text_are_refused),
		EVERY_CODEC(other_listeners_leave_it_alone),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

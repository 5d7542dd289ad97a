/* SPDX-License-Identifier: Apache-2.0 */
/* Routers for HTTP/2 and gRPC: what comes out in the snapshot, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "dialect/linkerd/linkerd.h"
#include "model/path.h"

static struct snapshot *load(const char *text, const char *told)
{
	struct snapshot *snapshot = NULL;
	struct problems problems;
	struct text out = { 0 };

	problem_init(&problems);
	int e = linkerd_load(SLICE("f"), slice_of(text), &problems, &snapshot);
	problem_print(&problems, &out);
	assert_string_equal(out.bytes ? text_slice(&out).at : "", told);
	assert_int_equal(e == 0, *told == 0);
	text_free(&out);
	problem_fini(&problems);
	return snapshot;
}

static void assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.length, strlen(expected));
	assert_memory_equal(s.at, expected, s.length);
}

static struct client_policy client_of(const struct router *router)
{
	struct client_policy policy;

	client_policy_resolve(router->client_rules, router->client_rule_count, &PATH_EMPTY, &policy);
	return policy;
}

static struct service_policy service_of(const struct router *router)
{
	struct service_policy policy;

	service_policy_resolve(router->service_rules, router->service_rule_count, &PATH_EMPTY, &policy);
	return policy;
}

static void the_least_router_has_linkerds_defaults(void **state)
{
	(void)state;
	struct snapshot *s = load("routers:\n- protocol: http\n  servers: [{}]\n- protocol: h2\n  servers: [{}]\n", "");
	const struct router *http = &s->routers[0], *h2 = &s->routers[1];
	struct client_policy client = client_of(h2);
	struct service_policy service = service_of(h2);

	assert_int_equal(http->protocol, PROTOCOL_HTTP);
	assert_int_equal(http->listeners[0].address.port, 4140);
	assert_int_equal(client_of(http).protocol, UPSTREAM_HTTP1);
	assert_int_equal(h2->protocol, PROTOCOL_H2);
	assert_slice(h2->label, "h2");
	assert_slice(h2->listeners[0].label, "h2");
	assert_int_equal(h2->listeners[0].address.port, 4142);
	assert_int_equal(h2->listeners[0].max_call_depth, 10);
	assert_false(h2->listeners[0].grpc_web);
	assert_int_equal(h2->listeners[0].http2.max_streams, 1000);
	assert_int_equal(h2->listeners[0].http2.stream_window_bytes, 65535);
	assert_int_equal(h2->listeners[0].http2.header_table_bytes, 4096);
	assert_int_equal(h2->listeners[0].http2.max_frame_bytes, 16384);
	assert_int_equal(h2->listeners[0].http2.max_header_bytes, 0);
	assert_true(h2->listeners[0].http2.window_update_ratio == 0.5);
	assert_slice(h2->identifiers[0].header, "host");
	assert_int_equal(client.protocol, UPSTREAM_HTTP2);
	assert_int_equal(client.http2.stream_window_bytes, 65535);
	assert_int_equal(service.classifier, CLASSIFIER_NON_RETRYABLE_5XX);
	assert_int_equal(service.classification_ns, 100 * CLOCK_MS);
	assert_int_equal(service.buffers.request_bytes, 16383);
	assert_int_equal(service.buffers.response_bytes, 16383);
	snapshot_unref(s);
}

#define NUMBERS \
	"windowUpdateRatio: 0.5, headerTableBytes: 0, initialStreamWindowBytes: 1048576, maxFrameBytes: 32768, " \
	"maxHeaderListBytes: 9000"

static void assert_numbers(const struct http2_policy *http2)
{
	assert_true(http2->window_update_ratio == 0.5);
	assert_int_equal(http2->header_table_bytes, 0);
	assert_int_equal(http2->stream_window_bytes, 1048576);
	assert_int_equal(http2->max_frame_bytes, 32768);
	assert_int_equal(http2->max_header_bytes, 9000);
}

static void numbers_of_both_ends_are_read(void **state)
{
	(void)state;
	struct snapshot *s = load("routers:\n- protocol: h2\n"
				  "  servers: [{" NUMBERS ", maxConcurrentStreamsPerConnection: 7, maxCallDepth: 3, grpcWeb: true}]\n"
				  "  client: {protocol: auto, clientSession: {lifeTimeMs: 5000, idleTimeMs: 6000}, " NUMBERS "}\n"
				  "  service: {classificationTimeoutMs: 0, retryBufferSize: {requestBytes: 0, responseBytes: 65536}}\n",
		"");
	const struct router *r = &s->routers[0];
	struct client_policy client = client_of(r);
	struct service_policy service = service_of(r);

	assert_numbers(&r->listeners[0].http2);
	assert_int_equal(r->listeners[0].http2.max_streams, 7);
	assert_int_equal(r->listeners[0].max_call_depth, 3);
	assert_true(r->listeners[0].grpc_web);
	assert_numbers(&client.http2);
	assert_int_equal(client.protocol, UPSTREAM_AUTO);
	assert_int_equal(client.life.life_ns, 5 * CLOCK_SECOND);
	assert_int_equal(client.life.idle_ns, 6 * CLOCK_SECOND);
	assert_int_equal(service.classification_ns, 0);
	assert_int_equal(service.buffers.request_bytes, 0);
	assert_int_equal(service.buffers.response_bytes, 65536);
	snapshot_unref(s);
}

static void static_clients_win_number_by_number(void **state)
{
	(void)state;
	struct snapshot *s = load("routers:\n- protocol: h2\n  servers: [{}]\n  client:\n    kind: io.l5d.static\n    configs:\n"
				  "    - {prefix: /, maxFrameBytes: 20000, headerTableBytes: 100}\n"
				  "    - {prefix: /, protocol: http, headerTableBytes: 200}\n",
		"");
	struct client_policy client = client_of(&s->routers[0]);

	assert_int_equal(client.protocol, UPSTREAM_HTTP1);
	assert_int_equal(client.http2.max_frame_bytes, 20000);
	assert_int_equal(client.http2.header_table_bytes, 200);
	assert_int_equal(client.http2.stream_window_bytes, 65535);
	snapshot_unref(s);
}

struct judged {
	const char *classifier;
	enum classifier kind;
	uint32_t success, retryable;
};

static void classifiers_have_their_statuses(void **state)
{
	(void)state;
	static const struct judged table[] = {
		{ "io.l5d.h2.nonRetryable5XX", CLASSIFIER_NON_RETRYABLE_5XX, STATUSES_OK, 0 },
		{ "io.l5d.h2.retryableRead5XX", CLASSIFIER_RETRYABLE_READ_5XX, STATUSES_OK, 0 },
		{ "io.l5d.h2.retryableIdempotent5XX", CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX, STATUSES_OK, 0 },
		{ "io.l5d.h2.retryableAll5XX", CLASSIFIER_RETRYABLE_ALL_5XX, STATUSES_OK, 0 },
		{ "io.l5d.h2.allSuccessful", CLASSIFIER_ALL_SUCCESSFUL, STATUSES_OK, 0 },
		{ "io.l5d.h2.grpc.default", CLASSIFIER_GRPC, STATUSES_OK, STATUSES_UNAVAILABLE },
		{ "io.l5d.h2.grpc.compliant", CLASSIFIER_GRPC_COMPLIANT, STATUSES_OK, STATUSES_UNAVAILABLE },
		{ "io.l5d.h2.grpc.alwaysRetryable", CLASSIFIER_GRPC, STATUSES_OK, STATUSES_ALL & ~STATUSES_OK },
		{ "io.l5d.h2.grpc.neverRetryable", CLASSIFIER_GRPC, STATUSES_OK, STATUSES_NONE },
		{ "io.l5d.h2.grpc.retryableStatusCodes, retryableStatusCodes: [4, 8]", CLASSIFIER_GRPC, STATUSES_OK, 1 << 4 | 1 << 8 },
		{ "io.l5d.h2.grpc.alwaysRetryable, successStatusCodes: [0, 5]", CLASSIFIER_GRPC, 1 << 0 | 1 << 5, STATUSES_ALL & ~0x21u },
		{ "io.l5d.h2.grpc.default, successStatusCodes: [14]", CLASSIFIER_GRPC, STATUSES_UNAVAILABLE, STATUSES_NONE },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct text out = { 0 };

		text_format(&out, "routers:\n- protocol: h2\n  servers: [{}]\n  service: {responseClassifier: {kind: %s}}\n",
			table[i].classifier);
		struct snapshot *s = load(text_slice(&out).at, "");
		struct service_policy policy = service_of(&s->routers[0]);

		assert_int_equal(policy.classifier, table[i].kind);
		assert_int_equal(policy.success_statuses, table[i].success);
		assert_int_equal(policy.retryable_statuses, table[i].retryable);
		snapshot_unref(s);
		text_free(&out);
	}
}

static void identifiers_are_read(void **state)
{
	(void)state;
	struct snapshot *s = load("routers:\n- protocol: h2\n  servers: [{}]\n  identifier:\n"
				  "  - {kind: io.l5d.header.path}\n"
				  "  - {kind: io.l5d.header.path, segments: 2, header: X-Path}\n"
				  "  - {kind: io.l5d.header.token, header: ':authority'}\n"
				  "  - {kind: io.l5d.header}\n"
				  "  - {kind: io.l5d.path}\n"
				  "  - {kind: io.l5d.path, segments: 3, consume: true}\n"
				  "  - {kind: io.l5d.methodAndHost, httpUriInDst: true}\n"
				  "  - {kind: io.l5d.static, path: /a/b}\n",
		"");
	const struct identifier *i = s->routers[0].identifiers;

	assert_int_equal(i[0].kind, IDENTIFIER_HEADER_PATH);
	assert_slice(i[0].header, ":path");
	assert_int_equal(i[0].segments, 0);
	assert_slice(i[1].header, "x-path");
	assert_int_equal(i[1].segments, 2);
	assert_slice(i[2].header, ":authority");
	assert_int_equal(i[3].kind, IDENTIFIER_HEADER);
	assert_slice(i[3].header, "l5d-name");
	assert_int_equal(i[4].kind, IDENTIFIER_PATH);
	assert_int_equal(i[4].segments, 1);
	assert_false(i[4].consume);
	assert_int_equal(i[5].segments, 3);
	assert_true(i[5].consume);
	assert_int_equal(i[6].kind, IDENTIFIER_METHOD_AND_HOST);
	assert_true(i[6].with_uri);
	assert_int_equal(i[7].kind, IDENTIFIER_STATIC);
	assert_int_equal(i[7].path->count, 2);
	snapshot_unref(s);
}

static void bad_values_are_refused(void **state)
{
	(void)state;
	static const char *const table[][2] = {
		{ "client: {maxFrameBytes: 100}", "f:4:27: `maxFrameBytes` is `100`, but must be an integer from 16384 to 16777215\n" },
		{ "client: {windowUpdateRatio: 2}", NULL },
		{ "client: {protocol: http2}", NULL },
		{ "client: {initialStreamWindowBytes: 16777217}", NULL },
		{ "service: {retryBufferSize: {requestBytes: 65537}}", NULL },
		{ "service: {responseClassifier: {kind: io.l5d.h2.grpc.retryableStatusCodes}}", NULL },
		{ "service: {responseClassifier: {kind: io.l5d.h2.grpc.default, successStatusCodes: [17]}}", NULL },
		{ "service: {responseClassifier: {kind: io.l5d.h2.grpc.default, retryableStatusCodes: [1]}}", NULL },
		{ "identifier: {kind: io.l5d.header.path, segments: 0}", NULL },
		{ "identifier: {kind: io.l5d.header.path, header: ':authority'}", NULL },
		{ "identifier: {kind: io.l5d.static}", NULL },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct snapshot *snapshot = NULL;
		struct problems problems;
		struct text file = { 0 }, out = { 0 };

		text_format(&file, "routers:\n- protocol: h2\n  servers: [{}]\n  %s\n", table[i][0]);
		problem_init(&problems);
		assert_int_not_equal(linkerd_load(SLICE("f"), text_slice(&file), &problems, &snapshot), 0);
		assert_int_equal(problems.count, 1);
		problem_print(&problems, &out);
		if (table[i][1])
			assert_string_equal(text_slice(&out).at, table[i][1]);
		text_free(&file);
		text_free(&out);
		problem_fini(&problems);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_router_has_linkerds_defaults),
		cmocka_unit_test(numbers_of_both_ends_are_read),
		cmocka_unit_test(static_clients_win_number_by_number),
		cmocka_unit_test(classifiers_have_their_statuses),
		cmocka_unit_test(identifiers_are_read),
		cmocka_unit_test(bad_values_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

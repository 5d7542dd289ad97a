/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "export/attributes.h"
#include "export/otlp.h"
#include "export/zipkin.h"

static struct span span_of(enum span_kind kind)
{
	struct span span = {
		.trace_high = 1,
		.trace = 2,
		.id = 3,
		.parent = 4,
		.began = 1000000,
		.lasted = 2500,
		.peer = { .family = ADDRESS_IP4, .port = 80, .ip = { 10, 0, 0, 1 } },
		.kind = (uint8_t)kind,
		.status = 200,
		.rpc_status = SPAN_NO_GRPC,
		.version = 1,
		.router = "out",
		.method = "GET",
		.authority = "web:8080",
		.path = "/a",
		.service = "/svc/web",
		.client = "/#/io.l5d.fs/web",
	};

	return span;
}

static void append(void *owner, const struct attribute *attribute)
{
	struct text *out = owner;

	if (attribute->text.at)
		text_format(out, "%s=%.*s\n", attribute->key, SLICE_ARGS(attribute->text));
	else if (attribute->is_truth)
		text_format(out, "%s!\n", attribute->key);
	else
		text_format(out, "%s:%lld\n", attribute->key, (long long)attribute->number);
}

static void assert_attributes(const struct span *span, const char *expected)
{
	struct text out = { 0 };

	attributes_each(span, append, &out);
	assert_string_equal(expected, out.bytes);
	text_free(&out);
}

static void test_attributes_of_http(void **state)
{
	struct span span = span_of(SPAN_SERVER);

	(void)state;
	assert_attributes(&span,
		"http.request.method=GET\nurl.path=/a\nhttp.response.status_code:200\nnetwork.protocol.version=1.1\n"
		"server.address=web\nserver.port:8080\nclient.address=10.0.0.1\nnetwork.peer.address=10.0.0.1\n"
		"network.peer.port:80\nweft.router=out\nweft.service=/svc/web\nweft.client=/#/io.l5d.fs/web\n");
	span = span_of(SPAN_SERVER);
	span.method[0] = span.authority[0] = span.path[0] = span.service[0] = span.client[0] = 0;
	span.status = 0;
	span.peer.family = ADDRESS_NONE;
	span.inferred = 1;
	assert_attributes(&span, "http.request.method=_OTHER\nweft.router=out\nweft.inferred!\n");
	span = span_of(SPAN_CLIENT);
	span.resends = 2;
	span.status = 0;
	span.error = SPAN_CONNECT;
	strcpy(span.method, "BREW");
	assert_attributes(&span,
		"http.request.method=_OTHER\nhttp.request.method_original=BREW\nurl.path=/a\nhttp.request.resend_count:2\n"
		"server.address=10.0.0.1\nserver.port:80\nnetwork.peer.address=10.0.0.1\nnetwork.peer.port:80\n"
		"error.type=connection_error\nweft.router=out\nweft.service=/svc/web\nweft.client=/#/io.l5d.fs/web\n");
}

static void test_attributes_of_grpc(void **state)
{
	struct span span = span_of(SPAN_SERVER);

	(void)state;
	span.rpc = 1;
	span.rpc_status = 14;
	span.error = SPAN_STATUS;
	strcpy(span.rpc_method, "pkg.Greeter/Hello");
	strcpy(span.authority, "[::1]:90");
	assert_attributes(&span,
		"rpc.system=grpc\nrpc.service=pkg.Greeter\nrpc.method=Hello\nrpc.grpc.status_code:14\nserver.address=[::1]\n"
		"server.port:90\nclient.address=10.0.0.1\nnetwork.peer.address=10.0.0.1\nnetwork.peer.port:80\n"
		"error.type=14\nweft.router=out\nweft.service=/svc/web\nweft.client=/#/io.l5d.fs/web\n");
	assert_true(slice_equal(span_name(&span), SLICE("pkg.Greeter/Hello")));
}

static void test_zipkin(void **state)
{
	struct span spans[] = { span_of(SPAN_SERVER), span_of(SPAN_CLIENT) };
	struct text out = { 0 };

	(void)state;
	spans[1].trace_high = 0;
	spans[1].parent = 0;
	spans[1].lasted = 1;
	spans[1].error = SPAN_STATUS;
	spans[1].status = 503;
	spans[1].path[1] = '\xff';
	zipkin_spans(spans, 2, SLICE(""), &out);
	assert_non_null(strstr(out.bytes,
		"[{\"traceId\":\"00000000000000010000000000000002\",\"id\":\"0000000000000003\",\"parentId\":"
		"\"0000000000000004\",\"kind\":\"SERVER\",\"name\":\"GET\",\"timestamp\":1000,\"duration\":2,"
		"\"localEndpoint\":{\"serviceName\":\"out\"},\"remoteEndpoint\":{\"ipv4\":\"10.0.0.1\",\"port\":80},"));
	assert_non_null(strstr(out.bytes,
		"{\"traceId\":\"0000000000000002\",\"id\":\"0000000000000003\",\"kind\":\"CLIENT\",\"name\":\"GET\","
		"\"timestamp\":1000,\"duration\":1,"));
	assert_non_null(strstr(out.bytes, "\"remoteEndpoint\":{\"serviceName\":\"/svc/web\",\"ipv4\""));
	assert_non_null(strstr(out.bytes, "\"url.path\":\"/\xef\xbf\xbd\""));
	assert_non_null(strstr(out.bytes, "\"error.type\":\"503\""));
	assert_non_null(strstr(out.bytes, "\"error\":\"503\""));
	assert_null(strstr(out.bytes, "inferred"));
	text_free(&out);
	spans[0].inferred = 1;
	zipkin_spans(spans, 1, SLICE("edge"), &out);
	assert_non_null(strstr(out.bytes, "\"weft.inferred\":\"true\""));
	assert_non_null(strstr(out.bytes, "\"serviceName\":\"edge\""));
	text_free(&out);
}

/* What it means is for the scenario tests to say, which have OpenTelemetry's own reader. */
static void test_otlp_has_one_resource_for_a_router(void **state)
{
	struct span spans[] = { span_of(SPAN_SERVER), span_of(SPAN_CLIENT), span_of(SPAN_SERVER), span_of(SPAN_CLIENT) };
	struct text out = { 0 };
	unsigned resources = 0;

	(void)state;
	strcpy(spans[1].router, "in");
	strcpy(spans[3].router, "in");
	otlp_spans(spans, 4, SLICE(""), &out);
	for (size_t at = 0; at < out.length; resources++) {
		size_t length = 0;
		unsigned shift = 0;

		assert_int_equal(0x0a, out.bytes[at++]);
		do
			length |= (size_t)(out.bytes[at] & 0x7f) << shift;
		while (shift += 7, out.bytes[at++] & 0x80);
		at += length;
		assert_true(at <= out.length);
	}
	assert_int_equal(2, resources);
	text_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes_of_http),
		cmocka_unit_test(test_attributes_of_grpc),
		cmocka_unit_test(test_zipkin),
		cmocka_unit_test(test_otlp_has_one_resource_for_a_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

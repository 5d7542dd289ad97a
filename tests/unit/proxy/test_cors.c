/* SPDX-License-Identifier: Apache-2.0 */
/* Which web pages may call a listener with gRPC-Web: preflights, and what browsers read in the answers. */
#include "calls.h"

#include <stdio.h>

#include "proxy/cors.h"

#define POLICY \
	"    grpcWeb: true\n    cors:\n      allowOrigins: ['https://app.example.com', 'https://*.example.org']\n" \
	"      allowHeaders: [x-mine]\n      exposeHeaders: [x-theirs]\n"
#define PREFLIGHT(origin, method) \
	"OPTIONS /pkg.Greeter/Hello HTTP/1.1\r\nHost: web\r\nOrigin: " origin "\r\nAccess-Control-Request-Method: " method "\r\n" \
	"Access-Control-Request-Headers: content-type,x-other\r\n\r\n"
#define CALL(host, origin) \
	"POST /pkg.Greeter/Hello HTTP/1.1\r\nHost: " host "\r\nContent-Type: application/grpc-web\r\nOrigin: " origin "\r\n" \
	"Transfer-Encoding: chunked\r\n\r\n"
#define APP "https://app.example.com"
#define HEADERS "content-type, x-grpc-web, x-user-agent, grpc-timeout"
#define EXPOSED "grpc-status, grpc-message, grpc-status-details-bin"

static void answer_call(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call,
		"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nAccess-Control-Allow-Origin: https://theirs\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		false);
	call_send_trailers(call, "grpc-status", "0");
	call_release(call, RESET_NONE);
}

/* An endpoint that knows better what its other methods may be called from. */
static void answer_options(struct call *call, enum call_event event)
{
	if (!call_event_ends(event))
		return;
	call_send_head(call, "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: https://theirs\r\nContent-Length: 0\r\n\r\n", true);
	call_release(call, RESET_NONE);
}

static struct chain *start(struct chain_options *options, const char *policy, call_script *script)
{
	options->protocol = "h2";
	options->policy = policy;
	options->serve = script;
	return chain_new(options);
}

static struct call *make_call(struct chain *chain, const char *head, bool end)
{
	struct caller *caller = NULL;
	struct call *call = begin(chain, &caller, head, end, NULL);

	if (!end)
		call_send(call, "", true);
	assert_true(chain_run_until_over(chain, call));
	return call;
}

static void assert_field(struct call *call, const char *name, const char *expected)
{
	struct field *field = head_find_name(&call->head, slice_of(name));

	if (!expected) {
		if (field)
			fail_msg("%s is there: %.*s", name, SLICE_ARGS(field_value(field)));
		return;
	}
	if (!field)
		fail_msg("%s is not there", name);
	if (!slice_equal(field_value(field), slice_of(expected)))
		fail_msg("%s is %.*s, not %s", name, SLICE_ARGS(field_value(field)), expected);
}

static void a_preflight_is_answered_here(struct chain_options options)
{
	struct chain *chain = start(&options, POLICY, answer_options);
	struct call *call = make_call(chain, PREFLIGHT(APP, "POST"), true);

	assert_int_equal(204, call->status);
	assert_field(call, "access-control-allow-origin", APP);
	assert_field(call, "access-control-allow-methods", "POST");
	assert_field(call, "access-control-allow-headers", HEADERS ", x-mine");
	assert_field(call, "access-control-max-age", "600");
	assert_field(call, "access-control-allow-credentials", NULL);
	assert_field(call, "access-control-expose-headers", NULL);
	assert_field(call, "vary", "origin");
	assert_field(call, "content-length", NULL);
	call_release(call, RESET_NONE);
	assert_int_equal(0, chain_opened(chain));
	chain_free(chain);
}

static void others_are_requests_like_any_other(struct chain_options options)
{
	static const char *const heads[] = {
		PREFLIGHT("https://evil.example.com", "POST"),
		PREFLIGHT(APP, "PUT"),
		"OPTIONS / HTTP/1.1\r\nHost: web\r\nOrigin: " APP "\r\n\r\n",
	};
	struct chain *chain = start(&options, POLICY, answer_options);

	for (unsigned i = 0; i < 3; i++) {
		struct call *call = make_call(chain, heads[i], true);

		assert_int_equal(200, call->status);
		assert_field(call, "access-control-allow-origin", "https://theirs");
		call_release(call, RESET_NONE);
		assert_int_equal(i + 1, chain_opened(chain));
	}
	chain_free(chain);
}

static void all_and_with_credentials(struct chain_options options)
{
	struct chain *chain =
		start(&options, "    grpcWeb: true\n    cors: {allowOrigins: ['*'], allowHeaders: ['*'], maxAgeSecs: 5}\n", answer_call);
	struct call *call = make_call(chain, PREFLIGHT("http://localhost:3000", "POST"), true);

	assert_field(call, "access-control-allow-origin", "*");
	assert_field(call, "access-control-allow-headers", "content-type,x-other");
	assert_field(call, "access-control-max-age", "5");
	assert_field(call, "vary", NULL);
	call_release(call, RESET_NONE);
	chain_free(chain);

	chain = start(&options, "    grpcWeb: true\n    cors: {allowOrigins: ['" APP "'], allowCredentials: true}\n", answer_call);
	call = make_call(chain, CALL("web", APP), false);
	assert_field(call, "access-control-allow-origin", APP);
	assert_field(call, "access-control-allow-credentials", "true");
	call_release(call, RESET_NONE);
	chain_free(chain);
}

static void answers_may_be_read(struct chain_options options)
{
	struct chain *chain = start(&options, POLICY, answer_call);
	struct call *call = make_call(chain, CALL("web", APP), false);

	assert_int_equal(200, call->status);
	/* The endpoint's own is replaced: a browser takes but one. */
	assert_field(call, "access-control-allow-origin", APP);
	assert_field(call, "access-control-expose-headers", EXPOSED ", x-theirs");
	assert_field(call, "vary", "origin");
	call_release(call, RESET_NONE);
	/* The proxy's own as well, or a page would only see a network error. */
	call = make_call(chain, CALL("nowhere", "https://a.b.example.org"), false);
	assert_field(call, "grpc-status", "14");
	assert_field(call, "access-control-allow-origin", "https://a.b.example.org");
	call_release(call, RESET_NONE);
	/* Others are answered, and their browsers don't show it. */
	call = make_call(chain, CALL("web", "https://evil.example.com"), false);
	assert_int_equal(200, call->status);
	assert_field(call, "access-control-allow-origin", NULL);
	assert_field(call, "vary", "origin");
	call_release(call, RESET_NONE);
	chain_free(chain);
}

static void test_origins(void **state)
{
	static const struct slice origins[] = { { "https://app.example.com", 23 }, { "http://*.example.org:8080", 25 } };
	const struct cors_policy policy = { .origins = origins, .origin_count = 2 };
	static const struct {
		const char *origin;
		bool allowed;
	} table[] = {
		{ "https://app.example.com", true },
		{ "HTTPS://App.Example.com", true },
		{ "http://app.example.com", false },
		{ "https://app.example.com:444", false },
		{ "https://app.example.com.evil", false },
		{ "https://xapp.example.com", false },
		{ "http://a.example.org:8080", true },
		{ "http://a.b.example.org:8080", true },
		{ "http://.example.org:8080", false },
		{ "http://example.org:8080", false },
		{ "http://a.example.org", false },
		{ "http://evil:1/.example.org:8080", false },
		{ "http://evilexample.org:8080", false },
		{ "null", false },
		{ "", false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
		if (cors_allows(&policy, slice_of(table[i].origin)) != table[i].allowed)
			fail_msg("%s", table[i].origin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origins),
		EVERY_CODEC(a_preflight_is_answered_here),
		EVERY_CODEC(others_are_requests_like_any_other),
		EVERY_CODEC(all_and_with_credentials),
		EVERY_CODEC(answers_may_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How requests are called: each identifier, through the whole proxy. */
#include "calls.h"

#include <stdio.h>

struct named {
	const char *identifier, *head;
	unsigned status;
	const char *shows; /* at the origin the target, else in the answer */
};

static const struct named table[] = {
	{ "{kind: io.l5d.header.path, segments: 1}", "GET /web/x?q HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/web/x?q" },
	{ "{kind: io.l5d.header.path}", "GET /web/?q=/a/b HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/web/?q=/a/b" },
	{ "{kind: io.l5d.header.path}", "GET /other/web HTTP/1.1\r\nHost: h\r\n\r\n", 502, "service name: /svc/other/web\n" },
	{ "{kind: io.l5d.header.path, segments: 2}", "GET /web HTTP/1.1\r\nHost: h\r\n\r\n", 400,
		" / Path must have at least 2 segment(s)" },
	{ "{kind: io.l5d.header.path}", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, " / Path must have at least 1 segment(s)" },
	{ "{kind: io.l5d.header.path, header: x-way, segments: 1}", "GET / HTTP/1.1\r\nHost: h\r\nX-Way: /web/1\r\n\r\n", 200, "/" },
	{ "{kind: io.l5d.header.path, header: x-way}", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, " / x-way header is absent" },
	{ "{kind: io.l5d.header.token, header: ':authority'}", "GET / HTTP/1.1\r\nHost: web\r\n\r\n", 200, "/" },
	{ "{kind: io.l5d.header}", "GET / HTTP/1.1\r\nHost: h\r\nl5d-name: /web\r\n\r\n", 200, "/" },
	{ "{kind: io.l5d.header}", "GET / HTTP/1.1\r\nHost: h\r\nl5d-name: /a b\r\n\r\n", 400, "found at '/a [b]'" },
	{ "{kind: io.l5d.header}", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, " / l5d-name header is absent" },
	{ "{kind: io.l5d.path}", "GET /web/x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/web/x" },
	{ "{kind: io.l5d.path}", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, " / not enough segments in path" },
	{ "{kind: io.l5d.path, consume: true}", "GET /web/x/?q HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/x/?q" },
	{ "{kind: io.l5d.path, consume: true}", "GET /web HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/" },
	{ "{kind: io.l5d.path, consume: true}", "GET /web?q HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/?q" },
	{ "{kind: io.l5d.path, segments: 2}", "GET /a/b/c HTTP/1.1\r\nHost: h\r\n\r\n", 502, "service name: /svc/a/b\n" },
	{ "{kind: io.l5d.methodAndHost}", "GET /a HTTP/1.1\r\nHost: Web\r\n\r\n", 502, "service name: /svc/1.1/GET/web\n" },
	{ "{kind: io.l5d.methodAndHost, httpUriInDst: true}", "GET /a/b?q HTTP/1.1\r\nHost: Web\r\n\r\n", 502,
		"service name: /svc/1.1/GET/web/a/b\n" },
	{ "{kind: io.l5d.static, path: /web}", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 200, "/a" },
	{ "[{kind: io.l5d.path, segments: 2}, {kind: io.l5d.header.token}]", "GET /a HTTP/1.1\r\nHost: web\r\n\r\n", 200, "/a" },
};

static char target[64];

static void keep_target(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED)
		snprintf(target, sizeof target, "%.*s", SLICE_ARGS(call->head.target));
	answer_hello(call, event);
}

static void requests_are_called_as_the_router_says(struct chain_options options)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct chain *chain;
		struct caller *caller = NULL;
		struct call *call;
		char policy[200];

		snprintf(policy, sizeof policy, "  identifier: %s\n", table[i].identifier);
		options.policy = policy;
		options.serve = keep_target;
		chain = chain_new(&options);
		call = begin(chain, &caller, table[i].head, true, call_release_when_over);
		assert_true(chain_run_until_over(chain, call));
		assert_int_equal(table[i].status, call->status);
		if (call->status == 200) {
			check_hello(call);
			assert_string_equal(table[i].shows, target);
		} else {
			if (!strstr(call->body.bytes, table[i].shows))
				fail_msg("%s: %s", table[i].shows, call->body.bytes);
		}
		chain_free(chain);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		EVERY_CODEC(requests_are_called_as_the_router_says),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

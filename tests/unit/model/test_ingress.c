/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/ingress.h"

#define TO(name) \
	{ \
		.namespace = SLICE("default"), .port = SLICE("http"), .service = SLICE(name) \
	}
#define RULE(h, k, p, name) \
	{ \
		.host = SLICE(h), .kind = (k), .path = SLICE(p), .to = TO(name) \
	}

static void expect(const struct ingress *ingress, const char *host, const char *target, const char *service)
{
	const struct ingress_backend *found = ingress_find(ingress, slice_of(host), slice_of(target));
	struct slice got = found ? found->service : SLICE("nothing");

	if (!slice_equal(got, slice_of(service)))
		fail_msg("%s %s goes to %.*s instead of %s", host, target, SLICE_ARGS(got), service);
}

static void what_says_most_counts(void **state)
{
	static const struct ingress_rule rules[] = {
		RULE("", INGRESS_PREFIX, "/only", "everywhere"),
		RULE("hello.world", INGRESS_PATTERN, "/a.*", "pattern"),
		RULE("hello.world", INGRESS_PATTERN, "/ab.*", "second pattern"),
		RULE("hello.world", INGRESS_PREFIX, "/api", "short"),
		RULE("hello.world", INGRESS_PREFIX, "/api/v1/", "long"),
		RULE("hello.world", INGRESS_EXACT, "/api/v1/x", "exact"),
		RULE("*.world", INGRESS_PREFIX, "/", "wild"),
		RULE("any.path", INGRESS_ANY, "", "any path"),
	};
	struct ingress *ingress = ingress_new(rules, sizeof rules / sizeof *rules);

	(void)state;
	assert_int_equal(ingress_count(ingress), sizeof rules / sizeof *rules);
	expect(ingress, "hello.world", "/abc", "pattern");
	expect(ingress, "hello.world", "/api", "short");
	expect(ingress, "hello.world:8080", "/api/v2?a=/api/v1", "short");
	expect(ingress, "HELLO.world", "/api/v1", "long");
	expect(ingress, "hello.world", "/api/v1/y", "long");
	expect(ingress, "hello.world", "/api/v10", "short");
	expect(ingress, "hello.world", "/api/v1/x", "exact");
	expect(ingress, "hello.world", "/api/v1/x/", "long");
	expect(ingress, "hello.world", "/other", "wild");
	expect(ingress, "hello.world", "/only/x", "wild"); /* a host says more than a path */
	expect(ingress, "a.b.world", "/", "nothing");
	expect(ingress, ".world", "/", "nothing");
	expect(ingress, "a.b.world", "/only", "everywhere");
	expect(ingress, "", "/only#x", "everywhere");
	expect(ingress, "any.path", "*", "any path");
	expect(ingress, "[::1]:80", "/", "nothing");
	ingress_unref(ingress);
}

static void the_first_of_equals_and_the_first_default(void **state)
{
	static const struct ingress_rule rules[] = {
		{ .kind = INGRESS_DEFAULT, .to = TO("default") },
		{ .kind = INGRESS_DEFAULT, .to = TO("second default") },
		RULE("a", INGRESS_PATTERN, "/.*", "first"),
		RULE("a", INGRESS_PATTERN, "/x.*", "second"),
	};
	struct ingress *ingress = ingress_new(rules, 4);

	(void)state;
	expect(ingress, "a", "/x", "first");
	expect(ingress, "b", "/x", "default");
	ingress_unref(ingress_ref(ingress));
	assert_int_equal(ingress_failure(ingress).length, 0);
	ingress_unref(ingress);
}

static void a_failure_says_why(void **state)
{
	struct ingress *ingress = ingress_new_failed(SLICE("it answers 403"));

	(void)state;
	assert_true(slice_equal(ingress_failure(ingress), SLICE("it answers 403")));
	expect(ingress, "a", "/", "nothing");
	ingress_unref(ingress);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_says_most_counts),
		cmocka_unit_test(the_first_of_equals_and_the_first_default),
		cmocka_unit_test(a_failure_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

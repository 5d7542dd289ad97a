/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/see/kube_name.h"

static void expect(const char *client, const char *namespace, const char *service, const char *port)
{
	struct kube_name name;

	assert_true(kube_name_of_client(slice_of(client), &name));
	assert_true(slice_equal(name.namespace, slice_of(namespace)));
	assert_true(slice_equal(name.service, slice_of(service)));
	assert_true(slice_equal(name.port, slice_of(port)));
}

static void test_services_behind_namers_and_transformers(void **state)
{
	(void)state;
	expect("#/io.l5d.k8s/shop/http/cart", "shop", "cart", "http");
	expect("#/io.l5d.k8s/shop/80/cart/v2", "shop", "cart", "80");
	expect("#/io.l5d.k8s.external/shop/80/cart", "shop", "cart", "80");
	expect("#/io.l5d.k8s.ns/http/cart", "", "cart", "http");
	expect("%/io.l5d.k8s.daemonset/default/incoming/l5d/#/io.l5d.k8s/shop/http/cart", "shop", "cart", "http");
	expect("%/io.l5d.k8s.localnode/10.1.2.3/#/io.l5d.k8s/shop/http/cart", "shop", "cart", "http");
}

static void test_what_is_no_service(void **state)
{
	static const char *const clients[] = {
		"",
		"#",
		"#/",
		"#/io.l5d.fs/web",
		"#/io.l5d.k8s",
		"#/io.l5d.k8s/shop",
		"#/io.l5d.k8s/shop/http",
		"#/io.l5d.k8s/shop/http/",
		"#/io.l5d.k8s.ns/http",
		"$/inet/127.0.0.1/80",
		"overflow",
		"x#/io.l5d.k8s/shop/http/cart",
	};
	struct kube_name name;

	(void)state;
	for (unsigned i = 0; i < sizeof clients / sizeof *clients; i++)
		assert_false(kube_name_of_client(slice_of(clients[i]), &name));
}

static void test_what_transformers_have_put_before(void **state)
{
	(void)state;
	assert_true(slice_equal(kube_name_bound(SLICE("%/io.l5d.k8s.localnode/10.1.2.3/#/io.l5d.k8s/shop/http/cart")),
		SLICE("#/io.l5d.k8s/shop/http/cart")));
	assert_true(slice_equal(kube_name_bound(SLICE("#/io.l5d.fs/web")), SLICE("#/io.l5d.fs/web")));
	assert_int_equal(kube_name_bound(SLICE("$/inet/127.0.0.1/80")).length, 0);
}

static void test_callers(void **state)
{
	static const char *const pairs[][2] = {
		{ "spiffe://example.org/ns/shop/sa/front", "shop/front" },
		{ "spiffe://example.org/front", "spiffe://example.org/front" },
		{ "spiffe://example.org/ns/shop/sa/front/x", "spiffe://example.org/ns/shop/sa/front/x" },
		{ "plaintext", "plaintext" },
		{ "dns:front.example", "dns:front.example" },
	};
	struct text out = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		text_clear(&out);
		kube_name_of_caller(slice_of(pairs[i][0]), &out);
		assert_string_equal(out.bytes, pairs[i][1]);
	}
	text_free(&out);
}

static void test_lists_are_joined_in_order(void **state)
{
	static const char *const sums[][3] = {
		{ "", "", "" },
		{ "b", "", "b" },
		{ "", "b", "b" },
		{ "b", "b", "b" },
		{ "b", "a", "a,b" },
		{ "b", "c", "b,c" },
		{ "a,c", "b", "a,b,c" },
		{ "a,c", "c,b,a,d", "a,b,c,d" },
		{ "cart", "cart-v2", "cart,cart-v2" },
		{ "cart-v2", "cart", "cart,cart-v2" },
	};
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0);
	for (unsigned i = 0; i < sizeof sums / sizeof *sums; i++) {
		struct slice joined = kube_name_join(&arena, slice_of(sums[i][0]), slice_of(sums[i][1]));

		assert_true(slice_equal(joined, slice_of(sums[i][2])));
	}
	arena_reset(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services_behind_namers_and_transformers),
		cmocka_unit_test(test_what_is_no_service),
		cmocka_unit_test(test_what_transformers_have_put_before),
		cmocka_unit_test(test_callers),
		cmocka_unit_test(test_lists_are_joined_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

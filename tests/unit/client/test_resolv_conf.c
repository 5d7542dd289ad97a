/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client/hosts.h"
#include "client/resolv_conf.h"

static void expect_address(const struct address *address, const char *text)
{
	char shown[ADDRESS_TEXT];
	address_format(address, shown);
	assert_string_equal(shown, text);
}

static void an_empty_file_has_defaults(void **state)
{
	(void)state;
	struct resolv_conf conf;
	resolv_conf_parse((struct slice){ 0 }, &conf);
	assert_int_equal(conf.server_count, 1);
	expect_address(&conf.servers[0], "127.0.0.1:53");
	assert_int_equal(conf.search_count, 0);
	assert_int_equal(conf.ndots, 1);
	assert_int_equal(conf.attempts, 2);
	assert_true(conf.timeout_ns == 5 * CLOCK_SECOND);
	assert_false(conf.rotate);
}

static void a_kubernetes_pods_file(void **state)
{
	(void)state;
	struct resolv_conf conf;
	resolv_conf_parse(SLICE("search default.svc.cluster.local svc.cluster.local  cluster.local\r\nnameserver 10.96.0.10\r\n"
				"options ndots:5 timeout:2 attempts:3 rotate edns0\n"),
		&conf);
	expect_address(&conf.servers[0], "10.96.0.10:53");
	assert_int_equal(conf.search_count, 3);
	assert_string_equal(conf.search[0], "default.svc.cluster.local");
	assert_string_equal(conf.search[2], "cluster.local");
	assert_int_equal(conf.ndots, 5);
	assert_int_equal(conf.attempts, 3);
	assert_true(conf.timeout_ns == 2 * CLOCK_SECOND);
	assert_true(conf.rotate);
}

static void the_rest(void **state)
{
	(void)state;
	struct resolv_conf conf;
	resolv_conf_parse(SLICE("# nameserver 1.1.1.1\n;x\nnameserver\nnameserver nonsense\n\tnameserver fd00::53\n"
				"nameserver [fd00::54]:5353\nnameserver 127.0.0.1:5300\nnameserver 9.9.9.9\n"
				"search a b\nsearch x! c d. e f g h i\n"
				"options ndots:99 timeout:0 attempts:x attempts: ndots timeout:-1\nlookup file bind\n"
				"nonsense"),
		&conf);
	assert_int_equal(conf.server_count, 3);
	expect_address(&conf.servers[0], "[fd00::53]:53");
	expect_address(&conf.servers[1], "[fd00::54]:5353");
	expect_address(&conf.servers[2], "127.0.0.1:5300");
	assert_int_equal(conf.search_count, 6);
	assert_string_equal(conf.search[0], "c");
	assert_string_equal(conf.search[1], "d");
	assert_string_equal(conf.search[5], "h");
	assert_int_equal(conf.ndots, 15);
	assert_int_equal(conf.attempts, 2);
	resolv_conf_parse(SLICE("search a b\ndomain c d"), &conf);
	assert_int_equal(conf.search_count, 1);
	assert_string_equal(conf.search[0], "c");
}

static void hosts(void **state)
{
	(void)state;
	struct address found[4];
	struct slice file = SLICE("127.0.0.1\tlocalhost\n# 1.1.1.1 a\n10.0.0.1 a b # c\n10.0.0.2 a\r\nfd00::1 a\n10.0.0.1 A\nx a\n"
				  "10.0.0.3 a\n10.0.0.4 a\n10.0.0.5");
	assert_int_equal(hosts_find(file, SLICE("a"), found, 4), 4);
	expect_address(&found[0], "10.0.0.1:0");
	expect_address(&found[1], "10.0.0.2:0");
	expect_address(&found[2], "[fd00::1]:0");
	expect_address(&found[3], "10.0.0.3:0");
	assert_int_equal(hosts_find(file, SLICE("B."), found, 4), 1);
	assert_int_equal(hosts_find(file, SLICE("c"), found, 4), 0);
	assert_int_equal(hosts_find(file, SLICE("10.0.0.5"), found, 4), 0);
	assert_int_equal(hosts_find((struct slice){ 0 }, SLICE("a"), found, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_has_defaults),
		cmocka_unit_test(a_kubernetes_pods_file),
		cmocka_unit_test(the_rest),
		cmocka_unit_test(hosts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

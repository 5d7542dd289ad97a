/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/address.h"

static void round_trip(const char *text, const char *expected)
{
	struct address address;
	char formatted[ADDRESS_TEXT];
	assert_int_equal(address_parse_with_port(slice_of(text), &address), 0);
	int length = address_format(&address, formatted);
	assert_string_equal(formatted, expected);
	assert_int_equal(length, strlen(expected));
}

static void formats_what_it_parses(void **state)
{
	(void)state;
	round_trip("127.0.1.1:4140", "127.0.1.1:4140");
	round_trip("0.0.0.0:0", "0.0.0.0:0");
	round_trip("255.255.255.255:65535", "255.255.255.255:65535");
	round_trip("[::1]:80", "[::1]:80");
	round_trip("[::]:80", "[::]:80");
	round_trip("[2001:DB8:0:0:1:0:0:1]:80", "[2001:db8::1:0:0:1]:80");    /* RFC 5952 section 4.2.3 */
	round_trip("[2001:db8:0:1:1:1:1:1]:80", "[2001:db8:0:1:1:1:1:1]:80"); /* section 4.2.2 */
	round_trip("[1:0:0:2:0:0:0:3]:80", "[1:0:0:2::3]:80");
	round_trip("[1::]:80", "[1::]:80");
	round_trip("[0:0:0:0:0:0:0:0]:1", "[::]:1");
	round_trip("[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80");
	round_trip("[64:ff9b::192.0.2.33]:80", "[64:ff9b::c000:221]:80");
}

static void refuses_what_is_none(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.4 ",
		"1..2.3",
		"a.b.c.d",
		"-1.2.3.4",
		"0x1.2.3.4",
		":",
		":::",
		"1::2::3",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"12345::",
		"g::",
		"1:2:3:4:5:6:7::8:9",
		"::1.2.3",
		"1.2.3.4::",
		"::1.2.3.4:5",
		"[::1",
		"::1]",
		"[1.2.3.4]",
		"fe80::1%eth0",
		":1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:",
	};
	struct address address = { .port = 7 };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(address_parse(slice_of(bad[i]), 0, &address), ERROR_SYNTAX);
	static const char *const bad_ports[] = { "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:x", "::1:80", "[::1]", ":80" };
	for (size_t i = 0; i < sizeof bad_ports / sizeof *bad_ports; i++)
		assert_int_equal(address_parse_with_port(slice_of(bad_ports[i]), &address), ERROR_SYNTAX);
	assert_int_equal(address.port, 7); /* untouched */
}

static struct address parsed(const char *text)
{
	struct address address;
	assert_int_equal(address_parse_with_port(slice_of(text), &address), 0);
	return address;
}

static void compares_and_hashes(void **state)
{
	(void)state;
	struct address a = parsed("10.0.0.1:80"), b = parsed("10.0.0.1:81"), c = parsed("10.0.0.2:80"), six = parsed("[::1]:80");
	assert_true(address_equal(&a, &a));
	assert_false(address_equal(&a, &b));
	assert_true(address_same_ip(&a, &b));
	assert_false(address_same_ip(&a, &c));
	assert_true(address_compare(&a, &b) < 0);
	assert_true(address_compare(&c, &b) > 0);
	assert_true(address_compare(&c, &six) < 0);
	assert_int_equal(address_compare(&six, &six), 0);
	struct address again = parsed("10.0.0.1:80");
	assert_true(address_hash(&a, 1) == address_hash(&again, 1));
	assert_true(address_hash(&a, 1) != address_hash(&a, 2));
	assert_true(address_hash(&a, 1) != address_hash(&b, 1));
	assert_true(address_hash(&a, 1) != address_hash(&c, 1));
}

static void knows_special_addresses(void **state)
{
	(void)state;
	struct address any = parsed("0.0.0.0:1"), any6 = parsed("[::]:1"), loop = parsed("127.0.1.1:1"), loop6 = parsed("[::1]:1");
	struct address other = parsed("10.0.0.1:1"), none = { 0 };
	char text[ADDRESS_TEXT];
	assert_true(address_is_any(&any) && address_is_any(&any6));
	assert_false(address_is_any(&loop) || address_is_any(&none));
	assert_true(address_is_loopback(&loop) && address_is_loopback(&loop6));
	assert_false(address_is_loopback(&other) || address_is_loopback(&any6));
	address_format(&none, text);
	assert_string_equal(text, "-");
	address_format_ip(&loop6, text);
	assert_string_equal(text, "::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_what_it_parses),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(compares_and_hashes),
		cmocka_unit_test(knows_special_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

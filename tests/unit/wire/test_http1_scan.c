/* SPDX-License-Identifier: Apache-2.0 */
/* The scans that look at many bytes at once stop where those that look at one do, and these where the RFCs say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/http1_scan.h"

enum { LONGEST = 50 };

static void check(const char *from, const char *p, const char *end)
{
	assert_ptr_equal(http1_scan_value(from, p, end), http1_scan_plain(p, end, HTTP1_VALUE));
	assert_ptr_equal(http1_scan_target(from, p, end), http1_scan_plain(p, end, HTTP1_TARGET));
	assert_ptr_equal(http1_scan_token(from, p, end), http1_scan_plain(p, end, HTTP1_TOKEN));
}

/* Every byte at every place of a run of every length. */
static void test_every_byte(void **state)
{
	char bytes[LONGEST];

	(void)state;
	for (unsigned length = 0; length <= LONGEST; length++) {
		memset(bytes, 'a', sizeof bytes);
		check(bytes, bytes, bytes + length);
		for (unsigned at = 0; at < length; at++) {
			for (unsigned c = 0; c < 256; c++) {
				bytes[at] = (char)c;
				check(bytes, bytes, bytes + length);
				check(bytes, bytes + length / 2, bytes + length);
				check(bytes, bytes + (length > 0), bytes + length);
			}
			bytes[at] = 'a';
		}
	}
}

static void check_kind(unsigned c, enum http1_kind kind, bool wanted)
{
	if (http1_is((char)c, kind) != wanted)
		fail_msg("byte 0x%02x, kind %d", c, kind);
}

static void test_kinds(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool digit = c >= '0' && c <= '9', letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		bool visible = c > ' ' && c < 0x7f;

		check_kind(c, HTTP1_DIGIT, digit);
		check_kind(c, HTTP1_HEX, digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
		check_kind(c, HTTP1_VALUE, visible || c == ' ' || c == '\t' || c >= 0x80);
		check_kind(c, HTTP1_TARGET, visible && c != '#');
		check_kind(c, HTTP1_TOKEN, digit || letter || (c != 0 && strchr("!#$%&'*+-.^_`|~", (int)c)));
		check_kind(c, HTTP1_HOST, digit || letter || (c != 0 && strchr("-._~!$&'()*+,;=", (int)c)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

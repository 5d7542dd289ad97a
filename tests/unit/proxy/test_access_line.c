/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/access_line, which looks at many bytes at once, against the same said byte by byte. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "proxy/access_line.h"

enum { LONGEST = 70, MOST = 1024, GUARD = 0x55 };

static char *expect_byte(char *at, unsigned char c, enum access_escape escape, char end)
{
	bool json = escape == ACCESS_ESCAPE_JSON;

	if (c == '"' || c == '\\')
		return at + sprintf(at, "\\%c", c);
	if (json && c == 0x7f)
		return at + sprintf(at, "\x7f");
	if (json && c >= 0x80)
		return at + sprintf(at, "\xef\xbf\xbd");
	if (c < ' ' || c >= 0x7f || c == (unsigned char)end)
		return at + sprintf(at, json ? "\\u%04x" : "\\x%02x", c);
	*at = (char)c;
	return at + 1;
}

/* In memory of just that length, so that sanitizers see what is read behind it. */
static void assert_value(const char *value, size_t length, enum access_escape escape, char end)
{
	char expected[6 * LONGEST], got[MOST + 1], *to = expected, *own = memory_array(length ? length : 1, 1);

	memcpy(own, value, length);
	memset(got, GUARD, sizeof got);
	for (size_t i = 0; i < length; i++)
		to = expect_byte(to, (unsigned char)value[i], escape, end);
	char *stop = end ? access_line_value_to(got, slice_make(own, length), MOST, end)
			 : access_line_value(got, slice_make(own, length), MOST, escape);
	assert_int_equal(to - expected, stop - got);
	assert_memory_equal(expected, got, (size_t)(to - expected));
	memory_free(own);
}

static void test_any_byte_anywhere(void **state)
{
	static const unsigned char bytes[] = { 0, '\t', 0x1f, ' ', '!', '"', '#', ';', '[', '\\', ']', '~', 0x7f, 0x80, 0xff };
	char value[LONGEST];

	(void)state;
	for (size_t length = 0; length <= LONGEST; length++) {
		for (size_t i = 0; i < length; i++) {
			memset(value, 'v', sizeof value);
			for (unsigned k = 0; k < sizeof bytes; k++) {
				value[i] = (char)bytes[k];
				assert_value(value, length, ACCESS_ESCAPE_HEX, 0);
				assert_value(value, length, ACCESS_ESCAPE_JSON, 0);
				assert_value(value, length, ACCESS_ESCAPE_HEX, ';');
				assert_value(value, length, ACCESS_ESCAPE_HEX, ' ');
			}
		}
	}
}

/* Nothing is written behind the most, and what is plain has it all. */
static void test_values_are_cut(void **state)
{
	char value[LONGEST], got[LONGEST + 1];

	(void)state;
	memset(value, 'v', sizeof value);
	for (unsigned most = 8; most < LONGEST; most++) {
		memset(got, GUARD, sizeof got);
		assert_int_equal(most, access_line_value(got, slice_make(value, LONGEST), most, ACCESS_ESCAPE_JSON) - got);
		assert_int_equal(GUARD, got[most]);
		value[most / 2] = '\n';
		memset(got, GUARD, sizeof got);
		assert_in_range(access_line_value(got, slice_make(value, LONGEST), most, ACCESS_ESCAPE_JSON) - got, most - 7, most);
		assert_int_equal(GUARD, got[most]);
		value[most / 2] = 'v';
	}
}

static void test_numbers(void **state)
{
	uint64_t power = 1;

	(void)state;
	for (unsigned i = 0; i < 20; i++, power *= 10) {
		const uint64_t numbers[] = { power - 1, power, power + 7, power * 9 / 7 };

		for (unsigned k = 0; k < 4; k++) {
			char expected[24], got[24] = "";

			snprintf(expected, sizeof expected, "%" PRIu64, numbers[k]);
			*access_line_number(got, numbers[k]) = '\0';
			assert_string_equal(expected, got);
		}
	}
}

static void test_addresses(void **state)
{
	static const char *const texts[] = { "0.0.0.0", "127.0.0.1", "10.20.30.255", "::1", "2001:db8::7" };

	(void)state;
	for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct address address;
		char got[ADDRESS_TEXT] = "";

		assert_int_equal(0, address_parse(slice_of(texts[i]), 0, &address));
		*access_line_ip(got, &address) = '\0';
		assert_string_equal(texts[i], got);
	}
}

static void test_each_byte_of_an_address(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			struct address address = { .family = ADDRESS_IP4 };
			char expected[ADDRESS_TEXT], got[ADDRESS_TEXT] = "";

			address.ip[i] = (uint8_t)byte;
			address_format_ip(&address, expected);
			*access_line_ip(got, &address) = '\0';
			assert_string_equal(expected, got);
		}
	}
}

static void assert_time(struct worker *worker, int64_t wall, const char *text)
{
	char got[40] = "";

	*access_line_time(got, worker, wall) = '\0';
	assert_string_equal(text, got);
}

/* What the last one was makes no difference. */
static void test_times(void **state)
{
	struct worker *worker = memory_new(sizeof *worker);
	const int64_t second = INT64_C(1795717339) * CLOCK_SECOND;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_time(worker, second, "2026-11-26T18:22:19.000Z");
		assert_time(worker, second + 123 * CLOCK_MS, "2026-11-26T18:22:19.123Z");
		assert_time(worker, second + 124 * CLOCK_MS - 1, "2026-11-26T18:22:19.123Z");
		assert_time(worker, second + 999 * CLOCK_MS, "2026-11-26T18:22:19.999Z");
		assert_time(worker, second + 1009 * CLOCK_MS, "2026-11-26T18:22:20.009Z");
		assert_time(worker, second - CLOCK_MS, "2026-11-26T18:22:18.999Z");
		assert_time(worker, 0, "1970-01-01T00:00:00.000Z");
	}
	memory_free(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_byte_anywhere),
		cmocka_unit_test(test_values_are_cut),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_each_byte_of_an_address),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

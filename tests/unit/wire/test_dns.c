/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/dns_message.h"
#include "wire/dns.h"

static struct dns_name name_of(const char *text)
{
	struct dns_name name;
	assert_int_equal(dns_name_parse(slice_of(text), &name), 0);
	return name;
}

static void expect_name(const struct dns_name *name, const char *text)
{
	char shown[DNS_NAME_TEXT];
	assert_int_equal(dns_name_show(name, shown), strlen(text));
	assert_string_equal(shown, text);
}

static void names(void **state)
{
	(void)state;
	struct dns_name name = name_of("WWW.Example-1._tcp.com.");
	expect_name(&name, "www.example-1._tcp.com");
	name = name_of("*.a");
	expect_name(&name, "*.a");
	static const char *const bad[] = { "", ".", "a..b", ".a", "a..", "a b", "a/b", "b*", "a.*", "\xc3\xa9.com" };
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(dns_name_parse(slice_of(bad[i]), &name), ERROR_SYNTAX);
	char label[65];
	memset(label, 'x', sizeof label);
	assert_int_equal(dns_name_parse(slice_make(label, 63), &name), 0);
	assert_int_equal(dns_name_parse(slice_make(label, 64), &name), ERROR_SYNTAX);
	char longest[256];
	memset(longest, 'x', sizeof longest);
	for (int i = 49; i < 256; i += 50)
		longest[i] = '.';
	assert_int_equal(dns_name_parse(slice_make(longest, 253), &name), 0);
	assert_int_equal(name.length, 255);
	assert_int_equal(dns_name_parse(slice_make(longest, 254), &name), ERROR_SYNTAX);
}

static void writes_queries(void **state)
{
	(void)state;
	char query[DNS_QUERY_MAX];
	struct dns_name name = name_of("a.bc");
	static const char plain[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"
				    "a\x02"
				    "bc\x00\x00\x1c\x00\x01";
	assert_int_equal(dns_query_write(0x1234, &name, DNS_AAAA, 0, query), sizeof plain - 1);
	assert_memory_equal(query, plain, sizeof plain - 1);
	size_t length = dns_query_write(0x1234, &name, DNS_A, 1232, query);
	assert_int_equal(length, sizeof plain - 1 + 11);
	assert_int_equal(query[11], 1);
	assert_memory_equal(query + length - 11, "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", 11);
}

/* A response to `asked`, ready for records. */
static struct dns_message response_to(const char *asked, enum dns_type type, unsigned flags)
{
	struct dns_message m;
	dns_message_start(&m, 7, 0x8180 | flags);
	dns_message_question(&m, asked, type);
	return m;
}

static struct dns_answer read_good(const struct dns_message *m, const char *asked, enum dns_type type)
{
	struct dns_answer answer;
	struct dns_name name = name_of(asked);
	assert_int_equal(dns_answer_read(dns_message_slice(m), 7, &name, type, &answer), 0);
	return answer;
}

static int read_error(const struct dns_message *m, const char *asked, enum dns_type type)
{
	struct dns_answer answer;
	struct dns_name name = name_of(asked);
	return dns_answer_read(dns_message_slice(m), 7, &name, type, &answer);
}

static void addresses_with_the_least_ttl(void **state)
{
	(void)state;
	struct dns_message m = response_to("A.example", DNS_A, 0);
	struct dns_value value;
	dns_message_a(&m, "a.EXAMPLE", 300, "\x0a\x00\x00\x01");
	dns_message_a(&m, "other.example", 1, "\x0a\x00\x00\x09");
	dns_message_a(&m, "a.example", 60, "\x0a\x00\x00\x02");
	struct dns_answer answer = read_good(&m, "a.example", DNS_A);
	assert_int_equal(answer.outcome, DNS_FOUND);
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.ttl, 60);
	assert_true(dns_answer_next(&answer, &value));
	assert_memory_equal(value.ip, "\x0a\x00\x00\x01", 4);
	assert_true(dns_answer_next(&answer, &value));
	assert_memory_equal(value.ip, "\x0a\x00\x00\x02", 4);
	assert_false(dns_answer_next(&answer, &value));
}

static void chains_in_any_order(void **state)
{
	(void)state;
	struct dns_message m = response_to("a.x", DNS_AAAA, 0);
	struct dns_value value;
	dns_message_aaaa(&m, "c.x", 100, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01");
	dns_message_cname(&m, "b.x", 5, "c.x");
	dns_message_cname(&m, "a.x", 50, "b.x");
	struct dns_answer answer = read_good(&m, "a.x", DNS_AAAA);
	assert_int_equal(answer.outcome, DNS_FOUND);
	assert_int_equal(answer.ttl, 5);
	expect_name(&answer.name, "c.x");
	assert_true(dns_answer_next(&answer, &value));
	assert_int_equal(value.ip[15], 1);
}

static void chains_in_circles_or_too_long(void **state)
{
	(void)state;
	struct dns_message m = response_to("a.x", DNS_A, 0);
	dns_message_cname(&m, "a.x", 50, "b.x");
	dns_message_cname(&m, "b.x", 50, "a.x");
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_SYNTAX);
	m = response_to("n0.x", DNS_A, 0);
	for (int i = 0; i < DNS_CHAIN_MAX; i++) {
		char from[16], to[16];
		snprintf(from, sizeof from, "n%d.x", i);
		snprintf(to, sizeof to, "n%d.x", i + 1);
		dns_message_cname(&m, from, 50, to);
	}
	dns_message_a(&m, "n16.x", 1, "\1\2\3\4");
	assert_int_equal(read_error(&m, "n0.x", DNS_A), ERROR_SYNTAX);
}

static void negative_answers_take_the_soa(void **state)
{
	(void)state;
	struct dns_message m = response_to("no.x", DNS_A, DNS_CODE_NO_NAME);
	dns_message_soa(&m, "x", 900, 30);
	struct dns_answer answer = read_good(&m, "no.x", DNS_A);
	assert_int_equal(answer.outcome, DNS_NO_NAME);
	assert_int_equal(answer.ttl, 30);
	m = response_to("no.x", DNS_A, 0);
	dns_message_soa(&m, "x", 20, 300);
	answer = read_good(&m, "no.x", DNS_A);
	assert_int_equal(answer.outcome, DNS_NO_DATA);
	assert_int_equal(answer.ttl, 20);
	m = response_to("no.x", DNS_A, 0); /* no SOA: not to be kept */
	answer = read_good(&m, "no.x", DNS_A);
	assert_int_equal(answer.outcome, DNS_NO_DATA);
	assert_int_equal(answer.ttl, 0);
	m = response_to("no.x", DNS_A, DNS_CODE_NO_NAME); /* an alias of something that doesn't exist */
	dns_message_cname(&m, "no.x", 7, "none.x");
	dns_message_soa(&m, "x", 900, 30);
	answer = read_good(&m, "no.x", DNS_A);
	assert_int_equal(answer.outcome, DNS_NO_NAME);
	assert_int_equal(answer.ttl, 7);
}

static void ttl_with_the_highest_bit_is_zero(void **state)
{
	(void)state;
	struct dns_message m = response_to("a.x", DNS_A, 0);
	dns_message_a(&m, "a.x", 0x80000001u, "\1\2\3\4");
	assert_int_equal(read_good(&m, "a.x", DNS_A).ttl, 0);
}

static void srv(void **state)
{
	(void)state;
	struct dns_message m = response_to("_http._tcp.x", DNS_SRV, 0);
	struct dns_value value;
	dns_message_srv(&m, "_http._tcp.x", 30, 10, 20, 8080, "Host.x");
	struct dns_answer answer = read_good(&m, "_http._tcp.x", DNS_SRV);
	assert_true(dns_answer_next(&answer, &value));
	assert_int_equal(value.priority, 10);
	assert_int_equal(value.weight, 20);
	assert_int_equal(value.port, 8080);
	expect_name(&value.target, "host.x");
}

static void failures_truncation_and_extended_codes(void **state)
{
	(void)state;
	struct dns_message m = response_to("a.x", DNS_A, DNS_CODE_SERVER_FAILURE);
	struct dns_answer answer = read_good(&m, "a.x", DNS_A);
	assert_int_equal(answer.outcome, DNS_FAILED);
	assert_int_equal(answer.code, DNS_CODE_SERVER_FAILURE);
	m = response_to("a.x", DNS_A, 0x0200);
	dns_message_a(&m, "a.x", 60, "\1\2\3\4");
	m.length -= 3; /* cut inside a record, as truncation may */
	assert_int_equal(read_good(&m, "a.x", DNS_A).outcome, DNS_TRUNCATED);
	m = response_to("a.x", DNS_A, 0);
	dns_message_record(&m, DNS_ADDITIONAL, "", DNS_OPT, 1232, 0x01000000, SLICE("")); /* BADVERS, RFC 6891 section 9 */
	answer = read_good(&m, "a.x", DNS_A);
	assert_int_equal(answer.outcome, DNS_FAILED);
	assert_int_equal(answer.code, 16);
	dns_message_start(&m, 7, 0x8180 | DNS_CODE_FORMAT); /* without its question */
	assert_int_equal(read_good(&m, "a.x", DNS_A).code, DNS_CODE_FORMAT);
	dns_message_start(&m, 7, 0x8180);
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_INVALID);
}

static void other_questions_are_no_answers(void **state)
{
	(void)state;
	struct dns_message m = response_to("a.x", DNS_A, 0);
	dns_message_a(&m, "a.x", 60, "\1\2\3\4");
	assert_int_equal(read_error(&m, "b.x", DNS_A), ERROR_INVALID);
	assert_int_equal(read_error(&m, "a.x", DNS_AAAA), ERROR_INVALID);
	m.bytes[1] = 8;
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_INVALID);
	m.bytes[1] = 7;
	m.bytes[2] = 1; /* a query */
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_INVALID);
	m.length = 11;
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_INVALID);
}

static void compression(void **state)
{
	(void)state;
	struct dns_message m = response_to("www.example.com", DNS_A, 0);
	/* Answer's name: a pointer to the question's; a CNAME whose target is a label and a pointer into the
	 * question. */
	dns_message_raw(&m, DNS_ANSWER,
		SLICE("\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x06\x03"
		      "cdn\xc0\x10"));
	dns_message_raw(&m, DNS_ANSWER, SLICE("\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04"));
	struct dns_answer answer = read_good(&m, "www.example.com", DNS_A);
	assert_int_equal(answer.outcome, DNS_FOUND);
	expect_name(&answer.name, "cdn.example.com");
	static const char *const bad[] = {
		"\xc0\x21", /* at itself */
		"\xc0\x22", /* forward */
		"\xc0\xff", /* beyond the end */
		"\x01"
		"a\xc0\x21", /* a circle with a label in it */
		"\x40"
		"a", /* reserved kinds of label */
		"\x80"
		"a",
	};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		m = response_to("www.example.com", DNS_A, 0);
		assert_int_equal(m.length, 0x21);
		dns_message_raw(&m, DNS_ANSWER, slice_of(bad[i]));
		dns_message_raw(&m, 0, slice_make("\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04", 14));
		assert_int_equal(read_error(&m, "www.example.com", DNS_A), ERROR_SYNTAX);
	}
}

static void wrong_lengths(void **state)
{
	(void)state;
	struct dns_message m = response_to("a.x", DNS_A, 0);
	dns_message_record(&m, DNS_ANSWER, "a.x", DNS_A, 1, 60, SLICE("\1\2\3"));
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_SYNTAX);
	m = response_to("a.x", DNS_A, 0);
	dns_message_record(&m, DNS_ANSWER, "a.x", DNS_CNAME, 1, 60, SLICE("\1b\1x\0!"));
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_SYNTAX);
	m = response_to("a.x", DNS_A, 0);
	dns_message_a(&m, "a.x", 60, "\1\2\3\4");
	for (size_t cut = m.length - 1; cut > 21; cut--) {
		m.length = cut;
		assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_SYNTAX);
	}
	m = response_to("a.x", DNS_A, 0);
	m.bytes[7] = 1; /* a record is announced and missing */
	assert_int_equal(read_error(&m, "a.x", DNS_A), ERROR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(writes_queries),
		cmocka_unit_test(addresses_with_the_least_ttl),
		cmocka_unit_test(chains_in_any_order),
		cmocka_unit_test(chains_in_circles_or_too_long),
		cmocka_unit_test(negative_answers_take_the_soa),
		cmocka_unit_test(ttl_with_the_highest_bit_is_zero),
		cmocka_unit_test(srv),
		cmocka_unit_test(failures_truncation_and_extended_codes),
		cmocka_unit_test(other_questions_are_no_answers),
		cmocka_unit_test(compression),
		cmocka_unit_test(wrong_lengths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

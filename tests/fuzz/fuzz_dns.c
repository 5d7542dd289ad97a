/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a DNS response. The question is taken from the message itself, if it has one, so that the fuzzer gets
 * past the comparison; what is answered must hold together. */
#include <stdint.h>

#include "base/check.h"
#include "wire/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_name(const struct dns_name *name)
{
	char text[DNS_NAME_TEXT];
	struct dns_name again;
	CHECK(name->length >= 1 && name->labels[name->length - 1] == 0);
	int n = dns_name_show(name, text);
	CHECK(n == ERROR_INVALID || (n > 0 && (size_t)n == strlen(text)));
	if (n > 0 && name->length > 1)
		CHECK(dns_name_parse(slice_of(text), &again) == 0 && dns_name_equal(name, &again));
}

static void check_records(struct dns_reader reader)
{
	struct dns_record record;
	while (dns_reader_next(&reader, &record) == 0) {
		check_name(&record.name);
		CHECK(record.at <= reader.message.length && record.length <= reader.message.length - record.at);
	}
}

static void check_answer(struct slice message, uint16_t id, const struct dns_name *name, uint16_t type)
{
	struct dns_answer answer;
	struct dns_value value;
	uint32_t count = 0;
	if (dns_answer_read(message, id, name, (enum dns_type)type, &answer))
		return;
	CHECK(answer.ttl <= INT32_MAX && (answer.outcome == DNS_FOUND) <= (answer.count > 0));
	while (dns_answer_next(&answer, &value)) {
		if (type == DNS_SRV)
			check_name(&value.target);
		count++;
	}
	CHECK(count == (answer.outcome == DNS_FOUND ? answer.count : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const uint16_t types[] = { DNS_A, DNS_AAAA, DNS_SRV };
	struct slice message = slice_make((const char *)bytes, length);
	struct dns_reader reader;
	struct dns_name name;
	uint16_t type, class;
	if (dns_reader_start(&reader, message))
		return 0;
	uint16_t id = reader.id;
	if (dns_reader_question(&reader, &name, &type, &class))
		return 0;
	check_name(&name);
	check_answer(message, id, &name, type);
	for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
		check_answer(message, id, &name, types[i]);
	while (reader.questions) {
		if (dns_reader_question(&reader, &name, &type, &class))
			return 0;
	}
	check_records(reader);
	return 0;
}

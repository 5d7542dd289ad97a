/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/dns.h"

#include "base/check.h"

enum {
	CLASS_IN = 1,
	LABEL_MAX = 63,
	POINTER = 0xc0,
};

/* --- names --- */

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* Adds one label with its length; room for the root's 0 is always kept. */
static int add_label(struct dns_name *name, const uint8_t *label, size_t length)
{
	if (name->length + 1 + length + 1 > DNS_NAME_WIRE)
		return ERROR_SYNTAX;
	name->labels[name->length++] = (uint8_t)length;
	for (size_t i = 0; i < length; i++)
		name->labels[name->length++] = lower(label[i]);
	return 0;
}

static bool is_label(const uint8_t *label, size_t length, bool first)
{
	if (first && length == 1 && label[0] == '*')
		return true;
	for (size_t i = 0; i < length; i++) {
		if (!is_name_byte(lower(label[i])))
			return false;
	}
	return length > 0;
}

int dns_name_parse(struct slice text, struct dns_name *name)
{
	struct slice label;
	name->length = 0;
	if (text.length > 1 && text.at[text.length - 1] == '.')
		text.length--;
	if (!text.length)
		return ERROR_SYNTAX;
	while (slice_split(&text, '.', &label)) {
		const uint8_t *bytes = (const uint8_t *)label.at;
		if (label.length > LABEL_MAX || !is_label(bytes, label.length, name->length == 0))
			return ERROR_SYNTAX;
		int e = add_label(name, bytes, label.length);
		if (e)
			return e;
	}
	name->labels[name->length++] = 0;
	return 0;
}

int dns_name_show(const struct dns_name *name, char text[DNS_NAME_TEXT])
{
	int length = 0;
	for (size_t i = 0; name->labels[i]; i += 1 + name->labels[i]) {
		if (!is_label(&name->labels[i + 1], name->labels[i], i == 0))
			return ERROR_INVALID;
		if (length)
			text[length++] = '.';
		memcpy(text + length, &name->labels[i + 1], name->labels[i]);
		length += name->labels[i];
	}
	if (!length)
		text[length++] = '.';
	text[length] = '\0';
	return length;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->length == b->length && memcmp(a->labels, b->labels, a->length) == 0;
}

/* --- writing --- */

static size_t put16(char *out, size_t at, unsigned value)
{
	out[at] = (char)(value >> 8);
	out[at + 1] = (char)value;
	return at + 2;
}

size_t dns_query_write(uint16_t id, const struct dns_name *name, enum dns_type type, uint16_t udp_size, char query[DNS_QUERY_MAX])
{
	size_t at = put16(query, 0, id);
	at = put16(query, at, 0x0100); /* recursion desired */
	at = put16(query, at, 1);      /* questions */
	at = put16(query, at, 0);
	at = put16(query, at, 0);
	at = put16(query, at, udp_size ? 1 : 0);
	memcpy(query + at, name->labels, name->length);
	at = put16(query, at + name->length, type);
	at = put16(query, at, CLASS_IN);
	if (udp_size) {
		/* RFC 6891 section 6.1.2: the root, OPT, size, no extended code, version 0, no flags, no options. */
		query[at++] = 0;
		at = put16(query, at, DNS_OPT);
		at = put16(query, at, udp_size);
		at = put16(query, at, 0);
		at = put16(query, at, 0);
		at = put16(query, at, 0);
	}
	return at;
}

/* --- reading --- */

static uint8_t byte_at(struct slice message, size_t at)
{
	CHECK(at < message.length);
	return (uint8_t)message.at[at];
}

static uint16_t get16(struct slice message, size_t at)
{
	return (uint16_t)(byte_at(message, at) << 8 | byte_at(message, at + 1));
}

static uint32_t get32(struct slice message, size_t at)
{
	return (uint32_t)get16(message, at) << 16 | get16(message, at + 2);
}

/* A name at *at, which then is behind it. Pointers must lead further back each time, so that there is no circle (RFC
 * 1035 section 4.1.4). */
static int read_name(struct slice message, size_t *at, struct dns_name *name)
{
	size_t i = *at, behind = 0, lowest = *at;
	name->length = 0;
	for (;;) {
		if (i >= message.length)
			return ERROR_SYNTAX;
		uint8_t length = byte_at(message, i);
		if ((length & POINTER) == POINTER) {
			if (i + 1 >= message.length)
				return ERROR_SYNTAX;
			if (!behind)
				behind = i + 2;
			i = (size_t)(length & ~POINTER) << 8 | byte_at(message, i + 1);
			if (i >= lowest)
				return ERROR_SYNTAX;
			lowest = i;
			continue;
		}
		if (length > LABEL_MAX || length >= message.length - i)
			return ERROR_SYNTAX;
		if (!length)
			break;
		int e = add_label(name, (const uint8_t *)message.at + i + 1, length);
		if (e)
			return e;
		i += 1 + length;
	}
	name->labels[name->length++] = 0;
	*at = behind ? behind : i + 1;
	return 0;
}

int dns_reader_start(struct dns_reader *reader, struct slice message)
{
	if (message.length < DNS_HEADER)
		return ERROR_SYNTAX;
	uint16_t flags = get16(message, 2);
	*reader = (struct dns_reader){
		.message = message,
		.at = DNS_HEADER,
		.id = get16(message, 0),
		.response = flags & 0x8000,
		.operation = flags >> 11 & 15,
		.authoritative = flags & 0x0400,
		.truncated = flags & 0x0200,
		.code = flags & 15,
		.questions = get16(message, 4),
		.left = { 0, get16(message, 6), get16(message, 8), get16(message, 10) },
	};
	return 0;
}

int dns_reader_question(struct dns_reader *reader, struct dns_name *name, uint16_t *type, uint16_t *class)
{
	if (!reader->questions)
		return ERROR_NOT_FOUND;
	int e = read_name(reader->message, &reader->at, name);
	if (e)
		return e;
	if (reader->message.length - reader->at < 4)
		return ERROR_SYNTAX;
	*type = get16(reader->message, reader->at);
	*class = get16(reader->message, reader->at + 2);
	reader->at += 4;
	reader->questions--;
	return 0;
}

int dns_reader_next(struct dns_reader *reader, struct dns_record *record)
{
	int section = DNS_ANSWER;
	CHECK(!reader->questions);
	while (section < DNS_SECTIONS && !reader->left[section])
		section++;
	if (section == DNS_SECTIONS)
		return ERROR_NOT_FOUND;
	int e = read_name(reader->message, &reader->at, &record->name);
	if (e)
		return e;
	if (reader->message.length - reader->at < 10)
		return ERROR_SYNTAX;
	record->section = (enum dns_section)section;
	record->type = get16(reader->message, reader->at);
	record->class = get16(reader->message, reader->at + 2);
	record->ttl = get32(reader->message, reader->at + 4);
	record->length = get16(reader->message, reader->at + 8);
	record->at = reader->at + 10;
	if (reader->message.length - record->at < record->length)
		return ERROR_SYNTAX;
	reader->at = record->at + record->length;
	reader->left[section]--;
	return 0;
}

/* RFC 2181 section 8: with the highest bit set it counts as 0. */
static uint32_t ttl_of(uint32_t ttl)
{
	return ttl > INT32_MAX ? 0 : ttl;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* A name that ends exactly where the data does, behind `skip` bytes of it. */
static int read_data_name(struct slice message, const struct dns_record *record, size_t skip, struct dns_name *name)
{
	size_t at = record->at + skip;
	int e = record->length < skip ? ERROR_SYNTAX : read_name(message, &at, name);
	return e ? e : at == record->at + record->length ? 0 : ERROR_SYNTAX;
}

/* RFC 1035 section 3.4.1, RFC 3596 section 2.2, RFC 2782. */
static int read_value(struct slice message, const struct dns_record *record, struct dns_value *value)
{
	*value = (struct dns_value){ 0 };
	switch (record->type) {
	case DNS_A:
	case DNS_AAAA:
		if (record->length != (record->type == DNS_A ? 4 : 16))
			return ERROR_SYNTAX;
		memcpy(value->ip, message.at + record->at, record->length);
		return 0;
	case DNS_SRV:
		if (record->length < 7)
			return ERROR_SYNTAX;
		value->priority = get16(message, record->at);
		value->weight = get16(message, record->at + 2);
		value->port = get16(message, record->at + 4);
		return read_data_name(message, record, 6, &value->target);
	default:
		return 0;
	}
}

/* What stands in the records once through: the values at answer->name, the CNAME there, and what else counts. */
struct pass {
	bool alias;
	struct dns_name target;
	uint32_t alias_ttl, ttl;
	bool soa;
	uint32_t soa_ttl;
};

static int read_soa(struct slice message, const struct dns_record *record, struct pass *pass)
{
	struct dns_name name;
	size_t at = record->at, end = record->at + record->length;
	int e = read_name(message, &at, &name);
	if (!e)
		e = read_name(message, &at, &name);
	if (e || at > end || end - at != 20)
		return ERROR_SYNTAX;
	pass->soa = true;
	pass->soa_ttl = least(ttl_of(record->ttl), ttl_of(get32(message, at + 16)));
	return 0;
}

static int read_record(struct dns_answer *answer, const struct dns_record *record, struct pass *pass)
{
	struct slice message = answer->reader.message;
	struct dns_value value;
	if (record->section == DNS_ADDITIONAL && record->type == DNS_OPT)
		answer->code = (uint16_t)((record->ttl >> 24) << 4 | (answer->code & 15));
	if (record->class != CLASS_IN)
		return 0;
	if (record->section == DNS_AUTHORITY && record->type == DNS_SOA)
		return read_soa(message, record, pass);
	if (record->section != DNS_ANSWER || !dns_name_equal(&record->name, &answer->name))
		return 0;
	if (record->type == answer->type) {
		answer->count++;
		pass->ttl = least(pass->ttl, ttl_of(record->ttl));
		return read_value(message, record, &value);
	}
	if (record->type == DNS_CNAME && !pass->alias) {
		pass->alias = true;
		pass->alias_ttl = ttl_of(record->ttl);
		return read_data_name(message, record, 0, &pass->target);
	}
	return 0;
}

static int read_pass(struct dns_answer *answer, struct pass *pass)
{
	struct dns_reader records = answer->reader;
	struct dns_record record;
	int e;
	*pass = (struct pass){ .ttl = UINT32_MAX };
	while ((e = dns_reader_next(&records, &record)) == 0) {
		e = read_record(answer, &record, pass);
		if (e)
			return e;
	}
	return e == ERROR_NOT_FOUND ? 0 : e;
}

/* From the name asked for along its CNAMEs to values, or to where there are none. */
static int follow(struct dns_answer *answer, struct pass *pass)
{
	uint32_t ttl = UINT32_MAX;
	for (int step = 0; step < DNS_CHAIN_MAX; step++) {
		int e = read_pass(answer, pass);
		if (e)
			return e;
		if (answer->count || !pass->alias) {
			answer->ttl = least(ttl, pass->ttl);
			return 0;
		}
		ttl = least(ttl, pass->alias_ttl);
		answer->name = pass->target;
	}
	return ERROR_SYNTAX;
}

/* Servers that understood nothing leave the question out. */
static int check_question(struct dns_reader *reader, uint16_t id, const struct dns_name *name, enum dns_type type)
{
	struct dns_name asked;
	uint16_t asked_type, asked_class;
	if (!reader->response || reader->id != id || reader->operation != 0)
		return ERROR_INVALID;
	if (!reader->questions)
		return reader->code != DNS_CODE_NONE && reader->code != DNS_CODE_NO_NAME ? 0 : ERROR_INVALID;
	if (reader->questions > 1 || dns_reader_question(reader, &asked, &asked_type, &asked_class))
		return ERROR_INVALID;
	return dns_name_equal(&asked, name) && asked_type == type && asked_class == CLASS_IN ? 0 : ERROR_INVALID;
}

int dns_answer_read(struct slice message, uint16_t id, const struct dns_name *name, enum dns_type type, struct dns_answer *answer)
{
	struct pass pass;
	*answer = (struct dns_answer){ .type = (uint16_t)type, .name = *name };
	if (dns_reader_start(&answer->reader, message))
		return ERROR_INVALID;
	int e = check_question(&answer->reader, id, name, type);
	if (e)
		return e;
	answer->code = answer->reader.code;
	if (answer->reader.truncated) {
		answer->outcome = DNS_TRUNCATED; /* where it was cut, records may be too */
		return 0;
	}
	e = follow(answer, &pass);
	if (e)
		return e;
	if (answer->code != DNS_CODE_NONE && answer->code != DNS_CODE_NO_NAME) {
		answer->outcome = DNS_FAILED;
		answer->ttl = 0;
	} else if (answer->count) {
		answer->outcome = DNS_FOUND;
	} else {
		answer->outcome = answer->code == DNS_CODE_NO_NAME ? DNS_NO_NAME : DNS_NO_DATA;
		answer->ttl = pass.soa ? least(answer->ttl, pass.soa_ttl) : 0;
	}
	return 0;
}

bool dns_answer_next(struct dns_answer *answer, struct dns_value *value)
{
	struct dns_record record;
	if (answer->outcome != DNS_FOUND)
		return false;
	while (dns_reader_next(&answer->reader, &record) == 0) {
		if (record.section == DNS_ANSWER && record.class == CLASS_IN && record.type == answer->type &&
			dns_name_equal(&record.name, &answer->name))
			return read_value(answer->reader.message, &record, value) == 0;
	}
	return false;
}

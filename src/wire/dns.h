/* SPDX-License-Identifier: Apache-2.0 */
/* wire/dns.h: DNS messages of a stub resolver (RFC 1035): queries written, responses read. Pure: no I/O, no clock, no
 * heap; any thread. Nothing is kept: readers and answers lie in the message's bytes, which must outlive them.
 *
 *	char query[DNS_QUERY_MAX];
 *	struct dns_name name;
 *	int e = dns_name_parse(SLICE("example.com"), &name);
 *	size_t n = dns_query_write(id, &name, DNS_A, 1232, query);
 *	...
 *	struct dns_answer answer;
 *	struct dns_value value;
 *	e = dns_answer_read(bytes, id, &name, DNS_A, &answer);
 *	while (answer.outcome == DNS_FOUND && dns_answer_next(&answer, &value)) ...
 */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
	DNS_NAME_WIRE = 255, /* RFC 1035 section 2.3.4 */
	DNS_NAME_TEXT = 256, /* with a NUL */
	DNS_HEADER = 12,
	DNS_QUERY_MAX = DNS_HEADER + DNS_NAME_WIRE + 4 + 11,
	DNS_MESSAGE_MAX = 65535,
	DNS_CHAIN_MAX = 16, /* CNAME records followed from the question to the answer */
};

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
};

enum dns_code {
	DNS_CODE_NONE = 0,
	DNS_CODE_FORMAT = 1,         /* FORMERR */
	DNS_CODE_SERVER_FAILURE = 2, /* SERVFAIL */
	DNS_CODE_NO_NAME = 3,        /* NXDOMAIN */
	DNS_CODE_UNSUPPORTED = 4,    /* NOTIMP */
	DNS_CODE_REFUSED = 5,
};

/* Labels with their lengths in front, ending in the root's 0; ASCII letters in lower case, so that equal names have
 * equal bytes (RFC 4343). */
struct dns_name {
	uint8_t length;
	uint8_t labels[DNS_NAME_WIRE];
};

/* From "www.example.com", with or without a dot at the end. ERROR_SYNTAX: an empty name or label, a label longer
 * than 63 bytes, a name longer than 255, or a byte that is not a letter, digit, `-`, `_` or, as a whole first label,
 * `*`. */
MUST_CHECK int dns_name_parse(struct slice text, struct dns_name *name);
/* To text without the last dot ("." for the root); returns the length. ERROR_INVALID when a label has bytes that
 * dns_name_parse would refuse: such a name can't be a host's. */
MUST_CHECK int dns_name_show(const struct dns_name *name, char text[DNS_NAME_TEXT]);
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/* A query with recursion desired; with `udp_size` > 0 it says by EDNS0 (RFC 6891) that answers of so many bytes are
 * welcome. Returns the length. */
size_t dns_query_write(uint16_t id, const struct dns_name *name, enum dns_type type, uint16_t udp_size, char query[DNS_QUERY_MAX]);

enum dns_section {
	DNS_ANSWER = 1,
	DNS_AUTHORITY,
	DNS_ADDITIONAL,
	DNS_SECTIONS,
};

/* One after the other, all records of a message. */
struct dns_reader {
	struct slice message;
	size_t at;
	uint16_t id;
	bool response, truncated, authoritative;
	uint8_t operation;
	uint8_t code;                /* of the header; the upper bits of an extended code are in the OPT record */
	uint16_t questions;          /* to be read */
	uint16_t left[DNS_SECTIONS]; /* records to be read */
};

struct dns_record {
	enum dns_section section;
	struct dns_name name;
	uint16_t type;
	uint16_t class;
	uint32_t ttl; /* seconds; as sent: see dns_ttl */
	size_t at;    /* of its data in the message, because names there may point back */
	size_t length;
};

/* ERROR_SYNTAX: no DNS message. */
MUST_CHECK int dns_reader_start(struct dns_reader *reader, struct slice message);
/* The next question; ERROR_NOT_FOUND behind the last. */
MUST_CHECK int dns_reader_question(struct dns_reader *reader, struct dns_name *name, uint16_t *type, uint16_t *class);
/* The next record, behind all questions; ERROR_NOT_FOUND behind the last. */
MUST_CHECK int dns_reader_next(struct dns_reader *reader, struct dns_record *record);

enum dns_outcome {
	DNS_FOUND,
	DNS_NO_NAME,   /* the name doesn't exist */
	DNS_NO_DATA,   /* it does, but has nothing of this type */
	DNS_TRUNCATED, /* more than fits: ask again over TCP */
	DNS_FAILED,    /* the server won't say; see `code` */
};

struct dns_answer {
	enum dns_outcome outcome;
	uint16_t code;  /* enum dns_code and above, with EDNS's upper bits */
	uint32_t ttl;   /* seconds: the least of the chain and its values, or of the negative answer; 0: not to be kept */
	uint32_t count; /* values */
	uint16_t type;
	struct dns_name name; /* where the chain of CNAMEs ended */
	struct dns_reader reader;
};

struct dns_value {
	uint8_t ip[16];            /* A (4 bytes) or AAAA */
	uint16_t priority, weight; /* SRV (RFC 2782) */
	uint16_t port;
	struct dns_name target;
};

/* What a response says to the question. Records of the answer section may come in any order. Negative answers are
 * kept for the least of the SOA record's TTL and its MINIMUM (RFC 2308 section 5). ERROR_INVALID: not a response to
 * this question (another id, name or type), to be ignored. ERROR_SYNTAX: it is, but broken: bad names or lengths, or
 * CNAMEs in a circle. */
MUST_CHECK int dns_answer_read(
	struct slice message, uint16_t id, const struct dns_name *name, enum dns_type type, struct dns_answer *answer);
/* The next value of a DNS_FOUND answer for A, AAAA or SRV; false behind the last. */
bool dns_answer_next(struct dns_answer *answer, struct dns_value *value);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages for tests: responses written record by record, uncompressed, without the product's codec. */
#ifndef TESTS_SUPPORT_DNS_MESSAGE_H
#define TESTS_SUPPORT_DNS_MESSAGE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "wire/dns.h"

struct dns_message {
	uint8_t bytes[8192];
	size_t length;
};

static inline struct slice dns_message_slice(const struct dns_message *m)
{
	return slice_make((const char *)m->bytes, m->length);
}

static inline void dns_message_put(struct dns_message *m, const void *bytes, size_t length)
{
	if (m->length + length > sizeof m->bytes)
		abort();
	memcpy(m->bytes + m->length, bytes, length);
	m->length += length;
}

static inline void dns_message_put16(struct dns_message *m, unsigned value)
{
	dns_message_put(m, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static inline void dns_message_put_name(struct dns_message *m, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");
		dns_message_put(m, (uint8_t[]){ (uint8_t)n }, 1);
		dns_message_put(m, text, n);
		text += n + (text[n] == '.');
	}
	dns_message_put(m, "", 1);
}

static inline void dns_message_start(struct dns_message *m, uint16_t id, unsigned flags)
{
	m->length = 0;
	dns_message_put16(m, id);
	dns_message_put16(m, flags);
	dns_message_put(m, "\0\0\0\0\0\0\0\0", 8);
}

static inline void dns_message_question(struct dns_message *m, const char *name, unsigned type)
{
	m->bytes[5]++;
	dns_message_put_name(m, name);
	dns_message_put16(m, type);
	dns_message_put16(m, 1);
}

/* As it is; counted in the section unless that is 0. */
static inline void dns_message_raw(struct dns_message *m, int section, struct slice bytes)
{
	if (section)
		m->bytes[5 + 2 * section]++;
	dns_message_put(m, bytes.at, bytes.length);
}

static inline void dns_message_record(
	struct dns_message *m, int section, const char *name, unsigned type, unsigned class, uint32_t ttl, struct slice bytes)
{
	m->bytes[5 + 2 * section]++;
	dns_message_put_name(m, name);
	dns_message_put16(m, type);
	dns_message_put16(m, class);
	dns_message_put16(m, ttl >> 16);
	dns_message_put16(m, ttl & 0xffff);
	dns_message_put16(m, (unsigned)bytes.length);
	dns_message_put(m, bytes.at, bytes.length);
}

static inline void dns_message_a(struct dns_message *m, const char *name, uint32_t ttl, const char ip[4])
{
	dns_message_record(m, DNS_ANSWER, name, DNS_A, 1, ttl, slice_make(ip, 4));
}

static inline void dns_message_aaaa(struct dns_message *m, const char *name, uint32_t ttl, const char ip[16])
{
	dns_message_record(m, DNS_ANSWER, name, DNS_AAAA, 1, ttl, slice_make(ip, 16));
}

static inline void dns_message_cname(struct dns_message *m, const char *name, uint32_t ttl, const char *target)
{
	struct dns_message to = { .length = 0 };
	dns_message_put_name(&to, target);
	dns_message_record(m, DNS_ANSWER, name, DNS_CNAME, 1, ttl, dns_message_slice(&to));
}

static inline void dns_message_srv(
	struct dns_message *m, const char *name, uint32_t ttl, unsigned priority, unsigned weight, unsigned port, const char *target)
{
	struct dns_message to = { .length = 0 };
	dns_message_put16(&to, priority);
	dns_message_put16(&to, weight);
	dns_message_put16(&to, port);
	dns_message_put_name(&to, target);
	dns_message_record(m, DNS_ANSWER, name, DNS_SRV, 1, ttl, dns_message_slice(&to));
}

static inline void dns_message_soa(struct dns_message *m, const char *zone, uint32_t ttl, uint32_t minimum)
{
	struct dns_message soa = { .length = 0 };
	dns_message_put_name(&soa, "ns.x");
	dns_message_put_name(&soa, "admin.x");
	dns_message_put(&soa, "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 16);
	dns_message_put16(&soa, minimum >> 16);
	dns_message_put16(&soa, minimum & 0xffff);
	dns_message_record(m, DNS_AUTHORITY, zone, DNS_SOA, 1, ttl, dns_message_slice(&soa));
}

#endif

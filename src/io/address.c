/* SPDX-License-Identifier: Apache-2.0 */
#include "io/address.h"

#include <stdio.h>

enum { IP4_BYTES = 4, IP6_BYTES = 16, IP6_GROUPS = 8 };

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* Four decimal numbers without leading zeros, which some readers take for octal. */
static int parse_ip4(struct slice text, uint8_t ip[IP4_BYTES])
{
	struct slice part;
	int n = 0;
	while (slice_split(&text, '.', &part)) {
		uint64_t value;
		if (n == IP4_BYTES || part.length > 3 || (part.length > 1 && part.at[0] == '0'))
			return ERROR_SYNTAX;
		if (slice_to_u64(part, 255, &value))
			return ERROR_SYNTAX;
		ip[n++] = (uint8_t)value;
	}
	return n == IP4_BYTES ? 0 : ERROR_SYNTAX;
}

static int parse_group(struct slice text, uint8_t *bytes)
{
	unsigned value = 0;
	if (!text.length || text.length > 4)
		return ERROR_SYNTAX;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.at[i];
		unsigned digit;
		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (unsigned)((c | 0x20) - 'a') + 10;
		else
			return ERROR_SYNTAX;
		value = value << 4 | digit;
	}
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
	return 0;
}

/* Groups separated by single colons; the last part of the whole may end in a dotted IPv4 address. *used: bytes written. */
static int parse_groups(struct slice text, bool last, uint8_t *bytes, size_t room, size_t *used)
{
	struct slice part;
	*used = 0;
	if (!text.length)
		return 0;
	while (slice_split(&text, ':', &part)) {
		bool dotted = slice_find(part, '.') < part.length;
		size_t size = dotted ? IP4_BYTES : 2;
		if (*used + size > room || (dotted && (text.at || !last)))
			return ERROR_SYNTAX;
		if (dotted ? parse_ip4(part, bytes + *used) : parse_group(part, bytes + *used))
			return ERROR_SYNTAX;
		*used += size;
	}
	return 0;
}

static size_t find_gap(struct slice text)
{
	for (size_t i = 0; i + 1 < text.length; i++)
		if (text.at[i] == ':' && text.at[i + 1] == ':')
			return i;
	return text.length;
}

/* RFC 4291 section 2.2; no zone. */
static int parse_ip6(struct slice text, uint8_t ip[IP6_BYTES])
{
	size_t gap = find_gap(text), head, tail = 0;
	uint8_t behind[IP6_BYTES];
	if (parse_groups(slice_make(text.at, gap), gap == text.length, ip, IP6_BYTES, &head))
		return ERROR_SYNTAX;
	if (gap == text.length)
		return head == IP6_BYTES ? 0 : ERROR_SYNTAX;
	if (parse_groups(slice_from(text, gap + 2), true, behind, IP6_BYTES, &tail) || head + tail > IP6_BYTES - 2)
		return ERROR_SYNTAX;
	memset(ip + head, 0, IP6_BYTES - head - tail);
	memcpy(ip + IP6_BYTES - tail, behind, tail);
	return 0;
}

int address_parse(struct slice ip, uint16_t port, struct address *address)
{
	struct address found = { .port = port };
	if (ip.length >= 2 && ip.at[0] == '[' && ip.at[ip.length - 1] == ']') {
		ip = slice_make(ip.at + 1, ip.length - 2);
		if (slice_find(ip, ':') == ip.length)
			return ERROR_SYNTAX;
	}
	found.family = slice_find(ip, ':') < ip.length ? ADDRESS_IP6 : ADDRESS_IP4;
	int e = found.family == ADDRESS_IP6 ? parse_ip6(ip, found.ip) : parse_ip4(ip, found.ip);
	if (!e)
		*address = found;
	return e;
}

int address_parse_with_port(struct slice text, struct address *address)
{
	uint64_t port;
	size_t colon = text.length;
	while (colon > 0 && text.at[colon - 1] != ':')
		colon--;
	if (!colon || slice_to_u64(slice_from(text, colon), UINT16_MAX, &port))
		return ERROR_SYNTAX;
	struct slice ip = slice_make(text.at, colon - 1);
	if (slice_find(ip, ':') < ip.length && ip.at[0] != '[')
		return ERROR_SYNTAX;
	return address_parse(ip, (uint16_t)port, address);
}

static unsigned group_of(const struct address *a, int group)
{
	return (unsigned)a->ip[2 * group] << 8 | a->ip[2 * group + 1];
}

/* The longest run of two or more zero groups, the first of equals. */
static int longest_gap(const struct address *a, int *length)
{
	int best = IP6_GROUPS;
	*length = 1;
	for (int i = 0; i < IP6_GROUPS; i++) {
		int n = 0;
		while (i + n < IP6_GROUPS && group_of(a, i + n) == 0)
			n++;
		if (n > *length) {
			*length = n;
			best = i;
		}
		i += n;
	}
	return best;
}

/* RFC 5952 section 4. */
static int format_ip6(const struct address *a, char *text, size_t room)
{
	int length, n = 0, gap = longest_gap(a, &length);
	if (memcmp(a->ip, mapped_prefix, sizeof mapped_prefix) == 0)
		return snprintf(text, room, "::ffff:%u.%u.%u.%u", a->ip[12], a->ip[13], a->ip[14], a->ip[15]);
	for (int i = 0; i < IP6_GROUPS; i++) {
		if (i == gap) {
			n += snprintf(text + n, room - (size_t)n, "::");
			i += length - 1;
			continue;
		}
		bool colon = i > 0 && i != gap + length;
		n += snprintf(text + n, room - (size_t)n, "%s%x", colon ? ":" : "", group_of(a, i));
	}
	return n;
}

static char *put_number(char *at, unsigned number)
{
	char digits[5];
	unsigned i = sizeof digits;

	do
		digits[--i] = (char)('0' + number % 10);
	while (number /= 10);
	memcpy(at, digits + i, sizeof digits - i);
	return at + sizeof digits - i;
}

/* By hand: lines about requests have several. */
static char *put_ip4(char *at, const struct address *a)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			*at++ = '.';
		at = put_number(at, a->ip[i]);
	}
	*at = '\0';
	return at;
}

int address_format_ip(const struct address *a, char text[ADDRESS_TEXT])
{
	switch (a->family) {
	case ADDRESS_IP4:
		return (int)(put_ip4(text, a) - text);
	case ADDRESS_IP6:
		return format_ip6(a, text, ADDRESS_TEXT);
	case ADDRESS_UNIX:
		return snprintf(text, ADDRESS_TEXT, "unix");
	default:
		return snprintf(text, ADDRESS_TEXT, "-");
	}
}

int address_format(const struct address *address, char text[ADDRESS_TEXT])
{
	char ip[ADDRESS_TEXT];

	if (address->family == ADDRESS_IP4) {
		char *at = put_ip4(text, address);

		*at++ = ':';
		at = put_number(at, address->port);
		*at = '\0';
		return (int)(at - text);
	}
	int n = address_format_ip(address, ip);
	if (address->family == ADDRESS_NONE || address->family == ADDRESS_UNIX)
		return snprintf(text, ADDRESS_TEXT, "%s", ip);
	if (address->family == ADDRESS_IP6)
		return snprintf(text, ADDRESS_TEXT, "[%.*s]:%u", n, ip, address->port);
	return snprintf(text, ADDRESS_TEXT, "%.*s:%u", n, ip, address->port);
}

bool address_same_ip(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->port == b->port && address_same_ip(a, b);
}

bool address_is_any(const struct address *address)
{
	static const uint8_t zero[IP6_BYTES];
	return address->family != ADDRESS_NONE && address->family != ADDRESS_UNIX && memcmp(address->ip, zero, sizeof zero) == 0;
}

bool address_is_loopback(const struct address *address)
{
	static const uint8_t one[IP6_BYTES] = { [15] = 1 };
	if (address->family == ADDRESS_IP4)
		return address->ip[0] == 127;
	return address->family == ADDRESS_IP6 && memcmp(address->ip, one, sizeof one) == 0;
}

int address_compare(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	int order = memcmp(a->ip, b->ip, sizeof a->ip);
	if (order)
		return order;
	return (a->port > b->port) - (a->port < b->port);
}

uint64_t address_hash(const struct address *address, uint64_t seed)
{
	uint64_t key = seed ^ ((uint64_t)address->family << 16 | address->port);
	return slice_hash(slice_make((const char *)address->ip, address->family == ADDRESS_IP4 ? IP4_BYTES : IP6_BYTES), key);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* io/address.h: where a socket is: an IP address and a port, as plain bytes. Pure, passed by value or pointer, any thread.
 *
 * A Unix socket has a path instead, which io/network.h takes by itself: addresses lie in many tables, and a path is six times as
 * long. Such a stream is called ADDRESS_UNIX, without more.
 *
 *	struct address a;
 *	if (address_parse(slice_of("127.0.1.1"), 4140, &a)) ...
 *	char text[ADDRESS_TEXT];  address_format(&a, text);   // "127.0.1.1:4140", "[::1]:80"
 */
#ifndef IO_ADDRESS_H
#define IO_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum { ADDRESS_TEXT = 64 };

enum address_family {
	ADDRESS_NONE,
	ADDRESS_IP4,
	ADDRESS_IP6,
	ADDRESS_UNIX,
};

struct address {
	uint8_t family; /* enum address_family */
	uint16_t port;  /* host order */
	uint8_t ip[16]; /* network order; 4 bytes used for IP4, the rest zero */
};

/* An IP literal (IPv6 with or without brackets). ERROR_SYNTAX. */
MUST_CHECK int address_parse(struct slice ip, uint16_t port, struct address *address);
/* "ip:port" or "[ip6]:port". */
MUST_CHECK int address_parse_with_port(struct slice text, struct address *address);
/* "ip:port"; returns the length, text is NUL-terminated. */
int address_format(const struct address *address, char text[ADDRESS_TEXT]);
/* Without port and brackets. */
int address_format_ip(const struct address *address, char text[ADDRESS_TEXT]);
bool address_equal(const struct address *a, const struct address *b);
bool address_same_ip(const struct address *a, const struct address *b);
bool address_is_any(const struct address *address); /* 0.0.0.0 or :: */
bool address_is_loopback(const struct address *address);
int address_compare(const struct address *a, const struct address *b);
uint64_t address_hash(const struct address *address, uint64_t seed);

#endif

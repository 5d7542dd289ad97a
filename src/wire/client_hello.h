/* SPDX-License-Identifier: Apache-2.0 */
/* wire/client_hello.h: what a TLS client asks for in its first message, read without answering it: the server's name, the protocols
 * (ALPN) and the versions (RFC 8446 section 4.1.2; RFC 6066 section 3; RFC 7301 section 3.1). For choosing where a connection goes.
 *
 * The message may be spread over records and segments in any way (with post-quantum key shares it is larger than a packet): bytes are
 * taken as they come, none are kept but the answers, and the verdict is the same however they were cut. A hello that TLS itself would
 * refuse may pass here; what it says is then only a hint. Pure, no heap; a struct that its user embeds.
 *
 *	struct client_hello hello;
 *	client_hello_start(&hello);
 *	int e = client_hello_feed(&hello, bytes);       // ERROR_INCOMPLETE: more are needed
 *	if (!e)
 *		route_by(hello.server_name);
 */
#ifndef WIRE_CLIENT_HELLO_H
#define WIRE_CLIENT_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
	CLIENT_HELLO_MOST = 64 * 1024, /* bytes of the whole message */
	CLIENT_HELLO_NAME = 255,       /* of a server's name */
	CLIENT_HELLO_LIST = 512,       /* of an extension's body that is read */
};

struct client_hello {
	/* The answers, once client_hello_feed has returned 0. The slices lie in this struct. */
	struct slice server_name; /* lower case; empty: none */
	struct slice alpn;        /* as on the wire: each name behind a byte with its length; empty: none */
	uint16_t most_version;    /* 0x0304: TLS 1.3; the largest that it offers and that is known here */

	/* private */
	uint8_t at; /* enum in client_hello.c */
	bool failed;
	int8_t error;
	uint32_t record_left; /* of the record that is being read */
	uint8_t header[5], header_count;
	uint32_t message_left; /* of the message */
	uint32_t need, have;   /* bytes of the present field */
	uint32_t extensions_left;
	uint16_t extension, seen; /* its type; bits of those that were read */
	char body[CLIENT_HELLO_LIST];
	char name[CLIENT_HELLO_NAME], protocols[CLIENT_HELLO_LIST];
};

void client_hello_start(struct client_hello *hello);
/* 0: it is whole, what follows is not looked at. ERROR_INCOMPLETE; ERROR_SYNTAX: no ClientHello; ERROR_LIMIT: too large. After an
 * error each further call returns it again. */
MUST_CHECK int client_hello_feed(struct client_hello *hello, struct slice bytes);
/* Whether the protocol is among those offered. */
bool client_hello_offers(const struct client_hello *hello, struct slice protocol);

enum client_hello_first {
	CLIENT_HELLO_TLS,
	CLIENT_HELLO_PLAIN, /* something else: no protocol in plain text begins like TLS's record header */
	CLIENT_HELLO_MORE,  /* like TLS so far, not enough bytes to be sure */
};

/* What a connection's first bytes are. */
enum client_hello_first client_hello_first(struct slice bytes);

#endif

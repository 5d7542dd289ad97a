/* SPDX-License-Identifier: Apache-2.0 */
/* tls/options.h: how a listener or a client is to be secured, as a configuration says it: files and choices, each file with its
 * place in the configuration for messages. Plain values; the slices belong to whoever made them (a snapshot) and end in NUL.
 *
 *	struct tls_server_options options = { .certificates = &certificate, .certificate_count = 1, .protocols = TLS_1_3 };
 */
#ifndef TLS_OPTIONS_H
#define TLS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Bytes in memory that stand for a file. The owner changes them on the control thread, says so to the store (tls/store.h), and
 * outlives it. */
struct tls_source {
	struct slice bytes;
};

/* A value and where it is written. */
struct tls_setting {
	struct slice text;               /* empty: not given */
	const struct tls_source *source; /* NULL: `text` is the path of a file; else what the bytes are called, one name for one source */
	struct slice file;               /* of the configuration */
	int line, column;
};

/* PEM files. */
struct tls_certificate {
	struct tls_setting chain;         /* the certificate, and what of its chain follows it */
	struct tls_setting key;           /* PKCS #8 or the older forms, not encrypted */
	struct tls_setting intermediates; /* more of the chain; or empty */
	struct tls_setting ocsp;          /* DER, the OCSP response to staple; or empty */
};

enum tls_protocol {
	TLS_1_2 = 1 << 0,
	TLS_1_3 = 1 << 1,
};

enum tls_client_certificate {
	TLS_CLIENT_CERTIFICATE_OFF,
	TLS_CLIENT_CERTIFICATE_OPTIONAL, /* a bad one is refused, none is not */
	TLS_CLIENT_CERTIFICATE_REQUIRED,
};

enum { TLS_MOST_ALPN = 8, TLS_NAME_MOST = 253 /* bytes of a DNS name */ };

/* Of both sides. */
struct tls_choices {
	unsigned protocols;                /* enum tls_protocol; 0: all */
	const struct tls_setting *ciphers; /* OpenSSL's or IANA's names, in order; none: OpenSSL's defaults, of which servers
	                                    * offer for TLS 1.2 only those with ECDHE and AEAD */
	unsigned cipher_count;
	struct slice alpn[TLS_MOST_ALPN]; /* "h2", "http/1.1": the preferred one first; none: no ALPN */
	unsigned alpn_count;
};

struct tls_server_options {
	const struct tls_certificate *certificates; /* chosen by the name that the client asks for; the first one for all others */
	unsigned certificate_count;                 /* at least 1 */
	const struct tls_setting *trust;            /* files with the roots of clients' certificates */
	unsigned trust_count;
	enum tls_client_certificate client_certificate;
	bool workloads; /* a client's certificate must have exactly one URI: a workload's SPIFFE ID */
	struct tls_choices choices;
	bool permissive; /* connections whose first bytes are not TLS stay plain text */
};

struct tls_client_options {
	bool no_verification;            /* the server may be anybody */
	bool workloads;                  /* the server's certificate must have exactly one URI: a workload's SPIFFE ID */
	const struct tls_setting *trust; /* files with the roots of servers' certificates; none: the system's */
	unsigned trust_count;
	struct tls_certificate certificate; /* ours; chain.text empty: none */
	struct tls_choices choices;
};

#endif

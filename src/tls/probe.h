/* SPDX-License-Identifier: Apache-2.0 */
/* tls/probe.h: one handshake with a live server, to look at: what it shows, what it agrees to, and whether it takes us. Nothing is
 * verified here, so that a bad chain can be looked at too (tls/inspect.h).
 *
 * One loop's thread; heap. The library (tls/library.h) is started.
 *
 *	const struct probe_options options = { .server_name = SLICE("web.example"), .alpn = SLICE("\x02h2\x08http/1.1") };
 *	e = probe_new(stream, &options, done, owner, &probe, &why);   // a stream that is connecting, e.g. of network_connect
 *	...done(owner): probe_result(probe)->chain is what inspect() takes
 *	probe_free(probe);                                           // at any time but inside `done`
 */
#ifndef TLS_PROBE_H
#define TLS_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

struct probe;
struct stream;

struct probe_options {
	struct slice server_name;      /* asked for (SNI), and looked for in the certificate; empty: neither */
	struct slice certificate, key; /* PEM, what we show when we are asked; at NULL: nothing */
	struct slice alpn;             /* offered, as on the wire */
	int64_t limit_ns;              /* from now to the end of the handshake; 0: 10 s */
};

struct probe_result {
	int error;           /* 0: the handshake is done, and the server has not refused us; else as of streams (io/stream.h) */
	struct text reason;  /* of the error, a sentence without a point */
	struct text chain;   /* PEM, the leaf first; empty: the server got no further */
	const char *version; /* "TLSv1.3"; static; NULL: none was agreed on */
	const char *cipher;  /* OpenSSL's name */
	struct text alpn;    /* empty: none */
	bool asked;          /* the server asked for a certificate of ours */
	bool name_matches;   /* the leaf is for server_name */
};

/* The stream's ownership passes, also on failure. ERROR_SYNTAX, ERROR_NOT_FOUND, ERROR_UNSUPPORTED, ERROR_INVALID: certificate or key,
 * with `why`. `done` comes once, from the loop. */
MUST_CHECK int probe_new(struct stream *stream, const struct probe_options *options, void (*done)(void *owner), void *owner,
	struct probe **probe, struct text *why);
const struct probe_result *probe_result(const struct probe *probe);
void probe_free(struct probe *probe); /* NULL is allowed */

#endif

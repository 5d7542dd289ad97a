/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/tls_end.h: TLS as the scripted users and services speak it: OpenSSL on a stream, with no line in common with src/tls. It
 * writes records of all sizes, which leave when they like and cut anywhere, asks for new keys, resumes sessions, and ends without
 * close_notify when it is asked to; and it fails the run when the other end sends records that are broken, or ends in order without
 * close_notify (RFC 8446 section 6.1), which would let the cut pass for an end.
 *
 *	stream = tls_end_accept(harness, below, false, &manners, seed);             // owns `below`; told as io/stream.h says of a filter
 *	stream = tls_end_connect(harness, below, true, &manners, seed, &session);   // HTTP/2 on it
 *	tls_end_truncate(stream);                                                   // instead of stream_close
 *	tls_end_forget(&session);
 *
 * Services show one of the run's two certificates (tests/sim/certificates.h), all of them the same. One thread.
 */
#ifndef SIM_TLS_END_H
#define SIM_TLS_END_H

#include "harness.h"
#include "io/stream.h"

/* Drawn anew for each connection, or each time that something is sent. Chances in parts per million. */
struct tls_end_manners {
	uint32_t old_chance;      /* of a connection: TLS 1.2 */
	uint32_t small_chance;    /* of a connection: its records are small */
	uint32_t full_chance;     /* of others: they are as large as they may be, if there is enough at once; else of all sizes */
	uint32_t fresh_chance;    /* of a client's connection: it doesn't go on with its last session */
	uint32_t asking_chance;   /* of a server's connection: the client is to show a certificate */
	uint32_t hold_chance;     /* some of what is sent leaves later, together with what comes then */
	uint32_t rekey_chance;    /* new keys, for both directions as often as for one (TLS 1.3) */
	uint32_t truncate_chance; /* of an end in order: there is no close_notify */
	uint32_t reset_chance;    /* of stream_close with nothing left to be sent */
};

/* The last session of a client with one server; zeroed at first. */
struct tls_end_session {
	void *session;
};

/* In a run, between certificates_begin and certificates_end. */
void tls_end_begin(void);
void tls_end_finish(void);
/* What services show from now on. */
void tls_end_show(unsigned which);

struct stream *tls_end_connect(struct harness *harness, struct stream *below, bool http2, const struct tls_end_manners *manners,
	uint64_t seed, struct tls_end_session *session);
struct stream *tls_end_accept(
	struct harness *harness, struct stream *below, bool http2, const struct tls_end_manners *manners, uint64_t seed);
/* Closes it as stream_linger does, but with a FIN where close_notify should be. */
void tls_end_truncate(struct stream *stream);
void tls_end_forget(struct tls_end_session *session);

#endif

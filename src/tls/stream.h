/* SPDX-License-Identifier: Apache-2.0 */
/* tls/stream.h: TLS as a stream on top of a stream (io/stream.h), at both ends. Loop's thread.
 *
 * `connected` is told once the handshake is done, on the server's side too; stream_security then has its facts. What is taken
 * before that waits. A peer that ends without close_notify (RFC 8446 section 6.1) is told as `failed`, ERROR_RESET: what it sent may
 * have been cut short. stream_finish and stream_linger send close_notify, and so does stream_close when nothing is left to be sent;
 * stream_reset never. What failed once a cipher was chosen is reset by stream_close, unless a fatal alert is behind what was sent,
 * or the peer only left its close_notify out.
 *
 * A server's connection takes memory for TLS when its first byte arrives. Handshakes have a time limit, a number at once, and a
 * number of steps in one turn of the loop, so that they never hold up what is established.
 *
 *	struct tls_pools *pools;
 *	int e = tls_pools_new(loop, &(struct tls_limits){ 0 }, &pools);
 *	e = tls_accept(pools, server, below, &stats->tls, &stream);
 *	e = tls_connect(pools, client, &(struct tls_target){ .name = slice_of("web.example") }, below, &stats->tls, &stream);
 */
#ifndef TLS_STREAM_H
#define TLS_STREAM_H

#include <stdint.h>

#include "base/counter.h"
#include "base/error.h"
#include "io/stream.h"
#include "tls/options.h"

struct loop;
struct tls_pools;
struct tls_server;
struct tls_client;

enum { TLS_PEERS_MOST = 2048 };

struct tls_limits {
	uint32_t max_streams;    /* 0: no limit of its own */
	uint32_t max_handshakes; /* at once; 0: 4096 */
	uint32_t steps_per_turn; /* of handshakes; 0: 16 */
	int64_t handshake_ns;    /* from the connection to the end of its handshake; 0: 10 s */
};

/* What the TLS streams of one loop share. Outlives them. */
MUST_CHECK int tls_pools_new(struct loop *loop, const struct tls_limits *limits, struct tls_pools **pools);
void tls_pools_free(struct tls_pools *pools); /* NULL is allowed */

/* Why a connection failed, for counting. */
enum tls_failure {
	TLS_FAILURE_TIMEOUT,   /* the handshake took too long */
	TLS_FAILURE_LEFT,      /* the peer went away during the handshake */
	TLS_FAILURE_TRUNCATED, /* the peer ended later, without close_notify */
	TLS_FAILURE_UNTRUSTED, /* we don't trust its certificate */
	TLS_FAILURE_UNSHOWN,   /* it showed no certificate, and must */
	TLS_FAILURE_REFUSED,   /* it does not trust ours, or wants one, or does not know the name */
	TLS_FAILURE_MISMATCH,  /* no version, cipher or protocol in common */
	TLS_FAILURE_PLAIN,     /* it does not speak TLS */
	TLS_FAILURE_PROTOCOL,  /* it breaks TLS's rules, or its bytes were changed on the way */
	TLS_FAILURE_LIMIT,     /* a limit of ours, or memory */
	TLS_FAILURES,
};

/* "untrusted"; static. */
const char *tls_failure_name(enum tls_failure failure);

/* One shard a worker. */
struct tls_counters {
	struct counter handshakes; /* that succeeded */
	struct counter resumed;    /* of them */
	struct counter plain;      /* connections that stayed plain text (permissive servers) */
	struct counter failures[TLS_FAILURES];
};

/* The last session with one server, so that the next handshake can go on with it. Zeroed at first; it outlives the streams that
 * were made with it, and belongs to their loop. Only for one client object and one name. */
struct tls_session {
	void *session;
};
void tls_session_free(struct tls_session *session);

struct tls_target {
	struct slice name;           /* asked for, and verified: a DNS name or an IP address; empty: neither */
	struct slice peers;          /* patterns (tls/spiffe.h) with spaces between; one must match the server's SPIFFE ID; empty: any */
	struct slice alpn;           /* offered, as on the wire: "\x02h2"; static; empty: the client's own */
	struct tls_session *session; /* NULL: no resumption */
};

/* The ownership of `below`, from which no event may have come yet, passes, also on failure. ERROR_LIMIT, ERROR_NO_MEMORY,
 * ERROR_INVALID (a name that can't be one). */
MUST_CHECK int tls_accept(
	struct tls_pools *pools, struct tls_server *server, struct stream *below, struct tls_counters *counters, struct stream **stream);
MUST_CHECK int tls_connect(struct tls_pools *pools, struct tls_client *client, const struct tls_target *target, struct stream *below,
	struct tls_counters *counters, struct stream **stream);
/* Once, when the handshake of a stream of one of these is done, the first URI of the peer's certificate, if it has one that was verified.
 * Before any event; the stream is not touched from inside it. */
void tls_identify(struct stream *stream, void (*identified)(void *owner, struct slice id), void *owner);

#endif

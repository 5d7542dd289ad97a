/* SPDX-License-Identifier: Apache-2.0 */
/* tls/stream_parts.h: the parts of a TLS stream, for the files that it is made of. Private to this room.
 *
 * stream.c has the stream's states and events, flight.c what it writes, facts.c what is known once the handshake is done, idle.c what it
 * gives back then, failure.c what went wrong.
 */
#ifndef TLS_STREAM_PARTS_H
#define TLS_STREAM_PARTS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/pool.h"
#include "io/loop.h"
#include "tls/client.h"
#include "tls/record.h"
#include "tls/server.h"
#include "tls/stream.h"

enum { STREAM_MAGIC = 0x544c5354, FLIGHT_MOST = 64, WAITING_MOST = 64 };

/* Records on their way from OpenSSL to the stream below; empty between events. */
struct flight {
	struct buffer *buffers[FLIGHT_MOST];
	unsigned count;
	bool failed; /* there was no buffer */
};

/* What connections share in place of what they had for their handshakes; made for the first of them. */
struct idle {
	SSL_CTX *context;
	SSL_SESSION *session;
};

/* Until the handshake is done. */
struct handshake {
	struct list link; /* in pools->queue, when a step is due */
	bool queued;
	struct timer deadline;
	struct tls_stream *stream;
	struct buffer *waiting[WAITING_MOST]; /* what the owner sends already */
	unsigned waiting_count;
	size_t waiting_bytes;
	struct slice alpn;                                /* of the target */
	void (*identified)(void *owner, struct slice id); /* may be NULL */
	void *owner;
	char peers[TLS_PEERS_MOST + 1]; /* of the target; of a caller that isn't trusted, who it says that it is */
	char name[TLS_NAME_MOST + 1];
};

struct tls_pools {
	uint32_t magic;
	struct loop *loop;
	struct tls_limits limits;
	struct pool streams, handshakes;
	struct flight flight;
	struct idle idle[2]; /* of TLS 1.2, of TLS 1.3 */
	char *stage;         /* RECORD_MOST bytes: small pieces become one record here */
	struct list queue;   /* handshakes with a step due, in order */
	struct task run_queue;
	struct timer next_turn;
	int64_t turn; /* loop_now of the turn that `steps` counts in */
	uint32_t steps;
};

enum tls_state {
	TLS_CONNECTING, /* the stream below is */
	TLS_SHAKING,
	TLS_OPEN,
	TLS_PLAIN, /* permissive: the bytes pass as they are */
	TLS_FAILED,
	TLS_LINGERING, /* closed by its owner during the handshake, with bytes to send */
	TLS_CLOSED,
};

struct tls_stream {
	struct stream stream; /* first */
	uint32_t magic;
	uint8_t state; /* enum tls_state */
	bool paused, below_paused;
	bool below_ended, told_ended;
	bool want_drained, finishing, finished;
	bool alerted;    /* a fatal alert is the last that we sent */
	bool truncated;  /* failed since the peer ended without close_notify */
	bool broken;     /* `error` is to be told by the task */
	uint8_t answers; /* written while reading, with bytes waiting below */
	int error;
	struct tls_pools *pools;
	struct stream *below;
	SSL *ssl; /* NULL before the first step of the handshake, and in plain text */
	struct tls_server *server;
	struct tls_client *client; /* one of the two */
	struct tls_session *session;
	struct tls_counters *counters;
	struct handshake *handshake;
	struct stream_security *security; /* from cells; NULL before the handshake is done */
	struct buffer *input;             /* received, not all of it read by OpenSSL */
	uint32_t input_at;
	size_t below_waiting;
	struct task task;
};

/* server.c, client.c: a new connection; NULL: memory is out, or (client) the name can't be one. */
SSL *server_begin(struct tls_server *server);
SSL *client_begin(struct tls_client *client, struct slice name);
/* Whether the session began where the same servers are trusted and the same certificate is shown, and the server's is not over. */
bool client_may_resume(SSL *ssl, SSL_SESSION *session, int64_t wall_ns);
int stream_new_session(SSL *ssl, SSL_SESSION *session);
/* For the store: nobody else has it; how long its certificates last is told anew. */
bool server_unused(const struct tls_server *server);
bool client_unused(const struct tls_client *client);
void server_show_left(struct tls_server *server, int64_t wall_ns);
void client_show_left(struct tls_client *client, int64_t wall_ns);

/* flight.c */
void flight_prepare(void); /* for library_start: before any stream */
BIO *flight_bio(struct tls_stream *s);
/* Everything that OpenSSL has written goes to the stream below. Returns false when there was no buffer for all of it. */
MUST_CHECK bool flight_send(struct tls_stream *s);
/* Encrypts and sends; the pieces are given back. ERROR_LIMIT, ERROR_IO. */
MUST_CHECK int flight_write(struct tls_stream *s, const struct piece *pieces, unsigned count);

/* facts.c: fills s->security. ERROR_DENIED: the peer isn't who it should be; ERROR_NO_MEMORY; then `reason` says so. */
enum { FACTS_REASON = 320 };
MUST_CHECK int facts_gather(struct tls_stream *s, struct slice peers, char reason[FACTS_REASON]);
void facts_free(struct tls_stream *s);
/* Keeps whom a certificate that isn't trusted is for, for the log, while the handshake lasts. */
void facts_note_stranger(struct tls_stream *s, const X509 *certificate);
/* Whether the certificate that the peer showed when the session began has ended. */
bool facts_outlived(SSL_SESSION *session, int64_t wall_ns);

/* idle.c: after the handshake, when the facts are gathered. */
void idle_begin(struct tls_stream *s);
void idle_fini(struct idle *idle);

/* failure.c: what OpenSSL's last failure means. *reason is static, or in the room `text`. */
enum { FAILURE_TEXT = 480 };
enum tls_failure failure_of(SSL *ssl, int *error, char text[FAILURE_TEXT]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* io/stream.h: a byte stream in both directions: a TCP or Unix connection, or a filter (TLS, a test's) stacked on one.
 *
 * Completion-shaped: a stream delivers buffers that it filled, and takes pieces to send, owning them until they are sent.
 * One thread (its loop's). No call here calls back; events come from the loop.
 *
 * States: connecting → open → ended by the peer, finished by us, or both → closed. `failed` may come at any time and is the
 * last event; after it, or at any other time, the owner calls stream_close exactly once, and no event comes any more.
 * stream_close may be called from inside an event of the same stream.
 *
 *	static const struct stream_events events = { .received = received, .ended = ended, .drained = drained, .failed = failed };
 *	stream_own(stream, &events, session);
 *	stream_resume(stream);                           // streams begin paused: nothing is read before this
 *	size_t waiting = stream_take(stream, pieces, 2); // > 0: the peer is slow; wait for `drained`
 *	stream_finish(stream);                           // FIN behind all that was taken
 *	stream_close(stream);                            // what is not sent yet is dropped; or stream_linger, or stream_reset
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "io/address.h"

struct loop;
struct stream;

struct stream_events {
	/* The connection is made. A stream from network_connect tells it, and a stream secured by a filter (TLS), an accepted one
	 * too, once its handshake is done: from then on stream_security has its facts, the agreed protocol (ALPN) among them. An
	 * accepted stream in plain text never tells it. Nothing is received before it. Who must know the ALPN before it chooses a
	 * codec owns the stream until then and passes it on: stream_own may be called again, also from inside an event. */
	void (*connected)(void *owner);
	/* Bytes arrived: the buffer's whole filled part; the receiver owns one reference, and may write behind `filled` when it
	 * holds the only one. Never called while paused. */
	void (*received)(void *owner, struct buffer *buffer);
	/* The peer sends no more; we still may. */
	void (*ended)(void *owner);
	/* All that was taken has been sent; called only after a take that left something waiting. */
	void (*drained)(void *owner);
	/* The connection is broken, or could not be made: ERROR_RESET, _REFUSED, _UNREACHABLE, _TIMEOUT, _IO, _LIMIT; of a secured
	 * stream also ERROR_DENIED (one side does not trust the other's certificate, or lacks one), _UNSUPPORTED (no common version,
	 * cipher or protocol), _SYNTAX (bytes that are not what the filter speaks); of a Unix socket also _NOT_FOUND (nobody has listened
	 * there), _DENIED, _BUSY (its backlog is full). */
	void (*failed)(void *owner, int error);
};

/* What secures a stream, as its handshake settled it. All slices are the stream's; empty: not there. */
struct stream_security {
	struct slice version;     /* "TLSv1.3" */
	struct slice cipher;      /* OpenSSL's name: "TLS_AES_128_GCM_SHA256" */
	struct slice alpn;        /* what both sides agreed to speak: "h2" */
	struct slice server_name; /* what the client asked for (SNI) */
	/* The peer's certificate, as far as it was verified; all empty without one. */
	struct slice peer_uri;     /* its first URI SAN: a SPIFFE ID */
	struct slice peer_dns;     /* its DNS SANs, separated by commas */
	struct slice peer_subject; /* RFC 2253: "CN=web,O=Example" */
	struct slice peer_hash;    /* SHA-256 of its DER, 64 lower-case hex digits */
	bool resumed;              /* the handshake went on with an earlier session */
};

/* Who connected, or listens, at the other end of a Unix socket: as the kernel knows it, not as the peer says. */
struct stream_peer {
	uint32_t uid, gid; /* effective */
	uint32_t pid;
};

enum stream_closing {
	STREAM_CLOSE,
	STREAM_LINGER,
	STREAM_RESET,
};

struct stream_ops {
	size_t (*take)(struct stream *stream, const struct piece *pieces, unsigned count);
	void (*pause)(struct stream *stream);
	void (*resume)(struct stream *stream);
	void (*finish)(struct stream *stream);
	void (*close)(struct stream *stream, enum stream_closing how);
	/* What the peer and we are called; family ADDRESS_NONE when not known. */
	void (*addresses)(const struct stream *stream, struct address *local, struct address *remote);
	/* NULL, or answers NULL: plain text, or the handshake isn't done. */
	const struct stream_security *(*security)(const struct stream *stream);
	/* NULL: it can't be known, and is 0. */
	int64_t (*silence)(const struct stream *stream);
	/* NULL: it can't be known. */
	int (*peer)(const struct stream *stream, struct stream_peer *peer);
};

/* Embedded at the start of every implementation. */
struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *owner;
	struct loop *loop;
};

static inline void stream_own(struct stream *stream, const struct stream_events *events, void *owner)
{
	stream->events = events;
	stream->owner = owner;
}

/* Ownership of all pieces passes to the stream, also when it has failed already (then they are dropped and 0 is returned).
 * Returns how many bytes are waiting to be sent. At most 64 pieces. */
static inline size_t stream_take(struct stream *stream, const struct piece *pieces, unsigned count)
{
	return stream->ops->take(stream, pieces, count);
}

/* Stops delivering; the kernel's window then stops the peer. Counts as set or not set, not nested. */
static inline void stream_pause(struct stream *stream)
{
	stream->ops->pause(stream);
}

static inline void stream_resume(struct stream *stream)
{
	stream->ops->resume(stream);
}

static inline void stream_finish(struct stream *stream)
{
	stream->ops->finish(stream);
}

/* The stream is gone for its owner. Unsent bytes are dropped. */
static inline void stream_close(struct stream *stream)
{
	stream->ops->close(stream, STREAM_CLOSE);
}

/* The same, but what was taken is still sent, then FIN, and what the peer still sends is read and dropped for at most one
 * second and 64 KiB, so that a last response is not destroyed by a reset (RFC 9112 section 9.6). */
static inline void stream_linger(struct stream *stream)
{
	stream->ops->close(stream, STREAM_LINGER);
}

/* The same as stream_close, but the peer is told that the connection broke, whether or not something was waiting: for a message
 * whose only end is the connection's, and that is cut short. What was sent just before may be lost with it. */
static inline void stream_reset(struct stream *stream)
{
	stream->ops->close(stream, STREAM_RESET);
}

static inline void stream_addresses(const struct stream *stream, struct address *local, struct address *remote)
{
	stream->ops->addresses(stream, local, remote);
}

/* What secures it: NULL for plain text, and before `connected` was told. Valid until the stream is closed. */
static inline const struct stream_security *stream_security(const struct stream *stream)
{
	return stream->ops->security ? stream->ops->security(stream) : NULL;
}

/* It is to be secured, and its handshake isn't done. */
static inline bool stream_is_handshaking(const struct stream *stream)
{
	return stream->ops->security && !stream->ops->security(stream);
}

/* For how long the other end's kernel has acknowledged nothing of what was sent to it again and again, in ns: 0 while nothing is
 * outstanding, and while it answers, even if only that it has no room. Asks the kernel. */
static inline int64_t stream_silence(const struct stream *stream)
{
	return stream->ops->silence ? stream->ops->silence(stream) : 0;
}

/* ERROR_UNSUPPORTED: no Unix socket. */
MUST_CHECK static inline int stream_peer(const struct stream *stream, struct stream_peer *peer)
{
	return stream->ops->peer ? stream->ops->peer(stream, peer) : ERROR_UNSUPPORTED;
}

#endif

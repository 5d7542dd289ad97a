/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/http2_end.h: one end of an HTTP/2 connection (RFC 9113), as the scripted users and services speak it: a second opinion
 * with its own frames and flow control; of the product it has only HPACK's decoder. It keeps the protocol, and fails the run when
 * the other end doesn't: windows and stream limits that were acknowledged, frames on streams that can't have any, acknowledgements
 * of SETTINGS and PING that come out of order or not at all, messages that end short of what they say, and bytes of DATA, whatever became
 * of their stream, that the connection's window never gets back.
 *
 *	http2_end_start(&end, harness, loop, stream, true, &manners, seed, &events, owner);   // owns the stream
 *	http2_end_open(&end, &exchange->stream);                                        // a client's
 *	http2_end_head(&end, &exchange->stream, SALT_REQUEST, id, has_body, length, ":method", "GET", ..., NULL);
 *	http2_end_reset(&end, &exchange->stream, HTTP2_END_CANCEL);                     // or forgotten once both directions are over
 *	http2_end_close(&end);
 *
 * Every event may close streams and the end. A stream lives in its owner's memory; when it is over it is no longer in the end's
 * list. One thread.
 */
#ifndef SIM_HTTP2_END_H
#define SIM_HTTP2_END_H

#include "base/list.h"
#include "harness.h"
#include "message.h"
#include "wire/hpack.h"

enum http2_end_code {
	HTTP2_END_NO_ERROR = 0,
	HTTP2_END_INTERNAL = 2,
	HTTP2_END_REFUSED = 7,
	HTTP2_END_CANCEL = 8,
};

enum { HTTP2_END_FRAME_MOST = 16384, HTTP2_END_OWED = 8, HTTP2_END_ID_MOST = 0x7fffffff };

/* Drawn anew for each connection. Chances in parts per million. */
struct http2_end_manners {
	uint32_t whim_chance;   /* of a connection: changes its settings and sends PINGs while calls are on their way */
	uint32_t narrow_chance; /* of a connection: windows much smaller than bodies */
	uint32_t slow_chance;   /* of a connection: sends DATA in small pieces with pauses */
	uint32_t pause_chance;  /* of a DATA frame: its bytes are given back to the windows late */
	uint32_t padded_chance; /* of a connection: its DATA frames are small and padded */
};

struct http2_stream_end {
	struct list link; /* of the end's streams, while `open` */
	uint32_t id;
	bool open;
	bool in_over, out_over; /* END_STREAM came; was sent */
	bool has_head;
	struct message in;
	int64_t send_window, receive_window;
	uint32_t unreturned;
	int64_t heard;        /* when DATA came last */
	uint32_t owed_before; /* the number of what was owed last when it began */
	/* what is sent behind the head */
	enum message_salt salt;
	uint64_t out_id, out_length, out_position, cut_at; /* of the body; UINT64_MAX: it isn't cut */
	bool out_trailers;
};

struct http2_end_events {
	/* Server: a head with a new id came; where it goes. NULL: as if it had never come. */
	struct http2_stream_end *(*opened)(void *owner, uint32_t id);
	void (*head)(void *owner, struct http2_stream_end *stream); /* a final one; its fields are in stream->in */
	void (*done)(void *owner, struct http2_stream_end *stream); /* END_STREAM came */
	void (*sent)(void *owner, struct http2_stream_end *stream); /* END_STREAM is sent, or the place of the cut is reached */
	void (*reset)(void *owner, struct http2_stream_end *stream, uint32_t code);
	void (*goaway)(void *owner, uint32_t last);
	void (*gone)(void *owner); /* the connection; the end is closed, and its streams are still in the list */
};

/* SETTINGS or a PING that the other end hasn't acknowledged. */
struct http2_end_owed {
	bool ping;
	uint32_t number;      /* of all that was sent; what the PING carries */
	uint32_t window;      /* 0: it isn't changed */
	uint32_t max_streams; /* 0: likewise */
	uint64_t sent;        /* bytes of DATA before it, padding included */
};

struct http2_end {
	struct harness *harness;
	struct loop *loop;
	struct stream *stream; /* NULL: closed */
	bool client;
	const struct http2_end_events *events;
	void *owner;
	struct http2_end_manners manners;
	struct random random;
	struct list streams;
	uint32_t next_id;     /* client: of the next stream */
	uint32_t last_id;     /* server: of the last that came */
	uint32_t max_streams; /* the peer's limit for us */
	bool got_settings, blocked, broken, slow, padded, goaway_sent, goaway_seen;
	size_t preface_read;
	/* receiving */
	char in[9 + HTTP2_END_FRAME_MOST];
	size_t in_used;
	char *block; /* of a header block that goes on */
	size_t block_used;
	uint32_t block_stream;
	bool block_ends;
	struct pool tables;
	struct hpack_decoder decoder;
	int64_t receive_window;
	uint32_t unreturned, window;                /* INITIAL_WINDOW_SIZE as the peer has acknowledged it */
	uint32_t streams_allowed;                   /* as acknowledged */
	struct http2_end_owed owed[HTTP2_END_OWED]; /* oldest first */
	unsigned owed_count;
	uint32_t owed_number; /* of the last that was sent */
	/* sending */
	int64_t send_window, widest; /* the connection's: now, and at most so far */
	uint64_t sent;               /* of DATA, padding included */
	uint32_t peer_window;
	struct timer pace, giving, whim, overdue;
	unsigned whims;
};

/* Owns the stream. */
void http2_end_start(struct http2_end *end, struct harness *harness, struct loop *loop, struct stream *stream, bool client,
	const struct http2_end_manners *manners, uint64_t seed, const struct http2_end_events *events, void *owner);
/* A client's next stream. False: the other end's limit is reached, or it takes no more. */
bool http2_end_open(struct http2_end *end, struct http2_stream_end *stream);
/* A final head and what follows it: names and values up to NULL, then X-Id and X-Length.
 * stream->out_trailers and ->cut_at are set before. */
void http2_end_head(struct http2_end *end, struct http2_stream_end *stream, enum message_salt salt, uint64_t id, bool has_body,
	uint64_t length, ...) __attribute__((sentinel));
void http2_end_informational(struct http2_end *end, struct http2_stream_end *stream);
void http2_end_reset(struct http2_end *end, struct http2_stream_end *stream, enum http2_end_code code);
void http2_end_goaway(struct http2_end *end, uint32_t last);
/* May be called at any time, also twice; no event follows. In order: what is sent already arrives. */
void http2_end_close(struct http2_end *end, bool linger);

#endif

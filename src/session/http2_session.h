/* SPDX-License-Identifier: Apache-2.0 */
/* session/http2_session.h: what both ends of an HTTP/2 connection have in common (RFC 9113); private to this room.
 *
 * http2_session.c holds the life of a connection, http2_receive.c takes its frames apart, http2_stream.c tells what a stream
 * received and holds the states of streams, http2_window.c says what the peer may send, http2_send.c writes. Where the ends differ:
 * http2_server.c, http2_client.c.
 *
 * As in HTTP/1, all that the exchange's calls cause is told from the session's task, here at the end of the loop's turn. A stream
 * may be released by whatever it is told; http2_session.telling says whether it still is there.
 *
 * Receiving, the peer's message on a stream (moved by http2_stream_receive_in):
 *
 *	state     what is going on                                                next
 *	HEAD      client: no final response yet                                   BODY, OVER
 *	BODY      DATA arrives, and waits while the exchange doesn't want it      OVER
 *	OVER      all has arrived; body, and trailers or end, are still to be told   DONE
 *	DONE      end or trailers were told
 *
 * Sending, our message (moved by http2_stream_send_in):
 *
 *	HEAD      no final head was sent                                          BODY, ENDING, DONE
 *	BODY      behind it                                                       ENDING, DONE
 *	ENDING    the exchange has ended it; something waits for windows          DONE
 *	DONE      END_STREAM is on its way, or what the exchange ended goes nowhere
 *
 * A stream is *open* until both directions have ended on the wire, or either peer has reset it; then it is in no table and no
 * frame concerns it, but its side may still have something to be told. It is freed when it is not open and its side was released.
 *
 * Flow control of what is received: http2_window.c.
 *
 * Closing (moved by http2_session_end): NOT → NOW or LINGER → GONE (the stream is closed, all resets and `closed` were told; the
 * memory stays until the last side is released).
 */
#ifndef SESSION_HTTP2_SESSION_H
#define SESSION_HTTP2_SESSION_H

#include "session/expiry.h"
#include "session/input.h"
#include "session/output.h"
#include "session/queue.h"
#include "session/session.h"
#include "wire/http2.h"
#include "wire/websocket.h"

enum http2_receiving {
	HTTP2_RECEIVING_HEAD,
	HTTP2_RECEIVING_BODY,
	HTTP2_RECEIVING_OVER,
	HTTP2_RECEIVING_DONE,
};

enum http2_sending {
	HTTP2_SENDING_HEAD,
	HTTP2_SENDING_BODY,
	HTTP2_SENDING_ENDING,
	HTTP2_SENDING_DONE,
};

enum http2_closing {
	HTTP2_CLOSING_NOT,
	HTTP2_CLOSING_NOW,
	HTTP2_CLOSING_LINGER,
	HTTP2_CLOSING_GONE,
};

/* What the next received bytes are. */
enum http2_reading {
	HTTP2_READING_PREFACE,
	HTTP2_READING_FRAME,   /* a frame's head */
	HTTP2_READING_PAYLOAD, /* of h->frame, of which h->left bytes are left */
	HTTP2_READING_DATA,    /* of a DATA frame: h->data_left, then padding */
	HTTP2_READING_SETTINGS,
	HTTP2_READING_REST, /* of the frame, which nobody wants */
};

/* A server's orderly end (section 6.8). */
enum http2_draining {
	HTTP2_DRAINING_NOT,
	HTTP2_DRAINING_ANNOUNCED, /* GOAWAY that allows all streams, and a PING: what is on its way is still taken */
	HTTP2_DRAINING_FINAL,     /* GOAWAY with the last stream */
};

/* A head and what its lines lie in. Those of requests are as short as most heads are, so that a stream that waits costs little; those of
 * responses, which are forgotten once they are passed on, are not worth the copy. */
struct http2_head {
	struct buffer *buffer; /* NULL: none */
	struct head head;
};

/* Of short heads, in two sizes; HEAD_ADDED of them are for the exchange. */
enum { HTTP2_SHORTEST_FIELDS = 21, HTTP2_SHORT_FIELDS = 26 };

static inline size_t http2_head_size(size_t fields)
{
	return offsetof(struct http2_head, head) + head_size(fields);
}

struct http2_session;

struct http2_stream {
	struct side side;  /* first */
	uint32_t id;       /* 0: the client has not sent its head */
	uint8_t receiving; /* enum http2_receiving */
	uint8_t sending;   /* enum http2_sending */
	uint8_t method;    /* enum method, of the request */
	uint8_t framing;   /* enum body, of what is sent */
	uint8_t fate;      /* enum reset: to be told from the task */
	bool open;
	bool released; /* by the exchange */
	bool resets;   /* a reset was told: nothing more is */
	bool paused, blocked;
	bool tunnel; /* CONNECT, or an upgrade: both directions are opaque */
	bool held;   /* the peer's bytes wait until it is known whether this becomes a tunnel */
	bool cut;    /* server: the rest of the request is taken for its end, though it isn't */
	bool websocket;
	bool muted;                          /* client: the response is whole, and nobody wants the rest of the request */
	bool counted;                        /* receiving with a length */
	bool owes_continue;                  /* server: the client may be waiting for an informational 100 */
	bool heard;                          /* something of its body has arrived */
	int32_t send_window, receive_window; /* may be negative (section 6.9.2) */
	uint32_t taken;                      /* bytes that may be given back to the peer's window */
	int fate_error;
	uint64_t receive_left, send_left;
	struct http2_head *head, *trailers; /* received; NULL: none, or not needed any more */
	const struct head *asked;           /* client: the request's that asks for a websocket: it lives until it is answered */
	struct queue in, out;
	struct piece out_trailers;  /* their block, to be sent behind `out`; length 0: none */
	struct http2_stream *chain; /* in the table */
	struct list link;           /* of the session's streams */
	struct list ready;          /* among those that have something to send, or that wait for the connection's window */
	struct list wake;           /* among those that the task looks at */
	struct list waiting;        /* among those that wait for `writable` */
	struct expiry stall;        /* set while it has something to send and can't */
};

_Static_assert(sizeof(struct http2_stream) <= 320, "there are thousands at once");

enum { HTTP2_TABLE_FIRST = 8, HTTP2_TABLE_SECOND = 512, HTTP2_CLOSED_KNOWN = 8 };

/* To be sent in one go: frames of many streams. */
enum { HTTP2_PIECES = 12 };

struct http2_session {
	struct session session; /* first */
	uint32_t magic;
	bool server;
	uint8_t reading;  /* enum http2_reading */
	uint8_t closing;  /* enum http2_closing */
	uint8_t draining; /* enum http2_draining */
	uint8_t why;      /* enum reset, for what is open when closing */
	bool counted;     /* as a connection */
	bool secure;      /* the stream is: for :scheme */
	bool lost;        /* client: the connection is gone; what is whole is still told */
	bool said_no_table;
	bool got_settings;   /* the peer's first */
	bool settings_known; /* the peer has acknowledged ours */
	bool withheld;       /* the connection's window was not given back: too much is held */
	bool window_unknown; /* the peer has not acknowledged `window_told` */
	bool said_goodbye;   /* a GOAWAY that is the last one */
	bool pinged;         /* the keep-alive's PING has no answer yet */
	bool full;           /* client: there was no capacity; `available` is owed when there is */
	bool tell_available;
	bool told_closed;
	int error;
	struct session_pools *pools;
	struct session_limits limits; /* defaults filled in */
	struct http2_settings peer;

	/* receiving */
	struct http2_frame frame;
	uint32_t left, data_left;
	uint8_t header_have;
	char header[HTTP2_FRAME_HEAD];
	bool block_ends;       /* of a header block that goes on with CONTINUATION: END_STREAM */
	bool block_depends;    /* it depends on itself */
	uint32_t block_stream; /* 0: none */
	struct buffer *block;
	struct http2_reader reader;
	int64_t receive_window;       /* of the connection: what the peer may still send */
	uint32_t unreturned;          /* received, and not yet given back */
	uint32_t window, window_told; /* that streams begin with: as the peer knows it; as we have said last */
	uint32_t worth, stream_worth; /* bytes, taken of the connection's window or a stream's, to tell the peer of */
	size_t held_bytes;            /* of all streams, received and not told */
	size_t held_most;             /* of which the connection's window is given back */

	/* sending */
	int64_t send_window;
	uint32_t stream_send_window; /* of a new stream: peer.initial_window_size, once its whole frame is there */
	char *last_flags;            /* of the DATA frame written last, while it can still be changed */
	uint32_t last_data;          /* its stream */
	uint64_t last_taken;         /* what the stream below had been given before it */
	struct list ready, starved;  /* streams: able to send; waiting for the connection's window */
	struct list waiting;

	/* streams */
	uint32_t last_peer_id, next_id;
	uint32_t gap_from, gap_to; /* ids that the peer has left out, of late */
	uint32_t goaway_last;      /* what our last GOAWAY says */
	uint32_t open, alive;      /* open streams; streams that there are */
	uint32_t awaited;          /* open streams whose peer's message has not ended */
	uint32_t table_mask;
	struct http2_stream **table, *small_table[HTTP2_TABLE_FIRST];
	struct list streams, wakes;
	struct http2_stream *telling;
	uint32_t closed[HTTP2_CLOSED_KNOWN]; /* by the peer, of late */
	uint8_t closed_next;

	/* work that is not asked for (http2_session_spend) */
	int32_t control_budget, reset_budget;
	int64_t budgets_at;

	struct queue_shared shared;
	struct input input;
	struct output output;
	struct piece pieces[HTTP2_PIECES]; /* of the output */
	struct task task;
	struct expiry phase, life, ping;
	struct expiry silence; /* set while something is to come, with limits.read_stall_ns */
	struct expiry stall;   /* set while something is on its way */
	uint64_t sent_before;  /* when `stall` was set */
};

enum { HTTP2_SESSION_MAGIC = 0x48325345 };

/* What our PINGs carry: one asks whether GOAWAY has been seen, one whether anybody is there. */
#define HTTP2_DRAIN_PING \
	{ \
		'd', 'r', 'a', 'i', 'n', 'i', 'n', 'g' \
	}
#define HTTP2_KEEP_ALIVE_PING \
	{ \
		'a', 'n', 'y', 'b', 'o', 'd', 'y', '?' \
	}

static inline struct http2_session *http2_session_of(struct session *session)
{
	return (struct http2_session *)(void *)session;
}

static inline struct http2_stream *http2_stream_of(struct side *side)
{
	return (struct http2_stream *)(void *)side;
}

/* --- http2_session.c --- */

/* Owns the stream, also on failure. */
MUST_CHECK int http2_session_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, const struct session_ops *ops, bool server,
	struct http2_session **h);
/* Fills in everything but h->session, which is there; then input and output may be what others have begun; then it starts. */
void http2_session_begin(struct http2_session *h, struct session_pools *pools, const struct session_limits *limits, bool server);
void http2_session_start(struct http2_session *h);
/* The peer sends nothing more. */
void http2_session_ended(struct http2_session *h);
void http2_session_end(struct http2_session *h, enum http2_closing how, enum reset why, int error);
/* The peer has broken the protocol, or our patience: GOAWAY, and the end of all. */
void http2_session_fail(struct http2_session *h, enum http2_error code, enum reset why, int error);
void http2_session_touch(struct http2_session *h);
void http2_session_count(struct http2_session *h);
void http2_session_close(struct session *session, enum reset why);
/* Nothing is open any more, or something is: idle times begin and end. */
void http2_session_rest(struct http2_session *h);
/* Work that the peer makes without asking for anything. False: too much of it, the session is ending. */
bool http2_session_spend_control(struct http2_session *h);
bool http2_session_spend_reset(struct http2_session *h);
/* Useful work was done. */
void http2_session_earn(struct http2_session *h, unsigned control, unsigned resets);
/* Frees it when nobody refers to it any more. */
void http2_session_unref(struct http2_session *h);

/* --- http2_receive.c --- */

void http2_receive(struct http2_session *h);

/* --- http2_window.c --- */

/* From the limits. */
void http2_window_init(struct http2_session *h);
uint32_t http2_window_of_connection(const struct http2_session *h);
/* So many bytes have come on a stream. False: more than it may. */
bool http2_window_take(struct http2_session *h, struct http2_stream *s, uint32_t length);
/* Each tells the peer of new room, in parts worth a frame: of the connection, for what has been received; of a stream, for what its
 * exchange has taken, unless it wants nothing. */
void http2_window_return(struct http2_session *h);
void http2_window_return_stream(struct http2_session *h, struct http2_stream *s);
/* More waits, or less: the windows of all streams become narrow, or wide again. */
void http2_window_adapt(struct http2_session *h);
/* What waited may have been taken: what was in the way of windows may be gone. */
void http2_window_taken(struct http2_session *h);
/* The peer has acknowledged our settings. */
void http2_window_known(struct http2_session *h);

/* --- http2_stream.c --- */

/* NULL: no memory, or a limit of the pools. */
struct http2_stream *http2_stream_new(struct http2_session *h, const struct side_ops *ops);
/* Gives it an id, with which frames find it. */
void http2_stream_number(struct http2_session *h, struct http2_stream *s, uint32_t id);
struct http2_stream *http2_stream_find(struct http2_session *h, uint32_t id);
void http2_stream_receive_in(struct http2_stream *s, enum http2_receiving state);
void http2_stream_send_in(struct http2_stream *s, enum http2_sending state);
/* No frame concerns it any more. Frees it if its side was released. */
void http2_stream_close(struct http2_session *h, struct http2_stream *s);
/* Both directions have ended: it closes. */
void http2_stream_close_if_over(struct http2_session *h, struct http2_stream *s);
/* From the loop only: closes it, and tells the exchange, unless all is over for it. */
void http2_stream_reset(struct http2_session *h, struct http2_stream *s, enum reset why, int error);
/* From anywhere: RST_STREAM now, and the exchange is told from the task. */
void http2_stream_fail(struct http2_session *h, struct http2_stream *s, enum http2_error code, enum reset why, int error);
/* The task looks at it: something is to be told. */
void http2_stream_wake(struct http2_session *h, struct http2_stream *s);
void http2_stream_wakes(struct http2_session *h);
/* Tells what has arrived, as far as the exchange wants it. */
void http2_stream_deliver(struct http2_session *h, struct http2_stream *s);
/* It is known whether the request has become a tunnel. */
void http2_stream_settle(struct http2_session *h, struct http2_stream *s, bool tunnel);
/* Where the next block is read to; all sessions of a worker read to the same place. NULL: no memory. */
struct http2_head *http2_head_begin(struct http2_session *h);
/* What has been read there: the caller's, who gives it back by http2_head_drop. Kept, it is as short as it may be. */
struct http2_head *http2_head_take(struct http2_session *h);
struct http2_head *http2_head_keep(struct http2_session *h);
void http2_head_drop(struct http2_session *h, struct http2_head **head);

void http2_side_pause(struct side *side);
void http2_side_resume(struct side *side);
void http2_side_forget_head(struct side *side);
void http2_side_release(struct side *side, enum reset why);

/* --- http2_send.c --- */

/* Room in the output. NULL: the session is ending. */
char *http2_send_room(struct http2_session *h, size_t length);
void http2_send_wrote(struct http2_session *h, const char *from, const char *to);
void http2_send_preface(struct http2_session *h);
void http2_send_rst_stream(struct http2_session *h, uint32_t id, enum http2_error code);
void http2_send_window_update(struct http2_session *h, uint32_t id, uint32_t increment);
void http2_send_goaway(struct http2_session *h, uint32_t last, enum http2_error code);
void http2_send_ping(struct http2_session *h, const char payload[HTTP2_PING_LENGTH], bool ack);
/* A HEADERS frame: where its block goes, and what then completes it. NULL: too large, or the session is ending; the stream
 * hears of it. */
char *http2_send_block(struct http2_session *h, struct http2_stream *s, size_t room, char **start);
void http2_send_headers(struct http2_session *h, struct http2_stream *s, char *start, char *end, bool ends);
/* Behind the head: its framing is known, and whether more follows. */
void http2_send_follow(struct http2_session *h, struct http2_stream *s, const struct head *head, enum body framing, bool end);
bool http2_send_body(struct side *side, struct piece piece, bool end);
void http2_send_trailers(struct side *side, const struct fields *trailers);
/* What waits, as far as windows allow. */
void http2_send_pump(struct http2_session *h);
/* The peer's windows have grown, of one stream or (NULL) of the connection. */
void http2_send_window_grew(struct http2_session *h, struct http2_stream *s);
void http2_send_tell_writable(struct http2_session *h);
/* What the stream would still send goes nowhere. */
void http2_send_drop(struct http2_session *h, struct http2_stream *s);
/* The exchange has ended what it sends, and the peer hears nothing of it. */
void http2_send_nowhere(struct http2_stream *s, bool end);

/* --- http2_server.c, http2_client.c: header blocks that begin something at this end --- */

extern const struct session_ops http2_server_ops, http2_client_ops;
void http2_server_block(struct http2_session *h, uint32_t id, struct slice block, bool ends, bool depends);
void http2_client_block(struct http2_session *h, struct http2_stream *s, struct slice block, bool ends);
/* Stream 1, from a request of HTTP/1: its head is copied, its buffer's reference and its whole body (or none) are owned. */
void http2_server_upgraded(struct http2_session *h, const struct head *head, struct buffer *buffer, struct piece body);
/* What RST_STREAM says when an exchange leaves. */
enum http2_error http2_server_code(enum reset why);
void http2_server_drained(struct http2_session *h);
void http2_client_goaway(struct http2_session *h, uint32_t last);
void http2_client_lost(struct http2_session *h, enum reset why, int error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* session/http1_session.h: what both ends of an HTTP/1.1 connection have in common; private to this room.
 *
 * A message is the same thing in both directions, so one struct serves the server's end (receives requests, sends responses)
 * and the client's end (the other way round). Where they differ, `role` says how: http1_server.c and http1_client.c.
 * http1_receive.c consumes what arrived and tells it; http1_send.c writes; http1_session.c holds the states and the life.
 *
 * One exchange at a time: the next begins when the side of the last one has been released.
 *
 * Everything that happens ends in the session's task, which runs behind the callback that is running now: it goes on
 * consuming, flushes what was gathered, tells `writable` and `available`, and takes the session down when it is closing. So
 * no call of an exchange calls back, and no session is freed under a caller's feet.
 *
 * Receiving, the peer's message (moved by http1_session_receive_in):
 *
 *	state     what is going on                                       next
 *	HEAD      server: no request yet, or a part of its head;         HELD, BODY, END, OPAQUE
 *	          client: no final response yet, or idle (no side)
 *	HELD      server: the request may become an upgrade; what        OPAQUE, END
 *	          follows is not looked at until the answer is known
 *	BODY      body arrives                                           TRAILERS, END, HELD
 *	TRAILERS  a trailer section arrives                              DONE, END, HELD
 *	END       all has arrived, `end` is still to be told             DONE, HEAD
 *	OPAQUE    upgraded: everything is body until the peer's FIN      DONE
 *	DONE      end or trailers were told                              HEAD (the side is released)
 *
 * A server whose exchange has released its side with the response sent and the request still arriving goes through BODY,
 * TRAILERS and END without a side: the rest is dropped, up to HTTP1_REST_MOST.
 *
 * Sending, our message (moved by http1_session_send_in):
 *
 *	HEAD      no final head was sent                                 BODY, OPAQUE, DONE
 *	BODY      behind it                                              OPAQUE, DONE
 *	OPAQUE    upgraded                                               DONE
 *	DONE      ended                                                  HEAD (the side is released)
 *
 * Closing (moved by http1_session_end): OPEN → NOW, LINGER or RESET → GONE (the stream is closed, all resets were told, `closed` was
 * told; the memory stays until the side is released).
 */
#ifndef SESSION_HTTP1_SESSION_H
#define SESSION_HTTP1_SESSION_H

#include "session/expiry.h"
#include "session/input.h"
#include "session/output.h"
#include "session/session.h"
#include "wire/http1.h"

enum receiving {
	RECEIVING_HEAD,
	RECEIVING_HELD,
	RECEIVING_BODY,
	RECEIVING_TRAILERS,
	RECEIVING_END,
	RECEIVING_OPAQUE,
	RECEIVING_DONE,
};

enum sending {
	SENDING_HEAD,
	SENDING_BODY,
	SENDING_OPAQUE,
	SENDING_DONE,
};

enum closing {
	CLOSING_NOT,
	CLOSING_NOW,    /* unsent bytes are dropped */
	CLOSING_LINGER, /* what was sent still gets there */
	CLOSING_RESET,  /* the peer must see that it is cut: as NOW, but never with an orderly end */
	CLOSING_GONE,
};

/* See session/http_detect.h. */
enum http1_becomes {
	HTTP1_BECOMES_NOTHING,
	HTTP1_BECOMES_HTTP2,
	HTTP1_BECOMES_HTTP2_UPGRADED, /* by the request in h->parsing */
};

struct http1_session;

/* A head is large, and filled in by the parser alone. A server's lies behind its side, a client's is there from the response's first
 * byte until it is forgotten: a request that waits for its answer holds none. */
struct http1_side {
	struct side side;
	struct buffer *buffer; /* holds the head's bytes; NULL: forgotten */
	struct head *head;     /* client: NULL: none */
};

struct http1_server_side {
	struct http1_side side; /* first */
	struct head head;
};

/* What differs between the ends. All are called from the loop. */
struct http1_role {
	/* Consumes what it can of a head. True: go on consuming. */
	bool (*head)(struct http1_session *h);
	/* The peer's FIN, all bytes before it being consumed, came in the middle of what is received (HEAD, BODY, TRAILERS). */
	void (*cut)(struct http1_session *h);
	/* The peer's message is malformed. */
	void (*broken)(struct http1_session *h, unsigned status, const char *reason);
	/* The side was released, or the rest of a request without a side is over. */
	void (*released)(struct http1_session *h, enum reset why);
	/* The connection is broken. */
	void (*failed)(struct http1_session *h, int error);
	/* The phase's time is over: idle, or a head that doesn't come to its end; or nothing has come for too long. */
	void (*expired)(struct http1_session *h);
	bool is_server;
};

/* To be sent in one go: a request's connection upstream has these all the time that it waits, so they are few. */
enum { HTTP1_PIECES = 5, HTTP1_PLAIN_PIECES = 3 };

struct http1_session {
	struct session session; /* first */
	uint32_t magic;
	uint8_t receiving;  /* enum receiving */
	uint8_t sending;    /* enum sending */
	uint8_t closing;    /* enum closing */
	uint8_t framing;    /* enum body: of what is sent */
	uint8_t method;     /* enum method of the request */
	uint8_t version;    /* enum version: server: the client's */
	uint8_t why;        /* enum reset: of the open side, when closing */
	uint8_t becomes;    /* enum http1_becomes: in the task */
	bool plain;         /* it stays HTTP/1; else this is a struct http1_changing */
	bool detects;       /* it is not known yet whether this is HTTP/1: before the server's first bytes, or the agreed protocol */
	bool detected;      /* server: by its first bytes: what speaks neither is not answered, only closed */
	bool upgradable;    /* server: its next request may ask for HTTP/2 */
	bool counted;       /* as a connection */
	bool reading;       /* the stream is not paused */
	bool paused;        /* by the exchange */
	bool blocked;       /* send_body has answered false */
	bool stalled;       /* server: the next request waits until the client has read more of its responses */
	bool ended;         /* the peer's FIN was told */
	bool given;         /* client: some byte of the request was given to the stream */
	bool heard;         /* client: some byte of the response has arrived */
	bool persistent;    /* the connection goes on behind this exchange */
	bool upgrades;      /* the request asks for an upgrade, or is a CONNECT */
	bool owes_continue; /* server: the client may be waiting for `100 Continue` */
	bool first_chunk;   /* no chunk was sent yet */
	bool finish_stream; /* FIN behind what was gathered */
	bool finished_stream;
	bool tell_available;
	bool told_closed;
	int error;                  /* why it is closing, for `closed` and `reset` */
	uint32_t max_waiting_bytes; /* these: as in session_limits, defaults filled in */
	int64_t idle_ns, head_ns, read_stall_ns, write_stall_ns;
	uint64_t left; /* sending with a length: bytes still owed; without a side: bytes that may still be dropped */
	const struct http1_role *role;
	struct session_pools *pools;
	struct http1_side *side;    /* the exchange's, NULL: none */
	struct http1_side *parsing; /* server: for the head that is being parsed */
	struct http1_parser parser;
	struct http1_body body;
	struct input input;
	struct output output;
	struct task task;
	struct expiry phase, life;
	struct expiry silence;                   /* set while something is waited for, with limits.read_stall_ns */
	struct expiry stall;                     /* set while something is on its way, with limits.write_stall_ns */
	uint64_t sent_before;                    /* when `stall` was set */
	struct piece pieces[HTTP1_PLAIN_PIECES]; /* of the output, if it is plain */
};

_Static_assert(sizeof(struct http1_session) <= 640, "there are thousands at once");

/* One that may become HTTP/2 lies in as much memory as that needs. */
struct http1_changing {
	struct http1_session h;            /* first */
	struct piece pieces[HTTP1_PIECES]; /* of the output */
	struct session_limits limits;      /* as they were given */
};

enum {
	HTTP1_SESSION_MAGIC = 0x48315345,
	HTTP1_REST_MOST = 64 * 1024, /* of a request that nobody wants, read so that the connection can go on */
};

static inline struct http1_changing *http1_changing_of(struct http1_session *h)
{
	return (struct http1_changing *)(void *)h;
}

static inline struct http1_session *http1_session_of(struct session *session)
{
	return (struct http1_session *)(void *)session;
}

/* Returns NULL when the session is gone or going: whatever the exchange still does is without effect. */
static inline struct http1_session *http1_session_of_side(struct side *side)
{
	struct http1_session *h = http1_session_of(side->session);
	return h->closing == CLOSING_NOT ? h : NULL;
}

/* --- http1_session.c --- */

/* Owns the stream, also on failure. */
MUST_CHECK int http1_session_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, const struct session_ops *ops,
	const struct http1_role *role, struct http1_session **h);
void http1_session_receive_in(struct http1_session *h, enum receiving state);
void http1_session_send_in(struct http1_session *h, enum sending state);
/* Ends the session from the task; `why` and `error` are told to the side if it is open. The first call counts. */
void http1_session_end(struct http1_session *h, enum closing how, enum reset why, int error);
/* Something is to be done in the task. */
void http1_session_touch(struct http1_session *h);
/* Whether the exchange is over in both directions. */
bool http1_session_complete(const struct http1_session *h);
/* Gives a side's memory back, with its head. */
void http1_session_put_side(struct http1_session *h, struct http1_side *side);
/* The head told, and what it lies in, are not needed any more. */
void http1_session_drop_head(struct http1_session *h, struct http1_side *side);
/* Makes ready for the next exchange on the connection. */
void http1_session_renew(struct http1_session *h);
/* A connection is there: addresses and counters. */
void http1_session_count(struct http1_session *h);
/* Nothing of it happens by itself any more. */
void http1_session_stop_times(struct http1_session *h);
/* The common part of session_ops. */
void http1_session_close(struct session *session, enum reset why);

/* --- http1_receive.c --- */

/* Consumes and tells as much as is there and wanted. */
void http1_receive(struct http1_session *h);
/* Makes more of a head (or trailer section) that was ERROR_INCOMPLETE available in one piece. False: there is no more now,
 * or the session is ending: too large (role->broken with `status`), or no buffer. */
bool http1_receive_join(struct http1_session *h, unsigned status, const char *reason);
/* The head was parsed, its bytes are the input's first `length`: they stay until the side is released. */
void http1_receive_keep(struct http1_session *h, struct http1_side *side, size_t length);
/* The state for what follows a head. */
void http1_receive_follow(struct http1_session *h, const struct head *head);

/* --- http1_send.c --- */

/* Room in the output for one head, chunk head and the like. NULL: the session is ending. */
char *http1_send_room(struct http1_session *h, size_t length);
void http1_send_wrote(struct http1_session *h, size_t length);
/* The parts of side_ops that are the same for both ends. */
bool http1_send_body(struct side *side, struct piece piece, bool end);
void http1_send_trailers(struct side *side, const struct fields *trailers);
/* Behind the head, with the framing chosen: the message has ended with it. */
void http1_send_end(struct http1_session *h);
/* The session is ending: what is sent goes nowhere, but the exchange has sent its end, and is told no reset for it. */
void http1_send_nowhere(struct side *side, bool end);
void http1_side_pause(struct side *side);
void http1_side_resume(struct side *side);
void http1_side_forget_head(struct side *side);
void http1_side_release(struct side *side, enum reset why);

#endif

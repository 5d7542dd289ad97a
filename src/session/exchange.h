/* SPDX-License-Identifier: Apache-2.0 */
/* session/exchange.h: the contract between sessions (connections with their codec) and exchanges (one request and its response).
 *
 * An exchange has two *sides*: downstream, where the request comes from, and upstream, where it goes. A side is what a
 * session gives the exchange to talk through. What arrives on a side is told to the exchange by side_events; what the
 * exchange sends it sends by side_ops. Both directions carry, in this order:
 *
 *	informational* head body* ( trailers | end )        or, at any time: reset
 *
 * requests without the informational part. A response may begin, or even end, before its request has ended.
 * An upgrade (status 101 to a head with `upgrades`, or 2xx to CONNECT) turns what follows both heads into opaque bytes, which
 * travel as body until end in each direction. A request that may become one has no `end` before its answer is known (send it
 * without, too), unless the exchange drops its Upgrade field.
 *
 * Upgrades are told as HTTP/1 says them, whichever version carries them. HTTP/2's extended CONNECT (RFC 8441) is told as a GET with
 * `upgrades`, its :protocol as head->protocol and as an Upgrade field, and for a WebSocket with a Sec-WebSocket-Key; the answer with
 * status 101 goes out as 200, without what only the handshake of HTTP/1 needs. The other way round, a request to upgrade to
 * `websocket` goes out over HTTP/2 as an extended CONNECT if the server knows of it, and its 2xx is told as 101 with the
 * Sec-WebSocket-Accept that belongs to the key. Any other request to upgrade goes out over HTTP/2 as an ordinary one (so may RFC 9110
 * section 7.8 be read), whose answer is an ordinary one: what such a request sends has to end by its length, or at once.
 * `TE: trailers` goes out over HTTP/2 also when it was dropped as a field of the connection: the codec carries trailers.
 *
 * Rules that every codec keeps, and that the test codec in tests/ checks:
 *  - One thread. Events come only from the loop (stream events and tasks), never from inside a side_* call.
 *  - The downstream side is made by the session, with its request head; the upstream side by session_open.
 *  - After `end`, `trailers` or `reset` was told, nothing more is told in that direction; after reset nothing at all but
 *    what side_release still allows. A reset ends both directions.
 *  - Back-pressure: side_send_body answers false when the exchange should stop sending; `writable` says when to go on (what is
 *    sent meanwhile is still taken). side_pause stops body (and trailers, end) from being told until side_resume; at most what
 *    was read already is told after it.
 *  - A head is sent when side_send_head returns, but for a request that asks for an upgrade: it may have to wait for what the server says
 *    of itself, and lives until it is answered or its side released.
 *  - The head told lives until side_release, or until side_forget_head: a stream of a shared connection that lasts long needs then only
 *    a few hundred bytes. side->head is not to be used after it.
 *  - The exchange calls side_release exactly once for each side that it was given, in whatever state; a side that has not
 *    finished in both directions is reset by that (HTTP/1: the connection closes; a response that is cut short must be
 *    recognisable as such by the client). What was sent up to its end before that still gets there. After side_release no
 *    event comes from that side.
 *  - A response that has ended stands, also when the peer leaves while its request is still being sent: what is sent then goes
 *    nowhere, and no reset is told for it.
 *  - Pieces are passed by ownership in both directions.
 */
#ifndef SESSION_EXCHANGE_H
#define SESSION_EXCHANGE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "wire/head.h"

struct session;
struct side;

/* Why a message was cut short. */
enum reset {
	RESET_NONE,
	RESET_PEER,     /* the peer reset the exchange, or closed or broke the connection in the middle */
	RESET_CONNECT,  /* the connection could not be made (nothing was sent) */
	RESET_REFUSED,  /* the peer says that it did not process it: may be sent again (REFUSED_STREAM, GOAWAY). With an error: it says
	                   * nothing, but the connection was stale, most likely */
	RESET_PROTOCOL, /* the peer sent what its protocol forbids */
	RESET_TIMEOUT,  /* our deadline */
	RESET_CANCEL,   /* the other side of the exchange went away */
	RESET_OVERLOAD, /* a limit of ours */
	RESET_SHUTDOWN, /* we are ending */
};

/* Implemented by the exchange, a table for each of its two sides. */
struct side_events {
	void (*informational)(struct side *side, struct head *head);        /* upstream: 1xx but 101 */
	void (*head)(struct side *side, struct head *head);                 /* upstream: the final head */
	void (*body)(struct side *side, struct piece piece);                /* ownership of the piece passes */
	void (*trailers)(struct side *side, const struct fields *trailers); /* ends the direction; valid during the call */
	void (*end)(struct side *side);
	void (*reset)(struct side *side, enum reset why, int error); /* error: enum error behind it, or 0 */
	void (*writable)(struct side *side);
};

/* Implemented by codecs. */
struct side_ops {
	/* Fields marked as dropped are left out; the framing fields (Content-Length as told, Transfer-Encoding, Connection) are
	 * the codec's: it writes them from head->body and body_length and from its own state. */
	void (*send_informational)(struct side *side, const struct head *head);
	void (*send_head)(struct side *side, const struct head *head, bool end);
	bool (*send_body)(struct side *side, struct piece piece, bool end);      /* a length of 0 is allowed with end */
	void (*send_trailers)(struct side *side, const struct fields *trailers); /* and ends */
	void (*pause)(struct side *side);
	void (*resume)(struct side *side);
	void (*forget_head)(struct side *side);
	void (*release)(struct side *side, enum reset why); /* why: when it has not finished */
};

/* Embedded in what the codec keeps for one exchange. */
struct side {
	const struct side_ops *ops;
	const struct side_events *events; /* set by the exchange, before the callback that gave it the side returns */
	void *exchange;                   /* the owner of the events */
	struct session *session;
	struct head *head; /* downstream: the request's; upstream: the response's once it is told */
	bool reused;       /* upstream: the connection had carried exchanges before (a stale keep-alive is then likely) */
	bool wrote;        /* upstream: some byte of the request may have reached the peer */
};

static inline void side_own(struct side *side, const struct side_events *events, void *exchange)
{
	side->events = events;
	side->exchange = exchange;
}

static inline void side_send_informational(struct side *side, const struct head *head)
{
	side->ops->send_informational(side, head);
}

static inline void side_send_head(struct side *side, const struct head *head, bool end)
{
	side->ops->send_head(side, head, end);
}

static inline bool side_send_body(struct side *side, struct piece piece, bool end)
{
	return side->ops->send_body(side, piece, end);
}

/* Copies `bytes` into buffers of the session's loop and sends those: for bodies that are at hand whole. `stalled` is set when the codec
 * takes no more (side_send_body), and may be NULL. False: there were no buffers, and not all was sent. Nothing is sent for no bytes. */
MUST_CHECK bool side_send_copy(struct side *side, struct slice bytes, bool end, bool *stalled);

static inline void side_send_trailers(struct side *side, const struct fields *trailers)
{
	side->ops->send_trailers(side, trailers);
}

static inline void side_pause(struct side *side)
{
	side->ops->pause(side);
}

static inline void side_resume(struct side *side)
{
	side->ops->resume(side);
}

static inline void side_forget_head(struct side *side)
{
	side->ops->forget_head(side);
}

static inline void side_release(struct side *side, enum reset why)
{
	side->ops->release(side, why);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* support/call.h: exchanges of tests: they write down what their side is told, and do what a script says.
 *
 * A script is a function that is called after each event. The side is checked by support/contract.h. Whoever makes
 * sessions (support/pair.h, support/chain.h) makes calls from them, keeps them in a list, the newest first, and frees them.
 *
 *	static void answer(struct call *call, enum call_event event)
 *	{
 *		if (event == CALL_OPENED)
 *			call_send_head(call, "HTTP/1.1 204 No Content\r\n\r\n", true);
 *	}
 */
#ifndef SUPPORT_CALL_H
#define SUPPORT_CALL_H

#include "base/text.h"
#include "io/loop.h"
#include "session/session.h"

struct call;

enum call_event {
	CALL_OPENED, /* the server's side of an exchange */
	CALL_INFORMATIONAL,
	CALL_HEAD,
	CALL_BODY,
	CALL_TRAILERS,
	CALL_END,
	CALL_RESET,
	CALL_WRITABLE,
};

enum { CALL_HEAD_TEXT = 4096 };

typedef void call_script(struct call *call, enum call_event event);

/* One side of an exchange, and what was told on it. */
struct call {
	struct loop *loop;
	struct side *side; /* NULL: released */
	call_script *script;
	struct call *next;
	struct head head;      /* a copy; its slices live as long as the side's head */
	struct head sent_head; /* the last that was sent, and its text: a request to upgrade has to live until it is answered */
	char sent_text[CALL_HEAD_TEXT];
	bool has_head, ended, was_reset, keeps_side;
	unsigned status, informational, last_informational, pieces, writables;
	struct text body, trailers; /* trailers: the lines */
	size_t body_most;           /* not kept beyond; 0: all */
	size_t body_length;
	enum reset why;
	int error;
	unsigned step;        /* for the script */
	size_t sent, to_send; /* for the script */
	struct call *other;
	void *mine;  /* the test's own */
	void *owner; /* whoever made the call */
};

/* A server's, for session_events.opened; plays CALL_OPENED. */
struct call *call_serve(struct call **list, struct loop *loop, struct side *side, call_script *script, void *owner);
/* A client's; `head`: its text; end: nothing follows. NULL: the session takes no exchange now. */
struct call *call_begin(struct call **list, struct session *session, const char *head, bool end, call_script *script, void *owner);
/* Releases those that are not. */
void calls_free(struct call **list);

/* What scripts do. Heads are texts as HTTP/1 sends them; a response's needs no framing fields beyond its own. */
void call_send_head(struct call *call, const char *text, bool end);
void call_send_informational(struct call *call, const char *text);
bool call_send(struct call *call, const char *text, bool end);
bool call_send_pattern(struct call *call, size_t length, bool end); /* bytes that follow from call->sent */
void call_send_trailers(struct call *call, const char *name, const char *value);
void call_release(struct call *call, enum reset why); /* allowed when released */
bool call_is_pattern(const struct call *call);        /* what was received is what call_send_pattern sends */

/* Scripts that many need. */
bool call_event_ends(enum call_event event); /* the other side's message */
void call_listen(struct call *call, enum call_event event);
void call_release_when_over(struct call *call, enum call_event event);
void call_answer_hello(struct call *call, enum call_event event); /* 200 and five bytes, when the request is over */

#endif

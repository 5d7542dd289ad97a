/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/message.h: HTTP/1.1 messages as the scripted clients and services read and write them: a second opinion, with no
 * line in common with the product's codec.
 *
 * Every message that they send bears X-Id (the request's number in the ledger), X-Length (of its body), and a body made of a
 * pattern that depends on the id, the direction and the position, so that one wrong, missing or foreign byte shows.
 */
#ifndef SIM_MESSAGE_H
#define SIM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "io/loop.h"
#include "io/stream.h"

enum message_salt { SALT_REQUEST = 1, SALT_RESPONSE = 2 };

/* --- reading --- */

enum message_state {
	MESSAGE_IN_HEAD,
	MESSAGE_IN_BODY, /* `left` bytes to come, or until the connection ends */
	MESSAGE_CHUNK_SIZE,
	MESSAGE_CHUNK,
	MESSAGE_CHUNK_END,
	MESSAGE_TRAILERS,
	MESSAGE_COMPLETE,
	MESSAGE_BAD,
};

enum { MESSAGE_HEAD_MOST = 8192 };

struct message {
	enum message_state state;
	enum message_salt salt;
	bool to_head; /* a response to HEAD */
	char head[MESSAGE_HEAD_MOST];
	size_t used;         /* of head, while it is read: the head, a size or a trailer line */
	const char *problem; /* when MESSAGE_BAD */

	char method[16], target[128], host[64], service[32];
	char problem_told[96]; /* by a proxy: its l5d-err */
	unsigned status;
	uint64_t id, length, reply, left, body;
	bool has_id, has_length, has_framing, chunked, until_close, close, expect, from_proxy, wrong;
	unsigned informational; /* 1xx that came before */
};

enum message_event { MESSAGE_MORE, MESSAGE_HEAD, MESSAGE_DONE, MESSAGE_BROKEN };

void message_init(struct message *message, enum message_salt salt);
/* Reads on; *used: how many bytes of `bytes` it took. HEAD is told once, before the body is read. */
enum message_event message_feed(struct message *message, const char *bytes, size_t length, size_t *used);
/* The connection ended: DONE when that is how this message ends, BROKEN when it is cut short. */
enum message_event message_end(struct message *message);

/* For who reads heads and bodies by other means: one field; bytes of the body. */
void message_field(struct message *message, const char *name, const char *value);
void message_body(struct message *message, const char *bytes, size_t length);

/* --- writing --- */

/* The bytes of a body from `position` on. */
void message_write_body(char *bytes, size_t length, uint64_t id, enum message_salt salt, uint64_t position);

struct sender {
	struct loop *loop;
	struct stream *stream;
	struct random *random;
	char head[640];
	size_t head_length;
	enum message_salt salt;
	uint64_t id, length, position; /* of the body */
	uint64_t sent, cut_at;         /* bytes of the whole; it stops at cut_at */
	bool chunked, trailers, head_sent, end_sent;
	uint32_t piece_most; /* bytes of body at once; 0: as many as fit */
};

enum sender_event {
	SENDER_DONE,    /* all was taken */
	SENDER_MORE,    /* one piece was taken, there are more */
	SENDER_BLOCKED, /* the stream has bytes waiting */
	SENDER_CUT,     /* it stopped where it should */
	SENDER_FAILED,  /* no buffer */
};

/* Begins with the head's text, which is given without framing and without its empty line. */
void sender_begin(struct sender *sender, enum message_salt salt, uint64_t id, uint64_t length, bool chunked, bool has_body,
	const char *format, ...) __attribute__((format(printf, 7, 8)));
/* Sends the next piece. */
enum sender_event sender_step(struct sender *sender);

#endif

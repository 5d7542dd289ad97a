/* SPDX-License-Identifier: Apache-2.0 */
/* wire/grpc.h: what gRPC writes into HTTP/2's heads, bodies and trailers: "gRPC over HTTP2" (PROTOCOL-HTTP2.md of the gRPC
 * project), its table of statuses that stand for HTTP's, and gRPC-Web's frames (PROTOCOL-WEB.md). Pure; any thread.
 *
 *	if (grpc_kind(content_type) == GRPC_PLAIN && grpc_timeout_parse(value, &ns) == 0) ...
 *	status = grpc_status_parse(value);                      // GRPC_UNKNOWN for what is no status
 *	grpc_frames_count(&frames, piece);                      // messages that have begun in the bytes so far
 */
#ifndef WIRE_GRPC_H
#define WIRE_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "wire/head.h"

enum grpc_status {
	GRPC_OK,
	GRPC_CANCELLED,
	GRPC_UNKNOWN,
	GRPC_INVALID_ARGUMENT,
	GRPC_DEADLINE_EXCEEDED,
	GRPC_NOT_FOUND,
	GRPC_ALREADY_EXISTS,
	GRPC_PERMISSION_DENIED,
	GRPC_RESOURCE_EXHAUSTED,
	GRPC_FAILED_PRECONDITION,
	GRPC_ABORTED,
	GRPC_OUT_OF_RANGE,
	GRPC_UNIMPLEMENTED,
	GRPC_INTERNAL,
	GRPC_UNAVAILABLE,
	GRPC_DATA_LOSS,
	GRPC_UNAUTHENTICATED,
	GRPC_STATUSES,   /* how many there are */
	GRPC_NONE = 255, /* none was given */
};

/* What a content type says of a message. */
enum grpc_kind {
	GRPC_NOT,
	GRPC_PLAIN,    /* application/grpc, with "+proto" or another, or parameters */
	GRPC_WEB,      /* application/grpc-web */
	GRPC_WEB_TEXT, /* application/grpc-web-text: the same in base64 */
};

enum grpc_kind grpc_kind(struct slice content_type);
/* What stands behind the type's name: "+proto" or "". */
struct slice grpc_subtype(struct slice content_type);

/* Digits as a status; GRPC_UNKNOWN for anything that is none of the known ones. */
enum grpc_status grpc_status_parse(struct slice value);
/* "UNAVAILABLE"; static. */
const char *grpc_status_name(enum grpc_status status);
/* What an HTTP status stands for when there is no gRPC status (http-grpc-status-mapping.md). 200 is UNKNOWN too: it says nothing. */
enum grpc_status grpc_status_of_http(unsigned status);

/* A TimeoutValue of 1 to 8 digits and a TimeoutUnit (H M S m u n), in nanoseconds; at most INT64_MAX. ERROR_SYNTAX. */
MUST_CHECK int grpc_timeout_parse(struct slice value, int64_t *ns);
/* In the finest unit that 8 digits allow, rounded up so that 0 stays for what is over. Returns the length; no NUL. */
enum { GRPC_TIMEOUT_TEXT = 9 };
unsigned grpc_timeout_format(int64_t ns, char text[GRPC_TIMEOUT_TEXT]);

/* A message as grpc-message carries it: printable ASCII but '%' stays, the rest is %HH; at most `most` bytes come out, nothing is cut
 * within an escape. In the arena; {NULL, 0}: no room. */
struct slice grpc_message_encode(struct arena *arena, struct slice message, size_t most);
/* Back; what is no escape stays as it is. In the arena; {NULL, 0}: no room. */
struct slice grpc_message_decode(struct arena *arena, struct slice value);

/* Messages of a body: a flag, four bytes of length, and so many bytes each. */
struct grpc_frames {
	uint64_t messages; /* whose prefix is complete */
	uint32_t left;     /* bytes of the present message to come */
	uint8_t prefix[5];
	uint8_t have;  /* bytes of a prefix that is not complete */
	bool trailers; /* gRPC-Web: the last prefix was that of trailers (flag 0x80) */
};

void grpc_frames_count(struct grpc_frames *frames, struct slice bytes);
/* Between two messages. */
static inline bool grpc_frames_whole(const struct grpc_frames *frames)
{
	return frames->left == 0 && frames->have == 0;
}

/* ---- gRPC-Web ---- */

/* The frame that carries trailers: 0x80, their length, and "name: value CRLF" lines with the names in lower case. In the arena;
 * {NULL, 0}: no room. Fields that are dropped are left out. */
struct slice grpc_web_trailers(struct arena *arena, const struct fields *trailers);

/* Base64 in pieces (RFC 4648): what doesn't make four characters or three bytes yet is kept. Padding may come in the middle: senders encode
 * each frame alone. */
struct grpc_text {
	uint8_t kept[3];
	uint8_t have;
	bool padded; /* decoding: '=' was seen in the present group */
};

/* Takes from *in, writes to out (at most `room` bytes) and returns how many; *in moves on. 0 with bytes left in *in: no room for a group.
 * Decoding: ERROR_SYNTAX (negative) when a byte is none of base64's. */
int grpc_text_decode(struct grpc_text *text, struct slice *in, char *out, size_t room);
size_t grpc_text_encode(struct grpc_text *text, struct slice *in, char *out, size_t room);
/* The rest, with padding: 0 or 4 bytes. */
unsigned grpc_text_finish(struct grpc_text *text, char out[4]);

#endif

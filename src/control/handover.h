/* SPDX-License-Identifier: Apache-2.0 */
/* control/handover.h: what a new process and the one that it replaces say to each other, in packets (io/packet.h). Pure; any thread.
 *
 *	new                          old
 *	ASK    ------------------->         its newest version and its oldest
 *	       <-------------------  SOCKETS, one or more packets, with the descriptors; or REFUSED, and why
 *	READY  ------------------->         it accepts: the old one needn't any more
 *	       <-------------------  LEAVING: the old one drains, and has no say any more
 *
 * A supervisor (control/supervisor.h) and the process that it keeps speak like this, too, over a pair of sockets:
 *
 *	supervisor                   process
 *	BEGIN  ------------------->         how often one was started again before it
 *	SOCKETS ------------------>         those that the one before had; often none
 *	       <-------------------  READY: it accepts
 *	       <-------------------  SOCKETS: these are to be kept, in place of any before
 *	       <-------------------  LEAVING: none is to be kept any more: it ends, or another process has them
 *	TOLD   ------------------->         the supervisor was told to end, or to reload
 *
 * All numbers are big-endian:
 *
 *	8 bytes "WEFTSOCK", version (2 bytes), kind (1 byte), then
 *	ASK      oldest version (2 bytes); `version` is the newest
 *	SOCKETS  packets that follow (2 bytes), a byte for each descriptor: enum inherited_role, or HANDOVER_DOOR
 *	REFUSED  a text for people
 *	BEGIN    starts before this one (2 bytes), 1 if what is given was the one's before, else 0 (1 byte), a text: how that ended
 *	TOLD     enum process_signal (1 byte)
 *
 * ASK and REFUSED begin like this in every version, so that any two can say that they have none in common. SOCKETS and what follows are
 * of the newest version that both speak.
 *
 *	size_t length = handover_write(&(struct handover){ .kind = HANDOVER_READY, .version = 1 }, bytes);
 *	e = handover_read(slice, &message);
 */
#ifndef CONTROL_HANDOVER_H
#define CONTROL_HANDOVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum {
	HANDOVER_OLDEST = 1, /* versions that are spoken here */
	HANDOVER_NEWEST = 1,
	HANDOVER_DOOR = 255, /* in place of a role: the socket that the next process asks at */
	HANDOVER_MOST_SOCKETS = 250,
	HANDOVER_MOST_TEXT = 400, /* more is cut */
	HANDOVER_BYTES = 512,     /* of a message, at most */
};

enum handover_kind {
	HANDOVER_ASK = 1,
	HANDOVER_SOCKETS,
	HANDOVER_READY,
	HANDOVER_LEAVING,
	HANDOVER_REFUSED,
	HANDOVER_BEGIN,
	HANDOVER_TOLD,
};

struct handover {
	enum handover_kind kind;
	uint16_t version;
	uint16_t oldest;      /* ASK */
	uint16_t follow;      /* SOCKETS */
	struct slice sockets; /* SOCKETS: a byte for each descriptor, at most HANDOVER_MOST_SOCKETS */
	struct slice text;    /* REFUSED, BEGIN */
	uint16_t restarts;    /* BEGIN */
	uint8_t follows;      /* BEGIN: 1 or 0 */
	uint8_t told;         /* TOLD */
};

/* Returns the length. */
size_t handover_write(const struct handover *message, char bytes[HANDOVER_BYTES]);
/* The slices are parts of `bytes`. ERROR_SYNTAX: none of these messages; ERROR_UNSUPPORTED: of a version that is not spoken here. */
MUST_CHECK int handover_read(struct slice bytes, struct handover *message);
/* The newest version that both speak; 0: none. */
uint16_t handover_version(const struct handover *ask);

#endif

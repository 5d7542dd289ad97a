/* SPDX-License-Identifier: Apache-2.0 */
/* io/packet.h: packets between two processes of one machine, over a Unix socket (SOCK_SEQPACKET, unix(7)): each arrives whole or not at
 * all, and may bring open descriptors (SCM_RIGHTS). For a few packets at a time; kernel backend only.
 *
 * One thread (the loop's). A call never calls back; events come from the loop. A link is closed by its owner, exactly once, also after
 * `ended` and from inside an event.
 *
 * A path that begins with @ is a name in Linux's abstract namespace, which processes of one network namespace share: there is no file, so
 * no mode; whoever is there may connect, and it is for the owner to look at packet_peer.
 *
 *	packet_door_open("/run/weft/handover.sock", 0600, &door);
 *	packet_door_start(door, loop, came, owner);          // came(owner, link): packet_own(link, &events, owner)
 *	packet_connect(loop, path, &events, owner, &link);
 *	packet_send(link, bytes, descriptors, 2);            // the kernel makes copies: ours stay ours
 *	packet_close(link);
 */
#ifndef IO_PACKET_H
#define IO_PACKET_H

#include "base/error.h"
#include "base/slice.h"
#include "io/stream.h"

struct loop;
struct packet_door;
struct packet_link;

enum {
	PACKET_BYTES = 1024,      /* at most */
	PACKET_DESCRIPTORS = 250, /* at most; Linux allows 253 */
};

struct packet_events {
	/* The descriptors, which are closed on exec, are the receiver's; the bytes are gone after the call. */
	void (*received)(void *owner, struct slice bytes, const int *descriptors, unsigned count);
	/* The last event. 0: the peer has closed, or is no more. ERROR_LIMIT: a packet was too long, or its descriptors were cut off, since
	 * this process may not open so many (what came was closed). Else the kernel's error. */
	void (*ended)(void *owner, int error);
};

/* Listens at `path`; `mode` says who may connect. Nothing is accepted before packet_door_start: who connects waits. What an ended
 * process left at the path is replaced. ERROR_EXISTS: somebody listens there, or it is no socket; ERROR_INVALID: longer than 107 bytes;
 * ERROR_NOT_FOUND (its directory), ERROR_DENIED. */
MUST_CHECK int packet_door_open(const char *path, unsigned mode, struct packet_door **door);
/* The same of a door that another process opened and gave; `path` is where it is. Who connects from now on sees this process at its other
 * end. Owns the descriptor. ERROR_INVALID: it is none. */
MUST_CHECK int packet_door_adopt(int descriptor, const char *path, struct packet_door **door);
MUST_CHECK int packet_door_start(
	struct packet_door *door, struct loop *loop, void (*came)(void *owner, struct packet_link *link), void *owner);
/* For giving it to another process. */
int packet_door_descriptor(const struct packet_door *door);
/* `keep`: the path stays, because another process has the door now. NULL is allowed. */
void packet_door_close(struct packet_door *door, bool keep);

/* ERROR_NOT_FOUND: there is no such path; ERROR_REFUSED: nobody listens there any more; ERROR_INVALID: longer than 107 bytes, or no
 * socket of this kind; ERROR_DENIED; ERROR_BUSY: too many wait there. */
MUST_CHECK int packet_connect(
	struct loop *loop, const char *path, const struct packet_events *events, void *owner, struct packet_link **link);
/* A link, and the descriptor of its other end, which is for another process: packet_adopt there. ERROR_LIMIT. */
MUST_CHECK int packet_pair(struct loop *loop, const struct packet_events *events, void *owner, struct packet_link **link, int *theirs);
/* The link owns the descriptor; without one it stays as it is. ERROR_INVALID: it is no end of such a pair. */
MUST_CHECK int packet_adopt(struct loop *loop, int descriptor, const struct packet_events *events, void *owner, struct packet_link **link);
/* Before the loop's next turn, for what came by a door. */
void packet_own(struct packet_link *link, const struct packet_events *events, void *owner);
/* ERROR_BUSY: the peer doesn't read; ERROR_RESET: it is gone (`ended` follows); ERROR_LIMIT. */
MUST_CHECK int packet_send(struct packet_link *link, struct slice bytes, const int *descriptors, unsigned count);
/* `pid` is 0 for a process that can't be seen from here, in another pid namespace. */
MUST_CHECK int packet_peer(const struct packet_link *link, struct stream_peer *peer);
void packet_close(struct packet_link *link); /* NULL is allowed */
/* Of a descriptor that was received and is not wanted. */
void packet_drop(int descriptor);

#endif

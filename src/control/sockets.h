/* SPDX-License-Identifier: Apache-2.0 */
/* control/sockets.h: listening sockets on their way to another process (control/handover.h). Control thread; the heap.
 *
 *	struct sockets sockets = { 0 };
 *	sockets_add(&sockets, descriptors, 2, INHERITED_PROXY);
 *	e = sockets_send(&sockets, link, HANDOVER_NEWEST);
 *	sockets_fini(&sockets);
 */
#ifndef CONTROL_SOCKETS_H
#define CONTROL_SOCKETS_H

#include <stdint.h>

#include "base/error.h"

struct packet_link;

struct sockets {
	int *descriptors; /* they stay whose they are */
	char *roles;
	unsigned count;
};

/* role: enum inherited_role, or HANDOVER_DOOR. */
void sockets_add(struct sockets *sockets, const int *descriptors, unsigned count, uint8_t role);
/* As SOCKETS, in one packet or several. Errors are packet_send's. */
MUST_CHECK int sockets_send(const struct sockets *sockets, struct packet_link *link, uint16_t version);
void sockets_fini(struct sockets *sockets);

#endif

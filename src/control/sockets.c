/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sockets.h"

#include "base/memory.h"
#include "control/handover.h"
#include "io/packet.h"

void sockets_add(struct sockets *sockets, const int *descriptors, unsigned count, uint8_t role)
{
	sockets->descriptors = memory_grow(sockets->descriptors, sockets->count + count, sizeof *sockets->descriptors);
	sockets->roles = memory_grow(sockets->roles, sockets->count + count, 1);
	for (unsigned i = 0; i < count; i++) {
		sockets->descriptors[sockets->count] = descriptors[i];
		sockets->roles[sockets->count++] = (char)role;
	}
}

/* None is a packet, too. */
int sockets_send(const struct sockets *sockets, struct packet_link *link, uint16_t version)
{
	unsigned follow = sockets->count ? (sockets->count - 1) / HANDOVER_MOST_SOCKETS : 0, at = 0;
	int e;

	do {
		unsigned left = sockets->count - at, count = left < HANDOVER_MOST_SOCKETS ? left : HANDOVER_MOST_SOCKETS;
		const struct handover message = {
			.kind = HANDOVER_SOCKETS,
			.version = version,
			.follow = (uint16_t)follow,
			.sockets = count ? slice_make(sockets->roles + at, count) : SLICE(""),
		};
		char bytes[HANDOVER_BYTES];

		e = packet_send(link, slice_make(bytes, handover_write(&message, bytes)), count ? sockets->descriptors + at : NULL, count);
		at += count;
	} while (!e && follow--);
	return e;
}

void sockets_fini(struct sockets *sockets)
{
	memory_free(sockets->descriptors);
	memory_free(sockets->roles);
	*sockets = (struct sockets){ 0 };
}

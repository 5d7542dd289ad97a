/* SPDX-License-Identifier: Apache-2.0 */
/* control/giver.h: the old process's side of a handover (control/handover.h): it waits for a new process, gives it copies of the listening
 * sockets, and is told once the new one accepts. Until then nothing has changed here, so it can go on as if nobody had asked.
 *
 * Only a process of the same user is answered, as the kernel knows it (SO_PEERCRED), and one at a time. Who says nothing for some
 * seconds, isn't ready within a minute, or says what isn't understood, is told so and forgotten. Control thread.
 *
 *	giver_new(&options, door, &giver);     // takes the door, once this process itself accepts
 *	                                       // begins; collect: sockets_add(sockets, descriptors, count, role); then failed or given
 *	giver_free(giver);                     // this process ends by itself
 */
#ifndef CONTROL_GIVER_H
#define CONTROL_GIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/sockets.h"

struct giver;
struct loop;
struct packet_door;

struct giver_options {
	struct loop *loop;
	/* A new process has asked. */
	void (*begins)(void *owner);
	/* All listening sockets are to be added. */
	void (*collect)(void *owner, struct sockets *sockets);
	/* It will not become ready: everything stays as it was. */
	void (*failed)(void *owner);
	/* It accepts. The last call; giver_free may be called from inside. */
	void (*given)(void *owner);
	void *owner;
};

MUST_CHECK int giver_new(const struct giver_options *options, struct packet_door *door, struct giver **giver);
/* The descriptor of its door, which stays the giver's. */
int giver_door(const struct giver *giver);
/* Who has got the sockets already is told that this process leaves, and keeps them: then true. NULL is allowed. */
bool giver_free(struct giver *giver);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* io/kernel/inherit.h: what listener.c asks of inherited sockets. Main or control thread.
 *
 *	unsigned count = inherited_count(inherited, &address, role);    // address: with the port that they have
 *	inherited_take(inherited, &address, descriptors, count);
 */
#ifndef IO_KERNEL_INHERIT_H
#define IO_KERNEL_INHERIT_H

#include "io/address.h"
#include "io/inherit.h"

/* How many sockets share the address. Port 0 becomes the port of those that were inherited for that role. */
unsigned inherited_count(const struct inherited *inherited, struct address *address, uint8_t role);
/* These are the caller's now. */
void inherited_take(struct inherited *inherited, const struct address *address, int *descriptors, unsigned count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* client/hosts.h: names from a hosts file (hosts(5)). Pure, any thread: the file's bytes are the caller's.
 *
 *	struct address found[8];
 *	unsigned n = hosts_find(bytes, SLICE("db.local"), found, 8);
 */
#ifndef CLIENT_HOSTS_H
#define CLIENT_HOSTS_H

#include "base/slice.h"
#include "io/address.h"

/* All different addresses of the name (case and a dot at its end don't matter), port 0, in the file's order, at most
 * `max`. */
unsigned hosts_find(struct slice file, struct slice name, struct address *found, unsigned max);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* cli/witness.h: requests to try two configurations with: made of every segment that their dtabs and rules name and one that none
 * names, put where the routers' identifiers look. Pure.
 *
 *	all = witness_each(&old, &new, visit, owner);
 */
#ifndef CLI_WITNESS_H
#define CLI_WITNESS_H

#include "model/router.h"

enum { WITNESS_MOST = 50000 };

/* Valid during the call only. */
struct witness {
	struct slice method, target, host; /* host empty: without the field */
	struct slice header, value;        /* one more field; empty: none */
};

/* Where requests come in. */
struct door {
	const struct router *router; /* NULL: nobody listens there */
	const struct listener_policy *listener;
};

/* For two at the same address. False: there would have been more than WITNESS_MOST. */
bool witness_each(const struct door *old, const struct door *new, void (*visit)(void *owner, const struct witness *witness), void *owner);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/joining.h: which request a service works on while it makes a call, for services that don't pass on the headers of a trace.
 *
 * Every attempt that an endpoint works on is told to one table of the process, by the endpoint's IP address. A call that comes from that
 * address belongs to it when it is the only one there. When there are several, or one was given up and the endpoint may still be at it, nobody
 * can know, and it is never guessed.
 *
 * The table has a fixed size. Addresses whose hashes meet share a cell, which holds how many attempts there are and all of their words
 * xor-ed together: of a single one these are its own, the address among them, and that is compared. So nothing is looked for, nothing can
 * be full, and a collision can only make a call ambiguous. Any thread; nobody waits.
 *
 *	joining_begin(joining, &endpoint, &span);                      // before it is sent
 *	answer = joining_find(joining, &caller, now, &span);           // JOINING_ONE: `span` is its parent
 *	joining_end(joining, &endpoint, &span, JOINING_SETTLED);       // with the same words
 */
#ifndef PROXY_JOINING_H
#define PROXY_JOINING_H

#include "base/clock.h"
#include "io/address.h"
#include "proxy/trace.h"

/* For so long after an attempt that was given up its endpoint may still be at it. */
#define JOINING_DOUBT (30 * CLOCK_SECOND)

/* For joining_end: the endpoint has done with it, so there is no doubt. */
#define JOINING_SETTLED 0

enum joining_answer {
	JOINING_NONE, /* nothing is at work at that address */
	JOINING_ONE,
	JOINING_AMBIGUOUS,
};

struct joining;

struct joining *joining_new(uint64_t hash_key);
void joining_free(struct joining *joining); /* NULL is allowed */
void joining_begin(struct joining *joining, const struct address *endpoint, const struct trace *span);
/* `doubt_until`: as loop_now, or JOINING_SETTLED. */
void joining_end(struct joining *joining, const struct address *endpoint, const struct trace *span, int64_t doubt_until);
/* `span` is set with JOINING_ONE only. */
enum joining_answer joining_find(struct joining *joining, const struct address *caller, int64_t now, struct trace *span);

#endif

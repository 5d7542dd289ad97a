/* SPDX-License-Identifier: Apache-2.0 */
/* control/taker.h: the new process's side of a handover (control/handover.h): it asks the running process for its listening sockets,
 * and says when it accepts from them itself. Control thread.
 *
 *	e = taker_new(&options, &taker, &why);   // ERROR_NOT_FOUND: nobody runs there, so there is nothing to take
 *	loop_run(loop);                          // until `answered`: 0, and options.inherited has the sockets; else why not
 *	... start ...
 *	taker_ready(taker);                      // `owns` follows: the old process leaves, or has ended; or `refused`
 *	taker_free(taker);
 */
#ifndef CONTROL_TAKER_H
#define CONTROL_TAKER_H

#include "base/error.h"
#include "base/text.h"

struct inherited;
struct loop;
struct packet_door;
struct taker;

struct taker_options {
	struct loop *loop;
	const char *path;            /* where the running process is asked; outlives the taker */
	struct inherited *inherited; /* gets the sockets */
	/* Once. An error is followed by nothing but taker_free. When the old process ends while it gives, that is no error: what it did not
	 * give is free. */
	void (*answered)(void *owner, int error, const char *why);
	/* After `answered`, before `owns`: the old process goes on by itself, this one must not. */
	void (*refused)(void *owner, const char *why);
	/* The place at which the next process asks; NULL: the old one has ended before it gave it. */
	void (*owns)(void *owner, struct packet_door *door);
	void *owner;
};

/* ERROR_NOT_FOUND: nobody listens there. Any other: why. */
MUST_CHECK int taker_new(const struct taker_options *options, struct taker **taker, struct text *why);
void taker_ready(struct taker *taker);
/* NULL is allowed. Without `owns` the old process goes on. */
void taker_free(struct taker *taker);

#endif

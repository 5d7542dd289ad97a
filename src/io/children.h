/* SPDX-License-Identifier: Apache-2.0 */
/* io/children.h: processes that this one starts: further runs of this program. Main thread, before there is another one (a fork has only the
 * thread that called it). Kernel backend only.
 *
 * Every process that ends below this one is reaped, also those that it inherited as the first of a container.
 *
 *	children_new(loop, ended, owner, &children);
 *	packet_pair(loop, &events, owner, &link, &theirs);
 *	children_start(children, arguments, "WEFT_SUPERVISOR", theirs, &pid);    // ended(owner, pid, &end) follows
 *	children_free(children);
 */
#ifndef IO_CHILDREN_H
#define IO_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct children;
struct loop;

/* How a process ended: by itself, or by a signal. */
struct child_end {
	int code;   /* its exit code; of no meaning with a signal */
	int signal; /* 0: none */
	bool core;  /* it left a core file */
};

/* `ended` comes from the loop, also for processes that were not started here. */
MUST_CHECK int children_new(
	struct loop *loop, void (*ended)(void *owner, uint32_t pid, const struct child_end *end), void *owner, struct children **children);
/* Starts this program anew (a fresh image, so that memory lies elsewhere than before) with these arguments, the first of which is its name;
 * they end in NULL. It has the descriptor, whose number the environment variable says; ours is closed, in any case. Signals that are blocked
 * here wait until it looks at them. It isn't the one that systemd knows: NOTIFY_SOCKET is kept from it. ERROR_LIMIT, ERROR_NO_MEMORY. A program
 * that can't be run is a child that ends with code 2. */
MUST_CHECK int children_start(struct children *children, char *const *arguments, const char *variable, int descriptor, uint32_t *pid);
void children_free(struct children *children); /* NULL is allowed; those that run go on */

/* Appends "was killed by SIGSEGV, which left a core file", "ended with code 70". */
void child_end_show(const struct child_end *end, struct text *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* control/supervisor.h: a process above the proxy, which starts it again when it crashes or is killed, and in between keeps its listening
 * sockets open: who connects then waits in their queues until the next one accepts, and isn't refused. Main thread; it has no other.
 *
 * The process tells which sockets are to be kept (control/supervised.h), from when it accepts until it leaves; the supervisor never accepts.
 * When it restarts what is in control/restarts.h.
 *
 *	supervisor_new(&options, inherited, &supervisor);    // the first is started
 *	supervisor_tell(supervisor, PROCESS_TERMINATE);      // passed on
 *	... options.ended(owner, code) ...
 *	supervisor_free(supervisor);
 */
#ifndef CONTROL_SUPERVISOR_H
#define CONTROL_SUPERVISOR_H

#include <stdbool.h>

#include "base/error.h"
#include "io/process.h"

struct inherited;
struct loop;
struct supervisor;

struct supervisor_options {
	struct loop *loop;
	char *const *arguments; /* the process's, its name first, NULL behind the last; they outlive the supervisor */
	bool stay;              /* not to end before it is told to, though the process has left */
	/* Nothing runs any more: the exit code for this process. The last call. */
	void (*ended)(void *owner, int code);
	void *owner;
};

/* `inherited`: what the first process is to have; is owned from now on. Errors are those of starting it. */
MUST_CHECK int supervisor_new(const struct supervisor_options *options, struct inherited *inherited, struct supervisor **supervisor);
void supervisor_tell(struct supervisor *supervisor, enum process_signal which);
void supervisor_free(struct supervisor *supervisor); /* NULL is allowed */

#endif

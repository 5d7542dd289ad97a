/* SPDX-License-Identifier: Apache-2.0 */
/* control/supervised.h: the process's side of a supervisor (control/supervisor.h). Control thread.
 *
 *	e = supervised_new(&options, &supervised);       // ERROR_NOT_FOUND: there is no supervisor
 *	loop_run(loop);                                  // until `began`: options.inherited has the sockets of the process before
 *	supervised_ready(supervised);                    // it accepts
 *	supervised_keep(supervised, &sockets);           // whenever they have become others
 *	supervised_leave(supervised);                    // none is to be kept
 *	supervised_free(supervised);
 */
#ifndef CONTROL_SUPERVISED_H
#define CONTROL_SUPERVISED_H

#include <stdbool.h>

#include "base/error.h"
#include "control/sockets.h"
#include "io/process.h"

#define SUPERVISED_VARIABLE "WEFT_SUPERVISOR" /* its value: the number of the descriptor that leads to the supervisor */

struct inherited;
struct loop;
struct supervised;

struct supervised_options {
	struct loop *loop;
	struct inherited *inherited; /* gets the sockets */
	void (*began)(void *owner);  /* once */
	void (*told)(void *owner, enum process_signal which);
	void (*lost)(void *owner); /* the supervisor is no more, or not understood */
	void *owner;
};

/* ERROR_NOT_FOUND: nobody supervises this process. */
MUST_CHECK int supervised_new(const struct supervised_options *options, struct supervised **supervised);
/* How often it was started again before this process, and how the last one ended ("" for the first). */
unsigned supervised_restarts(const struct supervised *supervised);
const char *supervised_last(const struct supervised *supervised);
/* Whether this process is what one before it was, with its sockets: so there is nobody else to take over from. */
bool supervised_follows(const struct supervised *supervised);
/* The socket that the next process asks at; -1: none was kept. Once; the caller's from then on. */
int supervised_door(struct supervised *supervised);
void supervised_ready(struct supervised *supervised);
void supervised_keep(struct supervised *supervised, const struct sockets *sockets);
void supervised_leave(struct supervised *supervised);
void supervised_free(struct supervised *supervised); /* NULL is allowed */

#endif

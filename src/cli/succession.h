/* SPDX-License-Identifier: Apache-2.0 */
/* cli/succession.h: one process after another with the same listening sockets: `weft proxy --handover SOCKET`, `--supervise`, and systemd's
 * sockets.
 *
 * A process that its supervisor has started again has the sockets from there (control/supervised.h), and is what the one before was. Any other, at
 * the start it takes the sockets of the process that runs (control/taker.h), if one does; from when this process accepts, the next one
 * may ask for them (control/giver.h). Control thread.
 *
 *	succession_new(&options, &succession, &why);   // may run the loop until the running process has answered
 *	... everything is made, with options.inherited where it listens ...
 *	succession_ready(succession);                  // it accepts; `given` when another process does
 *	succession_changed(succession);                // listeners are others now
 *	succession_end(succession);                    // this process ends, or doesn't become ready after all
 *	succession_free(succession);
 */
#ifndef CLI_SUCCESSION_H
#define CLI_SUCCESSION_H

#include <stdbool.h>

#include "base/text.h"
#include "control/giver.h"

struct inherited;
struct loop;
struct succession;
struct supervised;

struct succession_options {
	struct loop *loop;
	const char *path;              /* of the socket that processes ask at; NULL: only systemd's sockets are inherited */
	struct supervised *supervised; /* NULL: there is no supervisor */
	struct inherited *inherited;   /* what came from it, and gets the rest; outlives the succession */
	/* Of another process after this one: see control/giver.h. */
	void (*begins)(void *owner);
	void (*collect)(void *owner, struct sockets *sockets);
	void (*failed)(void *owner);
	void (*given)(void *owner);
	/* The process before goes on by itself: this one is to end. */
	void (*refused)(void *owner);
	void *owner;
};

MUST_CHECK int succession_new(const struct succession_options *options, struct succession **succession, struct text *why);
/* Whether another process had the sockets, which goes on with its connections for a while. */
bool succession_takes_over(const struct succession *succession);
void succession_ready(struct succession *succession);
void succession_changed(struct succession *succession);
/* Whether another process goes on with the sockets. */
bool succession_end(struct succession *succession);
void succession_free(struct succession *succession); /* NULL is allowed */

#endif

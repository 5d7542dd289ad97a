/* SPDX-License-Identifier: Apache-2.0 */
/* control/restarts.h: what a supervisor does when its process has ended. Pure; one thread.
 *
 * | the process                                           | then                                                              |
 * | --- | --- |
 * | was told to end, or was leaving by itself, or ended with 0 | the supervisor ends, too, with its code                      |
 * | was leaving, and is to stay (`--stay`)                | the supervisor waits until it is told to end                      |
 * | ended with 2 before one was ever ready                | the supervisor ends with 2: a mistake that another start repeats  |
 * | ended otherwise                                       | it is started again: at once, unless the one before lived as short|
 *
 * Short is less than 10 s. From the second short life in a row on it waits, 100 ms at first, twice as long each time, up to 5 s, all that
 * less a random part of up to a half; after the eighth the supervisor gives up and ends with the code of the last.
 *
 *	struct restarts restarts = { .random = loop_random(loop) };
 *	struct restart next = restarts_judge(&restarts, &life);
 */
#ifndef CONTROL_RESTARTS_H
#define CONTROL_RESTARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "io/children.h"

enum { RESTARTS_MOST_SHORT = 8 };

struct restarts {
	struct random *random;
	unsigned count;     /* how often it was started again */
	unsigned short_row; /* lives in a row that were short */
	bool was_ready;     /* once at least */
};

struct life {
	struct child_end end;
	int64_t lived_ns;
	bool ready;   /* it accepted */
	bool leaving; /* it had said so */
	bool told;    /* the supervisor is to end */
	bool stay;    /* after leaving by itself it isn't to be missed */
};

enum restart_what { RESTART_END, RESTART_WAIT, RESTART_AGAIN };

struct restart {
	enum restart_what what;
	int code;         /* of END, and of what WAIT ends with: the process's exit code, or 128 and its signal */
	int64_t delay_ns; /* of AGAIN */
};

/* Counts what it answers. */
struct restart restarts_judge(struct restarts *restarts, const struct life *life);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* session/expiry.h: many coarse deadlines with one timer: idle times, head times, life times of a worker's sessions.
 *
 * Deadlines of one duration come in the order in which they were set, so each duration has a list whose first member is the
 * next to expire, and setting one costs a list operation. The timer is set for the earliest; it is not moved when a deadline
 * is put off, but looks again when it fires. A worker has few durations (from its listeners' configuration): beyond
 * EXPIRY_DURATIONS at once, the nearest one in use is taken. Loop's thread.
 *
 *	expiry_init(&session->idle, on_idle);                             // finds its session by LIST_OF
 *	expiry_set(&pools->expiries, &session->idle, 60 * CLOCK_SECOND);   // again: put off
 *	expiry_cancel(&session->idle);                                    // allowed when not set
 */
#ifndef SESSION_EXPIRY_H
#define SESSION_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "io/loop.h"

enum { EXPIRY_DURATIONS = 32 };

struct expiry {
	struct list link;
	int64_t deadline;
	void (*fired)(struct expiry *expiry);
};

struct expiries {
	struct loop *loop;
	struct timer timer;
	int64_t due;    /* when it fires, while it is set */
	unsigned count; /* of durations in use or used once */
	struct {
		int64_t duration;
		struct list members;
	} durations[EXPIRY_DURATIONS];
};

/* Must not be moved afterwards. */
void expiries_init(struct expiries *expiries, struct loop *loop);
void expiries_fini(struct expiries *expiries); /* nothing may be set */

void expiry_init(struct expiry *expiry, void (*fired)(struct expiry *expiry));
void expiry_set(struct expiries *expiries, struct expiry *expiry, int64_t duration_ns);

static inline bool expiry_is_set(const struct expiry *expiry)
{
	return !list_empty(&expiry->link);
}

static inline void expiry_cancel(struct expiry *expiry)
{
	list_remove(&expiry->link);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* base/recent_log.h: the lines that were logged last (base/log.h), to be read again: at most RECENT_LOG_LINES, each cut where it is longer
 * than RECENT_LOG_TEXT. They take no lock, and memory only once they are written.
 *
 * A line has a number, from 0 on. Any thread writes, any thread reads.
 *
 *	since = recent_log_read(since, &lost, visit, owner);      // what came after the last time; at first since is 0
 */
#ifndef BASE_RECENT_LOG_H
#define BASE_RECENT_LOG_H

#include "base/log.h"

enum { RECENT_LOG_LINES = 512, RECENT_LOG_ROOM = 16, RECENT_LOG_TEXT = 480 };

struct recent_line {
	int64_t at; /* of the log's clock (log_set_clock); 0: it has none */
	uint8_t level;
	bool cut;
	uint16_t length;
	char room[RECENT_LOG_ROOM]; /* ends in NUL */
	char text[RECENT_LOG_TEXT]; /* `length` bytes, and no NUL */
	char rest[4];
};

_Static_assert(sizeof(struct recent_line) % 8 == 0, "places hold whole words");

/* base/log.c's. When all places turn over before another thread is done with one, the line that wants it is left out. */
void recent_log_put(int64_t at, enum log_level level, const char *room, struct slice text);
/* Those from number `since` on that are still there, the oldest first; from the first one if there is no number `since` yet, as after a restart.
 * *lost grows by those that are not there any more. Returns the number to go on from. `line` is a copy that lives during the call. */
uint64_t recent_log_read(uint64_t since, uint64_t *lost, void (*visit)(void *owner, const struct recent_line *line), void *owner);

#endif

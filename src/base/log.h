/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h: one line an event, to where io/ has told it to write (standard error), at most so many a second per call site.
 *
 * Never on the request path unless something failed. Any thread. Lines are `LEVEL room: text`. Each room has a level of its own, below which
 * it says nothing; they may be changed at any time, by any thread. What was written last can be read again (base/recent_log.h).
 *
 *	LOG(LOG_WARN, "discover", "cannot read %s: %s", path, error_text(e));
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
};

typedef void log_writer(const char *line, size_t length); /* the line ends in a newline */

typedef int64_t log_clock(void); /* monotonic nanoseconds */

void log_set(enum log_level least, log_writer *writer); /* of all rooms */
void log_set_clock(log_clock *clock);                   /* what "a second" is measured with; NULL (at first): no limit per call site */
bool log_wanted(enum log_level level, const char *room);

const char *log_room(unsigned i); /* of those that log, by name; NULL behind the last */
enum log_level log_room_level(unsigned i);
void log_room_set(unsigned i, enum log_level least);
const char *log_level_text(enum log_level level);              /* "DEBUG", "INFO", "WARN", "ERROR" */
bool log_level_read(struct slice text, enum log_level *level); /* the same in any case, and "WARNING" */

/* Whatever the room's level is. */
void log_line(enum log_level level, const char *room, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define LOG(level, room, ...) \
	do { \
		if (log_wanted(level, room)) \
			log_line(level, room, __VA_ARGS__); \
	} while (0)

#endif

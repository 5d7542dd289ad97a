/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h: units of time. Time itself is read from a loop (io/loop.h), so that the simulation can make it.
 *
 * Instants are nanoseconds on the monotonic clock in int64_t; durations too. CLOCK_NEVER is later than every instant.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

enum { CLOCK_TEXT = 32 };

#define CLOCK_NEVER INT64_MAX
#define CLOCK_US INT64_C(1000)
#define CLOCK_MS INT64_C(1000000)
#define CLOCK_SECOND INT64_C(1000000000)
#define CLOCK_MINUTE (60 * CLOCK_SECOND)

/* Nanoseconds since 1970 as RFC 3339 says it in UTC, to the second: "2026-11-23T12:26:00Z"; NUL-terminated. */
void clock_format(int64_t wall_ns, char text[CLOCK_TEXT]);

/* A date of the Gregorian calendar, in UTC. */
struct clock_date {
	int64_t year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second;
	unsigned weekday; /* 0: Sunday */
};

/* Of nanoseconds since 1970, not before. */
void clock_split(int64_t wall_ns, struct clock_date *date);

/* `now + after`, or CLOCK_NEVER instead of overflowing. */
static inline int64_t clock_after(int64_t now, int64_t after)
{
	int64_t then;
	return __builtin_add_overflow(now, after, &then) ? CLOCK_NEVER : then;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/access_line.h: a line of an access log being made; private to access.c and access_*.c. The worker's thread.
 *
 * Whoever makes one gives each value a most, and all of them together fit.
 *
 *	struct access_line line;
 *	access_line_begin(&line);
 *	access_line_value(&line, request->target, 2048, ACCESS_ESCAPE_HEX);
 */
#ifndef PROXY_ACCESS_LINE_H
#define PROXY_ACCESS_LINE_H

#include <string.h>

#include "io/address.h"
#include "observe/lines.h"
#include "proxy/worker.h"

struct access_line {
	char *at;
	char bytes[LINES_MOST_LINE];
};

/* How what is no plain text is written, so that nothing that a caller sends looks like another line or another field. */
enum access_escape {
	ACCESS_ESCAPE_HEX,  /* \" \\ \x09 */
	ACCESS_ESCAPE_JSON, /* of a JSON string, whatever bytes there are */
};

static inline void access_line_begin(struct access_line *line)
{
	line->at = line->bytes;
}

static inline struct slice access_line_slice(const struct access_line *line)
{
	return slice_make(line->bytes, (size_t)(line->at - line->bytes));
}

static inline void access_line_add(struct access_line *line, struct slice text)
{
	memcpy(line->at, text.at, text.length);
	line->at += text.length;
}

/* Up to `most` bytes, which are at least eight. */
void access_line_value(struct access_line *line, struct slice value, unsigned most, enum access_escape escape);
/* The same as HEX, and without the byte `end`, by which whoever reads the line knows where the value ends; no letter, digit or backslash. */
void access_line_value_to(struct access_line *line, struct slice value, unsigned most, char end);
void access_line_large_number(struct access_line *line, uint64_t number);
/* Nanoseconds since 1970 as "2026-11-26T18:22:19.123Z". */
void access_line_time(struct access_line *line, struct worker *worker, int64_t wall);
/* Without port and brackets. */
void access_line_ip(struct access_line *line, const struct address *address);

/* Most are small: bytes of addresses, statuses. */
static inline void access_line_number(struct access_line *line, uint64_t number)
{
	unsigned n = (unsigned)number;
	char *at = line->at;

	if (number >= 1000) {
		access_line_large_number(line, number);
		return;
	}
	if (n >= 100)
		*at++ = (char)('0' + n / 100);
	if (n >= 10)
		*at++ = (char)('0' + n / 10 % 10);
	*at++ = (char)('0' + n % 10);
	line->at = at;
}

#endif

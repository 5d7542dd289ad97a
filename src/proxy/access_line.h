/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/access_line.h: a line of an access log being made; private to access.c and access_*.c. The worker's thread.
 *
 * It is made where it stays, in the worker's ring (observe/lines.h). Each function lays something at `at` and returns where it ends.
 * Whoever makes a line gives each value a most, and all of them together fit.
 *
 *	char *at = lines_reserve(lines);
 *	at = access_line_add(at, SLICE("GET "));
 *	at = access_line_value(at, request->target, 2048, ACCESS_ESCAPE_HEX);
 */
#ifndef PROXY_ACCESS_LINE_H
#define PROXY_ACCESS_LINE_H

#include <string.h>

#include "io/address.h"
#include "observe/lines.h"
#include "proxy/worker.h"

/* How what is no plain text is written, so that nothing that a caller sends looks like another line or another field. */
enum access_escape {
	ACCESS_ESCAPE_HEX,  /* \" \\ \x09 */
	ACCESS_ESCAPE_JSON, /* of a JSON string, whatever bytes there are */
};

static inline char *access_line_add(char *at, struct slice text)
{
	memcpy(at, text.at, text.length);
	return at + text.length;
}

/* Up to `most` bytes, which are at least eight. */
char *access_line_value(char *at, struct slice value, unsigned most, enum access_escape escape);
/* The same as HEX, and without the byte `end`, by which whoever reads the line knows where the value ends; no letter, digit or backslash. */
char *access_line_value_to(char *at, struct slice value, unsigned most, char end);
char *access_line_number(char *at, uint64_t number);
/* Nanoseconds since 1970 as "2026-11-26T18:22:19.123Z". */
char *access_line_time(char *at, struct worker *worker, int64_t wall);
/* Without port and brackets. */
char *access_line_ip(char *at, const struct address *address);

#endif

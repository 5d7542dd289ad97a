/* SPDX-License-Identifier: Apache-2.0 */
/* unit/wire/feed.h: cases for the HTTP/1 codec. Each is told to it whole, byte by byte, and in two pieces cut at every place;
 * it has to say the same each time, and what the case says.
 *
 *	static const struct feed_case cases[] = {
 *		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "request GET /|authority a" },   // lines that the verdict has
 *		{ "GET / HTTP/1.1\r\n\r\n", "refused 400 no Host field" },
 *	};
 */
#ifndef UNIT_WIRE_FEED_H
#define UNIT_WIRE_FEED_H

#include "support/http1_verdict.h"

struct feed_case {
	const char *input;
	const char *wanted; /* lines of http1_verdict.h, with '|' between them; "!LINE": a line that must not be there */
};

/* Runs one case with these settings; fails the test if it isn't as wanted. settings.length: of an input that contains NUL. */
void feed_check(const struct feed_case *one, struct verdict_input settings);

void feed_requests(const struct feed_case *cases, size_t count);
void feed_responses(const struct feed_case *cases, size_t count, enum method request_method);

#define FEED_COUNT(cases) (sizeof(cases) / sizeof *(cases))

#endif

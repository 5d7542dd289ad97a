/* SPDX-License-Identifier: Apache-2.0 */
/* observe/lines.h: lines of text on their way from one thread to another that may be slow: a ring of bytes. The writer never waits: a line
 * that doesn't fit is dropped, and counted by who writes it.
 *
 *	struct lines *lines = lines_new(1024 * 1024);             // control thread
 *	if (!lines_put(lines, line)) counter_add(&dropped, 1);    // its one writer; `line` ends in a newline
 *	length = lines_take(lines, bytes, sizeof bytes);          // its one reader: whole lines, as many as fit
 */
#ifndef OBSERVE_LINES_H
#define OBSERVE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { LINES_MOST_LINE = 4096 };

struct lines;

struct lines *lines_new(uint32_t capacity); /* rounded up to a power of two; at least two lines */
void lines_free(struct lines *lines);       /* NULL is allowed */
/* At most LINES_MOST_LINE bytes. False: no room. */
bool lines_put(struct lines *lines, struct slice line);
/* `room` is at least LINES_MOST_LINE. 0: there are none. */
size_t lines_take(struct lines *lines, char *out, size_t room);
/* How many bytes wait; either thread. */
uint32_t lines_waiting(const struct lines *lines);
uint32_t lines_capacity(const struct lines *lines);

#endif

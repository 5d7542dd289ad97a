/* SPDX-License-Identifier: Apache-2.0 */
/* observe/lines.h: lines of text on their way from one thread to another that may be slow: a ring of bytes, in which lines are made and from
 * which they are written, so that nobody copies them. The writer never waits: a line that finds no room is dropped, and counted by who
 * writes it.
 *
 *	struct lines *lines = lines_new(1024 * 1024);      // control thread
 *	char *at = lines_reserve(lines);                   // its one writer; NULL: no room
 *	lines_commit(lines, make_line(at));                // how long it is, its newline included
 *	struct lines_mark end = lines_end(lines);          // its one reader: how far it will go
 *	struct slice some = lines_peek(lines, end, 65536); // whole lines; empty: it is there
 *	lines_release(lines, some.length);                 // once they are written
 */
#ifndef OBSERVE_LINES_H
#define OBSERVE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { LINES_MOST_LINE = 4096 };

struct lines;

/* A place between two lines. */
struct lines_mark {
	uint32_t position; /* bytes that were committed before it, modulo 2^32 */
	uint32_t count;    /* lines, modulo 2^32: between two marks are as many as the difference */
};

struct lines *lines_new(uint32_t capacity); /* rounded up to a power of two; at least two lines */
void lines_free(struct lines *lines);       /* NULL is allowed */
/* Where LINES_MOST_LINE bytes may be laid, until the next call; NULL: there may be no room for so many. */
char *lines_reserve(struct lines *lines);
/* The line there is so long; it ends in a newline. */
void lines_commit(struct lines *lines, size_t length);
/* Behind what is committed. */
struct lines_mark lines_end(const struct lines *lines);
/* Whole lines that lie together, until they are released: at most `most` bytes, which are at least LINES_MOST_LINE, and none behind `end`.
 * Empty: there are none. */
struct slice lines_peek(const struct lines *lines, struct lines_mark end, size_t most);
/* All of what was seen, or the first so many bytes that are whole lines. */
void lines_release(struct lines *lines, size_t length);
/* How many bytes wait before the mark; the reader. */
uint32_t lines_waiting(const struct lines *lines, struct lines_mark end);
uint32_t lines_capacity(const struct lines *lines);

#endif

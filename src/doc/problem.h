/* SPDX-License-Identifier: Apache-2.0 */
/* doc/problem.h: what is wrong with a document, each thing with its place, collected so that the user sees all at once.
 *
 * The list owns copies of all texts, so it outlives the documents that it speaks of. Heap; control thread (or any one
 * thread that owns the list).
 *
 *	struct problems problems;
 *	problem_init(&problems);
 *	problem_add(&problems, node, "`%s` is used twice", label);      // "linkerd.yaml:12:7: `web` is used twice"
 *	if (problems.count > 0)
 *		problem_print(&problems, &text);
 *	problem_fini(&problems);
 */
#ifndef DOC_PROBLEM_H
#define DOC_PROBLEM_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct document_node;
struct text;

enum { PROBLEM_MAX = 100 }; /* more are only counted: they mostly follow from one mistake */

struct problem {
	struct slice file; /* as it was given, e.g. a path; may be empty */
	int line, column;  /* from 1, in characters; 0: the whole file */
	struct slice text; /* without the place, no newline at the end, NUL-terminated */
};

struct problems {
	struct problem *items; /* in the order in which they were found */
	uint32_t count;        /* of items, at most PROBLEM_MAX */
	uint32_t capacity;
	uint32_t dropped; /* found beyond that */
	struct arena arena;
};

void problem_init(struct problems *problems);
void problem_fini(struct problems *problems);

/* At the node's place. A list of NULL is allowed in all three: the problem is dropped. Control characters in the
 * text come out as `?`, so that a document cannot write to the user's terminal. */
void problem_add(struct problems *problems, const struct document_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Inside the node's text, `offset` bytes from its beginning: for texts with a syntax of their own, such as a dtab. */
void problem_add_inside(struct problems *problems, const struct document_node *node, size_t offset, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void problem_add_at(struct problems *problems, struct slice file, int line, int column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* All of them, one line each, `file:line:column: text`, ordered by file (as first met), line and column. */
void problem_print(const struct problems *problems, struct text *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* model/matcher.h: patterns over a path's beginning, as in the `static` client and service configurations of Linkerd
 * 1.x.
 *
 * A pattern's segments are literal, `*` (one segment), or contain captures: "{name}" takes as many bytes as it can. A
 * segment with captures matches when it is found anywhere in the path's segment. A pattern matches a path when each
 * of its segments does; what follows in the path is free. Immutable once made; any thread may match.
 *
 *	struct matcher *m;
 *	if (matcher_new(slice_of("/#/io.l5d.fs/{service}"), &m, &why)) ...
 *	struct matcher_vars vars;
 *	if (matcher_match(m, path, &vars))                   // service = "hello"
 *		matcher_substitute(&arena, slice_of("{service}.local"), &vars, &name);
 *	matcher_free(m);
 */
#ifndef MODEL_MATCHER_H
#define MODEL_MATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/path.h"

enum { MATCHER_VARS = 16 };

struct matcher;

struct matcher_var {
	struct slice name, value; /* name points into the matcher, value into the path */
};

struct matcher_vars {
	uint32_t count;
	struct matcher_var list[MATCHER_VARS];
};

/* Heap; copies `pattern`. ERROR_SYNTAX, ERROR_LIMIT (more than MATCHER_VARS captures); *why is static. */
MUST_CHECK int matcher_new(struct slice pattern, struct matcher **matcher, struct slice *why);
void matcher_free(struct matcher *matcher);
/* `vars` may be NULL. Of captures with one name the last stays. */
bool matcher_match(const struct matcher *matcher, struct path path, struct matcher_vars *vars);
/* For each of its segments one that it matches, without those that are `*` alone; valid during the call. NULL is allowed. */
void matcher_each_example(const struct matcher *matcher, void (*visit)(void *owner, struct slice segment), void *owner);
/* Whether the pattern captures that name. */
bool matcher_captures(const struct matcher *matcher, struct slice name);
/* `text` with each {name} replaced. ERROR_NOT_FOUND: a name that `vars` doesn't have; ERROR_NO_MEMORY. */
MUST_CHECK int matcher_substitute(struct arena *arena, struct slice text, const struct matcher_vars *vars, struct slice *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* model/path.h: names, as in Finagle: a sequence of segments, shown as "/svc/hello".
 *
 * A path is two words that point at segments which somebody else owns (an arena, or a block from path_new), passed by
 * value, never changed once made. Segments hold raw bytes and are never empty; showing escapes what a label may not
 * hold (\xHH), so that path_show gives equal texts for equal paths and only for those: the showing is the key for
 * caches. Any thread.
 *
 *	struct path p;
 *	struct slice why;
 *	if (path_parse(slice_of("/svc/hello"), &arena, &p, &why))
 *		...                                     // why: "label char expected but '!' found at '/svc/[!]'"
 *	path_append(&arena, p, host, &name);                         // one segment more, whatever bytes it holds
 *	key = path_show_under(&arena, SLICE("/svc"), host);          // per request: the same text without making a path
 *
 * Functions that take an arena answer ERROR_NO_MEMORY when it has no room (its limit, or memory is out).
 */
#ifndef MODEL_PATH_H
#define MODEL_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

struct path {
	const struct slice *segments;
	uint32_t count;
};

/* The path without segments, "/". */
#define PATH_EMPTY ((struct path){ 0 })

/* True for the bytes that a label may hold unescaped: A-Z a-z 0-9 _ : . # $ % - */
static inline bool path_is_label(char c)
{
	/* A bit for each of them, from NUL up to DEL. */
	static const uint32_t bits[4] = { 0, 0x07ff6038, 0x87fffffe, 0x07fffffe };
	unsigned byte = (unsigned char)c;
	return byte < 128 && (bits[byte >> 5] >> (byte & 31) & 1);
}

/* Parses the whole of `text`; blanks and comments before it are skipped. Segments point into `text` where nothing is
 * escaped, so `text` must live as long as the path. ERROR_SYNTAX with *why in the arena (or static). */
MUST_CHECK int path_parse(struct slice text, struct arena *arena, struct path *path, struct slice *why);

/* "/a/b"; "/" for the empty path. {NULL, 0}: no room. */
struct slice path_show(struct arena *arena, struct path path);
/* The same onto a growing text; control thread. */
void path_show_text(struct text *out, struct path path);
/* Bytes that path_show needs, and the showing into a block of that many (no NUL). Returns the end. */
size_t path_show_length(struct path path);
char *path_show_into(char *at, struct path path);
/* What path_show(prefix ++ [segment]) would give, from the prefix's showing. For the request path: one copy when
 * there is nothing to escape. {NULL, 0}: no room, or the segment is empty. */
struct slice path_show_under(struct arena *arena, struct slice shown_prefix, struct slice segment);

bool path_equal(struct path a, struct path b);
/* <0, 0, >0 segment by segment in byte order; a prefix sorts first. */
int path_compare(struct path a, struct path b);
bool path_starts(struct path path, struct path prefix);
/* Without the first n segments (all of them when there are fewer), and only the first n. They share the segments. */
struct path path_from(struct path path, uint32_t n);
struct path path_first(struct path path, uint32_t n);

/* a ++ b: new segment list, shared bytes. */
MUST_CHECK int path_concat(struct arena *arena, struct path a, struct path b, struct path *joined);
/* prefix ++ [segment], shared bytes. ERROR_INVALID: the segment is empty. */
MUST_CHECK int path_append(struct arena *arena, struct path prefix, struct slice segment, struct path *longer);
/* A path of `count` segments, copied list, shared bytes; ERROR_INVALID when one is empty. */
MUST_CHECK int path_make(struct arena *arena, const struct slice *segments, uint32_t count, struct path *path);
/* A copy of segments and bytes. */
MUST_CHECK int path_copy(struct arena *arena, struct path path, struct path *copy);

/* A copy on the heap in one block, freed by path_free. Control thread. */
struct path path_new(struct path path);
void path_free(struct path *path);

#endif

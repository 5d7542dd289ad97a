/* SPDX-License-Identifier: Apache-2.0 */
/* client/words.h: the words of a line in resolv.conf and hosts files. Pure, any thread.
 *
 *	while ((word = words_next(&line)).length) ...
 */
#ifndef CLIENT_WORDS_H
#define CLIENT_WORDS_H

#include "base/slice.h"

static inline bool words_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts off the next word; empty at the line's end. */
static inline struct slice words_next(struct slice *line)
{
	size_t begin = 0, end;
	while (begin < line->length && words_is_blank(line->at[begin]))
		begin++;
	for (end = begin; end < line->length && !words_is_blank(line->at[end]);)
		end++;
	struct slice word = slice_make(line->at + begin, end - begin);
	*line = slice_from(*line, end);
	return word;
}

#endif

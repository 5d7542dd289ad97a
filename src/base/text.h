/* SPDX-License-Identifier: Apache-2.0 */
/* base/text.h: a text that grows on the heap, for pages, JSON and messages. Control and admin threads.
 *
 *	struct text out = { 0 };
 *	text_format(&out, "rt/%s", label);
 *	text_append(&out, SLICE("/requests"));
 *	use(text_slice(&out));
 *	text_free(&out);
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/slice.h"

struct text {
	char *bytes; /* NUL-terminated when not NULL */
	size_t length, capacity;
};

void text_append(struct text *text, struct slice s);
/* For who writes the end itself: room for `most` bytes there; then text_wrote says up to where it has written. */
char *text_room(struct text *text, size_t most);
void text_wrote(struct text *text, const char *end);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Lines become one: newlines at the end go, others are written as "; ". For messages that are put into others. */
void text_join_lines(struct text *text);
void text_clear(struct text *text);
void text_free(struct text *text);

static inline struct slice text_slice(const struct text *text)
{
	return (struct slice){ text->bytes ? text->bytes : "", text->length };
}

#endif

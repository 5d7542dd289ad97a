/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

/* Room for `more` bytes and a NUL. */
static void reserve(struct text *text, size_t more)
{
	size_t needed, capacity = text->capacity ? text->capacity : 64;
	CHECK(!__builtin_add_overflow(text->length, more, &needed) && needed < SIZE_MAX / 4);
	if (text->bytes && needed < text->capacity)
		return;
	while (capacity <= needed)
		capacity *= 2;
	text->bytes = memory_grow(text->bytes, capacity, 1);
	text->capacity = capacity;
}

/* Most often there is room. */
static inline void make_room(struct text *text, size_t more)
{
	if (more >= text->capacity - text->length)
		reserve(text, more);
}

char *text_room(struct text *text, size_t most)
{
	make_room(text, most);
	return text->bytes + text->length;
}

void text_wrote(struct text *text, const char *end)
{
	text->length = (size_t)(end - text->bytes);
	text->bytes[text->length] = '\0';
}

void text_append(struct text *text, struct slice s)
{
	make_room(text, s.length);
	if (s.length)
		memcpy(text->bytes + text->length, s.at, s.length);
	text->length += s.length;
	text->bytes[text->length] = '\0';
}

void text_format(struct text *text, const char *format, ...)
{
	va_list first, second;
	va_start(first, format);
	va_copy(second, first);
	int length = vsnprintf(NULL, 0, format, first);
	if (length >= 0) {
		reserve(text, (size_t)length);
		vsnprintf(text->bytes + text->length, (size_t)length + 1, format, second);
		text->length += (size_t)length;
	}
	va_end(second);
	va_end(first);
}

void text_join_lines(struct text *text)
{
	struct text joined = { 0 };
	struct slice rest = text_slice(text), line;
	while (rest.length && rest.at[rest.length - 1] == '\n')
		rest.length--;
	while (slice_split(&rest, '\n', &line)) {
		if (joined.length)
			text_append(&joined, SLICE("; "));
		text_append(&joined, line);
	}
	text_free(text);
	*text = joined;
}

void text_clear(struct text *text)
{
	text->length = 0;
	if (text->bytes)
		text->bytes[0] = '\0';
}

void text_free(struct text *text)
{
	memory_free(text->bytes);
	*text = (struct text){ 0 };
}

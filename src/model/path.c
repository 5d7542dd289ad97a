/* SPDX-License-Identifier: Apache-2.0 */
#include "model/path.h"

#include "base/check.h"
#include "base/memory.h"
#include "model/name_parser.h"
#include "model/name_show.h"

int path_parse(struct slice text, struct arena *arena, struct path *path, struct slice *why)
{
	struct name_parser parser = { .text = text, .arena = arena };
	int e = name_parser_path(&parser, path);
	if (!e)
		e = name_parser_end(&parser);
	if (e)
		*why = parser.why;
	return e;
}

size_t path_show_length(struct path path)
{
	struct name_show out = { 0 };
	name_show_path(&out, path);
	return out.length;
}

char *path_show_into(char *at, struct path path)
{
	struct name_show out = { .at = at };
	name_show_path(&out, path);
	return at + out.length;
}

struct slice path_show(struct arena *arena, struct path path)
{
	size_t length = path_show_length(path);
	char *at = arena_get(arena, length);
	if (!at)
		return (struct slice){ 0 };
	path_show_into(at, path);
	return slice_make(at, length);
}

void path_show_text(struct text *text, struct path path)
{
	struct name_show out = { .text = text };
	name_show_path(&out, path);
}

static bool needs_escapes(struct slice segment)
{
	for (size_t i = 0; i < segment.length; i++) {
		if (!path_is_label(segment.at[i]))
			return true;
	}
	return false;
}

struct slice path_show_under(struct arena *arena, struct slice shown_prefix, struct slice segment)
{
	struct name_show out = { .length = segment.length };
	if (segment.length == 0)
		return (struct slice){ 0 };
	if (shown_prefix.length == 1) /* "/" */
		shown_prefix.length = 0;
	bool escapes = needs_escapes(segment);
	if (escapes) {
		out.length = 0;
		name_show_segment(&out, segment);
	}
	char *at = arena_get(arena, shown_prefix.length + 1 + out.length);
	if (!at)
		return (struct slice){ 0 };
	memcpy(at, shown_prefix.at, shown_prefix.length);
	at[shown_prefix.length] = '/';
	out.at = at + shown_prefix.length + 1;
	out.length = 0;
	if (escapes)
		name_show_segment(&out, segment);
	else
		name_show_bytes(&out, segment);
	return slice_make(at, shown_prefix.length + 1 + out.length);
}

bool path_equal(struct path a, struct path b)
{
	return a.count == b.count && path_starts(a, b);
}

int path_compare(struct path a, struct path b)
{
	for (uint32_t i = 0; i < a.count && i < b.count; i++) {
		int order = slice_compare(a.segments[i], b.segments[i]);
		if (order)
			return order;
	}
	return (a.count > b.count) - (a.count < b.count);
}

bool path_starts(struct path path, struct path prefix)
{
	if (path.count < prefix.count)
		return false;
	for (uint32_t i = 0; i < prefix.count; i++) {
		if (!slice_equal(path.segments[i], prefix.segments[i]))
			return false;
	}
	return true;
}

struct path path_from(struct path path, uint32_t n)
{
	if (n >= path.count)
		return PATH_EMPTY;
	return (struct path){ path.segments + n, path.count - n };
}

struct path path_first(struct path path, uint32_t n)
{
	return (struct path){ path.segments, n < path.count ? n : path.count };
}

int path_concat(struct arena *arena, struct path a, struct path b, struct path *joined)
{
	struct slice *segments = arena_get(arena, ((size_t)a.count + b.count) * sizeof *segments);
	if (!segments)
		return ERROR_NO_MEMORY;
	for (uint32_t i = 0; i < a.count; i++)
		segments[i] = a.segments[i];
	for (uint32_t i = 0; i < b.count; i++)
		segments[a.count + i] = b.segments[i];
	*joined = (struct path){ segments, a.count + b.count };
	return 0;
}

int path_append(struct arena *arena, struct path prefix, struct slice segment, struct path *longer)
{
	if (segment.length == 0)
		return ERROR_INVALID;
	return path_concat(arena, prefix, (struct path){ &segment, 1 }, longer);
}

int path_make(struct arena *arena, const struct slice *segments, uint32_t count, struct path *path)
{
	for (uint32_t i = 0; i < count; i++) {
		if (segments[i].length == 0)
			return ERROR_INVALID;
	}
	return path_concat(arena, (struct path){ segments, count }, PATH_EMPTY, path);
}

/* Bytes for a copy: the segments, then what is in them. */
static size_t copy_size(struct path path)
{
	size_t size = path.count * sizeof *path.segments;
	for (uint32_t i = 0; i < path.count; i++)
		size += path.segments[i].length;
	return size;
}

static struct path copy_into(void *block, struct path path)
{
	struct slice *segments = block;
	char *at = (char *)(segments + path.count);
	for (uint32_t i = 0; i < path.count; i++) {
		struct slice segment = path.segments[i];
		segments[i] = slice_make(at, segment.length);
		if (segment.length)
			memcpy(at, segment.at, segment.length);
		at += segment.length;
	}
	return (struct path){ segments, path.count };
}

int path_copy(struct arena *arena, struct path path, struct path *copy)
{
	void *block = arena_get(arena, copy_size(path));
	if (!block)
		return ERROR_NO_MEMORY;
	*copy = copy_into(block, path);
	return 0;
}

struct path path_new(struct path path)
{
	return path.count ? copy_into(memory_new(copy_size(path)), path) : PATH_EMPTY;
}

void path_free(struct path *path)
{
	memory_free(path->segments);
	*path = PATH_EMPTY;
}

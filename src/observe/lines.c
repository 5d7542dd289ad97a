/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/lines.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/memory.h"

/* Positions only grow, modulo 2^32: what is between them waits. A line is never cut in two: one that begins near the end goes on behind it,
 * where there is room for that, and the bytes at the beginning that it would have had are left out. */
struct lines {
	char *bytes;
	uint32_t mask;
	_Alignas(64) _Atomic uint64_t written; /* the writer's: a mark, its count above */
	uint32_t seen;                         /* what the writer knows of `taken` */
	_Alignas(64) _Atomic uint32_t taken;   /* the reader's */
};

struct lines *lines_new(uint32_t capacity)
{
	struct lines *lines = memory_new_aligned(sizeof *lines, _Alignof(struct lines));
	uint32_t size = 2 * LINES_MOST_LINE;

	CHECK(capacity <= UINT32_C(1) << 30);
	while (size < capacity)
		size *= 2;
	lines->mask = size - 1;
	lines->bytes = memory_array(size + LINES_MOST_LINE, 1);
	return lines;
}

void lines_free(struct lines *lines)
{
	if (!lines)
		return;
	memory_free(lines->bytes);
	memory_free(lines);
}

uint32_t lines_capacity(const struct lines *lines)
{
	return lines->mask + 1;
}

struct lines_mark lines_end(const struct lines *lines)
{
	uint64_t written = atomic_load_explicit(&lines->written, memory_order_acquire);

	return (struct lines_mark){ .position = (uint32_t)written, .count = (uint32_t)(written >> 32) };
}

uint32_t lines_waiting(const struct lines *lines, struct lines_mark end)
{
	return end.position - atomic_load_explicit(&lines->taken, memory_order_relaxed);
}

char *lines_reserve(struct lines *lines)
{
	uint32_t written = (uint32_t)atomic_load_explicit(&lines->written, memory_order_relaxed), most = lines->mask + 1 - LINES_MOST_LINE;

	if (written - lines->seen > most) {
		lines->seen = atomic_load_explicit(&lines->taken, memory_order_acquire);
		if (written - lines->seen > most)
			return NULL;
	}
	return lines->bytes + (written & lines->mask);
}

void lines_commit(struct lines *lines, size_t length)
{
	uint64_t written = atomic_load_explicit(&lines->written, memory_order_relaxed), count = (written >> 32) + 1;

	CHECK(length <= LINES_MOST_LINE);
	atomic_store_explicit(&lines->written, count << 32 | (uint32_t)((uint32_t)written + length), memory_order_release);
}

struct slice lines_peek(const struct lines *lines, struct lines_mark end, size_t most)
{
	uint32_t taken = atomic_load_explicit(&lines->taken, memory_order_relaxed);
	uint32_t length = end.position - taken, at = taken & lines->mask, first = lines->mask + 1 - at;

	CHECK(most >= LINES_MOST_LINE);
	if (length > first) {
		const char *edge = lines->bytes + lines->mask + 1;

		length = edge[-1] == '\n' ? first : first + (uint32_t)slice_find(slice_make(edge, LINES_MOST_LINE), '\n') + 1;
	}
	if (length > most)
		length = (uint32_t)most;
	while (length && lines->bytes[at + length - 1] != '\n')
		length--;
	return slice_make(lines->bytes + at, length);
}

void lines_release(struct lines *lines, size_t length)
{
	uint32_t taken = atomic_load_explicit(&lines->taken, memory_order_relaxed);

	atomic_store_explicit(&lines->taken, taken + (uint32_t)length, memory_order_release);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/lines.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/memory.h"

/* Positions only grow, modulo 2^32: what is between them waits. */
struct lines {
	char *bytes;
	uint32_t mask;
	_Alignas(64) _Atomic uint32_t written; /* the writer's */
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
	lines->bytes = memory_array(size, 1);
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

uint32_t lines_waiting(const struct lines *lines)
{
	return atomic_load_explicit(&lines->written, memory_order_acquire) - atomic_load_explicit(&lines->taken, memory_order_acquire);
}

bool lines_put(struct lines *lines, struct slice line)
{
	uint32_t written = atomic_load_explicit(&lines->written, memory_order_relaxed);
	uint32_t length = (uint32_t)line.length, at = written & lines->mask, first = lines->mask + 1 - at;

	CHECK(line.length <= LINES_MOST_LINE);
	if (written - lines->seen + length > lines->mask + 1) {
		lines->seen = atomic_load_explicit(&lines->taken, memory_order_acquire);
		if (written - lines->seen + length > lines->mask + 1)
			return false;
	}
	if (first > length)
		first = length;
	memcpy(lines->bytes + at, line.at, first);
	memcpy(lines->bytes, line.at + first, length - first);
	atomic_store_explicit(&lines->written, written + length, memory_order_release);
	return true;
}

size_t lines_take(struct lines *lines, char *out, size_t room)
{
	uint32_t taken = atomic_load_explicit(&lines->taken, memory_order_relaxed);
	uint32_t length = atomic_load_explicit(&lines->written, memory_order_acquire) - taken, at = taken & lines->mask,
		 first = lines->mask + 1 - at;

	CHECK(room >= LINES_MOST_LINE);
	if (length > room)
		length = (uint32_t)room;
	if (first > length)
		first = length;
	memcpy(out, lines->bytes + at, first);
	memcpy(out + first, lines->bytes, length - first);
	while (length && out[length - 1] != '\n')
		length--;
	atomic_store_explicit(&lines->taken, taken + length, memory_order_release);
	return length;
}

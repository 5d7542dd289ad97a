/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/ring.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/memory.h"

/* A place holds a sequence number and the entry's words. The number is 2n + 1 while entry n is being written and 2n + 2 once it
 * is there. Words are stored with release and loaded with acquire (plain moves on x86): a reader that saw a word of a newer
 * entry then sees its number too, and drops what it copied. */
struct place {
	_Atomic uint64_t sequence;
	_Atomic uint64_t words[];
};

struct ring {
	uint32_t words, mask;
	size_t place_size;
	char *places;
	_Alignas(64) _Atomic uint64_t written; /* the writer's */
};

static struct place *place_of(const struct ring *ring, uint64_t n)
{
	return (struct place *)(void *)(ring->places + (n & ring->mask) * ring->place_size);
}

struct ring *ring_new(size_t entry_size, uint32_t capacity)
{
	struct ring *ring = memory_new_aligned(sizeof *ring, _Alignof(struct ring));
	uint32_t count = 1;

	CHECK(entry_size > 0 && entry_size % 8 == 0 && entry_size <= UINT32_MAX);
	CHECK(capacity <= UINT32_C(1) << 31);
	while (count < capacity)
		count *= 2;
	ring->words = (uint32_t)(entry_size / 8);
	ring->mask = count - 1;
	ring->place_size = sizeof(struct place) + entry_size;
	ring->places = memory_array(count, ring->place_size);
	return ring;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	memory_free(ring->places);
	memory_free(ring);
}

static inline void put_word(struct place *place, uint32_t i, const char *from)
{
	uint64_t word;

	memcpy(&word, from + (size_t)i * 8, 8);
	atomic_store_explicit(&place->words[i], word, memory_order_release);
}

void ring_write(struct ring *ring, const void *entry)
{
	uint64_t n = atomic_load_explicit(&ring->written, memory_order_relaxed);
	struct place *place = place_of(ring, n);
	const char *from = entry;
	uint32_t i = 0;

	atomic_store_explicit(&place->sequence, 2 * n + 1, memory_order_relaxed);
	/* Entries have dozens of words. */
	for (; i + 4 <= ring->words; i += 4) {
		put_word(place, i, from);
		put_word(place, i + 1, from);
		put_word(place, i + 2, from);
		put_word(place, i + 3, from);
	}
	for (; i < ring->words; i++)
		put_word(place, i, from);
	atomic_store_explicit(&place->sequence, 2 * n + 2, memory_order_release);
	atomic_store_explicit(&ring->written, n + 1, memory_order_release);
}

static bool copy(const struct ring *ring, uint64_t n, uint64_t *words)
{
	const struct place *place = place_of(ring, n);

	if (atomic_load_explicit(&place->sequence, memory_order_acquire) != 2 * n + 2)
		return false;
	for (uint32_t i = 0; i < ring->words; i++)
		words[i] = atomic_load_explicit(&place->words[i], memory_order_acquire);
	return atomic_load_explicit(&place->sequence, memory_order_relaxed) == 2 * n + 2;
}

uint64_t ring_read_since(
	const struct ring *ring, uint64_t since, uint64_t *lost, void (*visit)(void *owner, const void *entry), void *owner)
{
	uint64_t end = ring_written(ring), count = (uint64_t)ring->mask + 1;
	uint64_t first = end - since > count ? end - count : since;
	uint64_t *words;

	if (since == end)
		return end;
	words = memory_array(ring->words, sizeof *words);
	*lost += first - since;
	for (uint64_t n = first; n < end; n++) {
		if (copy(ring, n, words))
			visit(owner, words);
		else
			++*lost;
	}
	memory_free(words);
	return end;
}

void ring_read(const struct ring *ring, void (*visit)(void *owner, const void *entry), void *owner)
{
	uint64_t lost = 0;

	(void)ring_read_since(ring, 0, &lost, visit, owner);
}

uint64_t ring_written(const struct ring *ring)
{
	return atomic_load_explicit(&ring->written, memory_order_acquire);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/cells.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define CELLS_PASS_THROUGH 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CELLS_PASS_THROUGH 1
#endif
#ifndef CELLS_PASS_THROUGH
#define CELLS_PASS_THROUGH 0
#endif

enum {
	SLAB = 256 * 1024, /* and so aligned */
	HEADER = 64,
	BATCH = 32, /* cells that go to the shared stack together */
	TAG_BITS = 16,
	POINTER_BITS = 64 - TAG_BITS,
	MAGIC = 0x43454c4c,
};

/* Steps of at most a quarter, and the sizes that OpenSSL asks for most. What is no multiple of 16 bytes needs no alignment of 16. */
static const uint32_t sizes[] = {
	16,
	24,
	32,
	40,
	48,
	56,
	64,
	72,
	80,
	96,
	112,
	128,
	136,
	152,
	160,
	184,
	192,
	216,
	224,
	256,
	304,
	336,
	384,
	448,
	544,
	640,
	768,
	928,
	960,
	1024,
	1280,
	1536,
	1792,
	2048,
	2560,
	3072,
	3584,
	4096,
	5120,
	6144,
	7168,
	7632,
	7680,
	8192,
	10240,
	12288,
	14336,
	16512,
	18432,
	CELLS_LARGEST,
};
enum { SIZES = sizeof sizes / sizeof sizes[0], LARGE = SIZES };
enum { EIGHT = 8, REMEMBERED = 1024 }; /* all sizes are multiples of it; those up to which their class is looked up */

struct slab {
	uint32_t magic;
	uint32_t class; /* index in sizes, or LARGE */
	size_t size;    /* of a cell */
};

/* A free cell. Of a batch, the first one leads to the next batch, too. */
struct cell {
	struct cell *next;
	_Atomic uintptr_t next_batch;
};

struct cache {
	struct cell *free;  /* at most BATCH, then a batch is full */
	struct cell *batch; /* a full batch, or NULL */
	uint32_t count;     /* in free */
	char *at, *end;     /* of this thread's slab, not cut off yet */
};

/* The process has one heap for OpenSSL, since OpenSSL knows only one. */
static _Thread_local struct cache caches[SIZES];
/* For sizes in eights, rounded up: the class + 1, or 0: not asked for yet. */
static _Thread_local uint8_t remembered[REMEMBERED / EIGHT + 1];
static _Thread_local struct {
	_Atomic uint64_t *counted; /* this thread's, in `used` */
} self;

enum { THREADS_COUNTED = 256 };
/* The upper bits of a head count its changes, so that one taken off and put back meanwhile is noticed. */
static _Atomic uintptr_t stacks[SIZES];
static struct {
	_Atomic uint64_t bytes;
	char pad[56]; /* a cache line each */
} used[THREADS_COUNTED];
static _Atomic unsigned threads;

_Static_assert(sizeof(uintptr_t) == 8, "tagged heads need 64-bit pointers");

static unsigned search_class(size_t size)
{
	unsigned low = 0, high = SIZES;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (sizes[middle] < size)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static unsigned class_of(size_t size)
{
	if (size > REMEMBERED)
		return search_class(size);
	uint8_t *known = &remembered[(size + EIGHT - 1) / EIGHT];
	if (!*known)
		*known = (uint8_t)(search_class(size) + 1);
	return *known - 1U;
}

size_t cells_size(size_t size)
{
	unsigned class = class_of(size);

	return class < SIZES ? sizes[class] : size + HEADER;
}

/* Threads beyond the table share its last entry. */
static void count(size_t size, bool more)
{
	if (!self.counted) {
		unsigned index = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);

		self.counted = &used[index < THREADS_COUNTED ? index : THREADS_COUNTED - 1].bytes;
	}
	if (self.counted == &used[THREADS_COUNTED - 1].bytes) {
		atomic_fetch_add_explicit(self.counted, more ? size : 0 - size, memory_order_relaxed);
		return;
	}
	uint64_t old = atomic_load_explicit(self.counted, memory_order_relaxed);
	atomic_store_explicit(self.counted, more ? old + size : old - size, memory_order_relaxed);
}

uint64_t cells_in_use(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < THREADS_COUNTED; i++)
		sum += atomic_load_explicit(&used[i].bytes, memory_order_relaxed);
	return sum;
}

static struct slab *slab_of(void *cell)
{
	struct slab *slab = (struct slab *)((uintptr_t)cell & ~(uintptr_t)(SLAB - 1));

	CHECK_MAGIC(slab, MAGIC);
	return slab;
}

static struct slab *slab_new(size_t bytes, unsigned class, size_t size)
{
	struct slab *slab = memory_try_aligned(bytes, SLAB);

	if (slab)
		*slab = (struct slab){ .magic = MAGIC, .class = class, .size = size };
	return slab;
}

/* --- the shared stack of batches --- */

static struct cell *untagged(uintptr_t head)
{
	return (struct cell *)(head & (((uintptr_t)1 << POINTER_BITS) - 1));
}

static uintptr_t tagged(const struct cell *cell, uintptr_t before)
{
	return (uintptr_t)cell | (((before >> POINTER_BITS) + 1) << POINTER_BITS);
}

static void push_batch(unsigned class, struct cell *batch)
{
	uintptr_t head = atomic_load_explicit(&stacks[class], memory_order_relaxed);

	do
		atomic_store_explicit(&batch->next_batch, (uintptr_t)untagged(head), memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&stacks[class], &head, tagged(batch, head), memory_order_release, memory_order_relaxed));
}

static struct cell *pop_batch(unsigned class)
{
	uintptr_t head = atomic_load_explicit(&stacks[class], memory_order_acquire);
	struct cell *batch, *next;

	do {
		batch = untagged(head);
		if (!batch)
			return NULL;
		/* Another thread may have it by now; slabs are never given back, and the tag then makes the exchange fail. */
		next = (struct cell *)atomic_load_explicit(&batch->next_batch, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(
		&stacks[class], &head, tagged(next, head), memory_order_acquire, memory_order_acquire));
	return batch;
}

/* --- cells --- */

static void *cut(struct cache *cache, unsigned class)
{
	size_t size = sizes[class];

	if ((size_t)(cache->end - cache->at) < size) {
		struct slab *slab = slab_new(SLAB, class, size);

		if (!slab)
			return NULL;
		cache->at = (char *)slab + HEADER;
		cache->end = (char *)slab + SLAB;
	}
	void *cell = cache->at;
	cache->at += size;
	return cell;
}

static void *get_large(size_t size)
{
	size_t whole;

	if (__builtin_add_overflow(size, HEADER, &whole))
		return NULL;
	struct slab *slab = slab_new(whole, LARGE, size);
	if (!slab)
		return NULL;
	count(whole, true);
	return (char *)slab + HEADER;
}

static void *get(size_t size)
{
	unsigned class = class_of(size);

	if (class == LARGE)
		return get_large(size);
	struct cache *cache = &caches[class];
	if (!cache->free) {
		cache->free = cache->batch ? cache->batch : pop_batch(class);
		cache->batch = NULL;
		cache->count = cache->free ? BATCH : 0;
	}
	struct cell *cell = cache->free;
	if (cell) {
		cache->free = cell->next;
		cache->count--;
	} else {
		cell = cut(cache, class);
	}
	if (cell)
		count(sizes[class], true);
	return cell;
}

static void put(void *at)
{
	struct slab *slab = slab_of(at);

	if (slab->class == LARGE) {
		count(slab->size + HEADER, false);
		slab->magic = 0;
		memory_free(slab);
		return;
	}
	struct cache *cache = &caches[slab->class];
	struct cell *cell = at;
	count(slab->size, false);
	if (cache->count == BATCH) {
		if (cache->batch)
			push_batch(slab->class, cache->batch);
		cache->batch = cache->free;
		cache->free = NULL;
		cache->count = 0;
	}
	cell->next = cache->free;
	cache->free = cell;
	cache->count++;
}

void *cells_get(size_t size)
{
	return CELLS_PASS_THROUGH ? memory_try(size) : get(size);
}

void *cells_resize(void *cell, size_t size)
{
	if (CELLS_PASS_THROUGH)
		return realloc(cell, size ? size : 1);
	size_t had = cell ? slab_of(cell)->size : 0;
	if (cell && size <= had && cells_size(size) == had)
		return cell;
	void *new = get(size);
	if (!new || !cell)
		return new;
	memcpy(new, cell, size < had ? size : had);
	put(cell);
	return new;
}

void cells_put(void *cell)
{
	if (!cell)
		return;
	if (CELLS_PASS_THROUGH)
		memory_free(cell);
	else
		put(cell);
}

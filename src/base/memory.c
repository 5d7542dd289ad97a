/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"

/* Counted for a test, over all threads; the one piece of state here that belongs to no object. */
static _Atomic uint64_t system_calls;
static _Atomic uint64_t fail_countdown;

static void count_call(void)
{
	atomic_fetch_add_explicit(&system_calls, 1, memory_order_relaxed);
}

void *memory_new(size_t size)
{
	return memory_array(1, size);
}

void *memory_new_aligned(size_t size, size_t alignment)
{
	size_t whole;

	count_call();
	if (__builtin_add_overflow(size ? size : 1, alignment - 1, &whole))
		check_out_of_memory("the heap");
	void *p = aligned_alloc(alignment, whole & ~(alignment - 1));
	if (!p)
		check_out_of_memory("the heap");
	return memset(p, 0, size);
}

/* calloc and reallocarray check this too, but a sanitizer's would end the process in its own way. */
static void check_product(size_t count, size_t size)
{
	size_t product;
	if (__builtin_mul_overflow(count, size, &product) || product > PTRDIFF_MAX)
		check_out_of_memory("the heap");
}

void *memory_array(size_t count, size_t size)
{
	count_call();
	if (!count || !size)
		count = size = 1;
	check_product(count, size);
	void *p = calloc(count, size);
	if (!p)
		check_out_of_memory("the heap");
	return p;
}

void *memory_grow(void *old, size_t count, size_t size)
{
	count_call();
	if (!count || !size)
		count = size = 1;
	check_product(count, size);
	void *p = reallocarray(old, count, size);
	if (!p)
		check_out_of_memory("the heap");
	return p;
}

void memory_free(const void *p)
{
	free((void *)(uintptr_t)p);
}

char *memory_text(struct slice s)
{
	char *text = memory_array(s.length + 1, 1);
	if (s.length)
		memcpy(text, s.at, s.length);
	return text;
}

static bool must_fail(void)
{
	if (!atomic_load_explicit(&fail_countdown, memory_order_relaxed))
		return false;
	return atomic_fetch_sub_explicit(&fail_countdown, 1, memory_order_relaxed) == 1;
}

void *memory_try(size_t size)
{
	count_call();
	if (must_fail())
		return NULL;
	return malloc(size ? size : 1);
}

void *memory_try_aligned(size_t size, size_t alignment)
{
	size_t whole;

	count_call();
	if (must_fail() || __builtin_add_overflow(size ? size : 1, alignment - 1, &whole))
		return NULL;
	return aligned_alloc(alignment, whole & ~(alignment - 1));
}

uint64_t memory_system_calls(void)
{
	return atomic_load_explicit(&system_calls, memory_order_relaxed);
}

uint64_t memory_fail_nth(uint64_t nth)
{
	return atomic_exchange_explicit(&fail_countdown, nth, memory_order_relaxed);
}

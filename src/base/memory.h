/* SPDX-License-Identifier: Apache-2.0 */
/* base/memory.h: the heap, for the control and admin threads and for start-up; never on the request path.
 *
 * Each call ends the process with exit code 70 when memory is out (check_out_of_memory), so results need no test.
 * memory_system_calls counts calls into the system allocator by pools and these functions, for the test that the
 * steady state makes none. In simulation and unit tests, memory_fail_nth makes the nth call from now on fail where the
 * caller can handle it (pools and arenas).
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

void *memory_new(size_t size);                           /* zeroed */
void *memory_new_aligned(size_t size, size_t alignment); /* zeroed; alignment a power of two */
void *memory_array(size_t count, size_t size);           /* zeroed, overflow-checked */
void *memory_grow(void *old, size_t count, size_t size); /* realloc; new part not zeroed */
void memory_free(const void *p);                         /* const: slices of the heap can be freed without a cast */
char *memory_text(struct slice s);                       /* a NUL-terminated copy */

/* May fail: NULL when memory is out or a test made it fail. For pools and arenas only. */
void *memory_try(size_t size);
void *memory_try_aligned(size_t size, size_t alignment); /* alignment a power of two */

uint64_t memory_system_calls(void);
/* 0: never. Returns how many calls the failure before was still away; 0: none was to come. */
uint64_t memory_fail_nth(uint64_t nth);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls/cells.h: the heap that OpenSSL allocates from: cells of some forty sizes, kept when they are freed, so that the steady
 * state calls no system allocator. Private to this room.
 *
 * Cells are cut from aligned slabs whose first bytes say their size, so a cell carries no header. Each thread keeps up to two
 * batches of free cells of each size; what it has beyond that goes to a stack that all threads share, without locks, a batch at
 * a time. Slabs are never given back. What is larger than the largest size comes from the system. Under sanitizers each cell
 * is a malloc of its own. Any thread; a cell may be freed by another thread than its maker's.
 *
 *	void *p = cells_get(900);       // NULL: memory is out
 *	p = cells_resize(p, 1800);
 *	cells_put(p);
 */
#ifndef TLS_CELLS_H
#define TLS_CELLS_H

#include <stddef.h>
#include <stdint.h>

/* What OpenSSL takes for a handshake's messages: 16 KiB, which it enlarges by a third. */
enum { CELLS_LARGEST = 21856 };

void *cells_get(size_t size);
void *cells_resize(void *cell, size_t size); /* NULL leaves the old one as it is */
void cells_put(void *cell);                  /* NULL is allowed */
/* Bytes in cells that are in use, of all threads; for measuring: exact only while other threads allocate nothing. */
uint64_t cells_in_use(void);
/* The bytes that a request of `size` takes. */
size_t cells_size(size_t size);

#endif

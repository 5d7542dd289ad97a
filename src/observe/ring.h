/* SPDX-License-Identifier: Apache-2.0 */
/* observe/ring.h: the last so many entries of one writing thread, readable from any other without stopping it.
 *
 * Entries are structs of a multiple of eight bytes without pointers to anything that may die. The writer overwrites the oldest; a reader
 * that meets an entry in the middle of being written skips it (a sequence number for each entry, words copied with relaxed
 * atomics).
 *
 *	struct ring *ring = ring_new(sizeof(struct record), 4096);      // control thread
 *	ring_write(ring, &record);                                      // its one writer
 *	ring_read(ring, visit, owner);                                  // any thread; oldest first
 */
#ifndef OBSERVE_RING_H
#define OBSERVE_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

struct ring *ring_new(size_t entry_size, uint32_t capacity); /* capacity is rounded up to a power of two */
void ring_free(struct ring *ring);                           /* NULL is allowed */
void ring_write(struct ring *ring, const void *entry);
/* `entry` is a copy that lives during the call. Allocates: not for a worker's thread. */
void ring_read(const struct ring *ring, void (*visit)(void *owner, const void *entry), void *owner);
/* Those from number `since` on (of all that were ever written) that are still there; *lost grows by the others. Returns `since` for the next
 * time. */
uint64_t ring_read_since(
	const struct ring *ring, uint64_t since, uint64_t *lost, void (*visit)(void *owner, const void *entry), void *owner);
/* How many were ever written. */
uint64_t ring_written(const struct ring *ring);

#endif

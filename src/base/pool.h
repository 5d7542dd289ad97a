/* SPDX-License-Identifier: Apache-2.0 */
/* base/pool.h: objects of one size, one thread, bounded.
 *
 * Slabs come from the system allocator and are kept; freed objects are reused last-in first-out while still in cache.
 * Owned and used by one thread. Under sanitizers each object is a malloc of its own so that errors are found.
 *
 *	struct pool pool;
 *	pool_init(&pool, "exchange", sizeof(struct exchange), 10000);
 *	struct exchange *x = pool_get(&pool);   // NULL: limit reached or memory out (counted in pool.refused)
 *	pool_put(&pool, x);
 *	pool_fini(&pool);                       // CHECKs that everything came back
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool_slab;

struct pool {
	void *free; /* list of free objects */
	struct pool_slab *slabs;
	const char *name;
	size_t size;  /* bytes per object */
	uint32_t max; /* objects at most; 0 = no limit */
	uint32_t in_use;
	uint32_t peak;
	uint64_t refused; /* gets that failed */
};

void pool_init(struct pool *pool, const char *name, size_t size, uint32_t max);
void pool_fini(struct pool *pool);
void *pool_get(struct pool *pool); /* not zeroed */
void pool_put(struct pool *pool, void *object);

#endif

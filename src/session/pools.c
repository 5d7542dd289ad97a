/* SPDX-License-Identifier: Apache-2.0 */
#include "session/pools.h"

#include "base/check.h"
#include "base/memory.h"
#include "session/http1_session.h"

int session_pools_new(struct loop *loop, uint32_t max_sessions, uint32_t max_sides, struct session_pools **pools)
{
	struct session_pools *new = memory_new(sizeof *new);

	new->magic = SESSION_POOLS_MAGIC;
	new->loop = loop;
	pool_init(&new->sessions, "session", sizeof(struct http1_session), max_sessions);
	pool_init(&new->sides, "side", sizeof(struct http1_side), max_sides);
	expiries_init(&new->expiries, loop);
	*pools = new;
	return 0;
}

void session_pools_free(struct session_pools *pools)
{
	if (!pools)
		return;
	CHECK_MAGIC(pools, SESSION_POOLS_MAGIC);
	expiries_fini(&pools->expiries);
	pool_fini(&pools->sides);
	pool_fini(&pools->sessions);
	pools->magic = 0;
	memory_free(pools);
}

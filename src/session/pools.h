/* SPDX-License-Identifier: Apache-2.0 */
/* session/pools.h: what the sessions of one worker share; private to this room. See session_pools_new. */
#ifndef SESSION_POOLS_H
#define SESSION_POOLS_H

#include "base/pool.h"
#include "session/expiry.h"
#include "session/session.h"

struct session_pools {
	uint32_t magic;
	struct loop *loop;
	struct pool sessions; /* struct http1_session */
	struct pool sides;    /* struct http1_side */
	struct expiries expiries;
};

enum { SESSION_POOLS_MAGIC = 0x53504f4c };

#endif

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
	struct pool sessions;          /* struct http1_changing or http2_session: a connection may become the other */
	struct pool plain_sessions;    /* struct http1_session: of those that can't */
	struct pool sides;             /* struct http1_server_side */
	struct pool client_sides;      /* struct http1_side */
	struct pool heads;             /* struct head: of responses */
	struct pool large_buffers;     /* of heads that outgrow one of the loop's buffers, being received or sent */
	struct pool http2_streams;     /* struct http2_stream */
	struct pool http2_heads;       /* struct http2_head */
	struct pool http2_short_heads; /* with HTTP2_SHORT_FIELDS */
	struct pool http2_shortest_heads;
	struct http2_head *http2_read; /* where blocks are read to; NULL: none yet */
	struct pool http2_tables;      /* of a session with many streams */
	struct pool hpack_tables;
	struct pool queue_items; /* struct queue_item */
	struct expiries expiries;
};

enum {
	SESSION_POOLS_MAGIC = 0x53504f4c,
	SESSION_LARGE_BUFFERS = 512, /* 48 MiB; whose head finds none is closed */
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "session/pools.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "session/http1_session.h"
#include "session/http2_session.h"

int session_pools_new(struct loop *loop, uint32_t max_sessions, uint32_t max_sides, struct session_pools **pools)
{
	struct session_pools *new = memory_new(sizeof *new);
	size_t session_size = sizeof(struct http1_changing);

	if (session_size < sizeof(struct http2_session))
		session_size = sizeof(struct http2_session);
	new->magic = SESSION_POOLS_MAGIC;
	new->loop = loop;
	pool_init(&new->sessions, "session", session_size, max_sessions);
	pool_init(&new->plain_sessions, "plain session", sizeof(struct http1_session), max_sessions);
	pool_init(&new->sides, "side", sizeof(struct http1_server_side), max_sides);
	pool_init(&new->client_sides, "client's side", sizeof(struct http1_side), max_sides);
	pool_init(&new->heads, "response head", sizeof(struct head), max_sides);
	buffer_pool_init_large(&new->large_buffers, "large buffer", SESSION_LARGE_BUFFERS);
	pool_init(&new->http2_streams, "http2 stream", sizeof(struct http2_stream), max_sides);
	pool_init(&new->http2_heads, "http2 head", sizeof(struct http2_head), max_sides);
	pool_init(&new->http2_short_heads, "short http2 head", http2_head_size(HTTP2_SHORT_FIELDS), max_sides);
	pool_init(&new->http2_shortest_heads, "shortest http2 head", http2_head_size(HTTP2_SHORTEST_FIELDS), max_sides);
	pool_init(&new->http2_tables, "http2 table", HTTP2_TABLE_SECOND * sizeof(struct http2_stream *), max_sessions);
	pool_init(&new->hpack_tables, "hpack table", hpack_table_size(), max_sessions);
	pool_init(&new->queue_items, "queue item", sizeof(struct queue_item), 0);
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
	pool_fini(&pools->queue_items);
	pool_fini(&pools->hpack_tables);
	pool_fini(&pools->http2_tables);
	if (pools->http2_read)
		pool_put(&pools->http2_heads, pools->http2_read);
	pool_fini(&pools->http2_shortest_heads);
	pool_fini(&pools->http2_short_heads);
	pool_fini(&pools->http2_heads);
	pool_fini(&pools->http2_streams);
	pool_fini(&pools->large_buffers);
	pool_fini(&pools->heads);
	pool_fini(&pools->client_sides);
	pool_fini(&pools->sides);
	pool_fini(&pools->plain_sessions);
	pool_fini(&pools->sessions);
	pools->magic = 0;
	memory_free(pools);
}

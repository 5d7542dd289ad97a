/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/replay.h: a body as far as it must be kept: a request's because no connection is there to take it yet, or because it
 * may have to be sent again; a response's while nobody knows whether it is to be sent at all. Copies, bounded: at most
 * REPLAY_BUFFERS buffers of the worker's pool.
 *
 *	replay_add(&x->replay, pool, piece);        // ERROR_LIMIT: more than the buffers hold
 *	for (unsigned i = 0; i < x->replay.count; i++)
 *		send(replay_piece(&x->replay, i));  // references to what is kept, from its beginning
 *	replay_drop(&x->replay);                    // it can't be sent again from here on
 *
 * A request is replayable when it has no body, or a length of at most REPLAY_BYTES (Linkerd's streamAfterContentLengthKB);
 * chunked ones never are. But while no connection is there yet any body is kept, so that it can go to another endpoint. In routers for HTTP/2 (`streams`) any body is, up to what the service's policy allows.
 */
#ifndef PROXY_REPLAY_H
#define PROXY_REPLAY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "wire/head.h"

enum { REPLAY_BYTES = 5 * 1024, REPLAY_BUFFERS = 5 };

struct replay {
	struct buffer *buffers[REPLAY_BUFFERS];
	uint8_t count;         /* of them */
	bool possible;         /* all that came so far is kept, or nothing came */
	bool wanted;           /* keep it for sending again, not only until it is sent */
	bool streams;          /* also when nobody knows how long it will be */
	uint32_t bytes, limit; /* kept; beyond the limit it isn't wanted any more */
};

void replay_init(struct replay *replay, const struct head *request, bool streams);
/* The policy is known. */
void replay_limit(struct replay *replay, uint32_t bytes);
MUST_CHECK int replay_add(struct replay *replay, struct pool *buffers, const struct piece *piece);
struct piece replay_piece(const struct replay *replay, unsigned index);
void replay_drop(struct replay *replay);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/replay.h: a request's body as far as it must be kept: because no connection is there to take it yet, or because the
 * request may have to be sent again. One buffer for an exchange, bounded in all for a worker.
 *
 *	replay_add(&x->replay, pool, piece);        // copies; ERROR_LIMIT: more than a buffer holds
 *	struct piece all = replay_piece(&x->replay);  // a reference to what is kept, from its beginning
 *	replay_drop(&x->replay);                    // it can't be sent again from here on
 *
 * A request is replayable when it has no body, or a length of at most REPLAY_BYTES (Linkerd's streamAfterContentLengthKB);
 * chunked ones never are.
 */
#ifndef PROXY_REPLAY_H
#define PROXY_REPLAY_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "wire/head.h"

enum { REPLAY_BYTES = 5 * 1024 };

struct replay {
	struct buffer *buffer;  /* NULL: nothing is kept */
	bool possible;          /* all that came so far is kept, or nothing came */
	bool wanted;            /* keep it for sending again, not only until it is sent */
};

void replay_init(struct replay *replay, const struct head *request);
MUST_CHECK int replay_add(struct replay *replay, struct pool *buffers, const struct piece *piece);
struct piece replay_piece(const struct replay *replay);
void replay_drop(struct replay *replay);

#endif

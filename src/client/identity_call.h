/* SPDX-License-Identifier: Apache-2.0 */
/* client/identity_call.h: one HTTP request to the signer, over a connection of its own, to the whole of its answer. For identity.c.
 *
 *	call_init(&call, loop, pools, answered, owner);
 *	call_start(&call, network, socket, "POST", "/v1/svid", body, 10 * CLOCK_SECOND);   // `answered` follows from the loop
 *	call_stop(&call);                                                                // it doesn't; at any time
 *	if (call_is_over(&call)) ...                                                     // its session is gone: memory may be freed
 */
#ifndef CLIENT_IDENTITY_CALL_H
#define CLIENT_IDENTITY_CALL_H

#include "base/text.h"
#include "client/fetch.h"

enum { CALL_MOST_BODY = 256 * 1024 };

struct call {
	/* error 0: there is an answer, of whatever status, in `fetch.status` and `answer`. Else it could not be had. */
	void (*answered)(struct call *call, int error);
	void (*over)(struct call *call); /* the session is gone; another may be started, or the memory freed */
	void *owner;
	struct text answer;
	struct fetch fetch;
};

void call_init(struct call *call, struct loop *loop, struct session_pools *pools, void (*answered)(struct call *call, int error),
	void (*over)(struct call *call), void *owner);
/* It must be over. Fails at once with ERROR_LIMIT, ERROR_NO_MEMORY or ERROR_INVALID (the socket's path); then nothing is told. */
MUST_CHECK int call_start(struct call *call, struct network *network, const char *socket, const char *method, struct slice target,
	struct slice body, int64_t limit_ns);
void call_stop(struct call *call);
static inline bool call_is_over(const struct call *call)
{
	return fetch_is_over(&call->fetch);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* support/multiplex.h: a codec for tests that carries many exchanges at once on a connection, as HTTP/2 will: both ends,
 * with trailers, early responses, resets, flow control for each exchange, and a goodbye.
 *
 * Frames are `length (4 bytes, little-endian), type (1), exchange (4), payload`. Heads travel as HTTP/1 text, since what is
 * tested is the contract of session/exchange.h and not this protocol. Everything is on the heap. Loop's thread.
 */
#ifndef SUPPORT_MULTIPLEX_H
#define SUPPORT_MULTIPLEX_H

#include "session/session.h"

enum {
	MULTIPLEX_EXCHANGES = 64,     /* at once, on a connection */
	MULTIPLEX_WINDOW = 16 * 1024, /* body bytes of one direction of an exchange that are on their way or not told yet */
};

/* As http1_server_new and http1_client_new; `pools` only says on which loop. */
MUST_CHECK int multiplex_server_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);
MUST_CHECK int multiplex_client_new(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/dial.h: a stream to a peer as its client's policy wants it, with TLS where it says so, and the limits of the session on it.
 *
 *	e = dial(peer, policy->protocol, &stream);
 *	limits = dial_limits(peer->upstream, &router's limits);
 */
#ifndef PROXY_DIAL_H
#define PROXY_DIAL_H

#include "proxy/peer.h"

/* `protocol` is what will be spoken: it is offered by ALPN (RFC 7301). Until that stream has ended the peer is to be counted. ERROR_LIMIT,
 * ERROR_NO_MEMORY, ERROR_INVALID: TLS to an endpoint without a name. */
MUST_CHECK int dial(struct peer *peer, enum upstream_protocol protocol, struct stream **stream);
/* What the client's policy says of its connections. They don't all end at once: up to a tenth sooner. */
struct session_limits dial_limits(const struct upstream *upstream, const struct session_limits *limits);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/cors.h: which web pages may call a listener with gRPC-Web: cross-origin resource sharing, as browsers enforce it (the Fetch
 * standard, section 3.3). A preflight from an origin that the policy allows is answered here; one from another origin, or for
 * another method than gRPC-Web's, is a request like any other, whose endpoint may know better. The worker's thread.
 *
 *	if (listener_policy->cors && cors_is_preflight(exchange)) ...       // answer it
 *	e = cors_write(exchange, head);            // into responses to gRPC-Web, and to preflights
 */
#ifndef PROXY_CORS_H
#define PROXY_CORS_H

#include "proxy/exchange.h"

/* At a listener with a policy. Sets exchange->preflight. */
bool cors_is_preflight(struct exchange *exchange);
/* What an endpoint says itself is replaced. Nothing without a policy, or for an origin that it does not allow. ERROR_LIMIT,
 * ERROR_NO_MEMORY. */
MUST_CHECK int cors_write(struct exchange *exchange, struct head *head);
/* Whether `origin` is one of the policy's. Pure. */
bool cors_allows(const struct cors_policy *policy, struct slice origin);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/limits.h: what a configuration says of HTTP/2, as sessions take it. Pure; any thread.
 *
 *	limits_set_http2(&limits, &policy->http2);
 */
#ifndef PROXY_LIMITS_H
#define PROXY_LIMITS_H

#include "model/policy.h"
#include "session/session.h"

/* All but the size of heads and the number of streams, which one end or the other doesn't have. */
void limits_set_http2(struct session_limits *limits, const struct http2_policy *policy);

#endif

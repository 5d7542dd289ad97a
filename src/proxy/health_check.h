/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/health_check.h: active health checks: endpoints are asked whether they are well, by HTTP or by gRPC's health protocol, as the
 * client's policy says (healthCheck). Of all workers that use an endpoint one does it, whichever comes first; another
 * takes over when it uses the endpoint no more. What comes out is part of the endpoint's health, which all workers see.
 *
 * A check is made on a connection of its own, so that it also tells whether new connections are taken; it counts in none
 * of the client's other numbers. Checks of many endpoints are spread: the first comes within a tenth of the interval, and each interval is
 * up to a tenth shorter or longer. The first one that an endpoint fails takes it out at once, later ones must fail in a row.
 *
 * The worker's thread.
 *
 *	health_check_start(peer);     // no effect when it has begun, or when the policy wants none
 *	health_check_stop(peer);      // likewise
 */
#ifndef PROXY_HEALTH_CHECK_H
#define PROXY_HEALTH_CHECK_H

#include "proxy/upstream.h"

/* Without memory for it there is none; the sweep tries again. */
void health_check_start(struct peer *peer);
void health_check_stop(struct peer *peer);
size_t health_check_size(void);

#endif

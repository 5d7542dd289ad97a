/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/methods.h: what is counted for each gRPC method, as rt/LABEL/method/PACKAGE.SERVICE/METHOD.
 *
 * Names come from callers, so they are bounded: only a method that an endpoint answers gets a scope of its own (UNIMPLEMENTED
 * doesn't make one), and only METHODS_MOST of a router on a worker; all others are counted together as `overflow`.
 *
 *	methods_count(exchange, now);               // worker: the call is over
 *	methods_flush(router);                      // worker, now and then
 *	methods_free(router);                       // control thread, with the router
 */
#ifndef PROXY_METHODS_H
#define PROXY_METHODS_H

#include "proxy/exchange.h"

enum { METHODS_MOST = 256, METHOD_NAME = 160 };

void methods_count(struct exchange *exchange, int64_t now);
/* What was counted before the control thread had made the scope. */
void methods_flush(struct worker_router *router);
void methods_free(struct worker_router *router);

#endif

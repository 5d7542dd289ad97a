/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/caller.h: who calls what through this proxy, as rt/LABEL/client/ID/caller/WHO.
 *
 * WHO is what a verified certificate says: its URI (a SPIFFE ID), else `dns:NAME`, else `subject:DN`; `tls` for callers with TLS and without
 * a certificate, `plaintext` for all the others. Only these two have no colon. Strangers can't make up names: whom nobody vouches for shares
 * one. Still there are at most CALLERS_MOST for a client on a worker; who comes after is counted as `overflow`.
 *
 * A worker's object; its scope is the control thread's, which makes it when it is told of the caller, and frees it when nobody has called
 * for CALLER_IDLE. What has ended is counted on the worker at once and shown once a second, so that a request in plain text pays for no
 * more than one addition.
 *
 *	exchange->ended = exchange->upstream->plain_ended;   // its client is known
 *	if (security) caller_enter(exchange, security);
 *	exchange->ended[exchange->success]++;                // it is over
 *	callers_sweep(upstream, now);                        // once a second: shown
 *	callers_fini(upstream);
 */
#ifndef PROXY_CALLER_H
#define PROXY_CALLER_H

#include "proxy/exchange.h"

enum { CALLERS_MOST = 256, CALLER_NAME = 2048 };

#define CALLER_IDLE (10 * CLOCK_MINUTE)

/* exchange->upstream has just been chosen, and with it exchange->ended for a caller in plain text; what was chosen before is left. */
void caller_enter(struct exchange *exchange, const struct stream_security *security);

/* Shows what has ended, and lets go of who hasn't called for long. */
void callers_sweep(struct upstream *upstream, int64_t now);
/* No exchange refers to it any more. */
void callers_fini(struct upstream *upstream);

/* For live.c: the last reference has gone. Control thread. */
void caller_free(struct live_object *object);

#endif

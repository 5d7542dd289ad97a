/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/edges.h: who is at the other end of connections with TLS, counted by identity:
 *
 *	rt/LABEL/server/IP/PORT/peer/ID/connects
 *	rt/LABEL/client/CLIENT/peer/ID/connects
 *
 * IDs come from certificates that were verified, and their number is bounded: beyond it they are counted together. The worker tells
 * the control thread, once a handshake; a notice for which its channel has no place is not counted.
 *
 *	edge_seen(worker, metrics, SLICE("server"), label, SLICE("127.0.0.1/4140"), id);   // worker
 */
#ifndef PROXY_EDGES_H
#define PROXY_EDGES_H

#include "base/slice.h"

struct metrics;
struct worker;

/* All is copied. */
void edge_seen(struct worker *worker, struct metrics *metrics, struct slice side, struct slice label, struct slice name, struct slice id);

#endif

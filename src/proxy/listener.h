/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/listener.h: a worker's share of a port: it accepts, makes sessions, and hands their requests to its router.
 *
 * Worker's thread. A listener outlives configurations: a reload gives it another router, and its sessions go on.
 *
 *	listener_start(worker, port, router, policy, scope);        // a first time
 *	listener_route(listener, router, policy, scope);            // after a reload
 *	listener_stop(listener);                             // no more accepts; sessions drain; gone after the last (listener_gone)
 */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

#include "proxy/worker.h"

/* ERROR_NO_MEMORY is answered by not listening (counted by the loop's pools). */
struct worker_listener *listener_start(
	struct worker *worker, struct port *port, struct worker_router *router, const struct listener_policy *policy, struct scope *scope);
/* `scope`: struct server_stats; the port keeps it. What began before goes on counting where it began. */
void listener_route(
	struct worker_listener *listener, struct worker_router *router, const struct listener_policy *policy, struct scope *scope);
/* The port isn't configured any more, or the process ends: tells the control thread when the last session is gone. */
void listener_stop(struct worker_listener *listener);
void listener_drain(struct worker_listener *listener);
void listener_close_sessions(struct worker_listener *listener);
/* After its last session, or its last exchange, went. */
void listener_free_if_done(struct worker_listener *listener);
struct worker_listener *listener_find(struct worker *worker, const struct port *port);

#endif

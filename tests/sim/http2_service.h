/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/http2_service.h: what a service of HTTP/2 does with its connections: many calls at once on each, answered in any order,
 * refused, reset, answered early, cut short; connections that say goodbye in good order or in the middle of everything. What it
 * refuses, or what is behind the last id of its GOAWAY, it has not looked at, and doesn't count as arrived.
 */
#ifndef SIM_HTTP2_SERVICE_H
#define SIM_HTTP2_SERVICE_H

#include "service.h"

/* Owns the stream. */
void http2_service_accept(struct service *service, struct stream *stream);
/* Ends all connections as they are. */
/* service.c's: it is asked for its health; it got any other request. */
void service_probed(struct service *service, struct stream *stream);
void service_asked(struct service *service, struct stream *stream, uint64_t connection, const struct message *request);
void http2_service_end(struct service *service);

#endif

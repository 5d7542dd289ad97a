/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/web.h: gRPC-Web at a listener that translates it (grpcWeb: true): browsers can't read trailers, so they come as the last
 * frame of the body, and all of it in base64 where the caller wants text. What goes upstream is plain gRPC. The worker's thread.
 *
 *	web_begin(exchange, kind);                       // the request's head
 *	if (!web_receive(exchange, &piece)) ...          // its body, before anybody else sees it
 *	web_write_head(exchange, head);                  // the response's head
 *	web_send(exchange, piece, &take_more);           // its body, and its end
 *	web_send_end(exchange, trailers);
 */
#ifndef PROXY_WEB_H
#define PROXY_WEB_H

#include "proxy/exchange.h"

/* ERROR_LIMIT, ERROR_NO_MEMORY. */
MUST_CHECK int web_begin(struct exchange *exchange, enum grpc_kind kind);
/* The piece becomes what it says; its length may be 0 then. ERROR_SYNTAX: it's no base64; ERROR_NO_MEMORY: the piece is as it was. */
MUST_CHECK int web_receive(struct exchange *exchange, struct piece *piece);
/* The body is over in the middle of a group. */
bool web_is_cut(const struct exchange *exchange);

MUST_CHECK int web_write_head(struct exchange *exchange, struct head *head);
/* "application/grpc", or what stands for it. */
struct slice web_content_type(const struct exchange *exchange);
/* These do for other exchanges what the side's functions do. The piece's ownership passes. False: no memory; the response can only be
 * cut short. */
bool web_send(struct exchange *exchange, struct piece piece, bool *take_more);
bool web_send_end(struct exchange *exchange, const struct fields *trailers); /* NULL: there are none */

#endif

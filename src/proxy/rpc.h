/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/rpc.h: what is special to gRPC on a request's way: its deadline, its status, and answers that its callers understand. The
 * worker's thread.
 *
 *	e = rpc_recognize(exchange);                // once: is it gRPC? Before anything is answered
 *	e = rpc_read(exchange);                     // once, if it is: by when must it be over
 *	e = rpc_write(exchange);                    // for each attempt: what is left of that time
 *	verdict = rpc_judge(exchange, head, verdict);
 *	rpc_trailers(exchange, trailers, &more);    // what the proxy adds to a response's end
 *	rpc_end(exchange, GRPC_UNAVAILABLE, text);  // a response that has begun ends with a status, not with a reset
 */
#ifndef PROXY_RPC_H
#define PROXY_RPC_H

#include "proxy/exchange.h"

/* ERROR_LIMIT, ERROR_NO_MEMORY: it is gRPC-Web and can't be translated; the answer to it is one of gRPC's all the same. */
MUST_CHECK int rpc_recognize(struct exchange *exchange);
/* ERROR_SYNTAX: a grpc-timeout that is none. Begins to count the time. */
MUST_CHECK int rpc_read(struct exchange *exchange);
/* For what ends an attempt, as servers end calls by their own clock: true when the call's time was over, by which it is answered and
 * finished, although the timer hasn't told so yet. */
bool rpc_end_if_late(struct exchange *exchange);
/* ERROR_LIMIT: too many fields; ERROR_NO_MEMORY. l5d_rewind takes it back. */
MUST_CHECK int rpc_write(struct exchange *exchange);

enum grpc_status rpc_status_in_head(struct head *head);
enum grpc_status rpc_status_in_trailers(const struct fields *trailers);
/* A verdict that is pending until the end may be known from the head: a response without a body, or one of HTTP's failures. Sets
 * exchange->rpc_status. */
enum verdict rpc_judge(struct exchange *exchange, struct head *head, enum verdict verdict);

/* The response's trailers as the caller gets them, in the arena; without room there, as they are. */
void rpc_trailers(struct exchange *exchange, const struct fields *trailers, struct fields *out);
/* What makes a head without a body an answer to a gRPC call: status 200, and the status and its text in fields. */
MUST_CHECK int rpc_answer(struct exchange *exchange, struct head *head, struct slice text);
/* False: it can only be cut short. */
bool rpc_end(struct exchange *exchange, enum grpc_status status, struct slice text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/l5d.h: the headers by which Linkerd 1.x's proxies and their callers speak with each other.
 *
 * Requests: read and removed are l5d-dtab, l5d-ctx-dtab, l5d-ctx-trace, l5d-sample and l5d-ctx-deadline; written for each attempt are
 * l5d-ctx-dtab, l5d-ctx-deadline, l5d-ctx-trace, l5d-reqid, l5d-dst-service, -client, -residual and Via. Responses: l5d-success-class,
 * l5d-err, l5d-retryable and Via. The worker's thread.
 *
 *	e = l5d_read(exchange, &why);               // once, before anything is decided
 *	e = l5d_write(exchange);                    // before each attempt; l5d_rewind takes it back
 *	l5d_write_response(exchange, head);
 */
#ifndef PROXY_L5D_H
#define PROXY_L5D_H

#include "proxy/exchange.h"

/* ERROR_SYNTAX with *why (in the exchange's arena): a dtab that doesn't parse. ERROR_NO_MEMORY. */
MUST_CHECK int l5d_read(struct exchange *exchange, struct slice *why);
/* ERROR_LIMIT: the head has no room for more fields; ERROR_NO_MEMORY. */
MUST_CHECK int l5d_write(struct exchange *exchange);
/* Takes back what l5d_write has added. */
void l5d_rewind(struct exchange *exchange);
/* While the exchange awaits its status, l5d-success-class is left to the trailers. */
MUST_CHECK int l5d_write_response(struct exchange *exchange, struct head *head);
/* Marks all fields that begin with l5d- as dropped: for a listener that does not trust its callers, nothing of theirs is believed or
 * forwarded. */
void l5d_drop(struct head *head);
/* How many proxies a request has come through: the entries of its Via fields. */
unsigned l5d_call_depth(struct head *head);
/* `message` as l5d-err carries it: percent-encoded, at most `max` bytes; in the arena. */
struct slice l5d_encode_error(struct arena *arena, struct slice message, size_t max);

#endif

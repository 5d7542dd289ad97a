/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/forwarded.h: the Forwarded field (RFC 7239) that a listener with addForwardedHeader adds to its requests. Worker's thread.
 *
 *	Forwarded: by=_Xk3b9A;for=127.0.0.1;host=hello;proto=http
 *
 *	e = forwarded_write(exchange);
 */
#ifndef PROXY_FORWARDED_H
#define PROXY_FORWARDED_H

#include "proxy/exchange.h"

/* ERROR_LIMIT: too many fields; ERROR_NO_MEMORY. Only when the listener's policy asks for it. */
MUST_CHECK int forwarded_write(struct exchange *exchange);
/* What becomes of the x-forwarded-client-cert that the caller sent, as the listener's policy says; what is known of its own certificate
 * may be added. Errors as above. */
MUST_CHECK int forwarded_take_certificate(struct exchange *exchange);
/* Tells the caller's certificate and nothing else as x-forwarded-client-cert, once for all: only when nothing was appended or passed on.
 * Nothing when it has shown none. */
MUST_CHECK int forwarded_write_certificate(struct exchange *exchange);

#endif

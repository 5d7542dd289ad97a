/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/spans.h: spans of an exchange that is traced, into its worker's ring. The worker's thread.
 *
 *	if (exchange->traced) spans_attempt(exchange, outcome, now);     // an attempt is over, and its side not released yet
 *	if (exchange->traced) spans_request(exchange, now);              // all is over
 */
#ifndef PROXY_SPANS_H
#define PROXY_SPANS_H

#include "proxy/exchange.h"

/* `now` as of loop_clock. */
void spans_attempt(struct exchange *exchange, enum outcome outcome, int64_t now);
void spans_request(struct exchange *exchange, int64_t now);

#endif

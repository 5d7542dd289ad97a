/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/propagation.h: the trace of a request, read from the headers that its router's tracePropagator names, and written for each attempt;
 * and whether it is recorded. The worker's thread.
 *
 *	propagation_read(exchange);            // exchange->trace is then this proxy's server span
 *	propagation_sample(exchange);          // after all headers were read that say something of it
 *	e = propagation_write(exchange);       // before an attempt: trace_attempt says its client span
 */
#ifndef PROXY_PROPAGATION_H
#define PROXY_PROPAGATION_H

#include "proxy/exchange.h"
#include "proxy/worker.h"

/* Takes out the headers that it reads. */
void propagation_read(struct exchange *exchange);
/* What nobody has decided yet is decided by lot, if spans are wanted. */
void propagation_draw(struct exchange *exchange);
static inline void propagation_sample(struct exchange *exchange)
{
	if (exchange->worker->spans)
		propagation_draw(exchange);
}
/* The endpoint has nothing more to do for the attempt, or it was given up. */
void propagation_end(struct exchange *exchange, bool settled);
/* ERROR_LIMIT: the head has no room for more fields; ERROR_NO_MEMORY. */
MUST_CHECK int propagation_write(struct exchange *exchange);

#endif

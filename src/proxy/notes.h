/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/notes.h: what a decision record has no room for (observe/record.h), written when it happens into the worker's ring of notes.
 * Of a request that goes its way at once there is nothing to note. The worker's thread.
 *
 *	notes_dtab(exchange);                       // it brought one
 *	notes_attempt(exchange, 503, wait_ns);      // it failed, and will be tried again after that time
 *	notes_answer(exchange, text);               // weft answers in an endpoint's place
 */
#ifndef PROXY_NOTES_H
#define PROXY_NOTES_H

#include "proxy/exchange.h"

/* What its record and its notes have in common: when it began, in nanoseconds modulo 2^32. Of a worker's requests at one time no two
 * have the same, of those that it remembers hardly any. */
static inline uint32_t notes_number(const struct exchange *exchange)
{
	return (uint32_t)exchange->began;
}
/* exchange->local_dtab, and the flag that says so. */
void notes_dtab(struct exchange *exchange);
/* The attempt that has just ended. `status`: of a response that is not passed on; 0: none came. */
void notes_attempt(struct exchange *exchange, unsigned status, int64_t wait_ns);
void notes_answer(struct exchange *exchange, struct slice text);

#endif

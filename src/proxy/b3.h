/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/b3.h: a request's trace in Zipkin's headers (B3 propagation). Several: x-b3-traceid (16 or 32 hexadecimal digits), x-b3-spanid,
 * x-b3-parentspanid, x-b3-sampled (0 or 1), x-b3-flags (1: debug). Or one, b3: "TRACE-SPAN-SAMPLED-PARENT", the last two or three of
 * which may be missing; what is there of several counts. Pure; one thread.
 *
 *	if (!b3_read(head, &trace)) trace_begin(&trace, random);
 *	trace.flags = b3_flags(head);
 *	b3_drop(head);
 *	e = b3_write(head, &arena, &child);
 */
#ifndef PROXY_B3_H
#define PROXY_B3_H

#include "proxy/trace.h"
#include "wire/head.h"

/* False: there is none, or it is not whole. Its flags are 0. */
bool b3_read(struct head *head, struct trace *trace);
/* What was decided about sampling, which may be told without a trace (enum trace_flag). */
uint64_t b3_flags(struct head *head);
void b3_drop(struct head *head);
/* Several headers, or the one. ERROR_LIMIT: too many fields; ERROR_NO_MEMORY. */
MUST_CHECK int b3_write(struct head *head, struct arena *arena, const struct trace *trace);
MUST_CHECK int b3_write_single(struct head *head, struct arena *arena, const struct trace *trace);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/w3c.h: a request's trace as W3C Trace Context has it (https://www.w3.org/TR/trace-context/): traceparent,
 * "00-TRACE(32 digits)-PARENT(16)-FLAGS(2)", and tracestate, which is others' and goes on as it came. Pure; one thread.
 *
 *	if (!w3c_read(head, &arena, &trace)) trace_begin(&trace, random);     // without tracestate then
 *	e = w3c_write(head, &arena, &child);
 */
#ifndef PROXY_W3C_H
#define PROXY_W3C_H

#include "proxy/trace.h"
#include "wire/head.h"

enum {
	W3C_STATE_BYTES = 512, /* of tracestate, section 3.3.1.5 */
	W3C_STATE_MEMBERS = 32,
	W3C_LONG_MEMBER = 128, /* those go first */
};

/* False: there is no traceparent, or it is not one (sections 3.2.2 and 4.3); tracestate is then dropped as well. Takes traceparent out and
 * cuts a tracestate that is longer than it may be. */
bool w3c_read(struct head *head, struct arena *arena, struct trace *trace);
/* Of a caller who is not trusted. */
void w3c_drop(struct head *head);
/* ERROR_LIMIT: too many fields; ERROR_NO_MEMORY. */
MUST_CHECK int w3c_write(struct head *head, struct arena *arena, const struct trace *trace);

#endif

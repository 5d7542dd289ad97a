/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/trace.h: the trace that a request belongs to: Finagle's ids, as they travel in l5d-ctx-trace.
 *
 * Base64 of 32 bytes, big endian: span, parent, trace, flags; or 40, with the high half of a 128-bit trace id last. Pure.
 *
 *	if (!trace_decode(value, &trace)) trace_begin(&trace, random);
 *	trace_child(&trace, random);
 *	trace_encode(&trace, text);
 */
#ifndef PROXY_TRACE_H
#define PROXY_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/slice.h"

enum { TRACE_TEXT = 56, TRACE_ROOM = 64 }; /* bytes of it at most, and that may be written */

enum trace_flag {
	TRACE_DEBUG = 1 << 0,
	TRACE_SAMPLING_KNOWN = 1 << 1,
	TRACE_SAMPLED = 1 << 2,
};

struct trace {
	uint64_t span, parent, id, id_high, flags;
	bool wide; /* 128-bit trace id */
};

void trace_begin(struct trace *trace, struct random *random);
void trace_begin_wide(struct trace *trace, struct random *random);
/* A new span below the present one. */
void trace_child(struct trace *trace, struct random *random);
/* The span of the nth attempt below the present one: always the same. */
void trace_attempt(struct trace *trace, unsigned n);
bool trace_decode(struct slice text, struct trace *trace);
/* Returns the length: 44 or 56. */
unsigned trace_encode(const struct trace *trace, char text[TRACE_ROOM]);
/* 16 lower-case hexadecimal digits. */
void trace_hex(uint64_t id, char text[16]);
/* The other way round, of either case; false: it is something else, or not so long. */
bool trace_unhex(struct slice text, uint64_t *id);
/* Whether it is recorded, as far as the flags know. */
static inline bool trace_is_sampled(const struct trace *trace)
{
	return trace->flags & (TRACE_SAMPLED | TRACE_DEBUG);
}

#endif

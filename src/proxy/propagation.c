/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/propagation.h"

#include "proxy/b3.h"
#include "proxy/joining.h"
#include "proxy/w3c.h"

/* ---- reading ---- */

static bool is_trusted(const struct exchange *exchange)
{
	return !exchange->listener->policy->clear_context;
}

static inline __attribute__((always_inline)) bool read_l5d(struct exchange *exchange)
{
	struct field *f = head_has(exchange->request, FIELD_L5D_CTX_TRACE) ? head_find(exchange->request, FIELD_L5D_CTX_TRACE) : NULL;

	return f && trace_decode(field_value(f), &exchange->trace);
}

/* A decision about sampling may be told without a trace. Of a caller who is not trusted not even that is taken. */
static bool read_b3(struct exchange *exchange, uint64_t *decided)
{
	bool trusted = is_trusted(exchange), read = trusted && b3_read(exchange->request, &exchange->trace);

	if (trusted)
		*decided = b3_flags(exchange->request);
	b3_drop(exchange->request);
	return read;
}

static bool read_w3c(struct exchange *exchange)
{
	if (is_trusted(exchange))
		return w3c_read(exchange->request, &exchange->arena, &exchange->trace);
	w3c_drop(exchange->request);
	return false;
}

/* Whichever comes; of several the one that tracing libraries of today write. All are taken out, for all would be stale. */
static bool read_any(struct exchange *exchange, uint64_t *decided)
{
	struct head *request = exchange->request;
	bool read = read_l5d(exchange);

	exchange->b3 = EXCHANGE_B3_NONE;
	if (head_has(request, FIELD_X_B3_TRACEID))
		exchange->b3 = EXCHANGE_B3_SEVERAL;
	else if (head_has(request, FIELD_B3))
		exchange->b3 = EXCHANGE_B3_SINGLE;
	read |= read_b3(exchange, decided);
	if (read_w3c(exchange)) {
		read = true;
		*decided = 0;
	}
	return read;
}

/* Of a request without a trace: whether it is known what its caller works on. */
static __attribute__((noinline)) bool infer(struct exchange *exchange)
{
	struct worker *worker = exchange->worker;
	struct router_stats *stats = exchange->listener->router->stats;
	struct trace parent;

	switch (joining_find(worker->joining, &exchange->down->session->remote, loop_now(worker->loop), &parent)) {
	case JOINING_NONE:
		return false;
	case JOINING_AMBIGUOUS:
		counter_add(&stats->ambiguous, 1);
		return false;
	case JOINING_ONE:
		break;
	}
	counter_add(&stats->inferred, 1);
	exchange->trace = parent;
	exchange->inferred = true;
	return true;
}

static inline bool is_inferred(struct exchange *exchange)
{
	return __builtin_expect(exchange->listener->router->router->joins_count > 0, 0) && infer(exchange);
}

/* Apart from the usual kind, so that this costs that nothing. */
static __attribute__((noinline)) void read_other(struct exchange *exchange, enum propagator propagator)
{
	struct random *random = loop_random(exchange->worker->loop);
	uint64_t decided = 0;
	bool read;

	if (propagator == PROPAGATOR_W3C)
		read = read_w3c(exchange);
	else if (propagator == PROPAGATOR_ANY)
		read = read_any(exchange, &decided);
	else
		read = read_b3(exchange, &decided);
	if (read || is_inferred(exchange))
		trace_child(&exchange->trace, random);
	else if (propagator == PROPAGATOR_W3C || propagator == PROPAGATOR_ANY)
		trace_begin_wide(&exchange->trace, random);
	else
		trace_begin(&exchange->trace, random);
	/* What the request says itself counts before what another context, or the request that it is joined to, has decided. */
	if (decided)
		exchange->trace.flags = (exchange->trace.flags & ~(uint64_t)(TRACE_DEBUG | TRACE_SAMPLING_KNOWN | TRACE_SAMPLED)) | decided;
}

void propagation_read(struct exchange *exchange)
{
	enum propagator propagator = exchange->listener->router->router->propagator;

	if (__builtin_expect(propagator != PROPAGATOR_L5D, 0))
		read_other(exchange, propagator);
	else if (read_l5d(exchange) || is_inferred(exchange))
		trace_child(&exchange->trace, loop_random(exchange->worker->loop)); /* this proxy's server span */
	else
		trace_begin(&exchange->trace, loop_random(exchange->worker->loop));
}

void propagation_draw(struct exchange *exchange)
{
	struct worker *worker = exchange->worker;
	struct trace *trace = &exchange->trace;

	if (!(trace->flags & (TRACE_SAMPLING_KNOWN | TRACE_DEBUG))) {
		trace->flags |= TRACE_SAMPLING_KNOWN;
		if (random_unit(loop_random(worker->loop)) < worker->span_rate)
			trace->flags |= TRACE_SAMPLED;
	}
	exchange->traced = trace_is_sampled(trace);
}

/* ---- writing ---- */

#define TRACE_NAME "l5d-ctx-trace: "
#define REQID_NAME "l5d-reqid: "

/* A line "name: value CRLF" that lives at least as long as the head is used. */
static int add_line(struct head *head, enum field_id id, struct slice line, unsigned name_length)
{
	return head_add_line(head, id, line, name_length, name_length + 2);
}

static int write_l5d(struct exchange *exchange, const struct trace *span)
{
	/* What is written behind the first line's text is room enough for trace_encode. */
	char *at = arena_get(&exchange->arena, sizeof TRACE_NAME REQID_NAME + TRACE_TEXT + 16 + 4);
	int e;

	if (!at)
		return ERROR_NO_MEMORY;
	char *line = at;
	memcpy(at, TRACE_NAME, sizeof TRACE_NAME - 1);
	at += sizeof TRACE_NAME - 1;
	at += trace_encode(span, at);
	*at++ = '\r';
	*at++ = '\n';
	e = add_line(exchange->request, FIELD_L5D_CTX_TRACE, slice_make(line, (size_t)(at - line)), sizeof "l5d-ctx-trace" - 1);
	if (e)
		return e;
	line = at;
	memcpy(at, REQID_NAME, sizeof REQID_NAME - 1);
	at += sizeof REQID_NAME - 1;
	trace_hex(span->id, at);
	at += 16;
	*at++ = '\r';
	*at++ = '\n';
	return add_line(exchange->request, FIELD_L5D_REQID, slice_make(line, (size_t)(at - line)), sizeof "l5d-reqid" - 1);
}

/* Whatever is to be written but l5d-ctx-trace; *l5d: that, too. With the propagator that takes any: for applications written for Linkerd
 * and for those that trace; or, as there are limits to what is added to a head, in the several headers that came. */
static __attribute__((noinline)) int write_other(struct exchange *exchange, enum propagator propagator, const struct trace *span, bool *l5d)
{
	struct head *request = exchange->request;
	struct arena *arena = &exchange->arena;
	int e;

	*l5d = false;
	if (propagator == PROPAGATOR_B3 || exchange->b3 == EXCHANGE_B3_SEVERAL)
		return b3_write(request, arena, span);
	if (propagator == PROPAGATOR_B3_SINGLE)
		return b3_write_single(request, arena, span);
	e = w3c_write(request, arena, span);
	if (!e && exchange->b3 == EXCHANGE_B3_SINGLE)
		e = b3_write_single(request, arena, span);
	*l5d = propagator == PROPAGATOR_ANY;
	return e;
}

/* ---- what endpoints work on ---- */

static void await(struct exchange *exchange, const struct trace *span)
{
	joining_begin(exchange->worker->joining, &exchange->last_address, span);
	exchange->awaited = true;
}

void propagation_end(struct exchange *exchange, bool settled)
{
	struct worker *worker = exchange->worker;
	struct trace span = exchange->trace;

	trace_attempt(&span, exchange->attempts);
	joining_end(worker->joining, &exchange->last_address, &span,
		settled ? JOINING_SETTLED : clock_after(loop_now(worker->loop), JOINING_DOUBT));
	exchange->awaited = false;
}

int propagation_write(struct exchange *exchange)
{
	const struct router *router = exchange->listener->router->router;
	enum propagator propagator = router->propagator;
	struct trace span = exchange->trace;
	bool l5d = true;

	trace_attempt(&span, exchange->attempts);
	if (__builtin_expect(router->joined, 0))
		await(exchange, &span);
	if (__builtin_expect(propagator != PROPAGATOR_L5D, 0)) {
		int e = write_other(exchange, propagator, &span, &l5d);

		if (e || !l5d)
			return e;
	}
	return write_l5d(exchange, &span);
}

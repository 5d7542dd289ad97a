/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/spans.h"

#include "observe/ring.h"
#include "observe/span.h"

/* `out` is zeroed. */
static void put(char *out, size_t room, struct slice text)
{
	memcpy(out, text.at, text.length < room ? text.length : room - 1);
}

#define PUT(member, text) put(member, sizeof member, text)

static struct slice path_of(struct slice target)
{
	return slice_make(target.at, slice_find(target, '?'));
}

/* What both kinds have. */
static void describe(const struct exchange *exchange, struct span *span, int64_t began, int64_t now)
{
	const struct head *request = exchange->request;
	const struct loop *loop = exchange->worker->loop;

	span->trace_high = exchange->trace.id_high;
	span->trace = exchange->trace.id;
	span->began = loop_wall(loop) - (loop_now(loop) - began);
	span->lasted = now - began;
	span->rpc = exchange->rpc && exchange->rpc_method.length;
	span->rpc_status = exchange->rpc_status;
	PUT(span->router, exchange->listener->router->router->label);
	if (span->rpc)
		PUT(span->rpc_method, exchange->rpc_method);
	if (request) {
		span->version = request->version;
		PUT(span->method, request->method_text);
		PUT(span->authority, request->authority);
		PUT(span->path, path_of(request->target));
	}
	if (exchange->path.length)
		PUT(span->service, exchange->path);
	if (exchange->leaf)
		PUT(span->client, exchange->leaf->client->id);
}

/* OpenTelemetry's conventions for gRPC: what a server is to blame for. */
static bool is_servers_error(unsigned status)
{
	return status == GRPC_UNKNOWN || status == GRPC_DEADLINE_EXCEEDED || status == GRPC_UNIMPLEMENTED || status == GRPC_INTERNAL ||
		status == GRPC_UNAVAILABLE || status == GRPC_DATA_LOSS;
}

/* A server counts only its own errors, a client all that it was answered. */
static enum span_error error_of_status(const struct span *span)
{
	bool failed = span->status >= (span->kind == SPAN_CLIENT ? 400 : 500);

	if (span->rpc && span->rpc_status != SPAN_NO_GRPC)
		failed = span->kind == SPAN_CLIENT ? span->rpc_status != GRPC_OK : is_servers_error(span->rpc_status);
	return failed ? SPAN_STATUS : SPAN_FINE;
}

static enum span_error error_of_outcome(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_CONNECT:
		return SPAN_CONNECT;
	case OUTCOME_REFUSED:
		return SPAN_REFUSED;
	case OUTCOME_RESET:
		return SPAN_RESET;
	case OUTCOME_PROTOCOL:
		return SPAN_PROTOCOL;
	case OUTCOME_ATTEMPT_TIMEOUT:
	case OUTCOME_TOTAL_TIMEOUT:
		return SPAN_TIMEOUT;
	case OUTCOME_CANCELED:
		return SPAN_CANCELED;
	case OUTCOME_OVERLOAD:
		return SPAN_OVERLOAD;
	case OUTCOME_RESPONSE:
	case OUTCOME_COUNT:
		break;
	}
	return SPAN_FINE;
}

void spans_attempt(struct exchange *exchange, enum outcome outcome, int64_t now)
{
	struct trace trace = exchange->trace;
	struct span span = { .kind = SPAN_CLIENT };
	enum span_error error = error_of_outcome(outcome);

	/* A reload may have taken the collectors away. */
	if (!exchange->worker->spans)
		return;
	describe(exchange, &span, exchange->attempt_began, now);
	trace_attempt(&trace, exchange->attempts);
	span.id = trace.span;
	span.parent = trace.parent;
	span.peer = exchange->last_address;
	span.status = exchange->attempt_status;
	span.resends = (uint8_t)(exchange->attempts - 1);
	span.error = (uint8_t)(error ? error : error_of_status(&span));
	ring_write(exchange->worker->spans, &span);
}

/* Who is to blame when it did not end with a whole response. */
static enum span_error error_of_end(const struct exchange *exchange)
{
	if (exchange->flags & FLAG_DOWNSTREAM_GONE)
		return SPAN_CANCELED;
	return exchange->response_ended ? SPAN_FINE : SPAN_CUT;
}

void spans_request(struct exchange *exchange, int64_t now)
{
	struct span span = { .kind = SPAN_SERVER, .id = exchange->trace.span };
	enum span_error error = error_of_end(exchange);

	if (!exchange->worker->spans)
		return;
	describe(exchange, &span, exchange->began, now);
	/* A trace that begins here has its own id for a parent. */
	if (exchange->trace.parent != exchange->trace.span)
		span.parent = exchange->trace.parent;
	span.inferred = exchange->inferred;
	span.peer = exchange->down->session->remote;
	span.status = exchange->status;
	span.error = (uint8_t)(error ? error : error_of_status(&span));
	ring_write(exchange->worker->spans, &span);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/identity_call.h"

#include "base/check.h"
#include "base/memory.h"

static void on_limit(void *owner);

void call_init(struct call *call, struct loop *loop, struct session_pools *pools, void (*answered)(struct call *call, int error),
	void (*over)(struct call *call), void *owner)
{
	*call = (struct call){ .loop = loop, .pools = pools, .answered = answered, .over = over, .owner = owner };
	timer_init(&call->limit, on_limit, call);
}

static void release(struct call *call, enum reset why)
{
	struct side *side = call->side;

	call->side = NULL;
	if (side)
		side_release(side, why);
}

void call_stop(struct call *call)
{
	call->running = false;
	timer_cancel(call->loop, &call->limit);
	release(call, RESET_CANCEL);
	if (call->session && !call->gone)
		session_close(call->session, RESET_CANCEL);
}

/* The owner may start anything from inside `answered`, but not this call before it is over. */
static void finish(struct call *call, int error)
{
	bool tell = call->running;

	call_stop(call);
	if (tell)
		call->answered(call, error);
}

static void on_limit(void *owner)
{
	finish(owner, ERROR_TIMEOUT);
}

/* ---- the exchange ---- */

static void informational(struct side *side, struct head *head)
{
	(void)side;
	(void)head;
}

static void head_came(struct side *side, struct head *head)
{
	struct call *call = side->exchange;

	call->status = head->status;
	if (head->body == BODY_NONE)
		finish(call, 0);
}

static void body(struct side *side, struct piece piece)
{
	struct call *call = side->exchange;

	if (call->answer.length + piece.length <= CALL_MOST_BODY)
		text_append(&call->answer, slice_make(piece.at, piece.length));
	else
		finish(call, ERROR_LIMIT);
	piece_release(&piece);
}

static void end(struct side *side)
{
	finish(side->exchange, 0);
}

static void trailers(struct side *side, const struct fields *fields)
{
	(void)fields;
	finish(side->exchange, 0);
}

static void reset(struct side *side, enum reset why, int error)
{
	(void)why;
	finish(side->exchange, error ? error : ERROR_RESET);
}

static void writable(struct side *side)
{
	(void)side;
}

static const struct side_events side_events = {
	.informational = informational,
	.head = head_came,
	.body = body,
	.trailers = trailers,
	.end = end,
	.reset = reset,
	.writable = writable,
};

/* ---- the session ---- */

static void available(void *owner, struct session *session)
{
	(void)owner;
	(void)session;
}

static void closed(void *owner, struct session *session, int error)
{
	struct call *call = owner;

	(void)session;
	/* It is over only when its answer was told: who frees it then does so once. */
	call->gone = true;
	finish(call, error ? error : ERROR_CLOSED);
	call->session = NULL;
	call->gone = false;
	call->over(call);
}

static const struct session_events session_events = {
	.available = available,
	.closed = closed,
};

static bool send_bytes(struct call *call, struct slice body)
{
	while (body.length) {
		struct buffer *buffer = buffer_get(loop_buffers(call->loop));
		size_t now;

		if (!buffer)
			return false;
		now = body.length < buffer->capacity ? body.length : buffer->capacity;
		memcpy(buffer->bytes, body.at, now);
		buffer->filled = (uint32_t)now;
		body = slice_from(body, now);
		side_send_body(call->side, (struct piece){ buffer, buffer->bytes, now }, body.length == 0);
	}
	return true;
}

static bool send_request(struct call *call, const char *method, struct slice target, struct slice body)
{
	struct head *head = memory_new(sizeof *head);
	struct arena arena;
	bool sent;

	arena_init(&arena, NULL, 0);
	head->method_text = slice_of(method);
	head->method = (uint8_t)method_identify(head->method_text);
	head->authority = SLICE("signer");
	head->target = target;
	head->version = VERSION_1_1;
	head->body = body.length ? BODY_LENGTH : BODY_NONE;
	head->body_length = body.length;
	sent = !body.length || head_add(head, &arena, FIELD_CONTENT_TYPE, SLICE("Content-Type"), SLICE("application/json")) == 0;
	if (sent) {
		side_send_head(call->side, head, body.length == 0);
		sent = send_bytes(call, body);
	}
	arena_reset(&arena);
	memory_free(head);
	return sent;
}

int call_start(struct call *call, struct network *network, const char *socket, const char *method, struct slice target,
	struct slice body_bytes, int64_t limit_ns)
{
	const struct session_limits limits = { 0 };
	struct stream *stream;
	int e;

	CHECK(call_is_over(call));
	text_clear(&call->answer);
	call->status = 0;
	e = network_connect_unix(network, call->loop, socket, &stream);
	if (e)
		return e;
	e = http1_client_new(call->pools, stream, &limits, &session_events, call, NULL, &call->session);
	if (e)
		return e;
	e = session_open(call->session, &side_events, call, &call->side);
	if (!e && !send_request(call, method, target, body_bytes))
		e = ERROR_NO_MEMORY;
	if (e) {
		call_stop(call);
		return e;
	}
	call->running = true;
	timer_set(call->loop, &call->limit, loop_now(call->loop) + limit_ns);
	return 0;
}

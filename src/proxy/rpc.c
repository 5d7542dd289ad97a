/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/rpc.h"

#include "base/check.h"
#include "proxy/answer.h"
#include "proxy/web.h"

enum { MOST_MESSAGE = 1024 }; /* bytes of grpc-message in answers of the proxy's own */

/* ---- the deadline ---- */

static void deadline_passed(void *owner)
{
	struct exchange *exchange = owner;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange->flags |= FLAG_DURATION_TIMEOUT;
	if (exchange->peer)
		exchange_end_attempt(exchange, RESET_TIMEOUT, OUTCOME_TOTAL_TIMEOUT);
	if (exchange->state != EXCHANGE_ANSWERING) {
		answer_timeout(exchange, exchange->rpc_timeout_ns, "a response");
		return;
	}
	exchange->success = false;
	(void)rpc_end(exchange, GRPC_DEADLINE_EXCEEDED, SLICE("the deadline has passed"));
	exchange_finish(exchange);
}

bool rpc_end_if_late(struct exchange *exchange)
{
	if (!exchange->rpc_deadline || loop_clock(exchange->worker->loop) < exchange->rpc_deadline)
		return false;
	deadline_passed(exchange);
	return true;
}

/* The call is to be over by then, wherever it is: also while it is being bound, and while its answer streams. */
static int read_timeout(struct exchange *exchange)
{
	struct loop *loop = exchange->worker->loop;
	int64_t ns, wall = loop_wall(loop);

	if (grpc_timeout_parse(field_value(head_find(exchange->request, FIELD_GRPC_TIMEOUT)), &ns))
		return ERROR_SYNTAX;
	head_drop_all(exchange->request, FIELD_GRPC_TIMEOUT);
	exchange->rpc_timeout_ns = ns;
	exchange->rpc_deadline = clock_after(exchange->began, ns);
	timer_init(&exchange->rpc_timer, deadline_passed, exchange);
	timer_set(loop, &exchange->rpc_timer, exchange->rpc_deadline);
	if (exchange->deadline == 0 || clock_after(wall, ns) < exchange->deadline)
		exchange->deadline = clock_after(wall, ns);
	if (exchange->deadline_stamp < wall)
		exchange->deadline_stamp = wall;
	return 0;
}

/* Kept for the end, when the request's head may be gone. */
static void read_method(struct exchange *exchange)
{
	struct slice target = exchange->request->target;

	target.length = slice_find(target, '?');
	if (target.length > 1 && target.at[0] == '/')
		exchange->rpc_method = arena_copy(&exchange->arena, slice_from(target, 1));
}

int rpc_recognize(struct exchange *exchange)
{
	struct head *request = exchange->request;
	enum grpc_kind kind = GRPC_NOT;

	if (head_has(request, FIELD_CONTENT_TYPE))
		kind = grpc_kind(field_value(head_find(request, FIELD_CONTENT_TYPE)));
	if (kind == GRPC_NOT || (kind != GRPC_PLAIN && !exchange->listener->policy->grpc_web))
		return 0;
	exchange->rpc = true;
	read_method(exchange);
	return kind == GRPC_PLAIN ? 0 : web_begin(exchange, kind);
}

int rpc_read(struct exchange *exchange)
{
	return head_has(exchange->request, FIELD_GRPC_TIMEOUT) ? read_timeout(exchange) : 0;
}

static int write_timeout(struct exchange *exchange)
{
	char text[GRPC_TIMEOUT_TEXT];
	int64_t left = exchange->rpc_deadline - loop_clock(exchange->worker->loop);
	unsigned length = grpc_timeout_format(left > 0 ? left : 1, text);

	return head_add(exchange->request, &exchange->arena, FIELD_GRPC_TIMEOUT, SLICE("grpc-timeout"), slice_make(text, length));
}

int rpc_write(struct exchange *exchange)
{
	int e = 0;

	if (!exchange->rpc)
		return 0;
	if (exchange->rpc_deadline)
		e = write_timeout(exchange);
	/* Servers ask for it, to know that no proxy on the way drops trailers. HTTP/1.1 has another way of saying it. */
	if (!e && exchange->leaf->client->policy.protocol != UPSTREAM_HTTP1)
		e = head_add_line(exchange->request, FIELD_TE, SLICE("te: trailers\r\n"), 2, 4);
	return e;
}

/* ---- the status ---- */

enum grpc_status rpc_status_in_head(struct head *head)
{
	if (!head_has(head, FIELD_GRPC_STATUS))
		return GRPC_NONE;
	return grpc_status_parse(field_value(head_find(head, FIELD_GRPC_STATUS)));
}

enum grpc_status rpc_status_in_trailers(const struct fields *trailers)
{
	for (unsigned i = 0; i < trailers->count; i++)
		if (trailers->at[i].id == FIELD_GRPC_STATUS)
			return grpc_status_parse(field_value(&trailers->at[i]));
	return GRPC_NONE;
}

enum verdict rpc_judge(struct exchange *exchange, struct head *head, enum verdict verdict)
{
	const struct service_policy *policy = &exchange->bound->binding->service->policy;
	enum grpc_status status = rpc_status_in_head(head);

	if (status == GRPC_NONE && policy->classifier == CLASSIFIER_GRPC_COMPLIANT && head->status != 200)
		status = grpc_status_of_http(head->status);
	exchange->rpc_status = (uint8_t)status;
	if (verdict != VERDICT_PENDING)
		return verdict;
	return status == GRPC_NONE && head->body != BODY_NONE ? VERDICT_PENDING : outcome_judge_status(policy, status);
}

/* ---- answers ---- */

static int add_field(struct exchange *exchange, struct field *field, enum field_id id, struct slice name, struct slice value)
{
	struct slice line = arena_format(&exchange->arena, "%.*s: %.*s\r\n", SLICE_ARGS(name), SLICE_ARGS(value));

	if (!line.at)
		return ERROR_NO_MEMORY;
	*field = (struct field){
		.line = line.at,
		.line_length = (uint32_t)line.length,
		.name_length = (uint16_t)name.length,
		.value_offset = (uint16_t)(name.length + 2),
		.value_length = (uint32_t)value.length,
		.id = (uint8_t)id,
	};
	return 0;
}

void rpc_trailers(struct exchange *exchange, const struct fields *trailers, struct fields *out)
{
	struct field *all = NULL;

	*out = *trailers;
	/* Those of the endpoint's that begin with l5d- have been dropped by the codec. */
	if (exchange->class_behind && !exchange->listener->policy->clear_context)
		all = arena_get(&exchange->arena, (trailers->count + 1u) * sizeof *all);
	if (!all ||
		add_field(exchange, &all[trailers->count], FIELD_L5D_SUCCESS_CLASS, SLICE("l5d-success-class"),
			exchange->success ? SLICE("1.0") : SLICE("0.0")))
		return;
	memcpy(all, trailers->at, trailers->count * sizeof *all);
	*out = (struct fields){ (uint16_t)(trailers->count + 1), all };
}

static struct slice status_text(enum grpc_status status, char text[4])
{
	unsigned length = 0;

	if (status >= 10)
		text[length++] = (char)('0' + status / 10);
	text[length++] = (char)('0' + status % 10);
	return slice_make(text, length);
}

int rpc_answer(struct exchange *exchange, struct head *head, struct slice text)
{
	struct arena *arena = &exchange->arena;
	struct slice message = grpc_message_encode(arena, text, MOST_MESSAGE);
	char status[4];
	int e;

	head->status = 200;
	head->body = BODY_NONE;
	head->body_length = 0;
	e = head_add(head, arena, FIELD_CONTENT_TYPE, SLICE("content-type"), web_content_type(exchange));
	if (!e)
		e = head_add(head, arena, FIELD_GRPC_STATUS, SLICE("grpc-status"), status_text(exchange->rpc_status, status));
	if (!e && !message.at)
		e = ERROR_NO_MEMORY;
	if (!e && message.length)
		e = head_add(head, arena, FIELD_GRPC_MESSAGE, SLICE("grpc-message"), message);
	return e;
}

bool rpc_end(struct exchange *exchange, enum grpc_status status, struct slice text)
{
	struct field lines[2];
	struct fields trailers = { 2, lines };
	struct fields all;
	char number[4];

	if (!exchange->rpc || exchange->response_ended || exchange->response_counted)
		return false;
	if (add_field(exchange, &lines[0], FIELD_GRPC_STATUS, SLICE("grpc-status"), status_text(status, number)) ||
		add_field(exchange, &lines[1], FIELD_GRPC_MESSAGE, SLICE("grpc-message"),
			grpc_message_encode(&exchange->arena, text, MOST_MESSAGE)))
		return false;
	exchange->rpc_status = (uint8_t)status;
	rpc_trailers(exchange, &trailers, &all);
	exchange->response_ended = web_send_end(exchange, &all);
	return exchange->response_ended;
}

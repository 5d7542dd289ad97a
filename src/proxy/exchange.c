/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange's life: begun, moved, counted, answered from here, finished. What its sides tell is in events.c. */
#include "proxy/exchange.h"

#include "base/check.h"
#include "base/log.h"
#include "proxy/answer.h"
#include "proxy/cors.h"
#include "proxy/flows.h"
#include "proxy/l5d.h"
#include "proxy/listener.h"
#include "proxy/methods.h"
#include "proxy/notes.h"
#include "proxy/propagation.h"
#include "proxy/rpc.h"
#include "proxy/spans.h"

void exchange_move(struct exchange *exchange, enum exchange_state state)
{
	static const char allowed[5][5] = {
		[EXCHANGE_ROUTING] = { [EXCHANGE_ROUTING] = 1,
			[EXCHANGE_PARKED] = 1,
			[EXCHANGE_SENT] = 1,
			[EXCHANGE_ANSWERING] = 1,
			[EXCHANGE_FINISHED] = 1 },
		[EXCHANGE_PARKED] = { [EXCHANGE_ROUTING] = 1, [EXCHANGE_PARKED] = 1, [EXCHANGE_ANSWERING] = 1, [EXCHANGE_FINISHED] = 1 },
		[EXCHANGE_SENT] = { [EXCHANGE_ROUTING] = 1, [EXCHANGE_PARKED] = 1, [EXCHANGE_ANSWERING] = 1, [EXCHANGE_FINISHED] = 1 },
		[EXCHANGE_ANSWERING] = { [EXCHANGE_FINISHED] = 1 },
	};

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	CHECK(allowed[exchange->state][state]);
	exchange->state = (uint8_t)state;
}

static void total_timeout(void *owner)
{
	struct exchange *exchange = owner;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange->flags |= FLAG_DURATION_TIMEOUT;
	if (exchange->peer)
		exchange_end_attempt(exchange, RESET_TIMEOUT, OUTCOME_TOTAL_TIMEOUT);
	answer_failed(exchange, OUTCOME_TOTAL_TIMEOUT, ERROR_TIMEOUT);
}

static void attempt_timeout(void *owner)
{
	struct exchange *exchange = owner;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange_attempt_failed(exchange, OUTCOME_ATTEMPT_TIMEOUT, ERROR_TIMEOUT);
}

void exchange_open(struct worker_listener *listener, struct side *down)
{
	struct worker *worker = listener->worker;
	struct exchange *exchange = pool_get(&worker->exchanges);

	counter_add(&listener->stats->requests, 1);
	counter_add(&listener->stats->pending, 1);
	if (!exchange) {
		/* Without memory for an exchange nothing can be said: the connection closes. */
		counter_add(&listener->stats->failures, 1);
		counter_sub(&listener->stats->pending, 1);
		side_own(down, &exchange_downstream_events, NULL);
		side_release(down, RESET_OVERLOAD);
		return;
	}
	memset(exchange, 0, offsetof(struct exchange, arena));
	exchange->magic = EXCHANGE_MAGIC;
	exchange->worker = worker;
	exchange->listener = listener;
	exchange->stats = listener->stats;
	listener->exchanges++;
	exchange->down = down;
	exchange->request = down->head;
	exchange->method = down->head->method;
	exchange->began = loop_clock(worker->loop);
	arena_init(&exchange->arena, &worker->blocks, 0);
	exchange->arena.small = &worker->small_blocks;
	exchange->arena.at = exchange->memory;
	exchange->arena.end = exchange->memory + sizeof exchange->memory;
	list_init(&exchange->waiter.link);
	list_append(&worker->running, &exchange->link);
	exchange->rpc_status = GRPC_NONE;
	replay_init(&exchange->replay, exchange->request, listener->router->router->protocol == PROTOCOL_H2);
	side_own(down, &exchange_downstream_events, exchange);
	if (exchange->request->body != BODY_NONE) {
		side_pause(down);
		exchange->body_paused = true;
	}
	exchange_run(exchange);
}

void exchange_limit(struct exchange *exchange, int64_t total_ns)
{
	struct loop *loop = exchange->worker->loop;
	int64_t wall = loop_wall(loop), end = clock_after(wall, total_ns);

	exchange->limit_ns = total_ns;
	timer_init(&exchange->total_timer, total_timeout, exchange);
	timer_set(loop, &exchange->total_timer, clock_after(loop_now(loop), total_ns));
	if (exchange->deadline == 0 || end < exchange->deadline)
		exchange->deadline = end;
	if (exchange->deadline_stamp < wall)
		exchange->deadline_stamp = wall;
}

void exchange_count_service(struct exchange *exchange)
{
	counter_add(&exchange->bound->stats->requests, 1);
	counter_add(&exchange->bound->stats->pending, 1);
	exchange->served = true;
}

/* ---- attempts ---- */

void exchange_begin_attempt(struct exchange *exchange)
{
	int64_t timeout = exchange->leaf->client->policy.attempt_timeout_ns;
	struct client_stats *stats = exchange->upstream->stats;

	if (exchange->attempts < UINT8_MAX)
		exchange->attempts++;
	counter_add(&stats->attempts.requests, 1);
	counter_add(&stats->attempts.pending, 1);
	counter_add(&exchange->pair_stats->requests, 1);
	counter_add(&exchange->pair_stats->pending, 1);
	exchange->last_address = exchange->peer->target->address;
	exchange->attempt_status = 0;
	if (!exchange->requeued)
		budget_deposit(&exchange->leaf->client->requeue_budget, &exchange->upstream->share, exchange->attempt_began);
	exchange->requeued = false;
	if (timeout) {
		timer_init(&exchange->attempt_timer, attempt_timeout, exchange);
		timer_set(exchange->worker->loop, &exchange->attempt_timer, clock_after(loop_now(exchange->worker->loop), timeout));
	}
}

/* Whether the endpoint is to blame: not when nobody waited for its answer, nor for a limit of ours. */
static bool judges_endpoint(enum outcome outcome)
{
	return outcome != OUTCOME_CANCELED && outcome != OUTCOME_OVERLOAD && outcome != OUTCOME_REFUSED;
}

/* Whether the endpoint does nothing for it any more: its answer was whole, or it never had the request. */
static bool is_settled(enum reset why, enum outcome outcome)
{
	return (outcome == OUTCOME_RESPONSE && why == RESET_NONE) || outcome == OUTCOME_CONNECT || outcome == OUTCOME_REFUSED;
}

/* Streams are counted as such, as Linkerd does for HTTP/2. */
static void count_stream(struct exchange *exchange, struct stream_stats *stats, int64_t ns)
{
	if (exchange->listener->router->router->protocol != PROTOCOL_H2)
		return;
	counter_add(exchange->success ? &stats->success : &stats->failures, 1);
	counter_add(&stats->data_bytes, exchange->request_bytes + exchange->response_bytes);
	histogram_coarse_record(&stats->duration, (uint64_t)ns / 1000);
}

static void count_attempt(struct exchange *exchange, enum outcome outcome)
{
	struct client_stats *stats = exchange->upstream->stats;
	uint64_t us = (uint64_t)exchange->attempt_ns / 1000;
	unsigned bucket = histogram_bucket(us);

	counter_sub(&stats->attempts.pending, 1);
	counter_sub(&exchange->pair_stats->pending, 1);
	counter_add(exchange->success ? &stats->attempts.success : &stats->attempts.failures, 1);
	counter_add(exchange->success ? &exchange->pair_stats->success : &exchange->pair_stats->failures, 1);
	histogram_put(&stats->attempts.latency, bucket, us);
	histogram_put(&exchange->pair_stats->latency, bucket, us);
	count_stream(exchange, &stats->streams, loop_now(exchange->worker->loop) - exchange->attempt_began);
	if (outcome != OUTCOME_RESPONSE)
		counter_add(&stats->exceptions[outcome], 1);
	if (flows_are_wanted(exchange->worker))
		flows_count(exchange, bucket, us);
}

void exchange_end_attempt(struct exchange *exchange, enum reset why, enum outcome outcome)
{
	struct loop *loop = exchange->worker->loop;
	int64_t now = loop_clock(loop);

	timer_cancel(loop, &exchange->attempt_timer);
	exchange->outcome = (uint8_t)outcome;
	if (outcome != OUTCOME_RESPONSE) {
		exchange->success = false;
		exchange->attempt_ns = now - exchange->attempt_began;
	}
	count_attempt(exchange, outcome);
	if (exchange->traced)
		spans_attempt(exchange, outcome, now);
	if (exchange->awaited)
		propagation_end(exchange, is_settled(why, outcome));
	if (exchange->held)
		replay_drop(exchange->response);
	exchange->held = false;
	if (!list_empty(&exchange->peer_waiter.link))
		peer_leave(exchange->peer, &exchange->peer_waiter);
	if (exchange->up)
		side_release(exchange->up, why);
	exchange->up = NULL;
	struct peer *peer = exchange->peer;
	exchange->peer = NULL;
	peer_done(peer, now, outcome == OUTCOME_CANCELED || outcome == OUTCOME_OVERLOAD ? -1 : exchange->attempt_ns,
		judges_endpoint(outcome), exchange->success);
}

/* ---- answering from here ---- */

static int answer_head(struct exchange *exchange, struct head *head, unsigned status, struct slice text, bool retryable)
{
	const struct listener_policy *policy = exchange->listener->policy;
	uint32_t max = exchange->listener->limits.max_head_bytes;
	int e = 0;

	memset(head, 0, offsetof(struct head, fields));
	head->is_response = true;
	head->status = (uint16_t)status;
	head->version = VERSION_1_1;
	head->body = BODY_LENGTH;
	head->body_length = text.length;
	if (exchange->rpc)
		e = rpc_answer(exchange, head, text);
	else if (text.length)
		e = head_add(head, &exchange->arena, FIELD_CONTENT_TYPE, SLICE("Content-Type"), SLICE("text/plain"));
	if (!e && (exchange->web || exchange->preflight))
		e = cors_write(exchange, head);
	if (!e && text.length && status >= 400) {
		struct slice encoded = l5d_encode_error(&exchange->arena, text, max > 1024 ? max / 2 : 512);

		e = encoded.at ? head_add(head, &exchange->arena, FIELD_L5D_ERR, SLICE("l5d-err"), encoded) : ERROR_NO_MEMORY;
	}
	if (!e && retryable && !policy->clear_context)
		e = head_add_line(head, FIELD_L5D_RETRYABLE, SLICE("l5d-retryable: true\r\n"), 13, 15);
	return e ? e : l5d_write_response(exchange, head);
}

static bool send_answer(struct exchange *exchange, const struct head *head, struct slice text)
{
	bool bodiless = text.length == 0 || exchange->method == METHOD_HEAD || exchange->rpc;

	side_send_head(exchange->down, head, bodiless);
	if (bodiless)
		return true;
	struct buffer *buffer = buffer_get(loop_buffers(exchange->worker->loop));
	if (!buffer)
		return false;
	size_t length = text.length < buffer->capacity ? text.length : buffer->capacity;
	memcpy(buffer->bytes, text.at, length);
	buffer->filled = (uint32_t)length;
	side_send_body(exchange->down, (struct piece){ buffer, buffer->bytes, length }, true);
	return true;
}

/* Unless who answers has said it. What is too large is said as gRPC's own ends say it. */
static void choose_rpc_status(struct exchange *exchange, unsigned status)
{
	bool exhausted = (exchange->flags & FLAG_OVERLOAD) || status == 431;

	if (exchange->rpc_status == GRPC_NONE)
		exchange->rpc_status = (uint8_t)(exhausted ? GRPC_RESOURCE_EXHAUSTED : grpc_status_of_http(status));
}

void exchange_answer(struct exchange *exchange, unsigned status, struct slice text, bool retryable)
{
	struct head *head = arena_get(&exchange->arena, sizeof *head);

	if (text.length > BUFFER_CAPACITY)
		text.length = BUFFER_CAPACITY;
	if (text.length)
		notes_answer(exchange, text);
	LOG(LOG_DEBUG, "proxy", "answered %u: %.*s", status, SLICE_ARGS(text));
	/* Names, addresses and dtabs are for nobody outside. */
	if (status >= 400 && exchange->listener->policy->clear_context)
		text.length = 0;
	exchange->flags |= FLAG_LOCAL_REPLY;
	exchange->success = status < 500;
	exchange->awaits_status = false;
	if (exchange->rpc) {
		choose_rpc_status(exchange, status);
		exchange->success = false;
	}
	exchange->status = exchange->rpc ? 200 : (uint16_t)status;
	exchange_move(exchange, EXCHANGE_ANSWERING);
	codes_add(&exchange->stats->status, exchange->status);
	if (head && answer_head(exchange, head, status, text, retryable) == 0)
		exchange->response_ended = send_answer(exchange, head, text);
	exchange_finish(exchange);
}

/* ---- the end ---- */

static void record_recent(struct exchange *exchange, int64_t wall)
{
	struct recent recent = { .wall_ns = wall, .status = exchange->status };
	const struct slice label = exchange->bound->binding->service->name;
	struct slice id = exchange->leaf ? exchange->leaf->client->id : SLICE("");
	struct slice router = exchange->listener->router->router->label;

	recent.source = exchange->down->session->remote;
	recent.server = exchange->down->session->local;
	if (exchange->attempts)
		recent.destination = exchange->last_address;
	memcpy(recent.router, router.at, router.length < sizeof recent.router ? router.length : sizeof recent.router - 1);
	memcpy(recent.service, label.at, label.length < RECENT_NAME ? label.length : RECENT_NAME - 1);
	memcpy(recent.client, id.at, id.length < RECENT_NAME ? id.length : RECENT_NAME - 1);
	ring_write(exchange->worker->recents, &recent);
}

static uint16_t kib(uint64_t bytes)
{
	return bytes / 1024 > UINT16_MAX ? UINT16_MAX : (uint16_t)(bytes / 1024);
}

static uint32_t microseconds(int64_t ns)
{
	return ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

static void record(struct exchange *exchange, int64_t now)
{
	struct worker *worker = exchange->worker;
	int64_t wall = loop_wall(worker->loop);
	struct record record = {
		.wall_ns = wall - (loop_now(worker->loop) - exchange->began),
		.trace_id = exchange->trace.id,
		.service = exchange->bound ? exchange->bound->binding->service->hash : 0,
		.client = exchange->leaf ? exchange->leaf->client->hash : 0,
		.duration_us = microseconds(now - exchange->began),
		.upstream_us = microseconds(exchange->attempt_ns),
		.flags = exchange->flags,
		.status = exchange->status,
		.endpoint_port = exchange->last_address.port,
		.attempts = exchange->attempts,
		.router = (uint8_t)exchange->listener->router->router->index,
		.request_kib = kib(exchange->request_bytes),
		.response_kib = kib(exchange->response_bytes),
		.method = exchange->method,
		.identifier = exchange->path.at ? (uint8_t)(exchange->identified.by + 1) : 0,
		.number = notes_number(exchange),
	};

	memcpy(record.endpoint_ip,
		exchange->last_address.family == ADDRESS_IP6 ? &exchange->last_address.ip[12] : exchange->last_address.ip, 4);
	ring_write(worker->records, &record);
	if (worker->recents && exchange->bound && random_unit(loop_random(worker->loop)) < worker->recent_rate)
		record_recent(exchange, record.wall_ns);
	if (__builtin_expect(worker->tap_count > 0, 0))
		tap_exchange(worker, exchange, &record);
}

static void count_finish(struct exchange *exchange, int64_t now)
{
	struct server_stats *server = exchange->stats;
	uint64_t us = (uint64_t)(now - exchange->began) / 1000;
	unsigned bucket = histogram_bucket(us);

	counter_sub(&server->pending, 1);
	counter_add(exchange->success ? &server->success : &server->failures, 1);
	histogram_put(&server->latency, bucket, us);
	times_put(&server->times, exchange->status, bucket, us);
	count_stream(exchange, &server->streams, now - exchange->began);
	if (!exchange->served)
		return;
	struct service_stats *service = exchange->bound->stats;
	counter_sub(&service->pending, 1);
	counter_add(exchange->success ? &service->success : &service->failures, 1);
	histogram_put(&service->latency, bucket, us);
	count_stream(exchange, &service->streams, now - exchange->began);
	histogram_few_record(&service->retries_per_request, exchange->retries);
	if (!exchange->upstream)
		return;
	histogram_few_record(&exchange->upstream->stats->requeues_per_request, exchange->requeues);
	exchange->ended[exchange->success]++;
}

static enum reset reset_of_end(const struct exchange *exchange)
{
	if (exchange->response_ended)
		return RESET_NONE;
	return exchange->refusal ? (enum reset)exchange->refusal : RESET_PEER;
}

void exchange_finish(struct exchange *exchange)
{
	struct worker *worker = exchange->worker;
	struct worker_listener *listener = exchange->listener;
	int64_t now;

	exchange_move(exchange, EXCHANGE_FINISHED);
	if (exchange->peer)
		exchange_end_attempt(exchange, RESET_CANCEL, OUTCOME_CANCELED);
	now = loop_clock(worker->loop);
	count_finish(exchange, now);
	if (exchange->rpc)
		methods_count(exchange, now);
	record(exchange, now);
	if (exchange->traced)
		spans_request(exchange, now);
	timer_cancel(worker->loop, &exchange->park_timer);
	timer_cancel(worker->loop, &exchange->total_timer);
	timer_cancel(worker->loop, &exchange->rpc_timer);
	list_remove(&exchange->waiter.link);
	if (exchange->admitted)
		atomic_fetch_sub_explicit(&exchange->listener->port->concurrent, 1, memory_order_relaxed);
	side_release(exchange->down, reset_of_end(exchange));
	if (exchange->bound)
		bound_route_unref(exchange->bound);
	replay_drop(&exchange->replay);
	if (exchange->response)
		replay_drop(exchange->response);
	list_remove(&exchange->link);
	arena_reset(&exchange->arena);
	exchange->magic = 0;
	pool_put(&worker->exchanges, exchange);
	listener->exchanges--;
	listener_free_if_done(listener);
}

void exchange_abort(struct exchange *exchange)
{
	exchange->flags |= FLAG_DOWNSTREAM_GONE;
	exchange_finish(exchange);
}

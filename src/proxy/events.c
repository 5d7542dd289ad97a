/* SPDX-License-Identifier: Apache-2.0 */
/* What an exchange does with what its two sides tell it, from `forward` on: the request goes up, the response comes down, and a failed
 * attempt is tried again while nothing of a response has been sent. */
#include "base/check.h"
#include "proxy/access.h"
#include "proxy/answer.h"
#include "proxy/l5d.h"
#include "proxy/notes.h"
#include "proxy/rpc.h"
#include "proxy/web.h"
#include "wire/websocket.h"

/* For one request, so that one alone never takes all that a budget has in reserve. */
enum {
	MAX_REQUEUES = 10,
	MAX_RETRIES = 25,
};

#define CONTINUE_WAIT CLOCK_SECOND /* for the upstream's 100; then the body is sent anyway (RFC 9110 section 10.1.1) */

static bool respond(struct exchange *exchange, struct head *head);
static bool release_held(struct exchange *exchange, bool over);

static void pause_down(struct exchange *exchange)
{
	if (!exchange->body_paused)
		side_pause(exchange->down);
	exchange->body_paused = true;
}

static void resume_down(struct exchange *exchange)
{
	if (exchange->body_paused) {
		exchange->body_paused = false;
		side_resume(exchange->down);
	}
}

/* ---- sending the request ---- */

static void continue_anyway(void *owner)
{
	struct exchange *exchange = owner;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	resume_down(exchange);
}

/* A connection that is still being made may never be: until then nothing has gone anywhere. */
static bool has_taker(const struct exchange *exchange)
{
	return exchange->up && exchange->up->session->connected;
}

static bool keeps_body(const struct exchange *exchange)
{
	return exchange->replay.wanted || (exchange->replay.possible && !has_taker(exchange));
}

void exchange_send(struct exchange *exchange)
{
	struct head *request = exchange->request;
	struct replay *kept = &exchange->replay;
	bool whole = request->body == BODY_NONE && !request->upgrades;
	bool take_more = true;

	exchange_move(exchange, EXCHANGE_SENT);
	exchange->request_sent = false;
	side_send_head(exchange->up, request, whole);
	if (whole) {
		exchange->request_sent = true;
		return;
	}
	if (exchange->request_ended && !exchange->trailers.count)
		exchange->request_sent = true;
	for (unsigned i = 0; i < kept->count; i++)
		take_more = side_send_body(exchange->up, replay_piece(kept, i), exchange->request_sent && i + 1 == kept->count);
	if (exchange->request_sent && kept->count == 0)
		side_send_body(exchange->up, (struct piece){ 0 }, true);
	if (exchange->request_ended && !exchange->request_sent) {
		side_send_trailers(exchange->up, &exchange->trailers);
		exchange->request_sent = true;
	}
	if (!keeps_body(exchange))
		replay_drop(kept);
	if (exchange->request_sent || !take_more)
		return;
	if (request->expects_continue && exchange->attempts == 1) {
		timer_init(&exchange->park_timer, continue_anyway, exchange);
		timer_set(exchange->worker->loop, &exchange->park_timer, clock_after(loop_now(exchange->worker->loop), CONTINUE_WAIT));
		return;
	}
	resume_down(exchange);
}

/* ---- what the downstream side tells ---- */

/* What no connection takes yet must be kept; what may be sent again, as far as the policy allows. */
static int keep(struct exchange *exchange, const struct piece *piece)
{
	struct replay *replay = &exchange->replay;
	bool over = replay->bytes + piece->length > replay->limit;

	if (over && has_taker(exchange))
		return ERROR_LIMIT;
	if (over)
		replay->wanted = false;
	return replay_add(replay, loop_buffers(exchange->worker->loop), piece);
}

/* The caller's bytes are not what it says that they are. */
static void refuse_body(struct exchange *exchange)
{
	exchange->flags |= FLAG_DOWNSTREAM_PROTOCOL;
	if (exchange->peer)
		exchange_end_attempt(exchange, RESET_CANCEL, OUTCOME_CANCELED);
	if (exchange->state == EXCHANGE_ANSWERING)
		exchange_finish(exchange);
	else
		answer_error(exchange, 400, SLICE("the body is not base64"));
}

/* False: nothing is left of the piece, or the exchange is over. */
static bool receive_web(struct exchange *exchange, struct piece *piece)
{
	int e = web_receive(exchange, piece);

	if (e) {
		piece_release(piece);
		refuse_body(exchange);
		return false;
	}
	if (piece->length)
		return true;
	piece_release(piece);
	return false;
}

static void down_body(struct side *side, struct piece piece)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange->request_bytes += piece.length;
	if (exchange->web && !receive_web(exchange, &piece))
		return;
	/* Kept: because nobody takes it yet, or because it may have to be sent again. */
	if (!exchange->up || keeps_body(exchange)) {
		int e = keep(exchange, &piece);

		if (e && !exchange->up) {
			piece_release(&piece);
			exchange->flags |= FLAG_OVERLOAD;
			answer_error(exchange, 503, SLICE("no memory to keep the request's body"));
			return;
		}
		if (e)
			replay_drop(&exchange->replay);
	} else {
		replay_drop(&exchange->replay);
	}
	if (exchange->held && !exchange->replay.possible && !release_held(exchange, false)) {
		piece_release(&piece);
		return;
	}
	if (!exchange->up) {
		piece_release(&piece);
		pause_down(exchange);
		return;
	}
	if (!side_send_body(exchange->up, piece, false))
		pause_down(exchange);
}

static void down_end(struct side *side)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange->request_ended = true;
	if (web_is_cut(exchange)) {
		refuse_body(exchange);
		return;
	}
	if (exchange->up && !exchange->request_sent) {
		exchange->request_sent = true;
		side_send_body(exchange->up, (struct piece){ 0 }, true);
	}
}

static int keep_trailers(struct exchange *exchange, const struct fields *trailers)
{
	struct field *copy = arena_get(&exchange->arena, trailers->count * sizeof *copy);

	if (!copy)
		return ERROR_NO_MEMORY;
	for (unsigned i = 0; i < trailers->count; i++) {
		struct slice line = arena_copy(&exchange->arena, slice_make(trailers->at[i].line, trailers->at[i].line_length));

		if (!line.at)
			return ERROR_NO_MEMORY;
		copy[i] = trailers->at[i];
		copy[i].line = line.at;
	}
	exchange->trailers = (struct fields){ trailers->count, copy };
	return 0;
}

static void down_trailers(struct side *side, const struct fields *trailers)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange->request_ended = true;
	if (exchange->up) {
		/* If it may have to be sent again, then with them. */
		if (exchange->replay.possible && keep_trailers(exchange, trailers))
			replay_drop(&exchange->replay);
		exchange->request_sent = true;
		side_send_trailers(exchange->up, trailers);
		return;
	}
	if (keep_trailers(exchange, trailers)) {
		exchange->flags |= FLAG_OVERLOAD;
		answer_error(exchange, 503, SLICE("no memory to keep the request's trailers"));
	}
}

static void down_reset(struct side *side, enum reset why, int error)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	(void)error;
	exchange->flags |= why == RESET_PROTOCOL ? FLAG_DOWNSTREAM_PROTOCOL : FLAG_DOWNSTREAM_GONE;
	exchange_finish(exchange);
}

static void down_writable(struct side *side)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	if (exchange->up)
		side_resume(exchange->up);
}

const struct side_events exchange_downstream_events = {
	.body = down_body,
	.trailers = down_trailers,
	.end = down_end,
	.reset = down_reset,
	.writable = down_writable,
};

/* ---- trying again ---- */

static void try_again(struct exchange *exchange)
{
	l5d_rewind(exchange);
	exchange->rpc_status = GRPC_NONE;
	exchange->awaits_status = false;
	exchange->step = (uint8_t)steps_bind;
	exchange->flags |= FLAG_RETRIED;
	exchange_move(exchange, EXCHANGE_ROUTING);
	exchange_run(exchange);
}

static void backoff_over(void *owner)
{
	struct exchange *exchange = owner;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	try_again(exchange);
}

/* Nothing of the request was processed: again at once, on another endpoint if there is one. */
static bool requeue(struct exchange *exchange, struct upstream *upstream)
{
	if (exchange->requeues >= MAX_REQUEUES) {
		counter_add(&upstream->stats->request_limit, 1);
		return false;
	}
	if (!budget_withdraw(&exchange->leaf->client->requeue_budget, &upstream->share, loop_now(exchange->worker->loop))) {
		counter_add(&upstream->stats->requeue_budget_exhausted, 1);
		return false;
	}
	exchange->requeues++;
	exchange->requeued = true;
	counter_add(&upstream->stats->requeues, 1);
	return true;
}

static bool can_replay(const struct exchange *exchange)
{
	return exchange->replay.possible && exchange->replay.wanted;
}

/* A retry, as the service's policy allows it; *wait_ns: after which time. */
static bool retry(struct exchange *exchange, int64_t *wait_ns)
{
	struct service *service = exchange->bound->binding->service;
	const struct backoff *backoff = &service->policy.backoff;

	if (!can_replay(exchange)) {
		counter_add(&exchange->bound->stats->retries_late, 1);
		return false;
	}
	if (exchange->retries >= MAX_RETRIES) {
		counter_add(&exchange->bound->stats->retry_limit, 1);
		exchange->flags |= FLAG_RETRY_LIMIT;
		return false;
	}
	if (!budget_withdraw(&service->budget, &exchange->bound->share, loop_now(exchange->worker->loop))) {
		counter_add(&exchange->bound->stats->budget_exhausted, 1);
		exchange->flags |= FLAG_RETRY_LIMIT;
		return false;
	}
	*wait_ns = backoff_next(backoff, exchange->retries, exchange->backoff_ns, random_unit(loop_random(exchange->worker->loop)));
	exchange->backoff_ns = *wait_ns;
	exchange->retries++;
	counter_add(&exchange->bound->stats->retries, 1);
	return true;
}

static void again_after(struct exchange *exchange, int64_t wait_ns)
{
	if (wait_ns <= 0) {
		try_again(exchange);
		return;
	}
	timer_init(&exchange->park_timer, backoff_over, exchange);
	timer_set(exchange->worker->loop, &exchange->park_timer, clock_after(loop_now(exchange->worker->loop), wait_ns));
	exchange_move(exchange, EXCHANGE_PARKED);
}

static uint32_t flag_of(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_CONNECT:
		return FLAG_UPSTREAM_CONNECT;
	case OUTCOME_ATTEMPT_TIMEOUT:
		return FLAG_UPSTREAM_TIMEOUT;
	case OUTCOME_PROTOCOL:
		return FLAG_UPSTREAM_PROTOCOL;
	case OUTCOME_RESET:
	case OUTCOME_REFUSED:
		return FLAG_UPSTREAM_RESET;
	default:
		return 0;
	}
}

void exchange_attempt_failed(struct exchange *exchange, enum outcome outcome, int error)
{
	const struct service_policy *policy = &exchange->bound->binding->service->policy;
	struct upstream *upstream = exchange->upstream;
	int64_t wait_ns;

	timer_cancel(exchange->worker->loop, &exchange->park_timer);
	exchange_end_attempt(exchange, RESET_CANCEL, outcome);
	if (!exchange->request_ended)
		pause_down(exchange);
	if ((outcome == OUTCOME_CONNECT || outcome == OUTCOME_REFUSED) && exchange->replay.possible && requeue(exchange, upstream)) {
		notes_attempt(exchange, 0, 0);
		try_again(exchange);
		return;
	}
	if (outcome_judge(policy, (enum method)exchange->method, outcome, 0, false) == VERDICT_RETRYABLE && retry(exchange, &wait_ns)) {
		notes_attempt(exchange, 0, wait_ns);
		again_after(exchange, wait_ns);
		return;
	}
	exchange->flags |= flag_of(outcome);
	answer_failed(exchange, outcome, error);
}

/* ---- what the upstream side tells ---- */

static void up_informational(struct side *side, struct head *head)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	head_drop_hop_by_hop(head, false);
	side_send_informational(exchange->down, head);
	if (head->status == 100) {
		timer_cancel(exchange->worker->loop, &exchange->park_timer);
		resume_down(exchange);
	}
}

/* A response whose status is still to come, and that may be asked for again, waits for it: for a short while, and as far as there is
 * room. */
static void stop_holding(void *owner)
{
	struct exchange *exchange = owner;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	(void)release_held(exchange, false);
}

static bool hold(struct exchange *exchange)
{
	const struct service_policy *policy = &exchange->bound->binding->service->policy;
	struct loop *loop = exchange->worker->loop;

	if (!policy->retryable_statuses || !policy->classification_ns || !policy->buffers.response_bytes || !can_replay(exchange))
		return false;
	if (!exchange->response)
		exchange->response = arena_get(&exchange->arena, sizeof *exchange->response);
	if (!exchange->response)
		return false;
	exchange->held = true;
	*exchange->response = (struct replay){ .possible = true, .limit = policy->buffers.response_bytes };
	timer_init(&exchange->attempt_timer, stop_holding, exchange);
	timer_set(loop, &exchange->attempt_timer, clock_after(loop_now(loop), policy->classification_ns));
	return true;
}

/* There was no memory for what is to be sent. */
static bool cut_short(struct exchange *exchange)
{
	exchange->flags |= FLAG_OVERLOAD;
	exchange_end_attempt(exchange, RESET_CANCEL, OUTCOME_OVERLOAD);
	exchange_finish(exchange);
	return false;
}

/* `over`: its end has come. False: the exchange is over too. */
static bool release_held(struct exchange *exchange, bool over)
{
	struct replay *kept = exchange->response;
	bool take_more = true;

	exchange->held = false;
	timer_cancel(exchange->worker->loop, &exchange->attempt_timer);
	if (!respond(exchange, exchange->up->head))
		return false;
	for (unsigned i = 0; i < kept->count && !exchange->response_ended; i++)
		if (!web_send(exchange, replay_piece(kept, i), &take_more))
			return cut_short(exchange);
	if (!take_more && !over)
		side_pause(exchange->up);
	replay_drop(kept);
	return true;
}

static void answer_again(struct exchange *exchange, int64_t wait_ns)
{
	unsigned status = exchange->up->head->status;

	timer_cancel(exchange->worker->loop, &exchange->park_timer);
	exchange_end_attempt(exchange, RESET_CANCEL, OUTCOME_RESPONSE);
	notes_attempt(exchange, status, wait_ns);
	if (!exchange->request_ended)
		pause_down(exchange);
	again_after(exchange, wait_ns);
}

/* The response's end has told its status. False: it is asked for again, or the exchange is over. */
static bool settle(struct exchange *exchange, enum grpc_status status)
{
	enum verdict verdict = outcome_judge_status(&exchange->bound->binding->service->policy, status);
	int64_t wait_ns;

	exchange->success = verdict == VERDICT_SUCCESS;
	exchange->awaits_status = false;
	if (!exchange->held)
		return true;
	if (verdict == VERDICT_RETRYABLE && retry(exchange, &wait_ns)) {
		answer_again(exchange, wait_ns);
		return false;
	}
	return release_held(exchange, true);
}

static void up_head(struct side *side, struct head *head)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	/* Who came by HTTP/2 has no key to check it by. */
	if (head->status == 101 && exchange->request->protocol.length > 0 && !websocket_accepted(exchange->request, head)) {
		exchange_attempt_failed(exchange, OUTCOME_PROTOCOL, ERROR_INVALID);
		return;
	}
	struct loop *loop = exchange->worker->loop;
	bool marked =
		head_has(head, FIELD_L5D_RETRYABLE) && slice_equal_nocase(field_value(head_find(head, FIELD_L5D_RETRYABLE)), SLICE("true"));
	enum verdict verdict = outcome_judge(
		&exchange->bound->binding->service->policy, (enum method)exchange->method, OUTCOME_RESPONSE, head->status, marked);
	int64_t wait_ns;

	if (exchange->rpc || verdict == VERDICT_PENDING)
		verdict = rpc_judge(exchange, head, verdict);

	timer_cancel(loop, &exchange->attempt_timer);
	exchange->attempt_ns = loop_clock(loop) - exchange->attempt_began;
	uint64_t us = (uint64_t)exchange->attempt_ns / 1000;
	times_put(&exchange->upstream->stats->times, head->status, histogram_bucket(us), us);
	exchange->attempt_status = head->status;
	exchange->success = verdict == VERDICT_SUCCESS;
	if (exchange->listener->router->access_lines)
		access_write(exchange, head);
	exchange->awaits_status = verdict == VERDICT_PENDING;
	codes_add(&exchange->upstream->stats->attempts.status, head->status);
	codes_add(&exchange->pair_stats->status, head->status);
	if (verdict == VERDICT_RETRYABLE && retry(exchange, &wait_ns))
		answer_again(exchange, wait_ns);
	else if (verdict != VERDICT_PENDING || !hold(exchange))
		(void)respond(exchange, head);
}

/* An error that another proxy speaks of, at a listener that tells nothing of the inside: its body is left out. */
static bool hides_body(const struct exchange *exchange, const struct head *head)
{
	return exchange->listener->policy->clear_context && head->body != BODY_NONE && head_has(head, FIELD_L5D_ERR);
}

/* Both heads were passed on, and no attempt will need them again: a stream that lasts long is not to hold them. Who taps or
 * traces wants to see the request at its end. */
static void forget_heads(struct exchange *exchange)
{
	side_forget_head(exchange->up);
	if (exchange->worker->tap_count > 0 || exchange->traced)
		return;
	side_forget_head(exchange->down);
	exchange->request = NULL;
}

/* The point of no return: from here on the response is this one. False: it can't be, and the exchange is over. */
static bool respond(struct exchange *exchange, struct head *head)
{
	struct loop *loop = exchange->worker->loop;
	bool whole = head->body == BODY_NONE && head->status != 101;

	if (hides_body(exchange, head)) {
		head->body = BODY_NONE;
		head->body_length = 0;
		whole = true;
	}
	timer_cancel(loop, &exchange->total_timer);
	timer_cancel(loop, &exchange->park_timer);
	if (web_write_head(exchange, head) || l5d_write_response(exchange, head)) {
		exchange_end_attempt(exchange, RESET_CANCEL, OUTCOME_PROTOCOL);
		answer_failed(exchange, OUTCOME_PROTOCOL, ERROR_LIMIT);
		return false;
	}
	exchange->class_behind = exchange->awaits_status;
	exchange->response_counted = head->body == BODY_LENGTH;
	exchange->status = head->status;
	codes_add(&exchange->stats->status, head->status);
	exchange_move(exchange, EXCHANGE_ANSWERING);
	replay_drop(&exchange->replay);
	side_send_head(exchange->down, head, whole);
	exchange->response_ended = whole;
	if (!whole)
		forget_heads(exchange);
	if (!exchange->request_ended && !exchange->request_sent)
		resume_down(exchange);
	return true;
}

/* True: it's not to be sent now, or the exchange is over. */
static bool hold_body(struct exchange *exchange, const struct piece *piece)
{
	struct replay *kept = exchange->response;

	if (!exchange->held)
		return false;
	if (kept->bytes + piece->length <= kept->limit && replay_add(kept, loop_buffers(exchange->worker->loop), piece) == 0)
		return true;
	return !release_held(exchange, false);
}

static void up_body(struct side *side, struct piece piece)
{
	struct exchange *exchange = side->exchange;
	bool take_more = true;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange->response_bytes += piece.length;
	/* response_ended: see hides_body */
	if (hold_body(exchange, &piece) || exchange->response_ended)
		piece_release(&piece);
	else if (!web_send(exchange, piece, &take_more))
		cut_short(exchange);
	else if (!take_more)
		side_pause(side);
}

/* The response is complete. If the request is not, its rest is of no use to anybody: the session below decides whether to read
 * it or to close. */
static void response_done(struct exchange *exchange)
{
	exchange->response_ended = true;
	exchange_end_attempt(exchange, RESET_NONE, OUTCOME_RESPONSE);
	exchange_finish(exchange);
}

static void up_end(struct side *side)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	if (exchange->awaits_status && !settle(exchange, GRPC_NONE))
		return;
	if (!exchange->response_ended && !web_send_end(exchange, NULL))
		cut_short(exchange);
	else
		response_done(exchange);
}

static void up_trailers(struct side *side, const struct fields *trailers)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	if (exchange->rpc || exchange->awaits_status)
		exchange->rpc_status = (uint8_t)rpc_status_in_trailers(trailers);
	if (exchange->awaits_status && !settle(exchange, (enum grpc_status)exchange->rpc_status))
		return;
	struct fields all;
	rpc_trailers(exchange, trailers, &all);
	if (!exchange->response_ended && !web_send_end(exchange, &all))
		cut_short(exchange);
	else
		response_done(exchange);
}

/* A connection that was used before and ended without a byte of an answer had been closed for being idle, as a rule; but
 * the request may have been read and acted upon, so one that is not idempotent is not sent again (RFC 9110 section 9.2.2). */
static bool may_be_processed(const struct exchange *exchange, const struct side *side)
{
	switch ((enum method)exchange->method) {
	case METHOD_GET:
	case METHOD_HEAD:
	case METHOD_PUT:
	case METHOD_DELETE:
	case METHOD_OPTIONS:
	case METHOD_TRACE:
		return false;
	default:
		return side->reused && side->wrote;
	}
}

static void up_reset(struct side *side, enum reset why, int error)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	if (rpc_end_if_late(exchange))
		return;
	enum outcome outcome = outcome_of_reset(why, side);
	if (outcome == OUTCOME_REFUSED && error && may_be_processed(exchange, side))
		outcome = OUTCOME_RESET;

	if (exchange->state == EXCHANGE_SENT) {
		exchange_attempt_failed(exchange, outcome, error);
		return;
	}
	/* The response had begun: all that can be done is to let the client see that it was cut short. */
	exchange->flags |= flag_of(outcome);
	exchange_end_attempt(exchange, RESET_CANCEL, outcome);
	(void)rpc_end(exchange, outcome_status(outcome), SLICE("the connection to the endpoint broke"));
	exchange_finish(exchange);
}

static void up_writable(struct side *side)
{
	struct exchange *exchange = side->exchange;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	if (!timer_is_set(&exchange->park_timer))
		resume_down(exchange);
}

const struct side_events exchange_upstream_events = {
	.informational = up_informational,
	.head = up_head,
	.body = up_body,
	.trailers = up_trailers,
	.end = up_end,
	.reset = up_reset,
	.writable = up_writable,
};

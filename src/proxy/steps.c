/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a request, read top to bottom: the table at the end of this file. */
#include "proxy/steps.h"

#include "base/check.h"
#include "model/dtab.h"
#include "proxy/answer.h"
#include "proxy/caller.h"
#include "proxy/cors.h"
#include "proxy/identify.h"
#include "proxy/l5d.h"
#include "proxy/rpc.h"

/* ---- read: what the caller's own headers say ---- */

static enum step_result read(struct exchange *exchange)
{
	struct slice why;
	int e = rpc_recognize(exchange);

	if (e)
		return answer_no_room(exchange, e);
	e = l5d_read(exchange, &why);
	if (e == ERROR_SYNTAX)
		return answer_error(exchange, 400, why);
	if (e)
		return answer_no_room(exchange, e);
	if (exchange->listener->policy->cors && cors_is_preflight(exchange))
		return answer_status(exchange, 204);
	if (exchange->rpc && rpc_read(exchange))
		return answer_error(exchange, 400, SLICE("grpc-timeout is not a timeout"));
	if (exchange->rpc_deadline && exchange->rpc_timeout_ns == 0)
		return answer_timeout(exchange, 0, "anything");
	return STEP_NEXT;
}

/* ---- parked: until something is known ---- */

static enum step_result parked_too_long(struct exchange *exchange)
{
	counter_add(&exchange->listener->router->stats->binding_timeouts, 1);
	return answer_timeout(exchange, exchange->listener->router->router->binding_timeout_ns, "binding");
}

static void binding_timeout(void *owner)
{
	struct exchange *exchange = owner;

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	list_remove(&exchange->waiter.link);
	(void)parked_too_long(exchange);
}

static void known_now(struct waiter *waiter)
{
	struct exchange *exchange = LIST_OF(waiter, struct exchange, waiter);

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	timer_cancel(exchange->worker->loop, &exchange->park_timer);
	exchange_move(exchange, EXCHANGE_ROUTING);
	exchange_run(exchange);
}

/* Until it is known, for at most bindingTimeoutMs; for whose list the result is. */
static struct waiter *park(struct exchange *exchange)
{
	const struct router *router = exchange->listener->router->router;

	exchange->waiter.ready = known_now;
	timer_init(&exchange->park_timer, binding_timeout, exchange);
	timer_set(exchange->worker->loop, &exchange->park_timer, clock_after(loop_now(exchange->worker->loop), router->binding_timeout_ns));
	return &exchange->waiter;
}

/* ---- identify: what is asked for ---- */

static enum step_result identify(struct exchange *exchange)
{
	struct worker_router *router = exchange->listener->router;
	struct slice why;

	switch (identify_request(router->router, router->ingresses, exchange->request, &exchange->arena, &exchange->identified, &why)) {
	case IDENTIFY_FOUND:
		break;
	case IDENTIFY_NONE:
		counter_add(&router->stats->unidentified, 1);
		return answer_unidentified(exchange, why);
	case IDENTIFY_PENDING:
		if (router->retired)
			return answer_error(exchange, 503, SLICE("this listener is no longer configured"));
		list_append(&router->unnamed, &park(exchange)->link);
		return STEP_PARK;
	case IDENTIFY_FAILED:
		return answer_unbound(exchange, why);
	}
	exchange->request->target = exchange->identified.target;
	return STEP_NEXT;
}

/* ---- admit: whether it may come in ---- */

static bool take_place(struct exchange *exchange)
{
	const struct listener_policy *policy = exchange->listener->policy;

	if (!policy->max_concurrent)
		return true;
	if (atomic_fetch_add_explicit(&exchange->listener->port->concurrent, 1, memory_order_relaxed) < policy->max_concurrent) {
		exchange->admitted = true;
		return true;
	}
	atomic_fetch_sub_explicit(&exchange->listener->port->concurrent, 1, memory_order_relaxed);
	counter_add(&exchange->stats->rejected, 1);
	return false;
}

/* What secures the connection that it came by; NULL: nothing. */
static const struct stream_security *security_of(const struct exchange *exchange)
{
	const struct stream *stream = exchange->down->session->stream;

	return stream ? stream_security(stream) : NULL;
}

/* In plain text only permissive listeners serve, and there `peerIds` says nothing of who calls. */
static bool may_call(const struct exchange *exchange, struct slice *who)
{
	const struct listener_policy *policy = exchange->listener->policy;
	const struct stream_security *security;

	if (!policy->peer_id_count || !(security = security_of(exchange)))
		return true;
	*who = security->peer_uri;
	return admission_may_call(policy, *who, NULL);
}

/* Max-Forwards: one fewer for who comes next. */
static enum step_result count_forward(struct exchange *exchange)
{
	struct head *request = exchange->request;
	struct slice fewer = arena_format(&exchange->arena, "%llu", (unsigned long long)admission_forwards(request) - 1);

	head_drop_all(request, FIELD_MAX_FORWARDS);
	if (!fewer.at || head_add(request, &exchange->arena, FIELD_MAX_FORWARDS, SLICE("Max-Forwards"), fewer))
		return answer_error(exchange, 431, SLICE("too many header fields"));
	return STEP_NEXT;
}

static enum step_result admit(struct exchange *exchange)
{
	enum admission admission;
	struct slice who = SLICE("");

	if (!may_call(exchange, &who)) {
		counter_add(&exchange->stats->forbidden, 1);
		return answer_forbidden(exchange, who);
	}
	admission = admission_judge(exchange->request, exchange->listener->policy);
	if (admission != ADMISSION_YES && admission != ADMISSION_FEWER)
		return answer_not_admitted(exchange, admission);
	if (!take_place(exchange)) {
		exchange->flags |= FLAG_OVERLOAD;
		return answer_error(exchange, 503, SLICE("too many concurrent requests"));
	}
	return admission == ADMISSION_FEWER ? count_forward(exchange) : STEP_NEXT;
}

/* ---- route: what that name is bound to ---- */

static enum step_result route(struct exchange *exchange)
{
	struct worker_router *router = exchange->listener->router;

	if (router->retired)
		return answer_error(exchange, 503, SLICE("this listener is no longer configured"));
	struct slice path = identify_path(&exchange->arena, router->dst_prefix, &exchange->identified), key;
	struct route *found;

	if (!path.at)
		return answer_error(exchange, 431, SLICE("the request's name is too long"));
	key = arena_join(&exchange->arena, slice_make("\n", 1), path);
	if (exchange->local_dtab.length)
		key = arena_join(&exchange->arena, exchange->local_dtab, key);
	if (!key.at)
		return answer_error(exchange, 431, SLICE("the request's name and dtab are too long"));
	if (route_find(router, key, (unsigned)path.length, exchange->local_dtab.length > 0, &found)) {
		exchange->flags |= FLAG_OVERLOAD;
		return answer_error(exchange, 503, SLICE("too many names are being bound"));
	}
	exchange->path = path;
	if (found->bound) {
		exchange->bound = bound_route_ref(found->bound);
		return STEP_NEXT;
	}
	route_wait(found, park(exchange));
	return STEP_PARK;
}

/* ---- account: the call is one of a service from here on ---- */

static enum step_result account(struct exchange *exchange)
{
	struct service *service = exchange->bound->binding->service;
	int64_t timeout = service->policy.total_timeout_ns, listener_timeout = exchange->listener->policy->timeout_ns;

	exchange_count_service(exchange);
	if (exchange->replay.streams)
		replay_limit(&exchange->replay, service->policy.buffers.request_bytes);
	budget_deposit(&service->budget, &exchange->bound->share, exchange->began);
	if (listener_timeout && (!timeout || listener_timeout < timeout))
		timeout = listener_timeout;
	if (timeout)
		exchange_limit(exchange, timeout);
	return STEP_NEXT;
}

/* ---- bind: one leaf of the destination; each attempt chooses anew ---- */

static const struct binding_node *choose(struct exchange *exchange, const struct binding_node *node)
{
	while (node->kind == BINDING_UNION) {
		double at = random_unit(loop_random(exchange->worker->loop));
		unsigned i = 0;

		while (i + 1 < node->count && (at -= node->branches[i].weight) >= 0)
			i++;
		node = &node->branches[i].node;
	}
	return node;
}

static __attribute__((noinline)) enum step_result enter(struct exchange *exchange)
{
	const struct stream_security *security = security_of(exchange);

	if (security)
		caller_enter(exchange, security);
	return STEP_NEXT;
}

static enum step_result bind(struct exchange *exchange)
{
	const struct binding *binding = exchange->bound->binding;
	const struct binding_node *node = choose(exchange, &binding->root);

	if (node->kind == BINDING_STATUS)
		return answer_status(exchange, node->status);
	if (node->kind == BINDING_ERROR)
		return answer_unbound(exchange, node->text);
	if (node->kind != BINDING_LEAF)
		return answer_unbound(exchange, (struct slice){ 0 });
	exchange->leaf = &binding->leaves[node->leaf];
	exchange->upstream = exchange->bound->leaves[node->leaf].upstream;
	exchange->pair_stats = exchange->bound->leaves[node->leaf].stats;
	exchange->ended = exchange->upstream->plain_ended;
	return exchange->listener->has_secured ? enter(exchange) : STEP_NEXT;
}

/* ---- pick: one endpoint ---- */

/* Without memory for it it may be picked again, as if it hadn't been tried. */
static __attribute__((noinline)) void remember_last(struct exchange *exchange)
{
	if (!exchange->tried)
		exchange->tried = arena_get(&exchange->arena, EXCHANGE_TRIED * sizeof *exchange->tried);
	if (exchange->tried && exchange->tried_count < EXCHANGE_TRIED)
		exchange->tried[exchange->tried_count++] = exchange->last;
	exchange->last = NULL;
}

static enum step_result pick(struct exchange *exchange)
{
	int64_t now = loop_clock(exchange->worker->loop);
	bool forced = false;

	exchange->attempt_began = now;
	if (__builtin_expect(exchange->last != NULL, 0))
		remember_last(exchange);
	exchange->peer = upstream_pick(exchange->upstream, now, exchange->tried, exchange->tried_count, &forced);
	if (!exchange->peer) {
		exchange->flags |= FLAG_NO_HEALTHY_UPSTREAM;
		return answer_unbound(exchange, (struct slice){ 0 });
	}
	if (forced)
		exchange->flags |= FLAG_FORCED;
	exchange->last = &exchange->peer->candidate;
	exchange_begin_attempt(exchange);
	return STEP_NEXT;
}

/* ---- forward: on a connection to it ---- */

static void connection_free(struct peer_waiter *waiter)
{
	struct exchange *exchange = LIST_OF(waiter, struct exchange, peer_waiter);

	CHECK_MAGIC(exchange, EXCHANGE_MAGIC);
	exchange_move(exchange, EXCHANGE_ROUTING);
	if (waiter->failed)
		exchange_attempt_failed(exchange, OUTCOME_CONNECT, waiter->failed);
	else
		exchange_run(exchange);
}

static enum step_result forward(struct exchange *exchange)
{
	const struct router *router = exchange->listener->router->router;
	const struct session_limits limits = { .max_line_bytes = router->max_line_bytes, .max_head_bytes = router->max_head_bytes };
	int e = peer_open(exchange->peer, &limits, &exchange_upstream_events, exchange, &exchange->up);

	if (e == ERROR_BUSY) {
		exchange->peer_waiter.ready = connection_free;
		exchange->peer_waiter.failed = 0;
		if (peer_wait(exchange->peer, &exchange->peer_waiter))
			return STEP_PARK;
	}
	if (e == ERROR_CLOSED) {
		exchange_attempt_failed(exchange, OUTCOME_CONNECT, e);
		return STEP_END;
	}
	if (e) {
		exchange->flags |= FLAG_OVERLOAD;
		exchange_attempt_failed(exchange, OUTCOME_OVERLOAD, e);
		return STEP_END;
	}
	e = l5d_write(exchange);
	if (!e)
		e = rpc_write(exchange);
	if (e) {
		exchange_end_attempt(exchange, RESET_CANCEL, OUTCOME_CANCELED);
		return answer_no_room(exchange, e);
	}
	exchange_send(exchange);
	return STEP_END;
}

static const struct step steps[] = {
	{ "read", read },         /* what the caller's l5d-* headers say */
	{ "identify", identify }, /* a logical name; parks while Kubernetes' Ingresses decide it and are not known */
	{ "admit", admit },       /* limits, proxy loops */
	{ "route", route },       /* the name's binding; parks while it is not known */
	{ "account", account },   /* counted for its service; its total time begins */
	{ "bind", bind },         /* one leaf of the binding; retries begin here */
	{ "pick", pick },         /* one endpoint of that client */
	{ "forward", forward },   /* a connection to it; parks while connections are limited. Then events drive it */
};

enum { STEP_BIND = 5, STEP_COUNT = sizeof steps / sizeof steps[0] };

const unsigned steps_bind = STEP_BIND;

void exchange_run(struct exchange *exchange)
{
	for (;;) {
		unsigned at = exchange->step;

		CHECK(at < STEP_COUNT);
		switch (steps[at].run(exchange)) {
		case STEP_NEXT:
			exchange->step++;
			break;
		case STEP_PARK:
			exchange_move(exchange, EXCHANGE_PARKED);
			return;
		case STEP_END:
			return;
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listener.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "proxy/edges.h"
#include "proxy/exchange.h"
#include "proxy/limits.h"

enum { PORT_TEXT = 8 };

static struct session *session_at(struct list *link)
{
	return LIST_OF(link, struct session, link);
}

/* ---- sessions ---- */

static void opened(void *owner, struct session *session, struct side *side)
{
	(void)session;
	exchange_open(owner, side);
}

static struct slice refused(void *owner, struct session *session, unsigned status, const char *reason)
{
	struct worker_listener *listener = owner;

	(void)session;
	counter_add(&listener->stats->refused, 1);
	codes_add(&listener->stats->status, status);
	return listener->policy->clear_context ? (struct slice){ 0 } : slice_of(reason);
}

void listener_free_if_done(struct worker_listener *listener)
{
	if (listener->listener || !listener->stopped || listener->exchanges || !list_empty(&listener->sessions))
		return;
	list_remove(&listener->link);
	worker_router_unref(listener->router);
	atomic_fetch_sub_explicit(&listener->port->references, 1, memory_order_release);
	memory_free(listener);
}

static void closed(void *owner, struct session *session, int error)
{
	struct worker_listener *listener = owner;
	/* Those that it began with. */
	struct server_stats *stats = LIST_OF(session->counters, struct server_stats, sessions);

	(void)error;
	list_remove(&session->link);
	counter_sub(&stats->connections, 1);
	histogram_record(&stats->connection_duration, (uint64_t)(loop_now(session->loop) - session->began) / 1000);
	listener_free_if_done(listener);
}

static const struct session_events listener_events = {
	.opened = opened,
	.refused = refused,
	.closed = closed,
};

static void identified(void *owner, struct slice id)
{
	struct worker_listener *listener = owner;
	struct worker_router *router = listener->router;
	char ip[ADDRESS_TEXT], name[ADDRESS_TEXT + PORT_TEXT];

	address_format_ip(&listener->port->bound, ip);
	snprintf(name, sizeof name, "%s/%u", ip, listener->port->bound.port);
	edge_seen(listener->worker, router->metrics, SLICE("server"), router->router->label, slice_of(name), id);
}

static void accepted(void *owner, struct stream *stream)
{
	struct worker_listener *listener = owner;
	const struct codec *codec = worker_server_codec(listener->worker);
	struct worker *worker = listener->worker;
	struct tls_server *tls = listener->policy->tls_server;
	struct session *session;

	if (tls && tls_accept(worker->tls, tls, stream, &listener->stats->tls, &stream))
		return;
	if (tls) {
		listener->has_secured = true;
		tls_identify(stream, identified, listener);
	}
	if (codec->server(worker->sessions, stream, &listener->limits, &listener_events, listener, &listener->stats->sessions, &session))
		return;
	list_append(&listener->sessions, &session->link);
	counter_add(&listener->stats->connections, 1);
}

/* ---- listeners ---- */

struct worker_listener *listener_find(struct worker *worker, const struct port *port)
{
	LIST_EACH(&worker->listeners, link) {
		struct worker_listener *listener = LIST_OF(link, struct worker_listener, link);

		if (listener->port == port && !listener->stopped)
			return listener;
	}
	return NULL;
}

void listener_route(
	struct worker_listener *listener, struct worker_router *router, const struct listener_policy *policy, struct scope *scope)
{
	worker_router_ref(router);
	if (listener->router)
		worker_router_unref(listener->router);
	listener->router = router;
	listener->policy = policy;
	listener->stats = scope_shard(scope, listener->worker->index);
	listener->limits = (struct session_limits){
		.max_line_bytes = router->router->max_line_bytes,
		.max_head_bytes = router->router->max_head_bytes,
		.idle_ns = policy->idle_ns,
		.life_ns = policy->life_ns,
		.read_stall_ns = policy->read_timeout_ns,
		.write_stall_ns = policy->write_timeout_ns,
		.max_streams = policy->http2.max_streams,
	};
	limits_set_http2(&listener->limits, &policy->http2);
	if (router->router->protocol == PROTOCOL_H2 && policy->http2.max_header_bytes)
		listener->limits.max_head_bytes = policy->http2.max_header_bytes;
}

struct worker_listener *listener_start(
	struct worker *worker, struct port *port, struct worker_router *router, const struct listener_policy *policy, struct scope *scope)
{
	struct worker_listener *listener = memory_new(sizeof *listener);

	listener->worker = worker;
	listener->port = port;
	list_init(&listener->sessions);
	list_append(&worker->listeners, &listener->link);
	atomic_fetch_add_explicit(&port->references, 1, memory_order_relaxed);
	listener_route(listener, router, policy, scope);
	listener->listener = listen_start(port->set, worker->index, worker->loop, accepted, listener);
	return listener;
}

void listener_drain(struct worker_listener *listener)
{
	if (listener->listener)
		listen_stop(listener->listener);
	listener->listener = NULL;
	LIST_EACH_SAFE(&listener->sessions, link, after)
		session_drain(session_at(link));
}

void listener_stop(struct worker_listener *listener)
{
	listener_drain(listener);
	listener->stopped = true;
	listener_free_if_done(listener);
}

void listener_close_sessions(struct worker_listener *listener)
{
	LIST_EACH_SAFE(&listener->sessions, link, after)
		session_close(session_at(link), RESET_SHUTDOWN);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/peer.h"

#include "base/check.h"
#include "base/log.h"
#include "proxy/dial.h"
#include "proxy/health_check.h"
#include "proxy/sharing.h"
#include "proxy/upstream.h"

enum {
	CONNECTION_MAGIC = 0x636f6e6e,
	TURNS = 16, /* while others wait for this worker's connections, so many of its own requests go first */
};

#define CONNECT_TIMEOUT CLOCK_SECOND /* Finagle's */

struct connection {
	uint32_t magic;
	bool idle;
	bool undecided; /* counted as such by the peer */
	struct session *session;
	struct peer *peer;       /* counted */
	struct timer connecting; /* set until it is connected */
	int64_t idle_since;      /* when an exchange on it last began or ended */
};

_Static_assert(sizeof(struct connection) <= 64, "one cache line");

static void available(void *owner, struct session *session);
static void closed(void *owner, struct session *session, int error);

static const struct session_events connection_events = {
	.available = available,
	.closed = closed,
};

static struct session *session_at(struct list *link)
{
	return LIST_OF(link, struct session, link);
}

/* ---- peers ---- */

static void retire(struct connection *connection);

static void stop_waiting(struct peer *peer, struct peer_waiter *waiter)
{
	list_remove(&waiter->link);
	atomic_fetch_sub_explicit(&peer->target->places.waiting, 1, memory_order_relaxed);
	counter_sub(&peer->upstream->stats->waiters, 1);
	if (list_empty(&peer->waiting))
		sharing_want_no_more(peer);
}

void peer_wake_one(struct peer *peer)
{
	struct list *link = list_first(&peer->waiting);

	if (!link)
		return;
	struct peer_waiter *waiter = LIST_OF(link, struct peer_waiter, link);
	stop_waiting(peer, waiter);
	waiter->ready(waiter);
}

/* How many connections that are being made are for nobody who waits; negative: somebody waits for whom none is. */
static int64_t spare_coming(const struct peer *peer)
{
	int64_t spare = peer->undecided;

	LIST_EACH(&peer->waiting, link)
		if (spare-- == 0)
			break;
	return spare;
}

bool peer_lacks(const struct peer *peer)
{
	return spare_coming(peer) < 0;
}

/* Whether there is one, still being made, for a request that isn't among those that wait. */
static bool has_one_coming(const struct peer *peer)
{
	return sharing_is_limited(peer) ? spare_coming(peer) > 0 : peer->undecided > 0;
}

/* Nobody waits for a peer without an attempt on it, so the last one that is woken may be its end. */
static void wake_all(struct peer *peer)
{
	peer->references++;
	while (!list_empty(&peer->waiting))
		peer_wake_one(peer);
	peer_unref(peer);
}

static void look(void *owner)
{
	struct peer *peer = owner;

	if (peer->removed)
		wake_all(peer);
	else if (sharing_is_limited(peer))
		sharing_look(peer);
	else
		peer_wake_one(peer);
}

struct peer *peer_new(struct upstream *upstream, struct target *target, double weight)
{
	struct peer *peer = pool_get(&upstream->worker->peers);

	if (!peer)
		return NULL;
	*peer = (struct peer){ .upstream = upstream, .target = target };
	peer->candidate = (struct candidate){ .health = &target->health, .weight = weight };
	live_ref(&target->object);
	list_init(&peer->link);
	list_init(&peer->idle);
	list_init(&peer->busy);
	list_init(&peer->waiting);
	task_init(&peer->look, look, peer);
	sharing_join(peer);
	health_check_start(peer);
	balancer_add(&upstream->balancer, &peer->candidate);
	counter_add(&upstream->stats->adds, 1);
	return peer;
}

void peer_ref(struct peer *peer)
{
	peer->references++;
}

void peer_unref(struct peer *peer)
{
	CHECK(peer->references > 0);
	if (--peer->references || !peer->removed)
		return;
	CHECK(list_empty(&peer->waiting) && peer->connections == 0);
	task_cancel(peer->upstream->worker->loop, &peer->look);
	tls_session_free(&peer->tls);
	live_unref(&peer->target->object);
	upstream_unref(peer->upstream);
	pool_put(&peer->upstream->worker->peers, peer);
}

/* Among the idle ones while an exchange can be opened on it, whether or not others run; else among the busy ones. */
static void place(struct connection *connection, bool idle)
{
	struct peer *peer = connection->peer;

	if (idle != connection->idle)
		counter_add(&peer->upstream->stats->cached, idle ? 1 : UINT64_MAX);
	connection->idle = idle;
	list_remove(&connection->session->link);
	list_prepend(idle ? &peer->idle : &peer->busy, &connection->session->link);
	if (idle)
		sharing_spare(peer);
}

/* No exchange is opened on it any more; it closes when the last one is over: at once when there is none. */
static void retire(struct connection *connection)
{
	place(connection, false);
	session_drain(connection->session);
}

bool peer_spare_one(struct peer *peer)
{
	struct list *link = list_last(&peer->idle);

	if (link)
		retire(session_at(link)->owner);
	return link != NULL;
}

static void close_idle(struct peer *peer)
{
	LIST_EACH_SAFE(&peer->idle, link, after)
		retire(session_at(link)->owner);
}

/* What runs on it goes on; it goes when that is over. Who waits for a connection to it is told to go elsewhere (peer_open). */
void peer_remove(struct peer *peer)
{
	peer->removed = true;
	list_remove(&peer->link);
	balancer_remove(&peer->upstream->balancer, &peer->candidate);
	counter_add(&peer->upstream->stats->removes, 1);
	close_idle(peer);
	sharing_leave(peer);
	peer->references++;
	upstream_ref(peer->upstream); /* until the peer is gone */
	health_check_stop(peer);
	if (!list_empty(&peer->waiting)) /* not now: the peers that take its place may not be there yet */
		task_set(peer->upstream->worker->loop, &peer->look);
	peer_unref(peer);
}

/* ---- connections ---- */

static void connect_timeout(void *owner)
{
	struct connection *connection = owner;

	CHECK_MAGIC(connection, CONNECTION_MAGIC);
	if (!connection->session->connected) /* one that drains doesn't say when it is */
		session_close(connection->session, RESET_CONNECT);
}

/* Requests of this worker go first, but not for ever. */
static bool goes_elsewhere(struct peer *peer)
{
	if (!sharing_is_wanted(peer) || (!list_empty(&peer->waiting) && ++peer->turns < TURNS))
		return false;
	peer->turns = 0;
	return true;
}

/* While the number of connections is limited, the first one that can be had is taken (sharing.h). */
static bool is_awaited(const struct connection *connection)
{
	return connection->undecided && !sharing_is_limited(connection->peer);
}

/* It was found out how many exchanges it takes, or it has ended. */
static void decide(struct connection *connection)
{
	struct peer *peer = connection->peer;

	if (!connection->undecided)
		return;
	connection->undecided = false;
	peer->undecided--;
	if (sharing_is_limited(peer) && peer_lacks(peer))
		task_set(peer->upstream->worker->loop, &peer->look);
}

/* Those who waited for a connection that could not be made are as if they had been on it: all, but where each waits for one of its own
 * the first. */
static void take_waiting(struct peer *peer, struct list *taken)
{
	struct list *link;

	while ((link = list_first(&peer->waiting))) {
		list_remove(link);
		list_append(taken, link);
		if (sharing_is_limited(peer))
			break;
	}
}

static void fail_waiting(struct peer *peer, struct list *taken, int error)
{
	while (!list_empty(taken)) {
		struct peer_waiter *waiter = LIST_OF(list_first(taken), struct peer_waiter, link);

		stop_waiting(peer, waiter);
		waiter->failed = error ? error : ERROR_CLOSED;
		waiter->ready(waiter);
	}
}

static void available(void *owner, struct session *session)
{
	struct connection *connection = owner;
	struct peer *peer = connection->peer;

	CHECK_MAGIC(connection, CONNECTION_MAGIC);
	if (session->connected && timer_is_set(&connection->connecting)) {
		timer_cancel(session->loop, &connection->connecting);
		histogram_record(&peer->upstream->stats->connect_latency, (uint64_t)(loop_now(session->loop) - session->began) / 1000);
	}
	if (!session->undecided)
		decide(connection);
	if (is_awaited(connection) || session_capacity(session) == 0)
		return;
	bool last = peer->removed || peer->upstream->worker->draining;
	if (last && list_empty(&peer->waiting)) {
		retire(connection);
		return;
	}
	connection->idle_since = loop_now(session->loop);
	if (!connection->idle)
		place(connection, true);
	if (goes_elsewhere(peer)) {
		retire(connection);
		return;
	}
	while (connection->idle && !list_empty(&peer->waiting))
		peer_wake_one(peer);
	if (last)
		retire(connection);
	/* More than it takes: another connection, for which the others wait. */
	if (!peer->undecided && !sharing_is_limited(peer))
		peer_wake_one(peer);
}

/* A connection that is gone: not idle any more, and perhaps never made. */
static void uncount(const struct connection *connection, int error)
{
	const struct session *session = connection->session;
	struct client_stats *stats = connection->peer->upstream->stats;

	if (connection->idle)
		counter_sub(&stats->cached, 1);
	if (!session->connected && error)
		histogram_coarse_record(&stats->failed_connect_latency, (uint64_t)(loop_now(session->loop) - session->began) / 1000);
}

static void count_connect_failure(struct peer *peer, int error)
{
	counter_add(&peer->upstream->stats->connect_failures, 1);
	LOG(LOG_DEBUG, "proxy", "cannot connect to %s of %.*s: %s", peer->target->text, SLICE_ARGS(peer->upstream->client->id),
		error_text(error));
}

static void closed(void *owner, struct session *session, int error)
{
	struct connection *connection = owner;
	struct peer *peer = connection->peer;
	struct list failed;

	CHECK_MAGIC(connection, CONNECTION_MAGIC);
	list_init(&failed);
	if (connection->undecided)
		take_waiting(peer, &failed);
	if (!session->connected && error)
		count_connect_failure(peer, error);
	timer_cancel(session->loop, &connection->connecting);
	list_remove(&session->link);
	peer->connections--;
	sharing_give(peer);
	counter_sub(&peer->upstream->stats->connections, 1);
	decide(connection);
	uncount(connection, error);
	connection->magic = 0;
	pool_put(&peer->upstream->worker->connections, connection);
	fail_waiting(peer, &failed, error);
	peer_unref(peer);
}

static int connection_new(struct peer *peer, const struct session_limits *limits, struct connection **out)
{
	const struct session_limits own = dial_limits(peer->upstream, limits);
	struct worker *worker = peer->upstream->worker;
	struct stream *stream;
	int e;

	if (!places_take(&peer->target->places, peer->upstream->client->policy.connections.max_size))
		return ERROR_BUSY;
	struct connection *connection = pool_get(&worker->connections);
	if (!connection) {
		e = ERROR_NO_MEMORY;
		goto no_connection;
	}
	*connection = (struct connection){ .magic = CONNECTION_MAGIC, .peer = peer };
	e = dial(peer, peer->upstream->client->policy.protocol, &stream);
	if (e)
		goto no_stream;
	e = worker_client_codec(worker, &peer->upstream->client->policy)
		    ->client(worker->sessions, stream, &own, &connection_events, connection, &peer->upstream->stats->sessions,
			    &connection->session);
	if (e)
		goto no_stream;
	timer_init(&connection->connecting, connect_timeout, connection);
	timer_set(worker->loop, &connection->connecting, connection->session->began + CONNECT_TIMEOUT);
	list_append(&peer->busy, &connection->session->link);
	connection->undecided = connection->session->undecided;
	peer->undecided += connection->undecided;
	peer->connections++;
	peer->references++;
	counter_add(&peer->upstream->stats->connections, 1);
	*out = connection;
	return 0;

no_stream:
	pool_put(&worker->connections, connection);
no_connection:
	sharing_give(peer);
	return e;
}

/* The most recently used one. Those whose peer has said meanwhile that it takes no more are busy until they close. */
static struct connection *idle_connection(struct peer *peer)
{
	struct list *link;

	while ((link = list_first(&peer->idle))) {
		struct connection *connection = session_at(link)->owner;

		if (session_capacity(connection->session) > 0)
			return connection;
		place(connection, false);
	}
	return NULL;
}

int peer_open(struct peer *peer, const struct session_limits *limits, const struct side_events *events, void *exchange, struct side **side)
{
	struct connection *connection;
	int e;

	if (peer->removed) /* while this request waited for a connection */
		return ERROR_CLOSED;
	connection = idle_connection(peer);
	if (!connection && has_one_coming(peer))
		return ERROR_BUSY;
	if (!connection) {
		e = connection_new(peer, limits, &connection);
		if (e)
			return e;
	}
	connection->idle_since = loop_now(connection->session->loop);
	e = session_open(connection->session, events, exchange, side);
	if (connection->idle != (!is_awaited(connection) && session_capacity(connection->session) > 0))
		place(connection, !connection->idle);
	if (connection->idle && sharing_is_wanted(peer))
		task_set(peer->upstream->worker->loop, &peer->look);
	return e;
}

bool peer_wait(struct peer *peer, struct peer_waiter *waiter)
{
	struct client_stats *stats = peer->upstream->stats;
	uint32_t max = peer->upstream->client->policy.connections.max_waiters;

	if (max && atomic_load_explicit(&peer->target->places.waiting, memory_order_relaxed) >= max)
		return false;
	list_append(&peer->waiting, &waiter->link);
	atomic_fetch_add_explicit(&peer->target->places.waiting, 1, memory_order_relaxed);
	sharing_want(peer);
	counter_add(&stats->waiters, 1);
	counter_add(&stats->waited, 1);
	return true;
}

void peer_leave(struct peer *peer, struct peer_waiter *waiter)
{
	stop_waiting(peer, waiter);
}

void peer_done(struct peer *peer, int64_t now, int64_t latency_ns, bool judged, bool success)
{
	struct upstream *upstream = peer->upstream;
	const struct accrual_policy *policy = &upstream->client->policy.accrual;
	int64_t ns = 0;

	balancer_end(&upstream->balancer, &peer->candidate, now, latency_ns);
	if (judged && policy->kind != ACCRUAL_NONE) {
		switch (health_report(&peer->target->health, policy, success, now, random_unit(loop_random(upstream->worker->loop)), &ns)) {
		case HEALTH_REMOVED:
			counter_add(&upstream->stats->removals, 1);
			LOG(LOG_DEBUG, "proxy", "%s of %.*s is taken out: %u failures in a row", peer->target->text,
				SLICE_ARGS(upstream->client->id), policy->failures);
			break;
		case HEALTH_REVIVED:
			counter_add(&upstream->stats->revivals, 1);
			histogram_record(&upstream->stats->removed_for, (uint64_t)ns / 1000);
			LOG(LOG_DEBUG, "proxy", "%s of %.*s is back after %lld ms", peer->target->text, SLICE_ARGS(upstream->client->id),
				(long long)(ns / CLOCK_MS));
			break;
		case HEALTH_AGAIN:
		case HEALTH_SAME:
			break;
		}
	} else if (!judged) {
		health_give_up(&peer->target->health, now);
	}
	peer_unref(peer);
}

/* ---- sweeping ---- */

/* A connection that many exchanges share says nothing when the last of them has ended: that it is idle is seen here. */
static bool is_idle_too_long(struct connection *connection, int64_t idle_ns, int64_t now)
{
	if (session_running(connection->session) > 0)
		connection->idle_since = now;
	return idle_ns && now - connection->idle_since >= idle_ns;
}

/* From the end of the list, where those are that were used least recently. */
static void sweep_idle(struct peer *peer, int64_t now, bool all)
{
	const struct connection_policy *policy = &peer->upstream->client->policy.connections;
	uint32_t open = atomic_load_explicit(&peer->target->places.open, memory_order_relaxed);
	uint32_t most = open > policy->min_size ? open - policy->min_size : 0;

	for (struct list *link = list_last(&peer->idle), *before; link; link = before) {
		struct connection *connection = session_at(link)->owner;

		before = link->previous == &peer->idle ? NULL : link->previous;
		if (!all && (!is_idle_too_long(connection, policy->idle_ns, now) || most == 0))
			continue;
		if (most)
			most--;
		retire(connection);
	}
}

/* Of those on which nothing runs, and for which nobody waits: an HTTP/2 server that is silent may never say how much it takes. */
static void sweep_undecided(struct peer *peer)
{
	if (!list_empty(&peer->waiting))
		return;
	LIST_EACH_SAFE(&peer->busy, link, after) {
		struct connection *connection = session_at(link)->owner;

		if (connection->undecided && session_running(connection->session) == 0)
			retire(connection);
	}
}

/* A machine that is gone says nothing: what was sent to it is not waited for as long as the kernel would. */
static void sweep_silent(struct peer *peer)
{
	int64_t most = peer->upstream->client->policy.socket.ack_timeout_ns;
	struct list *const all[] = { &peer->busy, &peer->idle };

	for (unsigned i = 0; most && i < sizeof all / sizeof *all; i++)
		LIST_EACH_SAFE(all[i], link, after)
			if (session_at(link)->connected && session_running(session_at(link)) > 0 &&
				stream_silence(session_at(link)->stream) >= most)
				session_close(session_at(link), RESET_PEER);
}

void peer_sweep(struct peer *peer, int64_t now, bool all)
{
	sweep_idle(peer, now, all);
	sweep_silent(peer);
	if (all)
		sweep_undecided(peer);
}

size_t peer_connection_size(void)
{
	return sizeof(struct connection);
}

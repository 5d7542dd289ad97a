/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/caller.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

/* Scopes of clients that anybody may make up, as a dtab with wildcards does, are only so many. */
enum { PLAIN_CALLERS = 1024 };

struct caller {
	struct live_object object;          /* first; a reference of the worker's, one of a message's */
	struct map_entry entry;             /* upstream->callers, by name */
	struct client *client;              /* counted */
	struct caller_stats *_Atomic stats; /* NULL until the control thread has made the scope */
	struct scope *scope;                /* control thread */
	unsigned shard;
	bool is_plain, wanted; /* wanted: the control thread has been told */
	uint64_t begun;        /* calls: those that have ended, and those that refer to it */
	uint64_t ended[2];     /* calls that are not in the stats yet, by success */
	int64_t used;          /* loop_now */
	char name[];
};

/* ---- the control thread's side ---- */

static void deliver_want(const struct message *message)
{
	struct caller *caller = message->a;
	struct client *client = caller->client;
	struct metrics *metrics = client->object.live->metrics;
	const struct scope_label at[] = {
		{ SLICE("rt"), client->label },
		{ SLICE("client"), scope_is_overflow(client->scope) ? SLICE("overflow") : slice_from(client->id, 1) },
		{ SLICE("caller"), caller->entry.key },
	};

	caller->scope = caller->is_plain ? metrics_scope_few(metrics, &caller_kind, PLAIN_CALLERS, at, 3)
					 : metrics_scope(metrics, &caller_kind, at, 3);
	atomic_store_explicit(&caller->stats, scope_shard(caller->scope, caller->shard), memory_order_release);
	live_unref(&caller->object);
}

void caller_free(struct live_object *object)
{
	struct caller *caller = (struct caller *)(void *)object;

	if (caller->scope)
		scope_unref(caller->scope);
	live_unref(&caller->client->object);
	memory_free(caller);
}

/* ---- on a worker ---- */

/* Tells the control thread, if its queue has a place; else the next time. */
static void want(struct caller *caller, struct worker *worker)
{
	if (caller->wanted)
		return;
	live_ref(&caller->object);
	caller->wanted = channel_post(worker->control, (struct message){ .deliver = deliver_want, .a = caller }) == 0;
	if (!caller->wanted)
		live_unref(&caller->object);
}

static struct caller *caller_new(struct upstream *upstream, struct slice name, bool is_plain)
{
	struct caller *caller = memory_new(sizeof *caller + name.length);

	live_object_init(&caller->object, upstream->client->object.live, LIVE_CALLER);
	caller->client = upstream->client;
	live_ref(&caller->client->object);
	caller->shard = upstream->worker->index;
	caller->is_plain = is_plain;
	caller->used = loop_now(upstream->worker->loop);
	memcpy(caller->name, name.at, name.length);
	map_insert(&upstream->callers, &caller->entry, slice_make(caller->name, name.length));
	want(caller, upstream->worker);
	return caller;
}

static struct caller *find(struct upstream *upstream, struct slice name)
{
	struct map_entry *entry = map_find(&upstream->callers, name);

	return entry ? MAP_OF(entry, struct caller, entry) : NULL;
}

/* In `room` when it has to be made. */
static struct slice name_of(const struct stream_security *security, char room[CALLER_NAME])
{
	struct slice dns = slice_make(security->peer_dns.at, slice_find(security->peer_dns, ','));
	int length = 0;

	if (slice_find(security->peer_uri, ':') < security->peer_uri.length)
		return security->peer_uri;
	if (dns.length)
		length = snprintf(room, CALLER_NAME, "dns:%.*s", SLICE_ARGS(dns));
	else if (security->peer_subject.length)
		length = snprintf(room, CALLER_NAME, "subject:%.*s", SLICE_ARGS(security->peer_subject));
	else
		return SLICE("tls");
	return length < CALLER_NAME ? slice_make(room, (size_t)length) : SLICE("overflow");
}

void caller_enter(struct exchange *exchange, const struct stream_security *security)
{
	struct upstream *upstream = exchange->upstream;
	char room[CALLER_NAME];
	struct slice name = name_of(security, room);
	struct caller *caller = find(upstream, name);

	if (!caller && (upstream->callers.count >= CALLERS_MOST || name.length > CALLER_NAME)) {
		name = SLICE("overflow");
		caller = find(upstream, name);
	}
	if (!caller)
		caller = caller_new(upstream, name, false);
	if (exchange->caller)
		exchange->caller->begun--;
	caller->begun++;
	exchange->caller = caller;
	exchange->ended = caller->ended;
}

/* ---- now and then ---- */

static void flush(struct caller *caller)
{
	struct caller_stats *stats = atomic_load_explicit(&caller->stats, memory_order_acquire);
	uint64_t failures = caller->ended[false], success = caller->ended[true];

	if (!stats)
		return;
	counter_add(&stats->requests, success + failures);
	counter_add(&stats->success, success);
	counter_add(&stats->failures, failures);
	caller->begun -= caller->is_plain ? 0 : success + failures;
	caller->ended[false] = caller->ended[true] = 0;
}

/* Calls in plain text refer to their upstream. */
static bool is_calling(const struct caller *caller)
{
	return !caller->is_plain && caller->begun > caller->ended[false] + caller->ended[true];
}

static void forget(struct upstream *upstream, struct caller *caller)
{
	CHECK(!is_calling(caller));
	map_remove(&upstream->callers, &caller->entry);
	live_unref(&caller->object);
}

static void flush_plain(struct upstream *upstream)
{
	struct caller *caller;

	if (upstream->plain_ended[false] + upstream->plain_ended[true] == 0)
		return;
	caller = find(upstream, SLICE("plaintext"));
	if (!caller)
		caller = caller_new(upstream, SLICE("plaintext"), true);
	for (unsigned i = 0; i < 2; i++) {
		caller->ended[i] += upstream->plain_ended[i];
		upstream->plain_ended[i] = 0;
	}
}

void callers_sweep(struct upstream *upstream, int64_t now)
{
	flush_plain(upstream);
	MAP_EACH_SAFE(&upstream->callers, entry, after) {
		struct caller *caller = MAP_OF(entry, struct caller, entry);

		if (is_calling(caller) || caller->ended[false] || caller->ended[true])
			caller->used = now;
		want(caller, upstream->worker);
		flush(caller);
		if (now - caller->used >= CALLER_IDLE)
			forget(upstream, caller);
	}
}

void callers_fini(struct upstream *upstream)
{
	flush_plain(upstream);
	MAP_EACH_SAFE(&upstream->callers, entry, after) {
		struct caller *caller = MAP_OF(entry, struct caller, entry);

		flush(caller);
		forget(upstream, caller);
	}
	map_fini(&upstream->callers);
}

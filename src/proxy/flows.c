/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flows.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "proxy/exchange.h"
#include "proxy/upstream.h"
#include "proxy/worker.h"

static struct flow *flow_of(struct map_entry *entry)
{
	return MAP_OF(entry, struct flow, entry);
}

/* ---- the control thread's side ---- */

void flows_ask(struct proxy *proxy, struct live *live, int64_t now, int64_t for_ns)
{
	int64_t until = clock_after(now, for_ns);
	unsigned count;
	struct worker *workers = proxy_workers(proxy, &count);

	if (until > live->flows_until) {
		live->flows_until = until;
		live->flows_for = for_ns;
	}
	for (unsigned i = 0; i < count; i++)
		atomic_store_explicit(&workers[i].flows_for, live->flows_for, memory_order_relaxed);
}

/* The list's reference is the last one: the worker has forgotten it. */
static bool is_forgotten(const struct flow *flow)
{
	return atomic_load_explicit(&flow->object.references, memory_order_acquire) == 1;
}

void flows_tidy(struct proxy *proxy, struct live *live, int64_t now)
{
	unsigned count;
	struct worker *workers = proxy_workers(proxy, &count);

	if (live->flows_until && now >= live->flows_until) {
		live->flows_until = 0;
		for (unsigned i = 0; i < count; i++)
			atomic_store_explicit(&workers[i].flows_for, 0, memory_order_relaxed);
	}
	LIST_EACH_SAFE(&live->flows, link, after)
		if (is_forgotten(flow_at(link))) {
			list_remove(link);
			live_unref(&flow_at(link)->object);
		}
}

uint64_t flows_lost(struct proxy *proxy)
{
	unsigned count;
	struct worker *workers = proxy_workers(proxy, &count);
	uint64_t lost = 0;

	for (unsigned i = 0; i < count; i++)
		lost += counter_read(&workers[i].flows_lost);
	return lost;
}

void flows_drop(struct live *live)
{
	LIST_EACH_SAFE(&live->flows, link, after) {
		list_remove(link);
		live_unref(&flow_at(link)->object);
	}
}

/* Takes the message's reference. */
static void deliver_flow(const struct message *message)
{
	struct flow *flow = message->a;
	struct live *live = flow->object.live;

	flow->number = ++live->flows_numbered;
	list_append(&live->flows, &flow->link);
}

void flow_free(struct live_object *object)
{
	struct flow *flow = (struct flow *)(void *)object;

	live_unref(&flow->target->object);
	live_unref(&flow->client->object);
	memory_free(flow);
}

/* ---- on a worker ---- */

/* Tells the control thread, if its queue has a place; else the next time. */
static void tell(struct worker *worker, struct flow *flow)
{
	if (flow->told)
		return;
	live_ref(&flow->object);
	flow->told = channel_post(worker->control, (struct message){ .deliver = deliver_flow, .a = flow }) == 0;
	if (!flow->told)
		live_unref(&flow->object);
}

static struct flow *flow_new(struct worker *worker, const struct exchange *exchange, const struct flow_key *key)
{
	struct flow *flow = memory_new(sizeof *flow);

	live_object_init(&flow->object, exchange->upstream->client->object.live, LIVE_FLOW);
	list_init(&flow->link);
	flow->key = *key;
	flow->client = exchange->upstream->client;
	flow->target = exchange->peer->target;
	live_ref(&flow->client->object);
	live_ref(&flow->target->object);
	flow->source = exchange->down->session->remote;
	flow->source.port = 0;
	map_insert(&worker->flows, &flow->entry, slice_make((const char *)&flow->key, sizeof flow->key));
	tell(worker, flow);
	return flow;
}

void flows_count(struct exchange *exchange, unsigned bucket, uint64_t microseconds)
{
	struct worker *worker = exchange->worker;
	const struct address *source = &exchange->down->session->remote;
	struct flow_key key = {
		.target = exchange->peer->target,
		.listener = exchange->listener->port->bound.port,
		.family = source->family,
	};
	struct map_entry *found;
	struct flow *flow;

	memcpy(key.ip, source->ip, sizeof key.ip);
	found = map_find(&worker->flows, slice_make((const char *)&key, sizeof key));
	if (!found && worker->flows.count >= FLOWS_MOST) {
		counter_add(&worker->flows_lost, 1);
		return;
	}
	flow = found ? flow_of(found) : flow_new(worker, exchange, &key);
	flow->used = loop_now(worker->loop);
	counter_add(&flow->ended[exchange->success], 1);
	histogram_coarse_put(&flow->latency, bucket, microseconds);
}

static void forget(struct worker *worker, struct flow *flow)
{
	map_remove(&worker->flows, &flow->entry);
	live_unref(&flow->object);
}

void flows_sweep(struct worker *worker, int64_t now)
{
	int64_t keep = atomic_load_explicit(&worker->flows_for, memory_order_relaxed);

	MAP_EACH_SAFE(&worker->flows, entry, after) {
		struct flow *flow = flow_of(entry);

		if (now - flow->used >= keep)
			forget(worker, flow);
		else
			tell(worker, flow);
	}
}

void flows_fini(struct worker *worker)
{
	MAP_EACH_SAFE(&worker->flows, entry, after)
		forget(worker, flow_of(entry));
	map_fini(&worker->flows);
}

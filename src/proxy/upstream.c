/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/upstream.h"

#include "base/check.h"
#include "proxy/caller.h"
#include "proxy/health_check.h"
#include "proxy/sharing.h"

#define KEPT_UNUSED (10 * CLOCK_SECOND) /* an upstream that no route uses */

static struct peer *peer_at(struct list *link)
{
	return LIST_OF(link, struct peer, link);
}

static struct slice client_key(struct client *const *client)
{
	return slice_make((const char *)client, sizeof *client);
}

struct upstream *upstream_find(struct worker *worker, const struct client *client)
{
	struct client *key = (struct client *)(uintptr_t)client;
	struct map_entry *entry = map_find(&worker->upstreams_by_client, client_key(&key));

	return entry ? MAP_OF(entry, struct upstream, entry) : NULL;
}

static struct upstream *upstream_new(struct worker *worker, struct client *client)
{
	struct upstream *upstream = pool_get(&worker->upstreams);

	if (!upstream)
		return NULL;
	*upstream = (struct upstream){ .worker = worker, .client = client };
	live_ref(&client->object);
	upstream->stats = scope_shard(client->scope, worker->index);
	upstream->unused_since = loop_now(worker->loop);
	list_init(&upstream->peers);
	map_init(&upstream->callers, 0);
	balancer_init(&upstream->balancer, &client->policy.balancer, loop_random(worker->loop));
	map_insert(&worker->upstreams_by_client, &upstream->entry, client_key(&upstream->client));
	return upstream;
}

static void upstream_free(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;

	while (!list_empty(&upstream->peers))
		peer_remove(peer_at(upstream->peers.next));
	balancer_fini(&upstream->balancer);
	callers_fini(upstream);
	map_remove(&worker->upstreams_by_client, &upstream->entry);
	live_unref(&upstream->targets->object);
	budget_flush(&upstream->client->requeue_budget, &upstream->share, loop_now(worker->loop));
	live_unref(&upstream->client->object);
	pool_put(&worker->upstreams, upstream);
}

void upstream_ref(struct upstream *upstream)
{
	upstream->references++;
}

void upstream_unref(struct upstream *upstream)
{
	CHECK(upstream->references > 0);
	if (--upstream->references == 0)
		upstream->unused_since = loop_now(upstream->worker->loop);
}

/* Both sequences are in the order of addresses: one pass makes the peers follow the targets. What there is no memory for
 * comes with the next sweep. */
static void follow(struct upstream *upstream, const struct targets *targets)
{
	struct list *link = upstream->peers.next;
	unsigned i = 0;

	upstream->incomplete = false;
	while (i < targets->count || link != &upstream->peers) {
		struct peer *peer = link == &upstream->peers ? NULL : peer_at(link);
		struct target *target = i < targets->count ? targets->at[i].target : NULL;

		if (peer && target && peer->target == target) {
			balancer_set_weight(&upstream->balancer, &peer->candidate, targets->at[i++].weight);
			link = link->next;
		} else if (peer && (!target || address_compare(&peer->target->address, &target->address) <= 0)) {
			link = link->next;
			peer_remove(peer);
		} else {
			struct peer *added = peer_new(upstream, target, targets->at[i++].weight);

			if (added)
				list_insert_after(link->previous, &added->link);
			else
				upstream->incomplete = true;
		}
	}
}

static void show_size(struct upstream *upstream)
{
	if (upstream->worker->index != 0)
		return;
	uint32_t size = upstream->balancer.count, available = balancer_available(&upstream->balancer, loop_now(upstream->worker->loop));

	counter_set(&upstream->stats->size, size);
	counter_set(&upstream->stats->available, available);
	counter_set(&upstream->stats->busy, size - available);
}

void upstream_publish(struct worker *worker, struct client *client, struct targets *targets)
{
	struct upstream *upstream = upstream_find(worker, client);

	if (!upstream)
		upstream = upstream_new(worker, client);
	live_unref(&client->object);
	if (upstream && upstream->references == 0)
		upstream->unused_since = loop_now(worker->loop); /* a binding may follow */
	if (!upstream || (upstream->targets && upstream->targets->version >= targets->version)) {
		live_unref(&targets->object);
		return;
	}
	follow(upstream, targets);
	if (upstream->targets)
		live_unref(&upstream->targets->object);
	upstream->targets = targets;
	counter_add(&upstream->stats->updates, 1);
	show_size(upstream);
}

struct peer *upstream_pick(struct upstream *upstream, int64_t now, struct candidate *const *tried, unsigned tried_count, bool *forced)
{
	struct candidate *candidate = balancer_pick(&upstream->balancer, now, tried, tried_count, forced);

	if (!candidate)
		return NULL;
	if (upstream->client->policy.accrual.kind != ACCRUAL_NONE && health_begin(candidate->health, now))
		counter_add(&upstream->stats->probes, 1);
	if (*forced)
		counter_add(&upstream->stats->effort_exhausted, 1);
	balancer_begin(&upstream->balancer, candidate, now);
	struct peer *peer = (struct peer *)(void *)candidate;
	peer->references++;
	return peer;
}

static bool has_connections(struct upstream *upstream)
{
	LIST_EACH(&upstream->peers, link)
		if (peer_at(link)->connections || peer_at(link)->references)
			return true;
	return false;
}

static void look_for_others(struct worker *worker)
{
	MAP_EACH_SAFE(&worker->peers_by_target, entry, after)
		sharing_look(MAP_OF(entry, struct peer, by_target));
}

void upstream_sweep(struct worker *worker, int64_t now, bool all)
{
	if (atomic_exchange_explicit(&worker->overlooked, false, memory_order_acquire))
		look_for_others(worker);
	MAP_EACH_SAFE(&worker->upstreams_by_client, entry, after) {
		struct upstream *upstream = MAP_OF(entry, struct upstream, entry);
		bool unused = upstream->references == 0 && (all || now - upstream->unused_since > KEPT_UNUSED);

		if (upstream->incomplete)
			follow(upstream, upstream->targets);
		LIST_EACH(&upstream->peers, link) {
			peer_sweep(peer_at(link), now, all || unused);
			if (all || unused)
				health_check_stop(peer_at(link));
			else
				health_check_start(peer_at(link));
		}
		show_size(upstream);
		callers_sweep(upstream, now);
		if (unused && !has_connections(upstream))
			upstream_free(upstream);
	}
}

void upstream_free_all(struct worker *worker)
{
	MAP_EACH_SAFE(&worker->upstreams_by_client, entry, after) {
		struct upstream *upstream = MAP_OF(entry, struct upstream, entry);

		CHECK(upstream->references == 0 && !has_connections(upstream));
		upstream_free(upstream);
	}
}

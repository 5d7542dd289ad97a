/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sharing.h"

static struct places *places_of(const struct peer *peer)
{
	return &peer->target->places;
}

static uint32_t limit_of(const struct peer *peer)
{
	return peer->upstream->client->policy.connections.max_size;
}

static struct worker *worker_of(const struct peer *peer)
{
	return peer->upstream->worker;
}

bool sharing_is_limited(const struct peer *peer)
{
	return limit_of(peer) != 0;
}

/* ---- who is told ---- */

static struct slice target_key(struct target *const *target)
{
	return slice_make((const char *)target, sizeof *target);
}

void sharing_join(struct peer *peer)
{
	if (sharing_is_limited(peer))
		map_insert(&worker_of(peer)->peers_by_target, &peer->by_target, target_key(&peer->target));
}

void sharing_leave(struct peer *peer)
{
	if (!sharing_is_limited(peer))
		return;
	map_remove(&worker_of(peer)->peers_by_target, &peer->by_target);
	if (peer->spares)
		places_clear(&places_of(peer)->sparing, worker_of(peer)->index);
	peer->spares = false;
}

static struct peer *peer_of(struct worker *worker, struct target *target)
{
	struct map_entry *found = map_find(&worker->peers_by_target, target_key(&target));

	return found ? MAP_OF(found, struct peer, by_target) : NULL;
}

/* ---- telling ---- */

/* The next worker of the set; false: there is none. */
static bool tell_next(
	struct worker *from, struct target *target, const struct places_workers *set, void (*deliver)(const struct message *message))
{
	unsigned count;
	struct worker *workers = proxy_workers(from->proxy, &count);
	int next = places_next(set, from->index, count);

	if (next < 0)
		return false;
	live_ref(&target->object);
	if (channel_post(workers[next].inbox, (struct message){ .deliver = deliver, .owner = &workers[next], .a = target })) {
		live_unref(&target->object);
		atomic_store_explicit(&workers[next].overlooked, true, memory_order_release);
	}
	return true;
}

static void deliver_offer(const struct message *message);
static void deliver_request(const struct message *message);

static void offer_to_others(struct worker *worker, struct target *target)
{
	(void)tell_next(worker, target, &target->places.wanting, deliver_offer);
}

static void ask_others(struct worker *worker, struct target *target)
{
	(void)tell_next(worker, target, &target->places.sparing, deliver_request);
}

/* ---- looking ---- */

/* The first of those that wait here takes the place. */
static void use_place(struct peer *peer)
{
	if (!places_left(places_of(peer), limit_of(peer))) {
		ask_others(worker_of(peer), peer->target); /* somebody else was quicker */
		return;
	}
	peer_wake_one(peer);
	if (!places_left(places_of(peer), limit_of(peer)))
		return;
	if (peer_lacks(peer))
		task_set(worker_of(peer)->loop, &peer->look);
	else
		offer_to_others(worker_of(peer), peer->target);
}

void sharing_look(struct peer *peer)
{
	if (peer_lacks(peer))
		use_place(peer);
	else if (sharing_is_wanted(peer) && !peer_spare_one(peer) && places_left(places_of(peer), limit_of(peer)))
		offer_to_others(worker_of(peer), peer->target);
}

static void deliver_offer(const struct message *message)
{
	struct worker *worker = message->owner;
	struct target *target = message->a;
	struct peer *peer = peer_of(worker, target);

	if (peer && peer_lacks(peer))
		use_place(peer);
	else
		offer_to_others(worker, target);
	live_unref(&target->object);
}

static void deliver_request(const struct message *message)
{
	struct worker *worker = message->owner;
	struct target *target = message->a;
	struct peer *peer = peer_of(worker, target);

	if (peer && sharing_is_wanted(peer) && !peer_spare_one(peer)) {
		/* Whoever clears this says so again with the next connection that becomes idle, and looks for who wants it then. */
		places_clear(&target->places.sparing, worker->index);
		peer->spares = false;
		ask_others(worker, target);
	}
	live_unref(&target->object);
}

/* ---- what happens ---- */

void sharing_give(struct peer *peer)
{
	struct worker *worker = worker_of(peer);

	places_give(places_of(peer));
	if (sharing_is_limited(peer) && tell_next(worker, peer->target, &places_of(peer)->wanting, deliver_offer))
		return;
	if (peer_lacks(peer))
		task_set(worker->loop, &peer->look);
}

void sharing_want(struct peer *peer)
{
	struct worker *worker = worker_of(peer);

	if (!sharing_is_limited(peer) || !peer_lacks(peer))
		return;
	places_set(&places_of(peer)->wanting, worker->index);
	if (places_left(places_of(peer), limit_of(peer)))
		task_set(worker->loop, &peer->look);
	else
		ask_others(worker, peer->target);
}

void sharing_want_no_more(struct peer *peer)
{
	if (sharing_is_limited(peer))
		places_clear(&places_of(peer)->wanting, worker_of(peer)->index);
}

void sharing_spare(struct peer *peer)
{
	if (!sharing_is_limited(peer) || peer->spares || peer->removed)
		return;
	peer->spares = true;
	places_set(&places_of(peer)->sparing, worker_of(peer)->index);
}

bool sharing_is_wanted(const struct peer *peer)
{
	return sharing_is_limited(peer) && places_others(&places_of(peer)->wanting, worker_of(peer)->index);
}

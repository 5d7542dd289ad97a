/* SPDX-License-Identifier: Apache-2.0 */
/* UDP: sockets connected to a peer, and services that the harness plays. */
#include "io/sim/world.h"

enum { DATAGRAM_MOST = 65507, DELIVERED_MOST = 4096, QUEUE_MOST = 64, DATAGRAM_MAGIC = 0x73696d44 };

struct sim_service {
	struct list link; /* in its host */
	struct network *host;
	uint16_t port;
	void (*answer)(void *owner, struct sim_service *service, const struct address *from, struct slice bytes);
	void *owner;
};

struct datagram {
	uint32_t magic;
	struct list link; /* in its host */
	struct loop *loop;
	struct network *host;
	struct address local, peer;
	struct ready ready;
	struct list arrived; /* packets */
	unsigned arrived_count;
	const struct datagram_events *events;
	void *owner;
	bool refused;
	bool telling, closed; /* closed while it tells: freed behind that */
};

/* One datagram on its way, or arrived. */
struct packet {
	struct list link;   /* in arrived */
	struct list flight; /* in the sending host's world */
	struct timer arrival;
	struct network *from_host, *to_host;
	struct address from, to;
	size_t length;
	char bytes[];
};

static void packet_arrives(void *owner);

static void packet_send(
	struct network *from_host, const struct address *from, struct network *to_host, const struct address *to, struct slice bytes)
{
	struct sim *sim = from_host->sim;
	const struct sim_link *link = sim_link(from_host, to_host);
	sim->totals.datagrams_sent++;
	unsigned copies = world_chance(sim, link->repeat_chance) ? 2 : 1;
	if (link->down || world_chance(sim, link->lose_chance)) {
		sim->totals.datagrams_lost++;
		return;
	}
	for (; copies > 0; copies--) {
		struct packet *packet = memory_new(sizeof(*packet) + bytes.length);
		packet->from_host = from_host;
		packet->to_host = to_host;
		packet->from = *from;
		packet->to = *to;
		packet->length = bytes.length;
		memcpy(packet->bytes, bytes.at, bytes.length);
		list_init(&packet->link);
		list_append(&sim->packets, &packet->flight);
		timer_init(&packet->arrival, packet_arrives, packet);
		/* Each draws its own way, so they overtake each other. */
		timers_set(&sim->events, &packet->arrival, sim->now + link->latency_ns + world_draw(sim, link->jitter_ns));
	}
}

static void packet_free(struct packet *packet)
{
	timers_cancel(&packet->from_host->sim->events, &packet->arrival);
	list_remove(&packet->flight);
	list_remove(&packet->link);
	memory_free(packet);
}

void packets_free(struct sim *sim)
{
	LIST_EACH_SAFE(&sim->packets, link, after)
		packet_free(LIST_OF(link, struct packet, flight));
}

static struct datagram *datagram_find(struct network *host, const struct address *local)
{
	LIST_EACH(&host->datagrams, link) {
		struct datagram *datagram = LIST_OF(link, struct datagram, link);
		if (datagram->local.port == local->port)
			return datagram;
	}
	return NULL;
}

static struct sim_service *service_find(struct network *host, uint16_t port)
{
	LIST_EACH(&host->services, link) {
		struct sim_service *service = LIST_OF(link, struct sim_service, link);
		if (service->port == port)
			return service;
	}
	return NULL;
}

/* Nobody is there: the sender's socket hears of it. */
static void port_closed(struct packet *packet)
{
	struct datagram *sender = datagram_find(packet->from_host, &packet->from);
	if (sender && address_equal(&sender->peer, &packet->to)) {
		sender->refused = true;
		loop_ready(sender->loop, &sender->ready);
	}
}

static void packet_arrives(void *owner)
{
	struct packet *packet = owner;
	struct network *host = packet->to_host;
	struct sim *sim = host->sim;
	struct sim_service *service = service_find(host, packet->to.port);
	struct datagram *datagram = datagram_find(host, &packet->to);
	world_event(sim, EVENT_DATAGRAM, packet->to.port, packet->length, world_hash_bytes(packet->bytes, packet->length));
	if (datagram && address_equal(&datagram->peer, &packet->from) && datagram->arrived_count < QUEUE_MOST) {
		datagram->arrived_count++;
		list_append(&datagram->arrived, &packet->link);
		loop_ready(datagram->loop, &datagram->ready);
		return;
	}
	if (service)
		service->answer(service->owner, service, &packet->from, slice_make(packet->bytes, packet->length));
	else if (!datagram && host_alive(host))
		port_closed(packet);
	packet_free(packet);
}

/* --- sockets --- */

static void tell(struct ready *ready)
{
	struct datagram *datagram = LIST_OF(ready, struct datagram, ready);
	CHECK_MAGIC(datagram, DATAGRAM_MAGIC);
	struct loop *loop = datagram->loop;
	datagram->telling = true;
	while (!datagram->closed && !list_empty(&datagram->arrived) && !loop_dead(loop)) {
		struct packet *packet = LIST_OF(list_first(&datagram->arrived), struct packet, link);
		bool truncated = packet->length > DELIVERED_MOST;
		datagram->arrived_count--;
		list_remove(&packet->link);
		datagram->events->received(
			datagram->owner, &packet->from, slice_make(packet->bytes, truncated ? DELIVERED_MOST : packet->length), truncated);
		packet_free(packet);
		loop_run_tasks(loop);
	}
	if (!datagram->closed && datagram->refused) {
		datagram->refused = false;
		datagram->events->failed(datagram->owner, ERROR_REFUSED);
	}
	datagram->telling = false;
	if (datagram->closed)
		memory_free(datagram);
}

int datagram_open(struct network *host, struct loop *loop, const struct address *peer, const struct datagram_events *events, void *owner,
	struct datagram **result)
{
	CHECK_MAGIC(host, HOST_MAGIC);
	CHECK_MAGIC(loop, LOOP_MAGIC);
	if (loop_dead(loop) || world_fails(host->sim, SIM_CALL_DATAGRAM))
		return ERROR_LIMIT;
	struct datagram *datagram = memory_new(sizeof(*datagram));
	*datagram = (struct datagram){
		.magic = DATAGRAM_MAGIC,
		.loop = loop,
		.host = host,
		.local = host->addresses[0],
		.peer = *peer,
		.ready = { .tell = tell },
		.events = events,
		.owner = owner,
	};
	if (!host_has(host, peer) && address_is_loopback(peer))
		datagram->local = *peer;
	do
		datagram->local.port = (uint16_t)(1024 + world_draw(host->sim, 64511));
	while (datagram_find(host, &datagram->local) || service_find(host, datagram->local.port));
	list_init(&datagram->ready.link);
	list_init(&datagram->arrived);
	list_append(&host->datagrams, &datagram->link);
	loop->datagrams++;
	*result = datagram;
	return 0;
}

int datagram_send(struct datagram *datagram, struct slice bytes)
{
	CHECK_MAGIC(datagram, DATAGRAM_MAGIC);
	if (bytes.length > DATAGRAM_MOST)
		return ERROR_LIMIT;
	struct network *to = host_find(datagram->host, &datagram->peer);
	if (!to)
		return ERROR_UNREACHABLE;
	if (!loop_dead(datagram->loop))
		packet_send(datagram->host, &datagram->local, to, &datagram->peer, bytes);
	return 0;
}

static void drop_arrived(struct datagram *datagram)
{
	LIST_EACH_SAFE(&datagram->arrived, link, after)
		packet_free(LIST_OF(link, struct packet, link));
	datagram->arrived_count = 0;
}

void datagram_close(struct datagram *datagram)
{
	if (!datagram)
		return;
	CHECK_MAGIC(datagram, DATAGRAM_MAGIC);
	datagram->closed = true;
	drop_arrived(datagram);
	loop_unready(datagram->loop, &datagram->ready);
	datagram->loop->datagrams--;
	list_remove(&datagram->link);
	datagram->magic = 0;
	if (!datagram->telling)
		memory_free(datagram);
}

void datagrams_forget(struct network *host, const struct sim_process *process)
{
	LIST_EACH_SAFE(&host->datagrams, link, after) {
		struct datagram *datagram = LIST_OF(link, struct datagram, link);
		if (datagram->loop->process != process)
			continue;
		drop_arrived(datagram);
		loop_unready(datagram->loop, &datagram->ready);
		list_remove(&datagram->link);
	}
}

/* --- services --- */

void sim_datagram_serve(struct network *host, uint16_t port,
	void (*answer)(void *owner, struct sim_service *service, const struct address *from, struct slice bytes), void *owner)
{
	CHECK(service_find(host, port) == NULL);
	struct sim_service *service = memory_new(sizeof(*service));
	*service = (struct sim_service){ .host = host, .port = port, .answer = answer, .owner = owner };
	list_append(&host->services, &service->link);
}

void sim_datagram_reply(struct sim_service *service, const struct address *to, struct slice bytes)
{
	struct network *host = host_find(service->host, to);
	/* From the address that was asked: a loopback client asked a loopback address. */
	struct address from = host == service->host && address_is_loopback(to) ? *to : service->host->addresses[0];
	from.port = service->port;
	if (host)
		packet_send(service->host, &from, host, to, bytes);
}

void services_free(struct network *host)
{
	LIST_EACH_SAFE(&host->services, link, after) {
		struct sim_service *service = LIST_OF(link, struct sim_service, link);
		list_remove(&service->link);
		memory_free(service);
	}
}

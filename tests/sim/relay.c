/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include "base/check.h"
#include "base/memory.h"
#include "io/loop.h"

struct half {
	struct pair *pair;
	struct stream *stream;
	bool ended;
};

struct pair {
	struct list link;
	struct relay *relay;
	struct half halves[2]; /* accepted, connected */
};

static void pair_end(struct pair *pair, bool linger)
{
	for (unsigned i = 0; i < 2; i++) {
		if (!pair->halves[i].stream)
			continue;
		if (linger)
			stream_linger(pair->halves[i].stream);
		else
			stream_close(pair->halves[i].stream);
	}
	list_remove(&pair->link);
	memory_free(pair);
}

static struct half *other(struct half *half)
{
	return &half->pair->halves[half == &half->pair->halves[0]];
}

static void on_connected(void *owner)
{
	(void)owner;
}

static void on_received(void *owner, struct buffer *buffer)
{
	struct half *half = owner;
	struct piece piece = { buffer, buffer->bytes, buffer->filled };
	if (stream_take(other(half)->stream, &piece, 1) > 0)
		stream_pause(half->stream);
}

static void on_drained(void *owner)
{
	struct half *half = owner;
	stream_resume(other(half)->stream);
}

static void on_ended(void *owner)
{
	struct half *half = owner;
	half->ended = true;
	if (other(half)->ended) {
		pair_end(half->pair, true);
		return;
	}
	stream_finish(other(half)->stream);
}

static void on_failed(void *owner, int error)
{
	struct half *half = owner;
	(void)error;
	pair_end(half->pair, false);
}

static const struct stream_events events = {
	.connected = on_connected,
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.failed = on_failed,
};

static void accepted(void *owner, struct stream *stream)
{
	struct relay_port *port = owner;
	struct relay *relay = port->relay;
	struct pair *pair = memory_new(sizeof(*pair));
	pair->relay = relay;
	relay->accepted++;
	list_append(&relay->pairs, &pair->link);
	for (unsigned i = 0; i < 2; i++)
		pair->halves[i].pair = pair;
	pair->halves[0].stream = stream;
	stream_own(stream, &events, &pair->halves[0]);
	if (network_connect(relay->host, relay->loop, &port->to, NULL, &pair->halves[1].stream)) {
		pair_end(pair, false);
		return;
	}
	stream_own(pair->halves[1].stream, &events, &pair->halves[1]);
	stream_resume(pair->halves[0].stream);
	stream_resume(pair->halves[1].stream);
}

void relay_start(struct relay *relay, struct harness *harness, struct network *host)
{
	*relay = (struct relay){ .harness = harness, .host = host };
	list_init(&relay->pairs);
	relay->process = sim_process_new(host, "relay");
	sim_process_enter(relay->process);
	int e = loop_new(&(struct loop_options){ .name = "relay" }, &relay->loop);
	CHECK(e == 0);
}

struct address relay_add(struct relay *relay, const struct address *to)
{
	CHECK(relay->port_count < RELAY_PORTS);
	struct relay_port *port = &relay->ports[relay->port_count++];
	*port = (struct relay_port){ .relay = relay, .to = *to, .listens = *sim_host_address(relay->host) };
	sim_process_enter(relay->process);
	int e = listen_open(relay->host, &port->listens, 1, &(struct listen_options){ 0 }, &port->set);
	CHECK(e == 0);
	listen_address(port->set, &port->listens);
	port->listener = listen_start(port->set, 0, relay->loop, accepted, port);
	return port->listens;
}

void relay_stop(struct relay *relay)
{
	LIST_EACH_SAFE(&relay->pairs, link, after)
		pair_end(LIST_OF(link, struct pair, link), false);
	for (unsigned i = 0; i < relay->port_count; i++) {
		listen_stop(relay->ports[i].listener);
		listen_close(relay->ports[i].set);
	}
	harness_check_open(relay->harness, relay->process, &(struct sim_open){ .loops = 1 });
	loop_free(relay->loop);
}

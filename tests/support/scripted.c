/* SPDX-License-Identifier: Apache-2.0 */
#include "support/scripted.h"

#include "base/check.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "support/secure.h"

static void heard(void *owner, struct buffer *buffer)
{
	struct scripted_call *call = owner;
	text_append(&call->heard, slice_make(buffer->bytes, buffer->filled));
	buffer_unref(buffer);
}

static void left(void *owner)
{
	((struct scripted_call *)owner)->left = true;
}

static void drained(void *owner)
{
	(void)owner;
}

static void failed(void *owner, int error)
{
	(void)error;
	left(owner);
}

static const struct stream_events events = { .connected = drained, .received = heard, .ended = left, .drained = drained, .failed = failed };

static void accepted(void *owner, struct stream *stream)
{
	struct scripted *server = owner;
	struct scripted_call *call = &server->calls[server->count++];
	CHECK(server->count <= SCRIPTED_MOST);
	call->stream = server->secure ? secure_server(server->secure, stream) : stream;
	stream_own(call->stream, &events, call);
	stream_resume(call->stream);
}

void scripted_listen(struct scripted *server)
{
	struct address address = { 0 };
	int e = address_parse(SLICE("0.0.0.0"), server->port, &address);
	CHECK(e == 0);
	e = listen_open(server->host, &address, 1, &(struct listen_options){ 0 }, &server->set);
	CHECK(e == 0);
	server->listener = listen_start(server->set, 0, server->loop, accepted, server);
}

void scripted_start(struct scripted *server, struct network *host, struct loop *loop, uint16_t port, struct secure *secure)
{
	*server = (struct scripted){ .host = host, .loop = loop, .port = port, .secure = secure };
	scripted_listen(server);
}

void scripted_stop(struct scripted *server)
{
	if (!server->set)
		return;
	listen_stop(server->listener);
	listen_close(server->set);
	server->set = NULL;
	for (unsigned i = 0; i < server->count; i++)
		scripted_reset(&server->calls[i]);
}

void scripted_fini(struct scripted *server)
{
	scripted_stop(server);
	for (unsigned i = 0; i < server->count; i++)
		text_free(&server->calls[i].heard);
}

void scripted_send(struct scripted_call *call, const char *text)
{
	/* Copied into the loop's buffers: what a stream has taken is its own. */
	for (struct slice rest = slice_of(text); rest.length;) {
		struct buffer *buffer = buffer_get(loop_buffers(call->stream->loop));
		CHECK(buffer);
		size_t now = rest.length < buffer->capacity ? rest.length : buffer->capacity;
		memcpy(buffer->bytes, rest.at, now);
		buffer->filled = (uint32_t)now;
		rest = slice_from(rest, now);
		stream_take(call->stream, &(struct piece){ buffer, buffer->bytes, now }, 1);
	}
}

void scripted_end(struct scripted_call *call)
{
	stream_finish(call->stream);
}

void scripted_reset(struct scripted_call *call)
{
	if (call->stream)
		stream_reset(call->stream);
	call->stream = NULL;
}

void scripted_world_new(struct scripted_world *world, uint64_t seed)
{
	*world = (struct scripted_world){ .sim = sim_new(seed, NULL) };
	world->server_host = sim_host_new(world->sim, "10.0.0.1");
	CHECK(loop_new(&(struct loop_options){ .name = "server" }, &world->server_loop) == 0);
	scripted_start(&world->server, world->server_host, world->server_loop, 8001, NULL);
	world->host = sim_host_new(world->sim, "10.0.0.2");
	CHECK(loop_new(&(struct loop_options){ .name = "control" }, &world->loop) == 0);
}

void scripted_world_free(struct scripted_world *world)
{
	struct sim_open open;

	sim_run_for(world->sim, CLOCK_SECOND);
	sim_host_enter(world->server_host);
	scripted_fini(&world->server);
	sim_run_for(world->sim, CLOCK_MINUTE);
	sim_host_enter(world->host);
	sim_process_open(sim_process_current(world->sim), &open);
	CHECK(open.streams + open.timers + open.buffers == 0);
	loop_free(world->loop);
	loop_free(world->server_loop);
	sim_free(world->sim);
}

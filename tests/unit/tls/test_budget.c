/* SPDX-License-Identifier: Apache-2.0 */
/* Many handshakes that come at once: how many of them take their steps in one turn of the loop, and how many there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "support/secure.h"
#include "tls/library.h"

enum { CONNECTIONS = 24, PORT = 443, IDLE_TURNS = 3 };

struct rig {
	struct sim *sim;
	struct network *server_host, *client_host;
	struct loop *server_loop, *client_loop;
	struct secure *secure;
	struct tls_pools *pools; /* the server's, with limits of the test's */
	struct listen_set *set;
	struct listener *listener;
	struct stream *accepted[CONNECTIONS], *clients[CONNECTIONS];
	unsigned accepted_count, refused, connected, failed;
	struct timer turn; /* at the beginning of each turn, while anything happens */
	unsigned in_turn, most_in_turn, idle_turns;
};

static void next_turn(void *owner)
{
	struct rig *rig = owner;

	rig->idle_turns = rig->in_turn ? 0 : rig->idle_turns + 1;
	rig->in_turn = 0;
	if (rig->idle_turns < IDLE_TURNS)
		timer_set(rig->server_loop, &rig->turn, loop_now(rig->server_loop));
}

static void connected(void *owner)
{
	struct rig *rig = owner;

	rig->connected++;
	rig->in_turn++;
	if (rig->in_turn > rig->most_in_turn)
		rig->most_in_turn = rig->in_turn;
	if (!timer_is_set(&rig->turn)) {
		rig->idle_turns = 0;
		timer_set(rig->server_loop, &rig->turn, loop_now(rig->server_loop));
	}
}

static void failed(void *owner, int error)
{
	(void)error;
	((struct rig *)owner)->failed++;
}

static void received(void *owner, struct buffer *buffer)
{
	(void)owner;
	buffer_unref(buffer);
}

static void nothing(void *owner)
{
	(void)owner;
}

static const struct stream_events server_events = {
	.connected = connected, .received = received, .ended = nothing, .drained = nothing, .failed = failed
};

static void ignore_failure(void *owner, int error)
{
	(void)owner;
	(void)error;
}

static const struct stream_events client_events = {
	.connected = nothing, .received = received, .ended = nothing, .drained = nothing, .failed = ignore_failure
};

static void accepted(void *owner, struct stream *below)
{
	struct rig *rig = owner;
	struct stream *stream;
	int e = tls_accept(rig->pools, rig->secure->server, below, &rig->secure->server_counters, &stream);

	if (e) {
		assert_int_equal(e, ERROR_LIMIT);
		rig->refused++;
		return;
	}
	rig->accepted[rig->accepted_count++] = stream;
	stream_own(stream, &server_events, rig);
	stream_resume(stream);
}

static struct rig *rig_new(const struct tls_limits *limits)
{
	static struct rig rig;
	struct address any = { .family = ADDRESS_IP4, .port = PORT };

	rig = (struct rig){ .sim = sim_new(1, NULL) };
	library_start();
	rig.server_host = sim_host_new(rig.sim, "10.0.0.1");
	rig.client_host = sim_host_new(rig.sim, "10.0.0.2");
	*sim_link(rig.server_host, rig.client_host) = SIM_LINK_CALM;
	*sim_link(rig.client_host, rig.server_host) = SIM_LINK_CALM;
	sim_host_enter(rig.client_host);
	assert_int_equal(loop_new(&(struct loop_options){ .name = "client" }, &rig.client_loop), 0);
	sim_host_enter(rig.server_host);
	assert_int_equal(loop_new(&(struct loop_options){ .name = "server" }, &rig.server_loop), 0);
	rig.secure = secure_new(rig.server_loop, rig.client_loop);
	assert_int_equal(tls_pools_new(rig.server_loop, limits, &rig.pools), 0);
	assert_int_equal(listen_open(rig.server_host, &any, 1, &(struct listen_options){ 0 }, &rig.set), 0);
	rig.listener = listen_start(rig.set, 0, rig.server_loop, accepted, &rig);
	timer_init(&rig.turn, next_turn, &rig);
	return &rig;
}

static void connect_all(struct rig *rig, unsigned count)
{
	struct address address = *sim_host_address(rig->server_host);

	address.port = PORT;
	sim_host_enter(rig->client_host);
	for (unsigned i = 0; i < count; i++) {
		struct stream *below;

		assert_int_equal(network_connect(rig->client_host, rig->client_loop, &address, &(struct socket_options){ 0 }, &below), 0);
		rig->clients[i] = secure_client(rig->secure, below);
		stream_own(rig->clients[i], &client_events, rig);
		stream_resume(rig->clients[i]);
	}
	sim_run_for(rig->sim, 5 * CLOCK_SECOND);
}

static void close_all(struct rig *rig)
{
	sim_host_enter(rig->client_host);
	for (unsigned i = 0; i < CONNECTIONS && rig->clients[i]; i++) {
		stream_close(rig->clients[i]);
		rig->clients[i] = NULL;
	}
	sim_run_for(rig->sim, CLOCK_SECOND);
	sim_host_enter(rig->server_host);
	for (unsigned i = 0; i < rig->accepted_count; i++)
		stream_close(rig->accepted[i]);
	rig->accepted_count = 0;
	sim_run_for(rig->sim, 10 * CLOCK_SECOND);
}

static void rig_free(struct rig *rig)
{
	close_all(rig);
	timer_cancel(rig->server_loop, &rig->turn);
	listen_stop(rig->listener);
	listen_close(rig->set);
	tls_pools_free(rig->pools);
	secure_free(rig->secure);
	loop_free(rig->server_loop);
	loop_free(rig->client_loop);
	sim_free(rig->sim);
}

/* Else what is established would wait for all of them. */
static void few_steps_are_taken_in_one_turn(void **state)
{
	static const unsigned steps[] = { 1, 3, 1000 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = rig_new(&(struct tls_limits){ .steps_per_turn = steps[i] });

		connect_all(rig, CONNECTIONS);
		assert_int_equal(rig->connected, CONNECTIONS);
		if (steps[i] < CONNECTIONS)
			assert_int_equal(rig->most_in_turn, steps[i]);
		else
			assert_true(rig->most_in_turn > 3); /* they do come at once */
		rig_free(rig);
	}
}

static void handshakes_beyond_the_limit_are_refused(void **state)
{
	struct rig *rig = rig_new(&(struct tls_limits){ .max_handshakes = 10 });

	(void)state;
	connect_all(rig, CONNECTIONS);
	assert_int_equal(rig->connected, 10);
	assert_int_equal(rig->refused, CONNECTIONS - 10);
	assert_int_equal(counter_read(&rig->secure->server_counters.handshakes), 10);
	close_all(rig);
	/* Those have ended, so there is room again; what is established counts no more. */
	connect_all(rig, 10);
	assert_int_equal(rig->connected, 20);
	assert_int_equal(rig->refused, CONNECTIONS - 10);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_steps_are_taken_in_one_turn),
		cmocka_unit_test(handshakes_beyond_the_limit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

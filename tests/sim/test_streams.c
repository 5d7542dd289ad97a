/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network, judged by what io/stream.h and io/network.h promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"

enum { PAYLOAD = 300000 };

/* One end of a connection, that counts and checks what it is told. */
struct peer {
	struct stream *stream;
	struct loop *loop;
	uint64_t received, sent;
	uint64_t to_send;
	unsigned connected, ended, drained, failures;
	int error;
	bool echo, finish_when_sent, close_on_end, wrong;
	bool blocked; /* a take left bytes waiting */
};

struct pair {
	struct sim *sim;
	struct network *near, *far;
	struct loop *near_loop, *far_loop;
	struct listen_set *set;
	struct listener *listener;
	struct address where;
	struct peer client, server;
	unsigned accepted;
};

static char pattern(uint64_t position)
{
	return (char)(position * 31 + position / 251);
}

static void send_more(struct peer *peer)
{
	while (!peer->blocked && peer->sent < peer->to_send) {
		struct buffer *buffer = buffer_get(loop_buffers(peer->loop));
		assert_non_null(buffer);
		while (buffer->filled < 5000 && peer->sent < peer->to_send)
			buffer->bytes[buffer->filled++] = pattern(peer->sent++);
		struct piece piece = { buffer, buffer->bytes, buffer->filled };
		peer->blocked = stream_take(peer->stream, &piece, 1) > 0;
	}
	if (peer->finish_when_sent && peer->sent == peer->to_send) {
		peer->finish_when_sent = false;
		stream_finish(peer->stream);
	}
}

static void on_connected(void *owner)
{
	struct peer *peer = owner;
	peer->connected++;
}

static void on_received(void *owner, struct buffer *buffer)
{
	struct peer *peer = owner;
	assert_true(buffer->filled > 0);
	for (uint32_t i = 0; i < buffer->filled; i++)
		peer->wrong |= buffer->bytes[i] != pattern(peer->received + i);
	peer->received += buffer->filled;
	if (!peer->echo) {
		buffer_unref(buffer);
		return;
	}
	struct piece piece = { buffer, buffer->bytes, buffer->filled };
	peer->sent += piece.length;
	if (stream_take(peer->stream, &piece, 1) > 0) {
		peer->blocked = true;
		stream_pause(peer->stream);
	}
}

static void on_ended(void *owner)
{
	struct peer *peer = owner;
	peer->ended++;
	if (peer->echo)
		stream_finish(peer->stream);
	if (peer->close_on_end) {
		stream_linger(peer->stream);
		peer->stream = NULL;
	}
}

static void on_drained(void *owner)
{
	struct peer *peer = owner;
	assert_true(peer->blocked);
	peer->blocked = false;
	peer->drained++;
	if (peer->echo)
		stream_resume(peer->stream);
	send_more(peer);
}

static void on_failed(void *owner, int error)
{
	struct peer *peer = owner;
	peer->failures++;
	peer->error = error;
	stream_close(peer->stream);
	peer->stream = NULL;
}

static const struct stream_events peer_events = {
	.connected = on_connected,
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.failed = on_failed,
};

static void on_accepted(void *owner, struct stream *stream)
{
	struct pair *pair = owner;
	assert_null(pair->server.stream);
	pair->accepted++;
	pair->server.stream = stream;
	pair->server.loop = pair->far_loop;
	stream_own(stream, &peer_events, &pair->server);
	stream_resume(stream);
}

static struct address address_of(const struct network *host, uint16_t port)
{
	struct address address = *sim_host_address(host);
	address.port = port;
	return address;
}

static void pair_new(struct pair *pair, uint64_t seed, const struct sim_options *options)
{
	*pair = (struct pair){ .sim = sim_new(seed, options) };
	pair->far = sim_host_new(pair->sim, "10.0.0.1");
	assert_int_equal(0, loop_new(&(struct loop_options){ .name = "far" }, &pair->far_loop));
	struct address any = { .family = ADDRESS_IP4, .port = 80 };
	assert_int_equal(0, listen_open(network_host(), &any, 1, &(struct listen_options){ 0 }, &pair->set));
	pair->listener = listen_start(pair->set, 0, pair->far_loop, on_accepted, pair);
	pair->near = sim_host_new(pair->sim, "10.0.0.2");
	assert_int_equal(0, loop_new(&(struct loop_options){ .name = "near" }, &pair->near_loop));
	pair->where = address_of(pair->far, 80);
}

static void pair_connect(struct pair *pair)
{
	struct peer *client = &pair->client;
	client->loop = pair->near_loop;
	assert_int_equal(0, network_connect(pair->near, pair->near_loop, &pair->where, NULL, &client->stream));
	stream_own(client->stream, &peer_events, client);
	stream_resume(client->stream);
}

static void pair_free(struct pair *pair)
{
	if (pair->client.stream)
		stream_close(pair->client.stream);
	if (pair->server.stream)
		stream_close(pair->server.stream);
	listen_stop(pair->listener);
	listen_close(pair->set);
	loop_free(pair->near_loop);
	loop_free(pair->far_loop);
	sim_free(pair->sim);
	assert_false(pair->client.wrong);
	assert_false(pair->server.wrong);
}

static bool not_open(void *owner)
{
	struct pair *pair = owner;
	return !pair->accepted || !pair->client.connected;
}

static void pair_open(struct pair *pair, uint64_t seed, const struct sim_options *options)
{
	pair_new(pair, seed, options);
	pair_connect(pair);
	assert_true(sim_run_while(pair->sim, not_open, pair, CLOCK_SECOND));
}

static bool client_not_ended(void *owner)
{
	struct pair *pair = owner;
	return !pair->client.ended && !pair->client.failures;
}

static bool client_not_failed(void *owner)
{
	struct pair *pair = owner;
	return !pair->client.failures;
}

static uint64_t run_echo(uint64_t seed)
{
	struct pair pair;
	pair_new(&pair, seed, NULL);
	pair.server.echo = true;
	pair.client.to_send = PAYLOAD;
	pair.client.finish_when_sent = true;
	pair_connect(&pair);
	send_more(&pair.client); /* before it is connected */
	assert_true(sim_run_while(pair.sim, client_not_ended, &pair, 600 * CLOCK_SECOND));
	assert_int_equal(pair.client.failures, 0);
	assert_int_equal(pair.client.received, PAYLOAD);
	assert_int_equal(pair.server.received, PAYLOAD);
	assert_int_equal(pair.server.ended, 1);
	assert_true(pair.client.drained > 0);
	struct sim_totals totals;
	sim_totals(pair.sim, &totals);
	assert_int_equal(totals.bytes_sent, 2 * PAYLOAD);
	assert_int_equal(totals.bytes_received, 2 * PAYLOAD);
	uint64_t hash = sim_hash(pair.sim);
	pair_free(&pair);
	return hash;
}

static void echo_carries_every_byte_whatever_the_seed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++)
		run_echo(seed);
}

static void same_seed_same_log(void **state)
{
	(void)state;
	uint64_t first = run_echo(1);
	assert_int_equal(first, run_echo(1));
	assert_int_not_equal(first, run_echo(2));
}

static void connecting_to_a_closed_port_is_refused(void **state)
{
	(void)state;
	struct pair pair;
	pair_new(&pair, 3, NULL);
	pair.where.port = 81;
	pair_connect(&pair);
	assert_true(sim_run_while(pair.sim, client_not_failed, &pair, CLOCK_SECOND));
	assert_int_equal(pair.client.error, ERROR_REFUSED);
	pair_free(&pair);
}

static void connecting_to_nowhere_is_unreachable(void **state)
{
	(void)state;
	struct pair pair;
	pair_new(&pair, 3, NULL);
	assert_int_equal(0, address_parse(SLICE("10.9.9.9"), 80, &pair.where));
	pair_connect(&pair);
	assert_true(sim_run_while(pair.sim, client_not_failed, &pair, 10 * CLOCK_SECOND));
	assert_int_equal(pair.client.error, ERROR_UNREACHABLE);
	pair_free(&pair);
}

static void a_blackhole_times_out_after_minutes(void **state)
{
	(void)state;
	struct pair pair;
	pair_new(&pair, 3, NULL);
	sim_link(pair.near, pair.far)->blackhole_chance = 1000000;
	pair_connect(&pair);
	int64_t began = sim_now(pair.sim);
	assert_true(sim_run_while(pair.sim, client_not_failed, &pair, 600 * CLOCK_SECOND));
	assert_int_equal(pair.client.error, ERROR_TIMEOUT);
	assert_true(sim_now(pair.sim) - began > 60 * CLOCK_SECOND);
	pair_free(&pair);
}

static void a_paused_reader_holds_the_sender(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 5, NULL);
	stream_pause(pair.server.stream);
	pair.client.to_send = PAYLOAD;
	send_more(&pair.client);
	sim_run_for(pair.sim, 60 * CLOCK_SECOND);
	assert_true(pair.client.blocked);
	assert_int_equal(pair.server.received, 0);
	assert_true(pair.client.sent < 2 * 65536 + 5000);
	stream_resume(pair.server.stream);
	sim_run_for(pair.sim, 60 * CLOCK_SECOND);
	assert_int_equal(pair.server.received, PAYLOAD);
	assert_false(pair.client.blocked);
	pair_free(&pair);
}

static void half_close_leaves_the_other_way_open(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 6, NULL);
	stream_finish(pair.client.stream);
	sim_run_for(pair.sim, CLOCK_SECOND);
	assert_int_equal(pair.server.ended, 1);
	assert_int_equal(pair.client.ended, 0);
	pair.server.to_send = 50000;
	send_more(&pair.server);
	sim_run_for(pair.sim, 10 * CLOCK_SECOND);
	assert_int_equal(pair.client.received, 50000);
	pair_free(&pair);
}

static void closing_with_unread_bytes_resets(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 7, NULL);
	stream_pause(pair.server.stream);
	pair.client.to_send = 1000;
	send_more(&pair.client);
	sim_run_for(pair.sim, CLOCK_SECOND);
	stream_close(pair.server.stream);
	pair.server.stream = NULL;
	sim_run_for(pair.sim, CLOCK_SECOND);
	assert_int_equal(pair.client.failures, 1);
	assert_int_equal(pair.client.error, ERROR_RESET);
	assert_int_equal(pair.client.ended, 0);
	pair_free(&pair);
}

/* Nothing waits and nothing is unread; what was sent arrives before it. */
static void resetting_resets(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 17, NULL);
	pair.server.to_send = 1000;
	send_more(&pair.server);
	sim_run_for(pair.sim, CLOCK_SECOND);
	stream_reset(pair.server.stream);
	pair.server.stream = NULL;
	sim_run_for(pair.sim, CLOCK_SECOND);
	assert_int_equal(pair.client.received, 1000);
	assert_int_equal(pair.client.failures, 1);
	assert_int_equal(pair.client.error, ERROR_RESET);
	assert_int_equal(pair.client.ended, 0);
	pair_free(&pair);
}

static void sending_to_a_closed_end_is_reset(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 8, NULL);
	stream_close(pair.server.stream);
	pair.server.stream = NULL;
	sim_run_for(pair.sim, CLOCK_SECOND);
	assert_int_equal(pair.client.ended, 1);
	assert_int_equal(pair.client.failures, 0);
	pair.client.to_send = 10;
	send_more(&pair.client);
	sim_run_for(pair.sim, CLOCK_SECOND);
	assert_int_equal(pair.client.error, ERROR_RESET);
	pair_free(&pair);
}

static void linger_delivers_all_although_the_peer_still_sends(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct pair pair;
		pair_open(&pair, seed, NULL);
		stream_pause(pair.server.stream);
		pair.client.to_send = 1500;
		send_more(&pair.client);
		sim_run_for(pair.sim, CLOCK_SECOND);
		pair.server.to_send = 40000;
		send_more(&pair.server);
		while (pair.server.sent < pair.server.to_send)
			sim_run_for(pair.sim, CLOCK_MS);
		stream_linger(pair.server.stream);
		pair.server.stream = NULL;
		sim_run_for(pair.sim, 10 * CLOCK_SECOND);
		assert_int_equal(pair.client.received, 40000);
		assert_int_equal(pair.client.ended, 1);
		assert_int_equal(pair.client.failures, 0);
		pair_free(&pair);
	}
}

static void a_broken_connection_fails_both_ends(void **state)
{
	(void)state;
	unsigned cut_short = 0;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct pair pair;
		pair_new(&pair, seed, NULL);
		sim_link(pair.near, pair.far)->reset_chance = 1000000;
		pair_connect(&pair);
		pair.client.to_send = PAYLOAD;
		send_more(&pair.client);
		assert_true(sim_run_while(pair.sim, client_not_failed, &pair, 60 * CLOCK_SECOND));
		sim_run_for(pair.sim, CLOCK_SECOND);
		assert_int_equal(pair.client.error, ERROR_RESET);
		assert_int_equal(pair.server.failures, pair.accepted);
		cut_short += pair.server.received > 0 && pair.server.received < PAYLOAD;
		pair_free(&pair);
	}
	assert_true(cut_short > 0);
}

static void a_half_open_connection_times_out_at_last(void **state)
{
	(void)state;
	struct pair pair;
	pair_new(&pair, 9, NULL);
	sim_link(pair.near, pair.far)->vanish_chance = 1000000;
	pair_connect(&pair);
	pair.client.to_send = PAYLOAD;
	send_more(&pair.client);
	sim_run_for(pair.sim, 60 * CLOCK_SECOND);
	assert_int_equal(pair.client.failures, 0);
	assert_true(sim_run_while(pair.sim, client_not_failed, &pair, 3600 * CLOCK_SECOND));
	assert_int_equal(pair.client.error, ERROR_TIMEOUT);
	assert_int_equal(pair.server.failures, 0);
	assert_int_equal(pair.server.ended, 0);
	pair_free(&pair);
}

static void a_partition_delays_and_heals(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 10, NULL);
	sim_partition(pair.near, pair.far, true);
	pair.client.to_send = 1000;
	send_more(&pair.client);
	sim_run_for(pair.sim, 5 * CLOCK_SECOND);
	assert_int_equal(pair.server.received, 0);
	sim_partition(pair.near, pair.far, false);
	sim_run_for(pair.sim, 20 * CLOCK_SECOND);
	assert_int_equal(pair.server.received, 1000);
	pair_free(&pair);
}

static void a_full_backlog_makes_clients_wait(void **state)
{
	(void)state;
	struct pair pair;
	pair_new(&pair, 11, NULL);
	listen_stop(pair.listener);
	listen_close(pair.set);
	sim_host_enter(pair.far);
	struct address any = { .family = ADDRESS_IP4, .port = 80 };
	assert_int_equal(0, listen_open(pair.far, &any, 1, &(struct listen_options){ .backlog = 1 }, &pair.set));
	pair.listener = NULL;
	struct stream *first;
	struct peer other = { .loop = pair.near_loop };
	assert_int_equal(0, network_connect(pair.near, pair.near_loop, &pair.where, NULL, &first));
	other.stream = first;
	stream_own(first, &peer_events, &other);
	sim_run_for(pair.sim, 10 * CLOCK_MS);
	assert_int_equal(other.connected, 1); /* in the backlog, not accepted */
	pair_connect(&pair);
	sim_run_for(pair.sim, 500 * CLOCK_MS);
	assert_int_equal(pair.client.connected, 0);
	stream_close(first);
	pair.listener = listen_start(pair.set, 0, pair.far_loop, on_accepted, &pair);
	sim_run_for(pair.sim, CLOCK_MS);
	assert_int_equal(pair.accepted, 1);
	stream_close(pair.server.stream);
	pair.server.stream = NULL;
	assert_true(sim_run_while(pair.sim, not_open, &pair, 10 * CLOCK_SECOND));
	pair_free(&pair);
}

static void a_crash_resets_and_a_silent_one_does_not(void **state)
{
	(void)state;
	struct pair pair;
	for (int silent = 0; silent < 2; silent++) {
		pair_open(&pair, 12, NULL);
		sim_host_enter(pair.far);
		sim_process_crash(sim_process_current(pair.sim), silent ? SIM_CRASH_SILENT : SIM_CRASH_RESET);
		sim_run_for(pair.sim, CLOCK_SECOND);
		assert_int_equal(pair.client.failures, silent ? 0 : 1);
		if (silent) {
			/* The host is back, and knows nothing of the connection. */
			sim_host_enter(pair.far);
			pair.client.to_send = 1;
			send_more(&pair.client);
			sim_run_for(pair.sim, 10 * CLOCK_SECOND);
		}
		assert_int_equal(pair.client.error, ERROR_RESET);
		pair_free(&pair);
	}
}

static void a_crashed_process_may_leave_its_objects(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 13, NULL);
	sim_host_enter(pair.far);
	sim_process_crash(sim_process_current(pair.sim), SIM_CRASH_RESET);
	pair.far_loop = NULL;
	pair.server.stream = NULL;
	sim_run_for(pair.sim, CLOCK_SECOND);
	assert_int_equal(pair.client.failures, 1);
	pair_free(&pair);
}

static void the_nth_call_fails_once(void **state)
{
	(void)state;
	struct pair pair;
	struct stream *stream;
	pair_new(&pair, 14, NULL);
	sim_fail_nth(pair.sim, SIM_CALL_CONNECT, 1);
	assert_int_equal(ERROR_LIMIT, network_connect(pair.near, pair.near_loop, &pair.where, NULL, &stream));
	sim_fail_nth(pair.sim, SIM_CALL_ACCEPT, 1);
	pair_connect(&pair);
	sim_run_for(pair.sim, 50 * CLOCK_MS);
	assert_int_equal(pair.client.connected, 1);
	assert_int_equal(pair.accepted, 0);
	sim_run_for(pair.sim, 100 * CLOCK_MS);
	assert_int_equal(pair.accepted, 1);
	sim_fail_nth(pair.sim, SIM_CALL_BUFFER, 1);
	pair.client.to_send = 10;
	send_more(&pair.client);
	sim_run_for(pair.sim, CLOCK_SECOND);
	assert_int_equal(pair.server.error, ERROR_LIMIT);
	assert_int_equal(pair.client.error, ERROR_RESET);
	pair_free(&pair);
}

static void no_memory_for_a_stream_is_told(void **state)
{
	(void)state;
	struct pair pair;
	struct stream *stream;
	pair_new(&pair, 15, NULL);
	memory_fail_nth(1);
	assert_int_equal(ERROR_NO_MEMORY, network_connect(pair.near, pair.near_loop, &pair.where, NULL, &stream));
	memory_fail_nth(0);
	pair_connect(&pair);
	assert_true(sim_run_while(pair.sim, not_open, &pair, CLOCK_SECOND));
	pair_free(&pair);
}

static void addresses_agree(void **state)
{
	(void)state;
	struct pair pair;
	pair_open(&pair, 16, NULL);
	struct address a, b, c, d;
	stream_addresses(pair.client.stream, &a, &b);
	stream_addresses(pair.server.stream, &c, &d);
	assert_true(address_equal(&a, &d));
	assert_true(address_equal(&b, &c));
	assert_true(address_same_ip(&a, sim_host_address(pair.near)));
	assert_int_equal(b.port, 80);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_carries_every_byte_whatever_the_seed),
		cmocka_unit_test(same_seed_same_log),
		cmocka_unit_test(connecting_to_a_closed_port_is_refused),
		cmocka_unit_test(connecting_to_nowhere_is_unreachable),
		cmocka_unit_test(a_blackhole_times_out_after_minutes),
		cmocka_unit_test(a_paused_reader_holds_the_sender),
		cmocka_unit_test(half_close_leaves_the_other_way_open),
		cmocka_unit_test(closing_with_unread_bytes_resets),
		cmocka_unit_test(resetting_resets),
		cmocka_unit_test(sending_to_a_closed_end_is_reset),
		cmocka_unit_test(linger_delivers_all_although_the_peer_still_sends),
		cmocka_unit_test(a_broken_connection_fails_both_ends),
		cmocka_unit_test(a_half_open_connection_times_out_at_last),
		cmocka_unit_test(a_partition_delays_and_heals),
		cmocka_unit_test(a_full_backlog_makes_clients_wait),
		cmocka_unit_test(a_crash_resets_and_a_silent_one_does_not),
		cmocka_unit_test(a_crashed_process_may_leave_its_objects),
		cmocka_unit_test(the_nth_call_fails_once),
		cmocka_unit_test(no_memory_for_a_stream_is_told),
		cmocka_unit_test(addresses_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

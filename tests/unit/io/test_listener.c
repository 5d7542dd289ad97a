/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of listening sockets, and what happens when descriptors or streams run out. */
#include "unit/io/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct loop_options defaults = { .name = "test" };

static int raw_connect(const struct address *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(address->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

static void close_accepted(struct rig *rig)
{
	while (rig->accepted_count)
		stream_close(rig->accepted[--rig->accepted_count]);
}

static void a_port_is_chosen_and_shared(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct listener *listeners[3];
	int clients[12];
	assert_int_equal(listen_open(network_host(), &rig->address, 3, &(struct listen_options){ 0 }, &rig->set), 0);
	listen_address(rig->set, &rig->address);
	assert_int_not_equal(rig->address.port, 0);
	for (unsigned i = 0; i < 3; i++)
		listeners[i] = listen_start(rig->set, i, rig->loop, rig_accepted, rig);
	for (int i = 0; i < 12; i++)
		clients[i] = raw_connect(&rig->address);
	rig_accept(rig, 12);
	close_accepted(rig);
	for (int i = 0; i < 12; i++)
		close(clients[i]);
	for (int i = 0; i < 3; i++)
		listen_stop(listeners[i]);
	rig_free(rig);
}

static void a_port_in_use_is_refused(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct listen_set *second;
	for (unsigned first = 1; first <= 2; first++) {
		rig->address.port = 0;
		assert_int_equal(listen_open(network_host(), &rig->address, first, &(struct listen_options){ 0 }, &rig->set), 0);
		listen_address(rig->set, &rig->address);
		for (unsigned sockets = 1; sockets <= 2; sockets++)
			assert_int_equal(
				listen_open(network_host(), &rig->address, sockets, &(struct listen_options){ 0 }, &second), ERROR_EXISTS);
		listen_close(rig->set);
		rig->set = NULL;
	}
	assert_int_equal(address_parse(SLICE("192.0.2.1"), 0, &rig->address), 0); /* RFC 5737: nobody's */
	assert_int_equal(listen_open(network_host(), &rig->address, 1, &(struct listen_options){ 0 }, &second), ERROR_UNREACHABLE);
	rig_free(rig);
}

/* A reload stops one listener and starts another on the same socket: who connects in between is accepted by the second. */
static void connections_wait_while_nobody_listens(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	rig_listen(rig);
	rig_turns(rig, 1);
	listen_stop(rig->listener);
	int client = raw_connect(&rig->address);
	rig_turns(rig, 3);
	assert_int_equal(rig->accepted_count, 0);
	rig->listener = listen_start(rig->set, 0, rig->loop, rig_accepted, rig);
	rig_accept(rig, 1);
	close_accepted(rig);
	close(client);
	rig_free(rig);
}

static void stop_when_accepted(void *owner, struct stream *stream)
{
	struct rig *rig = owner;
	rig_accepted(rig, stream);
	listen_stop(rig->listener);
	rig->listener = NULL;
}

static void a_listener_may_be_stopped_in_its_event(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	assert_int_equal(listen_open(network_host(), &rig->address, 1, &(struct listen_options){ 0 }, &rig->set), 0);
	listen_address(rig->set, &rig->address);
	int clients[2] = { raw_connect(&rig->address), raw_connect(&rig->address) };
	rig->listener = listen_start(rig->set, 0, rig->loop, stop_when_accepted, rig);
	rig_accept(rig, 1);
	rig_turns(rig, 3);
	assert_int_equal(rig->accepted_count, 1);
	close_accepted(rig);
	close(clients[0]);
	close(clients[1]);
	rig_free(rig);
}

static void accepting_waits_for_streams(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&(struct loop_options){ .name = "test", .max_streams = 2 });
	rig_listen(rig);
	int clients[3];
	for (int i = 0; i < 3; i++)
		clients[i] = raw_connect(&rig->address);
	rig_accept(rig, 2);
	rig_turns(rig, 3);
	assert_int_equal(rig->accepted_count, 2);
	stream_close(rig->accepted[1]);
	rig->accepted_count = 1;
	rig_accept(rig, 2); /* the third, after the pause */
	close_accepted(rig);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	rig_free(rig);
}

static void accepting_waits_for_descriptors(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct rlimit before, tight;
	rig_listen(rig);
	rig_turns(rig, 1);
	int client = raw_connect(&rig->address);
	int next = fcntl(client, F_DUPFD, 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)next; /* not one more */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (int i = 0; i < 5; i++)
		rig_turns(rig, 1);
	unsigned accepted = rig->accepted_count;
	struct stream *stream;
	int connecting = network_connect(network_host(), rig->loop, &rig->address, NULL, &stream);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(accepted, 0);
	assert_int_equal(connecting, ERROR_LIMIT);
	rig_accept(rig, 1);
	close_accepted(rig);
	close(client);
	rig_free(rig);
}

static int nodelay_of(int client)
{
	/* The accepted socket is the one whose peer is the client. */
	struct sockaddr_in mine, theirs;
	socklen_t length = sizeof mine;
	assert_int_equal(getsockname(client, (struct sockaddr *)&mine, &length), 0);
	for (int fd = 3; fd < 1000; fd++) {
		int value;
		length = sizeof theirs;
		if (fd == client || getpeername(fd, (struct sockaddr *)&theirs, &length) || theirs.sin_port != mine.sin_port)
			continue;
		length = sizeof value;
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
		return value;
	}
	return -1;
}

static void accepted_streams_do_not_delay(void **state)
{
	(void)state;
	for (int delay = 0; delay < 2; delay++) {
		struct rig *rig = rig_new(&defaults);
		struct listen_options options = { .socket = { .delay = delay } };
		assert_int_equal(listen_open(network_host(), &rig->address, 1, &options, &rig->set), 0);
		listen_address(rig->set, &rig->address);
		rig->listener = listen_start(rig->set, 0, rig->loop, rig_accepted, rig);
		int client = raw_connect(&rig->address);
		rig_accept(rig, 1);
		assert_int_equal(nodelay_of(client) != 0, !delay);
		close_accepted(rig);
		close(client);
		rig_free(rig);
	}
}

static int listen_again(struct rig *rig, bool exclusive)
{
	int e = listen_open(network_host(), &rig->address, 1, &(struct listen_options){ .exclusive = exclusive }, &rig->set);

	if (e)
		rig->set = NULL;
	return e;
}

/* A connection that was closed from here stays with the kernel for a minute (TIME_WAIT): only who shares the address may
 * listen there meanwhile. */
static void an_exclusive_address_waits_for_old_connections(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	rig_listen(rig);
	int client = raw_connect(&rig->address);
	rig_accept(rig, 1);
	close_accepted(rig);
	rig_turns(rig, 2);
	char byte;
	assert_int_equal(recv(client, &byte, 1, 0), 0);
	close(client);
	listen_stop(rig->listener);
	listen_close(rig->set);
	rig->listener = NULL;
	assert_int_equal(listen_again(rig, true), ERROR_EXISTS);
	assert_int_equal(listen_again(rig, false), 0);
	rig_free(rig);
}

int main(void)
{
	process_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_chosen_and_shared),
		cmocka_unit_test(a_port_in_use_is_refused),
		cmocka_unit_test(connections_wait_while_nobody_listens),
		cmocka_unit_test(a_listener_may_be_stopped_in_its_event),
		cmocka_unit_test(accepting_waits_for_streams),
		cmocka_unit_test(accepting_waits_for_descriptors),
		cmocka_unit_test(accepted_streams_do_not_delay),
		cmocka_unit_test(an_exclusive_address_waits_for_old_connections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

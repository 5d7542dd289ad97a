/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets that were there before: taken by address, all of them accepted from, whatever the number of workers. */
#include "unit/io/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/inherit.h"

enum { CLIENTS = 24 };

static const struct loop_options defaults = { .name = "test" };

static int raw_connect(const struct address *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(address->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

static void connect_all(const struct address *address, int clients[static CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = raw_connect(address);
}

static void close_all(struct rig *rig, const int clients[static CLIENTS])
{
	while (rig->accepted_count)
		stream_close(rig->accepted[--rig->accepted_count]);
	for (int i = 0; i < CLIENTS; i++)
		close(clients[i]);
}

/* What another process would have got: copies of a set's sockets. */
static void inherit(struct inherited *inherited, const struct listen_set *set, uint8_t role)
{
	unsigned count;
	const int *descriptors = listen_descriptors(set, &count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(inherited_add(inherited, dup(descriptors[i]), role), 0);
}

/* `before` sockets, `after` workers: whoever waited in the queues and whoever comes later is accepted. The set before is closed, and the
 * connections in its queues aren't lost. */
static void check_all_are_accepted(unsigned before, unsigned after, bool by_number)
{
	struct rig *rig = rig_new(&defaults);
	struct inherited *inherited = inherited_new();
	const struct listen_options options = { .inherited = inherited, .role = INHERITED_PROXY };
	struct address asked = rig->address;
	struct listener *listeners[4];
	struct listen_set *set;
	int waiting[CLIENTS], later[CLIENTS];
	assert_int_equal(listen_open(network_host(), &rig->address, before, &(struct listen_options){ 0 }, &set), 0);
	listen_address(set, &rig->address);
	if (by_number)
		asked = rig->address;
	inherit(inherited, set, by_number ? INHERITED_BY_NUMBER : INHERITED_PROXY);
	connect_all(&rig->address, waiting);
	assert_int_equal(listen_open(network_host(), &asked, after, &options, &rig->set), 0);
	assert_int_equal(inherited_left(inherited), 0);
	listen_close(set);
	listen_address(rig->set, &asked);
	assert_true(address_equal(&asked, &rig->address));
	for (unsigned i = 0; i < after; i++)
		listeners[i] = listen_start(rig->set, i, rig->loop, rig_accepted, rig);
	rig_accept(rig, CLIENTS);
	connect_all(&rig->address, later);
	rig_accept(rig, 2 * CLIENTS);
	close_all(rig, waiting);
	close_all(rig, later);
	for (unsigned i = 0; i < after; i++)
		listen_stop(listeners[i]);
	inherited_free(inherited);
	rig_free(rig);
}

static void any_number_of_workers_accepts_from_all(void **state)
{
	(void)state;
	for (unsigned before = 1; before <= 4; before++)
		for (unsigned after = 1; after <= 4; after++)
			check_all_are_accepted(before, after, (before + after) % 2);
}

/* Sockets beside inherited ones get no connection before their worker begins: if this process ended now, none would be lost. */
static void a_process_that_never_begins_takes_no_connection(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct inherited *inherited = inherited_new();
	const struct listen_options options = { .inherited = inherited };
	struct listen_set *never;
	int clients[CLIENTS];
	rig_listen(rig);
	inherit(inherited, rig->set, INHERITED_BY_NUMBER);
	assert_int_equal(listen_open(network_host(), &rig->address, 4, &options, &never), 0);
	connect_all(&rig->address, clients);
	listen_close(never);
	rig_accept(rig, CLIENTS);
	close_all(rig, clients);
	inherited_free(inherited);
	rig_free(rig);
}

/* Who was killed while it drained left them so; systemd holds them, too, and gives them to the next process. */
static void one_that_was_left_deaf_hears_again(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct inherited *inherited = inherited_new();
	const struct listen_options options = { .inherited = inherited };
	struct listen_set *before;
	struct listener *listener;
	int clients[CLIENTS];
	assert_int_equal(listen_open(network_host(), &rig->address, 1, &(struct listen_options){ 0 }, &before), 0);
	listen_address(before, &rig->address);
	listen_deafen(before);
	inherit(inherited, before, INHERITED_BY_NUMBER);
	listen_close(before);
	assert_int_equal(listen_open(network_host(), &rig->address, 1, &options, &rig->set), 0);
	listener = listen_start(rig->set, 0, rig->loop, rig_accepted, rig);
	connect_all(&rig->address, clients);
	rig_accept(rig, CLIENTS);
	close_all(rig, clients);
	listen_stop(listener);
	inherited_free(inherited);
	rig_free(rig);
}

static void another_address_or_role_takes_nothing(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct inherited *inherited = inherited_new();
	struct address any = rig->address, bound;
	const struct listen_options admin = { .inherited = inherited, .role = INHERITED_ADMIN };
	struct listen_set *set;
	rig_listen(rig);
	inherit(inherited, rig->set, INHERITED_PROXY);
	assert_int_equal(listen_open(network_host(), &any, 1, &admin, &set), 0);
	listen_address(set, &bound);
	assert_int_not_equal(bound.port, rig->address.port);
	listen_close(set);
	assert_int_equal(inherited_left(inherited), 1);
	assert_int_equal(inherited_drop(inherited), 1);
	assert_int_equal(inherited_left(inherited), 0);
	inherited_free(inherited);
	rig_free(rig);
}

static void what_does_not_listen_is_refused_and_closed(void **state)
{
	(void)state;
	struct inherited *inherited = inherited_new();
	int descriptors[] = {
		socket(AF_INET, SOCK_STREAM, 0),
		socket(AF_INET, SOCK_DGRAM, 0),
		socket(AF_UNIX, SOCK_STREAM, 0),
		open("/dev/null", O_RDONLY | O_CLOEXEC),
	};
	for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) {
		assert_true(descriptors[i] >= 0);
		assert_int_equal(inherited_add(inherited, descriptors[i], INHERITED_BY_NUMBER), ERROR_INVALID);
		assert_int_equal(fcntl(descriptors[i], F_GETFD), -1);
	}
	assert_int_equal(inherited_left(inherited), 0);
	inherited_free(inherited);
}

static void the_environment_names_its_process(void **state)
{
	(void)state;
	struct inherited *inherited = inherited_new();
	char text[16];
	unsigned count;
	snprintf(text, sizeof text, "%d", getpid() + 1);
	assert_int_equal(setenv("LISTEN_PID", text, 1), 0);
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	assert_int_equal(inherited_from_environment(inherited, &count), 0);
	assert_int_equal(count, 0);
	assert_non_null(getenv("LISTEN_FDS")); /* another's */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	inherited_free(inherited);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_of_workers_accepts_from_all),
		cmocka_unit_test(a_process_that_never_begins_takes_no_connection),
		cmocka_unit_test(one_that_was_left_deaf_hears_again),
		cmocka_unit_test(another_address_or_role_takes_nothing),
		cmocka_unit_test(what_does_not_listen_is_refused_and_closed),
		cmocka_unit_test(the_environment_names_its_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Packets with descriptors over a Unix socket. */
#include "unit/io/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/packet.h"

static const struct loop_options defaults = { .name = "test" };

/* An end of a link, and what it was told. */
struct end {
	struct packet_link *link;
	char bytes[PACKET_BYTES];
	size_t length;
	int descriptors[PACKET_DESCRIPTORS];
	unsigned count;
	bool received, ended;
	int error;
};

struct pair {
	struct rig *rig;
	char directory[64], path[80];
	struct packet_door *door;
	struct end here, there; /* who connected, who was connected to */
	bool came;
};

static void received(void *owner, struct slice bytes, const int *descriptors, unsigned count)
{
	struct end *end = owner;
	memcpy(end->bytes, bytes.at, bytes.length);
	end->length = bytes.length;
	if (count)
		memcpy(end->descriptors, descriptors, count * sizeof *descriptors);
	end->count = count;
	end->received = true;
}

static void ended(void *owner, int error)
{
	struct end *end = owner;
	end->ended = true;
	end->error = error;
}

static const struct packet_events events = { .received = received, .ended = ended };

static void came(void *owner, struct packet_link *link)
{
	struct pair *pair = owner;
	pair->there.link = link;
	packet_own(link, &events, &pair->there);
	pair->came = true;
}

static int setup(void **state)
{
	struct pair *pair = memory_new(sizeof *pair);
	pair->rig = rig_new(&defaults);
	snprintf(pair->directory, sizeof pair->directory, "/tmp/packet-XXXXXX");
	assert_non_null(mkdtemp(pair->directory));
	snprintf(pair->path, sizeof pair->path, "%s/door", pair->directory);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;
	packet_close(pair->here.link);
	packet_close(pair->there.link);
	packet_door_close(pair->door, false);
	rig_turns(pair->rig, 2);
	rig_free(pair->rig);
	assert_int_equal(rmdir(pair->directory), 0);
	memory_free(pair);
	return 0;
}

static void meet(struct pair *pair)
{
	assert_int_equal(packet_door_open(pair->path, 0600, &pair->door), 0);
	assert_int_equal(packet_door_start(pair->door, pair->rig->loop, came, pair), 0);
	assert_int_equal(packet_connect(pair->rig->loop, pair->path, &events, &pair->here, &pair->here.link), 0);
	assert_true(rig_until(pair->rig, &pair->came));
}

static void packets_keep_their_borders(void **state)
{
	struct pair *pair = *state;
	char longest[PACKET_BYTES + 1];
	memset(longest, 'x', sizeof longest);
	meet(pair);
	assert_int_equal(packet_send(pair->here.link, slice_make(longest, PACKET_BYTES), NULL, 0), 0);
	assert_true(rig_until(pair->rig, &pair->there.received));
	assert_int_equal(pair->there.length, PACKET_BYTES);
	pair->there.received = false;
	assert_int_equal(packet_send(pair->here.link, SLICE("short"), NULL, 0), 0);
	assert_true(rig_until(pair->rig, &pair->there.received));
	assert_int_equal(pair->there.length, 5);
	assert_int_equal(packet_send(pair->here.link, slice_make(longest, sizeof longest), NULL, 0), ERROR_LIMIT);
	assert_int_equal(packet_send(pair->here.link, SLICE(""), NULL, 0), ERROR_LIMIT);
}

static void as_many_descriptors_as_promised_arrive(void **state)
{
	struct pair *pair = *state;
	int sent[PACKET_DESCRIPTORS + 1];
	struct stat there, null;
	for (unsigned i = 0; i <= PACKET_DESCRIPTORS; i++)
		sent[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(sent[PACKET_DESCRIPTORS] >= 0);
	assert_int_equal(fstat(sent[0], &null), 0);
	meet(pair);
	assert_int_equal(packet_send(pair->there.link, SLICE("many"), sent, PACKET_DESCRIPTORS + 1), ERROR_LIMIT);
	assert_int_equal(packet_send(pair->there.link, SLICE("many"), sent, PACKET_DESCRIPTORS), 0);
	for (unsigned i = 0; i <= PACKET_DESCRIPTORS; i++)
		close(sent[i]);
	assert_true(rig_until(pair->rig, &pair->here.received));
	assert_int_equal(pair->here.count, PACKET_DESCRIPTORS);
	for (unsigned i = 0; i < pair->here.count; i++) {
		assert_int_equal(fstat(pair->here.descriptors[i], &there), 0);
		assert_int_equal(there.st_ino, null.st_ino);
		assert_true(fcntl(pair->here.descriptors[i], F_GETFD) & FD_CLOEXEC);
		packet_drop(pair->here.descriptors[i]);
	}
}

/* Where not all of them may be open here, none is kept, and it is told: never are they cut off silently. */
static void descriptors_that_were_cut_off_end_the_link(void **state)
{
	struct pair *pair = *state;
	struct rlimit before, tight;
	int sent[8], next;
	meet(pair);
	for (unsigned i = 0; i < 8; i++)
		sent[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(packet_send(pair->here.link, SLICE("eight"), sent, 8), 0);
	next = fcntl(0, F_DUPFD, 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)next + 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_true(rig_until(pair->rig, &pair->there.ended));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(pair->there.error, ERROR_LIMIT);
	assert_false(pair->there.received);
	assert_int_equal(fcntl(next, F_GETFD), -1);
	for (unsigned i = 0; i < 8; i++)
		close(sent[i]);
}

static void the_end_comes_behind_the_last_packet(void **state)
{
	struct pair *pair = *state;
	struct stream_peer peer;
	meet(pair);
	assert_int_equal(packet_peer(pair->there.link, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(packet_send(pair->there.link, SLICE("last"), NULL, 0), 0);
	packet_close(pair->there.link);
	pair->there.link = NULL;
	assert_true(rig_until(pair->rig, &pair->here.ended));
	assert_true(pair->here.received);
	assert_int_equal(pair->here.error, 0);
	assert_int_equal(packet_send(pair->here.link, SLICE("too late"), NULL, 0), ERROR_RESET);
}

static void nobody_there_is_told_apart(void **state)
{
	struct pair *pair = *state;
	struct packet_link *link;
	struct packet_door *door;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct loop *loop = pair->rig->loop;
	int stream;
	assert_int_equal(packet_connect(loop, pair->path, &events, NULL, &link), ERROR_NOT_FOUND);
	assert_int_equal(packet_door_open(pair->path, 0600, &door), 0);
	assert_int_equal(packet_door_open(pair->path, 0600, &pair->door), ERROR_EXISTS);
	packet_door_close(door, true); /* as a killed process leaves it */
	assert_int_equal(packet_connect(loop, pair->path, &events, NULL, &link), ERROR_REFUSED);
	assert_int_equal(packet_door_open(pair->path, 0600, &door), 0);
	packet_door_close(door, false);
	assert_int_equal(access(pair->path, F_OK), -1);
	stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(name.sun_path, pair->path, strlen(pair->path) + 1);
	assert_int_equal(bind(stream, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(stream, 1), 0);
	assert_int_equal(packet_connect(loop, pair->path, &events, NULL, &link), ERROR_INVALID);
	assert_int_equal(packet_door_open(pair->path, 0600, &door), ERROR_EXISTS);
	assert_int_equal(packet_door_adopt(stream, pair->path, &door), ERROR_INVALID); /* and closes it */
	unlink(pair->path);
}

/* A door that was given works as the one that was opened; who knocked before waits. */
static void a_door_can_be_given_on(void **state)
{
	struct pair *pair = *state;
	struct packet_door *first;
	int given;
	assert_int_equal(packet_door_open(pair->path, 0600, &first), 0);
	assert_int_equal(packet_connect(pair->rig->loop, pair->path, &events, &pair->here, &pair->here.link), 0);
	given = dup(packet_door_descriptor(first));
	packet_door_close(first, true);
	assert_int_equal(packet_door_adopt(given, pair->path, &pair->door), 0);
	assert_int_equal(packet_door_start(pair->door, pair->rig->loop, came, pair), 0);
	assert_true(rig_until(pair->rig, &pair->came));
}

/* No file, no left-overs: the name goes with its last door, and who adopted one is who is seen. */
static void a_door_without_a_file(void **state)
{
	struct pair *pair = *state;
	struct packet_link *link;
	struct packet_door *first, *second;
	struct stream_peer peer;
	char name[100];
	int given;
	snprintf(name, sizeof name, "@%s", pair->path);
	assert_int_equal(packet_connect(pair->rig->loop, name, &events, NULL, &link), ERROR_REFUSED);
	assert_int_equal(packet_door_open(name, 0600, &first), 0);
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(packet_door_open(name, 0600, &second), ERROR_EXISTS);
	given = dup(packet_door_descriptor(first));
	packet_door_close(first, false);
	assert_int_equal(packet_door_adopt(given, name, &pair->door), 0);
	assert_int_equal(packet_door_start(pair->door, pair->rig->loop, came, pair), 0);
	assert_int_equal(packet_connect(pair->rig->loop, name, &events, &pair->here, &pair->here.link), 0);
	assert_int_equal(packet_peer(pair->here.link, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_true(rig_until(pair->rig, &pair->came));
	packet_door_close(pair->door, false);
	pair->door = NULL;
	assert_int_equal(packet_connect(pair->rig->loop, name, &events, NULL, &link), ERROR_REFUSED);
	assert_int_equal(packet_door_open("@", 0600, &first), ERROR_INVALID);
}

/* SO_PEERCRED of who connects is that of the process that listened last. */
static void who_adopts_a_door_is_who_is_seen(void **state)
{
	struct pair *pair = *state;
	struct packet_link *link;
	struct stream_peer peer;
	int fd, child, status;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	memcpy(name.sun_path, pair->path, strlen(pair->path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	child = fork();
	if (child == 0)
		_exit(listen(fd, 1) ? 1 : 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(packet_connect(pair->rig->loop, pair->path, &events, NULL, &link), 0);
	assert_int_equal(packet_peer(link, &peer), 0);
	assert_int_not_equal(peer.pid, getpid());
	packet_close(link);
	assert_int_equal(packet_door_adopt(fd, pair->path, &pair->door), 0);
	assert_int_equal(packet_connect(pair->rig->loop, pair->path, &events, NULL, &link), 0);
	assert_int_equal(packet_peer(link, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	packet_close(link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(packets_keep_their_borders, setup, teardown),
		cmocka_unit_test_setup_teardown(as_many_descriptors_as_promised_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_that_were_cut_off_end_the_link, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_comes_behind_the_last_packet, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_there_is_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_door_can_be_given_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_door_without_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(who_adopts_a_door_is_who_is_seen, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

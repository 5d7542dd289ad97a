/* SPDX-License-Identifier: Apache-2.0 */
/* UDP, signals, and what a process tells of itself. */
#include "unit/io/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

static const struct loop_options defaults = { .name = "test" };

struct received {
	struct text bytes;
	bool some, truncated, failed, close_when_received;
	int error;
	struct address from;
	struct datagram *datagram;
};

static void on_received(void *owner, const struct address *from, struct slice bytes, bool truncated)
{
	struct received *received = owner;
	text_clear(&received->bytes);
	text_append(&received->bytes, bytes);
	received->truncated = truncated;
	received->from = *from;
	received->some = true;
	if (received->close_when_received) {
		datagram_close(received->datagram);
		received->datagram = NULL;
	}
}

static void on_failed(void *owner, int error)
{
	struct received *received = owner;
	received->error = error;
	received->failed = true;
}

static const struct datagram_events events = { .received = on_received, .failed = on_failed };

/* A raw socket as the peer, bound to a port of its own. */
static int raw_peer(struct address *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof name;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(address_parse(SLICE("127.0.0.1"), ntohs(name.sin_port), address), 0);
	return fd;
}

static void answers_arrive_whole_or_say_so(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct received received = { 0 };
	struct address peer;
	struct sockaddr_in asker;
	socklen_t length = sizeof asker;
	static char bytes[5000];
	int fd = raw_peer(&peer);
	assert_int_equal(datagram_open(network_host(), rig->loop, &peer, &events, &received, &received.datagram), 0);
	assert_int_equal(datagram_send(received.datagram, SLICE("query")), 0);
	assert_int_equal(recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&asker, &length), 5);
	assert_int_equal(sendto(fd, "answer", 6, 0, (struct sockaddr *)&asker, length), 6);
	assert_true(rig_until(rig, &received.some));
	assert_string_equal(received.bytes.bytes, "answer");
	assert_false(received.truncated);
	assert_true(address_equal(&received.from, &peer));
	received.some = false;
	assert_int_equal(sendto(fd, bytes, 4096, 0, (struct sockaddr *)&asker, length), 4096);
	assert_true(rig_until(rig, &received.some));
	assert_int_equal(received.bytes.length, 4096);
	assert_false(received.truncated);
	received.some = false;
	assert_int_equal(sendto(fd, bytes, 5000, 0, (struct sockaddr *)&asker, length), 5000);
	assert_true(rig_until(rig, &received.some));
	assert_int_equal(received.bytes.length, 4096);
	assert_true(received.truncated);
	received.some = false;
	received.close_when_received = true;
	assert_int_equal(sendto(fd, "1", 1, 0, (struct sockaddr *)&asker, length), 1);
	assert_int_equal(sendto(fd, "2", 1, 0, (struct sockaddr *)&asker, length), 1);
	assert_true(rig_until(rig, &received.some));
	assert_string_equal(received.bytes.bytes, "1");
	close(fd);
	text_free(&received.bytes);
	rig_free(rig);
}

static void strangers_are_not_heard(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct received received = { 0 };
	struct address peer, other;
	struct sockaddr_in asker;
	socklen_t length = sizeof asker;
	char bytes[10];
	int fd = raw_peer(&peer), stranger = raw_peer(&other);
	assert_int_equal(datagram_open(network_host(), rig->loop, &peer, &events, &received, &received.datagram), 0);
	assert_int_equal(datagram_send(received.datagram, SLICE("query")), 0);
	assert_int_equal(recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&asker, &length), 5);
	assert_int_equal(sendto(stranger, "forged", 6, 0, (struct sockaddr *)&asker, length), 6);
	assert_int_equal(sendto(fd, "good", 4, 0, (struct sockaddr *)&asker, length), 4);
	assert_true(rig_until(rig, &received.some));
	assert_string_equal(received.bytes.bytes, "good");
	datagram_close(received.datagram);
	close(fd);
	close(stranger);
	text_free(&received.bytes);
	rig_free(rig);
}

static void a_closed_port_fails(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct received received = { 0 };
	struct address peer;
	close(raw_peer(&peer));
	assert_int_equal(datagram_open(network_host(), rig->loop, &peer, &events, &received, &received.datagram), 0);
	assert_int_equal(datagram_send(received.datagram, SLICE("query")), 0);
	assert_true(rig_until(rig, &received.failed));
	assert_int_equal(received.error, ERROR_REFUSED);
	datagram_close(received.datagram);
	rig_free(rig);
}

struct heard {
	unsigned terminate, reload;
	bool both;
};

static void on_signal(void *owner, enum process_signal which)
{
	struct heard *heard = owner;
	if (which == PROCESS_TERMINATE)
		heard->terminate++;
	else
		heard->reload++;
	heard->both = heard->terminate && heard->reload;
}

static void signals_arrive_on_the_loop(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct signals *signals;
	struct heard heard = { 0 };
	assert_int_equal(signals_new(rig->loop, on_signal, &heard, &signals), 0);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_true(rig_until(rig, &heard.both));
	rig_turns(rig, 2);
	assert_int_equal(heard.terminate, 1);
	assert_int_equal(heard.reload, 1);
	signals_free(signals);
	rig_free(rig);
}

static void a_process_knows_itself(void **state)
{
	(void)state;
	struct process_usage before, after;
	process_usage(&before);
	int fd = dup(0);
	process_usage(&after);
	close(fd);
	assert_true(before.resident_bytes > 100000 && before.virtual_bytes > before.resident_bytes);
	assert_true(before.cpu_user_ns + before.cpu_system_ns >= 0);
	assert_true(before.threads >= 1);
	assert_int_equal(after.descriptors, before.descriptors + 1);
	assert_true(before.descriptor_limit > 0);
	assert_int_equal(process_id(), getpid());
	assert_null(process_environment("WEFT_SURELY_UNSET"));
	struct address addresses[64];
	unsigned count = network_local_addresses(network_host(), addresses, 64);
	bool loopback = false;
	for (unsigned i = 0; i < count; i++)
		loopback |= address_is_loopback(&addresses[i]);
	assert_true(loopback);
	assert_int_equal(network_local_addresses(network_host(), addresses, 1), 1);
}

int main(void)
{
	process_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_arrive_whole_or_say_so),
		cmocka_unit_test(strangers_are_not_heard),
		cmocka_unit_test(a_closed_port_fails),
		cmocka_unit_test(signals_arrive_on_the_loop),
		cmocka_unit_test(a_process_knows_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver over real sockets on loopback: a server thread that answers by UDP with TC, and by TCP with the
 * address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/resolver.h"
#include "io/loop.h"
#include "io/network.h"
#include "support/dns_message.h"

struct server {
	int udp, tcp;
	uint16_t port;
	pthread_t thread;
};

/* UDP and TCP on one port that is free for both. */
static void server_open(struct server *server)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof name;
	for (int tries = 0; tries < 20; tries++) {
		name.sin_port = 0;
		server->tcp = socket(AF_INET, SOCK_STREAM, 0);
		server->udp = socket(AF_INET, SOCK_DGRAM, 0);
		assert_int_equal(bind(server->tcp, (struct sockaddr *)&name, sizeof name), 0);
		assert_int_equal(getsockname(server->tcp, (struct sockaddr *)&name, &length), 0);
		if (bind(server->udp, (struct sockaddr *)&name, sizeof name) == 0) {
			assert_int_equal(listen(server->tcp, 8), 0);
			server->port = ntohs(name.sin_port);
			return;
		}
		close(server->tcp);
		close(server->udp);
	}
	fail_msg("no port is free for both UDP and TCP");
}

/* A for db.x; db.x has no AAAA. The query's name is taken over as bytes. */
static void reply_to(const uint8_t *query, bool truncated, struct dns_message *reply)
{
	unsigned type = query[12 + 6 + 1];
	dns_message_start(reply, (uint16_t)(query[0] << 8 | query[1]), truncated ? 0x8380 : 0x8180);
	dns_message_question(reply, "db.x", type);
	if (!truncated && type == DNS_A)
		dns_message_a(reply, "db.x", 60, "\x7f\x00\x00\x09");
	if (!truncated && type != DNS_A)
		dns_message_soa(reply, "x", 60, 60);
}

static void serve_stream(int listener)
{
	uint8_t query[600];
	struct dns_message reply, framed = { .length = 0 };
	int fd = accept(listener, NULL, NULL);
	if (fd >= 0 && recv(fd, query, 2, MSG_WAITALL) == 2 && recv(fd, query + 2, (size_t)(query[0] << 8 | query[1]), MSG_WAITALL) > 16) {
		reply_to(query + 2, false, &reply);
		dns_message_put16(&framed, (unsigned)reply.length);
		dns_message_put(&framed, reply.bytes, reply.length);
		(void)!send(fd, framed.bytes, framed.length, MSG_NOSIGNAL);
	}
	close(fd);
}

static void *serve(void *owner)
{
	struct server *server = owner;
	for (int i = 0; i < 2; i++) {
		uint8_t query[600];
		struct dns_message reply;
		struct sockaddr_in from;
		socklen_t length = sizeof from;
		if (recvfrom(server->udp, query, sizeof query, 0, (struct sockaddr *)&from, &length) < 20)
			return NULL;
		reply_to(query, true, &reply);
		(void)!sendto(server->udp, reply.bytes, reply.length, 0, (struct sockaddr *)&from, length);
	}
	serve_stream(server->tcp);
	serve_stream(server->tcp);
	return NULL;
}

struct told {
	struct loop *loop;
	char ip[ADDRESS_TEXT];
	enum resolver_state state;
};

static void changed(void *owner, const struct resolution *resolution)
{
	struct told *told = owner;
	told->state = resolution->state;
	if (resolution->count == 1)
		address_format_ip(&resolution->addresses[0], told->ip);
	loop_stop(told->loop);
}

static void too_late(void *owner)
{
	loop_stop(owner);
}

static void write_conf(char path[], const struct server *server)
{
	char text[64];
	int fd = mkstemp(path), n = snprintf(text, sizeof text, "nameserver 127.0.0.1:%u\n", server->port);
	assert_true(fd >= 0 && write(fd, text, (size_t)n) == n);
	close(fd);
}

static void run(struct told *told, const char *conf, const char *name)
{
	struct resolver *resolver;
	struct resolver_watch *watch;
	struct timer deadline;
	assert_int_equal(loop_new(&(struct loop_options){ .name = "test" }, &told->loop), 0);
	assert_int_equal(resolver_new(told->loop, network_host(),
				 &(struct resolver_options){ .resolv_conf = conf, .hosts = "/nonexistent" }, &resolver),
		0);
	assert_int_equal(resolver_watch(resolver, slice_of(name), changed, told, &watch), 0);
	timer_init(&deadline, too_late, told->loop);
	timer_set(told->loop, &deadline, loop_now(told->loop) + 30 * CLOCK_SECOND);
	loop_run(told->loop);
	timer_cancel(told->loop, &deadline);
	resolver_unwatch(watch);
	resolver_free(resolver);
	loop_free(told->loop);
}

static void resolves_over_udp_and_tcp(void **state)
{
	(void)state;
	struct server server;
	struct told told = { .state = RESOLVER_FAILED };
	char conf[] = "/tmp/weft-resolv-conf-XXXXXX";
	server_open(&server);
	write_conf(conf, &server);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
	run(&told, conf, "db.x");
	shutdown(server.udp, SHUT_RDWR);
	shutdown(server.tcp, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.udp);
	close(server.tcp);
	unlink(conf);
	assert_int_equal(told.state, RESOLVER_FOUND);
	assert_string_equal(told.ip, "127.0.0.9");
}

static void a_closed_port_is_a_failure(void **state)
{
	(void)state;
	struct server server;
	struct told told = { .state = RESOLVER_FOUND };
	char conf[] = "/tmp/weft-resolv-conf-XXXXXX";
	server_open(&server);
	write_conf(conf, &server);
	close(server.udp);
	close(server.tcp);
	run(&told, conf, "db.x");
	unlink(conf);
	assert_int_equal(told.state, RESOLVER_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolves_over_udp_and_tcp),
		cmocka_unit_test(a_closed_port_is_a_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

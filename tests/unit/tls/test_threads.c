/* SPDX-License-Identifier: Apache-2.0 */
/* Workers make handshakes, with tickets and without, while the control thread gives new certificates and rotates the tickets' keys.
 * ThreadSanitizer looks on; without it the test is that no handshake fails, and that both kinds happen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/thread.h"
#include "support/pki.h"
#include "tls/client.h"
#include "tls/library.h"
#include "tls/server.h"
#include "tls/stream.h"

enum { WORKERS = 3, CONNECTIONS = 60, PAIRS = 2 };

#define NAME "server.example"

static struct tls_source server_chain, server_key, client_chain, client_key, root;

/* Both ends of one connection after the other, on a loop of their own. */
struct worker {
	struct thread *thread;
	struct tls_server *tls_server;
	struct tls_client *tls_client;
	struct loop *loop;
	struct tls_pools *pools;
	struct tls_counters server_counters, client_counters;
	struct tls_session session;
	struct listen_set *set;
	struct listener *listener;
	struct address address;
	struct stream *server, *client;
	unsigned done, failed;
	struct timer next, deadline;
};

static const struct stream_events server_events, client_events;
static _Atomic unsigned running, connections; /* workers; all that are over */

static void connect_next(void *owner)
{
	struct worker *w = owner;
	struct tls_target target = { .name = SLICE(NAME), .session = &w->session };
	struct stream *below;

	if (w->done + w->failed == CONNECTIONS) {
		loop_stop(w->loop);
		return;
	}
	CHECK(network_connect(network_host(), w->loop, &w->address, &(struct socket_options){ 0 }, &below) == 0);
	CHECK(tls_connect(w->pools, w->tls_client, &target, below, &w->client_counters, &w->client) == 0);
	stream_own(w->client, &client_events, w);
	stream_resume(w->client);
}

static void over(struct worker *w, bool good)
{
	if (w->client)
		stream_close(w->client);
	if (w->server)
		stream_close(w->server);
	w->client = w->server = NULL;
	if (good)
		w->done++;
	else
		w->failed++;
	atomic_fetch_add(&connections, 1);
	/* The streams are freed by the loop first. */
	timer_set(w->loop, &w->next, loop_now(w->loop));
}

static void connected(void *owner)
{
	(void)owner;
}

/* The server sends when it is open: by then the client has the tickets, which come before. */
static void server_connected(void *owner)
{
	struct worker *w = owner;
	struct piece piece = { NULL, "answer", 6 };

	(void)stream_take(w->server, &piece, 1);
}

static void server_received(void *owner, struct buffer *buffer)
{
	(void)owner;
	buffer_unref(buffer);
}

static void client_received(void *owner, struct buffer *buffer)
{
	buffer_unref(buffer);
	over(owner, true);
}

static void ended(void *owner)
{
	over(owner, false);
}

static void drained(void *owner)
{
	(void)owner;
}

static void failed(void *owner, int error)
{
	(void)error;
	over(owner, false);
}

static const struct stream_events server_events = { server_connected, server_received, ended, drained, failed };
static const struct stream_events client_events = { connected, client_received, ended, drained, failed };

static void accepted(void *owner, struct stream *below)
{
	struct worker *w = owner;

	CHECK(!w->server);
	CHECK(tls_accept(w->pools, w->tls_server, below, &w->server_counters, &w->server) == 0);
	stream_own(w->server, &server_events, w);
	stream_resume(w->server);
}

static void too_late(void *owner)
{
	(void)owner;
	check_failed("the handshakes end within a minute", __FILE__, __LINE__);
}

static void work(void *owner)
{
	struct worker *w = owner;
	struct tls_limits limits = { 0 };

	CHECK(loop_new(&(struct loop_options){ .name = "worker" }, &w->loop) == 0);
	CHECK(tls_pools_new(w->loop, &limits, &w->pools) == 0);
	w->listener = listen_start(w->set, 0, w->loop, accepted, w);
	timer_init(&w->next, connect_next, w);
	timer_init(&w->deadline, too_late, w);
	timer_set(w->loop, &w->deadline, loop_clock(w->loop) + 60 * CLOCK_SECOND);
	timer_set(w->loop, &w->next, loop_clock(w->loop));
	loop_run(w->loop);
	timer_cancel(w->loop, &w->deadline);
	listen_stop(w->listener);
	tls_session_free(&w->session);
	tls_pools_free(w->pools);
	loop_free(w->loop);
	atomic_fetch_sub(&running, 1);
}

static struct tls_setting setting(const char *name, const struct tls_source *source)
{
	return (struct tls_setting){ .text = slice_of(name), .source = source, .file = SLICE("test.yaml"), .line = 1, .column = 1 };
}

static void issue_all(struct pki *authority, struct pki *servers, struct pki *clients)
{
	pki_issue(authority, NULL, &(struct pki_options){ .name = "root", .authority = true });
	for (unsigned i = 0; i < PAIRS; i++) {
		pki_issue(&servers[i], authority, &(struct pki_options){ .name = "server", .san = "DNS:" NAME });
		pki_issue(&clients[i], authority, &(struct pki_options){ .name = "client", .san = "URI:spiffe://example/ns/a/sa/client" });
	}
}

static void show(const struct pki *server, const struct pki *client)
{
	server_chain.bytes = slice_of(server->certificate);
	server_key.bytes = slice_of(server->key);
	client_chain.bytes = slice_of(client->certificate);
	client_key.bytes = slice_of(client->key);
}

static void start(struct worker *w, struct tls_server *server, struct tls_client *client)
{
	struct address any;

	CHECK(address_parse(SLICE("127.0.0.1"), 0, &any) == 0);
	*w = (struct worker){ .tls_server = server, .tls_client = client };
	assert_int_equal(listen_open(network_host(), &any, 1, &(struct listen_options){ 0 }, &w->set), 0);
	listen_address(w->set, &w->address);
	atomic_fetch_add(&running, 1);
	assert_int_equal(thread_start("worker", work, w, &w->thread), 0);
}

/* As the store does, from its own thread, for every other connection: so that tickets are taken in between. Returns how often something
 * else was loaded. */
static unsigned reload_meanwhile(
	int64_t wall, struct tls_server *server, struct tls_client *client, struct pki *servers, struct pki *clients)
{
	struct problems problems;
	unsigned changes = 0;

	for (unsigned round = 1; atomic_load(&running) > 0; round++) {
		bool changed;

		while (atomic_load(&connections) < 2 * round && atomic_load(&running) > 0)
			sched_yield();
		show(&servers[round % PAIRS], &clients[round / 3 % PAIRS]);
		problem_init(&problems);
		assert_int_equal(tls_server_reload(server, wall, &problems, &changed), 0);
		changes += changed;
		assert_int_equal(tls_client_reload(client, wall, &problems, &changed), 0);
		changes += changed;
		problem_fini(&problems);
		if (round % 4 == 0)
			tls_server_rotate(server);
	}
	return changes;
}

static void reload_under(unsigned protocols)
{
	static struct worker workers[WORKERS];
	struct pki authority, servers[PAIRS], clients[PAIRS];
	struct tls_certificate server_pair = { .chain = setting("server.pem", &server_chain), .key = setting("server.key", &server_key) };
	struct tls_setting trust = setting("root.pem", &root);
	struct tls_server_options server_options = {
		.certificates = &server_pair,
		.certificate_count = 1,
		.trust = &trust,
		.trust_count = 1,
		.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED,
		.choices = { .protocols = protocols },
	};
	struct tls_client_options client_options = {
		.trust = &trust,
		.trust_count = 1,
		.certificate = { .chain = setting("client.pem", &client_chain), .key = setting("client.key", &client_key) },
	};
	struct tls_server *server;
	struct tls_client *client;
	struct problems problems;
	uint64_t full = 0, resumed = 0;
	struct loop *loop;

	CHECK(loop_new(&(struct loop_options){ .name = "control" }, &loop) == 0);
	int64_t wall = loop_wall(loop);
	loop_free(loop);
	atomic_store(&connections, 0);
	issue_all(&authority, servers, clients);
	root.bytes = slice_of(authority.certificate);
	show(&servers[0], &clients[0]);
	problem_init(&problems);
	assert_int_equal(tls_server_new(&server_options, wall, &problems, &server), 0);
	assert_int_equal(tls_client_new(&client_options, wall, &problems, &client), 0);
	problem_fini(&problems);
	for (unsigned i = 0; i < WORKERS; i++)
		start(&workers[i], server, client);
	unsigned changes = reload_meanwhile(wall, server, client, servers, clients);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		thread_join(w->thread);
		listen_close(w->set);
		assert_int_equal(w->failed, 0);
		assert_int_equal(w->done, CONNECTIONS);
		resumed += counter_read(&w->server_counters.resumed);
		full += counter_read(&w->server_counters.handshakes);
	}
	full -= resumed;
	assert_true(changes > 1);
	assert_true(full > WORKERS);
	assert_true(resumed > 0);
	tls_server_unref(server);
	tls_client_unref(client);
	for (unsigned i = 0; i < PAIRS; i++) {
		pki_free(&servers[i]);
		pki_free(&clients[i]);
	}
	pki_free(&authority);
}

static void tickets_while_everything_is_reloaded(void **state)
{
	(void)state;
	library_start();
	reload_under(TLS_1_2);
	reload_under(TLS_1_3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tickets_while_everything_is_reloaded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

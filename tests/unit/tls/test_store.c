/* SPDX-License-Identifier: Apache-2.0 */
/* All servers and clients of a process: which are one, and when their files are read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "io/loop.h"
#include "io/sim/sim.h"
#include "support/pki.h"
#include "tls/client.h"
#include "tls/server.h"
#include "tls/store.h"

enum { HOUR = 3600 };

#define SETTING(path) \
	{ \
		.text = { path, sizeof(path) - 1 }, .file = { "weft.yaml", 9 }, .line = 1, .column = 1 \
	}

static const struct tls_certificate web_certificate = { .chain = SETTING("certs/web.pem"), .key = SETTING("certs/web.key") };
static const struct tls_setting roots = SETTING("roots/root.pem");

struct world {
	struct sim *sim;
	struct network *host;
	struct loop *loop;
	struct pki root;
	struct tls_store *store;
	struct tls_store_counters counters;
	struct problems problems;
};

static int64_t now_s(const struct world *world)
{
	return loop_wall(world->loop) / CLOCK_SECOND;
}

static void put_web(struct world *world, const char *folder, int64_t life_s)
{
	struct pki web;
	char path[64];

	pki_issue(&web, &world->root, &(struct pki_options){ .name = "web", .san = "DNS:web.example", .ends = now_s(world) + life_s });
	snprintf(path, sizeof path, "%s/web.pem", folder);
	sim_file_put(world->host, path, slice_of(web.certificate));
	snprintf(path, sizeof path, "%s/web.key", folder);
	sim_file_put(world->host, path, slice_of(web.key));
	pki_free(&web);
}

static int set_up(void **state)
{
	static struct world world;

	world = (struct world){ .sim = sim_new(1, NULL) };
	world.host = sim_host_new(world.sim, "10.0.0.1");
	assert_int_equal(loop_new(&(struct loop_options){ .name = "control" }, &world.loop), 0);
	pki_issue(&world.root, NULL, &(struct pki_options){ .name = "Root", .authority = true });
	sim_file_put(world.host, "roots/root.pem", slice_of(world.root.certificate));
	put_web(&world, "certs", 10 * HOUR);
	world.store = tls_store_new(world.loop);
	tls_store_count(world.store, &world.counters);
	problem_init(&world.problems);
	*state = &world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	tls_store_free(world->store);
	problem_fini(&world->problems);
	pki_free(&world->root);
	loop_free(world->loop);
	sim_free(world->sim);
	return 0;
}

static struct tls_server_options server_options(void)
{
	return (struct tls_server_options){ .certificates = &web_certificate, .certificate_count = 1 };
}

static struct tls_server *server_of(struct world *world, const struct tls_server_options *options)
{
	struct tls_server *server = NULL;

	assert_int_equal(tls_store_server(world->store, options, &world->problems, &server), 0);
	return server;
}

static struct tls_client *client_of(struct world *world, const struct tls_client_options *options)
{
	struct tls_client *client = NULL;

	assert_int_equal(tls_store_client(world->store, options, &world->problems, &client), 0);
	return client;
}

static void check_counts(const struct world *world, unsigned reloads, unsigned failures)
{
	assert_int_equal(counter_read(&world->counters.reloads), reloads);
	assert_int_equal(counter_read(&world->counters.failures), failures);
}

static void equal_options_give_the_same_object(void **state)
{
	struct world *world = *state;
	struct tls_server_options options = server_options(), other = server_options();
	struct tls_certificate elsewhere = web_certificate;
	struct tls_server *servers[4];

	elsewhere.chain.line = 7; /* where it is written makes no difference */
	servers[0] = server_of(world, &options);
	options.certificates = &elsewhere;
	servers[1] = server_of(world, &options);
	other.permissive = true;
	servers[2] = server_of(world, &other);
	other = server_options();
	other.choices.protocols = TLS_1_3;
	servers[3] = server_of(world, &other);
	assert_ptr_equal(servers[0], servers[1]);
	assert_ptr_not_equal(servers[0], servers[2]);
	assert_ptr_not_equal(servers[0], servers[3]);
	assert_ptr_not_equal(servers[2], servers[3]);
	for (unsigned i = 0; i < 4; i++)
		tls_server_unref(servers[i]);
}

static void new_files_are_loaded_when_they_are_quiet(void **state)
{
	struct world *world = *state;
	struct tls_server_options options = server_options();
	struct tls_server *server = server_of(world, &options);

	assert_int_equal(tls_server_expires(server), now_s(world) + 10 * HOUR);
	sim_run_for(world->sim, 5 * CLOCK_SECOND);
	/* A pair comes in two steps, and more changes follow: they are waited for. */
	for (unsigned i = 0; i < 5; i++) {
		put_web(world, "certs", 20 * HOUR);
		sim_run_for(world->sim, 100 * CLOCK_MS);
		check_counts(world, 0, 0);
	}
	int64_t expires = now_s(world) + 20 * HOUR;
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 1, 0);
	assert_in_range(tls_server_expires(server), expires - 1, expires);
	/* The same bytes are no change. */
	struct slice same = sim_file(world->host, "certs/web.pem");
	char *copy = memory_text(same);
	sim_file_put(world->host, "certs/web.pem", slice_of(copy));
	memory_free(copy);
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 1, 0);
	tls_server_unref(server);
}

static void bad_files_change_nothing(void **state)
{
	struct world *world = *state;
	struct tls_server_options options = server_options();
	struct tls_server *server = server_of(world, &options), *same = NULL;
	int64_t expires = tls_server_expires(server);

	sim_file_put(world->host, "certs/web.pem", SLICE("no certificate"));
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 0, 1);
	assert_int_equal(tls_server_expires(server), expires);
	/* A configuration that asks for it now is told. */
	assert_int_equal(tls_store_server(world->store, &options, &world->problems, &same), ERROR_INVALID);
	assert_null(same);
	assert_int_equal(world->problems.count, 1);
	sim_file_remove(world->host, "certs/web.pem");
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 0, 2);
	put_web(world, "certs", 30 * HOUR);
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 1, 2);
	assert_true(tls_server_expires(server) > expires);
	tls_server_unref(server);
}

static void clients_are_kept_up_too(void **state)
{
	struct world *world = *state;
	struct tls_client_options options = { .trust = &roots, .trust_count = 1, .certificate = web_certificate };
	struct tls_client *client = client_of(world, &options), *same = client_of(world, &options);

	assert_ptr_equal(client, same);
	put_web(world, "certs", 20 * HOUR);
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 1, 0);
	assert_true(tls_client_expires(client) > now_s(world) + 19 * HOUR);
	sim_file_put(world->host, "roots/root.pem", SLICE("nothing"));
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 1, 1);
	tls_client_unref(client);
	tls_client_unref(same);
}

static void the_life_that_is_left_is_counted_down(void **state)
{
	struct world *world = *state;
	struct tls_server_options options = server_options();
	struct tls_client_options trusting = { .trust = &roots, .trust_count = 1 };
	struct tls_server *server = server_of(world, &options);
	struct tls_client *client = client_of(world, &trusting);

	assert_int_equal(tls_server_left(server), 10 * HOUR);
	sim_run_for(world->sim, 3 * HOUR * CLOCK_SECOND);
	assert_in_range(tls_server_left(server), 7 * HOUR - 2, 7 * HOUR);
	assert_int_equal(tls_client_left(client), INT64_MAX); /* it has no certificate */
	tls_server_unref(server);
	tls_client_unref(client);
}

static void what_nobody_has_is_forgotten(void **state)
{
	struct world *world = *state;
	struct tls_server_options options = server_options();
	struct tls_server *server = server_of(world, &options);

	sim_run_for(world->sim, 3 * CLOCK_MINUTE);
	put_web(world, "certs", 20 * HOUR);
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 1, 0); /* somebody has it */
	tls_server_unref(server);
	sim_run_for(world->sim, 2 * CLOCK_MINUTE);
	put_web(world, "certs", 30 * HOUR);
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 1, 0);
	server = server_of(world, &options); /* made anew, and watched again */
	put_web(world, "certs", 40 * HOUR);
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 2, 0);
	tls_server_unref(server);
}

static void objects_outlive_the_store(void **state)
{
	struct world *world = *state;
	struct tls_server_options options = server_options();
	struct tls_server *server = server_of(world, &options);

	tls_store_free(world->store);
	world->store = tls_store_new(world->loop);
	assert_true(tls_server_expires(server) > now_s(world));
	tls_server_unref(server);
}

/* What stands for a file in memory: read when its owner says so. */
static void sources(void **state)
{
	struct world *world = *state;
	char *chain, *key;
	struct tls_source sources[2];
	struct tls_certificate certificate = { .chain = SETTING("svid from memory"), .key = SETTING("key from memory") };
	struct tls_server_options options = { .certificates = &certificate, .certificate_count = 1 };
	struct tls_server *server;

	chain = memory_text(sim_file(world->host, "certs/web.pem"));
	key = memory_text(sim_file(world->host, "certs/web.key"));
	sources[0].bytes = slice_of(chain);
	sources[1].bytes = slice_of(key);
	certificate.chain.source = &sources[0];
	certificate.key.source = &sources[1];
	server = server_of(world, &options);
	put_web(world, "other", 50 * HOUR);
	sources[0].bytes = sim_file(world->host, "other/web.pem");
	sources[1].bytes = sim_file(world->host, "other/web.key");
	sim_run_for(world->sim, CLOCK_SECOND);
	check_counts(world, 0, 0);
	tls_store_refresh(world->store);
	check_counts(world, 1, 0);
	assert_true(tls_server_expires(server) > now_s(world) + 49 * HOUR);
	tls_server_unref(server);
	memory_free(chain);
	memory_free(key);
}

static void one_configuration_reads_files_once(void **state)
{
	struct world *world = *state;
	struct tls_server_options options = server_options();
	struct tls_server *servers[3];
	uint64_t begin = sim_calls(world->sim, SIM_CALL_FILE_READ), first, again;

	servers[0] = server_of(world, &options);
	first = sim_calls(world->sim, SIM_CALL_FILE_READ) - begin;
	assert_true(first > 0);
	servers[1] = server_of(world, &options);
	assert_int_equal(sim_calls(world->sim, SIM_CALL_FILE_READ) - begin, first);
	sim_run_for(world->sim, CLOCK_MS);
	servers[2] = server_of(world, &options);
	again = sim_calls(world->sim, SIM_CALL_FILE_READ) - begin;
	assert_int_equal(again, 2 * first);
	for (unsigned i = 0; i < 3; i++)
		tls_server_unref(servers[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(equal_options_give_the_same_object),
		TEST(new_files_are_loaded_when_they_are_quiet),
		TEST(bad_files_change_nothing),
		TEST(clients_are_kept_up_too),
		TEST(the_life_that_is_left_is_counted_down),
		TEST(what_nobody_has_is_forgotten),
		TEST(objects_outlive_the_store),
		TEST(sources),
		TEST(one_configuration_reads_files_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

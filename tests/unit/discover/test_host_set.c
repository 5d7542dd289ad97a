/* SPDX-License-Identifier: Apache-2.0 */
/* The names are resolved from a hosts file in the simulated host's memory, or by a name server that the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "client/resolver.h"
#include "discover/host_set.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"

static struct world {
	struct sim *sim;
	struct network *host;
	struct discover discover;
	uint64_t version;
	unsigned changes;
	struct host_set *set;
} world;

static int setup(void **state)
{
	(void)state;
	world = (struct world){ .sim = sim_new(1, NULL) };
	world.host = sim_host_new(world.sim, "10.0.0.1");
	sim_file_put(world.host, "/hosts", SLICE("10.0.0.5 db\n10.0.0.6 db\nfd00::7 web\n"));
	sim_file_put(world.host, "/resolv.conf", SLICE("nameserver 10.0.0.1\noptions timeout:1 attempts:1\n"));
	struct resolver_options options = { .resolv_conf = "/resolv.conf", .hosts = "/hosts" };
	assert_int_equal(loop_new(&(struct loop_options){ .name = "control" }, &world.discover.loop), 0);
	assert_int_equal(resolver_new(world.discover.loop, world.host, &options, &world.discover.resolver), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	host_set_free(world.set);
	resolver_free(world.discover.resolver);
	loop_free(world.discover.loop);
	sim_free(world.sim);
	return 0;
}

static void changed(void *owner)
{
	(void)owner;
	world.changes++;
}

static bool is_pending(void *owner)
{
	(void)owner;
	return host_set_endpoints(world.set)->state == ENDPOINTS_PENDING;
}

static void make(const struct host *list, uint32_t count)
{
	world.set = host_set_new(&world.discover, list, count, &world.version, changed, NULL);
}

static void assert_known(const char *expected)
{
	const struct endpoints *set = host_set_endpoints(world.set);
	struct text text = { 0 };
	text_format(&text, "%s", endpoints_state_text(set->state));
	for (uint32_t i = 0; i < set->count; i++)
		text_format(&text, " %.*s*%g", SLICE_ARGS(set->list[i].id), set->list[i].weight);
	assert_string_equal(text.bytes, expected);
	text_free(&text);
	assert_int_equal(set->version, world.version);
}

static void literals_are_known_at_once(void **state)
{
	struct host list[] = { { SLICE("127.0.1.2"), 80, 2 }, { SLICE("127.0.1.1"), 80, 1 }, { SLICE("::1"), 80, 0 } };
	(void)state;
	make(list, 3);
	assert_known("bound 127.0.1.1:80*1 127.0.1.2:80*2");
	host_set_free(world.set);
	make(NULL, 0);
	assert_known("bound");
	assert_int_equal(world.changes, 0);
}

static void names_are_resolved(void **state)
{
	struct host list[] = { { SLICE("db"), 5432, 3 }, { SLICE("127.0.1.1"), 80, 1 }, { SLICE("web"), 80, 1 } };
	(void)state;
	make(list, 3);
	assert_known("pending");
	assert_true(sim_run_while(world.sim, is_pending, NULL, 5 * CLOCK_SECOND));
	assert_known("bound 10.0.0.5:5432*3 10.0.0.6:5432*3 127.0.1.1:80*1 [fd00::7]:80*1");
	assert_int_equal(world.changes, 1);
}

static void what_cannot_be_resolved_fails_alone(void **state)
{
	struct host list[] = { { SLICE("nobody.example"), 80, 1 }, { SLICE("db"), 80, 1 } };
	(void)state;
	make(list, 2);
	assert_true(sim_run_while(world.sim, is_pending, NULL, 60 * CLOCK_SECOND));
	assert_known("bound 10.0.0.5:80*1 10.0.0.6:80*1"); /* no server answers for the other */
	host_set_free(world.set);
	make(list, 1);
	sim_run_while(world.sim, is_pending, NULL, 60 * CLOCK_SECOND);
	assert_known("failed");
	assert_true(slice_starts(host_set_endpoints(world.set)->message, SLICE("nobody.example: ")));
}

static void answer_no_such_name(void *owner, struct sim_service *service, const struct address *from, struct slice bytes)
{
	char reply[512];
	(void)owner;
	assert_true(bytes.length > 12 && bytes.length <= sizeof reply);
	memcpy(reply, bytes.at, bytes.length);
	reply[2] = (char)0x81; /* an answer, recursion desired */
	reply[3] = (char)0x83; /* recursion available, no such name */
	sim_datagram_reply(service, from, slice_make(reply, bytes.length));
}

static void no_such_name_is_neg(void **state)
{
	struct host host = { SLICE("nobody.example"), 80, 1 };
	(void)state;
	sim_datagram_serve(world.host, 53, answer_no_such_name, NULL);
	make(&host, 1);
	assert_true(sim_run_while(world.sim, is_pending, NULL, 60 * CLOCK_SECOND));
	assert_known("neg");
}

static void without_a_resolver_names_fail(void **state)
{
	struct resolver *resolver = world.discover.resolver;
	struct host host = { SLICE("db"), 80, 1 };
	(void)state;
	world.discover.resolver = NULL;
	make(&host, 1);
	world.discover.resolver = resolver;
	assert_known("failed");
	assert_true(slice_equal(host_set_endpoints(world.set)->message, SLICE("db: only IP addresses are understood here")));
}

/* Let go of from inside its own call, as namers are. */
static void free_it(void *owner)
{
	(void)owner;
	host_set_free(world.set);
	world.set = NULL;
	world.changes++;
}

static bool is_there(void *owner)
{
	(void)owner;
	return world.set != NULL;
}

static void may_be_freed_when_it_changes(void **state)
{
	struct host list[] = { { SLICE("db"), 80, 1 }, { SLICE("web"), 80, 1 } };
	(void)state;
	world.set = host_set_new(&world.discover, list, 2, &world.version, free_it, NULL);
	assert_true(sim_run_while(world.sim, is_there, NULL, 5 * CLOCK_SECOND));
	assert_int_equal(world.changes, 1);
}

static void knows_names(void **state)
{
	static const char *const good[] = { "a", "A-b_c.d9", "127.0.0.1", "::1", "[::1]", "example.org." };
	static const char *const bad[] = { "", ".", "a..b", ".a", "a b", "a/b", "a:80",
		"a23456789012345678901234567890123456789012345678901234567890123x.org" };
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(host_set_is_name(slice_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(host_set_is_name(slice_of(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(literals_are_known_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_resolved, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_resolved_fails_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(no_such_name_is_neg, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_resolver_names_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(may_be_freed_when_it_changes, setup, teardown),
		cmocka_unit_test(knows_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

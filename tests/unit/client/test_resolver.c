/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "client/resolver.h"
#include "io/loop.h"
#include "io/sim/sim.h"
#include "unit/client/dns_server.h"

static const char conf_path[] = "/etc/resolv.conf", hosts_path[] = "/etc/hosts";

struct rig {
	struct sim *sim;
	struct network *host;
	struct loop *loop;
	struct resolver *resolver;
	struct dns_server servers[2];
};

/* What a watch has been told, as text: "found 10.0.0.1 10.0.0.2", "negative", "failed", "" before the first. */
struct told {
	struct resolver_watch *watch;
	char last[2048];
	unsigned calls;
	bool leave; /* unwatch from inside the call */
};

static void changed(void *owner, const struct resolution *resolution)
{
	static const char *const states[] = { "found", "negative", "failed" };
	struct told *told = owner;
	size_t length = (size_t)snprintf(told->last, sizeof told->last, "%s", states[resolution->state]);
	assert_true((resolution->count > 0) == (resolution->state == RESOLVER_FOUND));
	assert_true((resolution->reason == NULL) == (resolution->state == RESOLVER_FOUND));
	for (unsigned i = 0; i < resolution->count; i++) {
		char ip[ADDRESS_TEXT];
		assert_int_equal(resolution->addresses[i].port, 0);
		address_format_ip(&resolution->addresses[i], ip);
		length += (size_t)snprintf(told->last + length, sizeof told->last - length, " %s", ip);
	}
	told->calls++;
	if (told->leave) {
		resolver_unwatch(told->watch);
		told->watch = NULL;
	}
}

static struct rig *rig_new_with(uint64_t seed, const char *conf, struct resolver_options options)
{
	struct rig *rig = memory_new(sizeof *rig);
	rig->sim = sim_new(seed, NULL);
	dns_server_start(&rig->servers[0], rig->sim, "10.0.0.53");
	dns_server_start(&rig->servers[1], rig->sim, "10.0.0.54");
	rig->host = sim_host_new(rig->sim, "10.0.0.1");
	sim_file_put(rig->host, conf_path, slice_of(conf));
	assert_int_equal(loop_new(&(struct loop_options){ .name = "control" }, &rig->loop), 0);
	assert_int_equal(resolver_new(rig->loop, rig->host, &options, &rig->resolver), 0);
	return rig;
}

static struct rig *rig_new(const char *conf)
{
	return rig_new_with(7, conf, (struct resolver_options){ 0 });
}

static void rig_free(struct rig *rig)
{
	sim_host_enter(rig->host);
	resolver_free(rig->resolver);
	dns_server_stop(&rig->servers[0]);
	dns_server_stop(&rig->servers[1]);
	sim_run_for(rig->sim, CLOCK_SECOND);
	loop_free(rig->loop);
	loop_free(rig->servers[0].loop);
	loop_free(rig->servers[1].loop);
	sim_free(rig->sim);
	memory_free(rig);
}

static void watch(struct rig *rig, struct told *told, const char *name)
{
	*told = (struct told){ .leave = told->leave };
	sim_host_enter(rig->host);
	assert_int_equal(resolver_watch(rig->resolver, slice_of(name), changed, told, &told->watch), 0);
	assert_int_equal(told->calls, 0); /* never from inside */
}

struct awaited {
	struct told *told;
	const char *text;
};

static bool not_told(void *owner)
{
	struct awaited *awaited = owner;
	return strcmp(awaited->told->last, awaited->text) != 0;
}

static void expect_within(struct rig *rig, struct told *told, const char *text, int64_t ns)
{
	struct awaited awaited = { told, text };
	if (!sim_run_while(rig->sim, not_told, &awaited, ns))
		assert_string_equal(told->last, text);
}

static void expect(struct rig *rig, struct told *told, const char *text)
{
	expect_within(rig, told, text, 60 * CLOCK_SECOND);
}

static uint64_t queries(const struct rig *rig)
{
	return counter_read(&resolver_counts(rig->resolver)->questions.queries);
}

static const char one_server[] = "nameserver 10.0.0.53\n";
static const char two_servers[] = "nameserver 10.0.0.53\nnameserver 10.0.0.54\noptions timeout:1\n";

static void finds_both_families_in_order_and_joins_questions(void **state)
{
	(void)state;
	struct rig *rig = rig_new(one_server);
	struct told a = { 0 }, b = { 0 }, c = { 0 };
	dns_server_add(&rig->servers[0], "db.x", 60, "fd00::2");
	dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.9");
	dns_server_add(&rig->servers[0], "db.x", 60, "fd00::1");
	dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.7");
	dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.9");
	watch(rig, &a, "db.x");
	watch(rig, &b, "DB.X");
	expect(rig, &a, "found 10.0.0.7 10.0.0.9 fd00::1 fd00::2");
	expect(rig, &b, "found 10.0.0.7 10.0.0.9 fd00::1 fd00::2");
	watch(rig, &c, "db.x");
	expect(rig, &c, "found 10.0.0.7 10.0.0.9 fd00::1 fd00::2");
	assert_int_equal(queries(rig), 2);
	assert_int_equal(rig->servers[0].udp, 2);
	assert_int_equal(counter_read(&resolver_counts(rig->resolver)->cached), 1);
	resolver_unwatch(a.watch);
	resolver_unwatch(b.watch);
	resolver_unwatch(c.watch);
	rig_free(rig);
}

static void asks_again_when_the_ttl_ends_and_tells_changes_only(void **state)
{
	(void)state;
	struct rig *rig = rig_new(one_server);
	struct told a = { 0 };
	dns_server_add(&rig->servers[0], "db.x", 20, "10.0.0.9");
	watch(rig, &a, "db.x");
	expect(rig, &a, "found 10.0.0.9");
	sim_run_for(rig->sim, 50 * CLOCK_SECOND);
	assert_int_equal(queries(rig), 6);
	assert_int_equal(a.calls, 1);
	dns_server_clear(&rig->servers[0]);
	dns_server_add(&rig->servers[0], "db.x", 20, "10.0.0.8");
	expect_within(rig, &a, "found 10.0.0.8", 21 * CLOCK_SECOND);
	dns_server_clear(&rig->servers[0]);
	expect_within(rig, &a, "negative", 21 * CLOCK_SECOND);
	dns_server_add(&rig->servers[0], "db.x", 20, "10.0.0.7");
	expect_within(rig, &a, "found 10.0.0.7", 11 * CLOCK_SECOND); /* the SOA's minimum */
	resolver_unwatch(a.watch);
	sim_run_for(rig->sim, 100 * CLOCK_SECOND); /* forgotten, not asked for again */
	uint64_t before = queries(rig);
	sim_run_for(rig->sim, 100 * CLOCK_SECOND);
	assert_int_equal(queries(rig), before);
	rig_free(rig);
}

static void ttls_are_bounded(void **state)
{
	(void)state;
	struct rig *rig =
		rig_new_with(7, one_server, (struct resolver_options){ .min_ttl_ns = 5 * CLOCK_SECOND, .max_ttl_ns = 10 * CLOCK_SECOND });
	struct told zero = { 0 }, day = { 0 };
	dns_server_add(&rig->servers[0], "zero.x", 0, "10.0.0.9");
	watch(rig, &zero, "zero.x");
	sim_run_for(rig->sim, 14 * CLOCK_SECOND);
	assert_int_equal(queries(rig), 6); /* at 0, 5 and 10 s */
	resolver_unwatch(zero.watch);
	sim_run_for(rig->sim, 10 * CLOCK_SECOND);
	dns_server_add(&rig->servers[0], "day.x", 86400, "10.0.0.9");
	watch(rig, &day, "day.x");
	sim_run_for(rig->sim, 14 * CLOCK_SECOND);
	assert_int_equal(queries(rig), 10);
	resolver_unwatch(day.watch);
	rig_free(rig);
}

static void keeps_the_last_answer_while_servers_fail(void **state)
{
	(void)state;
	struct rig *rig = rig_new(two_servers);
	struct told a = { 0 };
	for (int i = 0; i < 2; i++)
		dns_server_add(&rig->servers[i], "db.x", 5, "10.0.0.9");
	watch(rig, &a, "db.x");
	expect(rig, &a, "found 10.0.0.9");
	rig->servers[0].silent = rig->servers[1].silent = true;
	sim_run_for(rig->sim, 60 * CLOCK_SECOND);
	rig->servers[0].silent = rig->servers[1].silent = false;
	rig->servers[0].fails = rig->servers[1].fails = true;
	sim_run_for(rig->sim, 60 * CLOCK_SECOND);
	assert_int_equal(a.calls, 1);
	assert_true(counter_read(&resolver_counts(rig->resolver)->stale) >= 3);
	struct told late = { 0 };
	watch(rig, &late, "db.x");
	expect_within(rig, &late, "found 10.0.0.9", CLOCK_SECOND);
	for (int i = 0; i < 2; i++) {
		rig->servers[i].fails = false;
		dns_server_clear(&rig->servers[i]);
		dns_server_add(&rig->servers[i], "db.x", 5, "10.0.0.8");
	}
	expect_within(rig, &a, "found 10.0.0.8", 31 * CLOCK_SECOND);
	resolver_unwatch(a.watch);
	resolver_unwatch(late.watch);
	rig_free(rig);
}

static void says_failed_when_nothing_was_ever_known(void **state)
{
	(void)state;
	struct rig *rig = rig_new(two_servers);
	struct told silent = { 0 }, fails = { 0 };
	rig->servers[0].silent = rig->servers[1].silent = true;
	watch(rig, &silent, "db.x");
	sim_run_for(rig->sim, 3500 * CLOCK_MS);
	assert_int_equal(silent.calls, 0);
	expect_within(rig, &silent, "failed", 2 * CLOCK_SECOND); /* 2 attempts of 2 servers of 1 s */
	assert_int_equal(queries(rig), 8);
	rig->servers[0].silent = rig->servers[1].silent = false;
	rig->servers[0].fails = rig->servers[1].fails = true;
	watch(rig, &fails, "web.x");
	expect_within(rig, &fails, "failed", CLOCK_SECOND);
	for (int i = 0; i < 2; i++) {
		rig->servers[i].fails = false;
		dns_server_add(&rig->servers[i], "db.x", 60, "10.0.0.9");
	}
	expect(rig, &silent, "found 10.0.0.9");
	expect(rig, &fails, "negative");
	resolver_unwatch(silent.watch);
	resolver_unwatch(fails.watch);
	rig_free(rig);
}

static void begins_with_the_server_that_answers(void **state)
{
	(void)state;
	struct rig *rig = rig_new(two_servers);
	struct told a = { 0 }, b = { 0 };
	dns_server_add(&rig->servers[1], "a.x", 60, "10.0.0.9");
	dns_server_add(&rig->servers[1], "b.x", 60, "10.0.0.9");
	rig->servers[0].silent = true;
	watch(rig, &a, "a.x");
	expect_within(rig, &a, "found 10.0.0.9", 2 * CLOCK_SECOND);
	assert_int_equal(rig->servers[0].udp, 2);
	watch(rig, &b, "b.x");
	expect_within(rig, &b, "found 10.0.0.9", CLOCK_SECOND / 2);
	assert_int_equal(rig->servers[0].udp, 2);
	resolver_unwatch(a.watch);
	resolver_unwatch(b.watch);
	rig_free(rig);
}

static void rotates(void **state)
{
	(void)state;
	struct rig *rig = rig_new("nameserver 10.0.0.53\nnameserver 10.0.0.54\noptions rotate\n");
	struct told a = { 0 };
	dns_server_add(&rig->servers[0], "a.x", 60, "10.0.0.9");
	dns_server_add(&rig->servers[1], "a.x", 60, "10.0.0.9");
	watch(rig, &a, "a.x");
	expect(rig, &a, "found 10.0.0.9");
	assert_int_equal(rig->servers[0].udp, 1);
	assert_int_equal(rig->servers[1].udp, 1);
	resolver_unwatch(a.watch);
	rig_free(rig);
}

static void a_refused_port_costs_no_time(void **state)
{
	(void)state;
	struct rig *rig = rig_new("nameserver 10.0.0.1\nnameserver 10.0.0.54\n"); /* the first is this host: nobody listens */
	struct told a = { 0 };
	dns_server_add(&rig->servers[1], "a.x", 60, "10.0.0.9");
	watch(rig, &a, "a.x");
	expect_within(rig, &a, "found 10.0.0.9", CLOCK_SECOND);
	assert_int_equal(counter_read(&resolver_counts(rig->resolver)->questions.unanswered), 2);
	resolver_unwatch(a.watch);
	rig_free(rig);
}

static void ignores_answers_to_other_questions(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct rig *rig = rig_new(one_server);
		struct told a = { 0 };
		dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.9");
		rig->servers[0].wrong_id_first = which == 0;
		rig->servers[0].wrong_name_first = which == 1;
		*sim_link(rig->servers[0].host, rig->host) = SIM_LINK_CALM; /* so that they arrive in this order */
		watch(rig, &a, "db.x");
		expect(rig, &a, "found 10.0.0.9");
		assert_int_equal(counter_read(&resolver_counts(rig->resolver)->questions.ignored), 2);
		assert_int_equal(queries(rig), 2);
		resolver_unwatch(a.watch);
		rig_free(rig);
	}
}

static void large_answers_come_by_tcp(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct rig *rig = rig_new(one_server);
		struct told a = { 0 };
		dns_server_add(&rig->servers[0], "db.x", 60, "fd00::1");
		for (int i = 1; i <= 100; i++) {
			char ip[16];
			snprintf(ip, sizeof ip, "10.0.1.%d", i);
			dns_server_add(&rig->servers[0], "db.x", 60, ip);
		}
		rig->servers[0].truncates = which == 0;
		rig->servers[0].large = which == 1;
		watch(rig, &a, "db.x");
		sim_run_for(rig->sim, 10 * CLOCK_SECOND);
		assert_int_equal(a.calls, 1);
		assert_int_equal(rig->servers[0].tcp, 2);
		assert_int_equal(counter_read(&resolver_counts(rig->resolver)->questions.tcp), 2);
		assert_memory_equal(a.last, "found 10.0.1.1 10.0.1.2 10.0.1.3 ", 33);
		resolver_unwatch(a.watch);
		rig_free(rig);
	}
}

static void tcp_that_breaks_is_tried_elsewhere(void **state)
{
	(void)state;
	struct rig *rig = rig_new(two_servers);
	struct told a = { 0 };
	rig->servers[0].truncates = true;
	rig->servers[0].hangs_up = true;
	dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.8");
	dns_server_add(&rig->servers[1], "db.x", 60, "10.0.0.9");
	watch(rig, &a, "db.x");
	expect(rig, &a, "found 10.0.0.9");
	assert_int_equal(rig->servers[0].tcp, 2);
	resolver_unwatch(a.watch);
	rig_free(rig);
}

static void asks_without_edns_where_it_is_unknown(void **state)
{
	(void)state;
	struct rig *rig = rig_new(one_server);
	struct told a = { 0 };
	dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.9");
	rig->servers[0].knows_no_edns = true;
	watch(rig, &a, "db.x");
	expect(rig, &a, "found 10.0.0.9");
	assert_int_equal(rig->servers[0].edns, 2);
	assert_int_equal(rig->servers[0].udp, 4);
	resolver_unwatch(a.watch);
	rig_free(rig);
}

static void one_family_is_enough(void **state)
{
	(void)state;
	struct rig *rig = rig_new(two_servers);
	struct told a = { 0 };
	for (int i = 0; i < 2; i++) {
		dns_server_add(&rig->servers[i], "db.x", 60, "10.0.0.9");
		rig->servers[i].silent_type = DNS_AAAA;
	}
	watch(rig, &a, "db.x");
	expect(rig, &a, "found 10.0.0.9");
	resolver_unwatch(a.watch);
	rig_free(rig);
}

static void searches(void **state)
{
	(void)state;
	struct rig *rig = rig_new("nameserver 10.0.0.53\nsearch one.x two.x\noptions ndots:2\n");
	struct told own = { 0 }, listed = { 0 }, dotted = { 0 }, both = { 0 }, absolute = { 0 }, none = { 0 };
	struct dns_server *server = &rig->servers[0];
	dns_server_add(server, "db.two.x", 60, "10.0.0.1");
	dns_server_add(server, "db", 60, "10.0.0.2");
	dns_server_add(server, "a.b.c", 60, "10.0.0.3");
	dns_server_add(server, "a.b.c.one.x", 60, "10.0.0.4");
	dns_server_add(server, "only", 60, "10.0.0.5");
	dns_server_add(server, "a.b", 60, "10.0.0.6");
	dns_server_add(server, "a.b.one.x", 60, "10.0.0.7");
	watch(rig, &listed, "db");
	expect(rig, &listed, "found 10.0.0.1"); /* too few dots: the list first */
	watch(rig, &dotted, "a.b");
	expect(rig, &dotted, "found 10.0.0.7"); /* one dot is still less than two */
	watch(rig, &own, "a.b.c");
	expect(rig, &own, "found 10.0.0.3");
	watch(rig, &absolute, "db.");
	expect(rig, &absolute, "found 10.0.0.2");
	watch(rig, &both, "only");
	expect(rig, &both, "found 10.0.0.5");
	unsigned before = server->udp;
	watch(rig, &none, "none");
	expect(rig, &none, "negative");
	assert_int_equal(server->udp - before, 6);
	struct told *all[] = { &own, &listed, &dotted, &both, &absolute, &none };
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		resolver_unwatch(all[i]->watch);
	rig_free(rig);
}

static void silent_servers_are_not_asked_for_the_whole_list(void **state)
{
	(void)state;
	struct rig *rig = rig_new("nameserver 10.0.0.53\nsearch one.x two.x\noptions timeout:1\n");
	struct told a = { 0 };
	rig->servers[0].silent = true;
	watch(rig, &a, "db");
	expect_within(rig, &a, "failed", 2500 * CLOCK_MS);
	assert_int_equal(queries(rig), 4);
	resolver_unwatch(a.watch);
	rig_free(rig);
}

static void files_and_literals_need_no_server(void **state)
{
	(void)state;
	struct rig *rig = rig_new(one_server);
	struct told literal = { 0 }, literal6 = { 0 }, host = { 0 }, local = { 0 }, below = { 0 };
	sim_file_put(rig->host, hosts_path, SLICE("10.1.1.2 Db.x\n10.1.1.1 other db.x # no\n"));
	watch(rig, &literal, "10.9.8.7");
	watch(rig, &literal6, "fd00::7");
	watch(rig, &host, "db.x");
	watch(rig, &local, "localhost");
	watch(rig, &below, "a.LOCALHOST.");
	expect(rig, &literal, "found 10.9.8.7");
	expect(rig, &literal6, "found fd00::7");
	expect(rig, &host, "found 10.1.1.2 10.1.1.1");
	expect(rig, &local, "found 127.0.0.1 ::1");
	expect(rig, &below, "found 127.0.0.1 ::1");
	sim_file_put(rig->host, hosts_path, SLICE("10.1.1.3 db.x\n"));
	expect_within(rig, &host, "found 10.1.1.3", 6 * CLOCK_SECOND);
	assert_int_equal(queries(rig), 0);
	sim_file_remove(rig->host, hosts_path);
	dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.9");
	expect_within(rig, &host, "found 10.0.0.9", 6 * CLOCK_SECOND);
	struct told *all[] = { &literal, &literal6, &host, &local, &below };
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		resolver_unwatch(all[i]->watch);
	rig_free(rig);
}

static void follows_resolv_conf(void **state)
{
	(void)state;
	struct rig *rig = rig_new(one_server);
	struct told a = { 0 };
	dns_server_add(&rig->servers[0], "db.x", 6, "10.0.0.8");
	dns_server_add(&rig->servers[1], "db.x", 6, "10.0.0.9");
	watch(rig, &a, "db.x");
	expect(rig, &a, "found 10.0.0.8");
	sim_file_put(rig->host, conf_path, SLICE("nameserver 10.0.0.54\n"));
	expect_within(rig, &a, "found 10.0.0.9", 7 * CLOCK_SECOND);
	resolver_unwatch(a.watch);
	rig_free(rig);
}

static void watches_may_go_at_any_time(void **state)
{
	(void)state;
	struct rig *rig = rig_new(one_server);
	struct told inside = { .leave = true }, early = { 0 }, stays = { 0 };
	dns_server_add(&rig->servers[0], "db.x", 60, "10.0.0.9");
	watch(rig, &early, "db.x");
	watch(rig, &inside, "db.x");
	watch(rig, &stays, "db.x");
	resolver_unwatch(early.watch);
	expect(rig, &stays, "found 10.0.0.9");
	assert_int_equal(inside.calls, 1);
	assert_null(inside.watch);
	assert_int_equal(early.calls, 0);
	resolver_unwatch(stays.watch);
	watch(rig, &early, "web.x"); /* and before anything is known */
	resolver_unwatch(early.watch);
	resolver_unwatch(NULL);
	sim_run_for(rig->sim, 5 * CLOCK_SECOND);
	assert_int_equal(early.calls, 0);
	watch(rig, &early, "last.x"); /* freed while it is being asked for */
	sim_host_enter(rig->host);
	resolver_unwatch(early.watch);
	rig_free(rig);
}

static void names_are_bounded(void **state)
{
	(void)state;
	struct rig *rig = rig_new_with(7, one_server, (struct resolver_options){ .max_names = 2 });
	struct told a = { 0 }, b = { 0 };
	struct resolver_watch *refused;
	watch(rig, &a, "10.0.0.1");
	watch(rig, &b, "10.0.0.2");
	assert_int_equal(resolver_watch(rig->resolver, SLICE("10.0.0.3"), changed, &b, &refused), ERROR_LIMIT);
	resolver_unwatch(a.watch);
	watch(rig, &a, "10.0.0.3");
	expect(rig, &a, "found 10.0.0.3");
	assert_int_equal(counter_read(&resolver_counts(rig->resolver)->evicted), 1);
	assert_int_equal(counter_read(&resolver_counts(rig->resolver)->refused), 1);
	static const char *const bad[] = { "", "a b", "a..b", "a/b", "\xff" };
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(resolver_watch(rig->resolver, slice_of(bad[i]), changed, &b, &refused), ERROR_INVALID);
	resolver_unwatch(a.watch);
	resolver_unwatch(b.watch);
	rig_free(rig);
}

enum { MANY = 40 };

/* Few questions at a time, half of all datagrams lost, others twice, and sockets that can't be had: all names are
 * found. */
static void weather(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct rig *rig = rig_new_with(seed, two_servers, (struct resolver_options){ .max_questions = 3 });
		struct told *told = memory_array(MANY, sizeof *told);
		for (int s = 0; s < 2; s++) {
			rig->servers[s].twice = true;
			rig->servers[s].truncates = s == 1;
			sim_link(rig->host, rig->servers[s].host)->lose_chance = 300000;
			sim_link(rig->servers[s].host, rig->host)->lose_chance = 300000;
			sim_link(rig->servers[s].host, rig->host)->repeat_chance = 200000;
			sim_link(rig->servers[s].host, rig->host)->reset_chance = 100000;
		}
		sim_fail_nth(rig->sim, SIM_CALL_DATAGRAM, 5);
		sim_fail_nth(rig->sim, SIM_CALL_CONNECT, 2);
		for (int i = 0; i < MANY; i++) {
			char name[16], ip[16];
			snprintf(name, sizeof name, "n%d.x", i);
			snprintf(ip, sizeof ip, "10.2.0.%d", i);
			dns_server_add(&rig->servers[0], name, 600, ip);
			dns_server_add(&rig->servers[1], name, 600, ip);
			watch(rig, &told[i], name);
		}
		for (int i = 0; i < MANY; i++) {
			char text[32];
			snprintf(text, sizeof text, "found 10.2.0.%d", i);
			expect_within(rig, &told[i], text, 3600 * CLOCK_SECOND);
		}
		for (int i = 0; i < MANY; i++)
			resolver_unwatch(told[i].watch);
		memory_free(told);
		rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_both_families_in_order_and_joins_questions),
		cmocka_unit_test(asks_again_when_the_ttl_ends_and_tells_changes_only),
		cmocka_unit_test(ttls_are_bounded),
		cmocka_unit_test(keeps_the_last_answer_while_servers_fail),
		cmocka_unit_test(says_failed_when_nothing_was_ever_known),
		cmocka_unit_test(begins_with_the_server_that_answers),
		cmocka_unit_test(rotates),
		cmocka_unit_test(a_refused_port_costs_no_time),
		cmocka_unit_test(ignores_answers_to_other_questions),
		cmocka_unit_test(large_answers_come_by_tcp),
		cmocka_unit_test(tcp_that_breaks_is_tried_elsewhere),
		cmocka_unit_test(asks_without_edns_where_it_is_unknown),
		cmocka_unit_test(one_family_is_enough),
		cmocka_unit_test(searches),
		cmocka_unit_test(silent_servers_are_not_asked_for_the_whole_list),
		cmocka_unit_test(files_and_literals_need_no_server),
		cmocka_unit_test(follows_resolv_conf),
		cmocka_unit_test(watches_may_go_at_any_time),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(weather),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

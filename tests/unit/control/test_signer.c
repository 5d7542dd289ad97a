/* SPDX-License-Identifier: Apache-2.0 */
/* The signer and client/identity against each other, in the simulation: days pass in moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "client/identity.h"
#include "control/signer.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "tls/authority.h"
#include "tls/inspect.h"
#include "tls/library.h"

#define ID "spiffe://example.org/ns/web/sa/front"
#define SOCKET "/run/ca.sock"

struct told {
	struct identity *identity;
	unsigned changes, failures;
	int error;
	struct text reason;
	struct text chain, key, bundle; /* of the last change */
	int64_t not_after_s, renew_s;
	uint64_t generation;
	unsigned certificates; /* different ones */
	bool free_on_failure;
};

struct rig {
	struct sim *sim;
	struct network *host;
	struct sim_process *authority, *workload;
	struct loop *signer_loop, *loop;
	struct signer *signer;
	bool stopped;
	uint32_t max_sessions;
	struct told told;
};

static void changed(void *owner, const struct identity_credentials *credentials)
{
	struct told *told = owner;
	told->changes++;
	told->certificates += !told->chain.bytes || !slice_equal(text_slice(&told->chain), credentials->chain);
	text_clear(&told->chain);
	text_append(&told->chain, credentials->chain);
	text_clear(&told->key);
	text_append(&told->key, credentials->key);
	text_clear(&told->bundle);
	text_append(&told->bundle, credentials->bundle);
	told->not_after_s = credentials->not_after_s;
	told->renew_s = credentials->renew_s;
	told->generation = credentials->generation;
	assert_true(slice_equal(credentials->id, SLICE(ID)));
}

static void failed(void *owner, int error, struct slice reason)
{
	struct told *told = owner;
	told->failures++;
	told->error = error;
	text_clear(&told->reason);
	text_append(&told->reason, reason);
	if (told->free_on_failure) {
		identity_free(told->identity);
		told->identity = NULL;
	}
}

static const struct identity_events identity_events = { .changed = changed, .failed = failed };

static void start_signer(struct rig *rig, const char *policy)
{
	struct text why = { 0 };
	const struct signer_options options = {
		.max_sessions = rig->max_sessions,
		.network = rig->host,
		.loop = rig->signer_loop,
		.directory = "/ca",
		.socket = SOCKET,
		.socket_mode = 0666,
		.policy = policy,
	};
	sim_process_enter(rig->authority);
	assert_int_equal(signer_new(&options, &rig->signer, &why), 0);
	rig->stopped = false;
}

static void on_stopped(void *owner)
{
	((struct rig *)owner)->stopped = true;
}

static void stop_signer(struct rig *rig)
{
	sim_process_enter(rig->authority);
	signer_stop(rig->signer, on_stopped, rig);
	sim_run_for(rig->sim, CLOCK_SECOND);
	assert_true(rig->stopped);
	signer_free(rig->signer);
	rig->signer = NULL;
}

static struct sim *drawing;

/* Keys, serials and signatures come from the seed too. */
static struct random *draw(void)
{
	return sim_random(drawing);
}

static struct rig *rig_new(uint64_t seed, const struct authority_options *options)
{
	struct rig *rig = memory_new(sizeof *rig);
	struct text why = { 0 };
	rig->sim = sim_new(seed, NULL);
	library_start();
	drawing = rig->sim;
	library_draw_from(draw);
	rig->host = sim_host_new(rig->sim, "10.0.0.1");
	rig->authority = sim_process_current(rig->sim);
	assert_int_equal(loop_new(&(struct loop_options){ .name = "signer" }, &rig->signer_loop), 0);
	assert_int_equal(authority_create("/ca", options, loop_wall(rig->signer_loop), &why), 0);
	rig->workload = sim_process_new(rig->host, "workload");
	sim_process_enter(rig->workload);
	assert_int_equal(loop_new(&(struct loop_options){ .name = "workload" }, &rig->loop), 0);
	return rig;
}

static const struct authority_options ordinary = { .trust_domain = { "example.org", 11 } };

static void start_identity(struct rig *rig)
{
	const struct identity_options options = { .network = rig->host, .loop = rig->loop, .socket = SOCKET, .id = SLICE(ID) };
	sim_process_enter(rig->workload);
	assert_int_equal(identity_new(&options, &identity_events, &rig->told, &rig->told.identity), 0);
}

static void rig_free(struct rig *rig)
{
	struct sim_open open;
	identity_free(rig->told.identity);
	sim_run_for(rig->sim, CLOCK_SECOND);
	if (rig->signer)
		stop_signer(rig);
	sim_run_for(rig->sim, CLOCK_MINUTE);
	sim_process_open(rig->workload, &open);
	assert_int_equal(open.streams + open.timers + open.buffers, 0);
	loop_free(rig->loop);
	loop_free(rig->signer_loop);
	library_draw_from(NULL);
	sim_free(rig->sim);
	text_free(&rig->told.reason);
	text_free(&rig->told.chain);
	text_free(&rig->told.key);
	text_free(&rig->told.bundle);
	memory_free(rig);
}

static bool no_change(void *owner)
{
	return ((struct rig *)owner)->told.changes == 0;
}

static bool no_failure(void *owner)
{
	return ((struct rig *)owner)->told.failures == 0;
}

/* What was told last is good at this moment. */
static void check_good(struct rig *rig)
{
	struct inspection *found;
	struct text why = { 0 };
	const struct inspect_input input = {
		.chain = text_slice(&rig->told.chain),
		.key = text_slice(&rig->told.key),
		.bundle = text_slice(&rig->told.bundle),
		.wall_ns = loop_wall(rig->loop),
		.svid = true,
		.id = SLICE(ID),
	};
	assert_int_equal(inspect(&input, &found, &why), 0);
	assert_int_equal(found->fault_count, 0);
	assert_true(found->verified);
	inspect_free(found);
}

static void an_identity_comes_and_is_renewed(void **state)
{
	(void)state;
	struct rig *rig = rig_new(1, &ordinary);
	start_signer(rig, NULL);
	start_identity(rig);
	assert_true(sim_run_while(rig->sim, no_change, rig, 5 * CLOCK_SECOND));
	check_good(rig);
	int64_t now_s = loop_wall(rig->loop) / CLOCK_SECOND, life = AUTHORITY_TTL_S;
	assert_in_range(rig->told.not_after_s, now_s + life - 5, now_s + life);
	assert_in_range(rig->told.renew_s, now_s + life / 2 - 5, now_s + life * 2 / 3 + 5);
	for (int hour = 0; hour < 4 * 24; hour++) {
		sim_run_for(rig->sim, 3600 * CLOCK_SECOND);
		check_good(rig);
		assert_true(rig->told.not_after_s - loop_wall(rig->loop) / CLOCK_SECOND > life / 3 - 60);
	}
	assert_in_range(rig->told.certificates, 6, 9); /* 96 hours / (12 to 16) */
	assert_int_equal(rig->told.failures, 0);
	assert_int_equal(counter_read(&signer_counters(rig->signer)->issued), rig->told.certificates);
	rig_free(rig);
}

static void a_signer_that_is_late_or_away_is_waited_for(void **state)
{
	(void)state;
	struct rig *rig = rig_new(2, &ordinary);
	start_identity(rig);
	assert_true(sim_run_while(rig->sim, no_failure, rig, 5 * CLOCK_SECOND));
	sim_run_for(rig->sim, CLOCK_MINUTE);
	assert_in_range(rig->told.failures, 5, 12); /* the pauses grow */
	assert_int_equal(rig->told.changes, 0);
	start_signer(rig, NULL);
	assert_true(sim_run_while(rig->sim, no_change, rig, CLOCK_MINUTE));
	check_good(rig);
	stop_signer(rig);
	sim_run_for(rig->sim, 10 * 3600 * CLOCK_SECOND);
	check_good(rig);
	assert_int_equal(rig->told.changes, 1);
	sim_run_for(rig->sim, 7 * 3600 * CLOCK_SECOND); /* it should have been renewed, and could not be */
	check_good(rig);
	assert_int_equal(rig->told.certificates, 1);
	start_signer(rig, NULL);
	sim_run_for(rig->sim, CLOCK_MINUTE);
	assert_int_equal(rig->told.certificates, 2);
	check_good(rig);
	rig_free(rig);
}

/* The root lives for four days: it is replaced by the signer alone, and who holds a certificate is never without trust. */
static void a_root_is_replaced_by_itself(void **state)
{
	(void)state;
	const struct authority_options options = { .trust_domain = SLICE("example.org"), .max_ttl_s = 3600, .root_life_s = 4 * 24 * 3600 };
	struct rig *rig = rig_new(3, &options);
	start_signer(rig, NULL);
	start_identity(rig);
	for (int hour = 0; hour < 10 * 24; hour++) {
		sim_run_for(rig->sim, 3600 * CLOCK_SECOND);
		check_good(rig);
	}
	/* Three lives of a root are over: each replacement is three steps. */
	assert_in_range(counter_read(&signer_counters(rig->signer)->rotations), 9, 12);
	assert_int_equal(rig->told.generation, 1 + counter_read(&signer_counters(rig->signer)->rotations));
	assert_int_equal(rig->told.failures, 0);
	rig_free(rig);
}

static void rotate(struct rig *rig, enum authority_step step)
{
	struct authority *other;
	struct text why = { 0 };
	sim_process_enter(rig->authority);
	assert_int_equal(authority_open("/ca", &other, &why), 0);
	assert_int_equal(authority_rotate(other, step, loop_wall(rig->signer_loop), &why), 0);
	authority_free(other);
}

/* As `weft ca rotate` does it from another process. */
static void a_step_taken_elsewhere_is_told_at_once(void **state)
{
	(void)state;
	struct rig *rig = rig_new(4, &ordinary);
	start_signer(rig, NULL);
	start_identity(rig);
	assert_true(sim_run_while(rig->sim, no_change, rig, 5 * CLOCK_SECOND));
	sim_run_for(rig->sim, 5 * CLOCK_SECOND);
	rotate(rig, AUTHORITY_ADD);
	sim_run_for(rig->sim, 2 * CLOCK_SECOND);
	assert_int_equal(rig->told.generation, 2);
	assert_int_equal(rig->told.certificates, 1); /* only whom to trust is new */
	check_good(rig);
	/* In haste: the root of our certificate is dropped, so another certificate is needed, and got. */
	rotate(rig, AUTHORITY_SWITCH);
	rotate(rig, AUTHORITY_DROP);
	sim_run_for(rig->sim, 2 * CLOCK_SECOND);
	assert_int_equal(rig->told.generation, 4);
	assert_int_equal(rig->told.certificates, 2);
	check_good(rig);
	rig_free(rig);
}

static void the_policy_decides_by_the_caller_s_user(void **state)
{
	(void)state;
	struct rig *rig = rig_new(5, &ordinary);
	sim_file_put(rig->host, "/policy", SLICE("allow: [{uid: 1000, ids: ['spiffe://example.org/ns/web/sa/*']}]"));
	start_signer(rig, "/policy");
	sim_process_user(rig->workload, 1001, 1001);
	start_identity(rig);
	assert_true(sim_run_while(rig->sim, no_failure, rig, 5 * CLOCK_SECOND));
	assert_int_equal(rig->told.error, ERROR_DENIED);
	assert_non_null(strstr(rig->told.reason.bytes, "user 1001 may not be `" ID "`"));
	sim_run_for(rig->sim, CLOCK_MINUTE);
	assert_int_equal(rig->told.changes, 0);
	assert_int_equal(counter_read(&signer_counters(rig->signer)->issued), 0);
	assert_int_equal(counter_read(&signer_counters(rig->signer)->refused), rig->told.failures);
	sim_file_put(rig->host, "/policy", SLICE("allow: [{uid: 1001, ids: ['" ID "']}]"));
	sim_process_enter(rig->authority);
	signer_reload(rig->signer);
	sim_run_for(rig->sim, CLOCK_MINUTE);
	assert_int_equal(rig->told.certificates, 1);
	/* A wrong policy changes nothing. */
	sim_file_put(rig->host, "/policy", SLICE("allow: {}"));
	sim_process_enter(rig->authority);
	signer_reload(rig->signer);
	sim_run_for(rig->sim, 17 * 3600 * CLOCK_SECOND);
	assert_int_equal(rig->told.certificates, 2);
	rig_free(rig);
}

static void it_may_be_freed_from_its_own_event(void **state)
{
	(void)state;
	for (uint64_t seed = 10; seed < 20; seed++) {
		struct rig *rig = rig_new(seed, &ordinary);
		rig->told.free_on_failure = true;
		start_identity(rig);
		sim_run_for(rig->sim, CLOCK_MINUTE);
		assert_int_equal(rig->told.failures, 1);
		rig_free(rig);
	}
}

/* Bad weather: connections are refused, break and fall silent; the certificate is still renewed long before its end. */
static void faults_are_survived(void **state)
{
	(void)state;
	for (uint64_t seed = 100; seed < 120; seed++) {
		struct rig *rig = rig_new(seed, &ordinary);
		struct sim_link *link = sim_link(rig->host, rig->host);
		link->refuse_chance = link->reset_chance = link->vanish_chance = 200000;
		start_signer(rig, NULL);
		start_identity(rig);
		sim_run_for(rig->sim, 5 * CLOCK_MINUTE);
		for (int hour = 0; hour < 48; hour++) {
			sim_run_for(rig->sim, 3600 * CLOCK_SECOND);
			check_good(rig);
		}
		assert_true(rig->told.certificates >= 3);
		link->refuse_chance = link->reset_chance = link->vanish_chance = 0;
		sim_mend(rig->sim);
		rig_free(rig);
	}
}

/* ---- what others may send ---- */

struct raw {
	struct stream *stream;
	struct text answer;
	bool over;
};

static void raw_received(void *owner, struct buffer *buffer)
{
	text_append(&((struct raw *)owner)->answer, slice_make(buffer->bytes, buffer->filled));
	buffer_unref(buffer);
}

static void raw_ended(void *owner)
{
	((struct raw *)owner)->over = true;
}

static void raw_failed(void *owner, int error)
{
	(void)error;
	((struct raw *)owner)->over = true;
}

static void raw_nothing(void *owner)
{
	(void)owner;
}

static const struct stream_events raw_events = {
	.connected = raw_nothing,
	.received = raw_received,
	.ended = raw_ended,
	.drained = raw_nothing,
	.failed = raw_failed,
};

static void say_and_expect(struct rig *rig, const char *request, const char *expected)
{
	struct raw raw = { 0 };
	const struct piece piece = { NULL, request, strlen(request) };
	sim_process_enter(rig->workload);
	assert_int_equal(network_connect_unix(rig->host, rig->loop, SOCKET, &raw.stream), 0);
	stream_own(raw.stream, &raw_events, &raw);
	stream_resume(raw.stream);
	stream_take(raw.stream, &piece, 1);
	sim_run_for(rig->sim, 3 * CLOCK_SECOND);
	assert_non_null(raw.answer.bytes);
	if (!strstr(raw.answer.bytes, expected))
		fail_msg("`%s` is not in: %s", expected, raw.answer.bytes);
	stream_close(raw.stream);
	text_free(&raw.answer);
}

static void other_requests_are_answered_with_what_is_wrong(void **state)
{
	(void)state;
	struct rig *rig = rig_new(6, &ordinary);
	static char large[40000];
	start_signer(rig, NULL);
	say_and_expect(rig, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 ");
	say_and_expect(rig, "GET /v1/svid HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 ");
	say_and_expect(rig, "POST /v1/bundle HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ");
	say_and_expect(rig, "POST /v1/svid HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 400 ");
	say_and_expect(rig, "POST /v1/svid HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", "`id`");
	say_and_expect(
		rig, "POST /v1/svid HTTP/1.1\r\nHost: a\r\nContent-Length: 22\r\n\r\n{\"id\": \"a\", \"csr\": \"\"}", "no SPIFFE ID");
	say_and_expect(rig,
		"POST /v1/svid HTTP/1.1\r\nHost: a\r\nContent-Length: 46\r\n\r\n{\"id\": \"spiffe://example.org/a\", "
		"\"csr\": \"abc\"}",
		"the certificate request cannot be read");
	say_and_expect(rig, "GET /v1/bundle?after=x HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
	say_and_expect(rig, "GET /v1/bundle?after=1&wait=61 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
	say_and_expect(rig, "GET /v1/bundle HTTP/1.1\r\nHost: a\r\n\r\n",
		"\"trust_domain\":\"example.org\",\"generation\":1,\"bundle\":\"-----BEGIN");
	say_and_expect(rig, "GET /v1/bundle?after=7&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 ");
	say_and_expect(rig, "GET /v1/bundle?after=1&wait=2 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 ");
	memset(large, 'x', sizeof large - 1);
	static const struct slice head = { "POST /v1/svid HTTP/1.1\r\nHost: a\r\nContent-Length: 39000\r\n\r\n", 58 };
	memcpy(large, head.at, head.length);
	say_and_expect(rig, large, "HTTP/1.1 413 ");
	rig_free(rig);
}

/* A user who opens all the connections that it can get leaves half for the others. */
static void one_user_can_not_keep_the_others_out(void **state)
{
	(void)state;
	struct rig *rig = rig_new(7, &ordinary);
	struct raw greedy[20] = { 0 };
	struct sim_process *process = sim_process_new(rig->host, "greedy");
	const struct piece piece = { NULL, "GET /v1/bundle?after=1&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n", 53 };
	struct loop *loop;
	unsigned held = 0;
	rig->max_sessions = 8;
	*sim_link(rig->host, rig->host) = SIM_LINK_CALM;
	sim_file_put(rig->host, "/policy", SLICE("allow: [{uid: 1000, ids: ['" ID "']}]"));
	start_signer(rig, "/policy");
	sim_process_user(process, 1001, 1001);
	sim_process_enter(process);
	assert_int_equal(loop_new(&(struct loop_options){ .name = "greedy" }, &loop), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(network_connect_unix(rig->host, loop, SOCKET, &greedy[i].stream), 0);
		stream_own(greedy[i].stream, &raw_events, &greedy[i]);
		stream_resume(greedy[i].stream);
		stream_take(greedy[i].stream, &piece, 1);
	}
	sim_run_for(rig->sim, 5 * CLOCK_SECOND);
	for (int i = 0; i < 20; i++)
		held += !greedy[i].over;
	assert_int_equal(held, 4);
	assert_int_equal(counter_read(&signer_counters(rig->signer)->crowded), 16);
	sim_process_user(rig->workload, 1000, 1000);
	start_identity(rig);
	assert_true(sim_run_while(rig->sim, no_change, rig, 5 * CLOCK_SECOND));
	assert_int_equal(rig->told.failures, 0);
	for (int i = 0; i < 20; i++) {
		stream_close(greedy[i].stream);
		text_free(&greedy[i].answer);
	}
	sim_run_for(rig->sim, CLOCK_SECOND);
	loop_free(loop);
	rig_free(rig);
}

/* All of an authority's and a workload's secrets: the same for the same seed, others for another one. */
static void everything_follows_from_the_seed(void **state)
{
	static const uint64_t seeds[] = { 5, 5, 6 };
	struct text seen[3] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = rig_new(seeds[i], &ordinary);

		start_signer(rig, NULL);
		start_identity(rig);
		assert_true(sim_run_while(rig->sim, no_change, rig, 5 * CLOCK_SECOND));
		sim_run_for(rig->sim, 24 * 3600 * CLOCK_SECOND);
		assert_true(rig->told.certificates > 1);
		text_append(&seen[i], text_slice(&rig->told.key));
		text_append(&seen[i], text_slice(&rig->told.chain));
		text_append(&seen[i], text_slice(&rig->told.bundle));
		rig_free(rig);
	}
	assert_string_equal(seen[0].bytes, seen[1].bytes);
	assert_string_not_equal(seen[0].bytes, seen[2].bytes);
	for (unsigned i = 0; i < 3; i++)
		text_free(&seen[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_comes_and_is_renewed),
		cmocka_unit_test(a_signer_that_is_late_or_away_is_waited_for),
		cmocka_unit_test(everything_follows_from_the_seed),
		cmocka_unit_test(a_root_is_replaced_by_itself),
		cmocka_unit_test(a_step_taken_elsewhere_is_told_at_once),
		cmocka_unit_test(the_policy_decides_by_the_caller_s_user),
		cmocka_unit_test(it_may_be_freed_from_its_own_event),
		cmocka_unit_test(faults_are_survived),
		cmocka_unit_test(one_user_can_not_keep_the_others_out),
		cmocka_unit_test(other_requests_are_answered_with_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* client/identity before signers that do it wrong: whatever they answer is told and tried again, and never taken over. How it gets
 * on with a good one is in tests/unit/control/test_signer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "client/identity.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "tls/authority.h"
#include "tls/library.h"
#include "tls/request.h"

#define ID "spiffe://example.org/ns/web/sa/front"
#define SOCKET "/run/ca.sock"

/* A signer that answers each connection with the same bytes, once it has heard something. */
struct fake {
	struct stream *streams[256];
	unsigned count;
	struct text answer;
	bool closes;
};

struct rig {
	struct sim *sim;
	struct network *host;
	struct loop *loop, *fake_loop;
	struct listen_set *set;
	struct listener *listener;
	struct fake fake;
	struct identity *identity;
	unsigned changes, failures;
	int error;
	struct text reason;
};

static void heard(void *owner, struct buffer *buffer)
{
	struct rig *rig = owner;
	struct stream *stream = rig->fake.streams[rig->fake.count - 1];
	const struct piece piece = { NULL, rig->fake.answer.bytes, rig->fake.answer.length };
	buffer_unref(buffer);
	if (rig->fake.answer.length)
		stream_take(stream, &piece, 1);
	if (rig->fake.closes)
		stream_finish(stream);
}

static void nothing(void *owner)
{
	(void)owner;
}

static void broke(void *owner, int error)
{
	(void)owner;
	(void)error;
}

static const struct stream_events fake_events = { .received = heard, .ended = nothing, .drained = nothing, .failed = broke };

static void accepted(void *owner, struct stream *stream)
{
	struct rig *rig = owner;
	assert_in_range(rig->fake.count, 0, 255);
	rig->fake.streams[rig->fake.count++] = stream;
	stream_own(stream, &fake_events, rig);
	stream_resume(stream);
}

static void changed(void *owner, const struct identity_credentials *credentials)
{
	(void)credentials;
	((struct rig *)owner)->changes++;
}

static void failed(void *owner, int error, struct slice reason)
{
	struct rig *rig = owner;
	rig->failures++;
	rig->error = error;
	text_clear(&rig->reason);
	text_append(&rig->reason, reason);
}

static const struct identity_events identity_events = { .changed = changed, .failed = failed };

static struct sim *drawing;

static struct random *draw(void)
{
	return sim_random(drawing);
}

static struct rig *rig_new(void)
{
	struct rig *rig = memory_new(sizeof *rig);
	const struct listen_options plain = { 0 };
	rig->sim = sim_new(1, NULL);
	library_start();
	drawing = rig->sim;
	library_draw_from(draw);
	rig->host = sim_host_new(rig->sim, "10.0.0.1");
	*sim_link(rig->host, rig->host) = SIM_LINK_CALM;
	assert_int_equal(loop_new(&(struct loop_options){ .name = "fake" }, &rig->fake_loop), 0);
	assert_int_equal(loop_new(&(struct loop_options){ .name = "workload" }, &rig->loop), 0);
	assert_int_equal(listen_open_unix(rig->host, SOCKET, 0600, &plain, &rig->set), 0);
	rig->listener = listen_start(rig->set, 0, rig->fake_loop, accepted, rig);
	return rig;
}

static void begin(struct rig *rig)
{
	const struct identity_options options = { .network = rig->host, .loop = rig->loop, .socket = SOCKET, .id = SLICE(ID) };
	assert_int_equal(identity_new(&options, &identity_events, rig, &rig->identity), 0);
}

static void rig_free(struct rig *rig)
{
	struct sim_open open;
	identity_free(rig->identity);
	sim_run_for(rig->sim, CLOCK_SECOND);
	listen_stop(rig->listener);
	listen_close(rig->set);
	for (unsigned i = 0; i < rig->fake.count; i++)
		stream_close(rig->fake.streams[i]);
	sim_run_for(rig->sim, CLOCK_MINUTE);
	sim_process_open(sim_process_current(rig->sim), &open);
	assert_int_equal(open.streams + open.timers + open.buffers, 0);
	loop_free(rig->loop);
	loop_free(rig->fake_loop);
	library_draw_from(NULL);
	sim_free(rig->sim);
	text_free(&rig->fake.answer);
	text_free(&rig->reason);
	memory_free(rig);
}

static void answer_with(struct rig *rig, unsigned status, const char *body)
{
	text_clear(&rig->fake.answer);
	text_format(&rig->fake.answer, "HTTP/1.1 %u X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
}

/* Runs it for 20 s: it has asked more than once, and says this. */
static void expect_failure(struct rig *rig, int error, const char *reason)
{
	begin(rig);
	sim_run_for(rig->sim, 20 * CLOCK_SECOND);
	assert_in_range(rig->failures, 1, 12);
	assert_int_equal(rig->changes, 0);
	assert_null(identity_credentials(rig->identity));
	assert_int_equal(rig->error, error);
	if (!strstr(rig->reason.bytes, reason))
		fail_msg("`%s` is not in: %s", reason, rig->reason.bytes);
	assert_null(strchr(rig->reason.bytes, '\n'));
	rig_free(rig);
}

static void a_wrong_id_is_refused_at_once(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	const struct identity_options options = { .network = rig->host, .loop = rig->loop, .socket = SOCKET, .id = SLICE("web") };
	assert_int_equal(identity_new(&options, &identity_events, rig, &rig->identity), ERROR_SYNTAX);
	rig_free(rig);
}

static void answers_that_are_none(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *body;
		int error;
		const char *reason;
	} cases[] = {
		{ 200, "", ERROR_SYNTAX, "the signer's answer is not what it should be: " },
		{ 200, "{", ERROR_SYNTAX, "the signer's answer is not what it should be: answer:1:2: " },
		{ 200, "[]", ERROR_SYNTAX, "the signer's answer is not what it should be: " },
		{ 200, "{\"chain\": \"x\", \"bundle\": \"y\"}", ERROR_SYNTAX, "the key `generation` is missing" },
		{ 200, "{\"chain\": \"x\", \"bundle\": \"y\", \"generation\": 1}", ERROR_NOT_FOUND, "no certificate in it" },
		{ 403, "{\"error\": \"you may not\"}", ERROR_DENIED, "the signer answers 403: you may not" },
		{ 503, "{\"error\": \"later\"}", ERROR_BUSY, "the signer answers 503: later" },
		{ 400, "{}", ERROR_INVALID, "the signer answers 400: it gives no reason" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig *rig = rig_new();
		answer_with(rig, cases[i].status, cases[i].body);
		expect_failure(rig, cases[i].error, cases[i].reason);
	}
}

static void signers_that_break_off(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	text_format(&rig->fake.answer, "HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{\"chain\": ");
	rig->fake.closes = true;
	begin(rig);
	sim_run_for(rig->sim, 5 * CLOCK_SECOND);
	assert_in_range(rig->failures, 2, 8);
	assert_int_equal(rig->changes, 0);
	rig_free(rig);

	rig = rig_new();
	text_format(&rig->fake.answer, "nonsense\r\n\r\n");
	begin(rig);
	sim_run_for(rig->sim, 5 * CLOCK_SECOND);
	assert_in_range(rig->failures, 2, 8);
	rig_free(rig);

	rig = rig_new();
	expect_failure(rig, ERROR_TIMEOUT, "timed out"); /* it never answers */
}

static void an_answer_without_end(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	text_format(&rig->fake.answer, "HTTP/1.1 200 X\r\nContent-Length: 400000\r\n\r\n");
	while (rig->fake.answer.length < 400000)
		text_append(&rig->fake.answer, SLICE("                                                                "));
	expect_failure(rig, ERROR_LIMIT, "limit");
}

/* A good certificate, and good for another key than ours: a signer that answers what it answered before, say. */
static void a_certificate_of_another_key(void **state)
{
	(void)state;
	struct rig *rig = rig_new();
	struct text key = { 0 }, request = { 0 }, why = { 0 }, body = { 0 };
	struct authority *authority;
	struct authority_svid svid;
	const struct authority_options options = { .trust_domain = SLICE("example.org") };
	assert_int_equal(authority_create("/ca", &options, loop_wall(rig->loop), &why), 0);
	assert_int_equal(authority_open("/ca", &authority, &why), 0);
	assert_int_equal(request_make(SLICE(ID), &key, &request), 0);
	const struct authority_order order = { .request = text_slice(&request) };
	assert_int_equal(authority_issue(authority, &order, loop_wall(rig->loop), &svid, &why), 0);
	text_format(&body, "{\"generation\": 1, \"chain\": \"");
	for (size_t i = 0; i < svid.chain.length; i++)
		text_format(&body, svid.chain.bytes[i] == '\n' ? "\\n" : "%c", svid.chain.bytes[i]);
	text_format(&body, "\", \"bundle\": \"");
	for (size_t i = 0; i < authority_bundle(authority).length; i++)
		text_format(&body, authority_bundle(authority).at[i] == '\n' ? "\\n" : "%c", authority_bundle(authority).at[i]);
	text_format(&body, "\"}");
	answer_with(rig, 200, body.bytes);
	authority_svid_free(&svid);
	authority_free(authority);
	request_wipe(&key);
	text_free(&request);
	text_free(&body);
	expect_failure(rig, ERROR_DENIED, "belongs to another private key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_id_is_refused_at_once),
		cmocka_unit_test(answers_that_are_none),
		cmocka_unit_test(signers_that_break_off),
		cmocka_unit_test(an_answer_without_end),
		cmocka_unit_test(a_certificate_of_another_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

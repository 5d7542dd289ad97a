/* SPDX-License-Identifier: Apache-2.0 */
/* client/fetch before servers that answer, answer slowly, break off, and are not who they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "client/fetch.h"
#include "io/sim/sim.h"
#include "support/scripted.h"
#include "support/secure.h"
#include "tls/library.h"

struct rig {
	struct sim *sim;
	struct network *server_host, *host;
	struct loop *server_loop, *loop;
	struct session_pools *pools;
	struct secure *secure;
	struct scripted server;
	struct address address;
	struct fetch fetch;
	struct text body;
	unsigned ended, over;
	int error;
};

static void on_body(struct fetch *fetch, struct slice bytes)
{
	struct rig *rig = fetch->owner;
	assert_int_equal(rig->ended, 0);
	text_append(&rig->body, bytes);
}

static void on_ended(struct fetch *fetch, int error)
{
	struct rig *rig = fetch->owner;
	rig->ended++;
	rig->error = error;
}

static void on_over(struct fetch *fetch)
{
	struct rig *rig = fetch->owner;
	assert_in_range(rig->ended, 0, 1);
	assert_true(fetch_is_over(fetch));
	rig->over++;
}

static const struct fetch_events events = { .body = on_body, .ended = on_ended, .over = on_over };

static struct sim *drawing;

static struct random *draw(void)
{
	return sim_random(drawing);
}

static struct rig *rig_new(bool secured)
{
	struct rig *rig = memory_new(sizeof *rig);

	rig->sim = drawing = sim_new(3, NULL);
	library_start();
	library_draw_from(draw);
	rig->server_host = sim_host_new(rig->sim, "10.0.0.1");
	assert_int_equal(loop_new(&(struct loop_options){ .name = "server" }, &rig->server_loop), 0);
	rig->host = sim_host_new(rig->sim, "10.0.0.2");
	assert_int_equal(loop_new(&(struct loop_options){ .name = "client" }, &rig->loop), 0);
	assert_int_equal(session_pools_new(rig->loop, 8, 8, &rig->pools), 0);
	if (secured)
		rig->secure = secure_new(rig->server_loop, rig->loop);
	sim_host_enter(rig->server_host);
	scripted_start(&rig->server, rig->server_host, rig->server_loop, 8001, rig->secure);
	sim_host_enter(rig->host);
	assert_int_equal(address_parse(SLICE("10.0.0.1"), 8001, &rig->address), 0);
	fetch_init(&rig->fetch, rig->loop, rig->pools, &events, rig);
	return rig;
}

static void rig_free(struct rig *rig)
{
	struct sim_open open;

	fetch_stop(&rig->fetch);
	sim_run_for(rig->sim, CLOCK_SECOND);
	assert_true(fetch_is_over(&rig->fetch));
	scripted_fini(&rig->server);
	sim_run_for(rig->sim, CLOCK_MINUTE);
	secure_free(rig->secure);
	session_pools_free(rig->pools);
	sim_process_open(sim_process_current(rig->sim), &open);
	assert_int_equal(open.streams + open.timers + open.buffers, 0);
	loop_free(rig->loop);
	loop_free(rig->server_loop);
	library_draw_from(NULL);
	sim_free(rig->sim);
	text_free(&rig->body);
	memory_free(rig);
}

static bool no_request_yet(void *owner)
{
	struct rig *rig = owner;
	struct scripted_call *call = &rig->server.calls[rig->server.count ? rig->server.count - 1 : 0];
	return !call->heard.bytes || !strstr(call->heard.bytes, "\r\n\r\n");
}

static bool not_ended(void *owner)
{
	return !((struct rig *)owner)->ended;
}

static const struct fetch_limits limits = { .head_ns = 5 * CLOCK_SECOND, .quiet_ns = 60 * CLOCK_SECOND };

static struct scripted_call *asked(struct rig *rig, const struct fetch_tls *tls, const struct fetch_request *request)
{
	const struct fetch_to to = { .network = rig->host, .address = &rig->address, .tls = tls };

	assert_int_equal(fetch_send(&rig->fetch, &to, request, &limits), 0);
	assert_true(sim_run_while(rig->sim, no_request_yet, rig, 10 * CLOCK_SECOND));
	return &rig->server.calls[rig->server.count - 1];
}

static void expect_end(struct rig *rig, int error, const char *body)
{
	assert_true(sim_run_while(rig->sim, not_ended, rig, 5 * CLOCK_MINUTE));
	assert_int_equal(rig->error, error);
	assert_string_equal(rig->body.bytes ? rig->body.bytes : "", body);
	sim_run_for(rig->sim, CLOCK_MINUTE);
	assert_int_equal(rig->ended, 1);
	assert_int_equal(rig->over, 1);
}

static void a_request_is_as_it_was_said(void **state)
{
	const struct fetch_field fields[] = {
		{ SLICE("Authorization"), SLICE("Bearer abc") },
		{ SLICE("Content-Type"), SLICE("text/plain") },
	};
	struct rig *rig = rig_new(false);
	const struct fetch_request request = {
		.method = SLICE("POST"),
		.authority = SLICE("kubernetes.default"),
		.target = SLICE("/v1/x?y=1"),
		.fields = fields,
		.field_count = 2,
		.body = SLICE("hello"),
	};
	struct scripted_call *call;

	(void)state;
	call = asked(rig, NULL, &request);
	sim_run_for(rig->sim, CLOCK_SECOND);
	assert_string_equal(call->heard.bytes,
		"POST /v1/x?y=1 HTTP/1.1\r\nHost: kubernetes.default\r\nAuthorization: Bearer abc\r\nContent-Type: text/plain\r\n"
		"Content-Length: 5\r\n\r\nhello");
	scripted_send(call, "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nwell");
	expect_end(rig, 0, "well");
	assert_int_equal(rig->fetch.status, 201);
	rig_free(rig);
}

static void a_long_body_is_sent_whole(void **state)
{
	struct rig *rig = rig_new(false);
	struct text body = { 0 };
	struct scripted_call *call;

	(void)state;
	for (unsigned i = 0; i < 40000; i++)
		text_format(&body, "%04x ", i);
	call = asked(rig, NULL, &(struct fetch_request){ .method = SLICE("POST"), .target = SLICE("/"), .body = text_slice(&body) });
	sim_run_for(rig->sim, CLOCK_MINUTE / 20);
	assert_true(slice_ends(text_slice(&call->heard), text_slice(&body)));
	scripted_send(call, "HTTP/1.1 204 No Content\r\n\r\n");
	expect_end(rig, 0, "");
	text_free(&body);
	rig_free(rig);
}

static void fields_of_more_than_one_line_are_refused(void **state)
{
	const struct fetch_field field = { SLICE("Authorization"), SLICE("Bearer abc\r\nX: y") };
	struct rig *rig = rig_new(false);
	const struct fetch_to to = { .network = rig->host, .address = &rig->address };
	const struct fetch_request request = { .target = SLICE("/"), .fields = &field, .field_count = 1 };

	(void)state;
	assert_int_equal(fetch_send(&rig->fetch, &to, &request, &limits), ERROR_INVALID);
	sim_run_for(rig->sim, CLOCK_SECOND);
	assert_int_equal(rig->ended, 0);
	rig_free(rig);
}

/* A watch: it goes on as long as something comes now and then. */
static void an_answer_without_end_is_told_as_it_comes(void **state)
{
	struct rig *rig = rig_new(false);
	struct scripted_call *call;

	(void)state;
	call = asked(rig, NULL, &(struct fetch_request){ .target = SLICE("/watch") });
	scripted_send(call, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 30; i++) {
		scripted_send(call, "3\r\n{}\n\r\n");
		sim_run_for(rig->sim, 50 * CLOCK_SECOND);
		assert_int_equal(rig->body.length, 3 * (i + 1));
		assert_int_equal(rig->ended, 0);
	}
	text_clear(&rig->body);
	expect_end(rig, ERROR_TIMEOUT, "");
	rig_free(rig);
}

static void answers_that_break_off_are_no_answers(void **state)
{
	struct rig *rig;

	(void)state;
	rig = rig_new(false);
	scripted_send(
		asked(rig, NULL, &(struct fetch_request){ .target = SLICE("/") }), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	scripted_end(&rig->server.calls[0]);
	assert_true(sim_run_while(rig->sim, not_ended, rig, CLOCK_MINUTE));
	assert_int_not_equal(rig->error, 0);
	rig_free(rig);

	rig = rig_new(false);
	asked(rig, NULL, &(struct fetch_request){ .target = SLICE("/") });
	expect_end(rig, ERROR_TIMEOUT, ""); /* no head */
	rig_free(rig);

	rig = rig_new(false);
	scripted_stop(&rig->server);
	assert_int_equal(fetch_start(&rig->fetch, rig->host, &rig->address, SLICE("/"), &limits), 0);
	expect_end(rig, ERROR_REFUSED, "");
	rig_free(rig);
}

static struct fetch_tls tls_of(struct rig *rig, const char *name)
{
	return (struct fetch_tls){
		.pools = rig->secure->client_pools, .client = rig->secure->client, .target = { .name = slice_of(name) }
	};
}

static void over_tls_the_servers_name_is_verified(void **state)
{
	struct rig *rig = rig_new(true);
	struct fetch_tls tls = tls_of(rig, SECURE_NAME);
	struct fetch_to to = { .network = rig->host, .address = &rig->address, .tls = &tls };
	struct scripted_call *call;

	(void)state;
	call = asked(rig, &tls, &(struct fetch_request){ .target = SLICE("/version") });
	assert_true(slice_starts(text_slice(&call->heard), SLICE("GET /version HTTP/1.1\r\n")));
	scripted_send(call, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	expect_end(rig, 0, "ok");
	rig_free(rig);

	rig = rig_new(true);
	tls = tls_of(rig, "other.example");
	to = (struct fetch_to){ .network = rig->host, .address = &rig->address, .tls = &tls };
	assert_int_equal(fetch_send(&rig->fetch, &to, &(struct fetch_request){ .target = SLICE("/") }, &limits), 0);
	expect_end(rig, ERROR_DENIED, "");
	assert_int_equal(rig->server.calls[0].heard.length, 0);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_as_it_was_said),
		cmocka_unit_test(a_long_body_is_sent_whole),
		cmocka_unit_test(fields_of_more_than_one_line_are_refused),
		cmocka_unit_test(an_answer_without_end_is_told_as_it_comes),
		cmocka_unit_test(answers_that_break_off_are_no_answers),
		cmocka_unit_test(over_tls_the_servers_name_is_verified),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are HTTP/1 or HTTP/2, as their first bytes, their first request or their stream's security say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/memory.h"
#include "support/frames.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define GET "GET /path HTTP/1.1\r\nHost: a\r\n\r\n"
#define UPGRADE "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

static struct pair *pair;
static struct frames frames;

static void begin(struct pair_options options)
{
	options.codec = &codec_http;
	if (!options.serve)
		options.serve = call_answer_hello;
	pair = pair_new(&options);
	pair_connect_raw(pair);
	frames_new(&frames, pair);
}

static void end(void)
{
	pair_free(pair);
	frames_free(&frames);
}

/* In two pieces, cut behind `cut` bytes. */
static void send_cut(struct slice bytes, size_t cut)
{
	pair_send_raw(pair, bytes.at, cut);
	pair_settle(pair);
	pair_send_raw(pair, bytes.at + cut, bytes.length - cut);
	pair_settle(pair);
}

/* Wherever they are cut, and byte by byte. */
static void first_bytes_of_http2(void **state)
{
	struct text out;

	(void)state;
	for (size_t cut = 1; cut <= HTTP2_PREFACE_LENGTH + HTTP2_FRAME_HEAD + 3; cut++) {
		begin((struct pair_options){ .calm = true });
		frames_preface(&frames);
		frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
		out = frames.out;
		if (cut == 5) {
			for (size_t i = 0; i < out.length; i++) {
				pair_send_raw(pair, out.bytes + i, 1);
				sim_run_for(pair->sim, 10 * CLOCK_MS);
			}
			pair_settle(pair);
		} else {
			send_cut(text_slice(&out), cut);
		}
		frames_read(&frames);
		assert_int_equal(5, frames_data_length(&frames, 1));
		assert_int_equal(1, counter_read(&pair->server_counters.connects));
		assert_int_equal(0, pair->refused);
		end();
	}
}

static void first_bytes_of_http1(void **state)
{
	static const char *const requests[] = {
		GET,
		"P / HTTP/1.1\r\nHost: a\r\n\r\n",
		"PRI / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
		"PRI * HTTP/1.1\r\nHost: a\r\n\r\n", /* refused: no method that may ask for all */
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\x0b",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++) {
		for (size_t cut = 1; cut < 10; cut++) {
			begin((struct pair_options){ .calm = true });
			send_cut(slice_of(requests[i]), cut);
			if (i < 4) {
				assert_string_equal(OK_HELLO "hello", pair->received.bytes);
				assert_int_equal(1, pair->opened);
				send_cut(slice_of(GET), 3); /* and goes on so */
				assert_int_equal(2, pair->opened);
			} else {
				assert_int_equal(0, pair->opened);
				assert_int_equal(1, pair->refused);
			}
			end();
		}
	}
}

/* Bytes of neither are not answered: which of them would be understood? */
static void first_bytes_of_neither(void **state)
{
	static const char bytes[] = "INVALID CONNECTION PREFACE\r\n\r\n";

	(void)state;
	for (size_t cut = 1; cut < sizeof bytes - 1; cut++) {
		begin((struct pair_options){ .calm = true });
		send_cut(slice_of(bytes), cut);
		assert_int_equal(0, pair->received.length);
		assert_true(pair->raw_ended);
		assert_int_equal(400, pair->refused_status);
		end();
	}
}

static void prefaces_that_never_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		begin((struct pair_options){ .limits = { .head_ns = 5 * CLOCK_SECOND } });
		pair_send_raw(pair, http2_preface, 20);
		pair_settle(pair);
		if (i)
			stream_finish(pair->raw);
		sim_run_for(pair->sim, 6 * CLOCK_SECOND);
		assert_true(pair->raw_ended || pair->raw_failed);
		assert_null(pair->server);
		end();
	}
	/* Nothing at all. */
	begin((struct pair_options){ .limits = { .idle_ns = 5 * CLOCK_SECOND } });
	sim_run_for(pair->sim, 6 * CLOCK_SECOND);
	assert_true(pair->raw_ended);
	end();
}

/* A request by HTTP/2, since `ns` on its way. */
static void begin_http2(int64_t ns)
{
	begin((struct pair_options){ .calm = true });
	pair_settle(pair);
	frames_preface(&frames);
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	sim_run_for(pair->sim, ns);
}

/* The owner closes or drains it at any moment: before its protocol is known, too. */
static void owners_that_close_meanwhile(void **state)
{
	(void)state;
	for (unsigned steps = 0; steps < 100; steps++) {
		begin_http2(steps * 20 * CLOCK_US);
		session_close(pair->server, RESET_SHUTDOWN);
		pair_settle(pair);
		assert_null(pair->server);
		end();
	}
}

static void owners_that_drain_meanwhile(void **state)
{
	unsigned undecided = 0;

	(void)state;
	for (unsigned steps = 0; steps < 100; steps++) {
		begin_http2(steps * 20 * CLOCK_US);
		undecided += pair->received.length == 0;
		session_drain(pair->server);
		pair_settle(pair);
		/* The request was on its way; PING isn't answered, for which a second is given. */
		pair_settle(pair);
		frames_read(&frames);
		assert_int_equal(5, frames_data_length(&frames, 1));
		assert_int_equal(2, frames_number(&frames, HTTP2_GOAWAY, 0));
		assert_true(pair->raw_ended);
		assert_null(pair->server);
		assert_int_equal(0, pair->server_error);
		end();
	}
	assert_in_range(undecided, 1, 99);
}

/* Who has connected is let in: the time in which something is to come begins behind the handshake, however long that takes. */
static void draining_while_shaking_hands(void **state)
{
	(void)state;
	for (unsigned asks = 0; asks < 2; asks++) {
		begin((struct pair_options){ .tls = true, .calm = true });
		while (!pair->server)
			sim_run_for(pair->sim, 10 * CLOCK_US);
		sim_partition(pair->client_host, pair->server_host, true);
		session_drain(pair->server);
		pair_settle(pair);
		assert_non_null(pair->server);
		sim_partition(pair->client_host, pair->server_host, false);
		if (asks)
			pair_send_raw_text(pair, GET);
		pair_settle(pair);
		if (asks)
			assert_string_equal("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", pair->received.bytes);
		assert_true(pair->raw_ended);
		assert_null(pair->server);
		end();
	}
}

/* --- Upgrade: h2c --- */

static void check_upgrade(const char *request)
{
	pair_send_raw_text(pair, request);
	pair_settle(pair);
	assert_true(strncmp(pair->received.bytes, SWITCHING, sizeof SWITCHING - 1) == 0);
	/* What is behind it is HTTP/2. */
	struct text rest = { 0 };
	text_append(&rest, slice_from(text_slice(&pair->received), sizeof SWITCHING - 1));
	text_free(&pair->received);
	pair->received = rest;
	frames_read(&frames);
	assert_int_equal(HTTP2_SETTINGS, frames.seen[0].frame.type);
	assert_int_equal(1, pair->opened);
}

static void upgrade_without_a_body(void **state)
{
	(void)state;
	/* INITIAL_WINDOW_SIZE 3 */
	begin((struct pair_options){ 0 });
	check_upgrade("GET /path HTTP/1.1\r\nHost: a\r\nX: y\r\n" UPGRADE "HTTP2-Settings: AAQAAAAD\r\n\r\n");
	assert_non_null(frames_find(&frames, HTTP2_HEADERS, 1));
	assert_int_equal(3, frames_data_length(&frames, 1));
	frames_preface(&frames);
	frames_window(&frames, 1, 10);
	frames_headers(&frames, 3, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	frames_settle(&frames);
	assert_int_equal(5, frames_data_length(&frames, 1));
	assert_int_equal(3, frames_data_length(&frames, 3));
	assert_int_equal(2, pair->opened);
	end();
}

static void look_at_the_request(struct call *call, enum call_event event)
{
	if (event == CALL_OPENED) {
		struct head *head = &call->head;

		assert_true(slice_equal(SLICE("/path"), head->target));
		assert_true(slice_equal(SLICE("y"), field_value(head_find_name(head, SLICE("x")))));
		assert_false(head->upgrades);
		assert_null(head_find(head, FIELD_UPGRADE));
		assert_null(head_find(head, FIELD_HTTP2_SETTINGS));
		assert_null(head_find(head, FIELD_CONNECTION));
	}
	call_answer_hello(call, event);
}

static void upgrade_with_a_body(void **state)
{
	(void)state;
	begin((struct pair_options){ .serve = look_at_the_request, .calm = true });
	check_upgrade("POST /path HTTP/1.1\r\nHost: a\r\nX: y\r\n" UPGRADE "HTTP2-Settings: \r\nContent-Length: 4\r\n\r\nbody");
	assert_string_equal("body", pair->served->body.bytes);
	assert_int_equal(5, frames_data_length(&frames, 1));
	end();
}

/* Each is answered as HTTP/1. */
static void upgrades_that_are_ignored(void **state)
{
	static const char *const fields[] = {
		UPGRADE,
		UPGRADE "HTTP2-Settings: AAQAAAAD\r\nHTTP2-Settings: AAQAAAAD\r\n",
		UPGRADE "HTTP2-Settings: AAQAAAA\r\n",
		UPGRADE "HTTP2-Settings: AAQAAAAD=\r\n",
		UPGRADE "HTTP2-Settings: AAT_____\r\n", /* a window of 2^32 - 1 */
		UPGRADE "HTTP2-Settings: AAUAAAAB\r\n", /* frames of a byte */
		"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAQAAAAD\r\n",
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2\r\nHTTP2-Settings: AAQAAAAD\r\n",
		"Upgrade: h2c\r\nHTTP2-Settings: AAQAAAAD\r\n",
		UPGRADE "HTTP2-Settings: AAQAAAAD\r\nTransfer-Encoding: chunked\r\n",
	};
	char request[400];

	(void)state;
	for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++) {
		begin((struct pair_options){ 0 });
		snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n%s", fields[i], i == 9 ? "0\r\n\r\n" : "");
		pair_send_raw_text(pair, request);
		pair_settle(pair);
		assert_int_equal(1, pair->opened);
		if (pair->served->side && pair->served->head.upgrades) /* it may become an upgrade of its own */
			call_answer_hello(pair->served, CALL_END);
		pair_settle(pair);
		assert_string_equal(OK_HELLO "hello", pair->received.bytes);
		end();
	}
	/* Only a connection's first request can. */
	begin((struct pair_options){ 0 });
	pair_send_raw_text(pair, GET);
	pair_settle(pair);
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n" UPGRADE "HTTP2-Settings: AAQAAAAD\r\n\r\n");
	pair_settle(pair);
	assert_int_equal(2, pair->opened);
	call_answer_hello(pair->served, CALL_END);
	pair_settle(pair);
	assert_string_equal(OK_HELLO "hello" OK_HELLO "hello", pair->received.bytes);
	end();
}

/* No stream, no head, no buffer, at any moment of it. */
static void upgrades_without_memory(void **state)
{
	unsigned upgraded = 0;

	(void)state;
	for (uint64_t nth = 1; nth < 30; nth++) {
		begin((struct pair_options){ .calm = true });
		pair_settle(pair);
		pair_send_raw_text(pair, "POST / HTTP/1.1\r\nHost: a\r\n" UPGRADE "HTTP2-Settings: \r\nContent-Length: 4\r\n\r\nbody");
		memory_fail_nth(nth);
		pair_settle(pair);
		memory_fail_nth(0);
		upgraded += pair->received.length > 0 && memmem(pair->received.bytes, pair->received.length, "hello", 5);
		end();
	}
	assert_true(upgraded > 0);
}

/* --- both ends --- */

static void release_when_over(struct call *call, enum call_event event)
{
	if (event == CALL_END)
		call_release(call, RESET_NONE);
}

/* A client whose stream nothing secures speaks HTTP/1 at once. */
static void clients_in_plain_text(void **state)
{
	struct call *call;

	(void)state;
	begin((struct pair_options){ 0 });
	pair_close_raw(pair);
	call = pair_call(pair, GET, true, release_when_over);
	assert_true(pair_run_until_over(pair, call));
	assert_string_equal("hello", call->body.bytes);
	assert_int_equal(VERSION_1_1, call->head.version);
	end();
}

static void what_was_agreed(const char *alpn, bool http2)
{
	struct call *call;

	begin((struct pair_options){ .alpn = alpn });
	pair_close_raw(pair);
	pair_connect(pair);
	/* Not before it is known. */
	assert_int_equal(0, session_capacity(pair->client));
	assert_true(pair->client->undecided);
	assert_null(call_begin(&pair->calls, pair->client, GET, true, NULL, pair));
	pair_settle(pair);
	assert_int_equal(1, pair->available);
	assert_false(pair->client->undecided);
	assert_int_equal(http2 ? 1000 : 1, session_capacity(pair->client));
	call = pair_call(pair, GET, true, release_when_over);
	assert_true(pair_run_until_over(pair, call));
	assert_string_equal("hello", call->body.bytes);
	assert_int_equal(http2 ? VERSION_2 : VERSION_1_1, call->head.version);
	assert_int_equal(1, counter_read(&pair->client_counters.connects));
	end();
}

static void agreed_protocols(void **state)
{
	(void)state;
	what_was_agreed("h2", true);
	what_was_agreed("http/1.1", false);
	what_was_agreed("", false);
}

/* Who has agreed on HTTP/2 has to speak it, and the other way round; who has agreed on nothing, what he likes. */
static void agreements_that_are_broken(void **state)
{
	(void)state;
	begin((struct pair_options){ .alpn = "h2" });
	pair_send_raw_text(pair, GET);
	pair_settle(pair);
	frames_read(&frames);
	assert_int_equal(HTTP2_PROTOCOL_ERROR, frames_goaway_code(&frames));
	end();

	begin((struct pair_options){ .alpn = "http/1.1" });
	frames_preface(&frames);
	frames_send(&frames);
	pair_settle(pair);
	assert_int_equal(505, pair->refused_status);
	end();

	begin((struct pair_options){ .alpn = "" });
	frames_preface(&frames);
	frames_headers(&frames, 1, HTTP2_END_STREAM, FRAMES_GET);
	frames_send(&frames);
	frames_settle(&frames);
	assert_int_equal(5, frames_data_length(&frames, 1));
	end();

	/* Nobody upgrades what is secured. */
	begin((struct pair_options){ .alpn = "" });
	pair_send_raw_text(pair, "GET / HTTP/1.1\r\nHost: a\r\n" UPGRADE "HTTP2-Settings: \r\n\r\n");
	pair_settle(pair);
	call_answer_hello(pair->served, CALL_END);
	pair_settle(pair);
	assert_string_equal(OK_HELLO "hello", pair->received.bytes);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_bytes_of_http2),
		cmocka_unit_test(first_bytes_of_http1),
		cmocka_unit_test(first_bytes_of_neither),
		cmocka_unit_test(prefaces_that_never_end),
		cmocka_unit_test(owners_that_close_meanwhile),
		cmocka_unit_test(owners_that_drain_meanwhile),
		cmocka_unit_test(draining_while_shaking_hands),
		cmocka_unit_test(upgrade_without_a_body),
		cmocka_unit_test(upgrade_with_a_body),
		cmocka_unit_test(upgrades_that_are_ignored),
		cmocka_unit_test(upgrades_without_memory),
		cmocka_unit_test(clients_in_plain_text),
		cmocka_unit_test(agreed_protocols),
		cmocka_unit_test(agreements_that_are_broken),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

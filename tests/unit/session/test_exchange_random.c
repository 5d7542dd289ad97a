/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges that do at any moment whatever the contract allows them, drawn from a seed, over every codec and on networks with
 * and without faults. What must hold: the contract (support/contract.h); what arrives is what was sent; nobody is told of
 * an end that was not sent, or in which something is missing; nothing is left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/random.h"
#include "support/pair.h"

enum { SEEDS = 100, TURNS = 600, MOST_CALLS = 40, LARGEST = 40000 };

/* How far a call has come with sending: call->step. */
enum sending { HEAD_TO_SEND, BODY_TO_SEND, ALL_SENT };

static struct call *clients[MOST_CALLS], *servers[MOST_CALLS];
static unsigned client_count;

static uint32_t draw(struct pair *pair, uint32_t limit)
{
	return random_below(sim_random(pair->sim), limit);
}

static void served(struct call *call, enum call_event event)
{
	unsigned number;

	if (event != CALL_OPENED)
		return;
	number = (unsigned)atoi(call->head.target.at + 1);
	assert_true(number < client_count);
	assert_null(servers[number]);
	servers[number] = call;
	call->mine = &servers[number];
	if (draw(call->owner, 3) == 0)
		side_pause(call->side);
	if (draw(call->owner, 3) == 0)
		side_forget_head(call->side);
}

static void listen_only(struct call *call, enum call_event event)
{
	(void)call;
	(void)event;
}

static void send_response_head(struct call *call)
{
	char head[128];

	call->to_send = draw(call->owner, LARGEST);
	switch (draw(call->owner, 4)) {
	case 0:
		call->to_send = 0;
		call_send_head(call, "HTTP/1.1 204 No Content\r\n\r\n", true);
		call->step = ALL_SENT;
		return;
	case 1:
		snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", call->to_send);
		call_send_head(call, head, call->to_send == 0);
		call->step = call->to_send == 0 ? ALL_SENT : BODY_TO_SEND;
		call->mine = call; /* of known length: no trailers */
		return;
	default:
		call_send_head(call, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false);
		call->step = BODY_TO_SEND;
	}
}

static void send_some(struct call *call)
{
	size_t left = call->to_send - call->sent;
	size_t part = left ? 1 + draw(call->owner, (uint32_t)(left < 9000 ? left : 9000)) : 0;
	bool counted = call->mine == call;

	if (part > left)
		part = left;
	if (part < left) {
		call_send_pattern(call, part, false);
		return;
	}
	if (!counted && draw(call->owner, 3) == 0) {
		if (part > 0)
			call_send_pattern(call, part, false);
		call_send_trailers(call, "X-Last", "1");
	} else {
		call_send_pattern(call, part, true);
	}
	call->step = ALL_SENT;
}

static bool is_finished(const struct call *call)
{
	return call->ended && call->step == ALL_SENT;
}

/* One step of a side, whatever is allowed. */
static void act(struct call *call, bool server)
{
	struct pair *pair = call->owner;

	if (is_finished(call) || draw(pair, 300) == 0) {
		call_release(call, RESET_CANCEL);
		return;
	}
	switch (draw(pair, 6)) {
	case 0:
		side_pause(call->side);
		break;
	case 1:
	case 2:
		side_resume(call->side);
		break;
	case 3:
		if (server && call->step == HEAD_TO_SEND && draw(pair, 4) == 0)
			call_send_informational(call, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
		break;
	default:
		if (call->step == HEAD_TO_SEND)
			send_response_head(call);
		else if (call->step == BODY_TO_SEND)
			send_some(call);
	}
}

static void begin(struct pair *pair)
{
	size_t length = draw(pair, LARGEST);
	bool counted = draw(pair, 2), none = draw(pair, 3) == 0;
	struct call *call;
	char head[128];

	if (!pair->client)
		pair_connect(pair);
	if (session_capacity(pair->client) == 0)
		return;
	if (none)
		snprintf(head, sizeof head, "GET /%u HTTP/1.1\r\nHost: a\r\n\r\n", client_count);
	else if (counted && length > 0)
		snprintf(head, sizeof head, "PUT /%u HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", client_count, length);
	else
		snprintf(head, sizeof head, "PUT /%u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", client_count);
	call = pair_call(pair, head, none, listen_only);
	call->to_send = none ? 0 : length;
	call->step = none ? ALL_SENT : BODY_TO_SEND;
	if (counted && length > 0)
		call->mine = call;
	clients[client_count++] = call;
}

static void turn(struct pair *pair)
{
	sim_run_for(pair->sim, draw(pair, 1500) * CLOCK_US);
	if (client_count < MOST_CALLS && (!pair->client || session_capacity(pair->client) > 0) && draw(pair, 3) == 0)
		begin(pair);
	for (unsigned i = 0; i < client_count; i++) {
		if (clients[i]->side && draw(pair, 2))
			act(clients[i], false);
		if (servers[i] && servers[i]->side && draw(pair, 2))
			act(servers[i], true);
	}
	if (pair->client && draw(pair, 400) == 0)
		session_drain(pair->client);
	if (pair->server && draw(pair, 400) == 0)
		session_drain(pair->server);
}

/* What `to` was told of what `from` has sent. */
static void check_direction(const struct call *from, const struct call *to)
{
	assert_true(to->body_length <= from->sent);
	assert_true(call_is_pattern(to));
	if (!to->ended)
		return;
	assert_int_equal(ALL_SENT, from->step);
	assert_int_equal(from->to_send, to->body_length);
}

static unsigned completed;

static void run_seed(const struct pair_codec *codec, uint64_t seed)
{
	struct pair_options o = { .codec = codec, .seed = seed, .filter = seed % 2, .tls = seed % 3 == 0, .serve = served };
	struct pair *pair;

	o.limits.max_waiting_bytes = 4000;
	pair = pair_new(&o);
	if (seed % 3 == 0) {
		sim_link(pair->client_host, pair->server_host)->reset_chance = 300000;
		sim_link(pair->server_host, pair->client_host)->reset_chance = 300000;
	}
	client_count = 0;
	memset(clients, 0, sizeof clients);
	memset(servers, 0, sizeof servers);
	for (unsigned i = 0; i < TURNS; i++)
		turn(pair);
	for (unsigned i = 0; i < client_count; i++) {
		if (!servers[i])
			continue;
		check_direction(clients[i], servers[i]);
		check_direction(servers[i], clients[i]);
		completed += clients[i]->ended && servers[i]->ended;
	}
	pair_free(pair);
}

static void random_exchanges(void **state)
{
	const struct pair_codec *codec = *state;

	completed = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run_seed(codec, seed);
	assert_true(completed > 2 * SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "random_exchanges over http1", random_exchanges, NULL, NULL, (void *)(uintptr_t)&codec_http1 },
		{ "random_exchanges over http2", random_exchanges, NULL, NULL, (void *)(uintptr_t)&codec_http2 },
		{ "random_exchanges over multiplex", random_exchanges, NULL, NULL, (void *)(uintptr_t)&codec_multiplex },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

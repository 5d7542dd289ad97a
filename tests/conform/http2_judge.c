/* SPDX-License-Identifier: Apache-2.0 */
/* A server of HTTP/2, and of HTTP/1, as which a connection may begin, on 127.0.0.1, for suites and clients that judge it.
 *
 *	http2_judge            an origin: /N is answered with N bytes, a request with a body with that body, all else with `hello`
 *	http2_judge PORT       a relay over one HTTP/2 connection to 127.0.0.1:PORT, for servers that judge the client's end
 *
 * Its first line of output is its port. It drains when it is told to end, and then closes what is left. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/network.h"
#include "io/process.h"
#include "session/session.h"

enum { MAX_SESSIONS = 100 * 1000, DRAIN_SECONDS = 2 };

struct judge {
	struct loop *loop;
	struct session_pools *pools;
	struct session_limits limits;
	struct list sessions;
	struct address upstream; /* port 0: an origin */
	struct session *client;
	struct list waiting; /* calls, for the client's capacity */
	struct timer drain;
};

/* One request. */
struct call {
	struct judge *judge;
	struct list link;       /* waiting */
	struct side *down, *up; /* up: a relay's; NULL: none, or released */
	uint64_t left;          /* of an origin's body */
	bool echoes, answered;
};

static const char letters[16 * 1024] = { [0 ... 16 * 1024 - 1] = 'x' };
static const struct side_events down_events, up_events;

/* --- an origin's answers --- */

static void finish(struct call *call, enum reset why)
{
	struct side *down = call->down, *up = call->up;

	call->down = call->up = NULL;
	list_remove(&call->link);
	if (up)
		side_release(up, why);
	if (down)
		side_release(down, why);
	memory_free(call);
}

static void send_rest(struct call *call)
{
	while (call->left > 0) {
		struct piece piece = { NULL, letters, call->left < sizeof letters ? call->left : sizeof letters };

		call->left -= piece.length;
		if (!side_send_body(call->down, piece, call->left == 0) && call->left > 0)
			return;
	}
	finish(call, RESET_NONE);
}

static void answer(struct call *call, uint64_t length)
{
	static struct head head;

	head = (struct head){ .is_response = true, .status = 200, .body = length ? BODY_LENGTH : BODY_NONE, .body_length = length };
	call->answered = true;
	call->left = length;
	side_send_head(call->down, &head, length == 0);
	send_rest(call);
}

static void answer_echo(struct call *call)
{
	static struct head head;

	head = (struct head){ .is_response = true, .status = 200, .body = BODY_CHUNKED };
	call->echoes = call->answered = true;
	side_send_head(call->down, &head, false);
}

/* --- downstream --- */

static void down_body(struct side *side, struct piece piece)
{
	struct call *call = side->exchange;
	struct side *to = call->up ? call->up : call->down;

	if (!side_send_body(to, piece, false))
		side_pause(side);
}

static void down_end(struct side *side)
{
	struct call *call = side->exchange;

	if (call->up) {
		side_send_body(call->up, (struct piece){ 0 }, true);
	} else if (call->echoes) {
		side_send_body(call->down, (struct piece){ 0 }, true);
		finish(call, RESET_NONE);
	}
}

static void down_trailers(struct side *side, const struct fields *trailers)
{
	struct call *call = side->exchange;

	if (call->up)
		side_send_trailers(call->up, trailers);
	else
		down_end(side);
}

static void down_reset(struct side *side, enum reset why, int error)
{
	(void)error;
	finish(side->exchange, why);
}

static void down_writable(struct side *side)
{
	struct call *call = side->exchange;

	if (call->up)
		side_resume(call->up);
	else if (call->echoes)
		side_resume(call->down);
	else
		send_rest(call);
}

static const struct side_events down_events = {
	.body = down_body,
	.trailers = down_trailers,
	.end = down_end,
	.reset = down_reset,
	.writable = down_writable,
};

/* --- upstream --- */

static void up_informational(struct side *side, struct head *head)
{
	side_send_informational(((struct call *)side->exchange)->down, head);
}

static void up_head(struct side *side, struct head *head)
{
	side_send_head(((struct call *)side->exchange)->down, head, false);
	side_forget_head(side);
}

static void up_body(struct side *side, struct piece piece)
{
	if (!side_send_body(((struct call *)side->exchange)->down, piece, false))
		side_pause(side);
}

static void up_end(struct side *side)
{
	struct call *call = side->exchange;

	side_send_body(call->down, (struct piece){ 0 }, true);
	finish(call, RESET_NONE);
}

static void up_trailers(struct side *side, const struct fields *trailers)
{
	struct call *call = side->exchange;

	side_send_trailers(call->down, trailers);
	finish(call, RESET_NONE);
}

static void up_reset(struct side *side, enum reset why, int error)
{
	(void)error;
	finish(side->exchange, why);
}

static void up_writable(struct side *side)
{
	side_resume(((struct call *)side->exchange)->down);
}

static const struct side_events up_events = {
	.informational = up_informational,
	.head = up_head,
	.body = up_body,
	.trailers = up_trailers,
	.end = up_end,
	.reset = up_reset,
	.writable = up_writable,
};

static bool forward(struct call *call)
{
	if (session_open(call->judge->client, &up_events, call, &call->up))
		return false;
	side_send_head(call->up, call->down->head, false);
	side_forget_head(call->down);
	return true;
}

static void client_available(void *owner, struct session *session)
{
	struct judge *judge = owner;

	while (!list_empty(&judge->waiting) && session_capacity(session) > 0) {
		struct call *call = LIST_OF(list_first(&judge->waiting), struct call, link);
		struct side *down = call->down;

		list_remove(&call->link);
		if (forward(call))
			side_resume(down);
		else
			finish(call, RESET_REFUSED);
	}
}

static void client_closed(void *owner, struct session *session, int error)
{
	struct judge *judge = owner;

	(void)error;
	if (judge->client != session)
		return;
	judge->client = NULL;
	while (!list_empty(&judge->waiting))
		finish(LIST_OF(list_first(&judge->waiting), struct call, link), RESET_REFUSED);
}

static const struct session_events client_events = {
	.available = client_available,
	.closed = client_closed,
};

static bool relay(struct call *call)
{
	struct judge *judge = call->judge;
	struct stream *stream;

	if (judge->client && session_capacity(judge->client) == 0 && judge->client->draining)
		judge->client = NULL;
	if (!judge->client) {
		if (network_connect(network_host(), judge->loop, &judge->upstream, &(struct socket_options){ 0 }, &stream) ||
			http2_codec.client(judge->pools, stream, &judge->limits, &client_events, judge, NULL, &judge->client))
			return false;
	}
	if (!judge->client->undecided)
		return forward(call);
	side_pause(call->down);
	list_append(&judge->waiting, &call->link);
	return true;
}

/* --- sessions --- */

static void opened(void *owner, struct session *session, struct side *side)
{
	struct call *call = memory_new(sizeof *call);
	uint64_t length;

	(void)session;
	call->judge = owner;
	list_init(&call->link);
	call->down = side;
	side_own(side, &down_events, call);
	if (call->judge->upstream.port) {
		if (!relay(call))
			finish(call, RESET_REFUSED);
	} else if (side->head->body != BODY_NONE) {
		side_forget_head(side);
		answer_echo(call);
	} else if (slice_to_u64(slice_from(side->head->target, 1), UINT32_MAX, &length) == 0) {
		answer(call, length);
	} else {
		answer(call, 5);
	}
}

static void closed(void *owner, struct session *session, int error)
{
	(void)owner;
	(void)error;
	list_remove(&session->link);
}

static const struct session_events server_events = {
	.opened = opened,
	.closed = closed,
};

static void accepted(void *owner, struct stream *stream)
{
	struct judge *judge = owner;
	struct session *session;

	if (http_codec.server(judge->pools, stream, &judge->limits, &server_events, judge, NULL, &session) == 0)
		list_append(&judge->sessions, &session->link);
}

static void drained(void *owner)
{
	loop_stop(((struct judge *)owner)->loop);
}

static void told_to_end(void *owner, enum process_signal which)
{
	struct judge *judge = owner;

	(void)which;
	LIST_EACH_SAFE(&judge->sessions, link, after)
		session_drain(LIST_OF(link, struct session, link));
	timer_set(judge->loop, &judge->drain, loop_now(judge->loop) + DRAIN_SECONDS * CLOCK_SECOND);
}

int main(int argc, char **argv)
{
	struct judge judge = { 0 };
	struct address address;
	struct listen_set *set;
	struct signals *signals;
	int e;

	process_start();
	list_init(&judge.sessions);
	list_init(&judge.waiting);
	timer_init(&judge.drain, drained, &judge);
	CHECK(address_parse(SLICE("127.0.0.1"), 0, &address) == 0);
	judge.upstream = address;
	judge.upstream.port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
	e = loop_new(&(struct loop_options){ .name = "judge" }, &judge.loop);
	CHECK(e == 0);
	e = session_pools_new(judge.loop, MAX_SESSIONS, 0, &judge.pools);
	CHECK(e == 0);
	e = signals_new(judge.loop, told_to_end, &judge, &signals);
	CHECK(e == 0);
	e = listen_open(network_host(), &address, 1, &(struct listen_options){ 0 }, &set);
	CHECK(e == 0);
	struct listener *listener = listen_start(set, 0, judge.loop, accepted, &judge);
	listen_address(set, &address);
	printf("%u\n", address.port);
	fflush(stdout);
	loop_run(judge.loop);
	listen_stop(listener);
	process_exit(0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "http2_user.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "judge.h"

enum { TRIES_MOST = 6 };

static const struct http2_end_events events;

static bool chance(struct http2_user *user, uint32_t per_million)
{
	return draw_chance(&user->random, per_million);
}

static unsigned running(const struct http2_user *user)
{
	unsigned count = 0;
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++)
		count += user->calls[i].id != 0;
	return count;
}

/* --- ends --- */

static void think(struct http2_user *user)
{
	if (user->left == 0 && running(user) == 0) {
		timer_cancel(user->loop, &user->think);
		user->done = true;
	} else if (!timer_is_set(&user->think)) {
		timer_set(user->loop, &user->think, loop_now(user->loop) + 1 + draw_below(&user->random, user->manners.think_ns));
	}
}

static void settle(struct http2_user_call *call, enum outcome outcome)
{
	struct http2_user *user = call->user;
	uint64_t id = call->id;
	timer_cancel(user->loop, &call->limit);
	call->id = 0;
	record_settle(user->harness, id, outcome);
	think(user);
}

/* It was not looked at. */
static void unprocessed(struct http2_user_call *call)
{
	sim_note(call->user->harness->sim, "request %" PRIu64 " was not looked at", call->id);
	call->waits = true;
	if (++call->tries == TRIES_MOST)
		settle(call, OUTCOME_BROKEN);
	else
		think(call->user);
}

static void disconnect(struct http2_user *user)
{
	http2_end_close(&user->end, false);
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++)
		user->calls[i].stream.open = false;
}

/* What was asked on the connection ends so. */
static void give_up(struct http2_user *user, enum outcome outcome)
{
	disconnect(user);
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++) {
		if (user->calls[i].id != 0 && !user->calls[i].waits)
			settle(&user->calls[i], outcome);
	}
}

static void on_limit(void *owner)
{
	struct http2_user_call *call = owner;
	struct http2_user *user = call->user;
	enum outcome outcome = call->limit_means;
	/* It may have lost its service behind its head. */
	if (outcome == OUTCOME_IMPATIENT && call->stream.has_head && !user->must_succeed &&
		harness_may_take_long(user->harness, call->stream.heard))
		outcome = OUTCOME_BROKEN;
	if (outcome == OUTCOME_LEFT && chance(user, user->manners.cut_chance)) {
		give_up(user, OUTCOME_LEFT);
		return;
	}
	if (call->stream.open)
		http2_end_reset(&user->end, &call->stream, HTTP2_END_CANCEL);
	settle(call, outcome);
}

/* --- asking --- */

static void draw_request(struct http2_user_call *call)
{
	struct http2_user *user = call->user;
	const struct client_manners *manners = &user->manners;
	bool with_body = chance(user, manners->body_chance);
	bool leaves = !user->must_succeed && chance(user, manners->leave_chance);
	call->id = record_new(user->harness, user->routes[user->route].service);
	call->to_head = !with_body && chance(user, 50000);
	call->tries = 0;
	struct record *record = record_of(user->harness, call->id);
	record->reply = (uint64_t)draw_skewed(&user->random, (int64_t)manners->reply_most + 1, 10);
	/* Empty ones are whole with their head, and still must not be repeated. */
	if (with_body && !chance(user, 250000))
		record->length = (uint64_t)draw_skewed(&user->random, (int64_t)manners->body_most + 1, 10);
	record->idempotent = !with_body;
	record->must_succeed = user->must_succeed && (record->idempotent || !user->may_meet_stale);
	call->limit_means = leaves ? OUTCOME_LEFT : OUTCOME_IMPATIENT;
	timer_set(user->loop, &call->limit,
		loop_now(user->loop) + (leaves ? draw_skewed(&user->random, 50 * CLOCK_MS, 6) : manners->patience_ns));
	user->left--;
}

/* False: not now. */
static bool ask(struct http2_user_call *call)
{
	struct http2_user *user = call->user;
	char path[32], reply[24];
	if (!http2_end_open(&user->end, &call->stream))
		return false;
	if (call->id == 0)
		draw_request(call);
	call->waits = false;
	const struct record *record = record_of(user->harness, call->id);
	bool with_body = record->length > 0;
	snprintf(path, sizeof(path), "/job/%" PRIu64, call->id);
	snprintf(reply, sizeof(reply), "%" PRIu64, record->reply);
	call->stream.in.to_head = call->to_head;
	call->stream.out_trailers = with_body && chance(user, user->manners.chunked_chance / 4);
	http2_end_head(&user->end, &call->stream, SALT_REQUEST, call->id, with_body, record->length, ":method",
		!record->idempotent     ? "POST"
			: call->to_head ? "HEAD"
					: "GET",
		":scheme", "http", ":path", path, ":authority", user->routes[user->route].name, "x-reply", reply, NULL);
	return true;
}

static bool connect(struct http2_user *user)
{
	struct stream *stream;
	user->route = (unsigned)draw_below(&user->random, user->route_count);
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++) {
		/* What is to be asked again is for the same service. */
		if (user->calls[i].id == 0)
			continue;
		unsigned service = user->harness->records[user->calls[i].id].service;
		for (user->route = 0; user->routes[user->route].service != service; user->route++)
			CHECK(user->route < user->route_count);
	}
	if (network_connect(user->host, user->loop, &user->routes[user->route].address, NULL, &stream))
		return false;
	if (user->tls)
		stream = tls_end_connect(user->harness, stream, true, &user->manners.tls, random_u64(&user->random), &user->session);
	http2_end_start(&user->end, user->harness, user->loop, stream, true, &user->manners.ends, random_u64(&user->random), &events, user);
	return true;
}

/* Asks what waits, and one to all of what can be asked at a time. */
static void ask_some(struct http2_user *user)
{
	unsigned many = 1 + (unsigned)draw_below(&user->random, HTTP2_USER_CALLS);
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++) {
		struct http2_user_call *call = &user->calls[i];
		if (call->id != 0 && call->waits && !ask(call))
			return;
	}
	for (unsigned i = 0; i < HTTP2_USER_CALLS && many > 0 && user->left > 0; i++) {
		if (user->calls[i].id != 0)
			continue;
		if (!ask(&user->calls[i]))
			return;
		many--;
	}
}

static bool asks(const struct http2_user *user)
{
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++) {
		if (user->calls[i].id != 0 && !user->calls[i].waits)
			return true;
	}
	return false;
}

static void on_think(void *owner)
{
	struct http2_user *user = owner;
	bool over = user->end.goaway_seen || chance(user, user->manners.close_chance);
	if (user->end.stream && over && !asks(user))
		disconnect(user);
	if (user->end.stream || connect(user)) {
		ask_some(user);
	} else {
		user->left -= user->left > 0;
		record_settle(user->harness, record_new(user->harness, 0), OUTCOME_BROKEN);
	}
	think(user);
}

/* --- what is told --- */

static struct http2_user_call *call_of(struct http2_stream_end *stream)
{
	return LIST_OF(stream, struct http2_user_call, stream);
}

static void on_head(void *owner, struct http2_stream_end *stream)
{
	(void)owner;
	(void)stream;
}

static void on_sent(void *owner, struct http2_stream_end *stream)
{
	(void)owner;
	(void)stream;
}

static void on_done(void *owner, struct http2_stream_end *stream)
{
	struct http2_user *user = owner;
	struct http2_user_call *call = call_of(stream);
	/* An early answer: nobody needs the rest. */
	if (!stream->out_over)
		http2_end_reset(&user->end, stream, HTTP2_END_CANCEL);
	settle(call, judge_answer(user->harness, call->id, &stream->in, user->routes[user->route].name));
}

static void on_reset(void *owner, struct http2_stream_end *stream, uint32_t code)
{
	(void)owner;
	struct http2_user_call *call = call_of(stream);
	if (code == HTTP2_END_REFUSED)
		unprocessed(call);
	else
		settle(call, OUTCOME_BROKEN);
}

static void on_goaway(void *owner, uint32_t last)
{
	struct http2_user *user = owner;
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++) {
		struct http2_user_call *call = &user->calls[i];
		if (call->id == 0 || !call->stream.open || call->stream.id <= last)
			continue;
		list_remove(&call->stream.link);
		call->stream.open = false;
		unprocessed(call);
	}
}

static void on_gone(void *owner)
{
	give_up(owner, OUTCOME_BROKEN);
}

static const struct http2_end_events events = {
	.head = on_head,
	.done = on_done,
	.sent = on_sent,
	.reset = on_reset,
	.goaway = on_goaway,
	.gone = on_gone,
};

/* --- life --- */

void http2_user_start(struct http2_user *user, struct harness *harness, struct network *host, struct loop *loop,
	const struct client_route *routes, unsigned route_count, bool tls)
{
	*user = (struct http2_user){
		.harness = harness,
		.host = host,
		.loop = loop,
		.routes = routes,
		.route_count = route_count,
		.tls = tls,
		.done = true,
	};
	harness_seed(harness, &user->random);
	timer_init(&user->think, on_think, user);
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++) {
		user->calls[i].user = user;
		timer_init(&user->calls[i].limit, on_limit, &user->calls[i]);
	}
}

void http2_user_continue(struct http2_user *user, unsigned requests, const struct client_manners *manners)
{
	CHECK(user->done);
	user->manners = *manners;
	user->left = requests;
	user->done = false;
	think(user);
}

void http2_user_stop(struct http2_user *user)
{
	user->left = 0;
	disconnect(user);
	for (unsigned i = 0; i < HTTP2_USER_CALLS; i++) {
		if (user->calls[i].id != 0)
			settle(&user->calls[i], OUTCOME_LEFT);
	}
	timer_cancel(user->loop, &user->think);
	tls_end_forget(&user->session);
}

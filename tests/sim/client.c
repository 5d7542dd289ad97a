/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "judge.h"

static const struct stream_events events;

static void think(struct client *client);
static void begin_answer(struct client *client);

static bool chance(struct client *client, uint32_t per_million)
{
	return draw_chance(&client->random, per_million);
}

static int64_t now(const struct client *client)
{
	return loop_now(client->loop);
}

/* --- the connection's end --- */

static void disconnect(struct client *client)
{
	timer_cancel(client->loop, &client->limit);
	timer_cancel(client->loop, &client->reading);
	if (client->stream)
		stream_close(client->stream);
	client->stream = NULL;
	client->sending = client->blocked = client->half_closed = client->closing = client->paused = false;
}

/* What was asked and not answered ends so; then the next. */
static void give_up(struct client *client, enum outcome outcome)
{
	for (unsigned i = 0; i < client->asked; i++)
		record_settle(client->harness, client->ids[i], outcome);
	client->asked = client->to_send = 0;
	disconnect(client);
	think(client);
}

static void on_limit(void *owner)
{
	struct client *client = owner;
	/* It may have lost its service behind its head. */
	bool begun = client->asked > 0 && client->answer.state != MESSAGE_IN_HEAD;
	if (client->limit_means == OUTCOME_IMPATIENT && begun && !client->must_succeed &&
		harness_may_take_long(client->harness, client->heard))
		give_up(client, OUTCOME_BROKEN);
	else
		give_up(client, client->limit_means);
}

/* --- asking --- */

static void write_request(struct client *client)
{
	struct record *record = record_of(client->harness, client->ids[client->asked - client->to_send]);
	uint64_t id = client->ids[client->asked - client->to_send];
	bool to_head = client->methods_head[client->asked - client->to_send];
	const struct client_manners *manners = &client->manners;
	bool has_body = !record->idempotent;
	struct sender *request = &client->request;
	request->loop = client->loop;
	request->stream = client->stream;
	request->random = &client->random;
	request->piece_most = chance(client, manners->slow_chance) ? 1 + (uint32_t)draw_below(&client->random, 3000) : 0;
	bool chunked = has_body && chance(client, manners->chunked_chance);
	bool old = !chunked && client->asked == 1 && chance(client, manners->old_chance);
	sender_begin(request, SALT_REQUEST, id, record->length, chunked, has_body,
		"%s /job/%" PRIu64 " HTTP/1.%c\r\nHost: %s\r\nX-Reply: %" PRIu64 "\r\n%s",
		has_body          ? "POST"
			: to_head ? "HEAD"
				  : "GET",
		id, old ? '0' : '1', client->routes[client->route].name, record->reply,
		has_body && chance(client, manners->expect_chance) ? "Expect: 100-continue\r\n" : "");
	client->sending = true;
}

/* Sends what is asked, as far as the stream takes it. A client that expects 100 does not wait for it: it need not. */
static void send_requests(struct client *client)
{
	while (client->stream && !client->blocked && client->to_send > 0) {
		if (!client->sending)
			write_request(client);
		switch (sender_step(&client->request)) {
		case SENDER_DONE:
			client->sending = false;
			client->to_send--;
			break;
		case SENDER_MORE:
			break;
		case SENDER_BLOCKED:
			client->blocked = true;
			break;
		case SENDER_CUT:
		case SENDER_FAILED:
			give_up(client, OUTCOME_BROKEN);
			return;
		}
	}
	if (client->stream && client->to_send == 0 && client->half_closed) {
		client->half_closed = false;
		client->closing = true;
		stream_finish(client->stream);
	}
}

static void ask(struct client *client, bool with_body)
{
	const struct client_manners *manners = &client->manners;
	const struct client_route *route = &client->routes[client->route];
	uint64_t id = record_new(client->harness, route->service);
	struct record *record = &client->harness->records[id];
	record->reply = (uint64_t)draw_skewed(&client->random, (int64_t)manners->reply_most + 1, 10);
	if (with_body)
		record->length = (uint64_t)draw_skewed(&client->random, (int64_t)manners->body_most + 1, 10);
	record->idempotent = !with_body;
	record->must_succeed = client->must_succeed && (record->idempotent || !client->may_meet_stale);
	client->methods_head[client->asked] = !with_body && chance(client, 50000);
	client->ids[client->asked++] = id;
	client->to_send++;
	client->left--;
}

static bool connect(struct client *client)
{
	client->route = (unsigned)draw_below(&client->random, client->route_count);
	if (network_connect(client->host, client->loop, &client->routes[client->route].address, NULL, &client->stream))
		return false;
	if (client->tls)
		client->stream = tls_end_connect(
			client->harness, client->stream, false, &client->manners.tls, random_u64(&client->random), &client->session);
	stream_own(client->stream, &events, client);
	stream_resume(client->stream);
	return true;
}

static void set_limit(struct client *client)
{
	bool leaves = !client->must_succeed && chance(client, client->manners.leave_chance);
	/* What is pipelined is answered one after the other, and each may take a proxy all the time that it has. */
	int64_t limit = client->manners.patience_ns * client->asked;
	client->limit_means = leaves ? OUTCOME_LEFT : OUTCOME_IMPATIENT;
	if (leaves)
		limit = draw_skewed(&client->random, 50 * CLOCK_MS, 6);
	timer_set(client->loop, &client->limit, now(client) + limit);
}

static void on_think(void *owner)
{
	struct client *client = owner;
	const struct client_manners *manners = &client->manners;
	bool reused = client->stream != NULL;
	if (!reused && !connect(client)) {
		client->left--;
		record_settle(client->harness, record_new(client->harness, 0), OUTCOME_BROKEN);
		think(client);
		return;
	}
	unsigned many = chance(client, manners->pipeline_chance) ? 1 + (unsigned)draw_below(&client->random, PIPELINE) : 1;
	bool with_body = many == 1 && chance(client, manners->body_chance);
	for (unsigned i = 0; i < many && client->left > 0; i++)
		ask(client, with_body);
	begin_answer(client);
	client->half_closed = chance(client, manners->half_close_chance);
	set_limit(client);
	send_requests(client);
}

static void think(struct client *client)
{
	if (client->left == 0) {
		disconnect(client);
		client->done = true;
		return;
	}
	timer_set(client->loop, &client->think, now(client) + draw_below(&client->random, client->manners.think_ns));
}

/* --- the answers --- */

static void begin_answer(struct client *client)
{
	message_init(&client->answer, SALT_RESPONSE);
	client->answer.to_head = client->asked > 0 && client->methods_head[0];
}

static void settle_first(struct client *client, enum outcome outcome)
{
	record_settle(client->harness, client->ids[0], outcome);
	client->asked--;
	memmove(&client->ids[0], &client->ids[1], client->asked * sizeof(client->ids[0]));
	memmove(&client->methods_head[0], &client->methods_head[1], client->asked * sizeof(client->methods_head[0]));
}

/* An answer is complete. False when the connection is not read from any further. */
static bool answered(struct client *client)
{
	/* An early answer: whoever gets it may stop sending, and then the connection is of no more use. */
	bool early = client->to_send == client->asked;
	bool closes = client->answer.close || client->answer.until_close;
	settle_first(client, judge_answer(client->harness, client->ids[0], &client->answer, client->routes[client->route].name));
	if (client->asked > 0 && !closes && !early) {
		begin_answer(client);
		return true;
	}
	if (client->asked > 0) {
		give_up(client, OUTCOME_BROKEN);
		return false;
	}
	if (early)
		client->to_send = 0;
	timer_cancel(client->loop, &client->limit);
	begin_answer(client);
	if (closes || early || client->closing || chance(client, client->manners.close_chance))
		disconnect(client);
	think(client);
	return false;
}

static void read_answers(struct client *client, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t used;
		if (client->asked == 0) {
			harness_fail(client->harness, "%zu bytes that nobody asked for", length);
			disconnect(client);
			return;
		}
		enum message_event event = message_feed(&client->answer, bytes, length, &used);
		bytes += used;
		length -= used;
		if (event == MESSAGE_BROKEN) {
			harness_fail(
				client->harness, "request %" PRIu64 " got a malformed answer: %s", client->ids[0], client->answer.problem);
			give_up(client, OUTCOME_BROKEN);
			return;
		}
		if (event == MESSAGE_DONE && !answered(client) && !client->stream)
			return;
	}
	/* A message that is complete with its head says so only when it is asked again. */
	size_t none;
	if (client->asked > 0 && message_feed(&client->answer, "", 0, &none) == MESSAGE_DONE)
		answered(client);
}

static void on_connected(void *owner)
{
	(void)owner;
}

static void on_received(void *owner, struct buffer *buffer)
{
	struct client *client = owner;
	client->heard = now(client);
	if (chance(client, client->manners.pause_chance)) {
		client->paused = true;
		stream_pause(client->stream);
		timer_set(client->loop, &client->reading, now(client) + draw_below(&client->random, 20 * CLOCK_MS));
	}
	read_answers(client, buffer->bytes, buffer->filled);
	buffer_unref(buffer);
}

static void on_reading(void *owner)
{
	struct client *client = owner;
	client->paused = false;
	stream_resume(client->stream);
}

static void on_ended(void *owner)
{
	struct client *client = owner;
	if (client->asked > 0 && message_end(&client->answer) == MESSAGE_DONE) {
		client->answer.close = true;
		answered(client);
		return;
	}
	if (client->asked > 0)
		give_up(client, OUTCOME_BROKEN);
	else
		disconnect(client); /* idle: the think timer is set */
}

static void on_drained(void *owner)
{
	struct client *client = owner;
	client->blocked = false;
	send_requests(client);
}

static void on_failed(void *owner, int error)
{
	struct client *client = owner;
	(void)error;
	if (client->asked > 0)
		give_up(client, OUTCOME_BROKEN);
	else
		disconnect(client);
}

static const struct stream_events events = {
	.connected = on_connected,
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.failed = on_failed,
};

/* --- life --- */

void client_start(struct client *client, struct harness *harness, struct network *host, struct loop *loop,
	const struct client_route *routes, unsigned route_count, bool tls, unsigned requests, const struct client_manners *manners)
{
	*client = (struct client){
		.harness = harness,
		.host = host,
		.loop = loop,
		.routes = routes,
		.route_count = route_count,
		.tls = tls,
		.manners = *manners,
		.left = requests,
	};
	harness_seed(harness, &client->random);
	timer_init(&client->think, on_think, client);
	timer_init(&client->limit, on_limit, client);
	timer_init(&client->reading, on_reading, client);
	think(client);
}

void client_continue(struct client *client, unsigned requests, const struct client_manners *manners)
{
	CHECK(client->done);
	client->manners = *manners;
	client->left = requests;
	client->done = false;
	think(client);
}

void client_stop(struct client *client)
{
	if (!client->done) {
		client->left = 0;
		timer_cancel(client->loop, &client->think);
		give_up(client, OUTCOME_LEFT);
	}
	tls_end_forget(&client->session);
}

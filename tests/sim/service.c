/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "http2_service.h"
#include "judge.h"

/* One connection. Requests are answered one after the other; what a client pipelined waits in `rest`. */
struct conversation {
	struct list link;
	struct service *service;
	struct stream *stream;
	uint64_t number; /* of the service's connections */
	struct random random;
	struct message request;
	struct sender answer;
	struct buffer *rest;
	size_t rest_at;
	struct timer timer;   /* until the answer begins, or its next piece is sent */
	struct timer reading; /* until reading goes on */
	bool reading_paused, sluggish;
	bool has_request; /* its head is read */
	bool request_done;
	bool answering, blocked, answer_done, hanging;
	bool must_close; /* after this answer */
	bool silently;   /* without having said so */
	bool open_ended; /* this answer ends with the connection */
	bool counted;    /* this answer says what the service was asked for */
	bool probe;      /* it is asked for its health */
};

static void serve(struct conversation *c);

static void conversation_end(struct conversation *c, bool linger)
{
	struct service *service = c->service;
	timer_cancel(service->loop, &c->timer);
	timer_cancel(service->loop, &c->reading);
	if (c->rest)
		buffer_unref(c->rest);
	/* Cut short, such an answer would look whole if the connection ended in order; with TLS a FIN alone is no such end. */
	if (c->answering && c->open_ended && service->speech.tls && draw_chance(&c->random, 500000))
		tls_end_truncate(c->stream);
	else if (c->answering && c->open_ended)
		stream_reset(c->stream);
	else if (linger)
		stream_linger(c->stream);
	else
		stream_close(c->stream);
	list_remove(&c->link);
	memory_free(c);
}

static bool chance(struct conversation *c, uint32_t per_million)
{
	return draw_chance(&c->random, per_million);
}

/* --- the answer --- */

static void answer_done(struct conversation *c)
{
	c->answering = false;
	c->answer_done = true;
	if (c->probe)
		return;
	struct record *record = record_of(c->service->harness, c->request.id);
	c->service->answers++;
	if (record && c->counted)
		record->completions++;
}

/* False when the conversation has ended. */
static bool send_answer(struct conversation *c)
{
	struct service *service = c->service;
	while (c->answering && !c->blocked && !timer_is_set(&c->timer)) {
		switch (sender_step(&c->answer)) {
		case SENDER_DONE:
			answer_done(c);
			break;
		case SENDER_MORE:
			if (c->answer.piece_most)
				timer_set(service->loop, &c->timer, loop_now(service->loop) + draw_below(&c->random, 5 * CLOCK_MS));
			break;
		case SENDER_BLOCKED:
			c->blocked = true;
			break;
		case SENDER_CUT:
		case SENDER_FAILED:
			conversation_end(c, chance(c, 500000));
			return false;
		}
	}
	return true;
}

static void answer_begin(struct conversation *c, unsigned status, uint64_t length, bool counted)
{
	const struct service_manners *manners = &c->service->manners;
	bool until_close = chance(c, manners->until_close_chance);
	bool chunked = !until_close && chance(c, manners->chunked_chance);
	bool closes = until_close || c->must_close || chance(c, manners->close_chance);
	bool to_head = strcmp(c->request.method, "HEAD") == 0;
	c->answer.loop = c->service->loop;
	c->answer.stream = c->stream;
	c->answer.random = &c->random;
	c->answer.piece_most = chance(c, manners->slow_chance) ? 1 + (uint32_t)draw_below(&c->random, 2000) : 0;
	sender_begin(&c->answer, SALT_RESPONSE, c->request.id, length, chunked, !to_head && !until_close,
		"%sHTTP/1.1 %u %s\r\nX-Service: %s\r\n%s",
		chance(c, manners->informational_chance) ? "HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n" : "", status,
		status == 200 ? "OK" : "Not OK", c->service->name, closes ? "Connection: close\r\n" : "");
	if (until_close && !to_head)
		c->answer.length = length;
	c->answer.trailers = chance(c, manners->trailers_chance);
	c->open_ended = until_close;
	if (chance(c, manners->cut_chance))
		c->answer.cut_at = (uint64_t)draw_below(&c->random, (int64_t)(c->answer.head_length + c->answer.length));
	c->silently = !closes && chance(c, manners->drop_chance);
	c->must_close = closes || c->silently;
	c->counted = counted;
	c->answering = true;
}

/* Without anything drawn: a bad answer would be a bad state. */
static void answer_probe(struct conversation *c)
{
	c->answer.loop = c->service->loop;
	c->answer.stream = c->stream;
	c->answer.random = &c->random;
	c->answer.piece_most = 0;
	sender_begin(&c->answer, SALT_RESPONSE, 0, 0, false, true, "HTTP/1.1 %s\r\n",
		c->service->health == SERVICE_WELL ? "200 OK" : "503 Service Unavailable");
	c->answering = true;
}

static void time_to_answer(void *owner)
{
	struct conversation *c = owner;
	if (!c->answering && c->probe) {
		answer_probe(c);
	} else if (!c->answering) {
		bool fails = chance(c, c->service->manners.fail_chance);
		answer_begin(c, fails ? 500 : 200, fails ? 20 : c->request.reply, !fails);
	}
	if (send_answer(c))
		serve(c);
}

/* --- the request --- */

static void plan_answer(struct conversation *c)
{
	const struct service_manners *manners = &c->service->manners;
	if (c->answering || c->answer_done)
		return; /* it was answered early */
	if (c->probe ? c->service->health == SERVICE_MUTE : chance(c, manners->hang_chance)) {
		c->hanging = true;
		return;
	}
	timer_set(c->service->loop, &c->timer,
		loop_now(c->service->loop) + manners->latency_ns + draw_below(&c->random, manners->jitter_ns + 1));
}

static struct service_asker *asker_of(struct service *service, struct stream *stream)
{
	struct address local, remote;
	stream_addresses(stream, &local, &remote);
	remote.port = 0;
	for (unsigned i = 0; i < service->asker_count; i++) {
		if (address_equal(&service->askers[i].address, &remote))
			return &service->askers[i];
	}
	CHECK(service->asker_count < SERVICE_ASKERS);
	struct service_asker *asker = &service->askers[service->asker_count++];
	*asker = (struct service_asker){ .address = remote, .since = INT64_MAX };
	return asker;
}

void service_probed(struct service *service, struct stream *stream)
{
	struct service_asker *asker = asker_of(service, stream);
	if (asker->since == INT64_MAX)
		asker->since = loop_now(service->loop);
}

static bool knows_of_illness(struct service *service, struct stream *stream)
{
	int64_t asks_since = asker_of(service, stream)->since;
	int64_t since = asks_since > service->health_since ? asks_since : service->health_since;
	return service->health != SERVICE_WELL && since < loop_now(service->loop) - SERVICE_WITHIN;
}

void service_asked(struct service *service, struct stream *stream, uint64_t connection, const struct message *request)
{
	service->requests++;
	service->requests_since++;
	judge_arrival(service->harness, service->number, service->name, connection, request);
	if (knows_of_illness(service, stream))
		harness_fail(service->harness, "%s got request %" PRIu64 " although it has been ill for long", service->name, request->id);
}

/* False when the conversation has ended. */
static bool head_arrived(struct conversation *c)
{
	struct service *service = c->service;
	const struct service_manners *manners = &service->manners;
	c->has_request = true;
	c->probe = strcmp(c->request.target, SERVICE_HEALTH) == 0;
	if (c->probe) {
		service_probed(service, c->stream);
		return true;
	}
	service_asked(service, c->stream, c->number, &c->request);
	if (chance(c, manners->silent_chance)) {
		sim_note(service->harness->sim, "%s closes instead of answering", service->name);
		conversation_end(c, chance(c, 500000));
		return false;
	}
	if (c->request.state != MESSAGE_COMPLETE && chance(c, manners->early_chance)) {
		c->must_close = chance(c, 500000);
		answer_begin(c, 503, 30, false);
		return send_answer(c);
	}
	if (c->request.expect && c->request.state != MESSAGE_COMPLETE) {
		struct buffer *buffer = buffer_get(loop_buffers(service->loop));
		if (!buffer) {
			conversation_end(c, false);
			return false;
		}
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		memcpy(buffer->bytes, go_on, sizeof(go_on) - 1);
		struct piece piece = { buffer, buffer->bytes, sizeof(go_on) - 1 };
		if (stream_take(c->stream, &piece, 1) > 0)
			c->blocked = true;
	}
	return true;
}

static void request_done(struct conversation *c)
{
	c->request_done = true;
	if (!c->probe)
		judge_request(c->service->harness, c->service->name, &c->request);
	plan_answer(c);
}

/* Reads from `rest`. False when the conversation has ended. */
static bool read_rest(struct conversation *c)
{
	size_t used;
	enum message_event event = message_feed(&c->request, c->rest->bytes + c->rest_at, c->rest->filled - c->rest_at, &used);
	c->rest_at += used;
	switch (event) {
	case MESSAGE_MORE:
		break;
	case MESSAGE_HEAD:
		if (!head_arrived(c))
			return false;
		if (c->request.state == MESSAGE_COMPLETE)
			request_done(c);
		break;
	case MESSAGE_DONE:
		request_done(c);
		break;
	case MESSAGE_BROKEN:
		harness_fail(c->service->harness, "%s got a malformed request: %s", c->service->name, c->request.problem);
		conversation_end(c, false);
		return false;
	}
	return true;
}

static void begin_request(struct conversation *c)
{
	message_init(&c->request, SALT_REQUEST);
	c->has_request = c->request_done = c->answer_done = c->probe = false;
}

/* Goes as far as it can: reads what is there, ends a request, begins the next. */
static void serve(struct conversation *c)
{
	for (;;) {
		if (c->answer_done && c->must_close) {
			conversation_end(c, true);
			return;
		}
		if (c->answer_done && c->request_done)
			begin_request(c);
		if (c->rest && c->rest_at == c->rest->filled) {
			buffer_unref(c->rest);
			c->rest = NULL;
		}
		if (!c->rest || c->request_done)
			break;
		if (!read_rest(c))
			return;
	}
	if (c->rest || c->reading_paused)
		stream_pause(c->stream);
	else
		stream_resume(c->stream);
}

/* --- events --- */

static void on_received(void *owner, struct buffer *buffer)
{
	struct conversation *c = owner;
	CHECK(!c->rest);
	c->rest = buffer;
	c->rest_at = 0;
	if (c->sluggish || chance(c, c->service->manners.pause_chance)) {
		int64_t most = c->sluggish ? 4 * CLOCK_MS : 20 * CLOCK_MS;
		c->reading_paused = true;
		timer_set(c->service->loop, &c->reading, loop_now(c->service->loop) + draw_below(&c->random, most));
	}
	serve(c);
}

static void on_reading(void *owner)
{
	struct conversation *c = owner;
	c->reading_paused = false;
	serve(c);
}

static void on_ended(void *owner)
{
	struct conversation *c = owner;
	/* A client that half-closed still gets its answer; else there is nothing more to do. */
	if (c->request_done && !c->hanging) {
		c->must_close = true;
		return;
	}
	conversation_end(c, !c->hanging);
}

static void on_drained(void *owner)
{
	struct conversation *c = owner;
	c->blocked = false;
	if (send_answer(c))
		serve(c);
}

static void on_failed(void *owner, int error)
{
	(void)error;
	conversation_end(owner, false);
}

static const struct stream_events events = {
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.failed = on_failed,
};

static void accepted(void *owner, struct stream *stream)
{
	struct service *service = owner;
	if (service->speech.tls)
		stream = tls_end_accept(
			service->harness, stream, service->speech.http2, &service->manners.tls, random_u64(&service->random));
	if (service->speech.http2) {
		http2_service_accept(service, stream);
		return;
	}
	struct conversation *c = memory_new(sizeof(*c));
	c->service = service;
	c->stream = stream;
	c->number = ++service->connections;
	random_init(&c->random, random_u64(&service->random));
	c->sluggish = chance(c, service->manners.sluggish_chance);
	timer_init(&c->timer, time_to_answer, c);
	timer_init(&c->reading, on_reading, c);
	begin_request(c);
	list_append(&service->conversations, &c->link);
	stream_own(stream, &events, c);
	stream_resume(stream);
}

/* --- life --- */

static void begin(struct service *service)
{
	service->process = sim_process_new(service->host, service->name);
	sim_process_enter(service->process);
	int e = loop_new(&(struct loop_options){ .name = service->name }, &service->loop);
	CHECK(e == 0);
	/* A fault of the harness's own plan may refuse the first call. */
	for (int tries = 0; tries < 2; tries++) {
		e = listen_open(service->host, &service->address, 1, &(struct listen_options){ 0 }, &service->set);
		if (e == 0)
			break;
	}
	CHECK(e == 0);
	listen_address(service->set, &service->address);
	service->listener = listen_start(service->set, 0, service->loop, accepted, service);
}

void service_start(struct service *service, struct harness *harness, struct network *host, unsigned number, const char *name, uint16_t port,
	struct speech speech, const struct service_manners *manners)
{
	*service =
		(struct service){ .harness = harness, .host = host, .number = number, .name = name, .speech = speech, .manners = *manners };
	service->address = *sim_host_address(host);
	service->address.port = port;
	list_init(&service->conversations);
	list_init(&service->http2_conversations);
	harness_seed(harness, &service->random);
	begin(service);
}

static void end(struct service *service)
{
	LIST_EACH_SAFE(&service->conversations, link, after)
		conversation_end(LIST_OF(link, struct conversation, link), false);
	http2_service_end(service);
	listen_stop(service->listener);
	listen_close(service->set);
	if (!sim_process_crashed(service->process))
		harness_check_open(service->harness, service->process, &(struct sim_open){ .loops = 1 });
	loop_free(service->loop);
	service->loop = NULL;
	service->set = NULL;
	service->listener = NULL;
}

void service_set_health(struct service *service, enum service_health health)
{
	sim_note(service->harness->sim, "an instance of %s is %s", service->name, health == SERVICE_WELL ? "well" : "ill");
	service->health = health;
	service->health_since = sim_now(service->harness->sim);
	service->requests_since = 0;
}

void service_stop(struct service *service)
{
	if (service->loop)
		end(service);
}

static void restart(void *owner)
{
	begin(owner);
}

void service_crash(struct service *service, enum sim_crash how, int64_t restart_after)
{
	if (!service->loop)
		return;
	sim_process_crash(service->process, how);
	end(service);
	sim_at(service->harness->sim, sim_now(service->harness->sim) + restart_after, restart, service);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "http2_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "judge.h"

enum { GOODBYE_MS = 50 };

/* One connection. */
struct conversation {
	struct list link;
	struct service *service;
	uint64_t number; /* of the service's connections */
	struct random random;
	struct http2_end end;
	struct list calls;
	struct timer goodbye; /* set between the two GOAWAYs of an orderly end */
	struct timer removal; /* set when it is over: it may be in the middle of an event */
	uint32_t last;        /* of the streams that are looked at */
};

/* One request and its answer. */
struct call {
	struct list link;
	struct conversation *c;
	struct http2_stream_end stream;
	struct timer timer; /* until the answer begins */
	bool answering, counted;
	bool probe; /* it is asked for its health */
};

static bool chance(struct conversation *c, uint32_t per_million)
{
	return draw_chance(&c->random, per_million);
}

/* --- ends --- */

static void call_end(struct call *call)
{
	timer_cancel(call->c->service->loop, &call->timer);
	if (call->stream.open)
		list_remove(&call->stream.link);
	list_remove(&call->link);
	memory_free(call);
}

static void end_calls(struct conversation *c)
{
	LIST_EACH_SAFE(&c->calls, link, after)
		call_end(LIST_OF(link, struct call, link));
}

static void conversation_free(struct conversation *c)
{
	http2_end_close(&c->end, false);
	end_calls(c);
	timer_cancel(c->service->loop, &c->goodbye);
	timer_cancel(c->service->loop, &c->removal);
	list_remove(&c->link);
	memory_free(c);
}

static void on_removal(void *owner)
{
	conversation_free(owner);
}

static void remove_soon(struct conversation *c)
{
	timer_set(c->service->loop, &c->removal, loop_now(c->service->loop));
}

static void close_now(struct conversation *c)
{
	http2_end_close(&c->end, chance(c, 500000));
	remove_soon(c);
}

static bool is_over(const struct conversation *c)
{
	return c->end.stream == NULL;
}

/* After a goodbye it closes with its last call. */
static void call_done(struct call *call)
{
	struct conversation *c = call->c;
	call_end(call);
	if (!is_over(c) && c->last != HTTP2_END_ID_MOST && list_empty(&c->calls)) {
		http2_end_close(&c->end, true);
		remove_soon(c);
	}
}

static void reset(struct call *call, enum http2_end_code code)
{
	http2_end_reset(&call->c->end, &call->stream, code);
	call_done(call);
}

/* --- goodbyes --- */

static void say_goodbye(struct conversation *c, uint32_t last)
{
	c->last = last;
	http2_end_goaway(&c->end, last);
}

/* What has come meanwhile is still answered. */
static void on_goodbye(void *owner)
{
	struct conversation *c = owner;
	if (is_over(c) || c->last != HTTP2_END_ID_MOST)
		return;
	say_goodbye(c, c->end.last_id);
	if (list_empty(&c->calls)) {
		http2_end_close(&c->end, true);
		remove_soon(c);
	}
}

static void announce_goodbye(struct conversation *c)
{
	if (c->end.goaway_sent)
		return;
	http2_end_goaway(&c->end, HTTP2_END_ID_MOST);
	timer_set(c->service->loop, &c->goodbye, loop_now(c->service->loop) + GOODBYE_MS * CLOCK_MS);
}

/* --- answers --- */

static void answer(struct call *call, unsigned status, uint64_t length, bool counted)
{
	struct conversation *c = call->c;
	struct service *service = c->service;
	const struct service_manners *manners = &service->manners;
	struct http2_stream_end *stream = &call->stream;
	char number[8];
	bool has_body = strcmp(stream->in.method, "HEAD") != 0;
	if (chance(c, manners->informational_chance))
		http2_end_informational(&c->end, stream);
	call->answering = true;
	call->counted = counted;
	stream->out_trailers = has_body && chance(c, manners->trailers_chance);
	if (has_body && length > 0 && chance(c, manners->cut_chance))
		stream->cut_at = (uint64_t)draw_below(&c->random, (int64_t)length);
	snprintf(number, sizeof(number), "%u", status);
	http2_end_head(
		&c->end, stream, SALT_RESPONSE, stream->in.id, has_body, length, ":status", number, "x-service", service->name, NULL);
}

static void answered(struct call *call)
{
	struct conversation *c = call->c;
	if (call->probe) {
		call_done(call);
		return;
	}
	struct record *record = record_of(c->service->harness, call->stream.in.id);
	bool closes = chance(c, c->service->manners.close_chance), drops = chance(c, c->service->manners.drop_chance);
	c->service->answers++;
	if (record && call->counted)
		record->completions++;
	/* What nobody needs is still on its way (RFC 9113 section 8.1). */
	if (!call->stream.in_over)
		reset(call, HTTP2_END_NO_ERROR);
	else
		call_done(call);
	if (is_over(c))
		return;
	if (drops)
		close_now(c);
	else if (closes)
		announce_goodbye(c);
}

static void on_sent(void *owner, struct http2_stream_end *stream)
{
	struct call *call = LIST_OF(stream, struct call, stream);
	struct conversation *c = owner;
	if (stream->out_position < stream->out_length)
		reset(call, chance(c, 500000) ? HTTP2_END_INTERNAL : HTTP2_END_CANCEL);
	else
		answered(call);
}

static void answer_probe(struct call *call)
{
	const char *status = call->c->service->health == SERVICE_WELL ? "200" : "503";
	call->answering = true;
	http2_end_head(&call->c->end, &call->stream, SALT_RESPONSE, 0, false, 0, ":status", status, NULL);
	answered(call);
}

static void time_to_answer(void *owner)
{
	struct call *call = owner;
	struct conversation *c = call->c;
	if (call->probe) {
		answer_probe(call);
		return;
	}
	bool fails = chance(c, c->service->manners.fail_chance);
	answer(call, fails ? 500 : 200, fails ? 20 : call->stream.in.reply, !fails);
	/* What ends with its head is told nowhere else. */
	if (call->stream.out_over)
		answered(call);
}

/* --- requests --- */

static struct http2_stream_end *on_opened(void *owner, uint32_t id)
{
	struct conversation *c = owner;
	if (id > c->last)
		return NULL;
	struct call *call = memory_new(sizeof(*call));
	call->c = c;
	timer_init(&call->timer, time_to_answer, call);
	list_append(&c->calls, &call->link);
	return &call->stream;
}

/* True: it isn't looked at. */
static bool refused(struct call *call)
{
	struct conversation *c = call->c;
	const struct service_manners *manners = &c->service->manners;
	uint32_t id = call->stream.id;
	if (chance(c, c->end.block_ends ? manners->refuse_chance : manners->refuse_body_chance)) {
		sim_note(c->service->harness->sim, "%s refuses request %" PRIu64, c->service->name, call->stream.in.id);
		reset(call, HTTP2_END_REFUSED);
		return true;
	}
	if (chance(c, manners->goaway_chance) && !c->end.goaway_sent) {
		sim_note(c->service->harness->sim, "%s goes away before request %" PRIu64, c->service->name, call->stream.in.id);
		say_goodbye(c, id - 1);
		call_done(call);
		return true;
	}
	return false;
}

static void on_head(void *owner, struct http2_stream_end *stream)
{
	struct conversation *c = owner;
	struct call *call = LIST_OF(stream, struct call, stream);
	struct service *service = c->service;
	const struct service_manners *manners = &service->manners;
	call->probe = strcmp(stream->in.target, SERVICE_HEALTH) == 0;
	if (call->probe) {
		service_probed(service, c->end.stream);
		return;
	}
	if (refused(call))
		return;
	service_asked(service, c->end.stream, c->number, &stream->in);
	if (chance(c, manners->silent_chance)) {
		sim_note(service->harness->sim, "%s leaves instead of answering", service->name);
		if (chance(c, 700000))
			reset(call, chance(c, 500000) ? HTTP2_END_INTERNAL : HTTP2_END_CANCEL);
		else
			close_now(c);
	} else if (!c->end.block_ends && chance(c, manners->early_chance)) {
		answer(call, 503, 30, false);
	}
}

static void on_done(void *owner, struct http2_stream_end *stream)
{
	struct conversation *c = owner;
	struct call *call = LIST_OF(stream, struct call, stream);
	const struct service_manners *manners = &c->service->manners;
	if (!call->probe)
		judge_request(c->service->harness, c->service->name, &stream->in);
	if (call->answering || (call->probe ? c->service->health == SERVICE_MUTE : chance(c, manners->hang_chance)))
		return;
	timer_set(c->service->loop, &call->timer,
		loop_now(c->service->loop) + manners->latency_ns + draw_below(&c->random, manners->jitter_ns + 1));
}

static void on_reset(void *owner, struct http2_stream_end *stream, uint32_t code)
{
	(void)owner;
	(void)code;
	call_done(LIST_OF(stream, struct call, stream));
}

static void on_goaway(void *owner, uint32_t last)
{
	(void)owner;
	(void)last;
}

static void on_gone(void *owner)
{
	end_calls(owner);
	remove_soon(owner);
}

static const struct http2_end_events events = {
	.opened = on_opened,
	.head = on_head,
	.done = on_done,
	.sent = on_sent,
	.reset = on_reset,
	.goaway = on_goaway,
	.gone = on_gone,
};

/* --- life --- */

void http2_service_accept(struct service *service, struct stream *stream)
{
	struct conversation *c = memory_new(sizeof(*c));
	c->service = service;
	c->number = ++service->connections;
	c->last = HTTP2_END_ID_MOST;
	random_init(&c->random, random_u64(&service->random));
	list_init(&c->calls);
	timer_init(&c->goodbye, on_goodbye, c);
	timer_init(&c->removal, on_removal, c);
	list_append(&service->http2_conversations, &c->link);
	http2_end_start(
		&c->end, service->harness, service->loop, stream, false, &service->manners.ends, random_u64(&service->random), &events, c);
}

void http2_service_end(struct service *service)
{
	LIST_EACH_SAFE(&service->http2_conversations, link, after)
		conversation_free(LIST_OF(link, struct conversation, link));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* /tap.json: live requests, a JSON object a line, until the client leaves. The rings of proxy/tap.h are read on a timer; a client that
 * doesn't read makes this stop reading, and is told how many it has lost by {"dropped": N}; in silence, by {"dropped": 0} each second. */
#include <stdlib.h>

#include "admin/server.h"
#include "base/memory.h"
#include "doc/json_write.h"
#include "observe/ring.h"
#include "proxy/tap.h"
#include "wire/grpc.h"

/* A client that has left is only noticed by sending to it. */
static const int64_t look_time = 50 * CLOCK_MS, silence_time = CLOCK_SECOND;

struct tapping {
	struct list link; /* admin->tappings */
	struct admin *admin;
	struct request *request; /* NULL: its client has left; waits for the workers to let go */
	struct tap *tap;
	struct timer timer;
	struct text out; /* of one look */
	uint64_t dropped;
	int64_t sent;   /* when something was */
	int64_t second; /* since 1970, of second_text */
	char second_text[CLOCK_TEXT];
	uint64_t seen[]; /* of each worker's ring */
};

/* ---- a line ---- */

/* Whole numbers alone: the shortest form of a fraction costs more than all the rest of a line. */
static void member_count(struct json_writer *json, const char *key, uint64_t count)
{
	json_write_key(json, slice_of(key));
	json_write_u64(json, count);
}

static void member_address(struct json_writer *json, const char *key, const struct address *address)
{
	char text[ADDRESS_TEXT] = "";

	if (address->family != ADDRESS_NONE)
		address_format(address, text);
	json_write_member_text(json, key, slice_of(text));
}

/* "2026-11-26T18:22:19.123Z"; all but the milliseconds is made once a second. */
static void member_time(struct tapping *tapping, struct json_writer *json, int64_t wall_ns)
{
	enum { SECOND = 19 };
	int64_t second = wall_ns / CLOCK_SECOND;
	unsigned ms = (unsigned)(wall_ns % CLOCK_SECOND / CLOCK_MS);
	char text[SECOND + 5];

	if (second != tapping->second) {
		clock_format(wall_ns, tapping->second_text);
		tapping->second = second;
	}
	memcpy(text, tapping->second_text, SECOND);
	text[SECOND] = '.';
	text[SECOND + 1] = (char)('0' + ms / 100);
	text[SECOND + 2] = (char)('0' + ms / 10 % 10);
	text[SECOND + 3] = (char)('0' + ms % 10);
	text[SECOND + 4] = 'Z';
	json_write_member_text(json, "time", slice_make(text, sizeof text));
}

static void write_line(void *owner, const void *entry)
{
	struct tapping *tapping = owner;
	const struct tapped *tapped = entry;
	const struct record *record = &tapped->record;
	struct json_writer json;

	json_write_start(&json, &tapping->out, false);
	json_write_object(&json);
	member_time(tapping, &json, record->wall_ns);
	json_write_member_text(&json, "router", slice_of(tapped->router));
	json_write_member_text(&json, "method", slice_of(tapped->method));
	json_write_member_text(&json, "authority", slice_of(tapped->authority));
	json_write_member_text(&json, "path", slice_of(tapped->path));
	json_write_member_text(&json, "service", slice_of(tapped->service));
	json_write_member_text(&json, "client", slice_of(tapped->client));
	member_address(&json, "source", &tapped->source);
	member_address(&json, "destination", &tapped->destination);
	member_count(&json, "status", record->status);
	if (tapped->is_grpc && tapped->grpc_status != GRPC_NONE)
		member_count(&json, "grpc_status", tapped->grpc_status);
	member_count(&json, "latency_us", record->duration_us);
	member_count(&json, "upstream_us", record->upstream_us);
	member_count(&json, "attempts", record->attempts);
	member_count(&json, "retries", (uint64_t)tapped->retries + tapped->requeues);
	member_count(&json, "request_bytes", tapped->request_bytes);
	member_count(&json, "response_bytes", tapped->response_bytes);
	json_write_end(&json);
	text_append(&tapping->out, SLICE("\n"));
}

/* ---- looking ---- */

static void look(struct tapping *tapping)
{
	int64_t now = loop_now(tapping->admin->options.loop);
	uint64_t lost = 0;

	text_clear(&tapping->out);
	for (unsigned i = 0; i < tapping->admin->options.worker_count; i++)
		tapping->seen[i] = ring_read_since(tap_ring(tapping->tap, i), tapping->seen[i], &lost, write_line, tapping);
	tapping->dropped += lost;
	if (tapping->dropped || (!tapping->out.length && now - tapping->sent >= silence_time)) {
		text_format(&tapping->out, "{\"dropped\":%llu}\n", (unsigned long long)tapping->dropped);
		tapping->dropped = 0;
	}
	if (!tapping->out.length)
		return;
	tapping->sent = now;
	request_stream(tapping->request, text_slice(&tapping->out));
}

static void tapping_free(struct tapping *tapping)
{
	list_remove(&tapping->link);
	timer_cancel(tapping->admin->options.loop, &tapping->timer);
	tap_free(tapping->tap);
	text_free(&tapping->out);
	memory_free(tapping);
}

static void on_timer(void *owner)
{
	struct tapping *tapping = owner;
	struct loop *loop = tapping->admin->options.loop;

	if (tapping->request && !tapping->request->side) {
		request_abandon(tapping->request);
		tapping->request = NULL;
		tap_end(tapping->tap);
	}
	if (tapping->request && !tapping->request->stalled)
		look(tapping);
	if (!tapping->request && tap_is_idle(tapping->tap))
		tapping_free(tapping);
	else
		timer_set(loop, &tapping->timer, clock_after(loop_now(loop), look_time));
}

/* The workers run no more, but one that has not let go of a tap looks at it once more when its inbox is freed, after this: that one
 * stays until the process ends, which is now. */
void tappings_free(struct admin *admin)
{
	LIST_EACH_SAFE(&admin->tappings, link, after) {
		struct tapping *tapping = LIST_OF(link, struct tapping, link);

		if (tap_is_idle(tapping->tap))
			tapping_free(tapping);
		else
			timer_cancel(admin->options.loop, &tapping->timer);
	}
}

/* ---- the question ---- */

static bool read_pattern(const struct request *request, const char *name, char place[TAP_PATTERN])
{
	struct text value = { 0 };
	bool good = true;

	if (request_parameter(request, name, &value)) {
		good = value.length < TAP_PATTERN;
		if (good && value.length)
			memcpy(place, value.bytes, value.length);
	}
	text_free(&value);
	return good;
}

static bool read_number(const struct request *request, const char *name, double least, double most, double *number)
{
	struct text value = { 0 };
	bool good = true;
	char *end;

	if (request_parameter(request, name, &value)) {
		*number = strtod(text_slice(&value).at, &end);
		good = value.length && *end == '\0' && *number >= least && *number <= most;
	}
	text_free(&value);
	return good;
}

/* What is wrong with it; NULL: nothing. */
static const char *read_filter(const struct request *request, struct tap_filter *filter)
{
	double from = 0, to = 0, latency_ms = 0;

	*filter = (struct tap_filter){ .rate = 1 };
	if (!read_number(request, "sample", 0, 1, &filter->rate))
		return "`sample` is a part from 0 to 1";
	if (!read_number(request, "status_from", 100, 999, &from) || !read_number(request, "status_to", 100, 999, &to))
		return "`status_from` and `status_to` are from 100 to 999";
	if (!read_number(request, "min_latency_ms", 0, UINT32_MAX / 1000, &latency_ms))
		return "`min_latency_ms` is a number of milliseconds";
	if (!read_pattern(request, "router", filter->router) || !read_pattern(request, "service", filter->service) ||
		!read_pattern(request, "path", filter->path) || !read_pattern(request, "method", filter->method) ||
		!read_pattern(request, "header", filter->header) || !read_pattern(request, "header_value", filter->header_value))
		return "patterns have at most 255 bytes";
	filter->status_from = (uint16_t)from;
	filter->status_to = (uint16_t)(to > 0 ? to : 999);
	filter->min_latency_us = (uint32_t)(latency_ms * 1000);
	return NULL;
}

static unsigned count_tappings(const struct admin *admin)
{
	unsigned count = 0;

	LIST_EACH(&admin->tappings, link)
		count++;
	return count;
}

void page_tap(struct request *request)
{
	struct admin *admin = request->admin;
	unsigned workers = admin->options.worker_count;
	struct tap_filter filter;
	const char *wrong = read_filter(request, &filter);
	struct tapping *tapping;

	if (wrong) {
		request_answer_error(request, 400, wrong);
		return;
	}
	if (request->method == METHOD_HEAD || count_tappings(admin) == TAP_MOST) {
		request_answer_error(request, request->method == METHOD_HEAD ? 405 : 503, "there are as many taps as there may be");
		return;
	}
	tapping = memory_new(sizeof *tapping + workers * sizeof tapping->seen[0]);
	tapping->admin = admin;
	tapping->request = request;
	tapping->tap = tap_new(&filter, workers);
	timer_init(&tapping->timer, on_timer, tapping);
	list_append(&admin->tappings, &tapping->link);
	timer_set(admin->options.loop, &tapping->timer, clock_after(loop_now(admin->options.loop), look_time));
	if (tap_start(tapping->tap, admin->options.proxy)) {
		request_answer_error(request, 503, "a worker is too busy");
		tapping->request = NULL;
		tap_end(tapping->tap);
		return;
	}
	request_stream_begin(request, "application/x-ndjson");
}

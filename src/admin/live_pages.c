/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of what the live sets and the rings hold: endpoints with their health, the newest requests, the workers. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/question.h"
#include "admin/server.h"
#include "base/memory.h"
#include "doc/json_write.h"
#include "observe/record.h"
#include "proxy/binder.h"
#include "proxy/live.h"
#include "proxy/proxy.h"

static void write_text(struct json_writer *json, const char *key, struct slice value)
{
	json_write_key(json, slice_of(key));
	json_write_text(json, value);
}

static void write_int(struct json_writer *json, const char *key, int64_t value)
{
	json_write_key(json, slice_of(key));
	json_write_int(json, value);
}

/* ---- /endpoints.json ---- */

static const char *state_name(const struct health_story *story, bool probation)
{
	switch (story->state) {
	case HEALTH_DEAD:
		return "out";
	case HEALTH_PROBING:
		return "probing";
	case HEALTH_ALIVE:
	default:
		return probation ? "leaving" : "alive";
	}
}

static void write_endpoint(struct json_writer *json, const struct targets *targets, unsigned i, int64_t now)
{
	const struct health_story story = health_tell(&targets->at[i].target->health);

	json_write_object(json);
	write_text(json, "address", slice_of(targets->at[i].target->text));
	json_write_key(json, SLICE("weight"));
	json_write_number(json, targets->at[i].weight);
	write_text(json, "state", slice_of(state_name(&story, targets->at[i].probation)));
	if (story.state == HEALTH_ALIVE) {
		write_int(json, "failures", story.failures);
	} else {
		write_int(json, "times_out", story.times_out);
		write_int(json, "again_in_ms", story.again_at > now ? (story.again_at - now) / CLOCK_MS : 0);
	}
	if (story.removed_at)
		write_int(json, "taken_out_ms_ago", (now - story.removed_at) / CLOCK_MS);
	json_write_end(json);
}

static void write_client(struct json_writer *json, const struct client *client, int64_t now)
{
	json_write_object(json);
	write_text(json, "router", client->label);
	write_text(json, "client", client->id);
	if (client->policy.accrual.kind != ACCRUAL_NONE)
		write_int(json, "failures_allowed", client->policy.accrual.failures);
	json_write_key(json, SLICE("endpoints"));
	json_write_array(json);
	for (unsigned i = 0; i < client->targets->count; i++)
		write_endpoint(json, client->targets, i, now);
	json_write_end(json);
	json_write_end(json);
}

static void ask_endpoints(struct question *question)
{
	struct proxy *proxy = question->admin->options.proxy;
	int64_t now = loop_now(binder_loop(proxy_binder(proxy)));
	struct json_writer json;

	json_write_start(&json, &question->answer, false);
	json_write_array(&json);
	MAP_EACH(&proxy_live(proxy)->clients, entry)
		write_client(&json, MAP_OF(entry, struct client, entry), now);
	json_write_end(&json);
	question_answer(question);
}

void page_endpoints(struct request *request)
{
	question_send(question_new(request, ask_endpoints));
}

/* ---- /requests.json ---- */

enum { SHOWN = 200 };

struct told {
	struct record record;
	unsigned worker;
};

struct tellings {
	struct told *at;
	size_t count, room;
	unsigned worker;
};

static void gather(void *owner, const void *entry)
{
	struct tellings *all = owner;

	if (all->count == all->room) {
		all->room = all->room ? all->room * 2 : 256;
		all->at = memory_grow(all->at, all->room, sizeof *all->at);
	}
	all->at[all->count++] = (struct told){ *(const struct record *)entry, all->worker };
}

static int newest_first(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	return (x->record.wall_ns < y->record.wall_ns) - (x->record.wall_ns > y->record.wall_ns);
}

static void write_flags(struct json_writer *json, uint32_t flags)
{
	static const char *const names[] = {
		"no route",
		"no healthy endpoint",
		"connection failed",
		"connection lost",
		"timed out",
		"endpoint broke the protocol",
		"retries used up",
		"limit reached",
		"caller left",
		"caller broke the protocol",
		"total time used up",
		"answered by weft",
		"retried",
		"picked though out",
	};

	json_write_key(json, SLICE("flags"));
	json_write_array(json);
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (flags & 1u << i)
			json_write_text(json, slice_of(names[i]));
	json_write_end(json);
}

/* Records hold hashes of names. A name that nobody uses any more is not known. */
static void write_names(struct json_writer *json, struct live *live, const struct record *record)
{
	MAP_EACH(&live->services, entry) {
		const struct service *service = MAP_OF(entry, struct service, entry);

		if (service->hash == record->service) {
			write_text(json, "service", service->name);
			break;
		}
	}
	MAP_EACH(&live->clients, entry) {
		const struct client *client = MAP_OF(entry, struct client, entry);

		if (client->hash == record->client) {
			write_text(json, "client", client->id);
			break;
		}
	}
}

static void write_record(struct json_writer *json, struct live *live, const struct snapshot *snapshot, const struct told *told)
{
	const struct record *record = &told->record;
	const uint8_t *ip = record->endpoint_ip;
	char text[64];

	json_write_object(json);
	json_write_key(json, SLICE("at_ms"));
	json_write_int(json, record->wall_ns / CLOCK_MS);
	if (record->router < snapshot->router_count)
		write_text(json, "router", snapshot->routers[record->router].label);
	write_names(json, live, record);
	write_int(json, "status", record->status);
	write_int(json, "duration_us", record->duration_us);
	write_int(json, "upstream_us", record->upstream_us);
	write_int(json, "attempts", record->attempts);
	if (record->endpoint_port) {
		snprintf(text, sizeof text, "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3], record->endpoint_port);
		write_text(json, "endpoint", slice_of(text));
	}
	snprintf(text, sizeof text, "%016llx", (unsigned long long)record->trace_id);
	write_text(json, "trace", slice_of(text));
	write_int(json, "worker", told->worker);
	write_flags(json, record->flags);
	json_write_end(json);
}

static void ask_requests(struct question *question)
{
	struct proxy *proxy = question->admin->options.proxy;
	const struct snapshot *snapshot = binder_snapshot(proxy_binder(proxy));
	struct tellings all = { 0 };
	struct json_writer json;

	for (all.worker = 0; all.worker < question->admin->options.worker_count; all.worker++)
		ring_read(proxy_records(proxy, all.worker), gather, &all);
	if (all.count)
		qsort(all.at, all.count, sizeof *all.at, newest_first);
	json_write_start(&json, &question->answer, false);
	json_write_array(&json);
	for (size_t i = 0; i < all.count && i < SHOWN; i++)
		write_record(&json, proxy_live(proxy), snapshot, &all.at[i]);
	json_write_end(&json);
	memory_free(all.at);
	question_answer(question);
}

void page_requests_json(struct request *request)
{
	question_send(question_new(request, ask_requests));
}

/* ---- /process.json ---- */

void page_process(struct request *request)
{
	const struct admin *admin = request->admin;
	struct text out = { 0 };
	struct json_writer json;

	json_write_start(&json, &out, false);
	json_write_object(&json);
	write_text(&json, "version", slice_of(WEFT_VERSION));
	json_write_key(&json, SLICE("workers"));
	json_write_array(&json);
	for (unsigned i = 0; i < admin->options.worker_count; i++) {
		json_write_object(&json);
		json_write_key(&json, SLICE("requests"));
		json_write_u64(&json, ring_written(proxy_records(admin->options.proxy, i)));
		json_write_end(&json);
	}
	json_write_end(&json);
	json_write_end(&json);
	request_answer(request, 200, "application/json", text_slice(&out));
	text_free(&out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the decision records: the newest of them, and the whole story of those that have a trace's id. */
#include <stdio.h>
#include <stdlib.h>

#include "admin/question.h"
#include "admin/server.h"
#include "base/memory.h"
#include "doc/json_write.h"
#include "observe/record.h"
#include "proxy/binder.h"
#include "proxy/explain.h"
#include "proxy/live.h"
#include "proxy/outcome.h"
#include "proxy/proxy.h"

enum {
	SHOWN = 200,
	LOOKED_AT = 4096, /* of each worker's newest, for those; and of one trace, of which anybody can make many */
};

/* ---- what records tell ---- */

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
		"brought a dtab",
	};

	json_write_key(json, SLICE("flags"));
	json_write_array(json);
	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (flags & 1u << i)
			json_write_text(json, slice_of(names[i]));
	json_write_end(json);
}

/* Records hold hashes of names. A name that nobody uses any more is not known: {NULL, 0}. */
static struct slice service_name(struct live *live, uint64_t hash)
{
	MAP_EACH(&live->services, entry) {
		const struct service *service = MAP_OF(entry, struct service, entry);

		if (service->hash == hash)
			return service->name;
	}
	return (struct slice){ 0 };
}

static struct slice client_id(struct live *live, uint64_t hash)
{
	MAP_EACH(&live->clients, entry) {
		const struct client *client = MAP_OF(entry, struct client, entry);

		if (client->hash == hash)
			return client->id;
	}
	return (struct slice){ 0 };
}

static void write_names(struct json_writer *json, struct live *live, const struct record *record)
{
	struct slice service = service_name(live, record->service), client = client_id(live, record->client);

	if (service.at)
		json_write_member_text(json, "service", service);
	if (client.at)
		json_write_member_text(json, "client", client);
}

static void write_last_endpoint(struct json_writer *json, const struct record *record)
{
	const uint8_t *ip = record->endpoint_ip;
	char text[ADDRESS_TEXT];

	if (!record->endpoint_port)
		return;
	snprintf(text, sizeof text, "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3], record->endpoint_port);
	json_write_member_text(json, "endpoint", slice_of(text));
}

/* Into an object that is open. */
static void write_record(struct json_writer *json, struct live *live, const struct snapshot *snapshot, const struct told *told)
{
	const struct record *record = &told->record;
	char text[64];

	json_write_key(json, SLICE("at_ms"));
	json_write_int(json, record->wall_ns / CLOCK_MS);
	if (record->router < snapshot->router_count)
		json_write_member_text(json, "router", snapshot->routers[record->router].label);
	write_names(json, live, record);
	json_write_member_int(json, "status", record->status);
	json_write_member_int(json, "duration_us", record->duration_us);
	json_write_member_int(json, "upstream_us", record->upstream_us);
	json_write_member_int(json, "attempts", record->attempts);
	write_last_endpoint(json, record);
	snprintf(text, sizeof text, "%016llx", (unsigned long long)record->trace_id);
	json_write_member_text(json, "trace", slice_of(text));
	json_write_member_int(json, "worker", told->worker);
	write_flags(json, record->flags);
}

/* ---- /requests.json ---- */

static void gather_newest(const struct ring *ring, struct tellings *all)
{
	uint64_t written = ring_written(ring), lost = 0;

	(void)ring_read_since(ring, written > LOOKED_AT ? written - LOOKED_AT : 0, &lost, gather, all);
}

static void ask_requests(struct question *question)
{
	struct proxy *proxy = question->admin->options.proxy;
	const struct snapshot *snapshot = binder_snapshot(proxy_binder(proxy));
	struct tellings all = { 0 };
	struct json_writer json;

	for (all.worker = 0; all.worker < question->admin->options.worker_count; all.worker++)
		gather_newest(proxy_records(proxy, all.worker), &all);
	if (all.count)
		qsort(all.at, all.count, sizeof *all.at, newest_first);
	json_write_start(&json, &question->answer, false);
	json_write_array(&json);
	for (size_t i = 0; i < all.count && i < SHOWN; i++) {
		json_write_object(&json);
		write_record(&json, proxy_live(proxy), snapshot, &all.at[i]);
		json_write_end(&json);
	}
	json_write_end(&json);
	memory_free(all.at);
	question_answer(question);
}

void page_requests_json(struct request *request)
{
	question_send(question_new(request, ask_requests));
}

/* ---- /explain.json?id= ---- */

enum { STORIES = 16, NOTES_OF_ONE = EXPLAIN_TRIED + 2 };

/* The requests of one trace, the newest first: one that came through this proxy several times is several. Each one's story has
 * what its record and notes say, and what its name is delegated to now. */
struct stories {
	struct question *question;
	uint64_t id;
	struct tellings all;
	size_t seen; /* behind LOOKED_AT */
	size_t at;   /* the one whose name is being explained */
	struct json_writer json;
};

struct notes {
	uint32_t number;
	struct note at[NOTES_OF_ONE];
	unsigned count;
};

static void gather_of_trace(void *owner, const void *entry)
{
	struct stories *stories = owner;

	if (((const struct record *)entry)->trace_id != stories->id)
		return;
	if (stories->all.count < LOOKED_AT)
		gather(&stories->all, entry);
	else
		stories->all.at[stories->seen++ % LOOKED_AT] = (struct told){ *(const struct record *)entry, stories->all.worker };
}

static void gather_note(void *owner, const void *entry)
{
	struct notes *notes = owner;
	const struct note *note = entry;

	if (note->number == notes->number && notes->count < NOTES_OF_ONE)
		notes->at[notes->count++] = *note;
}

static struct slice text_of(const struct notes *notes, enum note_kind kind)
{
	for (unsigned i = 0; i < notes->count; i++)
		if (notes->at[i].kind == kind)
			return slice_make(notes->at[i].text, notes->at[i].length);
	return (struct slice){ 0 };
}

static const char *outcome_words(enum outcome outcome)
{
	static const char *const words[OUTCOME_COUNT] = {
		[OUTCOME_RESPONSE] = "answered",
		[OUTCOME_CONNECT] = "no connection",
		[OUTCOME_REFUSED] = "not taken",
		[OUTCOME_RESET] = "connection lost",
		[OUTCOME_PROTOCOL] = "broke the protocol",
		[OUTCOME_ATTEMPT_TIMEOUT] = "timed out",
		[OUTCOME_TOTAL_TIMEOUT] = "total time used up",
		[OUTCOME_CANCELED] = "given up",
		[OUTCOME_OVERLOAD] = "limit reached",
	};

	return words[outcome];
}

static const char *who_ended(const struct record *record)
{
	if (record->flags & (FLAG_DOWNSTREAM_GONE | FLAG_DOWNSTREAM_PROTOCOL))
		return "caller";
	if (record->flags & FLAG_DURATION_TIMEOUT)
		return "deadline";
	return record->flags & FLAG_LOCAL_REPLY ? "weft" : "endpoint";
}

/* How the last attempt went. */
static const char *last_outcome(const struct record *record)
{
	static const struct {
		uint32_t flag;
		enum outcome outcome;
	} meanings[] = {
		{ FLAG_UPSTREAM_CONNECT, OUTCOME_CONNECT },
		{ FLAG_UPSTREAM_TIMEOUT, OUTCOME_ATTEMPT_TIMEOUT },
		{ FLAG_UPSTREAM_PROTOCOL, OUTCOME_PROTOCOL },
		{ FLAG_UPSTREAM_RESET, OUTCOME_RESET },
		{ FLAG_DURATION_TIMEOUT, OUTCOME_TOTAL_TIMEOUT },
		{ FLAG_DOWNSTREAM_GONE | FLAG_DOWNSTREAM_PROTOCOL, OUTCOME_CANCELED },
		{ FLAG_OVERLOAD, OUTCOME_OVERLOAD },
	};

	for (unsigned i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
		if (record->flags & meanings[i].flag)
			return outcome_words(meanings[i].outcome);
	return outcome_words(OUTCOME_RESPONSE);
}

static void write_earlier(struct json_writer *json, struct live *live, const struct note *note)
{
	char address[ADDRESS_TEXT];
	struct slice client = client_id(live, note->attempt.client);

	address_format(&note->attempt.endpoint, address);
	json_write_object(json);
	json_write_member_text(json, "endpoint", slice_of(address));
	if (client.at)
		json_write_member_text(json, "client", client);
	json_write_member_int(json, "began_us", note->attempt.began_us);
	json_write_member_int(json, "took_us", note->attempt.took_us);
	json_write_member_text(json, "outcome", slice_of(outcome_words((enum outcome)note->attempt.outcome)));
	if (note->status)
		json_write_member_int(json, "status", note->status);
	json_write_member_int(json, "again_after_us", note->attempt.wait_us);
	json_write_end(json);
}

/* When notes are missing they were overwritten by newer ones: "forgotten". */
static void write_attempts(struct json_writer *json, struct live *live, const struct record *record, const struct notes *notes)
{
	unsigned earlier = 0;

	json_write_key(json, SLICE("tries"));
	json_write_array(json);
	for (unsigned i = 0; i < notes->count; i++) {
		if (notes->at[i].kind != NOTE_ATTEMPT)
			continue;
		write_earlier(json, live, &notes->at[i]);
		earlier++;
	}
	if (record->attempts > earlier) {
		json_write_object(json);
		write_last_endpoint(json, record);
		json_write_member_int(json, "took_us", record->upstream_us);
		json_write_member_text(json, "outcome", slice_of(last_outcome(record)));
		if (!(record->flags & FLAG_LOCAL_REPLY) && record->status)
			json_write_member_int(json, "status", record->status);
		json_write_end(json);
	}
	json_write_end(json);
	if (record->attempts > earlier + 1)
		json_write_member_int(json, "forgotten", (int64_t)record->attempts - earlier - 1);
}

static void tell_next(struct stories *stories);

static void explained(void *owner, unsigned status, struct slice json)
{
	struct stories *stories = owner;

	json_write_key(&stories->json, status == 200 ? SLICE("now") : SLICE("unknown"));
	json_write_json(&stories->json, json);
	json_write_end(&stories->json);
	stories->at++;
	tell_next(stories);
}

static void explain_told(struct stories *stories, const struct record *record, const struct notes *notes, struct slice name)
{
	struct proxy *proxy = stories->question->admin->options.proxy;
	struct explain_past past = {
		.name = name,
		.dtab = text_of(notes, NOTE_DTAB),
		.identifier = record->identifier ? record->identifier - 1u : 0,
		.client = record->client,
		.port = record->endpoint_port,
	};
	struct loop *loop = binder_loop(proxy_binder(proxy));

	memcpy(past.ip, record->endpoint_ip, sizeof past.ip);
	past.began = loop_now(loop) - (loop_wall(loop) - record->wall_ns);
	for (unsigned i = 0; i < notes->count && past.tried_count < EXPLAIN_TRIED; i++)
		if (notes->at[i].kind == NOTE_ATTEMPT)
			past.tried[past.tried_count++] = (struct explain_tried){ notes->at[i].attempt.endpoint,
				outcome_words((enum outcome)notes->at[i].attempt.outcome) };
	explain_named(proxy_binder(proxy), record->router, &past, explained, stories);
}

/* False: its name is being explained, and its story goes on when that is known. */
static bool tell(struct stories *stories)
{
	struct proxy *proxy = stories->question->admin->options.proxy;
	const struct snapshot *snapshot = binder_snapshot(proxy_binder(proxy));
	const struct told *told = &stories->all.at[stories->at];
	struct slice name = service_name(proxy_live(proxy), told->record.service);
	struct notes notes = { .number = told->record.number };
	struct json_writer *json = &stories->json;
	struct slice answer;

	ring_read(proxy_notes(proxy, told->worker), gather_note, &notes);
	json_write_object(json);
	write_record(json, proxy_live(proxy), snapshot, told);
	json_write_member_text(json, "ended_by", slice_of(who_ended(&told->record)));
	answer = text_of(&notes, NOTE_ANSWER);
	if (answer.length)
		json_write_member_text(json, "why", answer);
	write_attempts(json, proxy_live(proxy), &told->record, &notes);
	json_write_key(json, SLICE("reloaded_since"));
	json_write_bool(json, told->record.wall_ns < proxy_since(proxy));
	if (name.at && told->record.router < snapshot->router_count) {
		explain_told(stories, &told->record, &notes, name);
		return false;
	}
	json_write_end(json);
	return true;
}

static void tell_next(struct stories *stories)
{
	struct question *question = stories->question;

	while (stories->at < stories->all.count) {
		if (!tell(stories))
			return;
		stories->at++;
	}
	json_write_end(&stories->json);
	memory_free(stories->all.at);
	memory_free(stories);
	question_answer(question);
}

/* 16 hexadecimal digits, or 32 of which the last 16 count. */
static bool read_id(struct slice text, uint64_t *id)
{
	*id = 0;
	if (text.length == 0 || text.length > 32)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.at[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		*id = *id << 4 | (unsigned)digit;
	}
	return true;
}

static void refuse(struct question *question, unsigned status, const char *json)
{
	question->status = status;
	text_append(&question->answer, slice_of(json));
	question_answer(question);
}

void ask_past(struct question *question)
{
	struct proxy *proxy = question->admin->options.proxy;
	struct stories *stories;
	uint64_t id;

	if (!read_id(text_slice(&question->path), &id)) {
		refuse(question, 400, "{\"error\":\"an id is 16 or 32 hexadecimal digits, as in l5d-reqid\"}");
		return;
	}
	stories = memory_new(sizeof *stories);
	stories->question = question;
	stories->id = id;
	for (stories->all.worker = 0; stories->all.worker < question->admin->options.worker_count; stories->all.worker++)
		ring_read(proxy_records(proxy, stories->all.worker), gather_of_trace, stories);
	if (!stories->all.count) {
		memory_free(stories);
		refuse(question, 404, "{\"error\":\"none of the newest requests has that id\"}");
		return;
	}
	qsort(stories->all.at, stories->all.count, sizeof *stories->all.at, newest_first);
	if (stories->all.count > STORIES)
		stories->all.count = STORIES;
	json_write_start(&stories->json, &question->answer, false);
	json_write_array(&stories->json);
	tell_next(stories);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster/asking.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/cluster/access.h"
#include "cli/cluster/lists.h"
#include "cli/cluster/objects.h"
#include "client/fetch.h"
#include "client/resolver.h"
#include "discover/k8s_api.h"
#include "doc/document.h"
#include "io/loop.h"
#include "io/process.h"

enum { MOST_ATTEMPTS = 4 };

#define PATIENCE (15 * CLOCK_SECOND) /* for an answer */
#define RESOLVING (20 * CLOCK_MS)    /* until the host's name is looked at again */
#define MOST_RESOLVING (5 * CLOCK_SECOND)
#define MOST_BODY ((size_t)64 << 20) /* all pods of a large cluster */

static const struct document_limits limits = { .max_bytes = MOST_BODY, .max_nodes = 16 << 20 };

struct asking {
	struct loop *loop;
	struct resolver *resolver;
	struct k8s_api *api;
	struct text server;
	struct k8s_call *call;
	struct timer timer;
	struct answer *answer; /* of the question that is being asked */
	int error;
};

static void body(void *owner, unsigned status, struct slice bytes)
{
	struct asking *asking = owner;

	asking->answer->status = status;
	if (asking->answer->body.length + bytes.length <= MOST_BODY)
		text_append(&asking->answer->body, bytes);
}

static void ended(void *owner, unsigned status, int error)
{
	struct asking *asking = owner;

	asking->answer->status = status;
	asking->error = error;
	asking->call = NULL;
	loop_stop(asking->loop);
}

static void slept(void *owner)
{
	struct asking *asking = owner;

	loop_stop(asking->loop);
}

static int ask_once(struct asking *asking, const char *target, const char *object)
{
	static const struct k8s_call_events events = { .body = body, .ended = ended };
	const struct fetch_limits patience = { .all_ns = PATIENCE };
	int64_t give_up = loop_now(asking->loop) + MOST_RESOLVING;
	int e;

	for (;;) {
		e = k8s_call_post(asking->api, slice_of(target), slice_of(object), &patience, &events, asking, &asking->call);
		if (e != ERROR_BUSY || loop_now(asking->loop) > give_up)
			break;
		timer_set(asking->loop, &asking->timer, loop_now(asking->loop) + RESOLVING);
		loop_run(asking->loop);
	}
	if (e)
		return e;
	loop_run(asking->loop);
	return asking->error;
}

void asking_post(struct asking *asking, const char *target, const char *object, struct answer *answer)
{
	struct problems problems;
	int e = 0;

	*answer = (struct answer){ .status = 0 };
	asking->answer = answer;
	for (int i = 0; i < MOST_ATTEMPTS; i++) {
		text_clear(&answer->body);
		e = ask_once(asking, target, object);
		if (!e || answer->status)
			break;
	}
	if (e) {
		answer->status = 0;
		text_clear(&answer->body);
		text_format(&answer->body, "%s", error_text(e));
		return;
	}
	problem_init(&problems);
	if (document_parse(text_slice(&answer->body), SLICE("answer"), &limits, &problems, &answer->document))
		answer->document = NULL;
	problem_fini(&problems);
}

void asking_get(struct asking *asking, const char *target, struct answer *answer)
{
	asking_post(asking, target, "", answer);
}

void answer_free(struct answer *answer)
{
	document_free(answer->document);
	text_free(&answer->body);
}

/* ---- lists ---- */

static void forget_chunks(struct answers *answers)
{
	for (unsigned i = 0; i < answers->chunk_count; i++)
		answer_free(&answers->chunks[i]);
	answers->chunk_count = answers->count = 0;
}

/* Owns `chunk`. */
static void add_chunk(struct answers *answers, const struct answer *chunk)
{
	const struct document_node *items = object_find(document_root(chunk->document), "items");
	unsigned more = object_count(items);

	answers->chunks = memory_grow(answers->chunks, answers->chunk_count + 1, sizeof *answers->chunks);
	answers->chunks[answers->chunk_count++] = *chunk;
	answers->items = memory_grow(answers->items, answers->count + more + 1, sizeof *answers->items);
	for (unsigned i = 0; i < more; i++)
		answers->items[answers->count++] = items->items[i];
}

/* False: it was the last one, or went wrong. */
static bool ask_chunk(struct asking *asking, const char *list, struct text *next, struct answers *answers)
{
	struct text target = { 0 };

	list_chunk(slice_of(list), text_slice(next), &target);
	text_clear(next);
	answer_free(&answers->last);
	asking_get(asking, target.bytes, &answers->last);
	text_free(&target);
	if (answers->last.status != 200 || !answers->last.document)
		return false;
	list_next(document_root(answers->last.document), next);
	if (next->length) {
		add_chunk(answers, &answers->last);
		answers->last = (struct answer){ .status = 0 };
	}
	return next->length > 0;
}

void asking_list(struct asking *asking, const char *target, struct answers *answers)
{
	struct text next = { 0 };

	*answers = (struct answers){ .count = 0 };
	for (int i = 0; i < MOST_ATTEMPTS; i++) {
		forget_chunks(answers);
		text_clear(&next);
		while (ask_chunk(asking, target, &next, answers))
			;
		/* The version that the chunks are of was forgotten meanwhile: from the beginning. */
		if (answers->last.status != 410)
			break;
	}
	text_free(&next);
	answers->whole = answers->last.status == 200 && answers->last.document;
	if (!answers->whole)
		return;
	add_chunk(answers, &answers->last);
	answers->last = (struct answer){ .status = 200 };
}

void answers_free(struct answers *answers)
{
	forget_chunks(answers);
	answer_free(&answers->last);
	memory_free(answers->chunks);
	memory_free(answers->items);
}

void answer_tell(const struct answer *answer, struct text *out)
{
	if (answer->status)
		text_format(out, "%u: ", answer->status);
	object_tell_error(answer->document, text_slice(&answer->body), out);
}

const char *asking_server(const struct asking *asking)
{
	return asking->server.bytes;
}

struct asking *asking_new(const struct k8s_place *place, struct text *why)
{
	struct asking *asking = memory_new(sizeof *asking);
	int e;

	process_start();
	timer_init(&asking->timer, slept, asking);
	e = loop_new(&(struct loop_options){ .name = "asking" }, &asking->loop);
	if (!e)
		e = resolver_new(asking->loop, network_host(), &(struct resolver_options){ 0 }, &asking->resolver);
	if (!e)
		e = access_open(place, asking->loop, asking->resolver, 0, &asking->api, &asking->server, why);
	if (!e)
		return asking;
	if (!why->length)
		text_format(why, "%s", error_text(e));
	asking_free(asking);
	return NULL;
}

void asking_free(struct asking *asking)
{
	k8s_api_unref(asking->api);
	if (asking->loop) {
		/* Connections end in the loop's turns. */
		timer_set(asking->loop, &asking->timer, loop_now(asking->loop));
		loop_run(asking->loop);
	}
	if (asking->resolver)
		resolver_free(asking->resolver);
	loop_free(asking->loop);
	text_free(&asking->server);
	memory_free(asking);
}

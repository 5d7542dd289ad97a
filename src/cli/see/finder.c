/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/finder.h"

#include "base/memory.h"
#include "cli/cluster/access.h"
#include "cli/cluster/lists.h"
#include "cli/cluster/objects.h"
#include "client/fetch.h"
#include "discover/k8s_api.h"
#include "io/loop.h"

#define PATIENCE (15 * CLOCK_SECOND)
#define RESOLVING (20 * CLOCK_MS) /* until the host's name is looked at again */
#define MOST_RESOLVING (5 * CLOCK_SECOND)
#define MOST_BODY ((size_t)64 << 20)

enum { MOST_BEGUN = 3 };

static const struct document_limits limits = { .max_bytes = MOST_BODY, .max_nodes = 16 << 20 };

struct finder {
	struct loop *loop;
	struct k8s_api *api;
	struct k8s_call *call;
	struct text server, target, body;
	struct text next; /* `continue` of the list's last chunk; empty: it begins */
	unsigned begun;   /* how often it had to begin anew */
	struct timer again;
	int64_t give_up;
	finder_found *found;
	void *owner;
};

static void tell(struct finder *finder, const struct found_list *list)
{
	finder_found *found = finder->found;

	if (list->last)
		finder->found = NULL;
	found(finder->owner, list);
}

static void tell_why(struct finder *finder, const char *why)
{
	tell(finder, &(struct found_list){ .first = !finder->next.length, .last = true, .why = why });
}

static void body(void *owner, unsigned status, struct slice bytes)
{
	struct finder *finder = owner;

	(void)status;
	if (finder->body.length + bytes.length <= MOST_BODY)
		text_append(&finder->body, bytes);
}

static void ask_soon(struct finder *finder, int64_t after)
{
	timer_set(finder->loop, &finder->again, clock_after(loop_now(finder->loop), after));
}

static void take(struct finder *finder, const struct document *document)
{
	const struct document_node *root = document_root(document);
	struct found_list list = { .items = object_find(root, "items"), .first = !finder->next.length };

	if (!list.items) {
		tell_why(finder, "it has sent no list of pods");
		return;
	}
	text_clear(&finder->next);
	list_next(root, &finder->next);
	list.last = !finder->next.length;
	tell(finder, &list);
	if (!list.last)
		ask_soon(finder, 0);
}

static void ended(void *owner, unsigned status, int error)
{
	struct finder *finder = owner;
	struct document *document = NULL;
	struct problems problems;
	struct text why = { 0 };

	finder->call = NULL;
	problem_init(&problems);
	if (error)
		text_format(&why, "%s", error_text(error));
	else if (document_parse(text_slice(&finder->body), SLICE("pods"), &limits, &problems, &document))
		document = NULL;
	problem_fini(&problems);
	text_free(&finder->body);
	if (!error && status == 410 && finder->next.length && finder->begun++ < MOST_BEGUN) {
		/* The version that its chunks are of was forgotten meanwhile. */
		text_clear(&finder->next);
		ask_soon(finder, 0);
		document_free(document);
		return;
	}
	if (!error && status == 200 && !document) {
		text_format(&why, "its list of pods is no JSON");
	} else if (!error && status != 200) {
		text_format(&why, "%u: ", status);
		object_tell_error(document, SLICE("no list of pods"), &why);
	}
	if (why.length)
		tell_why(finder, why.bytes);
	else
		take(finder, document);
	document_free(document);
	text_free(&why);
}

static void ask(void *owner)
{
	static const struct k8s_call_events events = { .body = body, .ended = ended };
	const struct fetch_limits patience = { .all_ns = PATIENCE };
	struct finder *finder = owner;
	struct text target = { 0 };
	int e;

	list_chunk(text_slice(&finder->target), text_slice(&finder->next), &target);
	e = k8s_call_new(finder->api, text_slice(&target), &patience, &events, finder, &finder->call);
	text_free(&target);
	if (e == ERROR_BUSY && loop_now(finder->loop) < finder->give_up)
		ask_soon(finder, RESOLVING);
	else if (e)
		tell_why(finder, error_text(e));
}

void finder_find(struct finder *finder, finder_found *found, void *owner)
{
	finder->found = found;
	finder->owner = owner;
	finder->begun = 0;
	text_clear(&finder->next);
	finder->give_up = clock_after(loop_now(finder->loop), MOST_RESOLVING);
	/* Told from the loop, also when it fails at once. */
	ask_soon(finder, 0);
}

struct k8s_api *finder_api(struct finder *finder)
{
	return finder->api;
}

const char *finder_server(const struct finder *finder)
{
	return finder->server.bytes;
}

int finder_new(struct loop *loop, struct resolver *resolver, const struct access *access, struct slice target, unsigned sessions,
	struct finder **out, struct text *why)
{
	struct finder *finder = memory_new(sizeof *finder);
	int e;

	finder->loop = loop;
	timer_init(&finder->again, ask, finder);
	text_append(&finder->target, target);
	e = access_open(&access->place, loop, resolver, sessions, &finder->api, &finder->server, why);
	if (e) {
		finder_free(finder);
		return e;
	}
	*out = finder;
	return 0;
}

void finder_free(struct finder *finder)
{
	if (!finder)
		return;
	timer_cancel(finder->loop, &finder->again);
	k8s_call_drop(finder->call);
	k8s_api_unref(finder->api);
	text_free(&finder->server);
	text_free(&finder->target);
	text_free(&finder->body);
	text_free(&finder->next);
	memory_free(finder);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/finder.h"

#include "base/memory.h"
#include "cli/cluster/access.h"
#include "cli/cluster/objects.h"
#include "client/fetch.h"
#include "discover/k8s_api.h"
#include "io/loop.h"

#define PATIENCE (15 * CLOCK_SECOND)
#define RESOLVING (20 * CLOCK_MS) /* until the host's name is looked at again */
#define MOST_RESOLVING (5 * CLOCK_SECOND)
#define MOST_BODY ((size_t)64 << 20)

static const struct document_limits limits = { .max_bytes = MOST_BODY, .max_nodes = 16 << 20 };

struct finder {
	struct loop *loop;
	struct k8s_api *api;
	struct k8s_call *call;
	struct text server, target, body;
	struct timer again;
	int64_t give_up;
	finder_found *found;
	void *owner;
};

static void tell(struct finder *finder, const struct document_node *pods, const char *why)
{
	finder_found *found = finder->found;

	finder->found = NULL;
	found(finder->owner, pods, why);
}

static void body(void *owner, unsigned status, struct slice bytes)
{
	struct finder *finder = owner;

	(void)status;
	if (finder->body.length + bytes.length <= MOST_BODY)
		text_append(&finder->body, bytes);
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
	if (!error && status == 200 && !document) {
		text_format(&why, "its list of pods is no JSON");
	} else if (!error && status != 200) {
		text_format(&why, "%u: ", status);
		object_tell_error(document, SLICE("no list of pods"), &why);
	}
	tell(finder, why.length ? NULL : object_find(document_root(document), "items"),
		why.length ? why.bytes : "it has sent no list of pods");
	document_free(document);
	text_free(&why);
}

static void ask(void *owner)
{
	static const struct k8s_call_events events = { .body = body, .ended = ended };
	const struct fetch_limits patience = { .all_ns = PATIENCE };
	struct finder *finder = owner;
	int e = k8s_call_new(finder->api, text_slice(&finder->target), &patience, &events, finder, &finder->call);

	if (e == ERROR_BUSY && loop_now(finder->loop) < finder->give_up)
		timer_set(finder->loop, &finder->again, clock_after(loop_now(finder->loop), RESOLVING));
	else if (e)
		tell(finder, NULL, error_text(e));
}

void finder_find(struct finder *finder, finder_found *found, void *owner)
{
	finder->found = found;
	finder->owner = owner;
	finder->give_up = clock_after(loop_now(finder->loop), MOST_RESOLVING);
	/* Told from the loop, also when it fails at once. */
	timer_set(finder->loop, &finder->again, loop_now(finder->loop));
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
	k8s_api_unref(finder->api);
	text_free(&finder->server);
	text_free(&finder->target);
	memory_free(finder);
}

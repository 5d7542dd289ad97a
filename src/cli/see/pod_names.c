/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/pod_names.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"
#include "cli/cluster/objects.h"
#include "cli/see/finder.h"
#include "io/loop.h"

/* Those that are over have no address of their own any more. */
static const char running_pods[] = "/api/v1/pods?fieldSelector=status.phase%3DRunning";
static const int64_t list_life = 10 * CLOCK_SECOND;

struct pod_name {
	struct map_entry entry; /* by address */
	struct slice name;
};

struct pod_names {
	struct loop *loop;
	struct finder *finder;
	struct arena arena;
	struct map map;
	void (*failed)(void *owner, const char *server, const char *why);
	void *owner;
	int64_t asked_at;
	bool asking, told;
};

static void take(struct pod_names *names, const struct document_node *pod)
{
	struct slice address = object_text(pod, "status/podIP"), space = object_text(pod, "metadata/namespace");
	struct slice name = object_text(pod, "metadata/name"), node = object_text(pod, "spec/nodeName");
	bool host = slice_equal(object_text(pod, "spec/hostNetwork"), SLICE("true"));
	struct pod_name *found;

	if (!address.length || map_find(&names->map, address))
		return;
	found = arena_zeroed(&names->arena, sizeof *found);
	found->name =
		host ? arena_copy(&names->arena, node) : arena_format(&names->arena, "%.*s/%.*s", SLICE_ARGS(space), SLICE_ARGS(name));
	map_insert(&names->map, &found->entry, arena_copy(&names->arena, address));
}

static void found(void *owner, const struct document_node *pods, const char *why)
{
	struct pod_names *names = owner;

	names->asking = false;
	if (!pods) {
		if (!names->told)
			names->failed(names->owner, finder_server(names->finder), why);
		names->told = true;
		return;
	}
	map_fini(&names->map);
	map_init(&names->map, 0);
	arena_reset(&names->arena);
	for (unsigned i = 0; i < object_count(pods); i++)
		take(names, pods->items[i]);
}

static void ask(struct pod_names *names)
{
	names->asking = true;
	names->asked_at = loop_now(names->loop);
	finder_find(names->finder, found, names);
}

void pod_names_tell(struct pod_names *names, struct slice address, bool port, struct text *out)
{
	size_t colon = address.length;
	struct map_entry *entry = NULL;
	struct slice ip;

	while (colon > 0 && address.at[colon - 1] != ':')
		colon--;
	if (colon > 0) {
		ip = slice_make(address.at, colon - 1);
		if (ip.length > 2 && ip.at[0] == '[')
			ip = slice_make(ip.at + 1, ip.length - 2);
		entry = map_find(&names->map, ip);
		if (!entry && !names->asking && loop_now(names->loop) - names->asked_at >= list_life)
			ask(names);
	}
	if (!entry) {
		text_append(out, address);
		return;
	}
	text_append(out, MAP_OF(entry, struct pod_name, entry)->name);
	if (port)
		text_append(out, slice_from(address, colon - 1));
}

int pod_names_new(struct loop *loop, struct resolver *resolver, const struct access *access,
	void (*failed)(void *owner, const char *server, const char *why), void *owner, struct pod_names **out, struct text *why)
{
	struct pod_names *names = memory_new(sizeof *names);
	int e = finder_new(loop, resolver, access, slice_of(running_pods), 0, &names->finder, why);

	if (e) {
		memory_free(names);
		return e;
	}
	names->loop = loop;
	names->failed = failed;
	names->owner = owner;
	arena_init(&names->arena, NULL, 0);
	map_init(&names->map, 0);
	ask(names);
	*out = names;
	return 0;
}

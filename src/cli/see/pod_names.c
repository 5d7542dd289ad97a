/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/pod_names.h"

#include "base/arena.h"
#include "base/memory.h"
#include "cli/cluster/access.h"
#include "cli/cluster/objects.h"
#include "cli/cluster/workload.h"
#include "cli/see/finder.h"
#include "io/loop.h"

/* Those that are over have no address of their own any more. */
static const char running_pods[] = "/api/v1/pods?fieldSelector=status.phase%3DRunning";
static const int64_t list_life = 10 * CLOCK_SECOND, gone_life = 2 * CLOCK_MINUTE;

/* How many pods a workload has. */
struct tally {
	struct map_entry entry; /* by "NAMESPACE/WORKLOAD" */
	unsigned all, ready;
};

/* What one list has told. */
struct list_told {
	struct arena arena;
	struct map by_address; /* struct pod_name: "ip", and of pods on their node's network "ip:port" */
	struct map tallies;
};

struct pod_names {
	struct loop *loop;
	struct finder *finder;
	const struct access *access;
	struct list_told *told, *coming; /* coming: while a list comes in chunks; NULL: none does */
	void (*failed)(void *owner, const char *server, const char *why);
	void *owner;
	int64_t asked_at;
	bool asking, there, complained;
};

/* ---- a list ---- */

static struct list_told *told_new(void)
{
	struct list_told *told = memory_new(sizeof *told);

	arena_init(&told->arena, NULL, 0);
	map_init(&told->by_address, 0);
	map_init(&told->tallies, 0);
	return told;
}

static void told_free(struct list_told *told)
{
	if (!told)
		return;
	map_fini(&told->by_address);
	map_fini(&told->tallies);
	arena_reset(&told->arena);
	memory_free(told);
}

static void count(struct list_told *told, struct slice space, struct slice workload, bool ready)
{
	struct slice key = arena_format(&told->arena, "%.*s/%.*s", SLICE_ARGS(space), SLICE_ARGS(workload));
	struct map_entry *found = map_find(&told->tallies, key);
	struct tally *tally;

	if (found) {
		tally = MAP_OF(found, struct tally, entry);
	} else {
		tally = arena_zeroed(&told->arena, sizeof *tally);
		map_insert(&told->tallies, &tally->entry, key);
	}
	tally->all++;
	tally->ready += ready;
}

static struct pod_name *add(struct list_told *told, struct slice key, const struct pod_name *pod)
{
	struct map_entry *found = map_find(&told->by_address, key);
	struct pod_name *name;

	if (found)
		return MAP_OF(found, struct pod_name, entry);
	name = arena_zeroed(&told->arena, sizeof *name);
	*name = *pod;
	name->entry = (struct map_entry){ .chain = NULL };
	map_insert(&told->by_address, &name->entry, key);
	return name;
}

/* On the node's network a port that is declared is the pod's alone. */
static void add_ports(struct list_told *told, const struct document_node *pod, struct slice address, const struct pod_name *name)
{
	const struct document_node *containers = object_find(pod, "spec/containers");
	bool bare = slice_find(address, ':') < address.length;

	for (unsigned i = 0; i < object_count(containers); i++) {
		const struct document_node *ports = object_find(containers->items[i], "ports");

		for (unsigned k = 0; k < object_count(ports); k++)
			add(told,
				arena_format(&told->arena, "%s%.*s%s:%llu", bare ? "[" : "", SLICE_ARGS(address), bare ? "]" : "",
					(unsigned long long)object_number(ports->items[k], "containerPort")),
				name);
	}
}

static bool is_proxy(const struct access *access, const struct document_node *pod)
{
	struct slice app = object_text(pod, "metadata/labels/app");

	return slice_equal(object_text(pod, "metadata/namespace"), slice_of(access->namespace)) &&
		(slice_equal(app, SLICE("l5d")) || slice_equal(app, SLICE("l5d-ingress")));
}

static void take(struct list_told *told, const struct access *access, const struct document_node *pod)
{
	const struct document_node *addresses = object_find(pod, "status/podIPs");
	bool host = slice_equal(object_text(pod, "spec/hostNetwork"), SLICE("true"));
	struct text workload = { 0 };
	struct pod_name name = {
		.namespace = arena_copy(&told->arena, object_text(pod, "metadata/namespace")),
		.pod = arena_copy(&told->arena, object_text(pod, "metadata/name")),
		.node = arena_copy(&told->arena, object_text(pod, "spec/nodeName")),
		.proxy = is_proxy(access, pod),
	};
	const struct pod_name node = { .node = name.node, .proxy = name.proxy };
	bool ready = object_pod_is_ready(pod);
	unsigned all = object_count(addresses);

	workload_of(pod, &workload);
	name.workload = arena_copy(&told->arena, text_slice(&workload));
	text_free(&workload);
	count(told, name.namespace, name.workload, ready);
	if (!slice_starts(name.workload, SLICE("pod/")))
		count(told, name.namespace, arena_format(&told->arena, "pod/%.*s", SLICE_ARGS(name.pod)), ready);
	/* Of both families; before Kubernetes 1.20 there was one alone. */
	for (unsigned i = 0; i < (all ? all : 1); i++) {
		struct slice address = all ? object_text(addresses->items[i], "ip") : object_text(pod, "status/podIP");

		if (!address.length)
			continue;
		address = arena_copy(&told->arena, address);
		if (host)
			add_ports(told, pod, address, &name);
		add(told, address, host ? &node : &name)->proxy |= name.proxy;
	}
}

/* Of pods that are gone the last calls are still told for a while. */
static void keep_old(struct list_told *told, const struct list_told *old, int64_t now)
{
	MAP_EACH(&old->by_address, entry) {
		const struct pod_name *name = MAP_OF(entry, struct pod_name, entry);
		struct pod_name kept = {
			.namespace = arena_copy(&told->arena, name->namespace),
			.pod = arena_copy(&told->arena, name->pod),
			.node = arena_copy(&told->arena, name->node),
			.workload = arena_copy(&told->arena, name->workload),
			.proxy = name->proxy,
			.gone_at = name->gone_at ? name->gone_at : now,
		};

		if (now - kept.gone_at < gone_life && !map_find(&told->by_address, entry->key))
			add(told, arena_copy(&told->arena, entry->key), &kept);
	}
}

static void found(void *owner, const struct found_list *list)
{
	struct pod_names *names = owner;

	if (!list->items) {
		names->asking = false;
		names->there = true;
		if (!names->complained)
			names->failed(names->owner, finder_server(names->finder), list->why);
		names->complained = true;
		return;
	}
	if (list->first) {
		told_free(names->coming);
		names->coming = told_new();
	}
	for (unsigned i = 0; i < object_count(list->items); i++)
		take(names->coming, names->access, list->items->items[i]);
	if (!list->last)
		return;
	keep_old(names->coming, names->told, loop_now(names->loop));
	told_free(names->told);
	names->told = names->coming;
	names->coming = NULL;
	names->asking = false;
	names->there = true;
}

static void ask(struct pod_names *names)
{
	names->asking = true;
	names->asked_at = loop_now(names->loop);
	finder_find(names->finder, found, names);
}

bool pod_names_are_there(const struct pod_names *names)
{
	return names->there;
}

void pod_names_refresh(struct pod_names *names, int64_t age)
{
	if (!names->asking && loop_now(names->loop) - names->asked_at >= age)
		ask(names);
}

/* ---- addresses ---- */

/* Where its port begins, with the colon; its length: it has none. */
static size_t port_at(struct slice address)
{
	size_t first = slice_find(address, ':'), last = address.length;

	while (last > 0 && address.at[last - 1] != ':' && address.at[last - 1] != ']')
		last--;
	if (last == 0 || address.at[last - 1] != ':')
		return address.length;
	/* Several colons without brackets: IPv6. */
	return address.at[0] == '[' || first == last - 1 ? last - 1 : address.length;
}

const struct pod_name *pod_names_find(struct pod_names *names, struct slice address)
{
	struct slice ip = slice_make(address.at, port_at(address));
	struct map_entry *entry;

	if (!ip.length)
		return NULL;
	if (ip.at[0] == '[')
		ip = slice_make(ip.at + 1, ip.length - 2);
	entry = map_find(&names->told->by_address, address);
	if (!entry)
		entry = map_find(&names->told->by_address, ip);
	if (!entry)
		pod_names_refresh(names, list_life);
	return entry ? MAP_OF(entry, struct pod_name, entry) : NULL;
}

void pod_names_count(const struct pod_names *names, struct slice namespace, struct slice workload, unsigned *all, unsigned *ready)
{
	struct text key = { 0 };
	struct map_entry *entry;

	text_format(&key, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(workload));
	entry = map_find(&names->told->tallies, text_slice(&key));
	text_free(&key);
	*all = entry ? MAP_OF(entry, struct tally, entry)->all : 0;
	*ready = entry ? MAP_OF(entry, struct tally, entry)->ready : 0;
}

void pod_names_tell(struct pod_names *names, struct slice address, bool port, struct text *out)
{
	size_t colon = port_at(address);
	/* The address alone: a port on a node's network is shown with the node. */
	const struct pod_name *found = colon < address.length ? pod_names_find(names, slice_make(address.at, colon)) : NULL;

	if (!found) {
		text_append(out, address);
		return;
	}
	if (found->pod.length)
		text_format(out, "%.*s/%.*s", SLICE_ARGS(found->namespace), SLICE_ARGS(found->pod));
	else
		text_append(out, found->node);
	if (port)
		text_append(out, slice_from(address, colon));
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
	names->access = access;
	names->failed = failed;
	names->owner = owner;
	names->told = told_new();
	ask(names);
	*out = names;
	return 0;
}

void pod_names_free(struct pod_names *names)
{
	if (!names)
		return;
	finder_free(names->finder);
	told_free(names->told);
	told_free(names->coming);
	memory_free(names);
}

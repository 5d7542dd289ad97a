/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/ends.h"

#include "base/memory.h"
#include "cli/see/pod_names.h"

enum { PORTS = 65536 };

/* What calls of a Service have reached. */
struct reached {
	struct map_entry entry; /* "NAMESPACE/SERVICE:PORT" */
	struct slice called;    /* with commas between */
};

struct ends {
	struct pod_names *pods;
	enum ends_by by;
	struct arena arena;
	struct map reached;
	bool listens[PORTS]; /* some proxy has flows that came in there */
	bool called[PORTS];  /* proxies call each other there */
};

struct ends *ends_new(struct pod_names *pods, enum ends_by by)
{
	struct ends *ends = memory_new(sizeof *ends);

	ends->pods = pods;
	ends->by = by;
	arena_init(&ends->arena, NULL, 0);
	map_init(&ends->reached, 0);
	return ends;
}

void ends_free(struct ends *ends)
{
	if (!ends)
		return;
	map_fini(&ends->reached);
	arena_reset(&ends->arena);
	memory_free(ends);
}

static uint16_t port_of(struct slice address)
{
	size_t at = address.length;
	uint64_t port = 0;

	while (at > 0 && address.at[at - 1] != ':')
		at--;
	return slice_to_u64(slice_from(address, at), UINT16_MAX, &port) ? 0 : (uint16_t)port;
}

static struct slice ip_of(struct slice address)
{
	size_t at = address.length;

	while (at > 0 && address.at[at - 1] != ':')
		at--;
	return at > 0 ? slice_make(address.at, at - 1) : address;
}

/* Who is asked by its address alone: a proxy that takes its listeners over declares no ports. */
static bool is_at_proxy(const struct ends *ends, struct slice ip)
{
	const struct pod_name *pod = pod_names_find(ends->pods, ip);

	return pod && pod->proxy;
}

static struct slice name_of(const struct ends *ends, const struct pod_name *pod)
{
	if (!pod)
		return SLICE("outside");
	if (ends->by == ENDS_NAMESPACES)
		return pod->namespace.length ? SLICE("") : pod->node;
	if (!pod->pod.length)
		return pod->node;
	return ends->by == ENDS_PODS ? pod->pod : pod->workload;
}

static struct slice key_of(struct arena *arena, const struct meter *flow)
{
	return arena_format(
		arena, "%.*s/%.*s:%.*s", SLICE_ARGS(flow->kube.namespace), SLICE_ARGS(flow->kube.service), SLICE_ARGS(flow->kube.port));
}

/* Without answers there would be no flow: none of them has ended. */
static bool is_used(const struct meter *flow)
{
	return flow->counts[COUNT_REQUESTS] > 0;
}

static void learn_reached(struct ends *ends, const struct meter *flow)
{
	struct slice called = name_of(ends, pod_names_find(ends->pods, flow->endpoint)), key;
	struct map_entry *found;
	struct reached *reached;

	if (!flow->kube.service.length || !called.length || !is_used(flow))
		return;
	key = key_of(&ends->arena, flow);
	found = map_find(&ends->reached, key);
	if (found) {
		reached = MAP_OF(found, struct reached, entry);
		reached->called = kube_name_join(&ends->arena, reached->called, arena_copy(&ends->arena, called));
	} else {
		reached = arena_zeroed(&ends->arena, sizeof *reached);
		reached->called = arena_copy(&ends->arena, called);
		map_insert(&ends->reached, &reached->entry, key);
	}
}

void ends_learn(struct ends *ends, const struct reading *reading)
{
	READING_EACH(reading, flow) {
		ends->listens[flow->listener] = true;
		if (is_at_proxy(ends, ip_of(flow->endpoint)))
			ends->called[port_of(flow->endpoint)] = true;
		else
			learn_reached(ends, flow);
	}
}

static void tell_caller(const struct ends *ends, const struct pod_name *pod, struct arena *arena, struct ends_told *told)
{
	told->caller = arena_copy(arena, name_of(ends, pod));
	told->caller_namespace = arena_copy(arena, pod ? pod->namespace : SLICE(""));
	if (!told->caller_namespace.length || !told->caller.length)
		told->caller_shown = told->caller.length ? told->caller : told->caller_namespace;
	else
		told->caller_shown = arena_format(arena, "%.*s/%.*s", SLICE_ARGS(told->caller_namespace), SLICE_ARGS(told->caller));
}

static void count(const struct ends *ends, const struct pod_name *pod, struct ends_told *told)
{
	struct text name = { 0 };

	if (ends->by == ENDS_PODS)
		text_format(&name, "pod/%.*s", SLICE_ARGS(pod->pod));
	else
		text_append(&name, pod->workload);
	pod_names_count(ends->pods, pod->namespace, text_slice(&name), &told->all, &told->ready);
	text_free(&name);
}

/* By the Service: whatever calls of it have reached at a proxy beside it. */
static void infer(const struct ends *ends, const struct meter *flow, struct arena *arena, struct ends_told *told)
{
	struct map_entry *found = map_find(&ends->reached, key_of(arena, flow));

	told->inferred = true;
	told->namespace = flow->kube.namespace;
	if (found)
		told->called = arena_copy(arena, MAP_OF(found, struct reached, entry)->called);
}

void ends_tell(const struct ends *ends, const struct meter *flow, struct arena *arena, struct ends_told *told)
{
	const struct pod_name *pod;
	uint16_t port = port_of(flow->endpoint);

	*told = (struct ends_told){ .from_proxy = ends->called[flow->listener] && is_at_proxy(ends, flow->source) };
	told->to_proxy = ends->listens[port] && is_at_proxy(ends, ip_of(flow->endpoint));
	tell_caller(ends, pod_names_find(ends->pods, flow->source), arena, told);
	pod = pod_names_find(ends->pods, flow->source);
	told->known = pod && !pod->gone_at;
	if (told->to_proxy) {
		infer(ends, flow, arena, told);
		return;
	}
	pod = pod_names_find(ends->pods, flow->endpoint);
	told->known = told->known && pod && !pod->gone_at;
	told->called = arena_copy(arena, name_of(ends, pod));
	if (!pod)
		return;
	told->namespace = arena_copy(arena, pod->namespace);
	if (pod->pod.length && ends->by != ENDS_NAMESPACES)
		count(ends, pod, told);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/reading.h"

#include <math.h>

#include "base/memory.h"
#include "doc/document.h"

/* Large enough for every scope that a process may have (observe/metrics.h). */
static const struct document_limits limits = { .max_bytes = 256 << 20, .max_nodes = 16 << 20 };

#define MOST_US (1000.0 * UINT32_MAX)

static const char *const count_names[METER_COUNTS] = {
	[COUNT_REQUESTS] = "requests",
	[COUNT_SUCCESS] = "success",
	[COUNT_FAILURES] = "failures",
	[COUNT_RETRIES] = "retries/total",
	[COUNT_REQUEUES] = "retries/requeues",
	[COUNT_CONNECTS] = "connects",
	[COUNT_HANDSHAKES] = "tls/handshakes",
	[COUNT_PLAINTEXT] = "tls/plaintext",
	[COUNT_4XX] = "status/4XX",
	[COUNT_5XX] = "status/5XX",
};

static const char *const gauge_names[METER_GAUGES] = {
	[GAUGE_PENDING] = "pending",
	[GAUGE_CONNECTIONS] = "connections",
	[GAUGE_ENDPOINTS] = "loadbalancer/size",
	[GAUGE_AVAILABLE] = "loadbalancer/available",
};

/* ---- numbers ---- */

static const struct document_node *below(const struct document_node *node, struct slice name)
{
	const struct document_entry *entry = node && node->kind == DOCUMENT_MAPPING ? document_find(node, name) : NULL;

	return entry ? entry->value : NULL;
}

static const struct document_node *descend(const struct document_node *node, const char *path)
{
	struct slice rest = slice_of(path), step;

	while (node && slice_split(&rest, '/', &step))
		node = below(node, step);
	return node;
}

/* NaN: it is none. */
static double number_of(const struct document_node *node)
{
	struct problems problems;
	double number = NAN;

	problem_init(&problems);
	(void)document_read_number(node, -HUGE_VAL, HUGE_VAL, &number, &problems);
	problem_fini(&problems);
	return number;
}

static double read_number(const struct document_node *scope, const char *name, const char *type)
{
	return number_of(document_get(descend(scope, name), type));
}

/* ---- latencies ---- */

/* False: it is no bucket, or an empty one. */
static bool read_bucket(const struct document_node *pair, double unit_us, struct meter_bucket *bucket)
{
	if (pair->kind != DOCUMENT_SEQUENCE || pair->count != 2)
		return false;
	double least_us = number_of(pair->items[0]) * unit_us, count = number_of(pair->items[1]);

	if (!(least_us >= 0 && least_us <= MOST_US) || !(count > 0 && count <= UINT32_MAX))
		return false;
	*bucket = (struct meter_bucket){ histogram_bucket((uint64_t)llround(least_us)), (uint32_t)count };
	return true;
}

void meter_set_latency(struct reading *reading, struct meter *meter, const struct document_node *buckets, double unit_us)
{
	struct meter_bucket *kept;

	if (!buckets || buckets->kind != DOCUMENT_SEQUENCE || buckets->count == 0)
		return;
	kept = arena_get(&reading->arena, buckets->count * sizeof *kept);
	for (uint32_t i = 0; i < buckets->count; i++)
		if (read_bucket(buckets->items[i], unit_us, &kept[meter->latency_count]))
			meter->latency_count++;
	meter->latency = kept;
}

/* ---- meters ---- */

static void append_name(struct text *key, struct slice name)
{
	text_format(key, "%zu:", name.length);
	text_append(key, name);
}

static void make_key(struct text *key, enum meter_kind kind, struct slice router, struct slice name, struct slice service)
{
	text_format(key, "%d", (int)kind);
	append_name(key, router);
	append_name(key, name);
	append_name(key, service);
}

static struct meter *add(struct reading *reading, enum meter_kind kind, struct slice router, struct slice name, struct slice service,
	const struct document_node *scope)
{
	struct meter *meter = arena_zeroed(&reading->arena, sizeof *meter);
	struct text key = { 0 };

	meter->kind = kind;
	meter->router = router;
	meter->name = name;
	meter->service = service;
	for (unsigned i = 0; i < METER_COUNTS; i++) {
		double count = read_number(scope, count_names[i], "counter");

		meter->counts[i] = isnan(count) ? 0 : count;
	}
	for (unsigned i = 0; i < METER_GAUGES; i++)
		meter->gauges[i] = read_number(scope, gauge_names[i], "gauge");
	meter_set_latency(reading, meter, document_get(descend(scope, "request_latency_ms"), "stat.buckets"), 1000);
	make_key(&key, kind, router, name, service);
	if (!map_find(&reading->meters, text_slice(&key)))
		map_insert(&reading->meters, &meter->entry, arena_copy(&reading->arena, text_slice(&key)));
	text_free(&key);
	return meter;
}

/* Scopes below a scope: rt/ROUTER/client/NAME/service/SERVICE. */
static void add_inner(struct reading *reading, enum meter_kind kind, const struct meter *outer, const struct document_node *names)
{
	for (uint32_t i = 0; names && names->kind == DOCUMENT_MAPPING && i < names->count; i++)
		add(reading, kind, outer->router, outer->name, arena_copy(&reading->arena, names->entries[i].key), names->entries[i].value);
}

static void add_router(struct reading *reading, struct slice router, const struct document_node *node)
{
	static const struct {
		const char *step;
		enum meter_kind kind;
	} steps[] = {
		{ "server", METER_SERVER },
		{ "service", METER_SERVICE },
		{ "client", METER_CLIENT },
		{ "method", METER_METHOD },
	};

	for (unsigned k = 0; k < sizeof steps / sizeof *steps; k++) {
		const struct document_node *names = below(node, slice_of(steps[k].step));

		for (uint32_t i = 0; names && names->kind == DOCUMENT_MAPPING && i < names->count; i++) {
			const struct document_node *scope = names->entries[i].value;
			struct slice name = arena_copy(&reading->arena, names->entries[i].key);
			struct meter *meter = add(reading, steps[k].kind, router, name, SLICE(""), scope);

			if (steps[k].kind == METER_CLIENT)
				add_inner(reading, METER_ROUTE, meter, below(scope, SLICE("service")));
			if (steps[k].kind == METER_CLIENT)
				add_inner(reading, METER_CALLER, meter, below(scope, SLICE("caller")));
			if (steps[k].kind == METER_CLIENT || steps[k].kind == METER_SERVER)
				add_inner(reading, METER_PEER, meter, below(scope, SLICE("peer")));
		}
	}
}

static bool fill(struct reading *reading, const struct document_node *root)
{
	const struct document_node *routers = document_get(root, "rt");

	reading->uptime_ms = read_number(root, "jvm/uptime", "gauge");
	if (isnan(reading->uptime_ms))
		return false;
	for (uint32_t i = 0; routers && routers->kind == DOCUMENT_MAPPING && i < routers->count; i++)
		add_router(reading, arena_copy(&reading->arena, routers->entries[i].key), routers->entries[i].value);
	return true;
}

/* ---- Kubernetes ---- */

static void join_kube(struct reading *reading, struct kube_name *into, const struct kube_name *one)
{
	into->namespace = kube_name_join(&reading->arena, into->namespace, one->namespace);
	into->service = kube_name_join(&reading->arena, into->service, one->service);
	into->port = kube_name_join(&reading->arena, into->port, one->port);
}

static void name_for_kubernetes(struct reading *reading)
{
	READING_EACH(reading, meter) {
		struct meter *service = NULL;
		struct text workload = { 0 };

		if (meter->kind == METER_CALLER) {
			kube_name_of_caller(meter->service, &workload);
			meter->workload = arena_copy(&reading->arena, text_slice(&workload));
			text_free(&workload);
		}
		if (meter->kind == METER_SERVICE || !kube_name_of_client(meter->name, &meter->kube))
			continue;
		if (meter->kind == METER_ROUTE)
			service = reading_find(reading, METER_SERVICE, meter->router, meter->service, SLICE(""));
		if (service)
			join_kube(reading, &service->kube, &meter->kube);
	}
}

struct reading *reading_new(struct slice page, struct text *why)
{
	struct reading *reading = memory_new(sizeof *reading);
	struct document *document;
	struct problems problems;
	bool good = false;

	arena_init(&reading->arena, NULL, 0);
	map_init(&reading->meters, 0);
	problem_init(&problems);
	if (document_parse(page, SLICE("metrics"), &limits, &problems, &document) == 0) {
		good = fill(reading, document_root(document));
		document_free(document);
	}
	problem_fini(&problems);
	if (good) {
		name_for_kubernetes(reading);
		return reading;
	}
	text_format(why, "its page of metrics is not weft's");
	reading_free(reading);
	return NULL;
}

void reading_free(struct reading *reading)
{
	if (!reading)
		return;
	map_fini(&reading->meters);
	arena_reset(&reading->arena);
	memory_free(reading);
}

struct meter *reading_find(
	const struct reading *reading, enum meter_kind kind, struct slice router, struct slice name, struct slice service)
{
	struct text key = { 0 };
	struct map_entry *found;

	make_key(&key, kind, router, name, service);
	found = map_find(&reading->meters, text_slice(&key));
	text_free(&key);
	return found ? MAP_OF(found, struct meter, entry) : NULL;
}

struct meter *reading_same(const struct reading *reading, const struct meter *meter)
{
	struct map_entry *found = map_find(&reading->meters, meter->entry.key);

	return found ? MAP_OF(found, struct meter, entry) : NULL;
}

void meter_add_latency(const struct meter *meter, bool subtract, struct histogram_view *view)
{
	for (uint32_t i = 0; i < meter->latency_count; i++) {
		uint32_t *bucket = &view->buckets[meter->latency[i].bucket];

		*bucket += subtract ? -meter->latency[i].count : meter->latency[i].count;
	}
}

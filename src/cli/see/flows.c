/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/flows.h"

#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/cluster/objects.h"

enum { BEHIND = 60 }; /* seconds: the next reading may come late */

static const struct document_limits limits = { .max_bytes = 256 << 20, .max_nodes = 16 << 20 };

void flows_page(int64_t window_ns, struct text *page)
{
	text_format(page, "/flows.json?for=%lld", (long long)((window_ns + CLOCK_SECOND - 1) / CLOCK_SECOND + BEHIND));
}

static uint64_t number_at(const struct document_node *node, const char *key)
{
	uint64_t number = 0;

	return slice_to_u64(object_text(node, key), UINT64_MAX, &number) ? 0 : number;
}

static struct slice copy(struct reading *reading, const struct document_node *node, const char *key)
{
	return arena_copy(&reading->arena, object_text(node, key));
}

/* Its key has the process and the flow's number there. */
static void add(struct reading *reading, const struct document_node *flow, struct slice began)
{
	struct meter *meter = arena_zeroed(&reading->arena, sizeof *meter);
	struct slice key = arena_format(&reading->arena, "%.*s-%.*s", SLICE_ARGS(began), SLICE_ARGS(object_text(flow, "number")));

	meter->kind = METER_FLOW;
	meter->router = copy(reading, flow, "router");
	meter->name = copy(reading, flow, "client");
	if (meter->name.length && meter->name.at[0] == '/')
		meter->name = slice_from(meter->name, 1);
	meter->source = copy(reading, flow, "source");
	meter->endpoint = copy(reading, flow, "endpoint");
	meter->secured = copy(reading, flow, "secured");
	meter->listener = (uint16_t)number_at(flow, "listener");
	meter->counts[COUNT_SUCCESS] = (double)number_at(flow, "success");
	meter->counts[COUNT_FAILURES] = (double)number_at(flow, "failures");
	meter->counts[COUNT_REQUESTS] = meter->counts[COUNT_SUCCESS] + meter->counts[COUNT_FAILURES];
	for (unsigned i = 0; i < METER_GAUGES; i++)
		meter->gauges[i] = NAN;
	meter_set_latency(reading, meter, object_find(flow, "latency_us"), 1);
	(void)kube_name_of_client(meter->name, &meter->kube);
	if (!map_find(&reading->meters, key))
		map_insert(&reading->meters, &meter->entry, key);
}

struct reading *flows_read(struct slice page, struct text *why)
{
	struct reading *reading = memory_new(sizeof *reading);
	const struct document_node *root, *flows = NULL;
	struct document *document = NULL;
	struct problems problems;

	arena_init(&reading->arena, NULL, 0);
	map_init(&reading->meters, 0);
	problem_init(&problems);
	if (document_parse(page, SLICE("flows"), &limits, &problems, &document))
		document = NULL;
	problem_fini(&problems);
	root = document ? document_root(document) : NULL;
	if (root) {
		flows = object_find(root, "flows");
		reading->uptime_ms = (double)number_at(root, "at_ms");
		reading->lost = number_at(root, "lost");
	}
	for (unsigned i = 0; flows && i < object_count(flows); i++)
		add(reading, flows->items[i], object_text(root, "began"));
	document_free(document);
	if (flows)
		return reading;
	text_format(why, "its page of flows is not weft's");
	reading_free(reading);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a node's metrics must say when it has drained: the numbers of one scope add up, and nothing is pending. */
#include "node.h"

#include "base/text.h"
#include "observe/metrics.h"

/* The scope that is being read; its first metric is `requests`. */
struct reading {
	struct node *node;
	struct text where;
	double requests, success, failures, connects, closes;
	bool outgoing_service;
	uint64_t service_requests, service_retries;
};

static void check_scope(struct reading *reading)
{
	struct harness *harness = reading->node->harness;
	const char *where = reading->where.bytes ? reading->where.bytes : "";
	if (reading->requests != reading->success + reading->failures)
		harness_fail(harness, "%s: %.0f requests, but %.0f succeeded and %.0f failed", where, reading->requests, reading->success,
			reading->failures);
	if (reading->connects != reading->closes)
		harness_fail(harness, "%s: %.0f connections made, %.0f closed", where, reading->connects, reading->closes);
}

static void begin_scope(struct reading *reading, const struct sample *sample)
{
	check_scope(reading);
	struct node *node = reading->node;
	uint64_t requests = reading->service_requests, retries = reading->service_retries;
	text_clear(&reading->where);
	*reading = (struct reading){
		.node = node,
		.where = reading->where,
		.service_requests = requests,
		.service_retries = retries,
	};
	for (unsigned i = 0; i < sample->label_count; i++)
		text_format(&reading->where, "/%.*s/%.*s", SLICE_ARGS(sample->labels[i].key), SLICE_ARGS(sample->labels[i].value));
	reading->outgoing_service = sample->label_count == 2 && slice_equal(sample->labels[0].value, SLICE("outgoing")) &&
		slice_equal(sample->labels[1].key, SLICE("service"));
}

static void read_sample(void *owner, const struct sample *sample)
{
	struct reading *reading = owner;
	static const char *const resting[] = { "pending", "connections", "pool_waiters", "pool_size" };
	if (slice_equal(sample->name, SLICE("requests"))) {
		begin_scope(reading, sample);
		reading->requests = sample->value;
		if (reading->outgoing_service)
			reading->service_requests += (uint64_t)sample->value;
	} else if (slice_equal(sample->name, SLICE("success"))) {
		reading->success = sample->value;
	} else if (slice_equal(sample->name, SLICE("failures"))) {
		reading->failures = sample->value;
	} else if (slice_equal(sample->name, SLICE("connects"))) {
		reading->connects = sample->value;
	} else if (slice_equal(sample->name, SLICE("closes"))) {
		reading->closes = sample->value;
	} else if (reading->outgoing_service && slice_equal(sample->name, SLICE("retries/total"))) {
		reading->service_retries += (uint64_t)sample->value;
	}
	for (unsigned i = 0; i < sizeof(resting) / sizeof(resting[0]); i++) {
		if (slice_equal(sample->name, slice_of(resting[i])) && sample->value != 0)
			harness_fail(reading->node->harness, "%s: %s is %.0f after draining",
				reading->where.bytes ? reading->where.bytes : "", resting[i], sample->value);
	}
}

void node_check_metrics(struct node *node, uint64_t *requests, uint64_t *retries)
{
	struct reading reading = { .node = node };
	metrics_read(node->metrics, read_sample, &reading);
	check_scope(&reading);
	text_free(&reading.where);
	*requests = reading.service_requests;
	*retries = reading.service_retries;
}

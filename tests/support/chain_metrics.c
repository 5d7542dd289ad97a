/* SPDX-License-Identifier: Apache-2.0 */
/* What the proxy of a chain counted. */
#include <stdio.h>
#include <stdlib.h>

#include "observe/metrics.h"
#include "support/chain.h"

struct reading {
	const char *scope, *name;
	double sum;
	bool found;
	char at[512]; /* the scope that is being read */
	double requests, success, failures;
};

static void scope_name(const struct sample *sample, char *at, size_t room)
{
	size_t length = 0;

	at[0] = 0;
	for (unsigned i = 0; i < sample->label_count && length < room; i++)
		length += (size_t)snprintf(at + length, room - length, "%s%.*s/%.*s", i ? "/" : "", SLICE_ARGS(sample->labels[i].key),
			SLICE_ARGS(sample->labels[i].value));
}

static void read_one(void *owner, const struct sample *sample)
{
	struct reading *reading = owner;

	scope_name(sample, reading->at, sizeof reading->at);
	if (strcmp(reading->at, reading->scope) == 0 && slice_equal(sample->name, slice_of(reading->name))) {
		reading->sum += sample->value;
		reading->found = true;
	}
}

static void print_one(void *owner, const struct sample *sample)
{
	struct reading *reading = owner;

	scope_name(sample, reading->at, sizeof reading->at);
	if (sample->type == METRIC_COUNTER || sample->type == METRIC_GAUGE)
		fprintf(stderr, "%s %.*s %g\n", reading->at, SLICE_ARGS(sample->name), sample->value);
}

double chain_metric(struct chain *chain, const char *scope, const char *name)
{
	struct reading reading = { .scope = scope, .name = name };

	metrics_read(chain->metrics, read_one, &reading);
	if (!reading.found) {
		metrics_read(chain->metrics, print_one, &reading);
		fprintf(stderr, "there is no %s %s\n", scope, name);
		abort();
	}
	return reading.sum;
}

static void check_scope(const struct reading *reading)
{
	if (reading->requests == reading->success + reading->failures)
		return;
	fprintf(stderr, "%s: %g requests, but %g succeeded and %g failed\n", reading->at, reading->requests, reading->success,
		reading->failures);
	abort();
}

static void check_sample(void *owner, const struct sample *sample)
{
	static const char *const resting[] = { "pending", "pool_waiters" };
	struct reading *reading = owner;

	if (slice_equal(sample->name, SLICE("requests"))) {
		check_scope(reading);
		reading->success = reading->failures = 0;
		reading->requests = sample->value;
	} else if (slice_equal(sample->name, SLICE("success"))) {
		reading->success = sample->value;
	} else if (slice_equal(sample->name, SLICE("failures"))) {
		reading->failures = sample->value;
	}
	scope_name(sample, reading->at, sizeof reading->at);
	for (unsigned i = 0; i < sizeof resting / sizeof resting[0]; i++) {
		if (!slice_equal(sample->name, slice_of(resting[i])) || sample->value == 0)
			continue;
		fprintf(stderr, "%s: %s is %g, and nothing runs\n", reading->at, resting[i], sample->value);
		abort();
	}
}

void chain_check_metrics(struct chain *chain)
{
	struct reading reading = { 0 };

	metrics_read(chain->metrics, check_sample, &reading);
	check_scope(&reading);
}

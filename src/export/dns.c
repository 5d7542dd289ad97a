/* SPDX-License-Identifier: Apache-2.0 */
#include "export/dns.h"

#define ROW(member, name) METRIC(struct resolver_counts, member, METRIC_COUNTER, name)

static const struct metric rows[] = {
	ROW(lookups, "lookups"),
	ROW(cached, "cached"),
	ROW(found, "found"),
	ROW(negative, "negative"),
	ROW(failed, "failed"),
	ROW(stale, "stale"),
	ROW(evicted, "evicted"),
	ROW(refused, "refused"),
	ROW(questions.queries, "queries"),
	ROW(questions.tcp, "queries_tcp"),
	ROW(questions.answers, "answers"),
	ROW(questions.failures, "answers_failed"),
	ROW(questions.unanswered, "unanswered"),
	ROW(questions.ignored, "ignored"),
};

static const struct metric_kind kind = { "dns", rows, sizeof rows / sizeof rows[0], sizeof(struct resolver_counts), 1 };

/* The resolver is the one writer, so it has the first shard. */
struct scope *dns_metrics(struct metrics *metrics, struct resolver_counts **counts)
{
	const struct scope_label name = { SLICE("dns"), { 0 } };
	struct scope *scope = metrics_scope(metrics, &kind, &name, 1);

	*counts = scope_shard(scope, 0);
	return scope;
}

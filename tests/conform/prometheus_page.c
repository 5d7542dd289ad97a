/* SPDX-License-Identifier: Apache-2.0 */
/* prometheus_page [openmetrics | text]: prints a page of metrics as the admin server would show it (Linkerd's names, or /metrics in either
 * format), with a JSON page behind a line of "---": all
 * kinds of scopes that the proxy has, filled with numbers, and one client whose name is as hostile as names can be. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "export/metrics_json.h"
#include "export/openmetrics.h"
#include "export/process.h"
#include "export/prometheus.h"
#include "proxy/outcome.h"
#include "proxy/stats.h"

enum { WORKERS = 2 };

static const struct slice hostile = SLICE("#/io.l5d.fs/\"quoted\\ \n\t{},=\xc3\xa4\xff");

static double three(void *owner)
{
	(void)owner;
	return 3.25;
}

static void fill_attempts(struct attempt_stats *stats, unsigned worker)
{
	counter_add(&stats->requests, 10 + worker);
	counter_add(&stats->success, 9);
	counter_add(&stats->failures, 1 + worker);
	codes_add(&stats->status, 200);
	codes_add(&stats->status, 503);
	for (unsigned i = 1; i <= 100; i++)
		histogram_record(&stats->latency, i * 1000);
}

static void fill_client(struct metrics *metrics, struct slice id)
{
	const struct scope_label at[] = {
		{ SLICE("rt"), SLICE("outgoing") },
		{ SLICE("client"), id },
		{ SLICE("service"), SLICE("svc/hello") },
	};
	struct scope *client = metrics_scope(metrics, &client_kind, at, 2);
	struct scope *pair = metrics_scope(metrics, &pair_kind, at, 3);

	metrics_gauge(metrics, client, "retries/budget", three, NULL);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct client_stats *stats = scope_shard(client, i);

		fill_attempts(&stats->attempts, i);
		fill_attempts(scope_shard(pair, i), i);
		for (unsigned k = 0; k < OUTCOME_COUNT; k++)
			counter_add(&stats->exceptions[k], k + 1);
		histogram_record(&stats->removed_for, 5000000);
		histogram_few_record(&stats->requeues_per_request, i);
	}
}

static void fill(struct metrics *metrics)
{
	const struct scope_label service[] = { { SLICE("rt"), SLICE("outgoing") }, { SLICE("service"), SLICE("svc/hello") } };
	const struct scope_label server[] = { { SLICE("rt"), SLICE("outgoing") }, { SLICE("server"), SLICE("127.0.0.1/4140") } };
	struct service_stats *stats = scope_shard(metrics_scope(metrics, &service_kind, service, 2), 1);

	counter_add(&stats->requests, 7);
	counter_add(&stats->retries, 2);
	metrics_scope(metrics, &router_kind, service, 1);
	counter_sub(&((struct server_stats *)scope_shard(metrics_scope(metrics, &server_kind, server, 2), 0))->pending, 1);
	fill_client(metrics, SLICE("%/io.l5d.port/4141/#/io.l5d.fs/hello"));
	fill_client(metrics, hostile);
}

int main(int argc, char **argv)
{
	struct metrics *metrics = metrics_new(WORKERS);
	struct process_metrics *process = process_metrics_new(metrics, 0);
	const struct metrics_query all = { 0 };
	struct text page = { 0 };

	fill(metrics);
	process_metrics_refresh(process, CLOCK_MINUTE);
	if (argc > 1)
		openmetrics_text(metrics, strcmp(argv[1], "openmetrics") == 0 ? OPENMETRICS_1 : OPENMETRICS_PROMETHEUS, &page);
	else
		prometheus_text(metrics, SLICE(""), &page);
	text_append(&page, SLICE("---\n"));
	int e = metrics_json(metrics, &all, &page);

	fwrite(page.bytes, 1, page.length, stdout);
	text_free(&page);
	process_metrics_free(process);
	metrics_free(metrics);
	return e ? EXIT_FAILURE : EXIT_SUCCESS;
}

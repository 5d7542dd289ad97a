/* SPDX-License-Identifier: Apache-2.0 */
#include "export/figures_json.h"

#include <math.h>

#include "doc/json_write.h"
#include "export/summary.h"

/* Of routers; then of the process and its configuration. */
static const char *const drawn[] = {
	"requests",
	"success",
	"failures",
	"pending",
	"connections",
	"connects",
	"request_latency_ms",
	"retries/total",
	"retries/requeues",
	"retries/budget",
	"retries/budget_exhausted",
	"loadbalancer/size",
	"loadbalancer/available",
	"tls/handshakes",
	"uptime",
	"thread/count",
	"mem/current/used",
	"heap/max",
	"fd_count",
	"fd_limit",
	"reloads",
	NULL,
};

/* Of summary_quantiles: p50, p95, p99, p9990. */
static const unsigned quantiles[] = { 0, 2, 3, 4 };

struct writing {
	struct json_writer json;
	const struct scope_label *scope; /* whose object is open; NULL: none yet */
};

static void open_scope(struct writing *w, const struct sample *sample)
{
	struct text name = { 0 };

	if (w->scope == sample->labels)
		return;
	if (w->scope)
		json_write_end(&w->json);
	for (unsigned i = 0; i < sample->label_count; i++) {
		if (i)
			text_append(&name, SLICE("/"));
		text_append(&name, sample->labels[i].key);
		if (sample->labels[i].value.length) {
			text_append(&name, SLICE("/"));
			text_append(&name, sample->labels[i].value);
		}
	}
	json_write_key(&w->json, text_slice(&name));
	json_write_object(&w->json);
	w->scope = sample->labels;
	text_free(&name);
}

/* To microseconds: more digits than that only cost bytes. */
static void write_ms(struct json_writer *json, double ms)
{
	json_write_number(json, round(ms * 1000) / 1000);
}

static void write_latency(struct json_writer *json, const struct sample *sample)
{
	struct summary summary;

	summary_make(&summary, sample->view, sample->type);
	if (!summary.count)
		return;
	json_write_key(json, sample->name);
	json_write_array(json);
	for (unsigned i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
		write_ms(json, summary.quantiles[quantiles[i]]);
	write_ms(json, summary.max);
	json_write_end(json);
}

static void write_sample(void *owner, const struct sample *sample)
{
	struct writing *w = owner;

	open_scope(w, sample);
	if (sample->view) {
		write_latency(&w->json, sample);
	} else if (sample->value != 0) {
		json_write_key(&w->json, sample->name);
		json_write_number(&w->json, sample->value);
	}
}

void figures_json(struct metrics *metrics, struct text *out)
{
	struct writing w = { 0 };

	json_write_start(&w.json, out, false);
	json_write_object(&w.json);
	metrics_read_named(metrics, drawn, write_sample, &w);
	if (w.scope)
		json_write_end(&w.json);
	json_write_end(&w.json);
}

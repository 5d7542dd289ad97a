/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dashboard/mesh.h"

#include <math.h>

#include "base/memory.h"
#include "cli/see/columns.h"

/* What is added up for a row of several servers. */
struct mesh_sum {
	double success, failures, rate, client_errors, server_errors;
	struct histogram_view latency;
};

/* ---- rows ---- */

static void make_key(struct text *key, struct slice router, struct slice name)
{
	text_append(key, router);
	text_append(key, SLICE("\n"));
	text_append(key, name);
}

static struct mesh_row *find(const struct mesh *mesh, enum mesh_kind kind, struct slice router, struct slice name)
{
	struct text key = { 0 };
	struct map_entry *found;

	make_key(&key, router, name);
	found = map_find(&mesh->rows[kind], text_slice(&key));
	text_free(&key);
	return found ? MAP_OF(found, struct mesh_row, entry) : NULL;
}

static struct mesh_row *add(struct mesh *mesh, enum mesh_kind kind, struct slice router, struct slice name)
{
	struct mesh_row *row = memory_new(sizeof *row);
	struct text key = { 0 };
	const char *bytes;

	make_key(&key, router, name);
	bytes = memory_text(text_slice(&key));
	row->kind = kind;
	row->id = ++mesh->ids;
	row->router = slice_make(bytes, router.length);
	row->name = slice_make(bytes + router.length + 1, name.length);
	map_insert(&mesh->rows[kind], &row->entry, slice_make(bytes, key.length));
	text_free(&key);
	return row;
}

static void row_free(struct mesh *mesh, struct mesh_row *row)
{
	map_remove(&mesh->rows[row->kind], &row->entry);
	text_free(&row->namespace);
	text_free(&row->service);
	memory_free(row->past);
	memory_free(row->sum);
	memory_free(row->entry.key.at);
	memory_free(row);
}

/* The row as it is in this reading, with nothing counted yet if it is met first. NULL: there are too many. */
static struct mesh_row *row_now(struct mesh *mesh, enum mesh_kind kind, struct slice router, struct slice name)
{
	struct mesh_row *row = find(mesh, kind, router, name);

	if (!row && kind == MESH_SERVICE && mesh->rows[kind].count >= MESH_MOST_SERVICES) {
		mesh->left_out++;
		return NULL;
	}
	row = row ? row : add(mesh, kind, router, name);
	if (row->seen == mesh->readings)
		return row;
	row->seen = mesh->readings;
	row->requests = row->success = row->failures = row->pending = row->retry_rate = 0;
	row->available = row->endpoints = row->proxies = NAN;
	for (unsigned i = 0; i < MESH_NUMBERS; i++)
		row->now[i] = NAN;
	return row;
}

struct mesh_row *mesh_find(const struct mesh *mesh, enum mesh_kind kind, struct slice router, struct slice name)
{
	struct mesh_row *row = find(mesh, kind, router, name);

	return row && row->seen == mesh->readings ? row : NULL;
}

struct mesh_row *mesh_by_id(const struct mesh *mesh, unsigned id)
{
	for (unsigned kind = 0; kind < MESH_KINDS; kind++)
		MAP_EACH(&mesh->rows[kind], e)
			if (MAP_OF(e, struct mesh_row, entry)->id == id)
				return MAP_OF(e, struct mesh_row, entry);
	return NULL;
}

/* ---- what was counted so far ---- */

static void set_text(struct text *text, struct slice value)
{
	if (slice_equal(text_slice(text), value))
		return;
	text_clear(text);
	text_append(text, value);
}

static void add_counts(struct mesh_row *row, const struct meter *meter)
{
	row->requests += meter->counts[COUNT_REQUESTS];
	row->success += meter->counts[COUNT_SUCCESS];
	row->failures += meter->counts[COUNT_FAILURES];
	if (!isnan(meter->gauges[GAUGE_PENDING]))
		row->pending += meter->gauges[GAUGE_PENDING];
}

static void count_service(struct mesh_row *row, const struct meter *meter)
{
	if (!row)
		return; /* left out */
	add_counts(row, meter);
	/* Until there is a window, in which proxies may differ. */
	if (!row->service.length) {
		set_text(&row->namespace, meter->kube.namespace);
		set_text(&row->service, meter->kube.service);
	}
}

static void count(struct mesh *mesh, const struct target *target)
{
	const struct slice all = SLICE("");

	READING_EACH(target->now, meter) {
		if (meter->kind == METER_SERVICE)
			count_service(row_now(mesh, MESH_SERVICE, meter->router, meter->name), meter);
		if (meter->kind != METER_SERVER)
			continue;
		add_counts(row_now(mesh, MESH_TOTAL, all, all), meter);
		add_counts(row_now(mesh, MESH_TOTAL, meter->router, all), meter);
		add_counts(row_now(mesh, MESH_PROXY, all, target->name), meter);
		add_counts(row_now(mesh, MESH_PROXY, meter->router, target->name), meter);
	}
}

/* ---- what happened since the reading before ---- */

static void golden_of(const struct mesh *mesh, const struct targets *targets, enum meter_kind kind, bool apart, struct golden *golden)
{
	const struct golden_choice choice = { .kind = kind, .kubernetes = mesh->kubernetes, .apart = apart };

	golden_start(golden, &choice);
	TARGETS_EACH(targets, target)
		if (target->now && target->before)
			golden_add(golden, target->name, target->before, target->now);
	golden_finish(golden);
}

static void add_sum(struct mesh_row *row, const struct golden_row *server)
{
	struct mesh_sum *sum = row->sum ? row->sum : memory_new(sizeof *sum);

	row->sum = sum;
	sum->success += server->success;
	sum->failures += server->failures;
	sum->rate += server->rate;
	sum->client_errors += server->client_errors;
	sum->server_errors += server->server_errors;
	sum->latency.count += server->latency->count;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->latency.buckets[i] += server->latency->buckets[i];
}

static double quantile(const struct histogram_view *view, double fraction)
{
	return view->count ? histogram_view_quantile(view, fraction) / 1000 : NAN;
}

static void finish_sum(struct mesh_row *row)
{
	const struct mesh_sum *sum = row->sum;
	double judged = sum->success + sum->failures;

	row->now[MESH_RATE] = sum->rate;
	row->now[MESH_SUCCESS] = judged > 0 ? 100 * sum->success / judged : NAN;
	row->now[MESH_P50] = quantile(&sum->latency, 0.5);
	row->now[MESH_P95] = quantile(&sum->latency, 0.95);
	row->now[MESH_P99] = quantile(&sum->latency, 0.99);
	row->now[MESH_4XX] = sum->client_errors;
	row->now[MESH_5XX] = sum->server_errors;
	memory_free(row->sum);
	row->sum = NULL;
}

static void finish_sums(struct mesh *mesh, enum mesh_kind kind)
{
	MESH_EACH(mesh, kind, row)
	if (row->sum)
		finish_sum(row);
}

static void take_servers(struct mesh *mesh, const struct targets *targets)
{
	const struct slice all = SLICE("");
	struct golden golden;

	golden_of(mesh, targets, METER_SERVER, true, &golden);
	for (unsigned i = 0; i < golden.count; i++) {
		const struct golden_row *server = golden.rows[i];

		add_sum(row_now(mesh, MESH_TOTAL, all, all), server);
		add_sum(row_now(mesh, MESH_TOTAL, server->router, all), server);
		add_sum(row_now(mesh, MESH_PROXY, all, server->proxy), server);
		add_sum(row_now(mesh, MESH_PROXY, server->router, server->proxy), server);
	}
	golden_free(&golden);
	finish_sums(mesh, MESH_TOTAL);
	finish_sums(mesh, MESH_PROXY);
}

static void take_services(struct mesh *mesh, const struct targets *targets)
{
	struct golden golden;

	golden_of(mesh, targets, METER_SERVICE, false, &golden);
	for (unsigned i = 0; i < golden.count; i++) {
		const struct golden_row *from = golden.rows[i];
		struct mesh_row *row = mesh_find(mesh, MESH_SERVICE, from->router, from->service);

		if (!row)
			continue; /* left out */
		row->now[MESH_RATE] = from->rate;
		row->now[MESH_SUCCESS] = from->success_percent;
		row->now[MESH_P50] = from->p50_ms;
		row->now[MESH_P95] = from->p95_ms;
		row->now[MESH_P99] = from->p99_ms;
		row->retry_rate = from->retry_rate;
		row->available = from->available;
		row->endpoints = from->endpoints;
		row->proxies = from->proxies;
		set_text(&row->namespace, from->kube.namespace);
		set_text(&row->service, from->kube.service);
	}
	golden_free(&golden);
}

/* The busiest, as JSON. */
static void take_calls(const struct mesh *mesh, const struct targets *targets, enum meter_kind kind, enum view view, struct text *out)
{
	struct json_writer writer;
	struct golden golden;

	golden_of(mesh, targets, kind, false, &golden);
	columns_sort(&golden, column_find(view, mesh->kubernetes, SLICE("rate")), false);
	if (golden.count > MESH_MOST_CALLS)
		golden.count = MESH_MOST_CALLS;
	text_clear(out);
	json_write_start(&writer, out, false);
	columns_json(&golden, view, &writer);
	golden_free(&golden);
}

/* ---- over time ---- */

static bool has_happened(const struct mesh_row *row)
{
	return row->now[MESH_RATE] > 0 || (row->kind == MESH_TOTAL && !isnan(row->now[MESH_RATE]));
}

/* Before something happened there was nothing to count, or nobody who told of it: neither is kept. */
static void remember(struct mesh *mesh, struct mesh_row *row)
{
	bool present = row->seen == mesh->readings;
	float *at;

	if (!row->past && (!present || !has_happened(row)))
		return;
	if (!row->past) {
		row->past = memory_array(MESH_KEPT * MESH_NUMBERS, sizeof *row->past);
		for (unsigned i = 0; i < MESH_KEPT * MESH_NUMBERS; i++)
			row->past[i] = NAN;
	}
	at = row->past + mesh->readings % MESH_KEPT * MESH_NUMBERS;
	for (unsigned i = 0; i < MESH_NUMBERS; i++)
		at[i] = present ? (float)row->now[i] : NAN;
}

/* Of services and routers until nothing is kept of them any more; of proxies as long as they are named. */
static bool is_gone(const struct mesh *mesh, const struct mesh_row *row)
{
	return mesh->readings - row->seen >= (row->kind == MESH_PROXY ? 1 : MESH_KEPT);
}

unsigned mesh_length(const struct mesh *mesh)
{
	return mesh->readings < MESH_KEPT ? (unsigned)mesh->readings : MESH_KEPT;
}

double mesh_past(const struct mesh *mesh, const struct mesh_row *row, unsigned back, enum mesh_number number)
{
	if (back >= mesh_length(mesh) || !row->past)
		return NAN;
	return (double)row->past[(mesh->readings - back) % MESH_KEPT * MESH_NUMBERS + number];
}

/* ---- a reading ---- */

/* Each has a row, whether or not it can be read. */
static void take_proxy(struct mesh *mesh, const struct target *target, int64_t wall_ms)
{
	struct mesh_row *row = row_now(mesh, MESH_PROXY, SLICE(""), target->name);
	bool reached = target->now != NULL;

	if (!row->since_ms || row->reached != reached)
		row->since_ms = wall_ms;
	row->reached = reached;
}

void mesh_take(struct mesh *mesh, const struct targets *targets, int64_t wall_ms)
{
	mesh->readings++;
	mesh->times_ms[mesh->readings % MESH_KEPT] = wall_ms;
	mesh->left_out = 0;
	row_now(mesh, MESH_TOTAL, SLICE(""), SLICE(""));
	TARGETS_EACH(targets, target) {
		take_proxy(mesh, target, wall_ms);
		if (target->now)
			count(mesh, target);
	}
	take_servers(mesh, targets);
	take_services(mesh, targets);
	take_calls(mesh, targets, METER_ROUTE, VIEW_ROUTES, &mesh->routes);
	take_calls(mesh, targets, METER_CLIENT, VIEW_EDGES, &mesh->edges);
	for (unsigned kind = 0; kind < MESH_KINDS; kind++)
		MAP_EACH_SAFE(&mesh->rows[kind], e, after) {
			struct mesh_row *row = MAP_OF(e, struct mesh_row, entry);

			if (is_gone(mesh, row))
				row_free(mesh, row);
			else
				remember(mesh, row);
		}
}

void mesh_init(struct mesh *mesh, bool kubernetes)
{
	*mesh = (struct mesh){ .kubernetes = kubernetes };
	for (unsigned kind = 0; kind < MESH_KINDS; kind++)
		map_init(&mesh->rows[kind], 0);
}

void mesh_free(struct mesh *mesh)
{
	for (unsigned kind = 0; kind < MESH_KINDS; kind++) {
		MAP_EACH_SAFE(&mesh->rows[kind], e, after)
			row_free(mesh, MAP_OF(e, struct mesh_row, entry));
		map_fini(&mesh->rows[kind]);
	}
	text_free(&mesh->routes);
	text_free(&mesh->edges);
}

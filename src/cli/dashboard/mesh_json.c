/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dashboard/mesh_json.h"

#include <math.h>

#include "base/memory.h"
#include "doc/json_write.h"

/* Called as `weft stat -o json` calls them. */
static const char *const names[MESH_NUMBERS] = {
	[MESH_RATE] = "rate_per_s",
	[MESH_SUCCESS] = "success_percent",
	[MESH_P50] = "p50_ms",
	[MESH_P95] = "p95_ms",
	[MESH_P99] = "p99_ms",
	[MESH_4XX] = "client_errors_per_s",
	[MESH_5XX] = "server_errors_per_s",
};

/* To a millionth: nobody reads more, and thousands of rows are sent again and again. */
static double rounded(double number)
{
	return round(number * 1e6) / 1e6;
}

static void write_number(struct json_writer *writer, const char *key, double number)
{
	json_write_key(writer, slice_of(key));
	json_write_number(writer, rounded(number));
}

static void write_numbers(struct json_writer *writer, const struct mesh_row *row)
{
	unsigned last = row->kind == MESH_SERVICE ? MESH_P99 : MESH_NUMBERS - 1;

	json_write_member_int(writer, "id", row->id);
	write_number(writer, "requests", row->requests);
	write_number(writer, "success", row->success);
	write_number(writer, "failures", row->failures);
	write_number(writer, "pending", row->pending);
	for (unsigned i = 0; i <= last; i++)
		write_number(writer, names[i], row->now[i]);
}

/* ---- totals and proxies: all routers together, and each ---- */

static void write_by_router(struct json_writer *writer, const struct mesh *mesh, enum mesh_kind kind, struct slice name,
	void (*more)(struct json_writer *writer, const struct mesh *mesh, struct slice router))
{
	const struct slice all = SLICE("");
	const struct mesh_row *row = mesh_find(mesh, kind, all, name);

	json_write_key(writer, SLICE("all"));
	json_write_object(writer);
	if (row)
		write_numbers(writer, row);
	if (more)
		more(writer, mesh, all);
	json_write_end(writer);
	json_write_key(writer, SLICE("routers"));
	json_write_object(writer);
	MESH_EACH(mesh, MESH_TOTAL, total)
	{
		row = total->router.length ? mesh_find(mesh, kind, total->router, name) : NULL;
		if (!row)
			continue;
		json_write_key(writer, total->router);
		json_write_object(writer);
		write_numbers(writer, row);
		if (more)
			more(writer, mesh, total->router);
		json_write_end(writer);
	}
	json_write_end(writer);
}

/* Of one that several routers have, the first. */
static bool is_first(const struct mesh *mesh, const struct mesh_row *service)
{
	MESH_EACH(mesh, MESH_TOTAL, total)
	{
		if (!total->router.length)
			continue;
		if (slice_equal(total->router, service->router))
			return true;
		if (mesh_find(mesh, MESH_SERVICE, total->router, service->name))
			return false;
	}
	return true;
}

/* How many services there are, by their names, and how many proxies. */
static void write_members(struct json_writer *writer, const struct mesh *mesh, struct slice router)
{
	int64_t services = 0, reached = 0;

	MESH_EACH(mesh, MESH_SERVICE, service)
	services += router.length ? slice_equal(service->router, router) : is_first(mesh, service);
	MESH_EACH(mesh, MESH_PROXY, proxy)
	if (slice_equal(proxy->router, router))
		reached += router.length || proxy->reached;
	json_write_member_int(writer, "services", services);
	json_write_member_int(writer, "proxies", reached);
}

static void write_proxy(struct json_writer *writer, const struct mesh *mesh, const struct target *target)
{
	const struct mesh_row *row = mesh_find(mesh, MESH_PROXY, SLICE(""), target->name);
	int64_t now_ms = mesh->times_ms[mesh->readings % MESH_KEPT];

	json_write_object(writer);
	json_write_member_text(writer, "name", target->name);
	json_write_key(writer, SLICE("reached"));
	json_write_bool(writer, target->now != NULL);
	json_write_member_int(writer, "for_ms", row ? now_ms - row->since_ms : 0);
	if (target->now)
		write_number(writer, "uptime_ms", target->now->uptime_ms);
	else
		json_write_member_text(writer, "why", text_slice(&target->why));
	write_by_router(writer, mesh, MESH_PROXY, target->name, NULL);
	json_write_end(writer);
}

/* ---- services ---- */

static void write_service(struct json_writer *writer, const struct mesh *mesh, const struct mesh_row *row)
{
	json_write_object(writer);
	json_write_member_text(writer, "router", row->router);
	json_write_member_text(writer, "name", row->name);
	if (mesh->kubernetes) {
		json_write_member_text(writer, "namespace", text_slice(&row->namespace));
		json_write_member_text(writer, "service", text_slice(&row->service));
	}
	write_numbers(writer, row);
	write_number(writer, "retries_per_s", row->retry_rate);
	write_number(writer, "endpoints_up", row->available);
	write_number(writer, "endpoints", row->endpoints);
	write_number(writer, "proxies", row->proxies);
	json_write_end(writer);
}

/* ---- all ---- */

static void write_cluster(struct json_writer *writer, const struct targets *targets)
{
	if (!targets->server)
		return;
	json_write_key(writer, SLICE("kubernetes"));
	json_write_object(writer);
	json_write_member_text(writer, "server", slice_of(targets->server));
	if (targets->why.length)
		json_write_member_text(writer, "why", text_slice(&targets->why));
	json_write_end(writer);
}

void mesh_json(const struct mesh *mesh, const struct targets *targets, int64_t period_ns, struct text *out)
{
	struct json_writer writer;

	json_write_start(&writer, out, false);
	json_write_object(&writer);
	json_write_member_text(&writer, "version", slice_of(WEFT_VERSION));
	write_number(&writer, "period_s", (double)period_ns / CLOCK_SECOND);
	json_write_member_int(&writer, "readings", (int64_t)mesh->readings);
	json_write_member_int(&writer, "at_ms", mesh->times_ms[mesh->readings % MESH_KEPT]);
	write_cluster(&writer, targets);
	json_write_key(&writer, SLICE("totals"));
	json_write_object(&writer);
	write_by_router(&writer, mesh, MESH_TOTAL, SLICE(""), write_members);
	json_write_end(&writer);
	json_write_key(&writer, SLICE("proxies"));
	json_write_array(&writer);
	TARGETS_EACH(targets, target)
		write_proxy(&writer, mesh, target);
	json_write_end(&writer);
	json_write_key(&writer, SLICE("services"));
	json_write_array(&writer);
	MESH_EACH(mesh, MESH_SERVICE, service)
	write_service(&writer, mesh, service);
	json_write_end(&writer);
	json_write_member_int(&writer, "services_left_out", (int64_t)mesh->left_out);
	json_write_key(&writer, SLICE("routes"));
	json_write_json(&writer, mesh->routes.length ? text_slice(&mesh->routes) : SLICE("[]"));
	json_write_key(&writer, SLICE("edges"));
	json_write_json(&writer, mesh->edges.length ? text_slice(&mesh->edges) : SLICE("[]"));
	json_write_end(&writer);
}

/* ---- over time ---- */

static void write_past(struct json_writer *writer, const struct mesh *mesh, const struct mesh_row *row, bool rates)
{
	unsigned last = rates ? MESH_RATE : row->kind == MESH_SERVICE ? MESH_P99 : MESH_NUMBERS - 1;
	struct text id = { 0 };

	text_format(&id, "%u", row->id);
	json_write_key(writer, text_slice(&id));
	text_free(&id);
	json_write_object(writer);
	for (unsigned i = 0; i <= last; i++) {
		json_write_key(writer, slice_of(names[i]));
		json_write_array(writer);
		for (unsigned back = mesh_length(mesh); back-- > 0;)
			json_write_number(writer, round(mesh_past(mesh, row, back, (enum mesh_number)i) * 1e3) / 1e3);
		json_write_end(writer);
	}
	json_write_end(writer);
}

bool mesh_history_json(const struct mesh *mesh, struct slice ids, bool rates, struct text *out)
{
	const struct mesh_row *rows[MESH_MOST_ASKED];
	struct json_writer writer;
	unsigned count = 0, asked = 0;
	struct slice one;

	while (ids.length && slice_split(&ids, ',', &one)) {
		uint64_t id;

		if (asked++ == MESH_MOST_ASKED || slice_to_u64(one, UINT32_MAX, &id))
			return false;
		rows[count] = mesh_by_id(mesh, (unsigned)id);
		count += rows[count] != NULL;
	}
	json_write_start(&writer, out, false);
	json_write_object(&writer);
	json_write_key(&writer, SLICE("times_ms"));
	json_write_array(&writer);
	for (unsigned back = mesh_length(mesh); back-- > 0;)
		json_write_int(&writer, mesh->times_ms[(mesh->readings - back) % MESH_KEPT]);
	json_write_end(&writer);
	json_write_key(&writer, SLICE("rows"));
	json_write_object(&writer);
	for (unsigned i = 0; i < count; i++)
		write_past(&writer, mesh, rows[i], rates);
	json_write_end(&writer);
	json_write_end(&writer);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The pages that the admin thread answers by itself, and the table of all. */
#include <stdlib.h>

#include "admin/server.h"
#include "base/memory.h"
#include "export/figures_json.h"
#include "export/metrics_json.h"
#include "export/prometheus.h"
#include "observe/record.h"
#include "proxy/proxy.h"
#include "wire/grpc_health.h"

static const char json_type[] = "application/json";
static const char text_type[] = "text/plain;charset=UTF-8";
static const char html_type[] = "text/html;charset=UTF-8";

static void page_ping(struct request *request)
{
	request_answer(request, 200, text_type, SLICE("pong"));
}

/* Whether it is to be sent requests. */
static void page_ready(struct request *request)
{
	const struct admin *admin = request->admin;

	if (admin->draining)
		request_answer(request, 503, text_type, SLICE("draining"));
	else if (!admin->ready)
		request_answer(request, 503, text_type, SLICE("starting"));
	else
		request_answer(request, 200, text_type, SLICE("ready"));
}

static void page_config(struct request *request)
{
	request_answer(request, 200, json_type, request->admin->snapshot->json);
}

/* ---- metrics ---- */

static bool wants(const struct request *request, const char *name)
{
	struct text value = { 0 };
	bool wanted = request_parameter(request, name, &value) && !slice_equal(text_slice(&value), SLICE("0")) &&
		!slice_equal_nocase(text_slice(&value), SLICE("false"));

	text_free(&value);
	return wanted;
}

static void page_metrics(struct request *request)
{
	struct text subtree = { 0 }, out = { 0 };
	struct metrics_query query = {
		.tree = wants(request, "tree"), .pretty = wants(request, "pretty"), .buckets = wants(request, "buckets")
	};
	bool found;

	request_parameter(request, "q", &subtree);
	query.subtree = text_slice(&subtree);
	process_metrics_refresh(request->admin->process, loop_now(request->admin->options.loop));
	found = metrics_json(request->admin->options.metrics, &query, &out) == 0;
	request_answer(request, found ? 200 : 404, json_type, text_slice(&out));
	text_free(&subtree);
	text_free(&out);
}

static void page_figures(struct request *request)
{
	struct text out = { 0 };

	process_metrics_refresh(request->admin->process, loop_now(request->admin->options.loop));
	figures_json(request->admin->options.metrics, &out);
	request_answer(request, 200, json_type, text_slice(&out));
	text_free(&out);
}

static void page_prometheus(struct request *request)
{
	struct text out = { 0 };

	process_metrics_refresh(request->admin->process, loop_now(request->admin->options.loop));
	prometheus_text(request->admin->options.metrics, request->admin->snapshot->telemetry.prometheus_prefix, &out);
	request_answer(request, 200, PROMETHEUS_TYPE, text_slice(&out));
	text_free(&out);
}

/* ---- recent requests ---- */

static void escape(struct text *out, struct slice s)
{
	for (size_t i = 0; i < s.length; i++) {
		char c = s.at[i];

		switch (c) {
		case '<':
			text_append(out, SLICE("&lt;"));
			break;
		case '>':
			text_append(out, SLICE("&gt;"));
			break;
		case '&':
			text_append(out, SLICE("&amp;"));
			break;
		case '"':
			text_append(out, SLICE("&quot;"));
			break;
		default:
			text_append(out, slice_make(&c, 1));
		}
	}
}

static void cell(struct text *out, const char *value)
{
	text_append(out, SLICE("<td>"));
	escape(out, slice_of(value));
	text_append(out, SLICE("</td>"));
}

static void cell_address(struct text *out, const struct address *address)
{
	char text[ADDRESS_TEXT] = "-";

	if (address->family != ADDRESS_NONE)
		address_format(address, text);
	cell(out, text);
}

static void row(struct text *out, const struct recent *recent)
{
	char when[CLOCK_TEXT];

	clock_format(recent->wall_ns, when);
	text_append(out, SLICE("<tr>"));
	cell(out, when);
	cell_address(out, &recent->source);
	cell_address(out, &recent->server);
	cell(out, recent->router);
	cell(out, recent->service);
	cell(out, recent->client);
	cell_address(out, &recent->destination);
	text_append(out, SLICE("</tr>\n"));
}

/* Each worker keeps as many as are to be shown of all. */
struct recents {
	struct recent *at;
	size_t count, room;
};

static void gather_recent(void *owner, const void *entry)
{
	struct recents *recents = owner;

	if (recents->count == recents->room) {
		recents->room = recents->room ? recents->room * 2 : 64;
		recents->at = memory_grow(recents->at, recents->room, sizeof *recents->at);
	}
	recents->at[recents->count++] = *(const struct recent *)entry;
}

static int newest_first(const void *a, const void *b)
{
	const struct recent *x = a, *y = b;

	return (x->wall_ns < y->wall_ns) - (x->wall_ns > y->wall_ns);
}

static void rows(struct text *out, const struct admin *admin)
{
	struct recents recents = { 0 };

	for (unsigned i = 0; i < admin->options.worker_count; i++) {
		struct ring *ring = proxy_recents(admin->options.proxy, i);

		if (ring)
			ring_read(ring, gather_recent, &recents);
	}
	if (recents.count)
		qsort(recents.at, recents.count, sizeof *recents.at, newest_first);
	for (size_t i = 0; i < recents.count && i < admin->snapshot->telemetry.recent_capacity; i++)
		row(out, &recents.at[i]);
	memory_free(recents.at);
}

static void page_requests(struct request *request)
{
	struct text out = { 0 };

	text_append(&out,
		SLICE("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>weft: recent requests</title>\n"
		      "<style>body{font:14px system-ui,sans-serif;margin:2rem;color:#1d2733}table{border-collapse:collapse}"
		      "th,td{text-align:left;padding:.35rem .8rem;border-bottom:1px solid #dde3ea}th{font-weight:600}"
		      "td{font-family:ui-monospace,monospace;font-size:13px}</style></head>\n"
		      "<body><h1>Recent requests</h1>\n<table><thead><tr><th>Timestamp</th><th>Source</th><th>Server</th><th>Router</th>"
		      "<th>Logical Name</th><th>Concrete Name</th><th>Destination</th></tr></thead><tbody>\n"));
	rows(&out, request->admin);
	text_append(&out, SLICE("</tbody></table></body></html>\n"));
	request_answer(request, 200, html_type, text_slice(&out));
	text_free(&out);
}

/* ---- the list of pages ---- */

static bool is_there(const struct admin *admin, const struct page *page)
{
	if (page->show == page_shell || page->show == page_asset)
		return assets_are_there();
	return page->show != page_requests || admin->snapshot->telemetry.recent_requests;
}

static void page_list(struct request *request)
{
	struct text out = { 0 };

	for (const struct page *page = pages; page->path; page++)
		if (is_there(request->admin, page))
			text_format(&out, "%-28s %-9s %s\n", page->path, page->methods, page->title);
	if (request->admin->snapshot->telemetry.prometheus)
		text_format(&out, "%-28.*s %-9s %s\n", SLICE_ARGS(request->admin->snapshot->telemetry.prometheus_path), "GET",
			"all metrics as Prometheus reads them");
	request_answer(request, 200, text_type, text_slice(&out));
	text_free(&out);
}

const struct page pages[] = {
	{ "/admin", CATEGORY_DIAGNOSTICS, "GET", "this list", page_list },
	{ "/admin/index.txt", CATEGORY_DIAGNOSTICS, "GET", "this list", page_list },
	{ "/admin/ping", CATEGORY_DIAGNOSTICS, "GET", "pong", page_ping },
	{ "/admin/ready", CATEGORY_DIAGNOSTICS, "GET", "whether it is to be sent requests", page_ready },
	{ "/admin/metrics.json", CATEGORY_UI, "GET", "all metrics; ?q=SUBTREE, ?tree=1, ?pretty=1, ?buckets=1", page_metrics },
	{ "/metrics.json", CATEGORY_UI, "GET", "the same", page_metrics },
	{ "/metrics", CATEGORY_UI, "GET", "all metrics as OpenMetrics 1.0 (by Accept), or as Prometheus' text", page_openmetrics },
	{ "/tap.json", CATEGORY_DIAGNOSTICS, "GET",
		"live requests, a line each, until you leave: sample, service, path, method, status_from, ...", page_tap },
	{ GRPC_HEALTH_PATH, CATEGORY_DIAGNOSTICS, "POST", "gRPC's health checking, for probes", page_health_check },
	{ "/grpc.health.v1.Health/Watch", CATEGORY_DIAGNOSTICS, "POST", "is not answered; ask again", page_health_watch },
	{ "/admin/shutdown", CATEGORY_CONTROL, "POST", "drains and ends the process", page_shutdown },
	{ "/log.json", CATEGORY_DIAGNOSTICS, "GET", "what was logged last; since=NUMBER: from that line on", page_log },
	{ "/logging.json", CATEGORY_CONTROL, "GET POST", "what is logged: POST logger (a room, or root for all) and level", page_logging },
	{ "/config.json", CATEGORY_UI, "GET", "the configuration that runs", page_config },
	{ "/bound-names.json", CATEGORY_DIAGNOSTICS, "GET", "the names that are bound now", page_bound_names },
	{ "/explain.json", CATEGORY_UI, "GET POST",
		"where a request would go and why: router (label), request (its head), path (a name), dtab (for the router's); or did: id "
		"(of its trace)",
		page_explain },
	{ "/dtabs.json", CATEGORY_UI, "GET", "each router's dtab, with the lines of its entries", page_dtabs },
	{ "/delegator.json", CATEGORY_UI, "GET POST", "how a name is delegated: namespace (router), path, dtab", page_delegator },
	{ "/requests", CATEGORY_DIAGNOSTICS, "GET", "recent requests, sampled", page_requests },
	{ "/endpoints.json", CATEGORY_DIAGNOSTICS, "GET", "clients, their endpoints, and the health of each with its reason",
		page_endpoints },
	{ "/flows.json", CATEGORY_DIAGNOSTICS, "GET",
		"which caller's requests went to which endpoint, counted while this is asked for, and behind it for so many seconds: for",
		page_flows },
	{ "/requests.json", CATEGORY_DIAGNOSTICS, "GET", "the newest requests as the decision records tell them", page_requests_json },
	{ "/figures.json", CATEGORY_UI, "GET", "of the metrics what the dashboard draws, by scope, without zeros", page_figures },
	{ "/process.json", CATEGORY_UI, "GET", "version, and requests by worker", page_process },
	{ "/", CATEGORY_UI, "GET", "the dashboard", page_shell },
	{ "/graph", CATEGORY_UI, "GET", "the dashboard: who calls whom", page_shell },
	{ "/recent", CATEGORY_UI, "GET", "the dashboard: the newest requests", page_shell },
	{ "/delegator", CATEGORY_UI, "GET", "the dashboard: dtabs, and how a path is delegated", page_shell },
	{ "/logging", CATEGORY_UI, "GET", "the dashboard: what was logged, and what is to be", page_shell },
	{ "/process", CATEGORY_UI, "GET", "the dashboard: this process", page_shell },
	{ "/help", CATEGORY_UI, "GET", "the dashboard: where to read on", page_shell },
	{ "/files/app.js", CATEGORY_UI, "GET", "the dashboard's program", page_asset },
	{ "/files/app.css", CATEGORY_UI, "GET", "the dashboard's style", page_asset },
	{ "/files/icon.svg", CATEGORY_UI, "GET", "the dashboard's icon", page_asset },
	{ NULL, CATEGORY_DIAGNOSTICS, NULL, NULL, NULL },
};

static const struct page prometheus_page = { "", CATEGORY_DIAGNOSTICS, "GET", "", page_prometheus };

const struct page *page_for_path(const struct admin *admin, struct slice path)
{
	const struct telemetry_policy *telemetry = &admin->snapshot->telemetry;

	if (telemetry->prometheus && slice_equal(path, telemetry->prometheus_path))
		return &prometheus_page;
	for (const struct page *page = pages; page->path; page++)
		if (slice_equal(path, slice_of(page->path)))
			return is_there(admin, page) ? page : NULL;
	return NULL;
}

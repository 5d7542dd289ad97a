/* SPDX-License-Identifier: Apache-2.0 */
/* weft dashboard: all proxies of a mesh on one page. They are read again and again; who opens the page asks only this process. */
#include "admin/site.h"
#include "cli/cli.h"
#include "cli/cluster/access.h"
#include "cli/dashboard/mesh.h"
#include "cli/dashboard/mesh_json.h"
#include "io/network.h"
#include "io/process.h"

struct dashboard {
	struct argument_values admins;
	struct access access;
	const char *listen, *interval;
	int64_t period_ns;

	struct loop *loop;
	struct signals *signals;
	struct timer timer;
	struct targets *targets;
	struct site *site;
	struct mesh mesh;
	struct text page; /* /mesh.json, as it is until the next reading */
	int64_t began;    /* the reading */
};

static const char command[] = "dashboard", default_listen[] = "127.0.0.1:8084";
static const int64_t least_period = CLOCK_SECOND, most_period = CLOCK_MINUTE;
static const char json_type[] = "application/json";

/* ---- reading ---- */

/* Reading takes no more than a third of the time: who looks must not be a load. The second reading, without which there are no rates, comes
 * soon. */
static int64_t pause_of(const struct dashboard *dashboard)
{
	int64_t took = loop_now(dashboard->loop) - dashboard->began, least = 2 * took;
	int64_t period = dashboard->mesh.readings < 2 ? least_period : dashboard->period_ns;

	return period - took > least ? period - took : least;
}

static void make_page(struct dashboard *dashboard)
{
	text_clear(&dashboard->page);
	mesh_json(&dashboard->mesh, dashboard->targets, dashboard->period_ns, &dashboard->page);
}

static void on_read(void *owner)
{
	struct dashboard *dashboard = owner;

	mesh_take(&dashboard->mesh, dashboard->targets, loop_wall(dashboard->loop) / CLOCK_MS);
	make_page(dashboard);
	timer_set(dashboard->loop, &dashboard->timer, clock_after(loop_now(dashboard->loop), pause_of(dashboard)));
}

static void on_timer(void *owner)
{
	struct dashboard *dashboard = owner;

	dashboard->began = loop_now(dashboard->loop);
	targets_read(dashboard->targets);
}

/* ---- pages ---- */

static void show_mesh(struct request *request)
{
	const struct dashboard *dashboard = site_owner(request);

	request_answer(request, 200, json_type, text_slice(&dashboard->page));
}

static void show_history(struct request *request)
{
	const struct dashboard *dashboard = site_owner(request);
	struct text ids = { 0 }, only = { 0 }, out = { 0 };
	bool asked = request_parameter(request, "ids", &ids), rates = request_parameter(request, "only", &only);

	if (!asked || (rates && !slice_equal(text_slice(&only), SLICE("rate"))) ||
		!mesh_history_json(&dashboard->mesh, text_slice(&ids), rates, &out))
		request_answer_error(request, 400, "this takes ?ids=1,2,3, of rows that /mesh.json has, at most 64 of them; and only=rate");
	else
		request_answer(request, 200, json_type, text_slice(&out));
	text_free(&ids);
	text_free(&only);
	text_free(&out);
}

static void show_ready(struct request *request)
{
	request_answer(request, 200, "text/plain;charset=UTF-8", SLICE("ready"));
}

static const struct site_page pages[] = {
	{ "/", NULL, "/mesh" },
	{ "/graph", NULL, "/mesh" },
	{ "/help", NULL, "/mesh" },
	{ "/mesh.json", show_mesh, NULL },
	{ "/history.json", show_history, NULL },
	{ "/ready", show_ready, NULL },
	{ NULL, NULL, NULL },
};

/* ---- life ---- */

static void received(void *owner, enum process_signal which)
{
	const struct dashboard *dashboard = owner;

	if (which == PROCESS_TERMINATE)
		loop_stop(dashboard->loop);
}

static int start(struct dashboard *dashboard, const struct address *address, struct text *why)
{
	const struct targets_options options = {
		.admins = &dashboard->admins, .access = &dashboard->access, .read = on_read, .owner = dashboard
	};
	int e = loop_new(&(struct loop_options){ .name = command }, &dashboard->loop);

	if (!e)
		e = signals_new(dashboard->loop, received, dashboard, &dashboard->signals);
	if (e) {
		text_format(why, "cannot start: %s", error_text(e));
		return e;
	}
	mesh_init(&dashboard->mesh, dashboard->access.kubernetes);
	timer_init(&dashboard->timer, on_timer, dashboard);
	e = targets_new(dashboard->loop, &options, &dashboard->targets, why);
	if (!e)
		e = site_new(dashboard->loop, network_host(), address, pages, dashboard, &dashboard->site, why);
	return e;
}

static void say_where(const struct dashboard *dashboard)
{
	char text[ADDRESS_TEXT];
	struct address bound;

	site_address(dashboard->site, &bound);
	address_format(&bound, text);
	cli_say("dashboard on http://%s", text);
}

static bool read_options(struct dashboard *dashboard, int count, char **arguments, struct address *address)
{
	const struct argument table[] = {
		{ "--admin", .values = &dashboard->admins },
		{ "--listen", .value = &dashboard->listen },
		{ "--interval", .value = &dashboard->interval },
		ACCESS_OPTIONAL_ARGUMENTS(dashboard->access),
		{ .name = NULL },
	};

	if (!arguments_read(command, count, arguments, table, NULL, 0, 0) ||
		!arguments_span(command, "--interval", dashboard->interval, &dashboard->period_ns) ||
		!access_read_optional(command, &dashboard->access, dashboard->admins.count > 0))
		return false;
	if (dashboard->period_ns < least_period || dashboard->period_ns > most_period)
		cli_complain("weft dashboard: --interval takes 1s to 1m");
	else if (address_parse_with_port(slice_of(dashboard->listen), address))
		cli_complain("weft dashboard: --listen takes IP:PORT, such as %s, not `%s`", default_listen, dashboard->listen);
	else
		return true;
	return false;
}

int cli_dashboard(int count, char **arguments)
{
	static struct dashboard dashboard = { .listen = default_listen, .period_ns = 5 * CLOCK_SECOND };
	struct address address;
	struct text why = { 0 };

	if (!read_options(&dashboard, count, arguments, &address))
		return 2;
	process_start();
	if (start(&dashboard, &address, &why)) {
		cli_complain("weft dashboard: %s", why.bytes);
		text_free(&why);
		return 2;
	}
	make_page(&dashboard);
	say_where(&dashboard);
	on_timer(&dashboard);
	loop_run(dashboard.loop);
	/* The process ends with the connections that are still open, and with what they belong to. */
	return 0;
}

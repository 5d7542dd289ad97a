/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/see.h"

#include "cli/cli.h"
#include "cli/see/ends.h"
#include "cli/see/flows.h"
#include "cli/see/pod_names.h"
#include "io/file.h"
#include "io/process.h"
#include "io/terminal.h"

const char *const see_forms[] = { "table", "wide", "json", NULL };

enum { BY_NAME, BY_SERVICE, BY_NAMESPACE, BY_WORKLOAD, BY_POD };

const char *const see_by[] = { "name", "service", "namespace", "workload", "pod", NULL };

static const int64_t shortest_window = 100 * CLOCK_MS;
static const int64_t names_time = 20 * CLOCK_MS, pods_life = 30 * CLOCK_SECOND;
static const char clear_screen[] = "\033[H\033[2J";

/* ---- views ---- */

/* What a view shows: rows of which meters, each of what. */
static const struct {
	enum meter_kind kind;
	enum golden_by by;
	enum ends_by ends;
	const char *rows; /* in JSON */
} views[VIEWS] = {
	[VIEW_STAT] = { METER_SERVICE, GOLDEN_NAMES, 0, "services" },
	[VIEW_ROUTES] = { METER_ROUTE, GOLDEN_NAMES, 0, "routes" },
	[VIEW_METHODS] = { METER_METHOD, GOLDEN_NAMES, 0, "methods" },
	[VIEW_EDGES] = { METER_CLIENT, GOLDEN_NAMES, 0, "edges" },
	[VIEW_SERVICES] = { METER_CLIENT, GOLDEN_SERVICES, 0, "services" },
	[VIEW_NAMESPACES] = { METER_CLIENT, GOLDEN_NAMESPACES, 0, "namespaces" },
	[VIEW_WORKLOADS] = { METER_FLOW, GOLDEN_CALLED, ENDS_WORKLOADS, "workloads" },
	[VIEW_PODS] = { METER_FLOW, GOLDEN_CALLED, ENDS_PODS, "pods" },
	[VIEW_NAMESPACE_EDGES] = { METER_FLOW, GOLDEN_PAIRS, ENDS_NAMESPACES, "edges" },
	[VIEW_WORKLOAD_EDGES] = { METER_FLOW, GOLDEN_PAIRS, ENDS_WORKLOADS, "edges" },
	[VIEW_POD_EDGES] = { METER_FLOW, GOLDEN_PAIRS, ENDS_PODS, "edges" },
};

/* What --by makes of `stat` and of `edges`. */
static const enum view of_stat[] = { VIEW_STAT, VIEW_SERVICES, VIEW_NAMESPACES, VIEW_WORKLOADS, VIEW_PODS };
static const enum view of_edges[] = { VIEW_EDGES, VIEW_EDGES, VIEW_NAMESPACE_EDGES, VIEW_WORKLOAD_EDGES, VIEW_POD_EDGES };

bool see_view(const struct see *see, enum view of, enum view *view)
{
	/* All that can be seen in one run is of one kind of page. */
	bool flows = views[see->view].kind == METER_FLOW;

	*view = of == VIEW_STAT ? of_stat[see->by] : of == VIEW_EDGES ? of_edges[see->by] : of;
	return (views[*view].kind == METER_FLOW) == flows;
}

static bool read_by(struct see *see)
{
	enum view of = see->view;

	if (!arguments_choice(see->command, "--by", see->by_text, see_by, &see->by))
		return false;
	if ((see->by_text || see->namespace) && !see->access.kubernetes) {
		cli_complain("weft %s: %s goes with --kubernetes", see->command, see->by_text ? "--by" : "--in");
		return false;
	}
	if (see->by != BY_NAME && of != VIEW_STAT && of != VIEW_EDGES) {
		cli_complain("weft %s: --by is for stat, top and edges", see->command);
		return false;
	}
	see->view = of == VIEW_STAT ? of_stat[see->by] : of == VIEW_EDGES ? of_edges[see->by] : of;
	if (views[see->view].kind == METER_FLOW && see->window_ns > FLOWS_LONGEST * CLOCK_SECOND) {
		cli_complain("weft %s: with --by %s a --window has at most %d minutes", see->command, see->by_text, FLOWS_LONGEST / 60);
		return false;
	}
	return true;
}

bool see_arguments(struct see *see, int count, char **arguments, const struct argument *table)
{
	int form = SEE_TABLE;

	see->window_ns = see->window_ns ? see->window_ns : CLOCK_SECOND;
	if (!arguments_read(see->command, count, arguments, table, see->patterns, 0, SEE_MOST_PATTERNS) ||
		!arguments_span(see->command, "--window", see->window_text, &see->window_ns) ||
		!arguments_choice(see->command, "-o", see->form_text, see_forms, &form) ||
		!access_read_optional(see->command, &see->access, see->admins.count > 0))
		return false;
	see->form = (enum see_form)form;
	if (see->window_ns < shortest_window) {
		cli_complain("weft %s: --window takes 100ms or more", see->command);
		return false;
	}
	if (!read_by(see))
		return false;
	if (!see->sort_text)
		return true;
	see->sort = column_find(see->view, see->access.kubernetes, slice_of(see->sort_text));
	if (!see->sort && see->by == BY_NAME && column_find(see->view, !see->access.kubernetes, slice_of(see->sort_text)))
		cli_complain("weft %s: --sort %s goes %s --kubernetes", see->command, see->sort_text,
			see->access.kubernetes ? "without" : "with");
	else if (!see->sort)
		(void)cli_unknown("column", see->sort_text, column_names(see->view));
	return see->sort != NULL;
}

/* ---- windows ---- */

/* Who is at the ends of all flows is told by all readings. */
static void learn_ends(struct see *see)
{
	ends_free(see->ends);
	see->ends = NULL;
	if (views[see->view].kind != METER_FLOW)
		return;
	see->ends = ends_new(see->pods, views[see->view].ends);
	TARGETS_EACH(see->targets, target)
		if (target->now)
			ends_learn(see->ends, target->now);
}

static void compute(struct see *see)
{
	learn_ends(see);

	const struct golden_choice choice = {
		.kind = views[see->view].kind,
		.by = views[see->view].by,
		.ends = see->ends,
		.namespace = see->namespace,
		.kubernetes = see->access.kubernetes,
		.apart = see->apart,
		.patterns = see->patterns,
		.router = see->router,
	};

	if (see->readable)
		golden_free(&see->golden);
	see->reached = 0;
	see->unreachable = see->targets->why.length > 0;
	golden_start(&see->golden, &choice);
	TARGETS_EACH(see->targets, target) {
		see->reached += target->now != NULL;
		see->unreachable += !target->now;
		if (target->now && target->before)
			golden_add(&see->golden, target->name, target->before, target->now);
	}
	golden_finish(&see->golden);
	see->readable = true;
}

static void on_read(void *owner)
{
	struct see *see = owner;
	bool readable = false;

	/* Which pods there are may still be told. */
	if (see->pods && !pod_names_are_there(see->pods)) {
		timer_set(see->loop, &see->names, clock_after(loop_now(see->loop), names_time));
		return;
	}
	if (see->pods)
		pod_names_refresh(see->pods, pods_life);
	TARGETS_EACH(see->targets, target)
		readable = readable || target->now;
	if (see->readings++ > 0 || (!readable && !see->watch)) {
		compute(see);
		see->code = see->unreachable ? 2 : 0;
		see->show(see);
		if (!see->watch) {
			loop_stop(see->loop);
			return;
		}
	}
	timer_set(see->loop, &see->timer, clock_after(loop_now(see->loop), see->window_ns));
}

static void on_timer(void *owner)
{
	struct see *see = owner;

	/* What was computed refers to the readings. */
	if (see->readable)
		golden_free(&see->golden);
	see->readable = false;
	targets_read(see->targets);
}

void see_compute(struct see *see)
{
	if (see->readable)
		compute(see);
}

static void received(void *owner, enum process_signal which)
{
	(void)which;
	see_stop(owner);
}

void see_stop(struct see *see)
{
	loop_stop(see->loop);
}

/* Without pods rows would say nothing. */
static void without_pods(void *owner, const char *server, const char *why)
{
	struct see *see = owner;

	cli_complain("weft: %s: %s: which pods there are must be known for --by %s", server, why, see->by_text);
	see->code = 2;
	loop_stop(see->loop);
}

static int begin(struct see *see, struct text *why)
{
	struct targets_options options = { .admins = &see->admins, .access = &see->access, .read = on_read, .owner = see };
	bool flows = views[see->view].kind == METER_FLOW;
	int e;

	if (flows) {
		flows_page(see->window_ns, &see->flows_page);
		options.readings = text_slice(&see->flows_page);
		options.parse = flows_read;
	}
	e = targets_new(see->loop, &options, &see->targets, why);
	if (!e && flows)
		e = pod_names_new(see->loop, see->targets->resolver, &see->access, without_pods, see, &see->pods, why);
	return e;
}

int see_run(struct see *see, void (*show)(struct see *see))
{
	struct text why = { 0 };
	int e;

	process_start();
	see->show = show;
	timer_init(&see->timer, on_timer, see);
	timer_init(&see->names, on_read, see);
	e = loop_new(&(struct loop_options){ .name = "see" }, &see->loop);
	if (!e)
		e = signals_new(see->loop, received, see, &see->signals);
	if (e)
		text_format(&why, "cannot start: %s", error_text(e));
	else
		e = begin(see, &why);
	if (e) {
		cli_complain("weft %s: %s", see->command, why.bytes);
		text_free(&why);
		return 2;
	}
	if (see->started)
		see->started(see);
	targets_read(see->targets);
	loop_run(see->loop);
	if (see->ended)
		see->ended(see);
	if (see->readable)
		golden_free(&see->golden);
	ends_free(see->ends);
	text_free(&see->flows_page);
	pod_names_free(see->pods);
	targets_free(see->targets);
	return see->code;
}

/* ---- telling ---- */

bool see_colour(void)
{
	const char *none = process_environment("NO_COLOR"), *term = process_environment("TERM");

	return terminal_is_output() && !(none && none[0]) && !(term && strcmp(term, "dumb") == 0);
}

static void append_unreachable(const char *before, struct slice name, const struct text *why, struct text *out)
{
	text_append(out, slice_of(before));
	table_safe(out, name);
	text_append(out, SLICE(": "));
	table_safe(out, text_slice(why));
	text_append(out, SLICE("\n"));
}

/* What isn't in the rows: there was no place for it in the proxy. */
static uint64_t lost_of(const struct target *target)
{
	if (!target->now || !target->before || target->now->lost < target->before->lost)
		return 0;
	return target->now->lost - target->before->lost;
}

static void append_lost(const struct see *see, const char *before, struct text *out)
{
	TARGETS_EACH(see->targets, target) {
		struct text why = { 0 };

		if (!lost_of(target))
			continue;
		text_format(&why, "%llu requests are in no row: more callers and endpoints than are told apart",
			(unsigned long long)lost_of(target));
		append_unreachable(before, target->name, &why, out);
		text_free(&why);
	}
}

void see_append_unreachable(const struct see *see, const char *before, struct text *out)
{
	if (see->targets->why.length)
		append_unreachable(before, slice_of(see->targets->server), &see->targets->why, out);
	TARGETS_EACH(see->targets, target)
		if (!target->now)
			append_unreachable(before, target->name, &target->why, out);
}

static void write_unreachable(struct json_writer *writer, struct slice name, const struct text *why)
{
	json_write_object(writer);
	json_write_member_text(writer, "admin", name);
	json_write_member_text(writer, "error", text_slice(why));
	json_write_end(writer);
}

static void print_json(const struct see *see, struct text *out)
{
	struct json_writer writer;

	/* Windows after each other are a line each. */
	json_write_start(&writer, out, !see->watch);
	json_write_object(&writer);
	json_write_key(&writer, SLICE("window_s"));
	json_write_number(&writer, (double)see->window_ns / CLOCK_SECOND);
	json_write_key(&writer, slice_of(views[see->view].rows));
	columns_json(&see->golden, see->view, &writer);
	json_write_key(&writer, SLICE("unreachable"));
	json_write_array(&writer);
	if (see->targets->why.length)
		write_unreachable(&writer, slice_of(see->targets->server), &see->targets->why);
	TARGETS_EACH(see->targets, target)
		if (!target->now)
			write_unreachable(&writer, target->name, &target->why);
	json_write_end(&writer);
	json_write_end(&writer);
	text_append(out, SLICE("\n"));
}

static void print_table(struct see *see, struct text *out)
{
	const struct columns_look look = { .view = see->view, .wide = see->form == SEE_WIDE, .colour = see_colour() };
	bool screen = see->watch && terminal_is_output();

	if (screen)
		text_append(out, slice_of(clear_screen));
	else if (see->watch && see->readings > 2)
		text_append(out, SLICE("\n"));
	if (see->reached)
		columns_table(&see->golden, &look, out);
	if (screen)
		see_append_unreachable(see, "unreachable: ", out);
}

void see_print(struct see *see)
{
	struct text out = { 0 }, why = { 0 };

	if (see->sort)
		columns_sort(&see->golden, see->sort, see->reversed);
	if (see->form == SEE_JSON) {
		print_json(see, &out);
		append_lost(see, "weft: ", &why);
	} else {
		print_table(see, &out);
		if (!(see->watch && terminal_is_output()))
			see_append_unreachable(see, "weft: ", &why);
		append_lost(see, "weft: ", &why);
	}
	if (!terminal_print(text_slice(&out)))
		see_stop(see);
	if (why.length)
		file_print(true, text_slice(&why));
	text_free(&out);
	text_free(&why);
}

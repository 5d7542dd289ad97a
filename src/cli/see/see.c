/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/see.h"

#include "cli/cli.h"
#include "io/file.h"
#include "io/process.h"
#include "io/terminal.h"

const char *const see_forms[] = { "table", "wide", "json", NULL };

static const int64_t shortest_window = 100 * CLOCK_MS;
static const char clear_screen[] = "\033[H\033[2J";

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
	if (!see->sort_text)
		return true;
	see->sort = column_find(see->view, see->access.kubernetes, slice_of(see->sort_text));
	if (!see->sort && column_find(see->view, !see->access.kubernetes, slice_of(see->sort_text)))
		cli_complain("weft %s: --sort %s goes %s --kubernetes", see->command, see->sort_text,
			see->access.kubernetes ? "without" : "with");
	else if (!see->sort)
		(void)cli_unknown("column", see->sort_text, column_names(see->view));
	return see->sort != NULL;
}

/* ---- windows ---- */

static void compute(struct see *see)
{
	const struct golden_choice choice = {
		.kind = (const enum meter_kind[]){ METER_SERVICE, METER_ROUTE, METER_METHOD, METER_CLIENT }[see->view],
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

int see_run(struct see *see, void (*show)(struct see *see))
{
	struct text why = { 0 };
	int e;

	process_start();
	see->show = show;
	timer_init(&see->timer, on_timer, see);
	e = loop_new(&(struct loop_options){ .name = "see" }, &see->loop);
	if (!e)
		e = signals_new(see->loop, received, see, &see->signals);
	if (e)
		text_format(&why, "cannot start: %s", error_text(e));
	else
		e = targets_new(see->loop,
			&(struct targets_options){ .admins = &see->admins, .access = &see->access, .read = on_read, .owner = see },
			&see->targets, &why);
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
	/* The process ends with the connections that are still open, and with what they belong to. */
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
	static const char *const names[] = { "services", "routes", "methods", "edges" };
	struct json_writer writer;

	/* Windows after each other are a line each. */
	json_write_start(&writer, out, !see->watch);
	json_write_object(&writer);
	json_write_key(&writer, SLICE("window_s"));
	json_write_number(&writer, (double)see->window_ns / CLOCK_SECOND);
	json_write_key(&writer, slice_of(names[see->view]));
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
	} else {
		print_table(see, &out);
		if (!(see->watch && terminal_is_output()))
			see_append_unreachable(see, "weft: ", &why);
	}
	if (!terminal_print(text_slice(&out)))
		see_stop(see);
	if (why.length)
		file_print(true, text_slice(&why));
	text_free(&out);
	text_free(&why);
}

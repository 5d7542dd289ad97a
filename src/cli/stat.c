/* SPDX-License-Identifier: Apache-2.0 */
/* weft stat, weft routes and weft edges: the golden metrics of one window, of one or many proxies; and gates on them. */
#include <math.h>

#include "cli/cli.h"
#include "cli/see/see.h"
#include "io/file.h"

struct gate {
	bool asked;
	double min_success; /* percent; NaN: not asked */
	double max_p99_ms;
};

/* With see first: what see_run shows is this. */
struct stat {
	struct see see;
	struct gate gate;
};

/* What its row is of. */
static struct slice name_of(const struct golden_row *row)
{
	const struct slice names[] = { row->service, row->to, row->called, row->kube.service, row->kube.namespace };
	unsigned i = 0;

	while (!names[i].length && i + 1 < sizeof names / sizeof *names)
		i++;
	return names[i];
}

static void complain(struct text *out, const struct golden_row *row, const char *format, double is, double asked)
{
	text_append(out, SLICE("weft: "));
	table_safe(out, name_of(row));
	if (row->client.length) {
		text_append(out, SLICE(" to "));
		table_safe(out, row->client);
	}
	text_append(out, SLICE(" ("));
	table_safe(out, row->router);
	text_append(out, SLICE(") "));
	text_format(out, format, is, asked);
	text_append(out, SLICE("\n"));
}

/* 1: something is below what is asked, or there was nothing to judge. */
static int judge(const struct stat *stat)
{
	const struct golden *golden = &stat->see.golden;
	const struct gate *gate = &stat->gate;
	struct text why = { 0 };
	unsigned judged = 0;

	for (unsigned i = 0; i < golden->count; i++) {
		const struct golden_row *row = golden->rows[i];

		if (isnan(row->success_percent))
			continue;
		judged++;
		if (row->success_percent < gate->min_success)
			complain(&why, row, "succeeds in %.3f %%, less than %g %%", row->success_percent, gate->min_success);
		if (row->p99_ms > gate->max_p99_ms)
			complain(&why, row, "has a p99 of %.3g ms, more than %g ms", row->p99_ms, gate->max_p99_ms);
	}
	if (!judged)
		text_format(&why, "weft: no requests in the window: nothing to judge\n");
	if (!why.length)
		return 0;
	file_print(true, text_slice(&why));
	text_free(&why);
	return 1;
}

static void show(struct see *see)
{
	struct stat *stat = (struct stat *)see;

	see_print(see);
	/* What was seen to be wrong counts more than who could not be asked. */
	if (stat->gate.asked && see->reached && judge(stat))
		see->code = 1;
}

static bool read_gate(struct gate *gate, const char *command, const char *min_success, const char *max_p99)
{
	int64_t ns = 0;

	gate->asked = min_success || max_p99;
	gate->min_success = -1;
	gate->max_p99_ms = INFINITY;
	if (!arguments_percent(command, "--min-success", min_success, &gate->min_success) ||
		!arguments_span(command, "--max-p99", max_p99, &ns))
		return false;
	if (max_p99)
		gate->max_p99_ms = (double)ns / CLOCK_MS;
	return true;
}

static int run(const char *command, enum view view, int count, char **arguments)
{
	static struct stat stat;
	const char *min_success = NULL, *max_p99 = NULL;
	bool grpc = false;

	stat.see.command = command;
	stat.see.view = view;
	const struct argument table[] = {
		SEE_ARGUMENTS(stat.see),
		SEE_OUTPUT_ARGUMENTS(stat.see),
		{ "--min-success", .value = &min_success },
		{ "--max-p99", .value = &max_p99 },
		/* The last one is for routes alone. */
		{ view == VIEW_ROUTES ? "--grpc" : NULL, .flag = &grpc },
		{ .name = NULL },
	};

	if (!see_arguments(&stat.see, count, arguments, table) || !read_gate(&stat.gate, command, min_success, max_p99))
		return 2;
	if (grpc)
		stat.see.view = VIEW_METHODS;
	return see_run(&stat.see, show);
}

int cli_stat(int count, char **arguments)
{
	return run("stat", VIEW_STAT, count, arguments);
}

int cli_routes(int count, char **arguments)
{
	return run("routes", VIEW_ROUTES, count, arguments);
}

int cli_edges(int count, char **arguments)
{
	return run("edges", VIEW_EDGES, count, arguments);
}

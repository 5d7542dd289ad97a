/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/see.h: what `weft stat`, `routes`, `edges` and `top` share: their options, and reading proxies window by window. Main
 * thread; one in a process.
 *
 *	struct see see = { .command = "stat", .view = VIEW_STAT };
 *	const struct argument table[] = { SEE_ARGUMENTS(see), { .name = NULL } };
 *	if (!see_arguments(&see, count, arguments, table)) return 2;
 *	return see_run(&see, show);             // show: see->golden is what happened in the window
 */
#ifndef CLI_SEE_SEE_H
#define CLI_SEE_SEE_H

#include "cli/cluster/access.h"
#include "cli/see/columns.h"
#include "cli/see/targets.h"
#include "io/loop.h"

struct ends;
struct pod_names;
struct signals;

enum { SEE_MOST_PATTERNS = 16 };

enum see_form {
	SEE_TABLE,
	SEE_WIDE,
	SEE_JSON,
};

struct see {
	const char *command;
	enum view view; /* as asked for: one of the first four, or what --by has made of it */
	bool watch;     /* go on, window after window */
	bool apart, reversed;
	enum see_form form;
	const struct column *sort; /* NULL: as names are */
	int64_t window_ns;
	int code; /* of the process: 1 or 2 once something was wrong in the last window */
	struct argument_values admins;
	struct access access;
	const char *router, *patterns[SEE_MOST_PATTERNS + 1];
	const char *window_text, *form_text, *sort_text;
	const char *by_text, *namespace; /* --by, --in */
	int by;                          /* index in see_by */

	struct loop *loop;
	struct targets *targets;
	struct pod_names *pods; /* NULL: no row is of a pod or a workload */
	struct ends *ends;      /* of the last window */
	struct golden golden;   /* while `show` runs, and until the next window is read */
	bool readable;          /* golden is */
	unsigned reached;       /* in the last reading */
	unsigned unreachable;   /* in it; and Kubernetes' API counts as one, if it could not say which there are */

	/* May be NULL: the loop is there; it has ended. */
	void (*started)(struct see *see);
	void (*ended)(struct see *see);

	/* The rest is see.c's. */
	struct text flows_page;
	void (*show)(struct see *see);
	struct signals *signals;
	struct timer timer, names; /* until the next window; until pods are told */
	unsigned readings;
};

#define SEE_ARGUMENTS(see) \
	{ "--admin", .values = &(see).admins }, { "--window", .value = &(see).window_text }, { "--router", .value = &(see).router }, \
		{ "--sort", .value = &(see).sort_text, .choices = column_names((see).view) }, { "--reverse", .flag = &(see).reversed }, \
		{ "--per-proxy", .flag = &(see).apart }, { "--by", .value = &(see).by_text, .choices = see_by }, \
		{ "--in", .value = &(see).namespace }, ACCESS_OPTIONAL_ARGUMENTS((see).access)

#define SEE_OUTPUT_ARGUMENTS(see) \
	{ "-o", .value = &(see).form_text, .choices = see_forms }, \
	{ \
		"--watch", .flag = &(see).watch \
	}

extern const char *const see_forms[];
extern const char *const see_by[];

/* Reads them; what is wrong is told. */
bool see_arguments(struct see *see, int count, char **arguments, const struct argument *table);
/* Until the window, or with `watch` a signal or see_stop, ends it. The exit code. */
int see_run(struct see *see, void (*show)(struct see *see));
void see_stop(struct see *see);
/* What --by makes of one of the first four views. False: of that it makes none. */
bool see_view(const struct see *see, enum view of, enum view *view);
/* see->golden anew, for a view or options that were changed; no effect while a window is being read. */
void see_compute(struct see *see);

/* Whether standard output gets colours: a terminal, without NO_COLOR (https://no-color.org) and TERM=dumb. */
bool see_colour(void);
/* The rows as --sort has them, in the form of -o, and who could not be asked: the latter to standard error, but in JSON with the rest. */
void see_print(struct see *see);
/* A line of "ADDRESS: why" for each that could not be asked. */
void see_append_unreachable(const struct see *see, const char *before, struct text *out);

#endif

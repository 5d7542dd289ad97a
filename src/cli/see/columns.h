/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/columns.h: which numbers of the golden metrics are shown, how they look, and by which of them rows are sorted. Main thread.
 *
 *	const struct column *by = column_find(VIEW_STAT, false, SLICE("p99"));
 *	columns_sort(&golden, by, false);
 *	columns_table(&golden, &(struct columns_look){ .view = VIEW_STAT, .colour = true }, &out);
 *	columns_json(&golden, VIEW_STAT, &writer);
 */
#ifndef CLI_SEE_COLUMNS_H
#define CLI_SEE_COLUMNS_H

#include "cli/see/golden.h"
#include "cli/see/table.h"
#include "doc/json_write.h"

enum view {
	VIEW_STAT,
	VIEW_ROUTES,
	VIEW_METHODS,
	VIEW_EDGES,
	/* In a cluster, of the first and the last of these. */
	VIEW_SERVICES,
	VIEW_NAMESPACES,
	VIEW_WORKLOADS,
	VIEW_PODS,
	VIEW_NAMESPACE_EDGES,
	VIEW_WORKLOAD_EDGES,
	VIEW_POD_EDGES,
	VIEWS
};

struct column;

struct columns_look {
	enum view view;
	bool wide, colour;
	unsigned width;          /* lines are cut there; 0: never */
	unsigned first, most;    /* rows from the first on, at most so many; 0: all */
	const struct column *by; /* its head is marked; NULL: none */
};

/* NULL: the view has none of that name. */
const struct column *column_find(enum view view, bool kubernetes, struct slice name);
const char *column_name(const struct column *column);
/* `next` or the one before it, among those that are shown, round and round. */
const struct column *column_beside(enum view view, bool kubernetes, bool wide, const struct column *column, bool next);
/* The names for --sort, with Kubernetes or without, of VIEW_STAT and VIEW_EDGES also with --by, ending in NULL: "service", "rate", …; static. */
const char *const *column_names(enum view view);

/* Names rise and numbers fall, what is unknown comes last; `reversed`: the other way round. Equal rows keep their order. */
void columns_sort(struct golden *golden, const struct column *by, bool reversed);
void columns_table(const struct golden *golden, const struct columns_look *look, struct text *out);
/* An array of objects with everything, also what only `wide` shows. */
void columns_json(const struct golden *golden, enum view view, struct json_writer *writer);

#endif

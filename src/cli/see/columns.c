/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum form {
	FORM_TEXT,
	FORM_RATE, /* a second */
	FORM_PERCENT,
	FORM_TIME, /* ms */
	FORM_COUNT,
	FORM_UP, /* up/all: the available ones, with those that there are */
};

enum {
	S = 1 << VIEW_STAT,
	R = 1 << VIEW_ROUTES,
	M = 1 << VIEW_METHODS,
	E = 1 << VIEW_EDGES,
	SERVICES = 1 << VIEW_SERVICES,
	CLIENTS = SERVICES | 1 << VIEW_NAMESPACES,
	PODS = 1 << VIEW_PODS,
	CALLED = 1 << VIEW_WORKLOADS | PODS,
	POD_PAIRS = 1 << VIEW_POD_EDGES,
	WORKLOAD_PAIRS = 1 << VIEW_WORKLOAD_EDGES,
	PAIRS = 1 << VIEW_NAMESPACE_EDGES | WORKLOAD_PAIRS | POD_PAIRS,
	ALL = S | R | M | E | CLIENTS | CALLED | PAIRS,
	KUBERNETES = VIEWS, /* the same views, shifted by so much, with names as users of Kubernetes know them */
	MOST_COLUMNS = 48,
};

_Static_assert(2 * VIEWS <= 31, "a word of views");

#define KUBE(views) ((unsigned)(views) << KUBERNETES)
#define BOTH(views) ((unsigned)(views) | KUBE(views))

struct column {
	const char *name, *title;
	size_t offset; /* in struct golden_row, of a slice or a double */
	enum form form;
	unsigned views;
	bool wide; /* only then */
};

#define AT(member) offsetof(struct golden_row, member)

static const struct column columns[] = {
	{ "proxy", "PROXY", AT(proxy), FORM_TEXT, BOTH(ALL), false },
	{ "caller", "CALLER", AT(caller), FORM_TEXT, KUBE(E | PAIRS), false },
	{ "namespace", "NAMESPACE", AT(kube.namespace), FORM_TEXT, KUBE(S | R | E | CLIENTS | CALLED | PAIRS), false },
	{ "workload", "WORKLOAD", AT(shown), FORM_TEXT, KUBE((CALLED & ~PODS) | WORKLOAD_PAIRS), false },
	{ "pod", "POD", AT(shown), FORM_TEXT, KUBE(PODS | POD_PAIRS), false },
	{ "service", "SERVICE", AT(kube.service), FORM_TEXT, KUBE(S | R | E | SERVICES | PAIRS), false },
	{ "port", "PORT", AT(kube.port), FORM_TEXT, KUBE(R), false },
	{ "name", "NAME", AT(service), FORM_TEXT, KUBE(S | R), false },
	{ "service", "SERVICE", AT(service), FORM_TEXT, S | R, false },
	{ "method", "METHOD", AT(service), FORM_TEXT, BOTH(M), false },
	{ "client", "CLIENT", AT(client), FORM_TEXT, R, false },
	{ "from", "FROM", AT(from), FORM_TEXT, E, false },
	{ "to", "TO", AT(to), FORM_TEXT, E, false },
	{ "router", "ROUTER", AT(router), FORM_TEXT, BOTH(ALL), false },
	{ "success", "SUCCESS", AT(success_percent), FORM_PERCENT, BOTH(ALL), false },
	{ "rate", "RPS", AT(rate), FORM_RATE, BOTH(ALL), false },
	{ "errors", "ERR/S", AT(failure_rate), FORM_RATE, BOTH(E | PAIRS), false },
	{ "p50", "P50", AT(p50_ms), FORM_TIME, BOTH(ALL), false },
	{ "p95", "P95", AT(p95_ms), FORM_TIME, BOTH(S | R | M | CLIENTS | CALLED), false },
	{ "p99", "P99", AT(p99_ms), FORM_TIME, BOTH(ALL), false },
	{ "retries", "RETRY/S", AT(retry_rate), FORM_RATE, BOTH(S), false },
	{ "endpoints", "UP", AT(endpoints), FORM_UP, BOTH(S | R | E | CLIENTS | CALLED), false },
	{ "connections", "CONNS", AT(connections), FORM_COUNT, BOTH(S | R | E | CLIENTS), false },
	{ "secured", "SECURED", AT(secured), FORM_TEXT, BOTH(E | PAIRS), false },
	{ "peers", "PEERS", AT(peers), FORM_TEXT, BOTH(E), false },
	{ "requests", "REQUESTS", AT(requests), FORM_COUNT, BOTH(ALL), true },
	{ "failures", "FAILURES", AT(failures), FORM_COUNT, BOTH(ALL), true },
	{ "pending", "PENDING", AT(pending), FORM_COUNT, BOTH(S | R | E | CLIENTS), true },
	{ "proxies", "PROXIES", AT(proxies), FORM_COUNT, BOTH(ALL), true },
	{ "service", "SERVICE", AT(kube.service), FORM_TEXT, KUBE(CALLED), true },
	{ "client", "CLIENT", AT(client), FORM_TEXT, KUBE(R), true },
	{ "from", "FROM", AT(from), FORM_TEXT, KUBE(E), true },
	{ "to", "TO", AT(to), FORM_TEXT, KUBE(E), true },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static struct slice text_of(const struct column *column, const struct golden_row *row)
{
	return *(const struct slice *)((const char *)row + column->offset);
}

static double number_of(const struct column *column, const struct golden_row *row)
{
	return *(const double *)((const char *)row + column->offset);
}

static bool is_of(const struct column *column, enum view view, bool kubernetes)
{
	return column->views & 1U << (view + (kubernetes ? KUBERNETES : 0));
}

/* Whose proxy it is only says something when each has rows of its own. */
static bool is_shown(const struct column *column, enum view view, bool kubernetes, bool wide, bool apart)
{
	return is_of(column, view, kubernetes) && (wide || !column->wide) && (apart || column->offset != AT(proxy));
}

const struct column *column_find(enum view view, bool kubernetes, struct slice name)
{
	for (unsigned i = 0; i < COLUMNS; i++)
		if (is_of(&columns[i], view, kubernetes) && slice_equal(slice_of(columns[i].name), name))
			return &columns[i];
	return NULL;
}

const char *column_name(const struct column *column)
{
	return column->name;
}

const struct column *column_beside(enum view view, bool kubernetes, bool wide, const struct column *column, bool next)
{
	unsigned at = column ? (unsigned)(column - columns) : 0;

	do
		at = (at + (next ? 1 : COLUMNS - 1)) % COLUMNS;
	while (!is_shown(&columns[at], view, kubernetes, wide, false));
	return &columns[at];
}

/* Whether it is a column of the view, with Kubernetes or without, or of one that --by makes of it. */
static bool is_of_any(const struct column *column, enum view view)
{
	unsigned views = 1U << view;

	if (view == VIEW_STAT)
		views |= CLIENTS | CALLED;
	else if (view == VIEW_EDGES)
		views |= PAIRS;
	return column->views & BOTH(views);
}

static bool is_named(const char *const *names, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

const char *const *column_names(enum view view)
{
	static const char *names[VIEWS][MOST_COLUMNS + 1];
	unsigned count = 0;

	for (unsigned i = 0; i < COLUMNS; i++)
		if (is_of_any(&columns[i], view) && !is_named(names[view], count, columns[i].name))
			names[view][count++] = columns[i].name;
	names[view][count] = NULL;
	return names[view];
}

/* ---- order ---- */

struct placed {
	struct golden_row *row;
	unsigned place;
};

struct order {
	const struct column *by;
	bool reversed;
};

static int compare_numbers(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a < b) - (a > b);
}

/* What is unknown stays last, either way. */
static int compare(const void *a, const void *b, void *owner)
{
	const struct placed *x = a, *y = b;
	const struct order *order = owner;
	const struct column *by = order->by;
	bool unknown = false;
	int result;

	if (by->form == FORM_TEXT) {
		result = slice_compare(text_of(by, x->row), text_of(by, y->row));
	} else {
		double p = number_of(by, x->row), q = number_of(by, y->row);

		result = compare_numbers(p, q);
		unknown = isnan(p) || isnan(q);
	}
	if (order->reversed && !unknown)
		result = -result;
	return result ? result : (x->place > y->place) - (x->place < y->place);
}

void columns_sort(struct golden *golden, const struct column *by, bool reversed)
{
	struct order order = { by, reversed };
	struct placed *all = memory_array(golden->count + 1, sizeof *all);

	for (unsigned i = 0; i < golden->count; i++)
		all[i] = (struct placed){ golden->rows[i], i };
	qsort_r(all, golden->count, sizeof *all, compare, &order);
	for (unsigned i = 0; i < golden->count; i++)
		golden->rows[i] = all[i].row;
	memory_free(all);
}

/* ---- as a table ---- */

static void format_time(struct text *out, double ms)
{
	if (ms < 1)
		text_format(out, "%.0fus", ms * 1000);
	else if (ms < 100)
		text_format(out, "%.1fms", ms);
	else if (ms < 10000)
		text_format(out, "%.0fms", ms);
	else
		text_format(out, "%.1fs", ms / 1000);
}

/* 99.996 % must not look like 100 %. */
static void format_percent(struct text *out, double percent)
{
	text_format(out, "%.2f%%", floor(percent * 100) / 100);
}

static void format_number(struct text *out, const struct column *column, const struct golden_row *row)
{
	double number = number_of(column, row);

	if (isnan(number))
		text_append(out, SLICE("-"));
	else if (column->form == FORM_PERCENT)
		format_percent(out, number);
	else if (column->form == FORM_TIME)
		format_time(out, number);
	else if (column->form == FORM_UP)
		text_format(out, "%.0f/%.0f", row->available, number);
	else
		text_format(out, column->form == FORM_RATE ? "%.1f" : "%.0f", number);
}

static enum table_tone tone_of(const struct column *column, const struct golden_row *row)
{
	double number;

	if (column->form == FORM_TEXT)
		return TABLE_PLAIN;
	number = number_of(column, row);
	if (isnan(number))
		return TABLE_PLAIN;
	if (column->form == FORM_PERCENT)
		return number >= 99.9 ? TABLE_GOOD : number >= 95 ? TABLE_WARN : TABLE_BAD;
	if (column->form == FORM_UP)
		return row->available >= number ? TABLE_PLAIN : row->available > 0 ? TABLE_WARN : TABLE_BAD;
	return TABLE_PLAIN;
}

static void add_head(struct table *table, const struct column *column, const struct column *by)
{
	struct text title = { 0 };

	text_format(&title, "%s%s", column->title, column == by ? "*" : "");
	table_cell(table, TABLE_HEAD, column->form != FORM_TEXT, text_slice(&title));
	text_free(&title);
}

static void add_cell(struct table *table, const struct column *column, const struct golden_row *row)
{
	struct text text = { 0 };

	if (column->form == FORM_TEXT)
		text_append(&text, text_of(column, row).length ? text_of(column, row) : SLICE("-"));
	else
		format_number(&text, column, row);
	table_cell(table, tone_of(column, row), column->form != FORM_TEXT, text_slice(&text));
	text_free(&text);
}

void columns_table(const struct golden *golden, const struct columns_look *look, struct text *out)
{
	const struct table_look table_look = { .colour = look->colour, .width = look->width };
	bool apart = golden->choice.apart, kubernetes = golden->choice.kubernetes;
	unsigned last = golden->count;
	struct table table = { 0 };

	if (look->most && look->first + look->most < last)
		last = look->first + look->most;
	for (unsigned k = 0; k < COLUMNS; k++)
		table.count += is_shown(&columns[k], look->view, kubernetes, look->wide, apart);
	for (unsigned k = 0; k < COLUMNS; k++)
		if (is_shown(&columns[k], look->view, kubernetes, look->wide, apart))
			add_head(&table, &columns[k], look->by);
	for (unsigned i = look->first; i < last; i++)
		for (unsigned k = 0; k < COLUMNS; k++)
			if (is_shown(&columns[k], look->view, kubernetes, look->wide, apart))
				add_cell(&table, &columns[k], golden->rows[i]);
	table_print(&table, &table_look, out);
	table_free(&table);
}

/* ---- as JSON ---- */

static void write_number(struct json_writer *writer, const char *key, double number)
{
	json_write_key(writer, slice_of(key));
	json_write_number(writer, number); /* null for what is unknown */
}

/* Brackets are for people. */
static struct slice plain_of(const struct column *column, const struct golden_row *row)
{
	return column->offset == AT(shown) ? row->called : text_of(column, row);
}

static void write_value(struct json_writer *writer, const struct column *column, const struct golden_row *row)
{
	static const char *const units[] = {
		[FORM_TEXT] = "", [FORM_RATE] = "_per_s", [FORM_PERCENT] = "_percent", [FORM_TIME] = "_ms", [FORM_COUNT] = ""
	};
	struct text key = { 0 };

	if (column->form == FORM_UP) {
		write_number(writer, "endpoints_up", row->available);
		write_number(writer, "endpoints", row->endpoints);
		return;
	}
	text_format(&key, "%s%s", column->name, units[column->form]);
	if (column->form != FORM_TEXT) {
		write_number(writer, key.bytes, number_of(column, row));
	} else {
		json_write_key(writer, text_slice(&key));
		json_write_text(writer, plain_of(column, row));
	}
	text_free(&key);
}

void columns_json(const struct golden *golden, enum view view, struct json_writer *writer)
{
	json_write_array(writer);
	for (unsigned i = 0; i < golden->count; i++) {
		json_write_object(writer);
		for (unsigned k = 0; k < COLUMNS; k++)
			if (is_shown(&columns[k], view, golden->choice.kubernetes, true, golden->choice.apart))
				write_value(writer, &columns[k], golden->rows[i]);
		if (golden->choice.by == GOLDEN_PAIRS) {
			json_write_key(writer, SLICE("inferred"));
			json_write_bool(writer, golden->rows[i]->inferred);
		}
		json_write_end(writer);
	}
	json_write_end(writer);
}

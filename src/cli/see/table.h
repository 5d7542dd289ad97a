/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/table.h: a table of text for a terminal or a pipe: columns as wide as what is in them. Main thread.
 *
 *	struct table table = { .count = 2 };
 *	table_cell(&table, TABLE_PLAIN, false, SLICE("SERVICE"));  table_cell(&table, TABLE_PLAIN, true, SLICE("RPS"));
 *	table_cell(&table, TABLE_PLAIN, false, name);              table_cell(&table, TABLE_BAD, true, SLICE("0.0"));
 *	table_print(&table, &(struct table_look){ .colour = true }, &out);
 *	table_free(&table);
 */
#ifndef CLI_SEE_TABLE_H
#define CLI_SEE_TABLE_H

#include "base/text.h"

enum table_tone {
	TABLE_PLAIN,
	TABLE_HEAD,
	TABLE_GOOD,
	TABLE_WARN,
	TABLE_BAD,
};

struct table_cell {
	struct text text; /* fit for a terminal: control characters and what is no UTF-8 are U+FFFD */
	size_t width;     /* in characters */
	enum table_tone tone;
	bool right;
};

struct table {
	unsigned count; /* columns; set before the first cell */
	struct table_cell *cells;
	unsigned used, room;
};

struct table_look {
	bool colour;
	unsigned width; /* lines are cut there; 0: never */
};

/* Row by row; `text` is copied. */
void table_cell(struct table *table, enum table_tone tone, bool right, struct slice text);
/* Appends the lines. Blanks at their ends are left out. */
void table_print(const struct table *table, const struct table_look *look, struct text *out);
void table_free(struct table *table);

/* Appends `text` as a terminal may be shown it. */
void table_safe(struct text *out, struct slice text);

#endif

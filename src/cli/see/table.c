/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/table.h"

#include "base/memory.h"
#include "doc/utf8.h"

enum { GAP = 2 };

static const char *const tones[] = {
	[TABLE_HEAD] = "\033[1m",
	[TABLE_GOOD] = "\033[32m",
	[TABLE_WARN] = "\033[33m",
	[TABLE_BAD] = "\033[31m",
};

/* C0, DEL and C1: a name that somebody made up must not move the cursor. */
static bool is_control(struct slice one)
{
	unsigned char first = (unsigned char)one.at[0];

	return first < 0x20 || first == 0x7f || (first == 0xc2 && one.length == 2 && (unsigned char)one.at[1] < 0xa0);
}

void table_safe(struct text *out, struct slice text)
{
	while (text.length) {
		unsigned length = utf8_length(text);
		struct slice one = slice_make(text.at, length ? length : 1);

		text_append(out, length && !is_control(one) ? one : SLICE("\xef\xbf\xbd"));
		text = slice_from(text, one.length);
	}
}

void table_cell(struct table *table, enum table_tone tone, bool right, struct slice text)
{
	struct table_cell *cell;

	if (table->used == table->room) {
		table->room = table->room ? table->room * 2 : 64;
		table->cells = memory_grow(table->cells, table->room, sizeof *table->cells);
	}
	cell = &table->cells[table->used++];
	*cell = (struct table_cell){ .tone = tone, .right = right };
	table_safe(&cell->text, text);
	cell->width = utf8_count(text_slice(&cell->text));
}

static size_t column_width(const struct table *table, unsigned column)
{
	size_t width = 0;

	for (unsigned i = column; i < table->used; i += table->count)
		if (table->cells[i].width > width)
			width = table->cells[i].width;
	return width;
}

static struct slice first_characters(struct slice text, size_t count)
{
	size_t length = 0;

	while (count-- && length < text.length)
		length += utf8_length(slice_from(text, length));
	return slice_make(text.at, length);
}

/* How far the line is: blanks are only written when something follows them. */
struct line {
	const struct table_look *look;
	struct text *out;
	size_t at, blanks;
};

static void put(struct line *line, const struct table_cell *cell)
{
	struct slice text = text_slice(&cell->text);
	size_t room = line->look->width ? line->look->width : SIZE_MAX, from = line->at + line->blanks;
	const char *tone = line->look->colour ? tones[cell->tone] : NULL;

	if (!cell->width || from >= room)
		return;
	text_format(line->out, "%*s", (int)line->blanks, "");
	if (tone)
		text_append(line->out, slice_of(tone));
	text_append(line->out, first_characters(text, room - from));
	if (tone)
		text_append(line->out, SLICE("\033[0m"));
	line->at = from + cell->width;
	line->blanks = 0;
}

void table_print(const struct table *table, const struct table_look *look, struct text *out)
{
	size_t *widths = memory_array(table->count, sizeof *widths);

	for (unsigned i = 0; i < table->count; i++)
		widths[i] = column_width(table, i);
	for (unsigned i = 0; i < table->used; i += table->count) {
		struct line line = { .look = look, .out = out };

		for (unsigned k = 0; k < table->count && i + k < table->used; k++) {
			const struct table_cell *cell = &table->cells[i + k];
			size_t spare = widths[k] - cell->width;

			line.blanks += cell->right ? spare : 0;
			put(&line, cell);
			line.blanks += (cell->right ? 0 : spare) + GAP;
		}
		text_append(out, SLICE("\n"));
	}
	memory_free(widths);
}

void table_free(struct table *table)
{
	for (unsigned i = 0; i < table->used; i++)
		text_free(&table->cells[i].text);
	memory_free(table->cells);
	*table = (struct table){ .count = table->count };
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "doc/document.h"

void problem_init(struct problems *problems)
{
	*problems = (struct problems){ 0 };
	arena_init(&problems->arena, NULL, 0);
}

void problem_fini(struct problems *problems)
{
	memory_free(problems->items);
	arena_reset(&problems->arena);
	*problems = (struct problems){ 0 };
}

static struct slice copy(struct problems *problems, struct slice s)
{
	char *text = arena_text(&problems->arena, s);
	if (!text)
		check_out_of_memory("problems of a document");
	return slice_make(text, s.length);
}

/* Problems of one file share one copy of its name. */
static struct slice file_name(struct problems *problems, struct slice file)
{
	for (uint32_t i = problems->count; i-- > 0;) {
		if (slice_equal(problems->items[i].file, file))
			return problems->items[i].file;
	}
	return copy(problems, file);
}

/* C0, DEL and (in UTF-8) C1. */
static void remove_controls(char *text)
{
	for (char *c = text; *c; c++) {
		bool c1 = (unsigned char)c[0] == 0xc2 && ((unsigned char)c[1] & 0xe0) == 0x80;
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
		if (c1)
			c[0] = c[1] = '?';
	}
}

static void add(struct problems *problems, struct slice file, int line, int column, const char *format, va_list arguments)
{
	if (problems->count == PROBLEM_MAX) {
		problems->dropped++;
		return;
	}
	char text[1024];
	int length = vsnprintf(text, sizeof text, format, arguments);
	if (length < 0)
		text[length = 0] = '\0';
	if ((size_t)length >= sizeof text)
		length = sizeof text - 1;
	remove_controls(text);
	if (problems->count == problems->capacity) {
		problems->capacity = problems->capacity ? problems->capacity * 2 : 8;
		problems->items = memory_grow(problems->items, problems->capacity, sizeof *problems->items);
	}
	struct slice name = file_name(problems, file);
	problems->items[problems->count++] = (struct problem){
		.file = name,
		.line = line,
		.column = column,
		.text = copy(problems, slice_make(text, (size_t)length)),
	};
}

void problem_add(struct problems *problems, const struct document_node *node, const char *format, ...)
{
	if (!problems)
		return;
	va_list arguments;
	va_start(arguments, format);
	add(problems, document_file(node->document), node->line, node->column, format, arguments);
	va_end(arguments);
}

void problem_add_inside(struct problems *problems, const struct document_node *node, size_t offset, const char *format, ...)
{
	if (!problems)
		return;
	int line, column;
	document_text_place(node, offset, &line, &column);
	va_list arguments;
	va_start(arguments, format);
	add(problems, document_file(node->document), line, column, format, arguments);
	va_end(arguments);
}

void problem_add_at(struct problems *problems, struct slice file, int line, int column, const char *format, ...)
{
	if (!problems)
		return;
	va_list arguments;
	va_start(arguments, format);
	add(problems, file, line, column, format, arguments);
	va_end(arguments);
}

struct place {
	const struct problem *problem;
	uint32_t file, index; /* order in which each was met */
};

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->problem->line != b->problem->line)
		return a->problem->line < b->problem->line ? -1 : 1;
	if (a->problem->column != b->problem->column)
		return a->problem->column < b->problem->column ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void print_one(const struct problem *problem, struct text *out)
{
	if (problem->file.length) {
		text_append(out, problem->file);
		text_append(out, SLICE(":"));
	}
	if (problem->line)
		text_format(out, "%d:%d:", problem->line, problem->column);
	if (problem->file.length || problem->line)
		text_append(out, SLICE(" "));
	text_append(out, problem->text);
	text_append(out, SLICE("\n"));
}

void problem_print(const struct problems *problems, struct text *out)
{
	struct place places[PROBLEM_MAX];
	for (uint32_t i = 0; i < problems->count; i++) {
		uint32_t file = 0;
		while (!slice_equal(problems->items[file].file, problems->items[i].file))
			file++;
		places[i] = (struct place){ &problems->items[i], file, i };
	}
	qsort(places, problems->count, sizeof *places, compare_places);
	for (uint32_t i = 0; i < problems->count; i++)
		print_one(places[i].problem, out);
	if (problems->dropped)
		text_format(out, "and %u more\n", problems->dropped);
}

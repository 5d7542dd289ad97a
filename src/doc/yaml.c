/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "doc/builder.h"
#include "doc/utf8.h"

enum { MAX_ANCHORS = 1000 };

struct anchor {
	struct slice name;
	const struct document_node *node;
};

struct reader {
	struct builder *builder;
	struct slice bytes;
	size_t line_at; /* where in bytes the line begins that was last asked for */
	size_t line;    /* its number, from 0 as libyaml counts */
	struct anchor *anchors;
	unsigned anchor_count, anchor_capacity;
	unsigned documents;
	bool done;
};

static int line_of(yaml_mark_t mark)
{
	return (int)mark.line + 1;
}

static int column_of(yaml_mark_t mark)
{
	return (int)mark.column + 1;
}

__attribute__((format(printf, 3, 4))) static int refuse(struct reader *reader, yaml_mark_t mark, const char *format, ...)
{
	va_list arguments;
	char text[256];
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	problem_add_at(reader->builder->problems, reader->builder->document->file, line_of(mark), column_of(mark), "%s", text);
	return ERROR_SYNTAX;
}

static struct slice text_of(const yaml_char_t *text)
{
	return slice_of((const char *)text);
}

/* A later anchor of the same name hides an earlier one (YAML 1.1 section 3.2.2.2). */
static int add_anchor(struct reader *reader, const yaml_char_t *name, const struct document_node *node, yaml_mark_t mark)
{
	if (!name)
		return 0;
	if (reader->anchor_count == MAX_ANCHORS) {
		(void)refuse(reader, mark, "more than %d anchors in one document", MAX_ANCHORS);
		return ERROR_LIMIT;
	}
	if (reader->anchor_count == reader->anchor_capacity) {
		reader->anchor_capacity = reader->anchor_capacity ? reader->anchor_capacity * 2 : 8;
		reader->anchors = memory_grow(reader->anchors, reader->anchor_capacity, sizeof *reader->anchors);
	}
	reader->anchors[reader->anchor_count++] = (struct anchor){ builder_text(reader->builder->document, text_of(name)), node };
	return 0;
}

static int read_alias(struct reader *reader, const yaml_event_t *event)
{
	struct slice name = text_of(event->data.alias.anchor);
	for (unsigned i = reader->anchor_count; i-- > 0;) {
		const struct anchor *anchor = &reader->anchors[i];
		if (!slice_equal(anchor->name, name))
			continue;
		if (builder_is_open(reader->builder, anchor->node))
			return refuse(reader, event->start_mark, "the alias `*%.*s` is inside what it stands for", SLICE_ARGS(name));
		return builder_copy(reader->builder, anchor->node, line_of(event->start_mark), column_of(event->start_mark));
	}
	return refuse(reader, event->start_mark, "there is no anchor `&%.*s` before this alias", SLICE_ARGS(name));
}

/* How many bytes of a line break are at the beginning: LF, CR, CR LF, NEL, LS or PS, as libyaml counts lines. */
static size_t break_length(struct slice s)
{
	if (slice_starts(s, SLICE("\r\n")) || slice_starts(s, SLICE("\xc2\x85")))
		return 2;
	if (slice_starts(s, SLICE("\xe2\x80\xa8")) || slice_starts(s, SLICE("\xe2\x80\xa9")))
		return 3;
	return s.length && (s.at[0] == '\n' || s.at[0] == '\r');
}

/* The bytes from the beginning of a line on. Lines are asked for in rising order. */
static struct slice from_line(struct reader *reader, size_t line)
{
	while (reader->line < line && reader->line_at < reader->bytes.length) {
		size_t n = break_length(slice_from(reader->bytes, reader->line_at));
		reader->line_at += n ? n : 1;
		reader->line += n > 0;
	}
	return slice_from(reader->bytes, reader->line_at);
}

static size_t leading_spaces(struct slice s)
{
	size_t n = 0;
	while (n < s.length && s.at[n] == ' ')
		n++;
	return n;
}

/* A literal block's lines are the text's lines, each with the same indentation in front: it is seen at the first
 * line that is not empty, as the difference between what is written and what was read. */
static void map_literal(struct reader *reader, struct document_node *node, yaml_mark_t start)
{
	size_t empty = 0;
	while (empty < node->text.length && node->text.at[empty] == '\n')
		empty++;
	if (empty == node->text.length)
		return;
	struct slice raw = from_line(reader, start.line + 1 + empty);
	size_t written = leading_spaces(raw), read = leading_spaces(slice_from(node->text, empty));
	if (written < read)
		return;
	node->text_line = (int)start.line + 2;
	node->text_column = (int)(written - read) + 1;
	node->text_mapped = true;
}

/* Plain and quoted scalars on one line, if nothing in them was folded or escaped: then they are as wide as what they
 * mean. */
static void map_line(struct document_node *node, const yaml_event_t *event)
{
	size_t quotes = node->style == DOCUMENT_QUOTED ? 1 : 0;
	size_t width = event->end_mark.column - event->start_mark.column;
	if (event->start_mark.line != event->end_mark.line || width != utf8_count(node->text) + 2 * quotes)
		return;
	node->text_line = node->line;
	node->text_column = node->column + (int)quotes;
	node->text_mapped = true;
}

static enum document_style style_of(yaml_scalar_style_t style)
{
	switch (style) {
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		return DOCUMENT_QUOTED;
	case YAML_LITERAL_SCALAR_STYLE:
		return DOCUMENT_LITERAL;
	case YAML_FOLDED_SCALAR_STYLE:
		return DOCUMENT_FOLDED;
	default:
		return DOCUMENT_PLAIN;
	}
}

static int read_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct document_node *node;
	struct slice text = slice_make((const char *)event->data.scalar.value, event->data.scalar.length);
	int e = builder_scalar(
		reader->builder, text, style_of(event->data.scalar.style), line_of(event->start_mark), column_of(event->start_mark), &node);
	if (e)
		return e;
	/* With an anchor the event begins at the anchor, not at the text. */
	if (!event->data.scalar.anchor) {
		if (node->style == DOCUMENT_LITERAL)
			map_literal(reader, node, event->start_mark);
		else if (node->style != DOCUMENT_FOLDED)
			map_line(node, event);
	}
	return add_anchor(reader, event->data.scalar.anchor, node, event->start_mark);
}

static int open_node(struct reader *reader, const yaml_event_t *event, enum document_kind kind, const yaml_char_t *anchor)
{
	struct document_node *node;
	int e = builder_open(reader->builder, kind, line_of(event->start_mark), column_of(event->start_mark), &node);
	return e ? e : add_anchor(reader, anchor, node, event->start_mark);
}

static const yaml_char_t *tag_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.tag;
	default:
		return NULL;
	}
}

static int handle(struct reader *reader, const yaml_event_t *event)
{
	const yaml_char_t *tag = tag_of(event);
	if (tag)
		return refuse(reader, event->start_mark, "YAML tags are not accepted, and there is `%s`", (const char *)tag);
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return reader->documents++ ? refuse(reader, event->start_mark, "a second document; only one is accepted") : 0;
	case YAML_STREAM_END_EVENT:
		reader->done = true;
		return reader->documents ? 0 : refuse(reader, (yaml_mark_t){ 0 }, "there is nothing but blanks and comments");
	case YAML_ALIAS_EVENT:
		return read_alias(reader, event);
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(reader, event, DOCUMENT_SEQUENCE, event->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return open_node(reader, event, DOCUMENT_MAPPING, event->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		builder_close(reader->builder);
		return 0;
	default:
		return 0;
	}
}

/* libyaml's own words, with the beginning of what it was reading. */
static int explain(struct reader *reader, const yaml_parser_t *parser)
{
	const char *what = parser->problem ? parser->problem : "this is not YAML";
	switch (parser->error) {
	case YAML_MEMORY_ERROR:
		check_out_of_memory("reading YAML");
	case YAML_READER_ERROR: {
		/* It knows the byte, not the line. */
		yaml_mark_t mark = { 0 };
		size_t at = parser->problem_offset < reader->bytes.length ? parser->problem_offset : reader->bytes.length;
		size_t begins = 0;
		for (size_t i = 0; i < at;) {
			size_t n = break_length(slice_from(reader->bytes, i));
			i += n ? n : 1;
			if (n) {
				mark.line++;
				begins = i;
			}
		}
		mark.column = begins < at ? utf8_count(slice_make(reader->bytes.at + begins, at - begins)) : 0;
		return refuse(reader, mark, "%s", what);
	}
	default:
		break;
	}
	if (!parser->context)
		return refuse(reader, parser->problem_mark, "%s", what);
	return refuse(reader, parser->problem_mark, "%s %s that begins at line %d, column %d", what, parser->context,
		line_of(parser->context_mark), column_of(parser->context_mark));
}

int yaml_read(struct builder *builder, struct slice bytes)
{
	struct reader reader = { .builder = builder, .bytes = bytes };
	yaml_parser_t parser;
	int e = 0;
	if (!yaml_parser_initialize(&parser))
		check_out_of_memory("reading YAML");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes.at, bytes.length);
	while (!e && !reader.done) {
		yaml_event_t event;
		if (!yaml_parser_parse(&parser, &event)) {
			e = explain(&reader, &parser);
			break;
		}
		e = handle(&reader, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	memory_free(reader.anchors);
	return e;
}

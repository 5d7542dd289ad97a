/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/text.h"
#include "doc/document.h"
#include "doc/json.h"
#include "doc/utf8.h"

enum level {
	LEVEL_OBJECT = 1,
	LEVEL_FILLED = 2, /* has an entry already */
};

void json_write_start(struct json_writer *writer, struct text *out, bool pretty)
{
	*writer = (struct json_writer){ .out = out, .pretty = pretty };
}

static uint8_t *innermost(struct json_writer *writer)
{
	return writer->depth ? &writer->levels[writer->depth - 1] : NULL;
}

static void new_line(struct json_writer *writer)
{
	if (!writer->pretty)
		return;
	text_append(writer->out, SLICE("\n"));
	for (uint32_t i = 0; i < writer->depth; i++)
		text_append(writer->out, SLICE("  "));
}

/* What stands in front of an entry: the comma behind the one before, and its line. */
static void begin_entry(struct json_writer *writer, uint8_t *level)
{
	if (*level & LEVEL_FILLED)
		text_append(writer->out, SLICE(","));
	*level |= LEVEL_FILLED;
	new_line(writer);
}

static void begin_value(struct json_writer *writer)
{
	uint8_t *level = innermost(writer);
	if (!level)
		return;
	if (*level & LEVEL_OBJECT) {
		CHECK(writer->after_key);
		writer->after_key = false;
	} else {
		begin_entry(writer, level);
	}
}

void json_write_member_text(struct json_writer *writer, const char *key, struct slice text)
{
	json_write_key(writer, slice_of(key));
	json_write_text(writer, text);
}

void json_write_member_int(struct json_writer *writer, const char *key, int64_t value)
{
	json_write_key(writer, slice_of(key));
	json_write_int(writer, value);
}

void json_write_json(struct json_writer *writer, struct slice json)
{
	begin_value(writer);
	text_append(writer->out, json);
}

static void open_level(struct json_writer *writer, uint8_t level, struct slice bracket)
{
	begin_value(writer);
	CHECK(writer->depth < JSON_WRITE_DEPTH);
	writer->levels[writer->depth++] = level;
	text_append(writer->out, bracket);
}

void json_write_object(struct json_writer *writer)
{
	open_level(writer, LEVEL_OBJECT, SLICE("{"));
}

void json_write_array(struct json_writer *writer)
{
	open_level(writer, 0, SLICE("["));
}

void json_write_end(struct json_writer *writer)
{
	CHECK(writer->depth > 0 && !writer->after_key);
	uint8_t level = writer->levels[--writer->depth];
	if (level & LEVEL_FILLED)
		new_line(writer);
	text_append(writer->out, level & LEVEL_OBJECT ? SLICE("}") : SLICE("]"));
}

/* RFC 8259 section 7. DEL and U+2028 need no escape there. */
static void escape(struct text *out, unsigned char c)
{
	static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *letter = strchr(letters, c);
	if (c && letter)
		text_format(out, "\\%c", names[letter - letters]);
	else
		text_format(out, "\\u%04x", c);
}

static void write_string(struct text *out, struct slice s)
{
	size_t run = 0, i = 0;
	text_append(out, SLICE("\""));
	while (i < s.length) {
		unsigned char c = (unsigned char)s.at[i];
		unsigned length = c < 0x80 ? 1 : utf8_length(slice_from(s, i));
		if (length && c >= ' ' && c != '"' && c != '\\') {
			i += length;
			continue;
		}
		text_append(out, slice_make(s.at + run, i - run));
		if (length)
			escape(out, c);
		else
			text_append(out, SLICE("\xef\xbf\xbd"));
		run = ++i;
	}
	if (run < s.length)
		text_append(out, slice_from(s, run));
	text_append(out, SLICE("\""));
}

void json_write_key(struct json_writer *writer, struct slice key)
{
	uint8_t *level = innermost(writer);
	CHECK(level && (*level & LEVEL_OBJECT) && !writer->after_key);
	begin_entry(writer, level);
	write_string(writer->out, key);
	text_append(writer->out, writer->pretty ? SLICE(": ") : SLICE(":"));
	writer->after_key = true;
}

void json_write_text(struct json_writer *writer, struct slice text)
{
	begin_value(writer);
	write_string(writer->out, text);
}

void json_write_int(struct json_writer *writer, int64_t value)
{
	begin_value(writer);
	text_format(writer->out, "%" PRId64, value);
}

void json_write_u64(struct json_writer *writer, uint64_t value)
{
	char digits[20];
	unsigned i = sizeof digits;

	do
		digits[--i] = (char)('0' + value % 10);
	while (value /= 10);
	begin_value(writer);
	text_append(writer->out, slice_make(digits + i, sizeof digits - i));
}

void json_write_number(struct json_writer *writer, double value)
{
	char number[40];
	if (!isfinite(value)) {
		json_write_null(writer);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(number, sizeof number, "%.*g", digits, value);
		if (strtod(number, NULL) == value)
			break;
	}
	begin_value(writer);
	text_append(writer->out, slice_of(number));
}

static void write_raw(struct json_writer *writer, struct slice raw)
{
	begin_value(writer);
	text_append(writer->out, raw);
}

void json_write_bool(struct json_writer *writer, bool value)
{
	write_raw(writer, value ? SLICE("true") : SLICE("false"));
}

void json_write_null(struct json_writer *writer)
{
	write_raw(writer, SLICE("null"));
}

static void write_scalar(struct json_writer *writer, const struct document_node *node)
{
	bool value, plain = node->style == DOCUMENT_PLAIN;
	if (document_is_null(node))
		json_write_null(writer);
	else if (plain && document_read_bool(node, &value, NULL))
		json_write_bool(writer, value);
	else if (plain && json_is_number(node->text))
		write_raw(writer, node->text);
	else
		json_write_text(writer, node->text);
}

void json_write_node(struct json_writer *writer, const struct document_node *node)
{
	switch (node->kind) {
	case DOCUMENT_SCALAR:
		write_scalar(writer, node);
		break;
	case DOCUMENT_SEQUENCE:
		json_write_array(writer);
		for (uint32_t i = 0; i < node->count; i++)
			json_write_node(writer, node->items[i]);
		json_write_end(writer);
		break;
	default:
		json_write_object(writer);
		for (uint32_t i = 0; i < node->count; i++) {
			json_write_key(writer, node->entries[i].key);
			json_write_node(writer, node->entries[i].value);
		}
		json_write_end(writer);
	}
}

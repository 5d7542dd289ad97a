/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/json.h"

#include <stdio.h>

#include "base/text.h"
#include "doc/builder.h"
#include "doc/utf8.h"

struct reader {
	struct builder *builder;
	const char *at, *end;
	const char *counted; /* line and column are those of this byte */
	int line, column;
	struct text text; /* the string being read */
};

/* Brings line and column up to `at`. They only ever move forward, so that a long line costs no more than many short
 * ones. */
static void locate(struct reader *reader, const char *at)
{
	for (; reader->counted < at; reader->counted++) {
		char c = *reader->counted;
		bool crlf = c == '\r' && reader->counted + 1 < reader->end && reader->counted[1] == '\n';
		if (c == '\n' || (c == '\r' && !crlf)) {
			reader->line++;
			reader->column = 1;
		} else if (((unsigned char)c & 0xc0) != 0x80 && !crlf) {
			reader->column++;
		}
	}
}

/* "expected X, found Y" at the current byte. */
static int expected(struct reader *reader, const char *what)
{
	char found[32];
	struct slice rest = slice_make(reader->at, (size_t)(reader->end - reader->at));
	unsigned length = utf8_length(rest);
	if (!rest.length)
		snprintf(found, sizeof found, "the end of the file");
	else if (!length || (unsigned char)*reader->at < ' ')
		snprintf(found, sizeof found, "the byte 0x%02x", (unsigned char)*reader->at);
	else
		snprintf(found, sizeof found, "`%.*s`", (int)length, reader->at);
	locate(reader, reader->at);
	problem_add_at(reader->builder->problems, reader->builder->document->file, reader->line, reader->column, "expected %s, found %s",
		what, found);
	return ERROR_SYNTAX;
}

static int refuse(struct reader *reader, const char *at, const char *what)
{
	locate(reader, at);
	problem_add_at(reader->builder->problems, reader->builder->document->file, reader->line, reader->column, "%s", what);
	return ERROR_SYNTAX;
}

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
		reader->at++;
}

static bool next_is(const struct reader *reader, char c)
{
	return reader->at < reader->end && *reader->at == c;
}

static bool is_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
	while (is_digit(at, end))
		at++;
	return at;
}

/* Behind the number (RFC 8259 section 6), or NULL. */
static const char *number_end(const char *at, const char *end)
{
	if (at < end && *at == '-')
		at++;
	if (!is_digit(at, end))
		return NULL;
	at = *at == '0' ? at + 1 : skip_digits(at, end);
	if (at < end && *at == '.') {
		if (!is_digit(at + 1, end))
			return NULL;
		at = skip_digits(at + 1, end);
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		if (!is_digit(at, end))
			return NULL;
		at = skip_digits(at, end);
	}
	return at;
}

bool json_is_number(struct slice text)
{
	return text.length && number_end(text.at, text.at + text.length) == text.at + text.length;
}

/* Four hexadecimal digits at `at`, or -1. */
static int32_t hex4(const char *at, const char *end)
{
	int32_t value = 0;
	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

/* `at` is behind `\u`; a surrogate needs its other half (section 7). */
static int read_unicode(struct reader *reader)
{
	const char *escape = reader->at - 2;
	int32_t code = hex4(reader->at, reader->end);
	if (code < 0)
		return refuse(reader, escape, "`\\u` needs four hexadecimal digits");
	reader->at += 4;
	if (code >= 0xd800 && code <= 0xdfff) {
		int32_t low = -1;
		if (code <= 0xdbff && reader->end - reader->at >= 6 && reader->at[0] == '\\' && reader->at[1] == 'u')
			low = hex4(reader->at + 2, reader->end);
		if (low < 0xdc00 || low > 0xdfff)
			return refuse(reader, escape, "half of a surrogate pair is no character");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		reader->at += 6;
	}
	char bytes[4];
	text_append(&reader->text, slice_make(bytes, utf8_put((uint32_t)code, bytes)));
	return 0;
}

/* `at` is behind the backslash. */
static int read_escape(struct reader *reader)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	if (reader->at == reader->end)
		return refuse(reader, reader->at, "the text has no closing `\"`");
	char c = *reader->at++;
	if (c == 'u')
		return read_unicode(reader);
	const char *letter = c ? strchr(letters, c) : NULL;
	if (!letter)
		return refuse(reader, reader->at - 2, "JSON has no such escape");
	text_append(&reader->text, slice_make(&meanings[letter - letters], 1));
	return 0;
}

/* The string at `"` into reader->text. */
static int read_string(struct reader *reader)
{
	text_clear(&reader->text);
	reader->at++;
	while (reader->at < reader->end && *reader->at != '"') {
		const char *run = reader->at;
		while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\') {
			unsigned length = utf8_length(slice_make(reader->at, (size_t)(reader->end - reader->at)));
			if (!length)
				return refuse(reader, reader->at, "this byte is not UTF-8");
			if ((unsigned char)*reader->at < ' ')
				return refuse(reader, reader->at, "a control character must be written as an escape");
			reader->at += length;
		}
		text_append(&reader->text, slice_make(run, (size_t)(reader->at - run)));
		if (next_is(reader, '\\')) {
			reader->at++;
			int e = read_escape(reader);
			if (e)
				return e;
		}
	}
	if (reader->at == reader->end)
		return refuse(reader, reader->at, "the text has no closing `\"`");
	reader->at++;
	return 0;
}

static int add_string(struct reader *reader)
{
	const char *start = reader->at;
	struct document_node *node;
	locate(reader, start);
	int line = reader->line, column = reader->column;
	int e = read_string(reader);
	if (!e)
		e = builder_scalar(reader->builder, text_slice(&reader->text), DOCUMENT_QUOTED, line, column, &node);
	if (!e && (size_t)(reader->at - start) == node->text.length + 2) {
		node->text_line = line;
		node->text_column = column + 1;
		node->text_mapped = true;
	}
	return e;
}

static int add_plain(struct reader *reader, size_t length)
{
	struct document_node *node;
	locate(reader, reader->at);
	int e = builder_scalar(reader->builder, slice_make(reader->at, length), DOCUMENT_PLAIN, reader->line, reader->column, &node);
	if (e)
		return e;
	node->text_line = node->line;
	node->text_column = node->column;
	node->text_mapped = true;
	reader->at += length;
	return 0;
}

static int read_literal(struct reader *reader)
{
	static const char *const literals[] = { "true", "false", "null" };
	struct slice rest = slice_make(reader->at, (size_t)(reader->end - reader->at));
	for (unsigned i = 0; i < sizeof literals / sizeof *literals; i++) {
		if (slice_starts(rest, slice_of(literals[i])))
			return add_plain(reader, strlen(literals[i]));
	}
	return expected(reader, "a value");
}

static int read_value(struct reader *reader);

static int read_key(struct reader *reader)
{
	if (!next_is(reader, '"'))
		return expected(reader, "a key in `\"`");
	int e = add_string(reader);
	if (e)
		return e;
	skip_blanks(reader);
	if (!next_is(reader, ':'))
		return expected(reader, "`:` behind the key");
	reader->at++;
	return 0;
}

/* An object or array at its opening bracket. Recursion ends where builder_open refuses the depth. */
static int read_members(struct reader *reader, enum document_kind kind)
{
	char closing = kind == DOCUMENT_MAPPING ? '}' : ']';
	struct document_node *node;
	locate(reader, reader->at);
	int e = builder_open(reader->builder, kind, reader->line, reader->column, &node);
	if (e)
		return e;
	reader->at++;
	skip_blanks(reader);
	while (!next_is(reader, closing)) {
		e = kind == DOCUMENT_MAPPING ? read_key(reader) : 0;
		if (!e)
			e = read_value(reader);
		if (e)
			return e;
		skip_blanks(reader);
		if (next_is(reader, closing))
			break;
		if (!next_is(reader, ','))
			return expected(reader, kind == DOCUMENT_MAPPING ? "`,` or `}`" : "`,` or `]`");
		reader->at++;
		skip_blanks(reader);
		if (next_is(reader, closing))
			return expected(reader, kind == DOCUMENT_MAPPING ? "a key behind `,`" : "a value behind `,`");
	}
	reader->at++;
	builder_close(reader->builder);
	return 0;
}

static int read_value(struct reader *reader)
{
	skip_blanks(reader);
	if (next_is(reader, '{'))
		return read_members(reader, DOCUMENT_MAPPING);
	if (next_is(reader, '['))
		return read_members(reader, DOCUMENT_SEQUENCE);
	if (next_is(reader, '"'))
		return add_string(reader);
	if (next_is(reader, '-') || is_digit(reader->at, reader->end)) {
		const char *end = number_end(reader->at, reader->end);
		if (!end)
			return refuse(reader, reader->at, "this is not a number as JSON writes it");
		return add_plain(reader, (size_t)(end - reader->at));
	}
	return read_literal(reader);
}

int json_read(struct builder *builder, struct slice bytes)
{
	struct reader reader = {
		.builder = builder,
		.at = bytes.at,
		.end = bytes.at + bytes.length,
		.counted = bytes.at,
		.line = 1,
		.column = 1,
	};
	int e = read_value(&reader);
	if (!e) {
		skip_blanks(&reader);
		if (reader.at < reader.end)
			e = expected(&reader, "the end of the file");
	}
	text_free(&reader.text);
	return e;
}

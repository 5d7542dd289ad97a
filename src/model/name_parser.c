/* SPDX-License-Identifier: Apache-2.0 */
#include "model/name_parser.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	END = -1,     /* no character is left */
	SHOWN = 2000, /* bytes of the text around an error that its message shows, on each side */
};

static int peek(const struct name_parser *parser)
{
	return parser->at < parser->text.length ? (unsigned char)parser->text.at[parser->at] : END;
}

static int out_of_room(struct name_parser *parser)
{
	parser->why = SLICE("out of memory");
	return ERROR_NO_MEMORY;
}

/* "<expected> expected but <found> found at '..[c]..'" */
static int illegal(struct name_parser *parser, const char *expected)
{
	struct slice text = parser->text.at ? parser->text : SLICE("");
	size_t at = parser->at, from = at > SHOWN ? at - SHOWN : 0;
	struct slice before = slice_make(text.at + from, at - from);
	struct slice found = slice_make(text.at + at, at < text.length ? 1 : 0);
	struct slice after = slice_from(text, at + found.length);
	if (after.length > SHOWN)
		after.length = SHOWN;
	const char *quote = found.length ? "'" : "";
	struct slice name = found.length ? found : SLICE("end of input");
	parser->why = arena_format(parser->arena, "%s expected but %s%.*s%s found at '%.*s[%.*s]%.*s'", expected, quote, SLICE_ARGS(name),
		quote, SLICE_ARGS(before), SLICE_ARGS(found), SLICE_ARGS(after));
	return parser->why.at ? ERROR_SYNTAX : out_of_room(parser);
}

static bool maybe_eat(struct name_parser *parser, char c)
{
	if (peek(parser) != (unsigned char)c)
		return false;
	parser->at++;
	return true;
}

static int eat(struct name_parser *parser, char c)
{
	char expected[] = { '\'', c, '\'', '\0' };
	return maybe_eat(parser, c) ? 0 : illegal(parser, expected);
}

static void eat_blanks(struct name_parser *parser)
{
	for (int c = peek(parser); c == ' ' || (c >= '\t' && c <= '\r') || c == '#'; c = peek(parser)) {
		if (c == '#')
			parser->at += slice_find(slice_from(parser->text, parser->at), '\n');
		else
			parser->at++;
	}
}

/* Doubles a list in the arena; what it grew out of stays there unused. */
static void *grow(struct arena *arena, void *list, uint32_t count, uint32_t *capacity, size_t size)
{
	uint32_t larger = *capacity ? *capacity * 2 : 4;
	void *moved = arena_get(arena, larger * size);
	if (moved && count)
		memcpy(moved, list, count * size);
	if (moved)
		*capacity = larger;
	return moved;
}

static bool label_begins(int c)
{
	return c == '\\' || (c != END && path_is_label((char)c));
}

static int hex_digit(struct name_parser *parser, unsigned *byte)
{
	int c = peek(parser);
	unsigned digit;
	if (c >= '0' && c <= '9')
		digit = (unsigned)c - '0';
	else if ((c | 32) >= 'a' && (c | 32) <= 'f')
		digit = (unsigned)(c | 32) - 'a' + 10;
	else
		return illegal(parser, "hex char");
	parser->at++;
	*byte = *byte << 4 | digit;
	return 0;
}

/* Behind a backslash. */
static int escaped_byte(struct name_parser *parser, char *byte)
{
	unsigned value = 0;
	int e = eat(parser, 'x');
	if (!e)
		e = hex_digit(parser, &value);
	if (!e)
		e = hex_digit(parser, &value);
	*byte = (char)value;
	return e;
}

/* A label with escapes; `from` is where it began. */
static int unescape(struct name_parser *parser, size_t from, struct slice *label)
{
	size_t length = 0, longest = from;
	while (longest < parser->text.length && label_begins((unsigned char)parser->text.at[longest]))
		longest++;
	char *bytes = arena_get(parser->arena, longest - from);
	if (!bytes)
		return out_of_room(parser);
	parser->at = from;
	while (label_begins(peek(parser))) {
		if (maybe_eat(parser, '\\')) {
			int e = escaped_byte(parser, &bytes[length++]);
			if (e)
				return e;
		} else {
			bytes[length++] = parser->text.at[parser->at++];
		}
	}
	*label = slice_make(bytes, length);
	return 0;
}

static int parse_label(struct name_parser *parser, struct slice *label)
{
	size_t from = parser->at;
	if (!label_begins(peek(parser)))
		return illegal(parser, "label char");
	while (label_begins(peek(parser))) {
		if (peek(parser) == '\\')
			return unescape(parser, from, label);
		parser->at++;
	}
	*label = slice_make(parser->text.at + from, parser->at - from);
	return 0;
}

/* A path, or with `any` a prefix, in which `*` becomes an empty segment. */
static int parse_segments(struct name_parser *parser, bool any, struct path *path)
{
	struct slice *segments = NULL;
	uint32_t count = 0, capacity = 0;
	eat_blanks(parser);
	int e = eat(parser, '/');
	if (e)
		return e;
	if (label_begins(peek(parser)) || (any && peek(parser) == '*')) {
		do {
			struct slice label = { 0 };
			if (!any || !maybe_eat(parser, '*')) {
				e = parse_label(parser, &label);
				if (e)
					return e;
			}
			if (count == capacity)
				segments = grow(parser->arena, segments, count, &capacity, sizeof *segments);
			if (!segments)
				return out_of_room(parser);
			segments[count++] = label;
		} while (maybe_eat(parser, '/'));
	}
	*path = (struct path){ segments, count };
	return 0;
}

int name_parser_path(struct name_parser *parser, struct path *path)
{
	return parse_segments(parser, false, path);
}

static bool number_begins(int c)
{
	return (c >= '0' && c <= '9') || c == '.';
}

static int parse_number(struct name_parser *parser, double *number)
{
	char digits[NAME_PARSER_NUMBER + 1];
	size_t length = 0;
	bool dot = false;
	for (int c = peek(parser); number_begins(c); c = peek(parser)) {
		if (c == '.' && dot)
			return illegal(parser, "number char");
		dot |= c == '.';
		if (length == NAME_PARSER_NUMBER)
			return illegal(parser, "a shorter weight");
		digits[length++] = (char)c;
		parser->at++;
	}
	digits[length] = '\0';
	*number = strtod(digits, NULL);
	if ((dot && length == 1) || *number >= 1e18) {
		parser->at -= length;
		return illegal(parser, "weight");
	}
	return 0;
}

static int parse_simple(struct name_parser *parser, const struct name_tree **tree)
{
	struct path path;
	int e;
	eat_blanks(parser);
	switch (peek(parser)) {
	case '/':
		e = name_parser_path(parser, &path);
		if (!e && name_tree_leaf(parser->arena, path, tree))
			e = out_of_room(parser);
		return e;
	case '!':
		*tree = &name_tree_fail;
		break;
	case '~':
		*tree = &name_tree_neg;
		break;
	case '$':
		*tree = &name_tree_empty;
		break;
	case '(':
		if (parser->depth == NAME_PARSER_DEPTH) {
			parser->why = SLICE("parentheses are nested too deeply (more than 100)");
			return ERROR_LIMIT;
		}
		parser->at++;
		parser->depth++;
		e = name_parser_tree(parser, tree);
		parser->depth--;
		return e ? e : eat(parser, ')');
	default:
		return illegal(parser, "simple");
	}
	parser->at++;
	return 0;
}

static int parse_share(struct name_parser *parser, struct name_branch *share)
{
	share->weight = 1;
	eat_blanks(parser);
	if (number_begins(peek(parser))) {
		int e = parse_number(parser, &share->weight);
		if (e)
			return e;
		eat_blanks(parser);
		e = eat(parser, '*');
		if (e)
			return e;
	}
	return parse_simple(parser, &share->tree);
}

static int parse_union(struct name_parser *parser, struct name_branch *branch);

/* Branches of `kind` with its separator between them; trees end behind blanks. */
static int parse_branches(struct name_parser *parser, enum name_tree_kind kind, const struct name_tree **tree)
{
	struct name_branch *list = NULL, branch = { 0 };
	uint32_t count = 0, capacity = 0;
	do {
		int e = kind == NAME_TREE_UNION ? parse_share(parser, &branch) : parse_union(parser, &branch);
		if (e)
			return e;
		eat_blanks(parser);
		if (count == capacity)
			list = grow(parser->arena, list, count, &capacity, sizeof *list);
		if (!list)
			return out_of_room(parser);
		list[count++] = branch;
	} while (maybe_eat(parser, kind == NAME_TREE_UNION ? '&' : '|'));
	return name_tree_join(parser->arena, kind, list, count, tree) ? out_of_room(parser) : 0;
}

static int parse_union(struct name_parser *parser, struct name_branch *branch)
{
	branch->weight = 1;
	return parse_branches(parser, NAME_TREE_UNION, &branch->tree);
}

int name_parser_tree(struct name_parser *parser, const struct name_tree **tree)
{
	return parse_branches(parser, NAME_TREE_ALT, tree);
}

static int parse_dentry(struct name_parser *parser, struct dentry *dentry)
{
	dentry->offset = (uint32_t)parser->at;
	dentry->line = 0;
	int e = parse_segments(parser, true, &dentry->prefix);
	if (e)
		return e;
	eat_blanks(parser);
	e = eat(parser, '=');
	if (!e)
		e = eat(parser, '>');
	return e ? e : name_parser_tree(parser, &dentry->tree);
}

int name_parser_dtab(struct name_parser *parser, struct dtab *dtab)
{
	struct dentry *entries = NULL;
	uint32_t count = 0, capacity = 0;
	if (parser->text.length > UINT32_MAX) {
		parser->why = SLICE("a dtab of more than 4 GiB");
		return ERROR_LIMIT;
	}
	do {
		eat_blanks(parser);
		if (peek(parser) == ';' || peek(parser) == END)
			continue;
		if (count == capacity)
			entries = grow(parser->arena, entries, count, &capacity, sizeof *entries);
		if (!entries)
			return out_of_room(parser);
		int e = parse_dentry(parser, &entries[count]);
		if (e)
			return e;
		count++;
		eat_blanks(parser);
	} while (maybe_eat(parser, ';'));
	*dtab = (struct dtab){ entries, count };
	return 0;
}

int name_parser_end(struct name_parser *parser)
{
	eat_blanks(parser);
	return peek(parser) == END ? 0 : illegal(parser, "end of input");
}

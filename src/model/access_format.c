/* SPDX-License-Identifier: Apache-2.0 */
#include "model/access_format.h"

#include "doc/suggest.h"

enum {
	MOST_LINE = 4095, /* without its newline */
	MOST_VALUE = 2048,
	USUAL_VALUE = 1024, /* unless there are many */
	MOST_PARTS = 256,
};

/* Values that nobody else chooses have a length of their own; the others (0) share what is left. */
static const struct operation {
	const char *name;
	enum access_field field;
	uint16_t length;
	bool takes_header;
} operators[] = {
	{ "START_TIME", ACCESS_START_TIME, sizeof "2026-11-26T18:22:19.123Z", false },
	{ "PROTOCOL", ACCESS_PROTOCOL, sizeof "HTTP/1.1", false },
	{ "REQ", ACCESS_REQUEST, 0, true },
	{ "RESP", ACCESS_RESPONSE, 0, true },
	{ "RESPONSE_CODE", ACCESS_RESPONSE_CODE, 20, false },
	{ "RESPONSE_DURATION", ACCESS_RESPONSE_DURATION, 20, false },
	{ "ENDPOINT_DURATION_US", ACCESS_ENDPOINT_DURATION, 20, false },
	{ "UPSTREAM_REQUEST_ATTEMPT_COUNT", ACCESS_ATTEMPTS, 20, false },
	{ "UPSTREAM_HOST", ACCESS_ENDPOINT, 64, false },
	{ "DOWNSTREAM_REMOTE_ADDRESS", ACCESS_CALLER, 64, false },
	{ "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", ACCESS_CALLER_IP, 64, false },
	{ "DOWNSTREAM_REMOTE_PORT", ACCESS_CALLER_PORT, 20, false },
	{ "DOWNSTREAM_PEER_URI_SAN", ACCESS_CALLER_ID, 0, false },
	{ "DOWNSTREAM_LOCAL_ADDRESS", ACCESS_LISTENER, 64, false },
	{ "ROUTER", ACCESS_ROUTER, 0, false },
	{ "SERVICE", ACCESS_SERVICE, 0, false },
	{ "UPSTREAM_CLUSTER", ACCESS_CLIENT, 0, false },
	{ "TRACE_ID", ACCESS_TRACE_ID, 32, false },
	{ "SPAN_ID", ACCESS_SPAN_ID, 16, false },
};

enum { OPERATORS = sizeof operators / sizeof *operators };

struct parser {
	struct slice text;
	size_t at;
	struct arena *arena;
	struct slice why;
	struct access_part *parts;
	unsigned count;
};

static int fail(struct parser *parser, size_t at, struct slice why)
{
	parser->at = at;
	parser->why = why.at ? why : SLICE("is too long to be told what is wrong with it");
	return ERROR_SYNTAX;
}

static struct slice names_of_operators(struct arena *arena)
{
	struct slice all = slice_of(operators[0].name);

	for (unsigned i = 1; i < OPERATORS && all.at; i++)
		all = arena_format(arena, "%.*s, %s", SLICE_ARGS(all), operators[i].name);
	return all;
}

static int unknown_operator(struct parser *parser, size_t at, struct slice name)
{
	const char *names[OPERATORS + 1] = { NULL };
	const char *meant = NULL;
	struct slice all;

	for (unsigned i = 0; i < OPERATORS; i++)
		names[i] = operators[i].name;
	if (suggest_name(name, names, &meant) != SUGGEST_NONE)
		return fail(
			parser, at, arena_format(parser->arena, "unknown operator `%.*s`; did you mean `%s`?", SLICE_ARGS(name), meant));
	all = names_of_operators(parser->arena);
	return fail(parser, at,
		arena_format(parser->arena, "unknown operator `%.*s`; there is %.*s (`%%%%` is a percent sign)", SLICE_ARGS(name),
			SLICE_ARGS(all)));
}

static const struct operation *find_operator(struct slice name)
{
	for (unsigned i = 0; i < OPERATORS; i++)
		if (slice_equal(name, slice_of(operators[i].name)))
			return &operators[i];
	return NULL;
}

/* ---- headers ---- */

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.length; i++) {
		char c = name.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && !memchr("!#$&'*+-.^_`|~", c, 14))
			return false;
	}
	return name.length > 0;
}

static bool read_pseudo(struct slice name, struct access_header *header)
{
	static const struct {
		const char *name;
		enum access_source source;
	} pseudo[] = {
		{ ":method", ACCESS_METHOD },
		{ ":path", ACCESS_PATH },
		{ ":authority", ACCESS_AUTHORITY },
		{ ":scheme", ACCESS_SCHEME },
		{ "host", ACCESS_AUTHORITY },
	};

	for (unsigned i = 0; i < sizeof pseudo / sizeof *pseudo; i++) {
		if (slice_equal_nocase(name, slice_of(pseudo[i].name))) {
			*header = (struct access_header){ .source = pseudo[i].source, .name = name };
			return true;
		}
	}
	return false;
}

static int read_header(struct parser *parser, const struct operation *operation, struct slice name, struct access_header *header)
{
	size_t at = (size_t)(name.at - parser->text.at);

	if (operation->field == ACCESS_REQUEST && read_pseudo(name, header))
		return 0;
	if (!is_name(name))
		return fail(parser, at,
			operation->field == ACCESS_REQUEST
				? arena_format(parser->arena, "`%.*s` is neither a header's name nor :METHOD, :PATH, :AUTHORITY or :SCHEME",
					  SLICE_ARGS(name))
				: arena_format(parser->arena, "`%.*s` is not a header's name", SLICE_ARGS(name)));
	*header = (struct access_header){ .source = ACCESS_HEADER, .id = field_identify(name), .name = name };
	return 0;
}

/* "(NAME)" or "(NAME?NAME)" at the front of *rest. */
static int read_headers(struct parser *parser, const struct operation *operation, struct slice *rest, struct access_part *part)
{
	size_t at = (size_t)(rest->at - parser->text.at), end = slice_find(*rest, ')');
	struct slice first, second;
	int e;

	if (!slice_starts(*rest, SLICE("(")) || end == rest->length)
		return fail(parser, at, arena_format(parser->arena, "`%s` needs a header: %%%s(NAME)%%", operation->name, operation->name));
	first = slice_make(rest->at + 1, end - 1);
	*rest = slice_from(*rest, end + 1);
	second = slice_from(first, slice_find(first, '?'));
	first.length -= second.length;
	e = read_header(parser, operation, first, &part->header);
	if (e || !second.length)
		return e;
	return read_header(parser, operation, slice_from(second, 1), &part->otherwise);
}

/* ---- parts ---- */

static struct access_part *add_part(struct parser *parser, enum access_field field)
{
	struct access_part *part = &parser->parts[parser->count++];

	*part = (struct access_part){ .field = field };
	return part;
}

/* Behind the name and the header: ":100", or nothing. */
static int read_most(struct parser *parser, const struct operation *operation, struct slice rest, struct access_part *part)
{
	size_t at = (size_t)(rest.at - parser->text.at);
	uint64_t most = operation->length;

	if (slice_starts(rest, SLICE("(")))
		return fail(parser, at, arena_format(parser->arena, "`%s` takes no header", operation->name));
	if (rest.length &&
		(rest.at[0] != ':' || operation->length || slice_to_u64(slice_from(rest, 1), MOST_VALUE, &most) ||
			most < ACCESS_LEAST_VALUE))
		return fail(parser, at,
			operation->length ? arena_format(parser->arena, "`%.*s` behind `%s`: there is nothing to be cut", SLICE_ARGS(rest),
						    operation->name)
					  : arena_format(parser->arena, "`%.*s` behind `%s` is not `:` and how many bytes, from %d to %d",
						    SLICE_ARGS(rest), operation->name, ACCESS_LEAST_VALUE, MOST_VALUE));
	part->most = (uint16_t)most;
	return 0;
}

/* At a percent sign that begins an operator. */
static int read_operator(struct parser *parser)
{
	size_t begin = parser->at, name_length = 0;
	struct slice rest = slice_from(parser->text, begin + 1), name;
	size_t end = slice_find(rest, '%');
	const struct operation *operation;
	struct access_part *part;
	int e = 0;

	if (end == rest.length)
		return fail(parser, begin, SLICE("an operator begins here and has no `%` at its end; a percent sign is written `%%`"));
	rest.length = end;
	while (name_length < rest.length && rest.at[name_length] != '(' && rest.at[name_length] != ':')
		name_length++;
	name = slice_make(rest.at, name_length);
	rest = slice_from(rest, name_length);
	operation = find_operator(name);
	if (!operation)
		return unknown_operator(parser, begin, name);
	part = add_part(parser, operation->field);
	if (operation->takes_header)
		e = read_headers(parser, operation, &rest, part);
	if (!e)
		e = read_most(parser, operation, rest, part);
	if (e)
		return e;
	parser->at = begin + end + 2;
	part->end = parser->at < parser->text.length ? parser->text.at[parser->at] : '\n';
	part->text = slice_make(parser->text.at + begin, end + 2);
	return 0;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Text up to the next operator; "%%" ends a part behind its first sign. */
static int read_text(struct parser *parser)
{
	size_t begin = parser->at;

	while (parser->at < parser->text.length) {
		char c = parser->text.at[parser->at];

		if ((unsigned char)c < ' ' || c == 0x7f)
			return fail(parser, parser->at, SLICE("a format is one line without control characters"));
		if (c == '%')
			break;
		parser->at++;
	}
	if (slice_starts(slice_from(parser->text, parser->at), SLICE("%%"))) {
		add_part(parser, ACCESS_TEXT)->text = slice_make(parser->text.at + begin, parser->at + 1 - begin);
		parser->at += 2;
	} else if (parser->at > begin) {
		add_part(parser, ACCESS_TEXT)->text = slice_make(parser->text.at + begin, parser->at - begin);
	}
	return 0;
}

static int read_parts(struct parser *parser)
{
	while (parser->at < parser->text.length) {
		struct slice rest = slice_from(parser->text, parser->at);
		int e;

		if (parser->count == MOST_PARTS)
			return fail(parser, parser->at, arena_format(parser->arena, "a format has at most %d parts", MOST_PARTS));
		e = rest.at[0] == '%' && !slice_starts(rest, SLICE("%%")) ? read_operator(parser) : read_text(parser);
		if (e)
			return e;
	}
	return 0;
}

/* ---- what only the whole format shows ---- */

/* Whose length is not its own is what somebody else may choose. */
static bool is_chosen(const struct access_part *part)
{
	for (unsigned i = 0; i < OPERATORS; i++)
		if (operators[i].field == part->field)
			return operators[i].length == 0;
	return false;
}

static int check_ends(struct parser *parser)
{
	for (unsigned i = 0; i < parser->count; i++) {
		const struct access_part *part = &parser->parts[i];
		size_t at = (size_t)(part->text.at - parser->text.at);

		if (is_chosen(part) && (part->end == '%' || part->end == '\\' || is_letter_or_digit(part->end)))
			return fail(parser, at,
				arena_format(parser->arena,
					"`%.*s` is followed by `%c`: a value that callers choose needs a blank, a quote or another sign "
					"behind "
					"it, at which it ends",
					SLICE_ARGS(part->text), part->end));
	}
	return 0;
}

/* Those without a length of their own share what is left of a line. */
static int share_room(struct parser *parser)
{
	size_t fixed = 0;
	unsigned open = 0;
	size_t each = USUAL_VALUE;

	for (unsigned i = 0; i < parser->count; i++) {
		const struct access_part *part = &parser->parts[i];

		fixed += part->field == ACCESS_TEXT ? part->text.length : part->most;
		open += part->field != ACCESS_TEXT && !part->most;
	}
	if (fixed + open * ACCESS_LEAST_VALUE > MOST_LINE)
		return ERROR_LIMIT;
	if (open && (MOST_LINE - fixed) / open < each)
		each = (MOST_LINE - fixed) / open;
	for (unsigned i = 0; i < parser->count; i++)
		if (parser->parts[i].field != ACCESS_TEXT && !parser->parts[i].most)
			parser->parts[i].most = (uint16_t)each;
	return 0;
}

int access_format_parse(struct slice text, struct arena *arena, struct access_format *format, struct slice *why, uint32_t *offset)
{
	struct parser parser = { .text = text, .arena = arena };
	int e;

	parser.parts = arena_get(arena, MOST_PARTS * sizeof *parser.parts);
	if (!parser.parts)
		return ERROR_NO_MEMORY;
	e = read_parts(&parser);
	if (!e)
		e = check_ends(&parser);
	if (!e)
		e = share_room(&parser);
	*why = e == ERROR_LIMIT ? SLICE("lines would be longer than 4096 bytes") : parser.why;
	*offset = e == ERROR_LIMIT ? 0 : (uint32_t)parser.at;
	*format = (struct access_format){ parser.parts, parser.count };
	return e;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Heads are parsed in one pass, line by line; what was parsed stays parsed when the rest is still missing. The limits cut what
 * the parser sees: a line that is good so far but goes on behind the cut is too long. */
#include "wire/http1_parse.h"

enum {
	DEFAULT_LINE_BYTES = 4096,
	DEFAULT_HEAD_BYTES = 8192,
	MOST_BYTES = 65536,   /* a value begins before that: struct field's offsets are 16 bits wide */
	MOST_EMPTY_LINES = 4, /* before a request line (RFC 9112 section 2.2 asks for one at least) */
};

#define BIT(id) (UINT64_C(1) << (id))

/* Fields that say something to the codec itself. */
static const uint64_t noted = BIT(FIELD_HOST) | BIT(FIELD_CONTENT_LENGTH) | BIT(FIELD_CONNECTION) | BIT(FIELD_EXPECT);

static const char line_too_long[] = "the first line is too long";
static const char bad_line_end[] = "bare CR or LF";

static uint32_t limit(uint32_t wanted, uint32_t otherwise, uint32_t most)
{
	if (wanted == 0)
		return otherwise;
	return wanted < most ? wanted : most;
}

void http1_parser_init(struct http1_parser *parser, const struct http1_limits *limits)
{
	*parser = (struct http1_parser){
		.limits = {
			.max_line_bytes = limit(limits->max_line_bytes, DEFAULT_LINE_BYTES, MOST_BYTES),
			.max_head_bytes = limit(limits->max_head_bytes, DEFAULT_HEAD_BYTES, MOST_BYTES),
			.max_fields = limit(limits->max_fields, HEAD_MAX_FIELDS, HEAD_MAX_FIELDS),
		},
	};
}

void http1_parser_restart(struct http1_parser *parser)
{
	parser->base = NULL;
	parser->at = 0;
	parser->in_fields = false;
}

int http1_refuse(struct http1_parser *parser, unsigned status, const char *reason)
{
	parser->status = (uint16_t)status;
	parser->reason = reason;
	return ERROR_SYNTAX;
}

/* Everything but the fields themselves, which are 3 KiB. */
static void clear(struct head *head, bool is_response)
{
	memset(head, 0, offsetof(struct head, fields));
	head->is_response = is_response;
}

static void begin(struct http1_parser *parser, const char *bytes, struct head *head, bool is_response)
{
	if (parser->base == bytes)
		return;
	http1_parser_restart(parser);
	parser->base = bytes;
	clear(head, is_response);
}

/* Cuts what a line or a section may see of the bytes. */
static const char *visible(const char *p, const char *end, size_t most, bool *cut)
{
	*cut = (size_t)(end - p) > most;
	return *cut ? p + most : end;
}

const char http1_not_http[] = "this is not HTTP";

static const char bad_version[] = "bad protocol version";

/* HTTP-version (RFC 9112 section 2.3). Minor versions above 1 are 1.1 to us (RFC 9110 section 2.5). */
static int parse_version(struct http1_parser *parser, const char **at, const char *end, struct head *head)
{
	static const char form[] = "HTTP/d.d";
	const char *p = *at;

	if (end - p >= 8 && memcmp(p, "HTTP/1.1", 8) == 0) {
		head->version = VERSION_1_1;
		*at = p + 8;
		return 0;
	}
	for (size_t i = 0; i < sizeof form - 1; i++, p++) {
		if (p == end)
			return ERROR_INCOMPLETE;
		if (form[i] == 'd' ? !http1_is(*p, HTTP1_DIGIT) : *p != form[i])
			return http1_refuse(parser, 400, bad_version);
	}
	if (p[-3] != '1')
		return http1_refuse(parser, 505, "unknown protocol version");
	head->version = p[-1] == '0' ? VERSION_1_0 : VERSION_1_1;
	*at = p;
	return 0;
}

static int parse_line_end(struct http1_parser *parser, const char **at, const char *end)
{
	int e;

	if (*at == end)
		return ERROR_INCOMPLETE;
	if (**at != '\r')
		return http1_refuse(parser, 400, **at == '\n' ? bad_line_end : "bad end of the first line");
	e = http1_line_end(*at, end);
	if (e == ERROR_SYNTAX)
		return http1_refuse(parser, 400, bad_line_end);
	if (e == 0)
		*at += 2;
	return e;
}

static int parse_method(struct http1_parser *parser, const char **at, const char *end, struct head *head)
{
	const char *p = http1_scan_token(*at, *at, end);

	if (p == end)
		return ERROR_INCOMPLETE;
	if (*p != ' ' || p == *at)
		return http1_refuse(parser, 400, "bad method");
	head->method_text = slice_make(*at, (size_t)(p - *at));
	head->method = (uint8_t)method_identify(head->method_text);
	*at = p + 1;
	return 0;
}

/* request-line = method SP request-target SP HTTP-version CRLF (RFC 9112 section 3) */
static int parse_request_line(struct http1_parser *parser, const char **at, const char *end, struct head *head)
{
	const char *p = *at, *target, *reason;
	struct slice text;
	int e;

	e = parse_method(parser, &p, end, head);
	if (e)
		return e;
	target = p;
	p = http1_scan_target(*at, p, end);
	if (p == end)
		return ERROR_INCOMPLETE;
	if (*p != ' ' || p == target)
		return http1_refuse(parser, 400, *p == '#' ? "fragment in the request target" : "bad request target");
	text = slice_make(target, (size_t)(p - target));
	p++;
	if (end - p >= 10 && memcmp(p, "HTTP/1.1\r\n", 10) == 0) {
		head->version = VERSION_1_1;
		p += 10;
	} else {
		e = parse_version(parser, &p, end, head);
		if (e == 0)
			e = parse_line_end(parser, &p, end);
		else if (e == ERROR_SYNTAX && parser->reason == bad_version && http1_target(head, text))
			e = http1_refuse(parser, 400, http1_not_http);
		if (e)
			return e;
	}
	reason = http1_target(head, text);
	if (reason)
		return http1_refuse(parser, 400, reason);
	*at = p;
	return 0;
}

/* SP status-code, of three digits and not below 100 */
static int parse_status(struct http1_parser *parser, const char **at, const char *end, struct head *head)
{
	static const char lowest[] = " 100", highest[] = " 999";
	const char *p = *at;
	unsigned status = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (p + i == end)
			return ERROR_INCOMPLETE;
		if (p[i] < lowest[i] || p[i] > highest[i])
			return http1_refuse(parser, 400, "bad status");
		status = status * 10 + (unsigned)(p[i] - lowest[i]);
	}
	head->status = (uint16_t)(status + 100);
	*at = p + 4;
	return 0;
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ] CRLF (RFC 9112 section 4). The second space is often left out
 * together with the phrase, and means nothing. */
static int parse_status_line(struct http1_parser *parser, const char **at, const char *end, struct head *head)
{
	const char *p = *at, *start;
	int e;

	e = parse_version(parser, &p, end, head);
	if (e)
		return e;
	e = parse_status(parser, &p, end, head);
	if (e)
		return e;
	if (p < end && *p == ' ') {
		start = ++p;
		p = http1_scan_value(*at, p, end);
		head->reason = slice_make(start, (size_t)(p - start));
	} else {
		head->reason = slice_make(p, 0);
	}
	e = parse_line_end(parser, &p, end);
	if (e == 0)
		*at = p;
	return e;
}

/* RFC 9112 section 2.2 */
static int skip_empty_lines(struct http1_parser *parser, const char **at, const char *end)
{
	for (unsigned lines = 0; *at < end && **at == '\r'; lines++) {
		int e = lines < MOST_EMPTY_LINES ? http1_line_end(*at, end) : ERROR_SYNTAX;

		if (e)
			return e == ERROR_SYNTAX ? http1_refuse(parser, 400, "bad empty line before the request") : e;
		*at += 2;
	}
	return 0;
}

static int parse_first_line(struct http1_parser *parser, const char *bytes, size_t length, struct head *head)
{
	const char *p = bytes, *line, *end = bytes + length;
	bool cut;
	int e;

	if (!head->is_response) {
		e = skip_empty_lines(parser, &p, end);
		if (e)
			return e;
	}
	line = p;
	end = visible(p, end, parser->limits.max_line_bytes + 2, &cut);
	e = head->is_response ? parse_status_line(parser, &p, end, head) : parse_request_line(parser, &p, end, head);
	if (e == ERROR_INCOMPLETE && cut) {
		bool in_method = !memchr(line, ' ', (size_t)(end - line));

		return http1_refuse(parser, in_method ? 400 : 414, line_too_long);
	}
	if (e)
		return e;
	parser->at = (uint32_t)(p - bytes);
	parser->in_fields = true;
	return 0;
}

/* RFC 9110 section 7.6.1. An element that is none of these names a field, or nothing. */
static void note_connection(struct head *head, struct slice option)
{
	switch (option.length) {
	case 5:
		head->closes |= slice_equal_nocase(option, SLICE("close"));
		break;
	case 7:
		head->upgrades |= slice_equal_nocase(option, SLICE("upgrade"));
		break;
	case 10:
		head->keeps_alive |= slice_equal_nocase(option, SLICE("keep-alive"));
		break;
	default:
		break;
	}
}

static void note_connections(struct head *head, struct slice list)
{
	struct slice option;

	while (slice_split(&list, ',', &option))
		note_connection(head, slice_trim(option));
}

/* What is to be known of a field at once, be it only that it has no business to be there twice. */
static int note(struct http1_parser *parser, struct head *head, const struct field *field)
{
	struct slice value = field_value(field);

	switch (field->id) {
	case FIELD_HOST:
		if (head->is_response)
			break;
		if (head->has_host)
			return http1_refuse(parser, 400, "more than one Host field");
		if (!http1_valid_authority_in(parser->base, value))
			return http1_refuse(parser, 400, "bad Host field");
		head->has_host = true;
		if (!head->absolute_form && head->method != METHOD_CONNECT)
			head->authority = value;
		break;
	case FIELD_CONTENT_LENGTH:
		if (head_has(head, FIELD_CONTENT_LENGTH))
			return http1_refuse(parser, 400, "more than one Content-Length field");
		if (!http1_decimal(value, &head->body_length))
			return http1_refuse(parser, 400, "bad Content-Length field");
		break;
	case FIELD_CONNECTION:
		note_connections(head, value);
		break;
	case FIELD_EXPECT:
		head->expects_continue = slice_equal_nocase(value, SLICE("100-continue"));
		break;
	default:
		break;
	}
	return 0;
}

/* Field lines from parser->at up to and with the empty one. parser->at is then behind the last whole line. */
static int parse_lines(struct http1_parser *parser, const char *p, const char *end, struct head *head)
{
	const char *base = parser->base, *next, *reason;
	size_t count = head->field_count, most = parser->limits.max_fields;
	int e = ERROR_INCOMPLETE;

	for (; p < end && *p != '\r'; p = next) {
		struct field *field;

		if (count >= most)
			return http1_refuse(parser, 431, "too many fields");
		field = &head->fields[count];
		next = http1_field_line(base, p, end, field, &reason);
		if (!next) {
			e = reason ? http1_refuse(parser, 400, reason) : ERROR_INCOMPLETE;
			break;
		}
		if ((noted & BIT(field->id)) && note(parser, head, field))
			return ERROR_SYNTAX;
		head->present |= BIT(field->id);
		head->field_count = (uint16_t)++count;
	}
	if (p < end && *p == '\r') {
		e = http1_line_end(p, end);
		if (e == 0)
			p += 2;
		if (e == ERROR_SYNTAX)
			http1_refuse(parser, 400, bad_line_end);
	}
	parser->at = (uint32_t)(p - base);
	return e;
}

static int parse_fields(struct http1_parser *parser, const char *bytes, size_t length, struct head *head)
{
	const char *end;
	bool cut;
	int e;

	end = visible(bytes + parser->fields_at, bytes + length, parser->limits.max_head_bytes, &cut);
	e = parse_lines(parser, bytes + parser->at, end, head);
	if (e == ERROR_INCOMPLETE && cut)
		return http1_refuse(parser, 431, "the fields are too long");
	head->present &= ~BIT(FIELD_OTHER);
	return e;
}

/* Makes room for the slash in `http://world?x` by moving the authority over one of those before it. */
static void insert_slash(char *bytes, struct head *head)
{
	char *authority = bytes + (head->authority.at - bytes);

	memmove(authority - 1, authority, head->authority.length);
	head->authority.at--;
	authority[head->authority.length - 1] = '/';
	head->target.at--;
	head->target.length++;
}

static int finish_request(struct http1_parser *parser, char *bytes, struct head *head)
{
	int e;

	if (!head->has_host && head->version == VERSION_1_1)
		return http1_refuse(parser, 400, "no Host field");
	e = http1_framing(parser, head);
	if (e)
		return e;
	if (head->method == METHOD_CONNECT && head->body != BODY_NONE)
		return http1_refuse(parser, 400, "CONNECT with a body");
	head->expects_continue &= head->version == VERSION_1_1;
	if (head->target.at[0] == '?')
		insert_slash(bytes, head);
	return 0;
}

static int finish_response(struct http1_parser *parser, enum method request_method, struct head *head)
{
	unsigned status = head->status;
	int e = http1_framing(parser, head);

	if (e)
		return e;
	head->expects_continue = false;
	if (status < 200 || status == 204 || status == 304 || request_method == METHOD_HEAD ||
		(request_method == METHOD_CONNECT && status < 300)) {
		head->body = BODY_NONE;
		head->body_length = 0;
	}
	return 0;
}

/* Both kinds of message, up to what distinguishes them. */
static int parse_head(struct http1_parser *parser, char *bytes, size_t length, struct head *head, bool is_response)
{
	int e;

	if (length == 0)
		return ERROR_INCOMPLETE;
	begin(parser, bytes, head, is_response);
	if (!parser->in_fields) {
		e = parse_first_line(parser, bytes, length, head);
		if (e)
			return e;
		parser->fields_at = parser->at;
	}
	e = parse_fields(parser, bytes, length, head);
	if (e)
		return e;
	head->upgrades &= head_has(head, FIELD_UPGRADE) && head->version == VERSION_1_1;
	return 0;
}

static int finish(struct http1_parser *parser, int e, size_t *consumed)
{
	*consumed = e ? 0 : parser->at;
	if (e != ERROR_INCOMPLETE)
		http1_parser_restart(parser);
	return e;
}

int http1_parse_request(struct http1_parser *parser, char *bytes, size_t length, struct head *head, size_t *consumed)
{
	int e;

	e = parse_head(parser, bytes, length, head, false);
	if (e == 0)
		e = finish_request(parser, bytes, head);
	return finish(parser, e, consumed);
}

int http1_parse_response(
	struct http1_parser *parser, char *bytes, size_t length, enum method request_method, struct head *head, size_t *consumed)
{
	int e;

	e = parse_head(parser, bytes, length, head, true);
	if (e == 0)
		e = finish_response(parser, request_method, head);
	/* Whatever is wrong with a response, to our own client it's a bad gateway (RFC 9110 section 15.6.3). */
	if (e == ERROR_SYNTAX)
		parser->status = 502;
	return finish(parser, e, consumed);
}

int http1_match_preface(struct slice bytes)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	size_t length = bytes.length < sizeof preface - 1 ? bytes.length : sizeof preface - 1;

	if (length > 0 && memcmp(bytes.at, preface, length) != 0)
		return ERROR_NOT_FOUND;
	return length == sizeof preface - 1 ? 0 : ERROR_INCOMPLETE;
}

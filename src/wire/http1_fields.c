/* SPDX-License-Identifier: Apache-2.0 */
/* Field lines, what they say about the body, and trailer sections. */
#include "wire/http1_parse.h"

#define BIT(id) (UINT64_C(1) << (id))

/* Why a line is none, at the byte that does not belong. */
static const char *bad_name(const char *line, const char *p)
{
	if (http1_is_blank(*p))
		return p == line ? "folded field line" : "blank before a field's colon";
	if (*p == ':')
		return "field without a name";
	if (*p == '\r' || *p == '\n')
		return "field line without a colon";
	return "bad character in a field's name";
}

const char *http1_bad_field(const char *line, const char *p, bool in_value)
{
	if (!in_value)
		return bad_name(line, p);
	if (*p == '\r' || *p == '\n')
		return "bare CR or LF";
	return *p == '\0' ? "NUL in a field's value" : "control character in a field's value";
}

bool http1_decimal(struct slice digits, uint64_t *value)
{
	enum { MOST_DIGITS = 19 };
	uint64_t sum = 0;

	if (digits.length == 0 || digits.length > MOST_DIGITS)
		return false;
	for (size_t i = 0; i < digits.length; i++) {
		if (!http1_is(digits.at[i], HTTP1_DIGIT))
			return false;
		sum = sum * 10 + (uint64_t)(digits.at[i] - '0');
	}
	*value = sum;
	return sum <= INT64_MAX;
}

/* What an answer says to a coding that is not "chunked" alone, in one field (RFC 9112 section 6.1). */
static int refuse_coding(struct http1_parser *parser, struct slice list)
{
	struct slice coding;

	while (slice_split(&list, ',', &coding)) {
		const char *end;

		coding = slice_trim(coding);
		end = coding.at + coding.length;
		if (coding.length == 0 || http1_scan_token(coding.at, coding.at, end) == coding.at)
			return http1_refuse(parser, 400, "bad Transfer-Encoding field");
		if (!slice_equal_nocase(coding, SLICE("chunked")))
			return http1_refuse(parser, 501, "transfer coding other than chunked");
	}
	return http1_refuse(parser, 400, "chunked more than once");
}

int http1_framing(struct http1_parser *parser, struct head *head)
{
	const struct field *coding;

	if (!head_has(head, FIELD_TRANSFER_ENCODING)) {
		if (head_has(head, FIELD_CONTENT_LENGTH))
			head->body = head->body_length > 0 ? BODY_LENGTH : BODY_NONE;
		else
			head->body = head->is_response ? BODY_UNTIL_CLOSE : BODY_NONE;
		return 0;
	}
	if (head_has(head, FIELD_CONTENT_LENGTH))
		return http1_refuse(parser, 400, "both Content-Length and Transfer-Encoding");
	if (head->version == VERSION_1_0)
		return http1_refuse(parser, 400, "Transfer-Encoding in an HTTP/1.0 message");
	coding = head_find(head, FIELD_TRANSFER_ENCODING);
	if (!slice_equal_nocase(field_value(coding), SLICE("chunked")))
		return refuse_coding(parser, field_value(coding));
	if (head_find_next(head, coding))
		return http1_refuse(parser, 400, "more than one Transfer-Encoding field");
	head->body = BODY_CHUNKED;
	return 0;
}

/* Whether a response carries framing that its status forbids (RFC 9112 section 6.3): who sends it may also send that body. */
static bool has_forbidden_framing(const struct head *head)
{
	uint64_t length;

	if (!head->is_response || (head->status >= 200 && head->status != 204))
		return false;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (field->id == FIELD_TRANSFER_ENCODING)
			return true;
		if (field->id == FIELD_CONTENT_LENGTH && (!http1_decimal(field_value(field), &length) || length > 0))
			return true;
	}
	return false;
}

bool http1_persistent(const struct head *head)
{
	if (head->closes || head->body == BODY_UNTIL_CLOSE || has_forbidden_framing(head))
		return false;
	/* A proxy must not believe in the keep-alive of HTTP/1.0 requests, which may have come through another that doesn't
	 * know it (RFC 9112 section 9.3 and appendix C.2.2). */
	if (head->version == VERSION_1_0)
		return head->keeps_alive && !head->absolute_form;
	return true;
}

/* RFC 9110 section 6.5.1: framing, routing, request modifiers, authentication, response control, and content's format. */
bool http1_forbidden_in_trailers(const struct field *field)
{
	static const uint64_t by_id = BIT(FIELD_CONNECTION) | BIT(FIELD_CONTENT_LENGTH) | BIT(FIELD_CONTENT_TYPE) | BIT(FIELD_COOKIE) |
		BIT(FIELD_DATE) | BIT(FIELD_EXPECT) | BIT(FIELD_FORWARDED) | BIT(FIELD_HOST) | BIT(FIELD_HTTP2_SETTINGS) |
		BIT(FIELD_KEEP_ALIVE) | BIT(FIELD_LOCATION) | BIT(FIELD_MAX_FORWARDS) | BIT(FIELD_PROXY_AUTHENTICATE) |
		BIT(FIELD_PROXY_AUTHORIZATION) | BIT(FIELD_PROXY_CONNECTION) | BIT(FIELD_RETRY_AFTER) | BIT(FIELD_TE) | BIT(FIELD_TRAILER) |
		BIT(FIELD_TRANSFER_ENCODING) | BIT(FIELD_UPGRADE) | BIT(FIELD_VIA) | BIT(FIELD_X_FORWARDED_CLIENT_CERT) |
		BIT(FIELD_X_FORWARDED_FOR) | BIT(FIELD_X_FORWARDED_PROTO);
	static const char others[][20] = { "age", "authorization", "cache-control", "content-encoding", "content-range", "expires",
		"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "pragma", "range", "set-cookie",
		"vary", "warning", "www-authenticate" };
	struct slice name = field_name(field);

	if (by_id & BIT(field->id))
		return true;
	if (name.length >= 4 && slice_equal_nocase(slice_make(name.at, 4), SLICE("l5d-")))
		return true;
	for (size_t i = 0; field->id == FIELD_OTHER && i < sizeof others / sizeof *others; i++) {
		if (slice_equal_nocase(name, slice_of(others[i])))
			return true;
	}
	return false;
}

/* One pass over all of it, again with each call: trailers are rare, short, and mostly arrive whole. */
int http1_parse_trailers(struct http1_parser *parser, const char *bytes, size_t length, struct field *room, unsigned capacity,
	struct fields *trailers, size_t *consumed)
{
	const char *p = bytes, *end = bytes + length, *reason;
	unsigned count = 0, kept = 0;
	struct field field;
	int e;

	*consumed = 0;
	if (length > parser->limits.max_head_bytes)
		end = bytes + parser->limits.max_head_bytes;
	for (;;) {
		if (p < end && *p == '\r') {
			e = http1_line_end(p, end);
			reason = "bare CR or LF";
			if (e == 0)
				break;
		} else {
			p = http1_field_line(bytes, p, end, &field, &reason);
			e = p ? 0 : reason ? ERROR_SYNTAX : ERROR_INCOMPLETE;
		}
		if (e == ERROR_SYNTAX)
			return http1_refuse(parser, 400, reason);
		if (e == ERROR_INCOMPLETE && end < bytes + length)
			return http1_refuse(parser, 431, "the trailers are too long");
		if (e)
			return e;
		if (++count > parser->limits.max_fields)
			return http1_refuse(parser, 431, "too many trailers");
		if (http1_forbidden_in_trailers(&field))
			continue;
		if (kept == capacity)
			return http1_refuse(parser, 431, "too many trailers");
		room[kept++] = field;
	}
	*trailers = (struct fields){ .count = (uint16_t)kept, .at = room };
	*consumed = (size_t)(p + 2 - bytes);
	return 0;
}

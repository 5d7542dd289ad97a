/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http1_parse.h: what the files of the HTTP/1 codec share with each other, and with HTTP/2's.
 *
 * Functions that look at bytes which may still be incomplete answer ERROR_INCOMPLETE only if no byte so far is wrong, so that
 * a message is refused for the same reason however it arrives in pieces.
 */
#ifndef WIRE_HTTP1_PARSE_H
#define WIRE_HTTP1_PARSE_H

#include "wire/http1.h"
#include "wire/http1_scan.h"

/* Sets parser->status and ->reason. ERROR_SYNTAX. */
int http1_refuse(struct http1_parser *parser, unsigned status, const char *reason);

/* Why the byte at `p` may not be where it is, in a field line that begins at `line`. */
const char *http1_bad_field(const char *line, const char *p, bool in_value);

/* field-line = field-name ":" OWS field-value OWS CRLF (RFC 9112 section 5), at `p`; the empty line is none. Bytes are readable
 * from `from` on. Where the next line begins; or NULL, and *reason is why, or NULL if the line is good but not whole. Inline
 * because this is where a proxy spends its time. */
static inline const char *http1_field_line(const char *from, const char *p, const char *end, struct field *field, const char **reason)
{
	const char *line = p, *colon, *value, *value_end;

	*reason = NULL;
	colon = http1_scan_token(from, p, end);
	if (__builtin_expect(colon == end, 0))
		return NULL;
	if (__builtin_expect(*colon != ':' || colon == line, 0)) {
		*reason = http1_bad_field(line, colon, false);
		return NULL;
	}
	value = colon + 1;
	if (value < end && *value == ' ')
		value++;
	while (value < end && http1_is_blank(*value))
		value++;
	value_end = http1_scan_value(from, value, end);
	p = value_end + 2;
	if (__builtin_expect(end - value_end < 2, 0) && (value_end == end || *value_end == '\r'))
		return NULL;
	if (__builtin_expect(value_end[0] != '\r' || value_end[1] != '\n', 0)) {
		*reason = http1_bad_field(line, value_end, true);
		return NULL;
	}
	while (value_end > value && __builtin_expect(http1_is_blank(value_end[-1]), 0))
		value_end--;
	field->line = line;
	field->line_length = (uint32_t)(p - line);
	field->name_length = (uint16_t)(colon - line);
	field->value_offset = (uint16_t)(value - line);
	field->value_length = (uint32_t)(value_end - value);
	field->dropped = 0;
	field->never_indexed = 0;
	field->id = (uint8_t)field_identify(slice_make(line, (size_t)(colon - line)));
	return p;
}

/* `p` is at a CR: 0 if LF follows, ERROR_INCOMPLETE, or ERROR_SYNTAX. */
static inline int http1_line_end(const char *p, const char *end)
{
	if (end - p < 2)
		return ERROR_INCOMPLETE;
	return p[1] == '\n' ? 0 : ERROR_SYNTAX;
}

/* http1_valid_authority, of one in bytes that are readable from `from` on. */
bool http1_valid_authority_in(const char *from, struct slice authority);

/* Sorts a whole target out into scheme, authority, target and absolute_form (RFC 9112 section 3.2), method known. NULL, or why
 * it is refused. A target that begins with '?' still lacks its slash. */
const char *http1_target(struct head *head, struct slice target);

/* head->body and ->body_length from what the fields say (RFC 9112 section 6). 0 or ERROR_SYNTAX. */
int http1_framing(struct http1_parser *parser, struct head *head);

/* What may not be in a trailer section, of either version. */
bool http1_forbidden_in_trailers(const struct field *field);

/* Digits only, at most 2^63 - 1. */
bool http1_decimal(struct slice digits, uint64_t *value);

#endif

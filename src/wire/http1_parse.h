/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http1_parse.h: what the files of the HTTP/1 codec share with each other, and with nobody else.
 *
 * Functions that look at bytes which may still be incomplete answer ERROR_INCOMPLETE only if no byte so far is wrong, so that
 * a message is refused for the same reason however it arrives in pieces.
 */
#ifndef WIRE_HTTP1_PARSE_H
#define WIRE_HTTP1_PARSE_H

#include "wire/http1.h"

/* Sets parser->status and ->reason. ERROR_SYNTAX. */
int http1_refuse(struct http1_parser *parser, unsigned status, const char *reason);

/* One field line at `p`, the empty one not among them. On success *next is behind its CRLF. ERROR_INCOMPLETE, or
 * ERROR_SYNTAX and *reason. */
int http1_field_line(const char *p, const char *end, struct field *field, const char **next, const char **reason);

/* `p` is at a CR: 0 if LF follows, ERROR_INCOMPLETE, or ERROR_SYNTAX. */
static inline int http1_line_end(const char *p, const char *end)
{
	if (end - p < 2)
		return ERROR_INCOMPLETE;
	return p[1] == '\n' ? 0 : ERROR_SYNTAX;
}

/* Sorts a whole target out into scheme, authority, target and absolute_form (RFC 9112 section 3.2), method known. NULL, or why
 * it is refused. A target that begins with '?' still lacks its slash. */
const char *http1_target(struct head *head, struct slice target);

/* head->body and ->body_length from what the fields say (RFC 9112 section 6). 0 or ERROR_SYNTAX. */
int http1_framing(struct http1_parser *parser, struct head *head);

/* Digits only, at most 2^63 - 1. */
bool http1_decimal(struct slice digits, uint64_t *value);

#endif

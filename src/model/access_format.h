/* SPDX-License-Identifier: Apache-2.0 */
/* model/access_format.h: the lines of an access log, as a format string says: text, and operators between percent signs.
 *
 *	format   = { text | "%%" | operator }
 *	operator = "%" NAME [ "(" header [ "?" header ] ")" ] [ ":" bytes ] "%"
 *
 * Names are Envoy's, where it has such an operator. Values are cut so that a line is never longer than LINES_MOST_LINE (observe/lines.h).
 *
 * A value that somebody else may choose ends where the byte stands that follows its operator: there is none in the value itself, which is
 * escaped. So nothing that a caller sends looks like another value or another line. A format in which it could is refused.
 *
 * Immutable; part of a snapshot; any thread.
 *
 *	struct access_format format;
 *	e = access_format_parse(SLICE("%START_TIME% \"%REQ(:PATH)%\" %RESPONSE_CODE%"), &arena, &format, &why, &offset);
 */
#ifndef MODEL_ACCESS_FORMAT_H
#define MODEL_ACCESS_FORMAT_H

#include "base/arena.h"
#include "base/error.h"
#include "wire/head.h"

/* What a part of a line is. */
enum access_field {
	ACCESS_TEXT, /* `text` as it is */
	ACCESS_START_TIME,
	ACCESS_PROTOCOL,
	ACCESS_REQUEST,
	ACCESS_RESPONSE,
	ACCESS_RESPONSE_CODE,
	ACCESS_RESPONSE_DURATION,
	ACCESS_ENDPOINT_DURATION,
	ACCESS_ATTEMPTS,
	ACCESS_ENDPOINT,
	ACCESS_CALLER,
	ACCESS_CALLER_IP,
	ACCESS_CALLER_PORT,
	ACCESS_CALLER_ID,
	ACCESS_LISTENER,
	ACCESS_ROUTER,
	ACCESS_SERVICE,
	ACCESS_CLIENT,
	ACCESS_TRACE_ID,
	ACCESS_SPAN_ID,
	ACCESS_FIELDS,
};

/* What stands for a header: a field, or what HTTP/2 calls a pseudo-header. */
enum access_source {
	ACCESS_HEADER,
	ACCESS_METHOD,
	ACCESS_PATH,
	ACCESS_AUTHORITY,
	ACCESS_SCHEME,
};

struct access_header {
	enum access_source source;
	enum field_id id;
	struct slice name; /* lower case; of a FIELD_OTHER. Empty: there is none */
};

struct access_part {
	enum access_field field;
	struct slice text;
	struct access_header header, otherwise; /* the latter's value where the former is absent */
	uint16_t most;                          /* bytes of its value, escapes among them */
	char end;                               /* the byte that follows it */
};

struct access_format {
	const struct access_part *parts;
	unsigned count;
};

enum { ACCESS_LEAST_VALUE = 8 };

/* ERROR_SYNTAX with *why (in the arena, or static), and *offset is the byte that was not understood; ERROR_LIMIT: lines would be too long.
 * Both `text` and the arena must live as long as the format. */
MUST_CHECK int access_format_parse(
	struct slice text, struct arena *arena, struct access_format *format, struct slice *why, uint32_t *offset);

#endif

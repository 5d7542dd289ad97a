/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/span.h"

#include <stdio.h>

static const char *const texts[SPAN_ERRORS] = {
	[SPAN_CONNECT] = "connection_error",
	[SPAN_REFUSED] = "request_refused",
	[SPAN_RESET] = "connection_reset",
	[SPAN_PROTOCOL] = "protocol_error",
	[SPAN_TIMEOUT] = "timeout",
	[SPAN_CANCELED] = "canceled",
	[SPAN_OVERLOAD] = "overload",
	[SPAN_CUT] = "response_cut",
};

const char *span_error_text(enum span_error error)
{
	return texts[error];
}

struct slice span_error_type(const struct span *span, char text[SPAN_ERROR_TEXT])
{
	enum span_error error = span->error < SPAN_ERRORS ? (enum span_error)span->error : SPAN_FINE;

	if (error == SPAN_FINE)
		return SLICE("");
	if (texts[error])
		return slice_of(texts[error]);
	return slice_make(text, (size_t)snprintf(text, SPAN_ERROR_TEXT, "%u", span->rpc ? span->rpc_status : span->status));
}

struct slice span_name(const struct span *span)
{
	return slice_of(span->rpc ? span->rpc_method : span->method);
}

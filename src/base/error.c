/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stddef.h>

static const char *const error_texts[] = {
	[-ERROR_NONE] = "no error",
	[-ERROR_NO_MEMORY] = "out of memory",
	[-ERROR_LIMIT] = "limit reached",
	[-ERROR_SYNTAX] = "syntax error",
	[-ERROR_INCOMPLETE] = "incomplete",
	[-ERROR_CLOSED] = "connection closed",
	[-ERROR_RESET] = "connection reset",
	[-ERROR_TIMEOUT] = "timed out",
	[-ERROR_REFUSED] = "connection refused",
	[-ERROR_UNREACHABLE] = "unreachable",
	[-ERROR_NOT_FOUND] = "not found",
	[-ERROR_EXISTS] = "exists already",
	[-ERROR_BUSY] = "busy",
	[-ERROR_INVALID] = "invalid",
	[-ERROR_UNSUPPORTED] = "not supported",
	[-ERROR_IO] = "input or output error",
	[-ERROR_CANCELED] = "canceled",
	[-ERROR_DENIED] = "permission denied",
};

const char *error_text(int error)
{
	enum { COUNT = sizeof error_texts / sizeof *error_texts };
	if (error > 0 || error <= -COUNT || !error_texts[-error])
		return "unknown error";
	return error_texts[-error];
}

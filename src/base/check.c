/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <stdlib.h>

#include "base/log.h"

enum { EXIT_OUT_OF_MEMORY = 70 };

void check_failed(const char *condition, const char *file, int line)
{
	log_line(LOG_ERROR, "check", "broken invariant at %s:%d: expected %s", file, line, condition);
	abort();
}

void check_failed_magic(const char *object, uint32_t found, uint32_t expected, const char *file, int line)
{
	log_line(
		LOG_ERROR, "check", "broken invariant at %s:%d: %s has magic 0x%08x, expected 0x%08x", file, line, object, found, expected);
	abort();
}

void check_out_of_memory(const char *what)
{
	log_line(LOG_ERROR, "memory", "out of memory for %s", what);
	_Exit(EXIT_OUT_OF_MEMORY);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/slice.h"

enum { LINE_MAX_BYTES = 2048, SITES = 64, LINES_PER_SECOND = 20 };

/* How many lines a call site wrote in its newest second. Sites are told apart by the hash of their format, so that the
 * same program logs the same lines wherever it is loaded; two that share a place share the allowance. Races between
 * threads may cost a line, no more. */
struct site {
	_Atomic int64_t second;
	_Atomic uint32_t lines;
};

static _Atomic int least_level = LOG_INFO;
static log_writer *_Atomic the_writer;
static log_clock *_Atomic the_clock;
static struct site sites[SITES];

void log_set(enum log_level least, log_writer *writer)
{
	atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
	atomic_store_explicit(&the_writer, writer, memory_order_release);
}

void log_set_clock(log_clock *clock)
{
	atomic_store_explicit(&the_clock, clock, memory_order_release);
}

bool log_wanted(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* False when the site has had its lines of this second. *left_out: how many were dropped in its last second. */
static bool allowed(const char *format, uint32_t *left_out)
{
	log_clock *clock = atomic_load_explicit(&the_clock, memory_order_acquire);
	*left_out = 0;
	if (!clock)
		return true;
	struct site *site = &sites[slice_hash(slice_of(format), 0) % SITES];
	int64_t second = clock() / CLOCK_SECOND;
	if (atomic_exchange_explicit(&site->second, second, memory_order_relaxed) != second) {
		uint32_t lines = atomic_exchange_explicit(&site->lines, 1, memory_order_relaxed);
		*left_out = lines > LINES_PER_SECOND ? lines - LINES_PER_SECOND : 0;
		return true;
	}
	return atomic_fetch_add_explicit(&site->lines, 1, memory_order_relaxed) < LINES_PER_SECOND;
}

static size_t append(char *line, size_t length, const char *format, va_list values)
{
	int n = vsnprintf(line + length, LINE_MAX_BYTES - length, format, values);
	if (n < 0)
		return length;
	length += (size_t)n;
	return length < LINE_MAX_BYTES - 1 ? length : LINE_MAX_BYTES - 2;
}

static __attribute__((format(printf, 3, 4))) size_t append_format(char *line, size_t length, const char *format, ...)
{
	va_list values;
	va_start(values, format);
	length = append(line, length, format, values);
	va_end(values);
	return length;
}

void log_line(enum log_level level, const char *room, const char *format, ...)
{
	static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };
	char line[LINE_MAX_BYTES];
	uint32_t left_out;
	log_writer *writer = atomic_load_explicit(&the_writer, memory_order_acquire);
	if (!writer || !allowed(format, &left_out))
		return;
	size_t length = append_format(line, 0, "%s %s: ", names[level], room);
	size_t start = length;
	va_list values;
	va_start(values, format);
	length = append(line, length, format, values);
	va_end(values);
	if (left_out)
		length = append_format(line, length, " (and %u more like this before)", left_out);
	for (size_t i = start; i < length; i++) /* one event, one line, whatever a peer sent */
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	writer(line, length);
}

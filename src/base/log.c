/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/recent_log.h"

enum { LINE_MAX_BYTES = 2048, SITES = 64, LINES_PER_SECOND = 20 };

/* How many lines a call site wrote in its newest second. Sites are told apart by the hash of their format, so that the
 * same program logs the same lines wherever it is loaded; two that share a place share the allowance. Races between
 * threads may cost a line, no more. */
struct site {
	_Atomic int64_t second;
	_Atomic uint32_t lines;
};

/* Rooms that log. One that is missing here has the level that was set last for all. */
static const char *const rooms[] = { "admin", "cli", "client", "control", "discover", "export", "io", "observe", "proxy", "tls" };
static const char *const level_names[] = { "DEBUG", "INFO", "WARN", "ERROR" };

enum { ROOMS = sizeof rooms / sizeof rooms[0], LEVELS = sizeof level_names / sizeof level_names[0] };

static _Atomic int levels[ROOMS];
static _Atomic int other_level = LOG_INFO;
/* The least of all: what is below it nobody has to look at twice. */
static _Atomic int least_level = LOG_INFO;
static log_writer *_Atomic the_writer;
static log_clock *_Atomic the_clock;
static struct site sites[SITES];

void log_set(enum log_level least, log_writer *writer)
{
	for (unsigned i = 0; i < ROOMS; i++)
		atomic_store_explicit(&levels[i], (int)least, memory_order_relaxed);
	atomic_store_explicit(&other_level, (int)least, memory_order_relaxed);
	atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
	atomic_store_explicit(&the_writer, writer, memory_order_release);
}

const char *log_room(unsigned i)
{
	return i < ROOMS ? rooms[i] : NULL;
}

enum log_level log_room_level(unsigned i)
{
	return (enum log_level)atomic_load_explicit(&levels[i], memory_order_relaxed);
}

void log_room_set(unsigned i, enum log_level level)
{
	int least = atomic_load_explicit(&other_level, memory_order_relaxed);

	atomic_store_explicit(&levels[i], (int)level, memory_order_relaxed);
	for (unsigned j = 0; j < ROOMS; j++)
		if ((int)log_room_level(j) < least)
			least = (int)log_room_level(j);
	atomic_store_explicit(&least_level, least, memory_order_relaxed);
}

const char *log_level_text(enum log_level level)
{
	return level_names[level];
}

bool log_level_read(struct slice text, enum log_level *level)
{
	if (slice_equal_nocase(text, SLICE("WARNING")))
		text = SLICE("WARN");
	for (unsigned i = 0; i < LEVELS; i++) {
		if (!slice_equal_nocase(text, slice_of(level_names[i])))
			continue;
		*level = (enum log_level)i;
		return true;
	}
	return false;
}

void log_set_clock(log_clock *clock)
{
	atomic_store_explicit(&the_clock, clock, memory_order_release);
}

bool log_wanted(enum log_level level, const char *room)
{
	if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
		return false;
	for (unsigned i = 0; i < ROOMS; i++)
		if (strcmp(rooms[i], room) == 0)
			return level >= log_room_level(i);
	return (int)level >= atomic_load_explicit(&other_level, memory_order_relaxed);
}

/* 0: there is none. */
static int64_t read_clock(void)
{
	log_clock *clock = atomic_load_explicit(&the_clock, memory_order_acquire);
	return clock ? clock() : 0;
}

/* False when the site has had its lines of this second. *left_out: how many were dropped in its last second. */
static bool allowed(const char *format, uint32_t *left_out)
{
	int64_t now = read_clock();
	*left_out = 0;
	if (!now)
		return true;
	struct site *site = &sites[slice_hash(slice_of(format), 0) % SITES];
	int64_t second = now / CLOCK_SECOND;
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
	char line[LINE_MAX_BYTES];
	uint32_t left_out;
	log_writer *writer = atomic_load_explicit(&the_writer, memory_order_acquire);
	if (!writer || !allowed(format, &left_out))
		return;
	size_t length = append_format(line, 0, "%s %s: ", level_names[level], room);
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
	recent_log_put(read_clock(), level, room, slice_make(line + start, length - start));
	line[length++] = '\n';
	writer(line, length);
}

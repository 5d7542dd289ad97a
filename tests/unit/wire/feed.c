/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/wire/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST_CUTS = 600 };

static bool has_line(const char *text, struct slice wanted)
{
	struct slice rest = slice_of(text), line;

	while (slice_split(&rest, '\n', &line)) {
		if (slice_equal(line, wanted))
			return true;
	}
	return false;
}

static void check_wanted(const struct feed_case *one, const char *verdict)
{
	struct slice rest = slice_of(one->wanted), line;

	while (slice_split(&rest, '|', &line)) {
		bool absent = line.length > 1 && line.at[0] == '!';

		if (has_line(verdict, absent ? slice_from(line, 1) : line) == absent)
			fail_msg("input:\n%s\nwanted: %.*s\nverdict:\n%s", one->input, SLICE_ARGS(line), verdict);
	}
}

static void check_same(const struct feed_case *one, struct verdict_input settings, const char *whole)
{
	struct text verdict = { 0 };

	http1_verdict(&verdict, &settings);
	if (strcmp(verdict.bytes, whole) != 0)
		fail_msg("input:\n%s\nwhole:\n%s\nstep %zu, cut %zu:\n%s", one->input, whole, settings.step, settings.cut, verdict.bytes);
	text_free(&verdict);
}

void feed_check(const struct feed_case *one, struct verdict_input settings)
{
	struct text whole = { 0 };

	settings.bytes = one->input;
	if (settings.length == 0)
		settings.length = strlen(one->input);
	http1_verdict(&whole, &settings);
	check_wanted(one, whole.bytes);
	settings.step = 1;
	check_same(one, settings, whole.bytes);
	settings.step = 0;
	for (settings.cut = 1; settings.cut < settings.length && settings.cut <= MOST_CUTS; settings.cut++)
		check_same(one, settings, whole.bytes);
	text_free(&whole);
}

void feed_requests(const struct feed_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		feed_check(&cases[i], (struct verdict_input){ .is_response = false });
}

void feed_responses(const struct feed_case *cases, size_t count, enum method request_method)
{
	for (size_t i = 0; i < count; i++)
		feed_check(&cases[i], (struct verdict_input){ .is_response = true, .request_method = request_method, .closes = true });
}

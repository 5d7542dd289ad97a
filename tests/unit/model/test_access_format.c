/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/access_format.h"

static struct access_format parse(struct arena *arena, const char *text)
{
	struct access_format format;
	struct slice why;
	uint32_t offset;

	assert_int_equal(0, access_format_parse(slice_of(text), arena, &format, &why, &offset));
	return format;
}

static void assert_refused(const char *text, uint32_t offset, const char *why)
{
	struct arena arena;
	struct access_format format;
	struct slice told;
	uint32_t at = UINT32_MAX;

	arena_init(&arena, NULL, 0);
	assert_int_equal(ERROR_SYNTAX, access_format_parse(slice_of(text), &arena, &format, &told, &at));
	assert_string_equal(why, arena_text(&arena, told));
	assert_int_equal(offset, at);
	arena_reset(&arena);
}

static void assert_text(const struct access_part *part, const char *text)
{
	assert_int_equal(ACCESS_TEXT, part->field);
	assert_true(slice_equal(part->text, slice_of(text)));
}

static void a_format_is_read(void **state)
{
	struct arena arena;
	struct access_format format;

	(void)state;
	arena_init(&arena, NULL, 0);
	format = parse(&arena, "%START_TIME% \"%REQ(:METHOD)% %REQ(X-Real-Path?:PATH):99%\" 100%% %RESPONSE_CODE%ms [%RESP(Server)%]");
	assert_int_equal(11, format.count);
	assert_int_equal(ACCESS_START_TIME, format.parts[0].field);
	assert_text(&format.parts[1], " \"");
	assert_int_equal(ACCESS_REQUEST, format.parts[2].field);
	assert_int_equal(ACCESS_METHOD, format.parts[2].header.source);
	assert_int_equal(0, format.parts[2].otherwise.name.length);
	assert_int_equal(' ', format.parts[2].end);
	assert_int_equal(1024, format.parts[2].most);
	assert_int_equal(FIELD_OTHER, format.parts[4].header.id);
	assert_true(slice_equal(format.parts[4].header.name, SLICE("X-Real-Path")));
	assert_int_equal(ACCESS_PATH, format.parts[4].otherwise.source);
	assert_int_equal('"', format.parts[4].end);
	assert_int_equal(99, format.parts[4].most);
	assert_text(&format.parts[5], "\" 100%");
	assert_text(&format.parts[6], " ");
	assert_int_equal(ACCESS_RESPONSE_CODE, format.parts[7].field);
	assert_text(&format.parts[8], "ms [");
	assert_int_equal(']', format.parts[9].end);
	assert_text(&format.parts[10], "]");
	arena_reset(&arena);
}

static void what_ends_a_line_ends_its_last_value(void **state)
{
	struct arena arena;
	struct access_format format;

	(void)state;
	arena_init(&arena, NULL, 0);
	format = parse(&arena, "%REQ(user-agent)%");
	assert_int_equal(1, format.count);
	assert_int_equal(FIELD_USER_AGENT, format.parts[0].header.id);
	assert_int_equal('\n', format.parts[0].end);
	assert_int_equal(0, parse(&arena, "").count);
	arena_reset(&arena);
}

/* However many values there are, a line has its most. */
static void values_share_a_line(void **state)
{
	struct arena arena;
	char text[8 * 200 + 1] = "";

	(void)state;
	arena_init(&arena, NULL, 0);
	for (unsigned count = 1; count <= 100; count++) {
		struct access_format format;
		size_t all = 0;

		strcat(text, "%REQ(a)% ");
		format = parse(&arena, text);
		assert_int_equal(2 * count, format.count);
		for (unsigned i = 0; i < format.count; i++)
			all += format.parts[i].field == ACCESS_TEXT ? format.parts[i].text.length : format.parts[i].most;
		assert_in_range(all, 1, 4095);
		assert_true(format.parts[0].most >= 8 && (count > 3 || format.parts[0].most == 1024));
	}
	arena_reset(&arena);
}

static void what_is_wrong_is_told(void **state)
{
	(void)state;
	assert_refused("a %RESPONSE_CODES% b", 2, "unknown operator `RESPONSE_CODES`; did you mean `RESPONSE_CODE`?");
	assert_refused("%h", 0, "an operator begins here and has no `%` at its end; a percent sign is written `%%`");
	assert_refused("%FOO_BAR_BAZ%", 0,
		"unknown operator `FOO_BAR_BAZ`; there is START_TIME, PROTOCOL, REQ, RESP, RESPONSE_CODE, RESPONSE_DURATION, "
		"ENDPOINT_DURATION_US, UPSTREAM_REQUEST_ATTEMPT_COUNT, UPSTREAM_HOST, DOWNSTREAM_REMOTE_ADDRESS, "
		"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT, DOWNSTREAM_REMOTE_PORT, DOWNSTREAM_PEER_URI_SAN, DOWNSTREAM_LOCAL_ADDRESS, "
		"ROUTER, SERVICE, UPSTREAM_CLUSTER, TRACE_ID, SPAN_ID (`%%` is a percent sign)");
	assert_refused("x %REQ%", 6, "`REQ` needs a header: %REQ(NAME)%");
	assert_refused("%REQ(a b)%", 5, "`a b` is neither a header's name nor :METHOD, :PATH, :AUTHORITY or :SCHEME");
	assert_refused("%REQ(a?)%", 7, "`` is neither a header's name nor :METHOD, :PATH, :AUTHORITY or :SCHEME");
	assert_refused("%RESP(:PATH)%", 6, "`:PATH` is not a header's name");
	assert_refused("%ROUTER(a)%", 7, "`ROUTER` takes no header");
	assert_refused("%REQ(a):7%", 7, "`:7` behind `REQ` is not `:` and how many bytes, from 8 to 2048");
	assert_refused("%REQ(a)b%", 7, "`b` behind `REQ` is not `:` and how many bytes, from 8 to 2048");
	assert_refused("%PROTOCOL:9%", 9, "`:9` behind `PROTOCOL`: there is nothing to be cut");
	assert_refused("a\nb", 1, "a format is one line without control characters");
	assert_refused("%REQ(a)%%REQ(b)%", 0,
		"`%REQ(a)%` is followed by `%`: a value that callers choose needs a blank, a quote or another sign behind it, at which it "
		"ends");
	assert_refused("x%SERVICE%y", 1,
		"`%SERVICE%` is followed by `y`: a value that callers choose needs a blank, a quote or another sign behind it, at which it "
		"ends");
}

static void a_line_has_a_most(void **state)
{
	struct arena arena;
	struct access_format format;
	struct slice why;
	uint32_t offset;
	char text[4200];

	(void)state;
	arena_init(&arena, NULL, 0);
	memset(text, 'x', 4095);
	text[4095] = 0;
	assert_int_equal(1, parse(&arena, text).count);
	strcpy(text + 4095, "x");
	assert_int_equal(ERROR_LIMIT, access_format_parse(slice_of(text), &arena, &format, &why, &offset));
	assert_true(slice_equal(why, SLICE("lines would be longer than 4096 bytes")));
	assert_int_equal(ERROR_LIMIT, access_format_parse(SLICE("%REQ(a):2048% %REQ(b):2048%"), &arena, &format, &why, &offset));
	arena_reset(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_format_is_read),
		cmocka_unit_test(what_ends_a_line_ends_its_last_value),
		cmocka_unit_test(values_share_a_line),
		cmocka_unit_test(what_is_wrong_is_told),
		cmocka_unit_test(a_line_has_a_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

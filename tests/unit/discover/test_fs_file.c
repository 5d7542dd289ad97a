/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "discover/fs_file.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void parses(void **state)
{
	static const struct {
		const char *bytes, *found;
	} cases[] = {
		{ "", "" },
		{ "\n\n  \n# nothing\n", "" },
		{ "127.0.1.1 7777", "127.0.1.1:7777*1" },
		{ "127.0.1.1 7777\n127.0.1.2 7777\n", "127.0.1.1:7777*1 127.0.1.2:7777*1" },
		{ "127.0.1.1 7777\r\n127.0.1.2 7777\r\n", "127.0.1.1:7777*1 127.0.1.2:7777*1" },
		{ "  127.0.1.1\t 7777  # the first\n#127.0.1.2 7777", "127.0.1.1:7777*1" },
		{ "127.0.1.1 7777 * 0.5\n127.0.1.2 1 * 3", "127.0.1.1:7777*0.5 127.0.1.2:1*3" },
		{ "127.0.1.1 7777 * 0", "127.0.1.1:7777*0" },
		{ "::1 65535", "::1:65535*1" },
		{ "api.example.org 80\nlocalhost 81", "api.example.org:80*1 localhost:81*1" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct fs_file file;
		struct slice why;
		struct text found = { 0 };
		arena_init(&arena, NULL, 0);
		assert_int_equal(fs_file_parse(slice_of(cases[i].bytes), &arena, &file, &why), 0);
		for (uint32_t n = 0; n < file.count; n++)
			text_format(&found, "%s%.*s:%u*%g", n ? " " : "", SLICE_ARGS(file.hosts[n].name), file.hosts[n].port,
				file.hosts[n].weight);
		assert_string_equal(found.bytes ? found.bytes : "", cases[i].found);
		text_free(&found);
		arena_reset(&arena);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *bytes, *why;
	} cases[] = {
		{ "127.0.1.1", "line 1: expected `host port` or `host port * weight`, found `127.0.1.1`" },
		{ "127.0.1.1 7777\n\n 127.0.1.1:80 # x", "line 3: expected `host port` or `host port * weight`, found `127.0.1.1:80`" },
		{ "127.0.1.1 0", NULL },
		{ "127.0.1.1 65536", NULL },
		{ "127.0.1.1 -1", NULL },
		{ "127.0.1.1 http", NULL },
		{ "127.0.1.1 80 81", NULL },
		{ "127.0.1.1 80 * ", NULL },
		{ "127.0.1.1 80 * x", NULL },
		{ "127.0.1.1 80 * -1", NULL },
		{ "127.0.1.1 80 * nan", NULL },
		{ "127.0.1.1 80 * inf", NULL },
		{ "127.0.1.1 80 * 1 1", NULL },
		{ "127.0.1.1 80 + 1", NULL },
		{ "127.0.1.1 80*2", NULL },
		{ "exa$mple 80", NULL },
		{ "a..b 80", NULL },
		{ ". 80", NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct fs_file file;
		struct slice why = { 0 };
		arena_init(&arena, NULL, 0);
		assert_int_equal(fs_file_parse(slice_of(cases[i].bytes), &arena, &file, &why), ERROR_SYNTAX);
		if (cases[i].why)
			assert_string_equal(arena_text(&arena, why), cases[i].why);
		assert_true(slice_starts(why, SLICE("line ")));
		arena_reset(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

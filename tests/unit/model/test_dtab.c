/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/names.h"

static void trees_are_shown_as_they_parse(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "/a", "/a" },
		{ "~", "~" },
		{ "!", "!" },
		{ "$", "$" },
		{ "/$", "/$" },
		{ "((/a))", "/a" },
		{ "/a|/b", "/a | /b" },
		{ "/a | /b & /c", "/a | /b & /c" },
		{ "/a & /b | /c", "/a & /b | /c" },
		{ "(/a | /b) & /c", "(/a | /b) & /c" },
		{ "(/a & /b) | /c", "/a & /b | /c" },
		{ "(/a | /b) | /c", "(/a | /b) | /c" },
		{ "/a | (/b | /c)", "/a | (/b | /c)" },
		{ "(/a & /b) & /c", "(/a & /b) & /c" },
		{ "3 * /a & /b", "3 * /a & /b" },
		{ "3*/a&1*/b", "3 * /a & /b" },
		{ ".5 * /a & 0.25 * /b & 7.0 * ~", "0.5 * /a & 0.25 * /b & 7 * ~" },
		{ "0 * /a & 1. * /b", "0 * /a & /b" },
		{ "0.1 * (/a | 2 * /b & $) & !", "0.1 * (/a | 2 * /b & $) & !" },
		{ "5 * /a", "/a" }, /* a union of one is that one */
		{ "/a # first\n | # second\n /b", "/a | /b" },
		{ "  /a/b  |  ~  ", "/a/b | ~" },
		{ "12345678901234567 * /a & .000000000000000000000000000000000000001 * /b",
			"12345678901234568 * /a & .000000000000000000000000000000000000001 * /b" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct name_tree *tree = tree_of(cases[i].text);
		struct text text = { 0 };
		assert_slice(name_tree_show(&arena, tree), cases[i].shown);
		name_tree_show_text(&text, tree);
		assert_string_equal(text.bytes, cases[i].shown);
		text_free(&text);
		assert_true(name_tree_equal(tree, tree_of(cases[i].shown)));
	}
	assert_false(name_tree_equal(tree_of("/a | /b"), tree_of("/a & /b")));
	assert_false(name_tree_equal(tree_of("/a & /b"), tree_of("2 * /a & /b")));
	assert_false(name_tree_equal(tree_of("/a | (/b | /c)"), tree_of("/a | /b | /c")));
}

static void union_binds_tighter(void **state)
{
	const struct name_tree *tree = tree_of("/a | 3 * /b & /c | ~");
	(void)state;
	assert_int_equal(tree->kind, NAME_TREE_ALT);
	assert_int_equal(tree->count, 3);
	assert_int_equal(tree->branches[1].tree->kind, NAME_TREE_UNION);
	assert_int_equal(tree->branches[1].tree->count, 2);
	assert_true(tree->branches[1].tree->branches[0].weight == 3);
	assert_true(tree->branches[1].tree->branches[1].weight == 1);
	assert_int_equal(tree->branches[2].tree->kind, NAME_TREE_NEG);
}

static void trees_explain_what_they_refuse(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "simple expected but end of input found at '[]'" },
		{ "/a |", "simple expected but end of input found at '/a |[]'" },
		{ "| /a", "simple expected but '|' found at '[|] /a'" },
		{ "(/a | )", "simple expected but ')' found at '(/a | [)]'" },
		{ "(/a", "')' expected but end of input found at '(/a[]'" },
		{ "/a)", "end of input expected but ')' found at '/a[)]'" },
		{ "/a /b", "end of input expected but '/' found at '/a [/]b'" },
		{ "3 /a", "'*' expected but '/' found at '3 [/]a'" },
		{ "1.2.3 * /a", "number char expected but '.' found at '1.2[.]3 * /a'" },
		{ ". * /a", "weight expected but '.' found at '[.] * /a'" },
		{ "1000000000000000000 * /a", "weight expected but '1' found at '[1]000000000000000000 * /a'" },
		{ "-1 * /a", "simple expected but '-' found at '[-]1 * /a'" },
		{ "* /a", "simple expected but '*' found at '[*] /a'" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct name_tree *tree;
		struct slice why = { 0 };
		assert_int_equal(name_tree_parse(slice_of(cases[i].text), &arena, &tree, &why), ERROR_SYNTAX);
		assert_slice(why, cases[i].why);
	}
}

/* `count` opening parentheses, a leaf, as many closing ones. */
static int parse_nested(size_t count)
{
	struct text text = { 0 };
	const struct name_tree *tree;
	struct slice why;
	for (size_t i = 0; i < count; i++)
		text_append(&text, SLICE("("));
	text_append(&text, SLICE("/a"));
	for (size_t i = 0; i < count; i++)
		text_append(&text, SLICE(")"));
	int e = name_tree_parse(text_slice(&text), &arena, &tree, &why);
	text_free(&text);
	return e;
}

static void nesting_has_an_end(void **state)
{
	(void)state;
	assert_int_equal(parse_nested(100), 0);
	assert_int_equal(parse_nested(101), ERROR_LIMIT);
	assert_int_equal(parse_nested(1000000), ERROR_LIMIT);
}

static void dtabs_are_shown_as_they_parse(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "", "" },
		{ " ; ;; # nothing\n", "" },
		{ "/a=>/b", "/a=>/b" },
		{ "/a => /b;", "/a=>/b" },
		{ ";/a => /b ;; /c => /d ; ", "/a=>/b;/c=>/d" },
		{ "/ => /b", "/=>/b" },
		{ "/svc/*/x => ~", "/svc/*/x=>~" },
		{ "/* => /b", "/*=>/b" },
		{ "/\\x2a => /b", "/\\x2a=>/b" },
		{ "/a/b\\x20c => /d | /e & 2 * /f", "/a/b\\x20c=>/d | /e & 2 * /f" },
		{ "/svc => /a # the old one; /svc => /c\n | /b;\n#/x => /y;\n/z=>!", "/svc=>/a | /b;/z=>!" },
		{ "/srv => /#/io.l5d.fs; /host => /srv; /svc => /host; /host/world => /srv/world-v1;",
			"/srv=>/#/io.l5d.fs;/host=>/srv;/svc=>/host;/host/world=>/srv/world-v1" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dtab dtab = dtab_of(cases[i].text), again = dtab_of(cases[i].shown), copy;
		assert_slice(dtab_show(&arena, &dtab), cases[i].shown);
		assert_true(dtab_equal(&dtab, &again));
		assert_int_equal(dtab_copy(&arena, &dtab, &copy), 0);
		assert_true(dtab_equal(&dtab, &copy));
	}
	struct dtab star = dtab_of("/*=>/b"), literal = dtab_of("/\\x2a=>/b");
	assert_false(dtab_equal(&star, &literal));
}

static void edited_entries_keep_their_lines(void **state)
{
	struct dtab base = dtab_of("/a => /1; /b => /2; /b => /2; /c => /3"), edited;
	struct dentry placed[4];
	struct slice why;
	static const struct {
		const char *text;
		uint32_t lines[5];
	} cases[] = {
		{ "/a => /1; /b => /2; /b => /2; /c => /3", { 10, 11, 12, 13 } },
		{ "/a=>/1;/b=>/2;/b=>/4;/c=>/3", { 10, 11, 0, 13 } },
		{ "/c => /3; /x => /y; /a => /1", { 13, 0, 10 } },
		{ "/new => /1; /a => /1", { 0, 10 } },
		{ "", { 0 } },
	};

	(void)state;
	memcpy(placed, base.entries, sizeof placed);
	for (uint32_t i = 0; i < COUNT(placed); i++)
		placed[i].line = 10 + i;
	base.entries = placed;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(dtab_parse_edited(slice_of(cases[i].text), &base, &arena, &edited, &why), 0);
		for (uint32_t j = 0; j < edited.count; j++)
			assert_int_equal(edited.entries[j].line, cases[i].lines[j]);
	}
	assert_int_equal(dtab_parse_edited(SLICE("/a"), &base, &arena, &edited, &why), ERROR_SYNTAX);
}

static void dtabs_explain_what_they_refuse(void **state)
{
	static const struct {
		const char *text, *why;
		uint32_t offset;
	} cases[] = {
		{ "/a", "'=' expected but end of input found at '/a[]'", 2 },
		{ "/a = /b", "'>' expected but ' ' found at '/a =[ ]/b'", 4 },
		{ "/a -> /b", "'=' expected but '-' found at '/a [-]> /b'", 3 },
		{ "/a => /b /c => /d", "end of input expected but '/' found at '/a => /b [/]c => /d'", 9 },
		{ "/a/ => /b", "label char expected but ' ' found at '/a/[ ]=> /b'", 3 },
		{ "/a/b* => /b", "'=' expected but '*' found at '/a/b[*] => /b'", 4 },
		{ "/a => /b/*", "label char expected but '*' found at '/a => /b/[*]'", 9 },
		{ "a => /b", "'/' expected but 'a' found at '[a] => /b'", 0 },
		{ "/a => ;", "simple expected but ';' found at '/a => [;]'", 6 },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dtab dtab;
		struct slice why = { 0 };
		uint32_t offset = 0;
		assert_int_equal(dtab_parse(slice_of(cases[i].text), &arena, &dtab, &why, &offset), ERROR_SYNTAX);
		assert_slice(why, cases[i].why);
		assert_int_equal(offset, cases[i].offset);
	}
}

#define OUTGOING "/srv => /#/io.l5d.fs; /host => /srv; /svc => /host; /host/world => /srv/world-v1;"
#define INCOMING \
	"/srv => /#/io.l5d.fs; /domain/world/hello/www => /srv/hello; /domain/world/hello/api => /srv/api;" \
	"/host => /$/io.buoyant.http.domainToPathPfx/domain; /host => /srv; /svc => /host; /host/world => " \
	"/srv/world-v1;"

static void looks_up(void **state)
{
	static const struct {
		const char *dtab, *path, *found;
	} cases[] = {
		{ "", "/svc/hello", "~" },
		{ "/svc => /a", "/other", "~" },
		{ "/svc/x => /a", "/svc", "~" },
		{ "/svc => /a", "/svc", "/a" },
		{ "/svc => /a", "/svc/b/c", "/a/b/c" },
		{ "/a => /x; /a => /y", "/a/b", "/y/b | /x/b" },
		{ "/a => /x; /a/b => /y; /c => /z; /a => ~", "/a/b/c", "~ | /y/c | /x/b/c" },
		{ "/a => /x | /y & 2 * /z | ! | $", "/a/b", "/x/b | /y/b & 2 * /z/b | ! | $" },
		{ "/a => /x | /y; /a => /z", "/a/b", "/z/b | (/x/b | /y/b)" },
		{ "/ => /x", "/a/b", "/x/a/b" },
		{ "/ => /x", "/", "/x" },
		{ "/svc/*/v1 => /a", "/svc/web/v1/rest", "/a/rest" },
		{ "/svc/*/v1 => /a", "/svc/v1", "~" },
		{ "/svc/* => /a", "/svc", "~" },
		{ "/svc/* => /a", "/svc/one/two", "/a/two" },
		{ "/* => /a", "/x/y", "/a/y" },
		{ "/\\x2a => /a", "/x/y", "~" },
		{ "/\\x2a => /a", "/\\x2a/y", "/a/y" },
		{ "/Svc => /a", "/svc", "~" },
		/* the exercise's outgoing router, step by step */
		{ OUTGOING, "/svc/hello", "/host/hello" },
		{ OUTGOING, "/host/hello", "/srv/hello" },
		{ OUTGOING, "/srv/hello", "/#/io.l5d.fs/hello" },
		{ OUTGOING, "/#/io.l5d.fs/hello", "~" },
		{ OUTGOING, "/host/world", "/srv/world-v1 | /srv/world" },
		{ OUTGOING "/host/world => /srv/world-v2;", "/host/world", "/srv/world-v2 | /srv/world-v1 | /srv/world" },
		/* and incoming and ingress */
		{ INCOMING, "/svc/www.hello.world", "/host/www.hello.world" },
		{ INCOMING, "/host/www.hello.world", "/srv/www.hello.world | /$/io.buoyant.http.domainToPathPfx/domain/www.hello.world" },
		{ INCOMING, "/domain/world/hello/www", "/srv/hello" },
		{ INCOMING, "/domain/world/hello/www/more", "/srv/hello/more" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct dtab dtab = dtab_of(cases[i].dtab);
		struct path path;
		struct slice why;
		const struct name_tree *tree;
		assert_int_equal(path_parse(slice_of(cases[i].path), &arena, &path, &why), 0);
		assert_int_equal(dtab_lookup(&dtab, path, &arena, &tree), 0);
		assert_slice(name_tree_show(&arena, tree), cases[i].found);
	}
}

static void lookups_name_their_entries(void **state)
{
	struct dtab dtab = dtab_of("/a => /x; /b => /y;\n/a/* => /z | ~");
	struct slice segments[] = { SLICE("a"), SLICE("c") };
	struct path path = { segments, 2 };
	const struct name_tree *tree;
	struct text text = { 0 };
	uint32_t cursor = dtab.count;
	(void)state;
	assert_int_equal(dtab_lookup(&dtab, path, &arena, &tree), 0);
	assert_int_equal(tree->count, 2);
	assert_ptr_equal(tree->branches[0].tree->dentry, &dtab.entries[2]);
	assert_ptr_equal(tree->branches[0].tree->branches[0].tree->dentry, &dtab.entries[2]);
	assert_ptr_equal(tree->branches[1].tree->dentry, &dtab.entries[0]);
	assert_ptr_equal(dtab_next(&dtab, path, &cursor), &dtab.entries[2]);
	assert_ptr_equal(dtab_next(&dtab, path, &cursor), &dtab.entries[0]);
	assert_null(dtab_next(&dtab, path, &cursor));
	assert_int_equal(dtab.entries[2].offset, 20);
	dentry_show_prefix(&text, &dtab.entries[2]);
	text_append(&text, SLICE(" => "));
	dentry_show_tree(&text, &dtab.entries[2]);
	assert_string_equal(text.bytes, "/a/* => /z | ~");
	text_free(&text);
}

static void later_tables_win(void **state)
{
	struct dtab base = dtab_of("/host/world => /srv/world-v1"), local = dtab_of("/host/world => /srv/world-v2"), both;
	struct slice segments[] = { SLICE("host"), SLICE("world") };
	const struct name_tree *tree;
	(void)state;
	assert_int_equal(dtab_concat(&arena, &base, &local, &both), 0);
	assert_int_equal(dtab_lookup(&both, (struct path){ segments, 2 }, &arena, &tree), 0);
	assert_slice(name_tree_show(&arena, tree), "/srv/world-v2 | /srv/world-v1");
	assert_slice(dtab_show(&arena, &both), "/host/world=>/srv/world-v1;/host/world=>/srv/world-v2");
}

static void copies_share_nothing(void **state)
{
	static const char original[] = "/a/* => /b | 2 * /c & ~";
	char text[sizeof original];
	struct arena first, second;
	struct dtab dtab, copy;
	struct slice why;
	(void)state;
	memcpy(text, original, sizeof text);
	arena_init(&first, NULL, 0);
	arena_init(&second, NULL, 0);
	assert_int_equal(dtab_parse(slice_of(text), &first, &dtab, &why, NULL), 0);
	assert_int_equal(dtab_copy(&second, &dtab, &copy), 0);
	arena_reset(&first);
	memset(text, '!', sizeof text);
	assert_slice(dtab_show(&second, &copy), "/a/*=>/b | 2 * /c & ~");
	arena_reset(&second);
}

/* Whatever the arena's limit, parsing and looking up end in success or ERROR_NO_MEMORY. */
static void says_when_there_is_no_room(void **state)
{
	int e = ERROR_NO_MEMORY;
	size_t refused = 0;
	(void)state;
	for (size_t limit = 8; e && limit < 16384; limit += 8) {
		struct arena small;
		struct dtab dtab, copy;
		struct slice why = { 0 };
		struct slice segments[] = { SLICE("host"), SLICE("www.hello.world") };
		const struct name_tree *tree;
		arena_init(&small, NULL, limit);
		e = dtab_parse(SLICE(INCOMING "/x => 2 * /a\\x20b & (/c | ~)"), &small, &dtab, &why, NULL);
		if (e)
			assert_non_null(why.at);
		if (!e)
			e = dtab_lookup(&dtab, (struct path){ segments, 2 }, &small, &tree);
		if (!e)
			e = dtab_copy(&small, &dtab, &copy);
		if (!e && !dtab_show(&small, &copy).at)
			e = ERROR_NO_MEMORY;
		if (e)
			assert_int_equal(e, ERROR_NO_MEMORY);
		refused += e != 0;
		arena_reset(&small);
	}
	assert_int_equal(e, 0);
	assert_true(refused > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(trees_are_shown_as_they_parse, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(union_binds_tighter, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(trees_explain_what_they_refuse, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(nesting_has_an_end, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(dtabs_are_shown_as_they_parse, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(edited_entries_keep_their_lines, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(dtabs_explain_what_they_refuse, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(looks_up, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(lookups_name_their_entries, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(later_tables_win, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(copies_share_nothing, names_setup, names_teardown),
		cmocka_unit_test_setup_teardown(says_when_there_is_no_room, names_setup, names_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

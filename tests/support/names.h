/* SPDX-License-Identifier: Apache-2.0 */
/* support/names.h: paths, trees, dtabs and matchers from their texts, for tests. What doesn't parse fails the test. The test includes
 * cmocka.h and has an arena for a group's tests: names_setup and names_teardown go with each of them.
 *
 *	assert_true(path_equal(path_of("/svc/hello"), found));
 *	cmocka_unit_test_setup_teardown(test, names_setup, names_teardown)
 */
#ifndef SUPPORT_NAMES_H
#define SUPPORT_NAMES_H

#include "base/arena.h"
#include "model/dtab.h"
#include "model/matcher.h"
#include "model/name_tree.h"
#include "model/path.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* What the functions below make lies here. */
static struct arena arena;

static inline int names_setup(void **state)
{
	(void)state;
	arena_init(&arena, NULL, 0);
	return 0;
}

static inline int names_teardown(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

static inline void assert_slice(struct slice found, const char *expected)
{
	assert_non_null(found.at);
	assert_string_equal(arena_text(&arena, found), expected);
}

static inline struct path path_of(const char *text)
{
	struct path path;
	struct slice why = { 0 };

	if (path_parse(slice_of(text), &arena, &path, &why))
		fail_msg("%s: %.*s", text, SLICE_ARGS(why));
	return path;
}

static inline const struct name_tree *tree_of(const char *text)
{
	const struct name_tree *tree = NULL;
	struct slice why = { 0 };

	if (name_tree_parse(slice_of(text), &arena, &tree, &why))
		fail_msg("%s: %.*s", text, SLICE_ARGS(why));
	return tree;
}

static inline struct dtab dtab_of(const char *text)
{
	struct dtab dtab = { 0 };
	struct slice why = { 0 };

	if (dtab_parse(slice_of(text), &arena, &dtab, &why, NULL))
		fail_msg("%s: %.*s", text, SLICE_ARGS(why));
	return dtab;
}

/* On the heap. */
static inline struct matcher *matcher_of(const char *pattern)
{
	struct matcher *matcher = NULL;
	struct slice why = { 0 };

	if (matcher_new(slice_of(pattern), &matcher, &why))
		fail_msg("%s: %.*s", pattern, SLICE_ARGS(why));
	return matcher;
}

#endif

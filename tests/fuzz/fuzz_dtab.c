/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, name trees and dtabs: what parses is shown as text that parses to the same again, in no more than one form;
 * every lookup ends, and its answer too can be shown and parsed. */
#include "base/arena.h"
#include "base/check.h"
#include "model/dtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum {
	ARENA_LIMIT = 4 << 20,
	LOOKUPS = 200, /* names followed for each input */
	DEPTH = 20,
};

static void check_path(struct arena *arena, struct path path)
{
	struct slice shown = path_show(arena, path), why;
	struct path again;
	if (!shown.at)
		return;
	CHECK(shown.length == path_show_length(path));
	int e = path_parse(shown, arena, &again, &why);
	CHECK(e == ERROR_NO_MEMORY || (e == 0 && path_equal(path, again) && path_compare(path, again) == 0));
	if (path.count == 0)
		return;
	struct slice parent = path_show(arena, path_first(path, path.count - 1));
	struct slice key = parent.at ? path_show_under(arena, parent, path.segments[path.count - 1]) : parent;
	CHECK(!key.at || slice_equal(key, shown));
}

static void check_tree(struct arena *arena, const struct name_tree *tree)
{
	struct slice shown = name_tree_show(arena, tree), why;
	const struct name_tree *again;
	if (!shown.at)
		return;
	int e = name_tree_parse(shown, arena, &again, &why);
	CHECK(e == ERROR_NO_MEMORY || e == ERROR_LIMIT || (e == 0 && name_tree_equal(tree, again)));
}

static void follow(struct arena *arena, const struct dtab *dtab, const struct name_tree *tree, unsigned *left, unsigned depth)
{
	const struct name_tree *found;
	if (*left == 0 || depth == DEPTH)
		return;
	for (uint32_t i = 0; i < tree->count; i++)
		follow(arena, dtab, tree->branches[i].tree, left, depth);
	if (tree->kind != NAME_TREE_LEAF)
		return;
	--*left;
	if (dtab_lookup(dtab, tree->path, arena, &found))
		return;
	check_tree(arena, found);
	if (found->kind != NAME_TREE_NEG)
		follow(arena, dtab, found, left, depth + 1);
}

static void check_dtab(struct arena *arena, const struct dtab *dtab)
{
	struct slice shown = dtab_show(arena, dtab), why;
	struct dtab again, both;
	unsigned left = LOOKUPS;
	if (!shown.at)
		return;
	int e = dtab_parse(shown, arena, &again, &why, NULL);
	CHECK(e == ERROR_NO_MEMORY || (e == 0 && dtab_equal(dtab, &again)));
	if (!e) {
		struct slice twice = dtab_show(arena, &again);
		CHECK(!twice.at || slice_equal(shown, twice));
	}
	if (dtab_concat(arena, dtab, dtab, &both))
		return;
	CHECK(both.count == 2 * dtab->count);
	for (uint32_t i = 0; i < dtab->count; i++)
		follow(arena, &both, dtab->entries[i].tree, &left, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct slice text = { (const char *)bytes, length }, why = { 0 };
	struct arena arena;
	struct path path;
	const struct name_tree *tree;
	struct dtab dtab;
	uint32_t offset = 0;

	arena_init(&arena, NULL, ARENA_LIMIT);
	if (path_parse(text, &arena, &path, &why) == 0)
		check_path(&arena, path);
	else
		CHECK(why.at);
	if (name_tree_parse(text, &arena, &tree, &why) == 0)
		check_tree(&arena, tree);
	else
		CHECK(why.at);
	if (dtab_parse(text, &arena, &dtab, &why, &offset) == 0)
		check_dtab(&arena, &dtab);
	else
		CHECK(why.at && offset <= length);
	arena_reset(&arena);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/bound.h"
#include "support/names.h"

/* A bound tree of the shape of a name tree; /error and /pending stand for these states. */
static struct bound_node *build(struct bound *bound, const struct name_tree *tree)
{
	struct bound_node *node;
	switch (tree->kind) {
	case NAME_TREE_LEAF:
		if (slice_equal(tree->path.segments[0], SLICE("error")))
			return bound_error(bound, SLICE("boom"));
		if (slice_equal(tree->path.segments[0], SLICE("pending")))
			return bound_state(bound, BOUND_PENDING);
		return bound_leaf(bound, path_first(tree->path, 1), path_from(tree->path, 1), NULL);
	case NAME_TREE_ALT:
	case NAME_TREE_UNION:
		node = bound_branches(bound, tree->kind == NAME_TREE_ALT ? BOUND_ALT : BOUND_UNION, tree->count);
		for (uint32_t i = 0; i < tree->count; i++) {
			node->branches[i].weight = tree->branches[i].weight;
			node->branches[i].node = build(bound, tree->branches[i].tree);
		}
		return node;
	case NAME_TREE_NEG:
		return bound_state(bound, BOUND_NEG);
	case NAME_TREE_FAIL:
		return bound_state(bound, BOUND_FAIL);
	case NAME_TREE_EMPTY:
		return bound_state(bound, BOUND_EMPTY);
	}
	return NULL;
}

static struct bound_node *built(struct bound *bound, const char *text)
{
	names_setup(NULL);
	struct bound_node *node = build(bound, tree_of(text));
	names_teardown(NULL);
	return node;
}

static void assert_shown(const struct bound_node *node, const char *expected)
{
	struct text text = { 0 };
	bound_show_text(&text, node);
	assert_string_equal(text.bytes, expected);
	text_free(&text);
}

static void finishes_and_chooses(void **state)
{
	static const struct {
		const char *tree, *finished, *chosen;
	} cases[] = {
		{ "/a", "/a", "/a" },
		{ "/a/rest/of/it", "/a[/rest/of/it]", "/a[/rest/of/it]" },
		{ "~", "~", "~" },
		{ "/a | /b", "/a | /b", "/a" },
		{ "~ | /b", "/b", "/b" },
		{ "~ | ~", "~", "~" },
		{ "~ | ! | /b", "!", "!" },
		{ "/a | ! | /b", "/a | !", "/a" },
		{ "$ | /b", "$ | /b", "$" },
		{ "/error | /b", "error(boom) | /b", "error(boom)" },
		{ "/pending | /b", "? | /b", "?" },
		{ "/a & /b", "0.5 * /a & 0.5 * /b", "0.5 * /a & 0.5 * /b" },
		{ "3 * /a & /b & ~", "0.75 * /a & 0.25 * /b", "0.75 * /a & 0.25 * /b" },
		{ "3 * /a & 9 * ~", "/a", "/a" },
		{ "/a & !", "/a", "/a" },
		{ "~ & !", "~", "~" },
		{ "0 * /a & 0 * /b", "0.5 * /a & 0.5 * /b", "0.5 * /a & 0.5 * /b" },
		{ "(~ & !) | /b", "/b", "/b" },
		{ "(~ | (~ | /c)) | /b", "/c | /b", "/c" },
		{ "/a & (~ | /b | /c)", "0.5 * /a & 0.5 * (/b | /c)", "0.5 * /a & 0.5 * (/b | /c)" },
		{ "(! | /a) | /b", "!", "!" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bound *bound = bound_new(), *again = bound_new();
		struct bound_node *node = built(bound, cases[i].tree);
		enum bound_kind chosen = bound_choose(node)->kind;
		bound_finish(bound, node);
		assert_shown(bound->root, cases[i].finished);
		assert_shown(bound_choose(bound->root), cases[i].chosen);
		/* The same is chosen before the tree is finished, but for unions of which one branch remains. */
		if (chosen != BOUND_UNION)
			assert_int_equal(chosen, bound_choose(bound->root)->kind);
		bound_finish(again, built(again, cases[i].tree));
		assert_true(bound_equal(bound->root, again->root));
		bound_unref(bound);
		bound_unref(again);
	}
}

static void tells_trees_apart(void **state)
{
	static const char *const trees[] = { "/a", "/b", "/a/b", "/a | /b", "/b | /a", "/a & /b", "2 * /a & /b", "~", "!", "/error" };
	struct bound *bound[COUNT(trees)];
	(void)state;
	for (size_t i = 0; i < COUNT(trees); i++) {
		bound[i] = bound_new();
		bound_finish(bound[i], built(bound[i], trees[i]));
	}
	for (size_t i = 0; i < COUNT(trees); i++) {
		for (size_t j = 0; j < COUNT(trees); j++)
			assert_int_equal(bound_equal(bound[i]->root, bound[j]->root), i == j);
	}
	for (size_t i = 0; i < COUNT(trees); i++)
		bound_unref(bound[i]);
}

static void holds_endpoints_and_copies_names(void **state)
{
	char name[] = "hello";
	struct slice segments[] = { SLICE("#"), SLICE("io.l5d.fs"), { name, 5 }, SLICE("a b") };
	struct path path = { segments, 4 };
	struct endpoints *endpoints = endpoints_new(NULL, 0, 3);
	struct bound *bound = bound_new();
	(void)state;
	bound_finish(bound, bound_leaf(bound, path_first(path, 3), path_from(path, 3), endpoints));
	endpoints_unref(endpoints);
	memset(name, '!', sizeof name);
	const struct bound_node *leaf = bound->root;
	assert_int_equal(leaf->endpoints->version, 3);
	assert_true(slice_equal(leaf->id_text, SLICE("/#/io.l5d.fs/hello")));
	assert_true(slice_equal(leaf->residual_text, SLICE("/a\\x20b")));
	assert_int_equal(leaf->id.count, 3);
	assert_int_equal(leaf->residual.count, 1);
	assert_ptr_equal(bound->leaves, leaf);
	assert_ptr_equal(bound_ref(bound), bound);
	bound_unref(bound);
	assert_true(slice_equal(leaf->id.segments[2], SLICE("hello")));
	bound_unref(bound);
	bound_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finishes_and_chooses),
		cmocka_unit_test(tells_trees_apart),
		cmocka_unit_test(holds_endpoints_and_copies_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

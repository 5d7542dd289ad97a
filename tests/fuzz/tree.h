/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold for every document that parses; used by the fuzz targets of doc/. */
#ifndef TESTS_FUZZ_TREE_H
#define TESTS_FUZZ_TREE_H

#include "base/check.h"
#include "base/text.h"
#include "doc/document.h"
#include "doc/json_write.h"

static inline void tree_check_node(const struct document_node *node, const struct document_node *parent)
{
	CHECK(node->parent == parent && node->line >= 1 && node->column >= 1);
	if (node->kind == DOCUMENT_SCALAR) {
		int line, column;
		CHECK(node->text.at[node->text.length] == '\0' && strlen(node->text.at) == node->text.length);
		document_text_place(node, node->text.length, &line, &column);
		CHECK(line >= 1 && column >= 1);
	}
	for (uint32_t i = 0; i < node->count; i++) {
		const struct document_node *child = node->kind == DOCUMENT_SEQUENCE ? node->items[i] : node->entries[i].value;
		tree_check_node(child, node);
		if (node->kind == DOCUMENT_MAPPING)
			CHECK(document_find(node, node->entries[i].key) == &node->entries[i] &&
				slice_equal(child->key, node->entries[i].key));
	}
}

static inline void tree_write(const struct document_node *root, struct text *out)
{
	struct json_writer writer;
	json_write_start(&writer, out, false);
	json_write_node(&writer, root);
}

static inline void tree_read_all(const struct document_node *node, struct problems *problems)
{
	static const char *const names[] = { "p2c", "ewma", NULL };
	bool flag;
	int64_t integer;
	double number;
	struct slice text;
	int choice;
	document_read_bool(node, &flag, problems);
	document_read_int(node, -5, 70000, &integer, problems);
	document_read_number(node, 0, 1, &number, problems);
	document_read_text(node, &text, problems);
	document_read_choice(node, names, &choice, problems);
	document_check_keys(node, &(struct document_keys){ .accepted = names }, problems);
	document_require(node, "kind", problems);
}

static inline void tree_check(struct slice bytes)
{
	struct document *document = NULL, *again = NULL;
	struct problems problems;
	struct text first = { 0 }, second = { 0 };
	problem_init(&problems);
	int e = document_parse(bytes, SLICE("fuzz"), NULL, &problems, &document);
	CHECK((e == 0) == (problems.count == 0));
	if (!e) {
		tree_check_node(document_root(document), NULL);
		tree_write(document_root(document), &first);
		if (first.bytes[0] == '{') {
			e = document_parse(
				text_slice(&first), SLICE("json"), &(struct document_limits){ .max_bytes = SIZE_MAX }, &problems, &again);
			CHECK(e == 0);
			tree_write(document_root(again), &second);
			CHECK(slice_equal(text_slice(&first), text_slice(&second)));
		}
		tree_read_all(document_root(document), &problems);
	}
	text_clear(&second);
	problem_print(&problems, &second);
	text_free(&first);
	text_free(&second);
	problem_fini(&problems);
	document_free(document);
	document_free(again);
}

#endif

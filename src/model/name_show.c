/* SPDX-License-Identifier: Apache-2.0 */
#include "model/name_show.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/name_parser.h"

void name_show_bytes(struct name_show *out, struct slice bytes)
{
	if (bytes.length == 0)
		return;
	if (out->text)
		text_append(out->text, bytes);
	else if (out->at)
		memcpy(out->at + out->length, bytes.at, bytes.length);
	out->length += bytes.length;
}

static size_t label_run(struct slice s)
{
	size_t n = 0;
	while (n < s.length && path_is_label(s.at[n]))
		n++;
	return n;
}

void name_show_segment(struct name_show *out, struct slice segment)
{
	static const char hex[] = "0123456789abcdef";
	while (segment.length > 0) {
		size_t run = label_run(segment);
		name_show_bytes(out, slice_make(segment.at, run));
		segment = slice_from(segment, run);
		if (segment.length > 0) {
			unsigned byte = (unsigned char)segment.at[0];
			char escape[] = { '\\', 'x', hex[byte >> 4], hex[byte & 15] };
			name_show_bytes(out, slice_make(escape, sizeof escape));
			segment = slice_from(segment, 1);
		}
	}
}

void name_show_path(struct name_show *out, struct path path)
{
	if (path.count == 0)
		name_show_bytes(out, SLICE("/"));
	for (uint32_t i = 0; i < path.count; i++) {
		name_show_bytes(out, SLICE("/"));
		name_show_segment(out, path.segments[i]);
	}
}

/* The shortest decimal, without exponent, that reads as the same number. */
static void show_weight(struct name_show *out, double weight)
{
	char digits[2 * NAME_PARSER_NUMBER];
	int length = 0;
	for (int places = 0; places < NAME_PARSER_NUMBER; places++) {
		length = snprintf(digits, sizeof digits, "%.*f", places, weight);
		if (strtod(digits, NULL) == weight)
			break;
	}
	struct slice shown = slice_make(digits, (size_t)length);
	/* What the parser took in ".5" form must not grow beyond what it takes. */
	if (shown.length > NAME_PARSER_NUMBER && shown.at[0] == '0')
		shown = slice_from(shown, 1);
	name_show_bytes(out, shown);
}

static void show_in_parentheses(struct name_show *out, const struct name_tree *tree)
{
	name_show_bytes(out, SLICE("("));
	name_show_tree(out, tree);
	name_show_bytes(out, SLICE(")"));
}

static void show_branches(struct name_show *out, const struct name_tree *tree)
{
	bool is_union = tree->kind == NAME_TREE_UNION;
	for (uint32_t i = 0; i < tree->count; i++) {
		const struct name_branch *branch = &tree->branches[i];
		enum name_tree_kind kind = branch->tree->kind;
		if (i > 0)
			name_show_bytes(out, is_union ? SLICE(" & ") : SLICE(" | "));
		if (is_union && branch->weight != 1) {
			show_weight(out, branch->weight);
			name_show_bytes(out, SLICE(" * "));
		}
		if (kind == NAME_TREE_ALT || (is_union && kind == NAME_TREE_UNION))
			show_in_parentheses(out, branch->tree);
		else
			name_show_tree(out, branch->tree);
	}
}

void name_show_tree(struct name_show *out, const struct name_tree *tree)
{
	switch (tree->kind) {
	case NAME_TREE_LEAF:
		name_show_path(out, tree->path);
		break;
	case NAME_TREE_ALT:
	case NAME_TREE_UNION:
		show_branches(out, tree);
		break;
	case NAME_TREE_NEG:
		name_show_bytes(out, SLICE("~"));
		break;
	case NAME_TREE_FAIL:
		name_show_bytes(out, SLICE("!"));
		break;
	case NAME_TREE_EMPTY:
		name_show_bytes(out, SLICE("$"));
		break;
	}
}

void name_show_prefix(struct name_show *out, const struct dentry *dentry)
{
	if (dentry->prefix.count == 0)
		name_show_bytes(out, SLICE("/"));
	for (uint32_t i = 0; i < dentry->prefix.count; i++) {
		name_show_bytes(out, SLICE("/"));
		if (dentry->prefix.segments[i].length == 0)
			name_show_bytes(out, SLICE("*"));
		else
			name_show_segment(out, dentry->prefix.segments[i]);
	}
}

void name_show_dtab(struct name_show *out, const struct dtab *dtab)
{
	for (uint32_t i = 0; i < dtab->count; i++) {
		if (i > 0)
			name_show_bytes(out, SLICE(";"));
		name_show_prefix(out, &dtab->entries[i]);
		name_show_bytes(out, SLICE("=>"));
		name_show_tree(out, dtab->entries[i].tree);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/document.h"

#include <stdio.h>

#include "base/memory.h"
#include "doc/builder.h"
#include "doc/json.h"
#include "doc/suggest.h"
#include "doc/utf8.h"
#include "doc/yaml.h"

static const char *const kind_names[] = {
	[DOCUMENT_SCALAR] = "a single value",
	[DOCUMENT_SEQUENCE] = "a sequence",
	[DOCUMENT_MAPPING] = "a mapping",
};

/* Linkerd's rule: what begins with a brace is JSON, although it would be YAML as well. */
static bool is_json(struct slice bytes)
{
	size_t i = 0;
	while (i < bytes.length && strchr(" \t\r\n", bytes.at[i]) && bytes.at[i])
		i++;
	return i < bytes.length && bytes.at[i] == '{';
}

static int read_tree(struct builder *builder, struct slice bytes)
{
	if (bytes.length > builder->limits.max_bytes) {
		problem_add_at(builder->problems, builder->document->file, 0, 0, "%zu bytes are too many; at most %zu are read",
			bytes.length, builder->limits.max_bytes);
		return ERROR_LIMIT;
	}
	if (slice_starts(bytes, SLICE("\xef\xbb\xbf")))
		bytes = slice_from(bytes, 3);
	int e = is_json(bytes) ? json_read(builder, bytes) : yaml_read(builder, bytes);
	return e ? e : builder_finish(builder);
}

int document_parse(
	struct slice bytes, struct slice file, const struct document_limits *limits, struct problems *problems, struct document **document)
{
	struct document *made = memory_new(sizeof *made);
	struct builder builder;
	arena_init(&made->arena, NULL, 0);
	made->file = builder_text(made, file);
	builder_init(&builder, made, limits, problems);
	int e = read_tree(&builder, bytes);
	builder_fini(&builder);
	if (e) {
		document_free(made);
		return e;
	}
	*document = made;
	return 0;
}

void document_free(struct document *document)
{
	if (!document)
		return;
	arena_reset(&document->arena);
	memory_free(document);
}

const struct document_node *document_root(const struct document *document)
{
	return document->root;
}

struct slice document_file(const struct document *document)
{
	return document->file;
}

const struct document_entry *document_find(const struct document_node *map, struct slice key)
{
	if (!map || map->kind != DOCUMENT_MAPPING)
		return NULL;
	for (uint32_t i = 0; i < map->count; i++) {
		if (slice_equal(map->entries[i].key, key))
			return &map->entries[i];
	}
	return NULL;
}

const struct document_node *document_get(const struct document_node *map, const char *key)
{
	const struct document_entry *entry = document_find(map, slice_of(key));
	return entry && !document_is_null(entry->value) ? entry->value : NULL;
}

const struct document_node *document_require(const struct document_node *map, const char *key, struct problems *problems)
{
	const struct document_entry *entry = document_find(map, slice_of(key));
	if (entry && !document_is_null(entry->value))
		return entry->value;
	if (entry)
		problem_add(problems, entry->key_node, "`%s` needs a value", key);
	else if (map && map->kind == DOCUMENT_MAPPING)
		problem_add(problems, map, "the key `%s` is missing", key);
	return NULL;
}

bool document_is_null(const struct document_node *node)
{
	if (!node || node->kind != DOCUMENT_SCALAR || node->style != DOCUMENT_PLAIN)
		return false;
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	for (const char *const *name = nulls; *name; name++) {
		if (slice_equal(node->text, slice_of(*name)))
			return true;
	}
	return false;
}

bool document_expect(const struct document_node *node, enum document_kind kind, struct problems *problems)
{
	if (!node || node->kind == kind)
		return node != NULL;
	char found[DOCUMENT_FOUND];
	if (node->key.length)
		problem_add(problems, node, "`%.*s` is %s, but must be %s", SLICE_ARGS(node->key), document_found(node, found),
			kind_names[kind]);
	else
		problem_add(problems, node, "found %s, but this must be %s", document_found(node, found), kind_names[kind]);
	return false;
}

static bool is_listed(const char *const *names, struct slice name)
{
	for (; names && *names; names++) {
		if (slice_equal(slice_of(*names), name))
			return true;
	}
	return false;
}

static bool check_key(const struct document_entry *entry, const struct document_keys *keys, struct problems *problems)
{
	const char *meant = NULL;
	int nearest = SUGGEST_NONE;
	for (const struct document_keys *k = keys; k; k = k->also) {
		const char *near = NULL;
		if (is_listed(k->accepted, entry->key))
			return true;
		if (is_listed(k->later, entry->key)) {
			problem_add(problems, entry->key_node, "`%.*s` is not supported yet", SLICE_ARGS(entry->key));
			return false;
		}
		int distance = suggest_name(entry->key, k->accepted, &near);
		if (distance < nearest) {
			nearest = distance;
			meant = near;
		}
	}
	if (meant)
		problem_add(problems, entry->key_node, "unknown key `%.*s`; did you mean `%s`?", SLICE_ARGS(entry->key), meant);
	else
		problem_add(problems, entry->key_node, "unknown key `%.*s`", SLICE_ARGS(entry->key));
	return false;
}

bool document_check_keys(const struct document_node *map, const struct document_keys *keys, struct problems *problems)
{
	if (!map)
		return true;
	if (!document_expect(map, DOCUMENT_MAPPING, problems))
		return false;
	bool good = true;
	for (uint32_t i = 0; i < map->count; i++)
		good = check_key(&map->entries[i], keys, problems) && good;
	return good;
}

void document_text_place(const struct document_node *node, size_t offset, int *line, int *column)
{
	*line = node->line;
	*column = node->column;
	if (node->kind != DOCUMENT_SCALAR || !node->text_mapped)
		return;
	struct slice before = slice_make(node->text.at, offset < node->text.length ? offset : node->text.length);
	*line = node->text_line;
	for (size_t end = slice_find(before, '\n'); end < before.length; end = slice_find(before, '\n')) {
		before = slice_from(before, end + 1);
		++*line;
	}
	*column = node->text_column + (int)utf8_count(before);
}

/* A text is cut at 60 bytes, on a character's boundary, and at its first line's end. */
static void quote(struct slice text, char found[DOCUMENT_FOUND])
{
	size_t length = 0, end = slice_find(text, '\n');
	while (length < end && length < 60) {
		unsigned n = utf8_length(slice_from(text, length));
		length += n ? n : 1;
	}
	snprintf(found, DOCUMENT_FOUND, "`%.*s%s`", (int)length, text.at, length < text.length ? "…" : "");
}

const char *document_found(const struct document_node *node, char found[DOCUMENT_FOUND])
{
	if (!node)
		snprintf(found, DOCUMENT_FOUND, "nothing");
	else if (node->kind != DOCUMENT_SCALAR)
		snprintf(found, DOCUMENT_FOUND, "%s", kind_names[node->kind]);
	else if (document_is_null(node))
		snprintf(found, DOCUMENT_FOUND, "null");
	else if (!node->text.length)
		snprintf(found, DOCUMENT_FOUND, "an empty text");
	else
		quote(node->text, found);
	return found;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables of keys say of a value in a file: whether it is the default, so that the file means the same without it. */
#include <stdlib.h>

#include "dialect/linkerd/linkerd.h"
#include "dialect/linkerd/linkerd_parts.h"

static const struct linkerd_key *key_of(const struct document_node *node);

static const struct linkerd_key *find_key(const struct linkerd_block *block, struct slice name)
{
	for (; block; block = block->also)
		for (const struct linkerd_key *key = block->keys; key->name; key++)
			if (slice_equal(name, slice_of(key->name)))
				return key;
	return NULL;
}

/* That of the mapping's kind. */
static const struct linkerd_block *chosen(const struct linkerd_choice *choice, const struct document_node *map)
{
	const struct document_node *said = document_get(map, "kind");
	struct slice name = said && said->kind == DOCUMENT_SCALAR ? said->text : slice_of(choice->usual ? choice->usual : "");

	for (const struct linkerd_kind *kind = choice->kinds; kind->name; kind++)
		if (slice_equal(name, slice_of(kind->name)))
			return kind->block;
	return NULL;
}

static const struct linkerd_block *block_of(const struct document_node *map)
{
	const struct linkerd_key *key;

	if (!map->parent)
		return &linkerd_root;
	key = key_of(map->parent->kind == DOCUMENT_SEQUENCE ? map->parent : map);
	return !key ? NULL : key->choice ? chosen(key->choice, map) : key->block;
}

/* NULL: the tables don't say. */
static const struct linkerd_key *key_of(const struct document_node *node)
{
	const struct linkerd_block *block = node->parent && node->parent->kind == DOCUMENT_MAPPING ? block_of(node->parent) : NULL;

	return block ? find_key(block, node->key) : NULL;
}

static const struct document_node *router_of(const struct document_node *node)
{
	for (; node; node = node->parent)
		if (node->kind == DOCUMENT_MAPPING && node->parent && slice_equal(node->parent->key, SLICE("routers")))
			return node;
	return NULL;
}

static struct slice scalar_at(const struct document_node *map, const char *key)
{
	const struct document_node *value = map ? document_get(map, key) : NULL;

	return value && value->kind == DOCUMENT_SCALAR ? value->text : (struct slice){ 0 };
}

static bool is_of_h2(const struct document_node *node)
{
	return slice_equal(scalar_at(router_of(node), "protocol"), SLICE("h2"));
}

/* "TLSv1.2, TLSv1.3; both": what is last. */
static const char *last_of(const char *says)
{
	for (const char *next; (next = strstr(says, "; "));)
		says = next + 2;
	return says;
}

/* "proxies in Via; 1000, for h2 10", "of a message; 8, at most 64": what is last, up to a comma, and what it is for h2. */
static struct slice default_of(const struct linkerd_key *key, bool h2)
{
	static const char for_h2[] = ", for h2 ";
	const char *last = last_of(key->says), *other = strstr(last, for_h2);

	if (h2 && other)
		return slice_of(other + sizeof for_h2 - 1);
	return slice_make(last, slice_find(slice_of(last), ','));
}

static bool is_number(enum linkerd_type type)
{
	return type == LINKERD_COUNT || type == LINKERD_PORT || type == LINKERD_MS || type == LINKERD_SECONDS || type == LINKERD_KB ||
		type == LINKERD_SHARE;
}

/* Both end in NUL, or in something that is no part of a number. */
static bool same_number(struct slice a, struct slice b)
{
	char *end_a, *end_b;
	double x = strtod(a.at, &end_a), y = strtod(b.at, &end_b);

	return a.length && b.length && end_a == a.at + a.length && end_b == b.at + b.length && x == y;
}

/* ---- texts ---- */

/* Defaults that people are told of in these words, and which no value means. */
static bool is_prose(struct slice word)
{
	static const char *const words[] = { "none", "no", "all", "both", "nothing", "nobody", "required", NULL };

	for (unsigned i = 0; words[i]; i++)
		if (slice_equal(word, slice_of(words[i])))
			return true;
	return false;
}

static bool is_label(struct slice value, const struct document_node *router)
{
	struct slice label = scalar_at(router, "label");

	return slice_equal(value, label.length ? label : scalar_at(router, "protocol"));
}

/* "rolled files that are kept; all, -1": it may be said in two ways. */
static bool is_default_text(const struct linkerd_key *key, const struct document_node *value)
{
	struct slice usual = default_of(key, is_of_h2(value)), rest = slice_of(last_of(key->says));

	if (slice_equal(usual, SLICE("empty")))
		return value->text.length == 0;
	if (slice_equal(usual, SLICE("the protocol")))
		return slice_equal(value->text, scalar_at(router_of(value), "protocol"));
	if (slice_equal(usual, SLICE("the router's")))
		return is_label(value->text, router_of(value));
	if (slice_equal(value->text, usual))
		return !is_prose(usual);
	for (struct slice word; slice_split(&rest, ',', &word);)
		if (word.length > 1 && word.at[0] == ' ' && slice_equal(slice_from(word, 1), value->text))
			return true;
	return false;
}

static bool is_default_scalar(const struct linkerd_key *key, const struct document_node *value)
{
	struct slice usual = default_of(key, is_of_h2(value));

	if (is_number(key->type))
		return same_number(value->text, usual);
	if (key->type == LINKERD_BOOL || key->type == LINKERD_IP)
		return slice_equal(value->text, usual);
	return (key->type == LINKERD_TEXT || key->type == LINKERD_TEXT_OR_EMPTY || key->type == LINKERD_READ) &&
		is_default_text(key, value);
}

/* ---- lists ---- */

static bool has_item(const struct document_node *list, struct slice text)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i]->kind == DOCUMENT_SCALAR && slice_equal(list->items[i]->text, text))
			return true;
	return false;
}

/* "TLSv1.2, TLSv1.3; both", "expressions of pages; none". */
static bool is_default_list(const struct linkerd_key *key, const struct document_node *list)
{
	const char *last = last_of(key->says);
	struct slice words = slice_make(key->says, last - key->says >= 2 ? (size_t)(last - key->says) - 2 : 0), word;
	uint32_t count = 0;

	if (strcmp(last, "none") == 0)
		return list->count == 0;
	if (strcmp(last, "both") != 0)
		return false;
	for (; slice_split(&words, ',', &word); count++)
		if (!has_item(list, word.length && word.at[0] == ' ' ? slice_from(word, 1) : word))
			return false;
	return count == list->count;
}

/* ---- mappings ---- */

/* A kind that is the default, and what it has of keys: each its default. */
static bool is_default_choice(const struct linkerd_key *key, const struct document_node *map)
{
	struct slice kind = scalar_at(map, "kind");

	if (!key->choice || !key->choice->usual || !slice_equal(default_of(key, is_of_h2(map)), slice_of(key->choice->usual)) ||
		(kind.length && !slice_equal(kind, slice_of(key->choice->usual))))
		return false;
	for (uint32_t i = 0; i < map->count; i++)
		if (!slice_equal(map->entries[i].key, SLICE("kind")) && !linkerd_is_default(map->entries[i].value))
			return false;
	return true;
}

/* ---- all ---- */

bool linkerd_is_default(const struct document_node *value)
{
	const struct linkerd_key *key = key_of(value);

	if (!key || !key->says || key->required)
		return false;
	switch (value->kind) {
	case DOCUMENT_SCALAR:
		return is_default_scalar(key, value);
	case DOCUMENT_SEQUENCE:
		return is_default_list(key, value);
	case DOCUMENT_MAPPING:
		return is_default_choice(key, value);
	}
	return false;
}

bool linkerd_has_no_effect(const struct document_node *value)
{
	const struct linkerd_key *key = key_of(value);

	return key && key->says && strncmp(key->says, "no effect", 9) == 0;
}

/* Sockets have these options, whether they are listed or not. */
bool linkerd_is_plain_block(const struct document_node *map)
{
	const struct linkerd_key *key = map->kind == DOCUMENT_MAPPING && map->parent ? key_of(map) : NULL;

	return key && (key->type == LINKERD_BLOCK || key->block == &linkerd_socket);
}

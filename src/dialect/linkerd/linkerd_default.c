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

static bool is_of_h2(const struct document_node *node)
{
	const struct document_node *protocol = NULL;

	for (; node && !protocol; node = node->parent)
		if (node->kind == DOCUMENT_MAPPING && node->parent && slice_equal(node->parent->key, SLICE("routers")))
			protocol = document_get(node, "protocol");
	return protocol && protocol->kind == DOCUMENT_SCALAR && slice_equal(protocol->text, SLICE("h2"));
}

/* "proxies in Via; 1000, for h2 10", "of a message; 8, at most 64": what is last, up to a comma, and what it is for h2. */
static struct slice default_of(const struct linkerd_key *key, bool h2)
{
	static const char for_h2[] = ", for h2 ";
	const char *last = key->says, *other;

	for (const char *next; (next = strstr(last, "; "));)
		last = next + 2;
	other = strstr(last, for_h2);
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

bool linkerd_is_default(const struct document_node *value)
{
	const struct linkerd_key *key = value->kind == DOCUMENT_SCALAR ? key_of(value) : NULL;
	struct slice usual;

	if (!key || !key->says || key->required)
		return false;
	usual = default_of(key, is_of_h2(value));
	if (is_number(key->type))
		return same_number(value->text, usual);
	return (key->type == LINKERD_BOOL || key->type == LINKERD_IP) && slice_equal(value->text, usual);
}

bool linkerd_is_plain_block(const struct document_node *map)
{
	const struct linkerd_key *key = map->kind == DOCUMENT_MAPPING && map->parent ? key_of(map) : NULL;

	return key && key->type == LINKERD_BLOCK;
}

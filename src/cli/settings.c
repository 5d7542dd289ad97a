/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"

#include "base/text.h"
#include "cli/named_file.h"
#include "dialect/linkerd/linkerd.h"
#include "doc/json_write.h"

struct comparison {
	void (*visit)(void *owner, const struct setting *setting);
	void *owner;
	struct text key;
	bool unseen; /* requests can't be forecast, for a cluster says how they are named, or its dtab: the keys are all that tells */
};

/* What only says which is compared with which. */
static const char *const left_out[] = { "routers[].servers[].ip", "routers[].servers[].port", "telemetry[].kind", NULL };

/* What witnesses show, where there are any. */
static const char *const witnessed[] = { "namers", "routers[].dtab", "routers[].dstPrefix", "routers[].identifier", "routers[].interpreter",
	"routers[].service", "routers[].client", NULL };

/* Whose order says nothing. */
static const char *const sets[] = { "peerIds", "allowOrigins", "allowHeaders", "exposeHeaders", "trustCerts", "protocols", NULL };

static void compare(struct comparison *comparison, const struct document_node *old, const struct document_node *new);

static const struct document_node *value_at(const struct document_node *map, struct slice key)
{
	for (uint32_t i = 0; map && map->kind == DOCUMENT_MAPPING && i < map->count; i++)
		if (slice_equal(map->entries[i].key, key))
			return document_is_null(map->entries[i].value) ? NULL : map->entries[i].value;
	return NULL;
}

static bool is_one_of(struct slice key, const char *const *keys)
{
	for (unsigned i = 0; keys[i]; i++)
		if (slice_equal(key, slice_of(keys[i])))
			return true;
	return false;
}

/* The key without what stands in its brackets. */
static bool is_left_out(const struct comparison *comparison)
{
	struct slice key = text_slice(&comparison->key);
	struct text plain = { 0 };
	bool inside = false, found = false;

	for (size_t i = 0; i < key.length; i++) {
		inside = inside && key.at[i] != ']';
		if (!inside)
			text_append(&plain, slice_make(&key.at[i], 1));
		inside = inside || key.at[i] == '[';
	}
	found = is_one_of(text_slice(&plain), left_out) || (!comparison->unseen && is_one_of(text_slice(&plain), witnessed));
	text_free(&plain);
	return found;
}

/* ---- one value ---- */

static struct slice shown(const struct document_node *node, struct text *out)
{
	struct json_writer json;

	if (!node)
		return (struct slice){ 0 };
	if (node->kind == DOCUMENT_SCALAR) {
		text_append(out, node->text);
		if (named_file_is_key(node->key))
			named_file_tell(node->text, out);
	} else {
		json_write_start(&json, out, false);
		json_write_node(&json, node);
	}
	text_append(out, SLICE(""));
	return text_slice(out);
}

static void tell(struct comparison *comparison, const struct document_node *old, const struct document_node *new)
{
	struct text was = { 0 }, is = { 0 };
	const struct setting setting = {
		.key = text_slice(&comparison->key),
		.old = shown(old, &was),
		.new = shown(new, &is),
		.old_line = old ? old->line : 0,
		.new_line = new ? new->line : 0,
	};

	comparison->visit(comparison->owner, &setting);
	text_free(&was);
	text_free(&is);
}

static bool same_text(struct slice key, struct slice old, struct slice new)
{
	return named_file_is_key(key) ? named_file_same(old, new) : slice_equal(old, new);
}

static bool has_item(const struct document_node *list, struct slice text)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i]->kind == DOCUMENT_SCALAR && same_text(list->key, list->items[i]->text, text))
			return true;
	return false;
}

static bool has_all(const struct document_node *list, const struct document_node *of)
{
	for (uint32_t i = 0; i < of->count; i++)
		if (of->items[i]->kind != DOCUMENT_SCALAR || !has_item(list, of->items[i]->text))
			return false;
	return true;
}

static bool is_set(const struct document_node *node)
{
	return is_one_of(node->key, sets);
}

static bool same_value(const struct document_node *old, const struct document_node *new)
{
	struct text was = { 0 }, is = { 0 };
	bool same;

	if (old->kind == DOCUMENT_SEQUENCE && new->kind == DOCUMENT_SEQUENCE && is_set(old))
		return has_all(old, new) && has_all(new, old);
	if (old->kind == DOCUMENT_SCALAR && new->kind == DOCUMENT_SCALAR)
		return same_text(old->key, old->text, new->text);
	same = old->kind == new->kind &&slice_equal(shown(old, &was), shown(new, &is));
	text_free(&was);
	text_free(&is);
	return same;
}

/* ---- lists of mappings ---- */

static struct slice text_at(const struct document_node *map, const char *key, const char *usual)
{
	const struct document_node *node = value_at(map, slice_of(key));

	return node && node->kind == DOCUMENT_SCALAR ? node->text : slice_of(usual);
}

static const char *usual_port(const struct document_node *server)
{
	return slice_equal(text_at(server->parent->parent, "protocol", "http"), SLICE("h2")) ? "4142" : "4140";
}

static bool is_of_kind(const struct document_node *plugin, const char *kind)
{
	if (plugin && plugin->kind == DOCUMENT_SEQUENCE) {
		for (uint32_t i = 0; i < plugin->count; i++)
			if (is_of_kind(plugin->items[i], kind))
				return true;
		return false;
	}
	return slice_equal(text_at(plugin, "kind", ""), slice_of(kind));
}

/* Whether Kubernetes' objects say how its requests are named, or where names lead. */
static bool is_unseen(const struct document_node *router)
{
	return is_of_kind(value_at(router, SLICE("identifier")), "io.l5d.ingress") ||
		is_of_kind(value_at(router, SLICE("interpreter")), "io.l5d.k8s.configMap");
}

static bool has_unseen(const struct document_node *root)
{
	const struct document_node *routers = value_at(root, SLICE("routers"));

	for (uint32_t i = 0; routers && routers->kind == DOCUMENT_SEQUENCE && i < routers->count; i++)
		if (is_unseen(routers->items[i]))
			return true;
	return false;
}

/* What tells an item from the others of its list. */
static void name_item(const struct document_node *item, uint32_t index, struct text *out)
{
	struct slice list = item->parent->key;

	if (slice_equal(list, SLICE("routers")))
		text_append(out, text_at(item, "label", text_at(item, "protocol", "http").at));
	else if (slice_equal(list, SLICE("servers")))
		text_format(out, "%.*s:%.*s", SLICE_ARGS(text_at(item, "ip", "127.0.0.1")),
			SLICE_ARGS(text_at(item, "port", usual_port(item))));
	else if (slice_equal(list, SLICE("telemetry")))
		text_append(out, text_at(item, "kind", ""));
	else
		text_format(out, "%u", index);
}

static const struct document_node *item_named(const struct document_node *list, struct slice name)
{
	struct text other = { 0 };
	const struct document_node *found = NULL;

	for (uint32_t i = 0; list && i < list->count && !found; i++) {
		text_clear(&other);
		name_item(list->items[i], i, &other);
		if (slice_equal(text_slice(&other), name))
			found = list->items[i];
	}
	text_free(&other);
	return found;
}

/* Those of `from`; `backwards`: it is the new one, and only what the old one doesn't have is left. */
static void compare_items(struct comparison *comparison, const struct document_node *from, const struct document_node *with, bool backwards)
{
	size_t before = comparison->key.length;
	bool unseen = comparison->unseen;

	for (uint32_t i = 0; from && i < from->count; i++) {
		struct text name = { 0 };
		const struct document_node *other;

		name_item(from->items[i], i, &name);
		other = item_named(with, text_slice(&name));
		text_format(&comparison->key, "[%.*s]", SLICE_ARGS(text_slice(&name)));
		if (slice_equal(from->key, SLICE("routers")))
			comparison->unseen = is_unseen(from->items[i]) || is_unseen(other);
		if (!backwards)
			compare(comparison, from->items[i], other);
		else if (!other)
			compare(comparison, NULL, from->items[i]);
		comparison->unseen = unseen;
		comparison->key.length = before;
		text_free(&name);
	}
}

static bool is_list_of_mappings(const struct document_node *node)
{
	return !node || (node->kind == DOCUMENT_SEQUENCE && node->count > 0 && node->items[0]->kind == DOCUMENT_MAPPING);
}

/* ---- all ---- */

/* Where both have the mapping that it is in, or where that says nothing by being there. */
static bool says_nothing(const struct document_node *value, const struct document_node *with)
{
	return value && (with || linkerd_is_plain_block(value->parent)) && linkerd_is_default(value);
}

static void compare_keys(struct comparison *comparison, const struct document_node *from, const struct document_node *with, bool backwards)
{
	size_t before = comparison->key.length;

	for (uint32_t i = 0; from && i < from->count; i++) {
		struct slice key = from->entries[i].key;
		const struct document_node *mine = value_at(from, key), *other = value_at(with, key);

		text_format(&comparison->key, "%s%.*s", before ? "." : "", SLICE_ARGS(key));
		if (!other && says_nothing(mine, with))
			; /* the other side's default */
		else if (!backwards)
			compare(comparison, mine, other);
		else if (!other)
			compare(comparison, NULL, mine);
		comparison->key.length = before;
	}
}

static void compare(struct comparison *comparison, const struct document_node *old, const struct document_node *new)
{
	const struct document_node *either = old ? old : new;

	if (!either || is_left_out(comparison) || linkerd_has_no_effect(either))
		return;
	if (either->kind == DOCUMENT_MAPPING && (either->count || (new &&new->count)) && (!old || !new || old->kind == new->kind)) {
		compare_keys(comparison, old, new, false);
		compare_keys(comparison, new, old, true);
	} else if (is_list_of_mappings(old) && is_list_of_mappings(new)) {
		compare_items(comparison, old, new, false);
		compare_items(comparison, new, old, true);
	} else if (!old || !new || !same_value(old, new)) {
		tell(comparison, old, new);
	}
}

void settings_each(const struct document_node *old, const struct document_node *new,
	void (*visit)(void *owner, const struct setting *setting), void *owner)
{
	struct comparison comparison = { .visit = visit, .owner = owner, .unseen = has_unseen(old) || has_unseen(new) };

	compare(&comparison, old, new);
	text_free(&comparison.key);
}

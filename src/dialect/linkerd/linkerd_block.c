/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect/linkerd/linkerd_block.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "doc/suggest.h"

enum { MOST_NAMES = 96 };

/* ---- problems with their path ---- */

static void add_path(struct text *out, const struct document_node *node)
{
	const struct document_node *parent = node->parent;

	if (!parent)
		return;
	add_path(out, parent);
	if (parent->kind == DOCUMENT_MAPPING) {
		text_format(out, "%s%.*s", out->length ? "." : "", SLICE_ARGS(node->key));
		return;
	}
	uint32_t i = 0;
	while (i < parent->count && parent->items[i] != node)
		i++;
	text_format(out, "[%u]", i);
}

static struct slice format_text(struct text *out, const char *format, va_list values)
{
	char line[512];
	int length = vsnprintf(line, sizeof line, format, values);

	CHECK(length >= 0);
	text_format(out, "%s%s", out->length ? ": " : "", line);
	return text_slice(out);
}

void linkerd_problem(struct linkerd_load *load, const struct document_node *node, const char *format, ...)
{
	struct text out = { 0 };
	va_list values;

	add_path(&out, node);
	va_start(values, format);
	problem_add(load->problems, node, "%s", format_text(&out, format, values).at);
	va_end(values);
	text_free(&out);
}

void linkerd_problem_at_key(struct linkerd_load *load, const struct document_entry *entry, const char *format, ...)
{
	struct text out = { 0 };
	va_list values;

	add_path(&out, entry->value);
	va_start(values, format);
	problem_add(load->problems, entry->key_node, "%s", format_text(&out, format, values).at);
	va_end(values);
	text_free(&out);
}

void linkerd_problem_inside(struct linkerd_load *load, const struct document_node *node, size_t offset, const char *format, ...)
{
	struct text out = { 0 };
	va_list values;

	add_path(&out, node);
	va_start(values, format);
	problem_add_inside(load->problems, node, offset, "%s", format_text(&out, format, values).at);
	va_end(values);
	text_free(&out);
}

/* ---- memory ---- */

void *linkerd_memory(struct linkerd_load *load, size_t size)
{
	void *memory = arena_zeroed(&load->snapshot->arena, size);

	if (!memory)
		check_out_of_memory("a configuration");
	return memory;
}

struct slice linkerd_copy(struct linkerd_load *load, struct slice text)
{
	char *copy = arena_text(&load->snapshot->arena, text);

	if (!copy)
		check_out_of_memory("a configuration");
	return slice_make(copy, text.length);
}

/* ---- values ---- */

static int64_t most(const struct linkerd_key *key)
{
	return key->max ? key->max : INT32_MAX;
}

static bool read_integer(struct linkerd_load *load, const struct document_node *value, const struct linkerd_key *key, void *at)
{
	int64_t n;

	if (!document_read_int(value, key->min, key->type == LINKERD_PORT ? UINT16_MAX : most(key), &n, load->problems))
		return false;
	if (at && key->type == LINKERD_PORT)
		*(uint16_t *)at = (uint16_t)n;
	else if (at && key->type == LINKERD_COUNT)
		*(uint32_t *)at = (uint32_t)n;
	else if (at && key->type == LINKERD_KB)
		*(uint32_t *)at = (uint32_t)n * 1024;
	else if (at)
		*(int64_t *)at = n * (key->type == LINKERD_MS ? CLOCK_MS : CLOCK_SECOND);
	return true;
}

static bool read_bool(struct linkerd_load *load, const struct document_node *value, bool *at)
{
	bool flag;

	if (!document_read_bool(value, &flag, load->problems))
		return false;
	if (at)
		*at = flag;
	return true;
}

static bool read_text(struct linkerd_load *load, const struct document_node *value, bool may_be_empty, struct slice *at)
{
	struct slice text;

	if (!document_read_text(value, &text, load->problems))
		return false;
	if (text.length == 0 && !may_be_empty) {
		linkerd_problem(load, value, "must not be empty");
		return false;
	}
	if (at)
		*at = linkerd_copy(load, text);
	return true;
}

static bool read_ip(struct linkerd_load *load, const struct document_node *value, struct address *at)
{
	struct address address;
	struct slice text;
	char found[DOCUMENT_FOUND];

	if (!document_read_text(value, &text, load->problems))
		return false;
	if (slice_equal(text, SLICE("localhost")))
		text = SLICE("127.0.0.1");
	if (address_parse(text, at ? at->port : 0, &address)) {
		linkerd_problem(load, value, "%s is not an IP address", document_found(value, found));
		return false;
	}
	if (at)
		*at = address;
	return true;
}

static bool read_value(struct linkerd_load *load, const struct document_node *value, const struct linkerd_key *key, void *at)
{
	uint32_t before = load->problems->count + load->problems->dropped;

	switch (key->type) {
	case LINKERD_LATER:
	case LINKERD_APART:
		break;
	case LINKERD_BOOL:
		return read_bool(load, value, at);
	case LINKERD_COUNT:
	case LINKERD_PORT:
	case LINKERD_MS:
	case LINKERD_SECONDS:
	case LINKERD_KB:
		return read_integer(load, value, key, at);
	case LINKERD_SHARE: {
		double share;

		return document_read_number(value, 0, 1, at ? (double *)at : &share, load->problems);
	}
	case LINKERD_TEXT:
	case LINKERD_TEXT_OR_EMPTY:
		return read_text(load, value, key->type == LINKERD_TEXT_OR_EMPTY, at);
	case LINKERD_IP:
		return read_ip(load, value, at);
	case LINKERD_BLOCK:
		return linkerd_read_block(load, value, key->block, at);
	case LINKERD_READ:
		key->read(load, value, at);
		break;
	}
	return load->problems->count + load->problems->dropped == before;
}

/* ---- blocks ---- */

static const struct linkerd_key *find_key(const struct linkerd_block *block, struct slice name, const struct linkerd_block **where)
{
	for (; block; block = block->also) {
		for (const struct linkerd_key *key = block->keys; key->name; key++) {
			if (slice_equal(slice_of(key->name), name)) {
				*where = block;
				return key;
			}
		}
	}
	return NULL;
}

static void refuse_unknown(struct linkerd_load *load, const struct document_entry *entry, const struct linkerd_block *block)
{
	const char *names[MOST_NAMES + 1], *meant = NULL;
	unsigned count = 0;

	for (; block; block = block->also) {
		for (const struct linkerd_key *key = block->keys; key->name && count < MOST_NAMES; key++)
			names[count++] = key->name;
	}
	names[count] = NULL;
	if (suggest_name(entry->key, names, &meant) == SUGGEST_NONE)
		linkerd_problem_at_key(load, entry, "unknown key");
	else
		linkerd_problem_at_key(load, entry, "unknown key; did you mean `%s`?", meant);
}

static bool read_entry(struct linkerd_load *load, const struct document_entry *entry, const struct linkerd_block *block, void *out)
{
	const struct linkerd_block *where;
	const struct linkerd_key *key = find_key(block, entry->key, &where);
	char *start = out;

	if (!key) {
		refuse_unknown(load, entry, block);
		return false;
	}
	if (key->type == LINKERD_LATER) {
		linkerd_problem_at_key(load, entry, "not yet supported by weft (known from Linkerd 1.x)");
		return false;
	}
	if (document_is_null(entry->value))
		return true;
	if (!read_value(load, entry->value, key, key->offset == LINKERD_NOWHERE || !out ? NULL : start + key->offset))
		return false;
	if (key->sets)
		*(unsigned *)(void *)(start + where->set_offset) |= key->sets;
	return true;
}

static bool check_required(struct linkerd_load *load, const struct document_node *node, const struct linkerd_block *block)
{
	bool good = true;

	for (; block; block = block->also) {
		for (const struct linkerd_key *key = block->keys; key->name; key++) {
			if (key->required && !document_get(node, key->name)) {
				linkerd_problem(load, node, "the key `%s` is missing", key->name);
				good = false;
			}
		}
	}
	return good;
}

bool linkerd_read_block(struct linkerd_load *load, const struct document_node *node, const struct linkerd_block *block, void *out)
{
	if (!node)
		return true;
	if (!document_expect(node, DOCUMENT_MAPPING, load->problems))
		return false;

	bool good = true;

	for (uint32_t i = 0; i < node->count; i++)
		good = read_entry(load, &node->entries[i], block, out) && good;
	return check_required(load, node, block) && good;
}

/* ---- kinds ---- */

static void refuse_kind(struct linkerd_load *load, const struct document_node *kind, const struct linkerd_choice *choice)
{
	const char *names[MOST_NAMES + 1], *meant = NULL;
	char found[DOCUMENT_FOUND];
	struct text accepted = { 0 };
	unsigned count = 0;

	for (const struct linkerd_kind *k = choice->kinds; k->name && count < MOST_NAMES; k++) {
		names[count++] = k->name;
		if (k->block)
			text_format(&accepted, "%s%s", accepted.length ? ", " : "", k->name);
	}
	names[count] = NULL;
	document_found(kind, found);
	if (kind->kind == DOCUMENT_SCALAR && suggest_name(kind->text, names, &meant) != SUGGEST_NONE)
		linkerd_problem(load, kind, "unknown kind %s; did you mean `%s`?", found, meant);
	else
		linkerd_problem(load, kind, "unknown kind %s; there is %s", found, accepted.bytes);
	text_free(&accepted);
}

const struct linkerd_kind *linkerd_read_kind(
	struct linkerd_load *load, const struct document_node *node, const struct linkerd_choice *choice)
{
	if (!document_expect(node, DOCUMENT_MAPPING, load->problems))
		return NULL;

	const struct document_node *kind = document_get(node, "kind");
	if (!kind && !choice->usual) {
		linkerd_problem(load, node, "the key `kind` is missing");
		return NULL;
	}

	struct slice name = kind ? (kind->kind == DOCUMENT_SCALAR ? kind->text : SLICE("")) : slice_of(choice->usual);
	for (const struct linkerd_kind *k = choice->kinds; k->name; k++) {
		if (!slice_equal(slice_of(k->name), name))
			continue;
		if (k->block)
			return k;
		linkerd_problem(load, kind, "%s is not yet supported by weft (known from Linkerd 1.x)", k->name);
		return NULL;
	}
	refuse_kind(load, kind, choice);
	return NULL;
}

/* ---- lists ---- */

void *linkerd_read_list(struct linkerd_load *load, const struct document_node *node, size_t size,
	void (*read)(struct linkerd_load *load, const struct document_node *item, void *out), unsigned *count)
{
	*count = 0;
	if (!document_expect(node, DOCUMENT_SEQUENCE, load->problems) || node->count == 0)
		return NULL;

	char *list = linkerd_memory(load, node->count * size);

	*count = node->count;
	for (uint32_t i = 0; i < node->count; i++)
		read(load, node->items[i], list + i * size);
	return list;
}

void linkerd_check_kubeconfig(struct linkerd_load *load, const struct document_node *node)
{
	static const char *const says[] = { "host", "port", "k8sHost", "k8sPort", "caFile", "tokenFile" };

	if (node->kind != DOCUMENT_MAPPING || !document_find(node, SLICE("kubeconfig")))
		return;
	for (unsigned i = 0; i < sizeof says / sizeof *says; i++) {
		bool own = slice_equal(slice_of(says[i]), SLICE("port")) && document_find(node, SLICE("service"));
		const struct document_entry *entry = own ? NULL : document_find(node, slice_of(says[i]));

		if (entry)
			linkerd_problem_at_key(
				load, entry, "`kubeconfig` says where Kubernetes' API is, and how it is asked: one or the other");
	}
}

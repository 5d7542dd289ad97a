/* SPDX-License-Identifier: Apache-2.0 */
#include "model/bound.h"

#include "base/check.h"
#include "base/memory.h"

enum { BOUND_MAGIC = 0x626f756e };

struct bound *bound_new(void)
{
	struct bound *bound = memory_new(sizeof *bound);
	bound->magic = BOUND_MAGIC;
	atomic_init(&bound->references, 1);
	arena_init(&bound->arena, NULL, 0);
	return bound;
}

struct bound *bound_ref(struct bound *bound)
{
	CHECK_MAGIC(bound, BOUND_MAGIC);
	atomic_fetch_add_explicit(&bound->references, 1, memory_order_relaxed);
	return bound;
}

void bound_unref(struct bound *bound)
{
	if (!bound)
		return;
	CHECK_MAGIC(bound, BOUND_MAGIC);
	if (atomic_fetch_sub_explicit(&bound->references, 1, memory_order_acq_rel) != 1)
		return;
	for (struct bound_node *leaf = bound->leaves; leaf; leaf = leaf->next_leaf)
		endpoints_unref(leaf->endpoints);
	bound->magic = 0;
	arena_reset(&bound->arena);
	memory_free(bound);
}

static void *take(struct bound *bound, size_t size)
{
	CHECK_MAGIC(bound, BOUND_MAGIC);
	CHECK(!bound->root); /* finished trees don't change */
	void *block = arena_zeroed(&bound->arena, size);
	if (!block)
		check_out_of_memory("a bound tree");
	return block;
}

static struct bound_node *new_node(struct bound *bound, enum bound_kind kind)
{
	struct bound_node *node = take(bound, sizeof *node);
	node->kind = kind;
	return node;
}

static struct path own_path(struct bound *bound, struct path path, struct slice *shown)
{
	struct path copy;
	*shown = path_show(&bound->arena, path);
	if (!shown->at || path_copy(&bound->arena, path, &copy))
		check_out_of_memory("a bound tree");
	return copy;
}

struct bound_node *bound_leaf(struct bound *bound, struct path id, struct path residual, struct endpoints *endpoints)
{
	struct bound_node *leaf = new_node(bound, BOUND_LEAF);
	leaf->id = own_path(bound, id, &leaf->id_text);
	leaf->residual = own_path(bound, residual, &leaf->residual_text);
	if (residual.count == 0)
		leaf->residual_text = SLICE("");
	leaf->endpoints = endpoints ? endpoints_ref(endpoints) : endpoints_new_state(ENDPOINTS_PENDING, SLICE(""), 0);
	leaf->next_leaf = bound->leaves;
	bound->leaves = leaf;
	return leaf;
}

struct bound_node *bound_branches(struct bound *bound, enum bound_kind kind, uint32_t count)
{
	CHECK(kind == BOUND_ALT || kind == BOUND_UNION);
	struct bound_node *node = new_node(bound, kind);
	node->count = count;
	node->branches = take(bound, count * sizeof *node->branches);
	for (uint32_t i = 0; i < count; i++)
		node->branches[i].weight = 1;
	return node;
}

struct bound_node *bound_state(struct bound *bound, enum bound_kind kind)
{
	CHECK(kind == BOUND_NEG || kind == BOUND_FAIL || kind == BOUND_EMPTY || kind == BOUND_PENDING);
	return new_node(bound, kind);
}

struct bound_node *bound_error(struct bound *bound, struct slice message)
{
	struct bound_node *node = new_node(bound, BOUND_ERROR);
	node->message = arena_copy(&bound->arena, message);
	if (!node->message.at)
		check_out_of_memory("a bound tree");
	return node;
}

static void normalise(struct bound_node *node)
{
	double sum = 0;
	for (uint32_t i = 0; i < node->count; i++)
		sum += node->branches[i].weight;
	for (uint32_t i = 0; i < node->count; i++)
		node->branches[i].weight = sum > 0 ? node->branches[i].weight / sum : 1.0 / node->count;
}

/* What `node` comes to; nodes with branches are copied, because two parents may share one. */
static const struct bound_node *simplify(struct bound *bound, const struct bound_node *node)
{
	uint32_t kept = 0;
	if (node->kind != BOUND_ALT && node->kind != BOUND_UNION)
		return node;
	struct bound_node *simple = bound_branches(bound, node->kind, node->count);
	for (uint32_t i = 0; i < node->count; i++) {
		const struct bound_node *branch = simplify(bound, node->branches[i].node);
		if (branch->kind == BOUND_NEG || (branch->kind == BOUND_FAIL && node->kind == BOUND_UNION))
			continue;
		simple->branches[kept++] = (struct bound_branch){ node->branches[i].weight, branch };
		if (branch->kind == BOUND_FAIL)
			break;
	}
	simple->count = kept;
	if (kept == 0)
		return bound_state(bound, BOUND_NEG);
	if (kept == 1)
		return simple->branches[0].node;
	if (node->kind == BOUND_UNION)
		normalise(simple);
	return simple;
}

void bound_finish(struct bound *bound, struct bound_node *root)
{
	bound->root = simplify(bound, root);
}

static bool comes_to_nothing(const struct bound_node *node)
{
	const struct bound_node *chosen = bound_choose(node);
	return chosen->kind == BOUND_NEG || chosen->kind == BOUND_FAIL;
}

const struct bound_node *bound_choose(const struct bound_node *node)
{
	static const struct bound_node neg = { .kind = BOUND_NEG };
	if (node->kind != BOUND_ALT && node->kind != BOUND_UNION)
		return node;
	for (uint32_t i = 0; i < node->count; i++) {
		const struct bound_node *branch = node->branches[i].node;
		if (node->kind == BOUND_UNION && !comes_to_nothing(branch))
			return node;
		if (node->kind == BOUND_ALT && bound_choose(branch)->kind != BOUND_NEG)
			return bound_choose(branch);
	}
	return &neg;
}

bool bound_equal(const struct bound_node *a, const struct bound_node *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || a->count != b->count || a->status != b->status || !slice_equal(a->id_text, b->id_text) ||
		!slice_equal(a->residual_text, b->residual_text) || !slice_equal(a->message, b->message))
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		if (a->branches[i].weight != b->branches[i].weight || !bound_equal(a->branches[i].node, b->branches[i].node))
			return false;
	}
	return true;
}

static void show_branches(struct text *out, const struct bound_node *node)
{
	for (uint32_t i = 0; i < node->count; i++) {
		const struct bound_branch *branch = &node->branches[i];
		bool nested = branch->node->kind == BOUND_ALT || branch->node->kind == BOUND_UNION;
		if (i > 0)
			text_append(out, node->kind == BOUND_ALT ? SLICE(" | ") : SLICE(" & "));
		if (node->kind == BOUND_UNION)
			text_format(out, "%g * ", branch->weight);
		if (nested)
			text_append(out, SLICE("("));
		bound_show_text(out, branch->node);
		if (nested)
			text_append(out, SLICE(")"));
	}
}

void bound_show_text(struct text *out, const struct bound_node *node)
{
	switch (node->kind) {
	case BOUND_LEAF:
		text_append(out, node->id_text);
		if (node->residual_text.length)
			text_format(out, "[%.*s]", SLICE_ARGS(node->residual_text));
		break;
	case BOUND_ALT:
	case BOUND_UNION:
		show_branches(out, node);
		break;
	case BOUND_NEG:
		text_append(out, SLICE("~"));
		break;
	case BOUND_FAIL:
		text_append(out, SLICE("!"));
		break;
	case BOUND_EMPTY:
		text_append(out, SLICE("$"));
		break;
	case BOUND_PENDING:
		text_append(out, SLICE("?"));
		break;
	case BOUND_ERROR:
		text_format(out, "error(%.*s)", SLICE_ARGS(node->message));
		break;
	}
}

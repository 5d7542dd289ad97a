/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/evaluation.h"

static struct bound_node *bind_tree(struct evaluation *evaluation, const struct name_tree *tree, struct arena *arena, unsigned depth);

static struct bound_node *bind_leaf(const struct evaluation *evaluation, const struct found *found)
{
	struct bound_node *node;

	if (found->answer->status) {
		node = bound_leaf(evaluation->bound, found->answer->id, found->answer->residual, found->answer->endpoints);
		node->status = found->answer->status;
		return node;
	}
	if (found->endpoints->state == ENDPOINTS_PENDING)
		return bound_state(evaluation->bound, BOUND_PENDING);
	if (found->endpoints->state == ENDPOINTS_FAILED && !evaluation->has_endpoints(evaluation->owner, found->id))
		return bound_error(evaluation->bound, found->endpoints->message);
	return bound_leaf(evaluation->bound, found->id, found->answer->residual, found->endpoints);
}

static struct bound_node *bind_found(struct evaluation *evaluation, struct path path, struct arena *arena, unsigned depth)
{
	struct found found;
	struct bound_node *node;

	if (watches_ask(evaluation->watches, evaluation->router_index, path, arena, &found))
		return bound_error(evaluation->bound, SLICE("out of memory"));
	if (!found.answer)
		return bound_state(evaluation->bound, BOUND_NEG);
	switch (found.answer->state) {
	case NAMER_LEAF:
		node = bind_leaf(evaluation, &found);
		break;
	case NAMER_TREE:
		node = bind_tree(evaluation, found.answer->tree, arena, depth + 1);
		break;
	case NAMER_FAILED:
		node = bound_error(evaluation->bound, found.answer->message);
		break;
	case NAMER_PENDING:
		node = bound_state(evaluation->bound, BOUND_PENDING);
		break;
	default:
		node = bound_state(evaluation->bound, BOUND_NEG);
		break;
	}
	found_fini(&found);
	return node;
}

static struct bound_node *bind_path(struct evaluation *evaluation, struct path path, struct arena *arena, unsigned depth)
{
	const struct name_tree *tree;

	if (depth > EVALUATION_DEPTH)
		return bound_error(evaluation->bound, SLICE("more than 100 delegations: the dtab goes in circles"));
	if (++evaluation->lookups > EVALUATION_LOOKUPS)
		return bound_error(evaluation->bound, SLICE("more than 10000 lookups for one name"));
	if (dtab_lookup(evaluation->dtab, path, arena, &tree))
		return bound_error(evaluation->bound, SLICE("out of memory"));
	if (tree->kind != NAME_TREE_NEG)
		return bind_tree(evaluation, tree, arena, depth + 1);
	return bind_found(evaluation, path, arena, depth);
}

/* The first branch that is not neg; later ones are not even asked for. */
static struct bound_node *bind_alternatives(
	struct evaluation *evaluation, const struct name_tree *tree, struct arena *arena, unsigned depth)
{
	struct bound_node *node = NULL;

	for (uint32_t i = 0; i < tree->count; i++) {
		node = bind_tree(evaluation, tree->branches[i].tree, arena, depth);
		if (bound_choose(node)->kind != BOUND_NEG)
			return node;
	}
	return node ? node : bound_state(evaluation->bound, BOUND_NEG);
}

static struct bound_node *bind_union(struct evaluation *evaluation, const struct name_tree *tree, struct arena *arena, unsigned depth)
{
	struct bound_node *node = bound_branches(evaluation->bound, BOUND_UNION, tree->count);
	bool pending = false;

	for (uint32_t i = 0; i < tree->count; i++) {
		struct bound_node *branch = bind_tree(evaluation, tree->branches[i].tree, arena, depth);

		pending = pending || branch->kind == BOUND_PENDING;
		node->branches[i].weight = tree->branches[i].weight;
		node->branches[i].node = branch;
	}
	return pending ? bound_state(evaluation->bound, BOUND_PENDING) : node;
}

static struct bound_node *bind_tree(struct evaluation *evaluation, const struct name_tree *tree, struct arena *arena, unsigned depth)
{
	switch (tree->kind) {
	case NAME_TREE_LEAF:
		return bind_path(evaluation, tree->path, arena, depth);
	case NAME_TREE_ALT:
		return bind_alternatives(evaluation, tree, arena, depth);
	case NAME_TREE_UNION:
		return bind_union(evaluation, tree, arena, depth);
	case NAME_TREE_FAIL:
		return bound_state(evaluation->bound, BOUND_FAIL);
	case NAME_TREE_EMPTY:
		return bound_state(evaluation->bound, BOUND_EMPTY);
	case NAME_TREE_NEG:
		break;
	}
	return bound_state(evaluation->bound, BOUND_NEG);
}

struct bound *evaluation_run(struct evaluation *evaluation, struct path path)
{
	struct arena arena;

	evaluation->bound = bound_new();
	evaluation->lookups = 0;
	arena_init(&arena, NULL, 0);
	watches_begin(evaluation->watches);
	bound_finish(evaluation->bound, bind_path(evaluation, path, &arena, 0));
	watches_end(evaluation->watches);
	arena_reset(&arena);
	return evaluation->bound;
}

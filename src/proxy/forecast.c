/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/forecast.h"

#include <stdlib.h>

#include "base/check.h"
#include "discover/system.h"
#include "model/dtab.h"
#include "proxy/admission.h"
#include "proxy/evaluation.h"
#include "proxy/identify.h"
#include "proxy/l5d.h"

enum {
	MAX_BRANCHES = 256, /* of one union or one list of alternatives, nested ones counted in */
};

enum kind {
	KIND_LEAF, /* `text` says what a namer is asked */
	KIND_ALT,
	KIND_UNION,
	KIND_NEG,
	KIND_FAIL,
	KIND_EMPTY,
};

struct node {
	enum kind kind;
	struct slice text;
	uint32_t count;
	struct branch *branches;
};

struct branch {
	double weight; /* of unions: shares, which add up to 1 */
	struct node *node;
	struct slice text; /* the node's, shown */
};

struct looking {
	struct arena *arena;
	const struct snapshot *snapshot;
	const struct router *router;
	const struct dtab *dtab;
	struct namer *system;
	struct forecast *forecast;
	unsigned lookups;
};

static struct node *look_up(struct looking *l, struct path path, unsigned depth);
static struct slice show(struct looking *l, const struct node *node);

static void *space(struct looking *l, size_t size)
{
	void *memory = arena_get(l->arena, size);

	if (!memory)
		check_out_of_memory("a forecast");
	return memory;
}

static struct node *node_new(struct looking *l, enum kind kind, struct slice text)
{
	struct node *node = space(l, sizeof *node);

	*node = (struct node){ .kind = kind, .text = text };
	return node;
}

/* ---- normal forms ---- */

struct branches {
	struct branch at[MAX_BRANCHES];
	uint32_t count;
	bool closed; /* alternatives: what would follow is never reached */
};

static struct node *node_of(struct looking *l, enum kind kind, const struct branches *list)
{
	struct node *node;

	if (list->count == 0)
		return node_new(l, KIND_NEG, SLICE("~"));
	if (list->count == 1)
		return list->at[0].node;
	node = node_new(l, kind, SLICE(""));
	node->count = list->count;
	node->branches = space(l, list->count * sizeof *node->branches);
	memcpy(node->branches, list->at, list->count * sizeof *node->branches);
	return node;
}

static void add_alternative(struct looking *l, struct branches *list, struct node *node)
{
	struct slice text;

	if (node->kind == KIND_ALT) {
		for (uint32_t i = 0; i < node->count; i++)
			add_alternative(l, list, node->branches[i].node);
		return;
	}
	if (node->kind == KIND_NEG || list->closed || list->count == MAX_BRANCHES)
		return;
	text = show(l, node);
	for (uint32_t i = 0; i < list->count; i++)
		if (slice_equal(list->at[i].text, text))
			return;
	list->at[list->count++] = (struct branch){ 1, node, text };
	list->closed = node->kind == KIND_FAIL || node->kind == KIND_EMPTY;
}

/* Branches that are neg or fail are never drawn, and the others share what is left. A union in a union stays one: when one of its
 * branches turns out to be neg, it is the inner ones that share. */
static void add_share(struct looking *l, struct branches *list, struct node *node, double share)
{
	struct slice text;

	if (node->kind == KIND_NEG || node->kind == KIND_FAIL)
		return;
	text = show(l, node);
	for (uint32_t i = 0; i < list->count; i++) {
		if (slice_equal(list->at[i].text, text)) {
			list->at[i].weight += share;
			return;
		}
	}
	if (list->count < MAX_BRANCHES)
		list->at[list->count++] = (struct branch){ share, node, text };
}

static int by_text(const void *a, const void *b)
{
	return slice_compare(((const struct branch *)a)->text, ((const struct branch *)b)->text);
}

static struct slice show(struct looking *l, const struct node *node)
{
	struct text out = { 0 };
	struct slice shown;

	if (node->kind != KIND_ALT && node->kind != KIND_UNION)
		return node->text;
	for (uint32_t i = 0; i < node->count; i++) {
		const struct branch *branch = &node->branches[i];
		bool nested = branch->node->kind == KIND_ALT || branch->node->kind == KIND_UNION;

		if (i)
			text_append(&out, node->kind == KIND_ALT ? SLICE(" | ") : SLICE(" & "));
		if (node->kind == KIND_UNION)
			text_format(&out, "%.4g %% ", 100 * branch->weight);
		text_format(&out, nested ? "(%.*s)" : "%.*s", SLICE_ARGS(branch->text));
	}
	shown = arena_copy(l->arena, text_slice(&out));
	text_free(&out);
	return shown;
}

/* ---- names that are a namer's ---- */

static struct slice show_transformers(struct looking *l, const struct transformer_policy *list, unsigned count, struct slice before)
{
	for (unsigned i = 0; i < count; i++) {
		/* Where it will run isn't known here: the variable stands for what it will have. */
		const char *here = list[i].host_network || list[i].by_node ? "/NODE_NAME" : "/POD_IP";

		before = arena_format(l->arena, "/%%/%.*s%s%.*s", SLICE_ARGS(list[i].prefix),
			list[i].kind == TRANSFORMER_LOCAL_NODE ? here : "", SLICE_ARGS(before));
	}
	return before;
}

static struct node *leaf_new(struct looking *l, struct slice shown, struct slice from)
{
	struct forecast *forecast = l->forecast;
	struct slice why;

	shown = show_transformers(l, l->router->transformers, l->router->transformer_count, shown);
	if (forecast->leaf_count < FORECAST_LEAVES && !path_parse(shown, l->arena, &forecast->leaves[forecast->leaf_count], &why))
		forecast->leaf_count++;
	return node_new(l, KIND_LEAF, from.length ? arena_format(l->arena, "%.*s in %.*s", SLICE_ARGS(shown), SLICE_ARGS(from)) : shown);
}

/* "io.l5d.fs/" of "/#/io.l5d.fs/web". */
static bool is_below(struct slice shown, struct slice prefix)
{
	struct slice rest = slice_from(shown, 3);

	return slice_starts(rest, prefix) && (rest.length == prefix.length || rest.at[prefix.length] == '/');
}

static struct slice with_setting(struct looking *l, struct slice before, const char *key, struct slice value)
{
	return value.length ? arena_format(l->arena, "%.*s, %s %.*s", SLICE_ARGS(before), key, SLICE_ARGS(value)) : before;
}

/* What its answers come from: namers of one prefix that have it alike say the same. */
static struct slice source_of(struct looking *l, const struct namer_policy *policy)
{
	const struct k8s_policy *k8s = &policy->k8s;
	struct slice source = SLICE("Kubernetes");

	if (policy->kind == NAMER_FS)
		return policy->root_dir;
	source = with_setting(l, source, "host", k8s->place.host);
	source = with_setting(l, source, "port", k8s->place.port ? arena_format(l->arena, "%u", k8s->place.port) : SLICE(""));
	source = with_setting(l, source, "caFile", k8s->place.ca_file);
	source = with_setting(l, source, "tokenFile", k8s->place.token_file);
	source = with_setting(l, source, "kubeconfig", k8s->place.kubeconfig);
	source = with_setting(l, source, "labelSelector", k8s->label);
	return policy->kind == NAMER_K8S_NS ? with_setting(l, source, "envVar", k8s->variable) : source;
}

/* Each of the configuration's that has the prefix, in the order in which they are asked. */
static struct node *ask_configured(struct looking *l, struct slice shown)
{
	struct branches list = { .count = 0 };

	for (unsigned i = 0; i < l->snapshot->namer_count; i++) {
		const struct namer_policy *policy = &l->snapshot->namers[i];

		if (is_below(shown, policy->prefix))
			add_alternative(l, &list,
				leaf_new(l, show_transformers(l, policy->transformers, policy->transformer_count, shown),
					source_of(l, policy)));
	}
	return node_of(l, KIND_ALT, &list);
}

static void never_changes(void *owner)
{
	(void)owner;
}

static struct node *follow(struct looking *l, const struct name_tree *tree, unsigned depth);

/* What the system namers make of names without asking anybody; hosts stay names. */
static struct node *ask_system(struct looking *l, struct path path, struct slice shown, unsigned depth)
{
	const struct namer_answer *answer;
	struct namer_watch *watch;
	struct node *node;

	if (path.count > 1 && (slice_equal(path.segments[1], SLICE("inet")) || slice_equal(path.segments[1], SLICE("io.buoyant.rinet"))))
		return leaf_new(l, shown, SLICE(""));
	watch = namer_lookup(l->system, path_from(path, 1), never_changes, NULL);
	answer = namer_answer(watch);
	switch (answer->state) {
	case NAMER_TREE:
		node = follow(l, answer->tree, depth + 1);
		break;
	case NAMER_NEG:
		node = node_new(l, KIND_NEG, SLICE("~"));
		break;
	case NAMER_FAILED:
		node = node_new(l, KIND_FAIL, arena_format(l->arena, "! (%.*s)", SLICE_ARGS(answer->message)));
		break;
	default:
		node = answer->status ? node_new(l, KIND_EMPTY, arena_format(l->arena, "status %u", answer->status))
				      : leaf_new(l, shown, SLICE(""));
		break;
	}
	namer_cancel(watch);
	return node;
}

/* ---- the dtab ---- */

static void note_line(struct forecast *forecast, int line)
{
	if (forecast->line_count < FORECAST_LINES)
		forecast->lines[forecast->line_count++] = line;
}

static struct node *follow(struct looking *l, const struct name_tree *tree, unsigned depth)
{
	struct branches *list;
	double sum = 0;

	if (tree->dentry && tree->kind != NAME_TREE_ALT && tree->kind != NAME_TREE_UNION)
		note_line(l->forecast, (int)tree->dentry->line);
	switch (tree->kind) {
	case NAME_TREE_LEAF:
		return look_up(l, tree->path, depth);
	case NAME_TREE_FAIL:
		return node_new(l, KIND_FAIL, SLICE("!"));
	case NAME_TREE_EMPTY:
		return node_new(l, KIND_EMPTY, SLICE("$"));
	case NAME_TREE_NEG:
		return node_new(l, KIND_NEG, SLICE("~"));
	default:
		break;
	}
	list = space(l, sizeof *list);
	list->count = 0;
	list->closed = false;
	for (uint32_t i = 0; i < tree->count; i++) {
		struct node *node;

		if (list->closed && tree->kind == NAME_TREE_ALT)
			break;
		node = follow(l, tree->branches[i].tree, depth);
		if (tree->kind == NAME_TREE_ALT)
			add_alternative(l, list, node);
		else
			add_share(l, list, node, tree->branches[i].weight);
	}
	if (tree->kind == NAME_TREE_ALT)
		return node_of(l, KIND_ALT, list);
	for (uint32_t i = 0; i < list->count; i++)
		sum += list->at[i].weight;
	for (uint32_t i = 0; i < list->count; i++)
		list->at[i].weight /= sum > 0 ? sum : 1;
	qsort(list->at, list->count, sizeof list->at[0], by_text);
	return node_of(l, KIND_UNION, list);
}

static struct node *look_up(struct looking *l, struct path path, unsigned depth)
{
	const struct name_tree *tree;
	struct slice shown;

	if (depth > EVALUATION_DEPTH || ++l->lookups > EVALUATION_LOOKUPS)
		return node_new(l, KIND_FAIL, SLICE("! (the dtab goes in circles)"));
	if (dtab_lookup(l->dtab, path, l->arena, &tree))
		return node_new(l, KIND_FAIL, SLICE("! (out of memory)"));
	if (tree->kind != NAME_TREE_NEG)
		return follow(l, tree, depth + 1);
	shown = path_show(l->arena, path);
	if (path.count > 1 && slice_equal(path.segments[0], SLICE("#")))
		return ask_configured(l, shown);
	if (path.count > 0 && slice_equal(path.segments[0], SLICE("$")))
		return ask_system(l, path, shown, depth);
	return node_new(l, KIND_NEG, SLICE("~"));
}

/* ---- all of it ---- */

static void answer(struct forecast *forecast, unsigned status, struct slice why)
{
	forecast->status = status;
	forecast->why = why;
}

/* Up to its name and the dtab; false: it is answered. */
static bool name(struct looking *l, const struct listener_policy *listener, struct head *head, struct dtab *dtab)
{
	struct forecast *forecast = l->forecast;
	struct identified found;
	struct dtab local;
	enum admission admission;

	if (listener->clear_context)
		l5d_drop(head);
	if (identify_dtab(head, l->arena, &local, &forecast->why) ||
		identify_request(l->router, NULL, head, l->arena, &found, &forecast->why) != IDENTIFY_FOUND) {
		forecast->status = 400;
		return false;
	}
	note_line(forecast, l->router->identifiers[found.by].line);
	admission = admission_judge(head, listener);
	if (admission_status(admission)) {
		answer(forecast, admission_status(admission), admission_text(admission));
		return false;
	}
	forecast->name = identify_path(l->arena, path_show(l->arena, *l->router->dst_prefix), &found);
	if (!forecast->name.at || path_parse(forecast->name, l->arena, &forecast->path, &forecast->why) ||
		dtab_concat(l->arena, l->router->dtab, &local, dtab)) {
		answer(forecast, 431, SLICE("the request's name is too long"));
		return false;
	}
	return true;
}

void forecast_make(struct arena *arena, const struct snapshot *snapshot, const struct router *router,
	const struct listener_policy *listener, struct head *head, struct forecast *forecast)
{
	const struct discover nobody = { 0 };
	struct dtab dtab;
	struct looking l = { .arena = arena, .snapshot = snapshot, .router = router, .dtab = &dtab, .forecast = forecast };
	const struct node *node;

	*forecast = (struct forecast){ .status = 0 };
	if (!name(&l, listener, head, &dtab))
		return;
	l.system = system_new(&nobody);
	node = look_up(&l, forecast->path, 0);
	forecast->destination = node->kind == KIND_NEG ? SLICE("nothing: 502") : show(&l, node);
	namer_free(l.system);
}

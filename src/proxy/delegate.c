/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/delegate.h"

#include "base/check.h"
#include "base/memory.h"
#include "doc/json_write.h"
#include "io/loop.h"
#include "model/dtab.h"
#include "proxy/dtabs.h"
#include "proxy/watches.h"

enum {
	DELEGATION_MAGIC = 0x64656c65,
	MAX_DEPTH = 40,     /* steps written down; a name that needs more goes in circles */
	MAX_LOOKUPS = 1000, /* in all; a dtab can double them at each step */
	NODE_LEVELS = 8,    /* of JSON, that a node needs at most before the next one begins */
};

struct delegation {
	uint32_t magic;
	struct binder *binder; /* held */
	unsigned router_index;
	struct arena arena; /* path, dtab */
	struct path path;
	struct dtab dtab;
	bool has_dtab;
	struct change_watch dtabs;
	struct watches watches;
	struct task again;
	struct timer limit;
	struct loop *loop;
	void (*answered)(void *owner, unsigned status, struct slice json);
	void *owner;
};

/* One evaluation. */
struct writing {
	const struct delegate_question *question;
	struct json_writer *json;
	struct arena arena;
	unsigned lookups;
	bool pending;
};

static void write_tree(struct writing *w, const struct name_tree *tree, struct path path, const struct dentry *dentry, unsigned depth);
static void write_path(struct writing *w, struct path path, const struct dentry *dentry, unsigned depth);

static void write_shown(struct writing *w, struct slice key, struct path path)
{
	struct text shown = { 0 };

	path_show_text(&shown, path);
	json_write_key(w->json, key);
	json_write_text(w->json, text_slice(&shown));
	text_free(&shown);
}

static void write_dentry(struct writing *w, const struct dentry *dentry)
{
	struct text prefix = { 0 }, tree = { 0 };

	if (!dentry)
		return;
	dentry_show_prefix(&prefix, dentry);
	dentry_show_tree(&tree, dentry);
	json_write_key(w->json, SLICE("dentry"));
	json_write_object(w->json);
	json_write_key(w->json, SLICE("prefix"));
	json_write_text(w->json, text_slice(&prefix));
	json_write_key(w->json, SLICE("dst"));
	json_write_text(w->json, text_slice(&tree));
	if (dentry->line) {
		json_write_key(w->json, SLICE("line"));
		json_write_int(w->json, dentry->line);
	}
	json_write_end(w->json);
	text_free(&prefix);
	text_free(&tree);
}

static void open_node(struct writing *w, const char *type, struct path path, const struct dentry *dentry)
{
	json_write_object(w->json);
	json_write_key(w->json, SLICE("type"));
	json_write_text(w->json, slice_of(type));
	write_shown(w, SLICE("path"), path);
	write_dentry(w, dentry);
}

static void write_state(struct writing *w, const char *type, struct path path, const struct dentry *dentry)
{
	open_node(w, type, path, dentry);
	json_write_end(w->json);
}

static void write_exception(struct writing *w, struct path path, const struct dentry *dentry, struct slice message)
{
	open_node(w, "exception", path, dentry);
	json_write_key(w->json, SLICE("message"));
	json_write_text(w->json, message);
	json_write_end(w->json);
}

static void write_addresses(struct writing *w, const struct endpoints *endpoints)
{
	json_write_key(w->json, SLICE("addrs"));
	json_write_array(w->json);
	for (uint32_t i = 0; i < endpoints->count; i++) {
		const struct endpoint *endpoint = &endpoints->list[i];
		char ip[ADDRESS_TEXT];

		address_format_ip(&endpoint->address, ip);
		json_write_object(w->json);
		json_write_key(w->json, SLICE("ip"));
		json_write_text(w->json, slice_of(ip));
		json_write_key(w->json, SLICE("port"));
		json_write_int(w->json, endpoint->address.port);
		json_write_key(w->json, SLICE("meta"));
		json_write_object(w->json);
		if (endpoint->weight != 1.0) {
			json_write_key(w->json, SLICE("endpoint_addr_weight"));
			json_write_number(w->json, endpoint->weight);
		}
		for (uint32_t j = 0; j < endpoint->label_count; j++) {
			json_write_key(w->json, endpoint->labels[j].key);
			json_write_text(w->json, endpoint->labels[j].value);
		}
		json_write_end(w->json);
		json_write_end(w->json);
	}
	json_write_end(w->json);
}

static void write_bound(struct writing *w, struct path id, struct path residual, const struct endpoints *endpoints)
{
	json_write_key(w->json, SLICE("bound"));
	json_write_object(w->json);
	json_write_key(w->json, SLICE("addr"));
	json_write_object(w->json);
	json_write_key(w->json, SLICE("type"));
	json_write_text(w->json, slice_of(endpoints ? endpoints_state_text(endpoints->state) : "bound"));
	if (endpoints && endpoints->state == ENDPOINTS_BOUND) {
		write_addresses(w, endpoints);
		json_write_key(w->json, SLICE("meta"));
		json_write_object(w->json);
		json_write_end(w->json);
	} else if (endpoints && endpoints->state == ENDPOINTS_FAILED) {
		json_write_key(w->json, SLICE("cause"));
		json_write_text(w->json, endpoints->message);
	}
	json_write_end(w->json);
	write_shown(w, SLICE("id"), id);
	write_shown(w, SLICE("path"), residual);
	json_write_end(w->json);
}

static void write_leaf(struct writing *w, struct path path, const struct dentry *dentry, const struct found *found)
{
	const struct namer_answer *answer = found->answer;
	bool transformed = !answer->status && path_compare(found->id, found->before) != 0;

	if (found->endpoints && found->endpoints->state == ENDPOINTS_PENDING)
		w->pending = true;
	if (!transformed) {
		open_node(w, "leaf", path, dentry);
		write_bound(w, answer->status ? answer->id : found->id, answer->residual, found->endpoints);
		json_write_end(w->json);
		return;
	}
	struct path prefix = path_first(found->id, found->id.count - found->before.count);
	open_node(w, "transformation", path, dentry);
	json_write_key(w->json, SLICE("name"));
	json_write_text(w->json, prefix.count > 1 ? prefix.segments[1] : SLICE("?"));
	write_bound(w, found->before, answer->residual, found->found);
	json_write_key(w->json, SLICE("tree"));
	open_node(w, "leaf", found->id, NULL);
	write_bound(w, found->id, answer->residual, found->endpoints);
	json_write_end(w->json);
	json_write_end(w->json);
}

static void write_found(struct writing *w, struct path path, const struct dentry *dentry, unsigned depth)
{
	struct found found;

	if (watches_ask(w->question->watches, w->question->router_index, path, &w->arena, &found)) {
		write_exception(w, path, dentry, SLICE("out of memory"));
		return;
	}
	switch (found.answer ? found.answer->state : NAMER_NEG) {
	case NAMER_LEAF:
		write_leaf(w, path, dentry, &found);
		break;
	case NAMER_TREE:
		open_node(w, "delegate", path, dentry);
		json_write_key(w->json, SLICE("delegate"));
		write_tree(w, found.answer->tree, path, NULL, depth + 1);
		json_write_end(w->json);
		break;
	case NAMER_FAILED:
		write_exception(w, path, dentry, found.answer->message);
		break;
	case NAMER_PENDING:
		w->pending = true;
		write_state(w, "neg", path, dentry);
		break;
	case NAMER_NEG:
		write_state(w, "neg", path, dentry);
		break;
	}
	found_fini(&found);
}

/* A name that no entry matches is asked for at the namers; one match is a delegation, several are alternatives. */
static void write_path(struct writing *w, struct path path, const struct dentry *dentry, unsigned depth)
{
	const struct dtab *dtab = w->question->dtab;
	const struct name_tree *tree;
	uint32_t cursor = dtab->count;

	if (depth > MAX_DEPTH || ++w->lookups > MAX_LOOKUPS) {
		write_exception(w, path, dentry, SLICE("too many delegations: the dtab goes in circles"));
		return;
	}
	if (dtab_lookup(dtab, path, &w->arena, &tree)) {
		write_exception(w, path, dentry, SLICE("out of memory"));
		return;
	}
	if (!dtab_next(dtab, path, &cursor)) {
		write_found(w, path, dentry, depth);
		return;
	}
	if (tree->kind == NAME_TREE_ALT) {
		write_tree(w, tree, path, dentry, depth);
		return;
	}
	open_node(w, "delegate", path, dentry);
	json_write_key(w->json, SLICE("delegate"));
	write_tree(w, tree, path, tree->dentry, depth + 1);
	json_write_end(w->json);
}

static void write_union(struct writing *w, const struct name_tree *tree, struct path path, const struct dentry *dentry, unsigned depth)
{
	open_node(w, "union", path, dentry);
	json_write_key(w->json, SLICE("union"));
	json_write_array(w->json);
	for (uint32_t i = 0; i < tree->count; i++) {
		json_write_object(w->json);
		json_write_key(w->json, SLICE("weight"));
		json_write_number(w->json, tree->branches[i].weight);
		json_write_key(w->json, SLICE("tree"));
		write_tree(w, tree->branches[i].tree, path, tree->branches[i].tree->dentry, depth + 1);
		json_write_end(w->json);
	}
	json_write_end(w->json);
	json_write_end(w->json);
}

static void write_tree(struct writing *w, const struct name_tree *tree, struct path path, const struct dentry *dentry, unsigned depth)
{
	if (w->json->depth + NODE_LEVELS > JSON_WRITE_DEPTH) {
		write_exception(w, path, dentry, SLICE("too deep to be shown"));
		return;
	}
	switch (tree->kind) {
	case NAME_TREE_LEAF:
		write_path(w, tree->path, dentry ? dentry : tree->dentry, depth + 1);
		break;
	case NAME_TREE_ALT:
		open_node(w, "alt", path, dentry);
		json_write_key(w->json, SLICE("alt"));
		json_write_array(w->json);
		for (uint32_t i = 0; i < tree->count; i++)
			write_tree(w, tree->branches[i].tree, path, tree->branches[i].tree->dentry, depth + 1);
		json_write_end(w->json);
		json_write_end(w->json);
		break;
	case NAME_TREE_UNION:
		write_union(w, tree, path, dentry, depth);
		break;
	case NAME_TREE_NEG:
		write_state(w, "neg", path, dentry);
		break;
	case NAME_TREE_FAIL:
		write_state(w, "fail", path, dentry);
		break;
	case NAME_TREE_EMPTY:
		write_state(w, "empty", path, dentry);
		break;
	}
}

bool delegate_write(struct json_writer *json, const struct delegate_question *question, struct path path)
{
	struct writing w = { .question = question, .json = json };

	arena_init(&w.arena, NULL, 0);
	watches_begin(question->watches);
	write_path(&w, path, NULL, 0);
	watches_end(question->watches);
	arena_reset(&w.arena);
	return !w.pending;
}

/* ---- one question ---- */

static void finish(struct delegation *delegation, unsigned status, struct slice json)
{
	delegation->answered(delegation->owner, status, json);
	timer_cancel(delegation->loop, &delegation->limit);
	task_cancel(delegation->loop, &delegation->again);
	watches_fini(&delegation->watches);
	list_remove(&delegation->dtabs.link);
	arena_reset(&delegation->arena);
	binder_unhold(delegation->binder);
	delegation->magic = 0;
	memory_free(delegation);
}

static void finish_error(struct delegation *delegation, unsigned status, const char *what, struct slice why)
{
	struct text out = { 0 }, message = { 0 };
	struct json_writer json;

	text_format(&message, "%s%.*s", what, SLICE_ARGS(why));
	json_write_start(&json, &out, false);
	json_write_object(&json);
	json_write_member_text(&json, "error", text_slice(&message));
	json_write_end(&json);
	finish(delegation, status, text_slice(&out));
	text_free(&out);
	text_free(&message);
}

/* False: the router's isn't known, and it waits for it, or has ended. */
static bool has_dtab(struct delegation *delegation)
{
	struct slice why = SLICE("");
	int e = 0;

	if (!delegation->has_dtab)
		e = dtabs_get(binder_dtabs(delegation->binder), delegation->router_index, &delegation->arena, &delegation->dtab, &why);
	if (e && e != ERROR_BUSY)
		finish_error(delegation, 503, "The router's dtab isn't known: ", e == ERROR_INVALID ? why : slice_of(error_text(e)));
	else if (!e)
		delegation->has_dtab = true;
	return !e;
}

static void evaluate(void *owner)
{
	struct delegation *delegation = owner;
	const struct delegate_question question = { &delegation->watches, delegation->router_index, &delegation->dtab };
	struct json_writer json;
	struct text out = { 0 };

	CHECK_MAGIC(delegation, DELEGATION_MAGIC);
	if (!has_dtab(delegation))
		return;
	json_write_start(&json, &out, false);
	if (delegate_write(&json, &question, delegation->path))
		finish(delegation, 200, text_slice(&out));
	text_free(&out);
}

static void changed(void *owner)
{
	struct delegation *delegation = owner;

	task_set(delegation->loop, &delegation->again);
}

static void too_late(void *owner)
{
	finish_error(owner, 503, "Request timed out.", SLICE(""));
}

void delegate_start(struct binder *binder, unsigned router_index, const struct slice *dtab, struct slice path,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner)
{
	struct delegation *delegation = memory_new(sizeof *delegation);
	struct slice why, path_text, dtab_text;

	delegation->magic = DELEGATION_MAGIC;
	delegation->binder = binder;
	delegation->router_index = router_index;
	delegation->loop = binder_loop(binder);
	delegation->answered = answered;
	delegation->owner = owner;
	binder_hold(binder);
	arena_init(&delegation->arena, NULL, 0);
	watches_init(&delegation->watches, binder_sources(binder), changed, delegation);
	delegation->dtabs = (struct change_watch){ .changed = changed, .owner = delegation };
	dtabs_watch(binder_dtabs(binder), &delegation->dtabs);
	task_init(&delegation->again, evaluate, delegation);
	timer_init(&delegation->limit, too_late, delegation);
	timer_set(delegation->loop, &delegation->limit, loop_now(delegation->loop) + DELEGATE_WAIT);
	path_text = arena_copy(&delegation->arena, path);
	if (path_parse(path_text, &delegation->arena, &delegation->path, &why)) {
		finish_error(delegation, 400, "Invalid path: ", why);
		return;
	}
	if (dtab) {
		delegation->has_dtab = true;
		dtab_text = arena_copy(&delegation->arena, *dtab);
		if (dtab_parse_edited(
			    dtab_text, binder_snapshot(binder)->routers[router_index].dtab, &delegation->arena, &delegation->dtab, &why)) {
			finish_error(delegation, 400, "Invalid dtab: ", why);
			return;
		}
	}
	evaluate(delegation);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/binder.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "discover/fs.h"
#include "discover/system.h"
#include "io/loop.h"
#include "io/network.h"
#include "model/dtab.h"
#include "proxy/route.h"

enum {
	BINDER_MAGIC = 0x62696e64,
	NAME_MAGIC = 0x6e616d65,
	MAX_DEPTH = 100,               /* delegations on the way of one name, as in Finagle */
	MAX_LOOKUPS = 10000,           /* for one name: a dtab can double them at each step */
	MAX_LOCAL_ADDRESSES = 64,
};

struct transformers {
	struct transformer **list;
	unsigned count;
};

struct binder {
	uint32_t magic;
	struct binder_options options;
	struct snapshot *snapshot;
	struct namers namers;
	struct transformers *by_namer;  /* parallel to namers.list */
	struct transformers *by_router;
	struct map names;
	unsigned holds;                /* delegations that are being written */
	bool retired;
};

/* One logical name, with the request's own dtab if it had one. */
struct name {
	uint32_t magic;
	struct map_entry entry;        /* binder->names, by "ROUTER_INDEX key" */
	struct binder *binder;
	const struct router *router;
	unsigned router_index;
	struct arena arena;            /* path, dtab */
	struct path path;
	struct dtab dtab;
	unsigned lookups;              /* in the evaluation that runs */
	struct watches watches;
	struct task again;
	struct list interests;
	struct binding *binding;       /* counted; NULL until it is known */
	struct bound *bound;           /* what `binding` was made from */
};

/* A worker's route that wants a name. */
struct interest {
	struct list link;
	struct name *name;
	struct route *route;
	unsigned worker;
};

struct name_watch {
	struct list link;
	struct namer *namer;
	struct slice path;             /* heap */
	struct namer_watch *watch;
	bool used;
};

/* ---- making a binder ---- */

static struct transformer *transformer_make(struct binder *binder, const struct transformer_policy *policy, struct arena *arena)
{
	struct path prefix = PATH_EMPTY;
	struct slice why;

	/* The dialect has seen to it that a configured prefix parses. */
	if (policy->prefix.length)
		CHECK(path_parse(arena_join(arena, SLICE("/"), policy->prefix), arena, &prefix, &why) == 0);
	switch (policy->kind) {
	case TRANSFORMER_PORT:
		return transformer_new_port(policy->port, prefix);
	case TRANSFORMER_SPECIFIC_HOST:
		return transformer_new_specific_host(&policy->host, prefix);
	case TRANSFORMER_LOCALHOST: {
		struct address local[MAX_LOCAL_ADDRESSES];
		unsigned count = network_local_addresses(binder->options.network, local, MAX_LOCAL_ADDRESSES);

		return transformer_new_localhost(local, count, prefix);
	}
	}
	check_failed("a transformer's kind", __FILE__, __LINE__);
}

static struct transformers transformers_make(struct binder *binder, const struct transformer_policy *policies, unsigned count)
{
	struct transformers all = { memory_array(count ? count : 1, sizeof(struct transformer *)), count };
	struct arena arena;

	arena_init(&arena, NULL, 0);
	for (unsigned i = 0; i < count; i++)
		all.list[i] = transformer_make(binder, &policies[i], &arena);
	arena_reset(&arena);
	return all;
}

static void transformers_free(struct transformers *all)
{
	for (unsigned i = 0; i < all->count; i++)
		transformer_free(all->list[i]);
	memory_free(all->list);
}

static int namer_make(struct binder *binder, const struct namer_policy *policy, struct namer **namer, struct text *why)
{
	struct discover discover = { binder->options.loop, binder->options.resolver };
	struct arena arena;
	struct path prefix;
	struct slice reason;
	struct text shown = { 0 };
	int e;

	arena_init(&arena, NULL, 0);
	text_format(&shown, "/#/%.*s", SLICE_ARGS(policy->prefix));
	e = path_parse(text_slice(&shown), &arena, &prefix, &reason);
	if (e) {
		text_format(why, "namer prefix %.*s: %.*s", SLICE_ARGS(policy->prefix), SLICE_ARGS(reason));
	} else {
		char *root = arena_text(&arena, policy->root_dir);

		e = fs_new(&(struct fs_options){ .discover = discover, .prefix = prefix, .root = root }, namer);
		if (e)
			text_format(why, "namer %.*s: %s", SLICE_ARGS(policy->prefix), error_text(e));
	}
	text_free(&shown);
	arena_reset(&arena);
	return e;
}

/* Namers are asked from the last to the first: /$ comes first here, then the configuration's in reverse. */
static int namers_make(struct binder *binder, struct text *why)
{
	const struct snapshot *snapshot = binder->snapshot;
	struct discover discover = { binder->options.loop, binder->options.resolver };

	binder->by_namer = memory_array(snapshot->namer_count + 1, sizeof *binder->by_namer);
	namers_add(&binder->namers, system_new(&discover));
	for (unsigned i = snapshot->namer_count; i-- > 0;) {
		const struct namer_policy *policy = &snapshot->namers[i];
		struct namer *namer;
		int e = namer_make(binder, policy, &namer, why);

		if (e)
			return e;
		binder->by_namer[binder->namers.count] = transformers_make(binder, policy->transformers, policy->transformer_count);
		namers_add(&binder->namers, namer);
	}
	return 0;
}

static void binder_free(struct binder *binder)
{
	CHECK(binder->names.count == 0);
	for (unsigned i = 0; i <= binder->snapshot->namer_count; i++)
		transformers_free(&binder->by_namer[i]);
	for (unsigned i = 0; i < binder->snapshot->router_count; i++)
		transformers_free(&binder->by_router[i]);
	memory_free(binder->by_namer);
	memory_free(binder->by_router);
	namers_free(&binder->namers);
	map_fini(&binder->names);
	snapshot_unref(binder->snapshot);
	memory_free(binder);
}

int binder_new(const struct binder_options *options, struct snapshot *snapshot, struct binder **out, struct text *why)
{
	struct binder *binder = memory_new(sizeof *binder);
	int e;

	binder->magic = BINDER_MAGIC;
	binder->options = *options;
	binder->snapshot = snapshot_ref(snapshot);
	map_init(&binder->names, 0);
	binder->by_router = memory_array(snapshot->router_count ? snapshot->router_count : 1, sizeof *binder->by_router);
	e = namers_make(binder, why);
	if (e) {
		binder_free(binder);
		return e;
	}
	for (unsigned i = 0; i < snapshot->router_count; i++)
		binder->by_router[i] = transformers_make(binder, snapshot->routers[i].transformers, snapshot->routers[i].transformer_count);
	*out = binder;
	return 0;
}

struct loop *binder_loop(struct binder *binder)
{
	return binder->options.loop;
}

struct snapshot *binder_snapshot(struct binder *binder)
{
	return binder->snapshot;
}

/* ---- watches ---- */

void watches_init(struct watches *watches, struct binder *binder, void (*changed)(void *owner), void *owner)
{
	*watches = (struct watches){ .binder = binder, .changed = changed, .owner = owner };
	list_init(&watches->list);
}

static void watch_drop(struct name_watch *watch)
{
	list_remove(&watch->link);
	namer_cancel(watch->watch);
	memory_free((void *)(uintptr_t)watch->path.at);
	memory_free(watch);
}

void watches_fini(struct watches *watches)
{
	LIST_EACH_SAFE(&watches->list, link, after)
		watch_drop(LIST_OF(link, struct name_watch, link));
}

void watches_begin(struct watches *watches)
{
	LIST_EACH(&watches->list, link)
		LIST_OF(link, struct name_watch, link)->used = false;
}

void watches_end(struct watches *watches)
{
	LIST_EACH_SAFE(&watches->list, link, after) {
		struct name_watch *watch = LIST_OF(link, struct name_watch, link);

		if (!watch->used)
			watch_drop(watch);
	}
}

static const struct namer_answer *watch_for(struct watches *watches, struct namer *namer, struct path path)
{
	struct text shown = { 0 };

	path_show_text(&shown, path);
	LIST_EACH(&watches->list, link) {
		struct name_watch *watch = LIST_OF(link, struct name_watch, link);

		if (watch->namer == namer && slice_equal(watch->path, text_slice(&shown))) {
			text_free(&shown);
			watch->used = true;
			return namer_answer(watch->watch);
		}
	}
	struct name_watch *watch = memory_new(sizeof *watch);
	watch->namer = namer;
	watch->path = text_slice(&shown);
	watch->used = true;
	watch->watch = namer_lookup(namer, path_from(path, namer->prefix.count), watches->changed, watches->owner);
	list_append(&watches->list, &watch->link);
	return namer_answer(watch->watch);
}

static int transform(const struct transformers *all, struct arena *arena, struct path *id, struct endpoints **endpoints)
{
	for (unsigned i = 0; i < all->count; i++) {
		struct endpoints *seen = transformer_apply(all->list[i], *endpoints);
		int e = transformer_id(all->list[i], *id, arena, id);

		endpoints_unref(*endpoints);
		*endpoints = seen;
		if (e)
			return e;
	}
	return 0;
}

static const struct transformers *transformers_of(const struct binder *binder, const struct namer *namer)
{
	for (unsigned i = 0; i < binder->namers.count; i++)
		if (binder->namers.list[i] == namer)
			return &binder->by_namer[i];
	check_failed("a namer of this binder", __FILE__, __LINE__);
}

int watches_ask(struct watches *watches, unsigned router_index, struct path path, struct arena *arena, struct found *found)
{
	struct binder *binder = watches->binder;
	uint32_t cursor = binder->namers.count;
	struct namer *namer;
	int e;

	*found = (struct found){ 0 };
	while ((namer = namers_next(&binder->namers, path, &cursor)) != NULL) {
		const struct namer_answer *answer = watch_for(watches, namer, path);

		if (answer->state == NAMER_NEG)
			continue;
		found->answer = answer;
		if (answer->state != NAMER_LEAF || answer->status)
			return 0;
		found->id = answer->id;
		found->endpoints = endpoints_ref(answer->endpoints);
		e = transform(transformers_of(binder, namer), arena, &found->id, &found->endpoints);
		if (e)
			break;
		found->before = found->id;
		found->found = endpoints_ref(found->endpoints);
		e = transform(&binder->by_router[router_index], arena, &found->id, &found->endpoints);
		if (e)
			break;
		return 0;
	}
	if (!namer)
		return 0;
	found_fini(found);
	return e;
}

void found_fini(struct found *found)
{
	endpoints_unref(found->endpoints);
	endpoints_unref(found->found);
	found->endpoints = found->found = NULL;
}

/* ---- evaluation: a name to a destination ---- */

static struct bound_node *bind_tree(struct name *name, struct bound *bound, const struct name_tree *tree, struct arena *arena, unsigned depth);

/* Whether the client was known with endpoints before: then the last good ones stay in use while asking fails. */
static bool has_targets(const struct name *name, struct path id)
{
	struct text shown = { 0 };
	bool has = false;

	path_show_text(&shown, id);
	for (unsigned i = 0; name->binding && i < name->binding->leaf_count; i++) {
		const struct client *client = name->binding->leaves[i].client;

		has = has || (slice_equal(client->id, text_slice(&shown)) && client->targets->count > 0);
	}
	text_free(&shown);
	return has;
}

static struct bound_node *bind_leaf(const struct name *name, struct bound *bound, const struct found *found)
{
	struct bound_node *node;

	if (found->answer->status) {
		node = bound_leaf(bound, found->answer->id, found->answer->residual, found->answer->endpoints);
		node->status = found->answer->status;
		return node;
	}
	if (found->endpoints->state == ENDPOINTS_PENDING)
		return bound_state(bound, BOUND_PENDING);
	if (found->endpoints->state == ENDPOINTS_FAILED && !has_targets(name, found->id))
		return bound_error(bound, found->endpoints->message);
	return bound_leaf(bound, found->id, found->answer->residual, found->endpoints);
}

static struct bound_node *bind_found(struct name *name, struct bound *bound, struct path path, struct arena *arena, unsigned depth)
{
	struct found found;
	struct bound_node *node;

	if (watches_ask(&name->watches, name->router_index, path, arena, &found))
		return bound_error(bound, SLICE("out of memory"));
	if (!found.answer)
		return bound_state(bound, BOUND_NEG);
	switch (found.answer->state) {
	case NAMER_LEAF:
		node = bind_leaf(name, bound, &found);
		break;
	case NAMER_TREE:
		node = bind_tree(name, bound, found.answer->tree, arena, depth + 1);
		break;
	case NAMER_FAILED:
		node = bound_error(bound, found.answer->message);
		break;
	case NAMER_PENDING:
		node = bound_state(bound, BOUND_PENDING);
		break;
	default:
		node = bound_state(bound, BOUND_NEG);
		break;
	}
	found_fini(&found);
	return node;
}

static struct bound_node *bind_path(struct name *name, struct bound *bound, struct path path, struct arena *arena, unsigned depth)
{
	const struct name_tree *tree;

	if (depth > MAX_DEPTH)
		return bound_error(bound, SLICE("more than 100 delegations: the dtab goes in circles"));
	if (++name->lookups > MAX_LOOKUPS)
		return bound_error(bound, SLICE("more than 10000 lookups for one name"));
	if (dtab_lookup(&name->dtab, path, arena, &tree))
		return bound_error(bound, SLICE("out of memory"));
	if (tree->kind != NAME_TREE_NEG)
		return bind_tree(name, bound, tree, arena, depth + 1);
	return bind_found(name, bound, path, arena, depth);
}

/* The first branch that is not neg; later ones are not even asked for. */
static struct bound_node *bind_alternatives(struct name *name, struct bound *bound, const struct name_tree *tree, struct arena *arena,
                                            unsigned depth)
{
	struct bound_node *node = NULL;

	for (uint32_t i = 0; i < tree->count; i++) {
		node = bind_tree(name, bound, tree->branches[i].tree, arena, depth);
		if (bound_choose(node)->kind != BOUND_NEG)
			return node;
	}
	return node ? node : bound_state(bound, BOUND_NEG);
}

static struct bound_node *bind_union(struct name *name, struct bound *bound, const struct name_tree *tree, struct arena *arena,
                                     unsigned depth)
{
	struct bound_node *node = bound_branches(bound, BOUND_UNION, tree->count);
	bool pending = false;

	for (uint32_t i = 0; i < tree->count; i++) {
		struct bound_node *branch = bind_tree(name, bound, tree->branches[i].tree, arena, depth);

		pending = pending || branch->kind == BOUND_PENDING;
		node->branches[i].weight = tree->branches[i].weight;
		node->branches[i].node = branch;
	}
	return pending ? bound_state(bound, BOUND_PENDING) : node;
}

static struct bound_node *bind_tree(struct name *name, struct bound *bound, const struct name_tree *tree, struct arena *arena, unsigned depth)
{
	switch (tree->kind) {
	case NAME_TREE_LEAF:
		return bind_path(name, bound, tree->path, arena, depth);
	case NAME_TREE_ALT:
		return bind_alternatives(name, bound, tree, arena, depth);
	case NAME_TREE_UNION:
		return bind_union(name, bound, tree, arena, depth);
	case NAME_TREE_FAIL:
		return bound_state(bound, BOUND_FAIL);
	case NAME_TREE_EMPTY:
		return bound_state(bound, BOUND_EMPTY);
	case NAME_TREE_NEG:
		break;
	}
	return bound_state(bound, BOUND_NEG);
}

/* ---- publishing ---- */

static void publish_targets(struct binder *binder, unsigned worker, struct client *client);

static void deliver_binding(const struct message *message)
{
	route_publish(message->a, message->b);
}

static void deliver_targets(const struct message *message)
{
	upstream_publish(message->owner, message->a, message->b);
}

static void deliver_gone(const struct message *message)
{
	route_gone(message->a);
}

static void publish_targets(struct binder *binder, unsigned worker, struct client *client)
{
	live_ref(&client->object);
	live_ref(&client->targets->object);
	binder->options.post(binder->options.owner, worker,
		(struct message){ .deliver = deliver_targets, .owner = &binder->options.workers[worker], .a = client, .b = client->targets });
}

static void publish(struct name *name, struct interest *interest)
{
	struct binder *binder = name->binder;
	struct binding *binding = name->binding;

	for (unsigned i = 0; i < binding->leaf_count; i++)
		publish_targets(binder, interest->worker, binding->leaves[i].client);
	live_ref(&binding->object);
	binder->options.post(binder->options.owner, interest->worker,
		(struct message){ .deliver = deliver_binding, .a = interest->route, .b = binding });
}

/* The client that stands for a leaf: the one that the name is bound to already, if it is: while a reload is being taken
 * over, the binder before it may have made another of the same name. */
static struct client *client_for(struct name *name, const struct bound_node *leaf)
{
	struct client_policy policy;

	for (unsigned i = 0; name->binding && i < name->binding->leaf_count; i++) {
		struct client *client = name->binding->leaves[i].client;

		if (slice_equal(client->id, leaf->id_text)) {
			live_ref(&client->object);
			return client;
		}
	}
	client_policy_resolve(name->router->client_rules, name->router->client_rule_count, &leaf->id, &policy);
	return live_client(name->binder->options.live, name->router->label, leaf->id_text, &policy);
}

static struct slice residual_line(struct slice residual)
{
	struct text line = { 0 };

	if (residual.length > 1)
		text_format(&line, "l5d-dst-residual: %.*s\r\n", SLICE_ARGS(residual));
	return text_slice(&line).length ? text_slice(&line) : (struct slice){ 0 };
}

/* Gives the tree's nodes the live objects that they stand for. `binding->leaves` has room for all leaves. */
static void compile(struct name *name, struct binding *binding, const struct bound_node *from, struct binding_node *to)
{
	const struct bound_node *node = bound_choose(from);

	switch (node->kind) {
	case BOUND_LEAF:
		if (node->status) {
			*to = (struct binding_node){ .kind = BINDING_STATUS, .status = node->status };
			return;
		}
		*to = (struct binding_node){ .kind = BINDING_LEAF, .leaf = binding->leaf_count };
		struct binding_leaf *leaf = &binding->leaves[binding->leaf_count++];
		leaf->client = client_for(name, node);
		leaf->scope = live_pair_scope(name->binder->options.live, name->router->label, leaf->client, binding->service);
		leaf->residual_line = residual_line(node->residual_text);
		return;
	case BOUND_UNION:
		*to = (struct binding_node){ .kind = BINDING_UNION, .count = node->count };
		to->branches = memory_array(node->count, sizeof *to->branches);
		for (unsigned i = 0; i < node->count; i++) {
			to->branches[i].weight = node->branches[i].weight;
			compile(name, binding, node->branches[i].node, &to->branches[i].node);
		}
		return;
	case BOUND_FAIL:
		*to = (struct binding_node){ .kind = BINDING_FAIL };
		return;
	case BOUND_EMPTY:
		*to = (struct binding_node){ .kind = BINDING_EMPTY };
		return;
	case BOUND_ERROR:
		*to = (struct binding_node){ .kind = BINDING_ERROR, .text = slice_make(memory_text(node->message), node->message.length) };
		return;
	default:
		*to = (struct binding_node){ .kind = BINDING_NEG };
		return;
	}
}

static struct binding *binding_make(struct name *name, const struct bound *bound)
{
	struct live *live = name->binder->options.live;
	struct binding *binding = memory_new(sizeof *binding);
	struct service_policy policy;
	unsigned leaves = 0;

	for (const struct bound_node *leaf = bound->leaves; leaf; leaf = leaf->next_leaf)
		leaves++;
	live_object_init(&binding->object, live, LIVE_BINDING);
	service_policy_resolve(name->router->service_rules, name->router->service_rule_count, &name->path, &policy);
	struct text shown = { 0 };
	path_show_text(&shown, name->path);
	binding->service = live_service(live, name->router->label, text_slice(&shown), &policy);
	text_free(&shown);
	binding->leaves = memory_array(leaves ? leaves : 1, sizeof *binding->leaves);
	compile(name, binding, bound->root, &binding->root);
	return binding;
}

/* The endpoints of each leaf, to the client that stands for it; told to all workers when they have changed. */
static void update_clients(struct name *name, const struct bound *bound)
{
	struct binder *binder = name->binder;

	for (const struct bound_node *leaf = bound->leaves; leaf; leaf = leaf->next_leaf) {
		if (leaf->status)
			continue;
		struct client *client = client_for(name, leaf);

		if (live_client_update(client, leaf->endpoints))
			for (unsigned i = 0; i < binder->options.worker_count; i++)
				publish_targets(binder, i, client);
		live_unref(&client->object);
	}
}

static void evaluate(struct name *name)
{
	struct arena arena;
	struct bound *bound = bound_new();

	arena_init(&arena, NULL, 0);
	name->lookups = 0;
	watches_begin(&name->watches);
	bound_finish(bound, bind_path(name, bound, name->path, &arena, 0));
	watches_end(&name->watches);
	arena_reset(&arena);
	if (bound_choose(bound->root)->kind == BOUND_PENDING) {
		bound_unref(bound);
		return;
	}
	update_clients(name, bound);
	if (name->bound && bound_equal(name->bound->root, bound->root)) {
		bound_unref(name->bound);
		name->bound = bound;
		return;
	}
	struct binding *old = name->binding;
	name->binding = binding_make(name, bound);
	update_clients(name, bound);
	bound_unref(name->bound);
	name->bound = bound;
	LIST_EACH(&name->interests, link)
		publish(name, LIST_OF(link, struct interest, link));
	if (old)
		live_unref(&old->object);
}

static void name_again(void *owner)
{
	struct name *name = owner;

	CHECK_MAGIC(name, NAME_MAGIC);
	evaluate(name);
}

static void name_changed(void *owner)
{
	struct name *name = owner;

	task_set(name->binder->options.loop, &name->again);
}

/* ---- names come and go ---- */

/* The key of a route: the request's own dtab, LF, the path. A dtab or path that doesn't parse was refused on the worker. */
static int name_parse(struct name *name, struct slice key)
{
	struct slice why, local_text = { key.at, slice_find(key, '\n') };
	struct slice path = slice_from(key, local_text.length + 1);
	struct dtab local;
	int e;

	e = path_parse(path, &name->arena, &name->path, &why);
	if (!e)
		e = dtab_parse(local_text, &name->arena, &local, &why, NULL);
	return e ? e : dtab_concat(&name->arena, name->router->dtab, &local, &name->dtab);
}

static struct slice name_key(const struct route *route)
{
	struct text key = { 0 };

	text_format(&key, "%u ", route->router_index);
	text_append(&key, route->entry.key);
	return text_slice(&key);
}

static struct name *name_new(struct binder *binder, const struct route *route, struct slice key)
{
	struct name *name = memory_new(sizeof *name);

	name->magic = NAME_MAGIC;
	name->binder = binder;
	name->router_index = route->router_index;
	name->router = &binder->snapshot->routers[route->router_index];
	arena_init(&name->arena, NULL, 0);
	list_init(&name->interests);
	watches_init(&name->watches, binder, name_changed, name);
	task_init(&name->again, name_again, name);
	map_insert(&binder->names, &name->entry, key);
	int e = name_parse(name, slice_from(key, slice_find(key, ' ') + 1));
	if (e == ERROR_NO_MEMORY)
		check_out_of_memory("a name");
	CHECK(e == 0);
	return name;
}

static void name_free(struct name *name)
{
	struct slice key = name->entry.key;

	task_cancel(name->binder->options.loop, &name->again);
	watches_fini(&name->watches);
	map_remove(&name->binder->names, &name->entry);
	if (name->binding)
		live_unref(&name->binding->object);
	bound_unref(name->bound);
	arena_reset(&name->arena);
	memory_free((void *)(uintptr_t)key.at);
	name->magic = 0;
	memory_free(name);
}

void binder_want(struct binder *binder, unsigned worker, struct route *route)
{
	CHECK_MAGIC(binder, BINDER_MAGIC);
	struct slice key = name_key(route);
	struct map_entry *found = map_find(&binder->names, key);
	struct name *name = found ? MAP_OF(found, struct name, entry) : name_new(binder, route, key);
	struct interest *interest = memory_new(sizeof *interest);

	if (found)
		memory_free((void *)(uintptr_t)key.at);
	*interest = (struct interest){ .name = name, .route = route, .worker = worker };
	list_append(&name->interests, &interest->link);
	route->interest = interest;
	if (name->binding)
		publish(name, interest);
	else if (!found)
		evaluate(name);
}

void binder_again(struct binder *binder, unsigned worker, struct route *route)
{
	struct interest *interest = route->interest;

	CHECK_MAGIC(binder, BINDER_MAGIC);
	CHECK(interest->worker == worker);
	publish(interest->name, interest);
}

static void free_if_done(struct binder *binder)
{
	if (!binder->retired || binder->names.count || binder->holds)
		return;
	binder->options.gone(binder->options.owner, binder);
	binder_free(binder);
}

void binder_release(struct binder *binder, unsigned worker, struct route *route)
{
	CHECK_MAGIC(binder, BINDER_MAGIC);
	struct interest *interest = route->interest;
	struct name *name = interest->name;

	list_remove(&interest->link);
	memory_free(interest);
	binder->options.post(binder->options.owner, worker, (struct message){ .deliver = deliver_gone, .a = route });
	if (list_empty(&name->interests))
		name_free(name);
	free_if_done(binder);
}

void binder_hold(struct binder *binder)
{
	binder->holds++;
}

void binder_unhold(struct binder *binder)
{
	binder->holds--;
	free_if_done(binder);
}

bool binder_is_held(const struct binder *binder)
{
	return binder->holds > 0;
}

void binder_retire(struct binder *binder)
{
	binder->retired = true;
	free_if_done(binder);
}

void binder_each_client(struct binder *binder, void (*visit)(void *owner, struct slice id), void *owner)
{
	MAP_EACH(&binder->names, entry) {
		struct name *name = MAP_OF(entry, struct name, entry);

		if (name->bound)
			for (const struct bound_node *leaf = name->bound->leaves; leaf; leaf = leaf->next_leaf)
				visit(owner, leaf->id_text);
	}
}

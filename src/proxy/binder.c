/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/binder.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/loop.h"
#include "proxy/dtabs.h"
#include "proxy/evaluation.h"
#include "proxy/ingresses.h"
#include "proxy/route.h"

enum {
	BINDER_MAGIC = 0x62696e64,
	NAME_MAGIC = 0x6e616d65,
};

struct binder {
	uint32_t magic;
	struct binder_options options;
	struct snapshot *snapshot;
	struct sources *sources;
	struct ingresses *ingresses;
	struct dtabs *dtabs;
	struct map names;
	unsigned holds; /* delegations that are being written */
	bool retired;
};

/* One logical name, with the request's own dtab if it had one. */
struct name {
	uint32_t magic;
	struct map_entry entry; /* binder->names, by "ROUTER_INDEX key" */
	struct binder *binder;
	const struct router *router;
	unsigned router_index;
	struct arena arena; /* path, dtab */
	struct path path;
	struct dtab dtab;
	int dtab_error;        /* not 0: the router's dtab can't be had (dtabs_get) */
	struct slice dtab_why; /* why; until it changes */
	struct watches watches;
	struct task again;
	struct list interests;
	struct binding *binding; /* counted; NULL until it is known */
	struct bound *bound;     /* what `binding` was made from */
};

/* A worker's route that wants a name. */
struct interest {
	struct list link;
	struct name *name;
	struct route *route;
	unsigned worker;
};

/* ---- Ingresses ---- */

static void deliver_ingress(const struct message *message)
{
	worker_take_ingress(message->owner, message->a);
}

static void ingress_changed(void *owner, unsigned index)
{
	struct binder *binder = owner;
	struct ingress *rules = ingresses_rules(binder->ingresses)[index];

	CHECK_MAGIC(binder, BINDER_MAGIC);
	for (unsigned i = 0; rules && !binder->retired && i < binder->options.worker_count; i++) {
		struct ingress_news *news = memory_new(sizeof *news);

		*news = (struct ingress_news){ binder->snapshot->generation, index, ingress_ref(rules) };
		binder->options.post(binder->options.owner, i,
			(struct message){ .deliver = deliver_ingress, .owner = &binder->options.workers[i], .a = news });
	}
}

void binder_tell_ingresses(struct binder *binder)
{
	for (unsigned i = 0; i < binder->snapshot->ingress_count; i++)
		ingress_changed(binder, i);
}

struct ingresses *binder_ingresses(struct binder *binder)
{
	return binder->ingresses;
}

struct dtabs *binder_dtabs(struct binder *binder)
{
	return binder->dtabs;
}

static void dtab_changed(void *owner, unsigned router_index);

/* ---- making a binder ---- */

int binder_new(const struct binder_options *options, struct snapshot *snapshot, struct binder **out, struct text *why)
{
	const struct source_options sources = { options->loop, options->network, options->resolver, options->clusters };
	struct binder *binder = memory_new(sizeof *binder);
	int e = sources_new(&sources, snapshot, &binder->sources, why);

	if (!e)
		e = ingresses_new(options->clusters, snapshot, ingress_changed, binder, &binder->ingresses, why);
	if (!e)
		e = dtabs_new(options->clusters, snapshot, dtab_changed, binder, &binder->dtabs, why);
	if (e) {
		ingresses_free(binder->ingresses);
		if (binder->sources)
			sources_free(binder->sources);
		memory_free(binder);
		return e;
	}
	binder->magic = BINDER_MAGIC;
	binder->options = *options;
	binder->snapshot = snapshot_ref(snapshot);
	map_init(&binder->names, 0);
	*out = binder;
	return 0;
}

static void binder_free(struct binder *binder)
{
	CHECK(binder->names.count == 0);
	sources_free(binder->sources);
	ingresses_free(binder->ingresses);
	dtabs_free(binder->dtabs);
	map_fini(&binder->names);
	snapshot_unref(binder->snapshot);
	binder->magic = 0;
	memory_free(binder);
}

struct loop *binder_loop(struct binder *binder)
{
	return binder->options.loop;
}

struct snapshot *binder_snapshot(struct binder *binder)
{
	return binder->snapshot;
}

struct live *binder_live(struct binder *binder)
{
	return binder->options.live;
}

struct sources *binder_sources(struct binder *binder)
{
	return binder->sources;
}

/* ---- publishing ---- */

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
		(struct message){
			.deliver = deliver_targets, .owner = &binder->options.workers[worker], .a = client, .b = client->targets });
}

static void publish_everywhere(struct binder *binder, struct client *client)
{
	for (unsigned i = 0; i < binder->options.worker_count; i++)
		publish_targets(binder, i, client);
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

/* The leaf's client among those that the name is bound to; leaves seldom change places. */
static struct client *client_before(const struct name *name, struct slice id, unsigned place)
{
	unsigned count = name->binding ? name->binding->leaf_count : 0;

	for (unsigned i = 0; i < count; i++) {
		struct client *client = name->binding->leaves[(place + i) % count].client;

		if (slice_equal(client->id, id))
			return client;
	}
	return NULL;
}

/* The client that stands for the nth leaf, counted: the one that the name is bound to already, if it is: while a reload is being
 * taken over, the binder before it may have made another of the same name. */
static struct client *client_for(const struct name *name, const struct bound_node *leaf, unsigned place)
{
	struct live *live = name->binder->options.live;
	uint64_t generation = name->binder->snapshot->generation;
	struct client *client = client_before(name, leaf->id_text, place);
	struct client_policy policy;

	if (client) {
		live_ref(&client->object);
		return client;
	}
	client = live_client_find(live, name->router->label, leaf->id_text, generation);
	if (client)
		return client;
	client_policy_resolve(name->router->client_rules, name->router->client_rule_count, &leaf->id, &policy);
	return live_client(live, name->router->label, leaf->id_text, generation, &policy);
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
		struct binding_leaf *leaf = &binding->leaves[binding->leaf_count];
		leaf->client = client_for(name, node, binding->leaf_count++);
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
	binding->service = live_service(live, name->router->label, text_slice(&shown), &policy, bound->leaves != NULL);
	text_free(&shown);
	binding->leaves = memory_array(leaves ? leaves : 1, sizeof *binding->leaves);
	compile(name, binding, bound->root, &binding->root);
	return binding;
}

/* The endpoints of each leaf, to the client that stands for it; told to all workers when they have changed. */
static void update_clients(struct name *name, const struct bound *bound)
{
	unsigned place = 0;

	for (const struct bound_node *leaf = bound->leaves; leaf; leaf = leaf->next_leaf) {
		if (leaf->status)
			continue;
		struct client *client = client_for(name, leaf, place++);

		if (live_client_update(client, leaf->endpoints))
			publish_everywhere(name->binder, client);
		live_unref(&client->object);
	}
}

/* Whether the client was known with endpoints before: then the last good ones stay in use while asking fails. */
static bool has_endpoints(void *owner, struct path id)
{
	const struct name *name = owner;
	struct text shown = { 0 };
	struct client *client;

	path_show_text(&shown, id);
	client = client_before(name, text_slice(&shown), 0);
	text_free(&shown);
	return client && client->targets->count > 0;
}

static struct bound *bound_to_error(struct slice why)
{
	struct bound *bound = bound_new();

	bound_finish(bound, bound_error(bound, why));
	return bound;
}

static void evaluate(struct name *name)
{
	struct evaluation evaluation = {
		.watches = &name->watches,
		.router_index = name->router_index,
		.dtab = &name->dtab,
		.has_endpoints = has_endpoints,
		.owner = name,
	};
	struct bound *bound;

	if (name->dtab_error == ERROR_BUSY)
		return;
	bound = name->dtab_error ? bound_to_error(name->dtab_why) : evaluation_run(&evaluation, name->path);
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
	LOG(LOG_DEBUG, "proxy", "%.*s of router %.*s is bound anew, to %u clients", SLICE_ARGS(name->binding->service->name),
		SLICE_ARGS(name->router->label), name->binding->leaf_count);
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
	struct dtab base, local;
	int e;

	e = path_parse(path, &name->arena, &name->path, &why);
	if (!e)
		e = dtab_parse(local_text, &name->arena, &local, &why, NULL);
	if (e)
		return e;
	name->dtab_error = dtabs_get(name->binder->dtabs, name->router_index, &name->arena, &base, &name->dtab_why);
	if (name->dtab_error)
		return name->dtab_error == ERROR_NO_MEMORY ? ERROR_NO_MEMORY : 0;
	return dtab_concat(&name->arena, &base, &local, &name->dtab);
}

/* `text`: "ROUTER_INDEX key". */
static void parse_key(struct name *name, struct slice text)
{
	int e = name_parse(name, slice_from(text, slice_find(text, ' ') + 1));

	if (e == ERROR_NO_MEMORY)
		check_out_of_memory("a name");
	CHECK(e == 0);
}

static void dtab_changed(void *owner, unsigned router_index)
{
	struct binder *binder = owner;

	CHECK_MAGIC(binder, BINDER_MAGIC);
	MAP_EACH(&binder->names, entry) {
		struct name *name = MAP_OF(entry, struct name, entry);

		if (name->router_index != router_index)
			continue;
		arena_reset(&name->arena);
		parse_key(name, name->entry.key);
		name_changed(name);
	}
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
	watches_init(&name->watches, binder->sources, name_changed, name);
	task_init(&name->again, name_again, name);
	map_insert(&binder->names, &name->entry, key);
	parse_key(name, key);
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

void binder_end_probation(struct binder *binder)
{
	if (!live_on_probation(binder->options.live))
		return;
	MAP_EACH(&binder->names, entry) {
		const struct binding *binding = MAP_OF(entry, struct name, entry)->binding;

		for (unsigned i = 0; binding && i < binding->leaf_count; i++)
			if (live_client_end_probation(binding->leaves[i].client))
				publish_everywhere(binder, binding->leaves[i].client);
	}
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

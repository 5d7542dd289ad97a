/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dtabs.h"

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "discover/k8s_config.h"
#include "proxy/kubernetes.h"

enum { DTABS_MAGIC = 0x64746162 };

/* Of one router. */
struct one {
	struct dtabs *all;
	const struct router *router;
	struct k8s_config *source; /* NULL: its dtab is its own */
	bool known;
	struct arena arena;
	struct dtab dtab;    /* the source's */
	struct text failure; /* while it isn't known */
};

struct dtabs {
	uint32_t magic;
	unsigned count;
	struct one *list; /* by router */
	struct list watches;
	void (*changed)(void *owner, unsigned router_index);
	void *owner;
};

/* ---- what the source says ---- */

static void fail(struct one *one, struct slice why)
{
	text_clear(&one->failure);
	text_append(&one->failure, why);
}

static void refuse(struct one *one, struct slice why)
{
	const struct config_map_policy *policy = one->router->config_map;
	struct text what = { 0 };

	text_format(&what, "the ConfigMap %.*s/%.*s has no dtab in %.*s: %.*s", SLICE_ARGS(policy->namespace), SLICE_ARGS(policy->name),
		SLICE_ARGS(policy->key), SLICE_ARGS(why));
	text_join_lines(&what);
	LOG(LOG_WARN, "proxy", "%s%s", what.bytes, one->known ? "; the one before it stays" : "");
	if (!one->known)
		fail(one, text_slice(&what));
	text_free(&what);
}

static void take(struct one *one, struct slice text)
{
	struct arena arena;
	struct dtab dtab;
	struct slice why;
	int e;

	arena_init(&arena, NULL, 0);
	e = dtab_parse(arena_copy(&arena, text), &arena, &dtab, &why, NULL);
	if (e) {
		refuse(one, e == ERROR_SYNTAX ? why : slice_of(error_text(e)));
		arena_reset(&arena);
		return;
	}
	if (one->known)
		arena_reset(&one->arena);
	one->arena = arena;
	one->dtab = dtab;
	one->known = true;
}

static void look(struct one *one)
{
	const struct config_map_policy *policy = one->router->config_map;
	struct slice text;

	switch (k8s_config_read(one->source, &text)) {
	case K8S_CONFIG_PENDING:
		return;
	case K8S_CONFIG_FAILED:
		fail(one, text);
		return;
	case K8S_CONFIG_ABSENT:
		LOG(LOG_WARN, "proxy", "there is no ConfigMap %.*s/%.*s with the key %.*s: its dtab is taken as empty",
			SLICE_ARGS(policy->namespace), SLICE_ARGS(policy->name), SLICE_ARGS(policy->key));
		take(one, SLICE(""));
		return;
	case K8S_CONFIG_THERE:
		take(one, text);
		return;
	}
}

static void source_changed(void *owner)
{
	struct one *one = owner;
	struct dtabs *all = one->all;

	CHECK_MAGIC(all, DTABS_MAGIC);
	look(one);
	all->changed(all->owner, (unsigned)(one - all->list));
	change_tell(&all->watches);
}

/* ---- all of them ---- */

static int open_source(struct one *one, struct k8s_clusters *clusters, struct text *why)
{
	const struct config_map_policy *policy = one->router->config_map;
	struct k8s_config_options options = {
		.clusters = clusters,
		.namespace = policy->namespace,
		.name = policy->name,
		.key = policy->key,
	};
	struct text what = { 0 };
	struct slice text;
	int e;

	kubernetes_find(&policy->place, &options.cluster);
	e = k8s_config_new(&options, source_changed, one, &one->source, &what);
	if (e)
		text_format(why, "interpreter io.l5d.k8s.configMap: %s", what.length ? what.bytes : error_text(e));
	else
		look(one);
	/* At a reload it is known what the ConfigMap has: then a configuration that would bind nothing is refused. */
	if (!e && one->failure.length && k8s_config_read(one->source, &text) == K8S_CONFIG_THERE) {
		text_append(why, text_slice(&one->failure));
		e = ERROR_INVALID;
		k8s_config_free(one->source);
		one->source = NULL;
	}
	text_free(&what);
	return e;
}

int dtabs_new(struct k8s_clusters *clusters, const struct snapshot *snapshot, void (*changed)(void *owner, unsigned router_index),
	void *owner, struct dtabs **out, struct text *why)
{
	struct dtabs *all = memory_new(sizeof *all);

	all->magic = DTABS_MAGIC;
	all->list = memory_array(snapshot->router_count + 1, sizeof *all->list);
	list_init(&all->watches);
	all->changed = changed;
	all->owner = owner;
	for (; all->count < snapshot->router_count; all->count++) {
		struct one *one = &all->list[all->count];
		int e;

		one->all = all;
		one->router = &snapshot->routers[all->count];
		e = one->router->config_map ? open_source(one, clusters, why) : 0;
		if (e) {
			text_free(&one->failure);
			dtabs_free(all);
			return e;
		}
	}
	*out = all;
	return 0;
}

void dtabs_free(struct dtabs *all)
{
	if (!all)
		return;
	CHECK_MAGIC(all, DTABS_MAGIC);
	CHECK(list_empty(&all->watches));
	for (unsigned i = 0; i < all->count; i++) {
		struct one *one = &all->list[i];

		k8s_config_free(one->source);
		if (one->known)
			arena_reset(&one->arena);
		text_free(&one->failure);
	}
	memory_free(all->list);
	all->magic = 0;
	memory_free(all);
}

int dtabs_get(const struct dtabs *all, unsigned router_index, struct arena *arena, struct dtab *dtab, struct slice *why)
{
	const struct one *one = &all->list[router_index];
	struct dtab copy;
	int e;

	if (!one->source) {
		*dtab = *one->router->dtab;
		return 0;
	}
	if (!one->known) {
		*why = text_slice(&one->failure);
		return why->length ? ERROR_INVALID : ERROR_BUSY;
	}
	e = dtab_copy(arena, &one->dtab, &copy);
	return e ? e : dtab_concat(arena, &copy, one->router->dtab, dtab);
}

void dtabs_watch(struct dtabs *all, struct change_watch *watch)
{
	list_append(&all->watches, &watch->link);
}

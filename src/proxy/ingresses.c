/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ingresses.h"

#include "base/check.h"
#include "base/memory.h"
#include "discover/k8s_ingresses.h"
#include "proxy/kubernetes.h"

enum { INGRESSES_MAGIC = 0x696e6772 };

struct one {
	struct ingresses *all;
	struct k8s_ingresses *source;
};

struct ingresses {
	uint32_t magic;
	unsigned count;
	struct one *list;
	struct ingress **rules; /* parallel to list; the sources' */
	struct list watches;
	void (*changed)(void *owner, unsigned index);
	void *owner;
};

static void source_changed(void *owner)
{
	struct one *one = owner;
	struct ingresses *all = one->all;
	unsigned index = (unsigned)(one - all->list);

	CHECK_MAGIC(all, INGRESSES_MAGIC);
	all->rules[index] = k8s_ingresses_rules(one->source);
	all->changed(all->owner, index);
	change_tell(&all->watches);
}

static int add(struct ingresses *all, struct k8s_clusters *clusters, const struct ingress_policy *policy, struct text *why)
{
	struct k8s_ingresses_options options = {
		.clusters = clusters,
		.namespace = policy->namespace,
		.class = policy->class,
		.without_defaults = policy->without_defaults,
	};
	struct one *one = &all->list[policy->index];
	struct text what = { 0 };
	int e;

	kubernetes_find(&policy->place, &options.cluster);
	one->all = all;
	e = k8s_ingresses_new(&options, source_changed, one, &one->source, &what);
	if (e)
		text_format(why, "identifier io.l5d.ingress: %s", what.length ? what.bytes : error_text(e));
	else
		all->rules[policy->index] = k8s_ingresses_rules(one->source);
	text_free(&what);
	return e;
}

static int add_routers(struct ingresses *all, struct k8s_clusters *clusters, const struct router *router, struct text *why)
{
	for (unsigned i = 0; i < router->identifier_count; i++) {
		const struct identifier *identifier = &router->identifiers[i];
		int e = identifier->kind == IDENTIFIER_INGRESS ? add(all, clusters, identifier->ingress, why) : 0;

		if (e)
			return e;
	}
	return 0;
}

int ingresses_new(struct k8s_clusters *clusters, const struct snapshot *snapshot, void (*changed)(void *owner, unsigned index), void *owner,
	struct ingresses **out, struct text *why)
{
	struct ingresses *all = memory_new(sizeof *all);
	int e = 0;

	all->magic = INGRESSES_MAGIC;
	all->count = snapshot->ingress_count;
	all->list = memory_array(all->count + 1, sizeof *all->list);
	all->rules = memory_array(all->count + 1, sizeof(struct ingress *));
	list_init(&all->watches);
	all->changed = changed;
	all->owner = owner;
	for (unsigned i = 0; i < snapshot->router_count && !e; i++)
		e = add_routers(all, clusters, &snapshot->routers[i], why);
	if (e) {
		ingresses_free(all);
		return e;
	}
	*out = all;
	return 0;
}

void ingresses_free(struct ingresses *all)
{
	if (!all)
		return;
	CHECK_MAGIC(all, INGRESSES_MAGIC);
	CHECK(list_empty(&all->watches));
	for (unsigned i = 0; i < all->count; i++)
		k8s_ingresses_free(all->list[i].source);
	memory_free(all->list);
	memory_free(all->rules);
	all->magic = 0;
	memory_free(all);
}

struct ingress *const *ingresses_rules(const struct ingresses *all)
{
	return all->rules;
}

void ingresses_watch(struct ingresses *all, struct change_watch *watch)
{
	list_append(&all->watches, &watch->link);
}

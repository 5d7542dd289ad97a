/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/live.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "proxy/caller.h"
#include "proxy/flows.h"
#include "proxy/stats.h"
#include "tls/client.h"

static struct service *service_at(struct map_entry *entry)
{
	return MAP_OF(entry, struct service, entry);
}

static struct client *client_at(struct map_entry *entry)
{
	return MAP_OF(entry, struct client, entry);
}

void live_init(struct live *live, struct metrics *metrics)
{
	*live = (struct live){ .metrics = metrics };
	map_init(&live->services, 0);
	map_init(&live->clients, 0);
	list_init(&live->flows);
}

void live_fini(struct live *live)
{
	flows_drop(live);
	live_bury(live);
	CHECK(live->services.count == 0 && live->clients.count == 0);
	map_fini(&live->services);
	map_fini(&live->clients);
}

void live_object_init(struct live_object *object, struct live *live, enum live_kind kind)
{
	object->live = live;
	object->kind = kind;
	atomic_init(&object->references, 1);
}

void live_ref(struct live_object *object)
{
	atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
}

/* False when the object has died already and only waits for its burial. */
static bool ref_unless_dead(struct live_object *object)
{
	uint32_t found = atomic_load_explicit(&object->references, memory_order_relaxed);

	while (found != 0)
		if (atomic_compare_exchange_weak_explicit(
			    &object->references, &found, found + 1, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

void live_unref(struct live_object *object)
{
	struct live *live = object->live;

	if (atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel) != 1)
		return;
	struct live_object *head = atomic_load_explicit(&live->graveyard, memory_order_relaxed);
	do
		atomic_store_explicit(&object->grave, head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&live->graveyard, &head, object, memory_order_release, memory_order_relaxed));
}

static void forget(struct map *map, struct map_entry *entry)
{
	if (entry->key.at) {
		map_remove(map, entry);
		memory_free((void *)(uintptr_t)entry->key.at);
		entry->key = (struct slice){ 0 };
	}
}

static void free_text(struct slice s)
{
	memory_free((void *)(uintptr_t)s.at);
}

static void service_free(struct live *live, struct service *service)
{
	forget(&live->services, &service->entry);
	metrics_gauge_remove(live->metrics, service);
	scope_unref(service->scope);
	free_text(service->name);
	free_text(service->request_lines);
	memory_free(service);
}

static void client_free(struct live *live, struct client *client)
{
	forget(&live->clients, &client->entry);
	metrics_gauge_remove(live->metrics, client);
	scope_unref(client->scope);
	live->probation -= client->probation;
	live_unref(&client->targets->object);
	tls_client_unref(client->policy.tls.client);
	free_text(client->id);
	free_text(client->label);
	free_text(client->request_lines);
	memory_free(client);
}

static void targets_free(struct targets *targets)
{
	for (unsigned i = 0; i < targets->count; i++)
		live_unref(&targets->at[i].target->object);
	memory_free(targets);
}

static void node_free(struct binding_node *node)
{
	for (unsigned i = 0; i < node->count; i++)
		node_free(&node->branches[i].node);
	memory_free(node->branches);
	free_text(node->text);
}

static void binding_free(struct binding *binding)
{
	for (unsigned i = 0; i < binding->leaf_count; i++) {
		scope_unref(binding->leaves[i].scope);
		free_text(binding->leaves[i].residual_line);
		live_unref(&binding->leaves[i].client->object);
	}
	memory_free(binding->leaves);
	node_free(&binding->root);
	live_unref(&binding->service->object);
	memory_free(binding);
}

static void object_free(struct live *live, struct live_object *object)
{
	switch (object->kind) {
	case LIVE_SERVICE:
		service_free(live, (struct service *)(void *)object);
		break;
	case LIVE_CLIENT:
		client_free(live, (struct client *)(void *)object);
		break;
	case LIVE_TARGET:
		memory_free(object);
		break;
	case LIVE_TARGETS:
		targets_free((struct targets *)(void *)object);
		break;
	case LIVE_BINDING:
		binding_free((struct binding *)(void *)object);
		break;
	case LIVE_CALLER:
		caller_free(object);
		break;
	case LIVE_FLOW:
		flow_free(object);
		break;
	}
}

void live_bury(struct live *live)
{
	for (;;) {
		struct live_object *object = atomic_exchange_explicit(&live->graveyard, NULL, memory_order_acquire);

		if (!object)
			return;
		while (object) {
			struct live_object *next = atomic_load_explicit(&object->grave, memory_order_relaxed);

			object_free(live, object);
			object = next;
		}
	}
}

/* "LABEL NAME", the key under which both tables know their objects. */
static struct slice table_key(struct slice label, struct slice name)
{
	struct text text = { 0 };

	text_format(&text, "%.*s %.*s", SLICE_ARGS(label), SLICE_ARGS(name));
	return text_slice(&text);
}

static struct slice copy(struct slice s)
{
	return slice_make(memory_text(s), s.length);
}

static struct slice header_line(const char *name, struct slice value)
{
	struct text text = { 0 };

	text_format(&text, "%s: %.*s\r\n", name, SLICE_ARGS(value));
	return text_slice(&text);
}

static struct slice without_slash(struct slice path)
{
	return path.length && path.at[0] == '/' ? slice_from(path, 1) : path;
}

static bool same_backoff(const struct backoff *a, const struct backoff *b)
{
	return a->kind == b->kind && a->min_ns == b->min_ns && a->max_ns == b->max_ns;
}

static bool same_budget(const struct budget_policy *a, const struct budget_policy *b)
{
	return a->percent_can_retry == b->percent_can_retry && a->min_retries_per_second == b->min_retries_per_second &&
		a->ttl_ns == b->ttl_ns;
}

bool live_same_service_policy(const struct service_policy *a, const struct service_policy *b)
{
	return a->total_timeout_ns == b->total_timeout_ns && a->classifier == b->classifier && same_budget(&a->budget, &b->budget) &&
		same_backoff(&a->backoff, &b->backoff) && a->success_statuses == b->success_statuses &&
		a->retryable_statuses == b->retryable_statuses && a->classification_ns == b->classification_ns &&
		a->buffers.request_bytes == b->buffers.request_bytes && a->buffers.response_bytes == b->buffers.response_bytes;
}

static bool same_http2_policy(const struct http2_policy *a, const struct http2_policy *b)
{
	return a->header_table_bytes == b->header_table_bytes && a->stream_window_bytes == b->stream_window_bytes &&
		a->max_frame_bytes == b->max_frame_bytes && a->max_header_bytes == b->max_header_bytes &&
		a->max_streams == b->max_streams && a->window_update_ratio == b->window_update_ratio && a->ping_ns == b->ping_ns;
}

static bool same_socket_policy(const struct socket_policy *a, const struct socket_policy *b)
{
	return a->delay == b->delay && a->keep_alive == b->keep_alive && a->read_timeout_ns == b->read_timeout_ns &&
		a->write_timeout_ns == b->write_timeout_ns && a->ack_timeout_ns == b->ack_timeout_ns;
}

/* Equal options are one object (tls/store.h). */
static bool same_tls_policy(const struct tls_policy *a, const struct tls_policy *b)
{
	return a->client == b->client && strcmp(a->name, b->name) == 0 && (a->peer_id_count > 0) == (b->peer_id_count > 0) &&
		strcmp(a->peers, b->peers) == 0;
}

static bool same_check_policy(const struct check_policy *a, const struct check_policy *b)
{
	return a->kind == b->kind && strcmp(a->path, b->path) == 0 && strcmp(a->service, b->service) == 0 &&
		strcmp(a->host, b->host) == 0 && a->interval_ns == b->interval_ns && a->timeout_ns == b->timeout_ns &&
		a->unhealthy_threshold == b->unhealthy_threshold && a->healthy_threshold == b->healthy_threshold;
}

bool live_same_client_policy(const struct client_policy *a, const struct client_policy *b)
{
	return a->balancer.kind == b->balancer.kind && a->balancer.max_effort == b->balancer.max_effort &&
		a->balancer.decay_ns == b->balancer.decay_ns && a->balancer.probation == b->balancer.probation &&
		a->accrual.kind == b->accrual.kind && a->accrual.failures == b->accrual.failures &&
		same_backoff(&a->accrual.backoff, &b->accrual.backoff) && same_check_policy(&a->check, &b->check) &&
		a->attempt_timeout_ns == b->attempt_timeout_ns && a->connections.min_size == b->connections.min_size &&
		a->connections.max_size == b->connections.max_size && a->connections.max_waiters == b->connections.max_waiters &&
		a->connections.idle_ns == b->connections.idle_ns && same_budget(&a->requeue_budget, &b->requeue_budget) &&
		a->protocol == b->protocol && a->life.life_ns == b->life.life_ns && a->life.idle_ns == b->life.idle_ns &&
		same_http2_policy(&a->http2, &b->http2) && same_socket_policy(&a->socket, &b->socket) &&
		same_tls_policy(&a->tls, &b->tls) && a->forward_certificate == b->forward_certificate;
}

static double read_service_budget(void *owner)
{
	return budget_balance(&((struct service *)owner)->budget);
}

static double read_certificate_left(void *owner)
{
	const struct client *client = owner;

	return (double)tls_client_left(client->policy.tls.client);
}

static double read_client_budget(void *owner)
{
	return budget_balance(&((struct client *)owner)->requeue_budget);
}

static struct scope *service_scope(struct live *live, struct slice label, struct slice name, bool bound)
{
	const struct scope_label at[] = { { SLICE("rt"), label }, { SLICE("service"), without_slash(name) } };

	return bound ? metrics_scope(live->metrics, &service_kind, at, 2)
		     : metrics_scope_few(live->metrics, &service_kind, UNBOUND_SERVICES, at, 2);
}

/* False: it can't go on under the name, now that this is bound, since it counts together with others. */
static bool has_place(struct live *live, struct slice label, struct service *service, bool bound)
{
	struct scope *scope;

	if (!bound || !service->unbound)
		return true;
	scope = service_scope(live, label, service->name, true);
	scope_unref(scope);
	service->unbound = false;
	return scope == service->scope;
}

struct service *live_service(struct live *live, struct slice label, struct slice name, const struct service_policy *policy, bool bound)
{
	struct slice key = table_key(label, name);
	struct map_entry *found = map_find(&live->services, key);

	if (found) {
		struct service *service = service_at(found);

		if (live_same_service_policy(&service->policy, policy) && has_place(live, label, service, bound) &&
			ref_unless_dead(&service->object)) {
			free_text(key);
			return service;
		}
		forget(&live->services, found);
	}
	struct service *service = memory_new(sizeof *service);
	live_object_init(&service->object, live, LIVE_SERVICE);
	service->name = copy(name);
	service->hash = slice_hash(name, 0);
	service->request_lines = header_line("l5d-dst-service", name);
	service->policy = *policy;
	service->unbound = !bound;
	budget_init(&service->budget, &policy->budget);
	service->scope = service_scope(live, label, name, bound);
	metrics_gauge(live->metrics, service->scope, "retries/budget", read_service_budget, service);
	map_insert(&live->services, &service->entry, key);
	return service;
}

static struct targets *targets_new(struct live *live, unsigned count)
{
	struct targets *targets = memory_new(sizeof *targets + count * sizeof targets->at[0]);

	live_object_init(&targets->object, live, LIVE_TARGETS);
	return targets;
}

/* The client in the table, counted; NULL: none, or one that has died already. */
static struct client *client_find(struct live *live, struct slice key)
{
	struct map_entry *found = map_find(&live->clients, key);

	return found && ref_unless_dead(&client_at(found)->object) ? client_at(found) : NULL;
}

struct client *live_client_find(struct live *live, struct slice label, struct slice id, uint64_t generation)
{
	struct slice key = table_key(label, id);
	struct client *client = client_find(live, key);

	free_text(key);
	if (client && client->generation != generation) {
		live_unref(&client->object);
		return NULL;
	}
	return client;
}

struct client *live_client(struct live *live, struct slice label, struct slice id, uint64_t generation, const struct client_policy *policy)
{
	struct slice key = table_key(label, id);
	struct map_entry *found = map_find(&live->clients, key);

	if (found) {
		struct client *client = client_at(found);

		if (live_same_client_policy(&client->policy, policy) && ref_unless_dead(&client->object)) {
			client->generation = generation;
			free_text(key);
			return client;
		}
		forget(&live->clients, found);
	}
	struct client *client = memory_new(sizeof *client);
	live_object_init(&client->object, live, LIVE_CLIENT);
	client->id = copy(id);
	client->label = copy(label);
	client->hash = slice_hash(id, 0);
	client->request_lines = header_line("l5d-dst-client", id);
	client->generation = generation;
	client->policy = *policy;
	if (policy->tls.client)
		tls_client_ref(policy->tls.client);
	client->policy.tls.options = NULL; /* the configuration's, which may end before the client does */
	client->policy.tls.peer_ids = NULL;
	client->targets = targets_new(live, 0);
	budget_init(&client->requeue_budget, &policy->requeue_budget);
	const struct scope_label at[] = { { SLICE("rt"), label }, { SLICE("client"), without_slash(client->id) } };
	client->scope = metrics_scope(live->metrics, &client_kind, at, 2);
	metrics_gauge(live->metrics, client->scope, "retries/budget", read_client_budget, client);
	if (policy->tls.client && tls_client_left(policy->tls.client) != INT64_MAX)
		metrics_gauge(live->metrics, client->scope, "tls/certificate_expires_in_s", read_certificate_left, client);
	map_insert(&live->clients, &client->entry, key);
	return client;
}

/* Calls of services that count together count together for each client, too. */
struct scope *live_pair_scope(struct live *live, struct slice label, const struct client *client, const struct service *service)
{
	const struct scope_label at[] = {
		{ SLICE("rt"), label },
		{ SLICE("client"), scope_is_overflow(client->scope) ? SLICE("overflow") : without_slash(client->id) },
		{ SLICE("service"), scope_is_overflow(service->scope) ? SLICE("overflow") : without_slash(service->name) },
	};

	return metrics_scope(live->metrics, &pair_kind, at, 3);
}

static struct target *target_new(struct live *live, const struct address *address)
{
	struct target *target = memory_new_aligned(sizeof *target, _Alignof(struct target));

	live_object_init(&target->object, live, LIVE_TARGET);
	target->address = *address;
	address_format(address, target->text);
	health_init(&target->health);
	return target;
}

static bool same_targets(const struct targets *a, const struct targets *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (a->at[i].target != b->at[i].target || a->at[i].weight != b->at[i].weight || a->at[i].probation != b->at[i].probation)
			return false;
	return true;
}

/* Takes a reference of the target's. */
static void add_target(struct targets *targets, struct target *target, double weight, bool probation)
{
	targets->at[targets->count].target = target;
	targets->at[targets->count].weight = weight;
	targets->at[targets->count++].probation = probation;
}

/* What discovery does not name any more. */
static void add_kept(const struct client *client, struct targets *fresh, unsigned index)
{
	struct target *target = client->targets->at[index].target;

	if (!client->policy.balancer.probation || health_state(&target->health) != HEALTH_ALIVE)
		return;
	live_ref(&target->object);
	add_target(fresh, target, client->targets->at[index].weight, true);
}

/* The endpoints, and what is kept of the targets so far: both are in the order of addresses. */
static struct targets *merge(struct client *client, const struct endpoints *endpoints)
{
	const struct targets *old = client->targets;
	struct targets *fresh = targets_new(client->object.live, endpoints->count + old->count);
	unsigned i = 0, k = 0;

	while (i < endpoints->count || k < old->count) {
		int order = i == endpoints->count ? 1
			: k == old->count         ? -1
						  : address_compare(&endpoints->list[i].address, &old->at[k].target->address);

		if (order > 0) {
			add_kept(client, fresh, k++);
			continue;
		}
		struct target *target = order == 0 ? old->at[k++].target : target_new(client->object.live, &endpoints->list[i].address);

		if (order == 0)
			live_ref(&target->object);
		add_target(fresh, target, endpoints->list[i++].weight, false);
	}
	return fresh;
}

/* Owns `fresh`. False: it is what there is already. */
static bool replace_targets(struct client *client, struct targets *fresh)
{
	unsigned probation = 0;

	if (same_targets(client->targets, fresh)) {
		live_unref(&fresh->object);
		return false;
	}
	for (unsigned i = 0; i < fresh->count; i++)
		probation += fresh->at[i].probation;
	client->object.live->probation += probation - client->probation;
	client->probation = probation;
	fresh->version = client->targets->version + 1;
	live_unref(&client->targets->object);
	client->targets = fresh;
	return true;
}

bool live_client_update(struct client *client, const struct endpoints *endpoints)
{
	if (endpoints->state == ENDPOINTS_FAILED || endpoints->state == ENDPOINTS_PENDING)
		return false;
	return replace_targets(client, merge(client, endpoints));
}

bool live_client_end_probation(struct client *client)
{
	const struct targets *old = client->targets;
	struct targets *fresh;

	if (!client->probation)
		return false;
	fresh = targets_new(client->object.live, old->count);
	for (unsigned i = 0; i < old->count; i++) {
		if (old->at[i].probation) {
			add_kept(client, fresh, i);
		} else {
			live_ref(&old->at[i].target->object);
			add_target(fresh, old->at[i].target, old->at[i].weight, false);
		}
	}
	return replace_targets(client, fresh);
}

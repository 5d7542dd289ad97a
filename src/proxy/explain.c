/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/explain.h"

#include "base/check.h"
#include "base/memory.h"
#include "doc/json_write.h"
#include "io/loop.h"
#include "model/dtab.h"
#include "model/matcher.h"
#include "proxy/admission.h"
#include "proxy/delegate.h"
#include "proxy/dtabs.h"
#include "proxy/evaluation.h"
#include "proxy/identify.h"
#include "proxy/ingresses.h"
#include "proxy/l5d.h"
#include "tls/spiffe.h"
#include "wire/http1.h"

enum { EXPLANATION_MAGIC = 0x6578706c };

/* What is asked about. */
enum about {
	ABOUT_REQUEST, /* one that nobody has sent: its head is known */
	ABOUT_PAST,    /* one that was sent: its name is known, and what became of it */
	ABOUT_NAME,
};

struct explanation {
	uint32_t magic;
	struct binder *binder; /* held */
	const struct router *router;
	unsigned router_index;
	struct loop *loop;
	struct arena arena;
	struct head head; /* in the arena */
	enum about about;
	const struct dtab *base;     /* the router's, or what stands for it; NULL: not known yet */
	struct dtab edited, routers; /* the one, or the other */
	struct change_watch dtabs, ingresses;
	struct path path;
	struct dtab dtab;  /* base with the request's own */
	struct slice peer; /* who calls; empty: not known */
	struct explain_past past;
	struct watches delegated, evaluated;
	bool pending; /* its name depends on Ingresses that are not known yet */
	struct task again;
	struct timer limit;
	struct text out;
	struct json_writer json;
	void (*answered)(void *owner, unsigned status, struct slice json);
	void *owner;
};

/* ---- small parts ---- */

/* Of the configuration's file; nothing for what stands in no line. */
static void put_line(struct json_writer *json, int line)
{
	if (line > 0)
		json_write_member_int(json, "line", line);
}

static void open_object(struct json_writer *json, const char *key)
{
	json_write_key(json, slice_of(key));
	json_write_object(json);
}

static void open_array(struct json_writer *json, const char *key)
{
	json_write_key(json, slice_of(key));
	json_write_array(json);
}

static void finish(struct explanation *x, unsigned status)
{
	x->answered(x->owner, status, text_slice(&x->out));
	timer_cancel(x->loop, &x->limit);
	task_cancel(x->loop, &x->again);
	watches_fini(&x->delegated);
	watches_fini(&x->evaluated);
	list_remove(&x->ingresses.link);
	list_remove(&x->dtabs.link);
	arena_reset(&x->arena);
	text_free(&x->out);
	binder_unhold(x->binder);
	x->magic = 0;
	memory_free(x);
}

static void finish_error(struct explanation *x, unsigned status, const char *what, struct slice why)
{
	struct text message = { 0 };

	text_format(&message, "%s%.*s", what, SLICE_ARGS(why));
	text_clear(&x->out);
	json_write_start(&x->json, &x->out, false);
	json_write_object(&x->json);
	json_write_member_text(&x->json, "error", text_slice(&message));
	json_write_end(&x->json);
	text_free(&message);
	finish(x, status);
}

/* The request ends here, with this answer. */
static void put_verdict(struct explanation *x, unsigned status, struct slice why)
{
	open_object(&x->json, "verdict");
	json_write_member_int(&x->json, "status", status);
	json_write_member_text(&x->json, "why", why);
	json_write_end(&x->json);
}

static void put_forbidden(struct explanation *x)
{
	struct text why = { 0 };

	text_format(&why, "%.*s may not call here", SLICE_ARGS(x->peer));
	put_verdict(x, 403, text_slice(&why));
	text_free(&why);
}

/* ---- what is asked for ---- */

static void put_request(struct explanation *x)
{
	open_object(&x->json, "request");
	json_write_member_text(&x->json, "method", x->head.method_text);
	json_write_member_text(&x->json, "target", x->head.target);
	json_write_member_text(&x->json, "authority", x->head.authority);
	if (x->peer.length)
		json_write_member_text(&x->json, "peer", x->peer);
	json_write_end(&x->json);
}

static void put_router(struct explanation *x)
{
	open_object(&x->json, "router");
	json_write_member_text(&x->json, "label", x->router->label);
	json_write_member_text(&x->json, "file", binder_snapshot(x->binder)->source);
	put_line(&x->json, x->router->line);
	json_write_end(&x->json);
}

static const char *identifier_text(enum identifier_kind kind)
{
	switch (kind) {
	case IDENTIFIER_HEADER_TOKEN:
		return "header token";
	case IDENTIFIER_HEADER:
		return "header";
	case IDENTIFIER_HEADER_PATH:
		return "header path";
	case IDENTIFIER_PATH:
		return "path";
	case IDENTIFIER_METHOD_AND_HOST:
		return "method and host";
	case IDENTIFIER_STATIC:
		return "static";
	case IDENTIFIER_INGRESS:
		return "ingress";
	}
	return "?";
}

static void put_identifier(struct explanation *x, const struct identifier *identifier)
{
	json_write_member_text(&x->json, "identifier", slice_of(identifier_text(identifier->kind)));
	if (identifier->header.length)
		json_write_member_text(&x->json, "header", identifier->header);
	put_line(&x->json, identifier->line);
}

/* Each identifier by itself, up to the first that has an answer. *name: empty if none has. */
static void put_identifiers(struct explanation *x, struct slice *name, struct slice *why)
{
	struct ingress *const *rules = ingresses_rules(binder_ingresses(x->binder));
	struct text prefix = { 0 };
	struct identified found;
	enum identify got = IDENTIFY_NONE;

	path_show_text(&prefix, *x->router->dst_prefix);
	*name = (struct slice){ 0 };
	open_array(&x->json, "tried");
	for (unsigned i = 0; i < x->router->identifier_count && got == IDENTIFY_NONE; i++) {
		struct router alone = *x->router;

		alone.identifiers = &x->router->identifiers[i];
		alone.identifier_count = 1;
		json_write_object(&x->json);
		put_identifier(x, alone.identifiers);
		got = identify_request(&alone, rules, &x->head, &x->arena, &found, why);
		if (got == IDENTIFY_FOUND) {
			struct slice shown = identify_path(&x->arena, text_slice(&prefix), &found);

			*name = shown.at ? shown : *name;
			*why = SLICE("the request's name is too long");
			json_write_member_text(&x->json, "name", *name);
		} else {
			json_write_member_text(&x->json, "why", *why);
		}
		json_write_end(&x->json);
	}
	json_write_end(&x->json);
	x->pending = got == IDENTIFY_PENDING;
	text_free(&prefix);
}

/* ---- who calls ---- */

static void put_pattern(struct explanation *x, const struct tls_setting *pattern, bool matches)
{
	json_write_object(&x->json);
	json_write_member_text(&x->json, "pattern", pattern->text);
	put_line(&x->json, pattern->line);
	if (matches) {
		json_write_key(&x->json, SLICE("matches"));
		json_write_bool(&x->json, true);
	}
	json_write_end(&x->json);
}

static void put_caller(struct explanation *x, const struct listener_policy *listener)
{
	const struct tls_setting *by;
	bool allowed = admission_may_call(listener, x->peer, &by);
	char address[ADDRESS_TEXT];

	address_format(&listener->address, address);
	json_write_object(&x->json);
	json_write_member_text(&x->json, "server", slice_of(address));
	if (x->peer.length) {
		json_write_key(&x->json, SLICE("allowed"));
		json_write_bool(&x->json, allowed);
	}
	open_array(&x->json, "patterns");
	for (unsigned i = 0; i < listener->peer_id_count; i++)
		put_pattern(x, &listener->peer_ids[i], &listener->peer_ids[i] == by);
	json_write_end(&x->json);
	json_write_end(&x->json);
}

static unsigned count_choosy(const struct router *router)
{
	unsigned count = 0;

	for (unsigned i = 0; i < router->listener_count; i++)
		count += router->listeners[i].peer_id_count > 0;
	return count;
}

/* False: the first server's peerIds refuse the caller. */
static bool put_callers(struct explanation *x)
{
	const struct router *router = x->router;

	if (!count_choosy(router))
		return true;
	open_array(&x->json, "callers");
	for (unsigned i = 0; i < router->listener_count; i++)
		if (router->listeners[i].peer_id_count)
			put_caller(x, &router->listeners[i]);
	json_write_end(&x->json);
	return !x->peer.length || admission_may_call(&router->listeners[0], x->peer, NULL);
}

/* Up to the name and its dtab. False: the request ends here, and the verdict is written. */
static bool put_name(struct explanation *x)
{
	const struct listener_policy *listener = x->router->listener_count ? &x->router->listeners[0] : NULL;
	struct slice name, why;
	struct dtab local;

	put_request(x);
	put_router(x);
	if (listener && listener->clear_context)
		l5d_drop(&x->head);
	if (identify_dtab(&x->head, &x->arena, &local, &why)) {
		put_verdict(x, 400, why);
		return false;
	}
	open_object(&x->json, "identify");
	put_identifiers(x, &name, &why);
	if (name.length)
		json_write_member_text(&x->json, "name", name);
	json_write_end(&x->json);
	if (!name.length) {
		put_verdict(x, 400, why);
		return false;
	}
	if (!put_callers(x)) {
		put_forbidden(x);
		return false;
	}
	enum admission admission = listener ? admission_judge(&x->head, listener) : ADMISSION_YES;
	if (admission_status(admission)) {
		why = admission_text(admission);
		put_verdict(x, admission_status(admission), why.length ? why : SLICE("Max-Forwards is used up"));
		return false;
	}
	if (path_parse(name, &x->arena, &x->path, &why) || dtab_concat(&x->arena, x->base, &local, &x->dtab)) {
		put_verdict(x, 503, SLICE("out of memory"));
		return false;
	}
	if (local.count)
		json_write_member_text(&x->json, "dtab", dtab_show(&x->arena, &local));
	return true;
}

/* The same of a request whose name is known. */
static bool put_past_name(struct explanation *x)
{
	struct dtab local = { 0 };
	struct slice why;

	put_router(x);
	open_object(&x->json, "identify");
	open_array(&x->json, "tried");
	json_write_object(&x->json);
	if (x->past.identifier < x->router->identifier_count)
		put_identifier(x, &x->router->identifiers[x->past.identifier]);
	json_write_member_text(&x->json, "name", x->past.name);
	json_write_end(&x->json);
	json_write_end(&x->json);
	json_write_member_text(&x->json, "name", x->past.name);
	json_write_end(&x->json);
	if (path_parse(x->past.name, &x->arena, &x->path, &why) || dtab_parse(x->past.dtab, &x->arena, &local, &why, NULL) ||
		dtab_concat(&x->arena, x->base, &local, &x->dtab)) {
		put_verdict(x, 503, SLICE("its name and dtab are not known any more"));
		return false;
	}
	if (local.count)
		json_write_member_text(&x->json, "dtab", dtab_show(&x->arena, &local));
	return true;
}

/* A name alone: its path is known already. */
static bool put_plain_name(struct explanation *x)
{
	put_router(x);
	x->dtab = *x->base;
	return true;
}

static bool put_what_is_asked(struct explanation *x)
{
	switch (x->about) {
	case ABOUT_PAST:
		return put_past_name(x);
	case ABOUT_NAME:
		return put_plain_name(x);
	case ABOUT_REQUEST:
		break;
	}
	return put_name(x);
}

/* ---- rules: which lines say how calls are made ---- */

struct setting {
	unsigned bit;
	const char *name;
};

static void put_rule(struct json_writer *json, int line, unsigned set, const struct setting *settings)
{
	if (!set)
		return;
	json_write_object(json);
	put_line(json, line);
	open_array(json, "sets");
	for (; settings->name; settings++) {
		if (set & settings->bit)
			json_write_text(json, slice_of(settings->name));
	}
	json_write_end(json);
	json_write_end(json);
}

static bool matches(const struct matcher *matcher, struct path path)
{
	return !matcher || matcher_match(matcher, path, NULL);
}

static void put_service(struct explanation *x)
{
	static const struct setting settings[] = {
		{ SERVICE_TOTAL_TIMEOUT, "totalTimeoutMs" },
		{ SERVICE_BUDGET, "retries.budget" },
		{ SERVICE_BACKOFF, "retries.backoff" },
		{ SERVICE_CLASSIFIER, "responseClassifier" },
		{ SERVICE_CLASSIFICATION_TIMEOUT, "classificationTimeoutMs" },
		{ SERVICE_RETRY_BUFFERS, "retryBufferSize" },
		{ 0, NULL },
	};
	struct text shown = { 0 };

	path_show_text(&shown, x->path);
	open_object(&x->json, "service");
	json_write_member_text(&x->json, "name", text_slice(&shown));
	open_array(&x->json, "rules");
	for (unsigned i = 0; i < x->router->service_rule_count; i++) {
		const struct service_rule *rule = &x->router->service_rules[i];

		if (matches(rule->matcher, x->path))
			put_rule(&x->json, rule->line, rule->policy.set, settings);
	}
	json_write_end(&x->json);
	json_write_end(&x->json);
	text_free(&shown);
}

static void put_client_rules(struct explanation *x, struct path id)
{
	static const struct setting settings[] = {
		{ CLIENT_BALANCER, "loadBalancer" },
		{ CLIENT_ACCRUAL, "failureAccrual" },
		{ CLIENT_ATTEMPT_TIMEOUT, "requestAttemptTimeoutMs" },
		{ CLIENT_CONNECTIONS, "hostConnectionPool" },
		{ CLIENT_REQUEUE_BUDGET, "requeueBudget" },
		{ CLIENT_PROTOCOL, "protocol" },
		{ CLIENT_SESSION, "clientSession" },
		{ CLIENT_SOCKET, "socketOptions" },
		{ CLIENT_TLS, "tls" },
		{ CLIENT_FORWARD_CERTIFICATE, "forwardClientCert" },
		{ 0, NULL },
	};

	open_array(&x->json, "rules");
	for (unsigned i = 0; i < x->router->client_rule_count; i++) {
		const struct client_rule *rule = &x->router->client_rules[i];

		if (matches(rule->matcher, id))
			put_rule(&x->json, rule->line, rule->policy.set, settings);
	}
	json_write_end(&x->json);
}

/* ---- destination ---- */

static const char *balancer_text(enum balancer_kind kind)
{
	return kind == BALANCER_EWMA ? "ewma" : kind == BALANCER_ROUND_ROBIN ? "roundRobin" : "p2c";
}

/* NULL while nobody has called that client. */
static const struct target *find_target(const struct client *client, const struct address *address)
{
	for (unsigned i = 0; client && i < client->targets->count; i++)
		if (address_equal(&client->targets->at[i].target->address, address))
			return client->targets->at[i].target;
	return NULL;
}

/* As failure accrual and health checks have it. */
static struct slice state_of(const struct target *target)
{
	if (!target)
		return SLICE("unknown");
	const struct health_story story = health_tell(&target->health);

	return slice_of(health_text(&story));
}

static bool was_last(const struct explain_past *past, const struct address *address)
{
	return past->port == address->port && !memcmp(past->ip, address->family == ADDRESS_IP6 ? &address->ip[12] : address->ip, 4);
}

/* Whether the request that is told of went there, and if not, why. */
static void put_chosen_endpoint(struct explanation *x, const struct address *address, const struct target *target, const char *balancer)
{
	struct text why = { 0 };
	struct health_story story = { .state = HEALTH_ALIVE };

	if (was_last(&x->past, address)) {
		json_write_key(&x->json, SLICE("chosen"));
		json_write_bool(&x->json, true);
		return;
	}
	if (target)
		story = health_tell(&target->health);
	for (unsigned i = 0; i < x->past.tried_count; i++)
		if (address_equal(&x->past.tried[i].endpoint, address))
			text_format(&why, "%sattempt %u: %s", why.length ? "; " : "", i + 1, x->past.tried[i].outcome);
	if (!why.length && story.state != HEALTH_ALIVE && story.removed_at && story.removed_at < x->past.began)
		text_format(&why, "it was out already");
	else if (!why.length && x->past.port)
		text_format(&why, "%s preferred another", balancer);
	else if (!why.length)
		text_format(&why, "no endpoint was asked");
	json_write_member_text(&x->json, "why", text_slice(&why));
	text_free(&why);
}

static unsigned put_endpoints(struct explanation *x, const struct bound_node *leaf, const char *balancer, bool chosen)
{
	const struct snapshot *snapshot = binder_snapshot(x->binder);
	struct client *client = live_client_find(binder_live(x->binder), x->router->label, leaf->id_text, snapshot->generation);
	const struct endpoints *endpoints = leaf->endpoints;
	unsigned count = endpoints->state == ENDPOINTS_BOUND ? endpoints->count : 0;

	json_write_member_text(&x->json, "state", slice_of(endpoints_state_text(endpoints->state)));
	open_array(&x->json, "endpoints");
	for (unsigned i = 0; i < count; i++) {
		const struct target *target = find_target(client, &endpoints->list[i].address);
		char address[ADDRESS_TEXT];

		address_format(&endpoints->list[i].address, address);
		json_write_object(&x->json);
		json_write_member_text(&x->json, "address", slice_of(address));
		json_write_key(&x->json, SLICE("weight"));
		json_write_number(&x->json, endpoints->list[i].weight);
		json_write_member_text(&x->json, "state", state_of(target));
		if (chosen)
			put_chosen_endpoint(x, &endpoints->list[i].address, target, balancer);
		json_write_end(&x->json);
	}
	json_write_end(&x->json);
	if (client)
		live_unref(&client->object);
	return count;
}

static unsigned put_leaf(struct explanation *x, const struct bound_node *leaf)
{
	struct client_policy policy;
	bool chosen;

	if (leaf->status) {
		json_write_member_text(&x->json, "kind", SLICE("status"));
		json_write_member_int(&x->json, "status", leaf->status);
		return 0;
	}
	client_policy_resolve(x->router->client_rules, x->router->client_rule_count, &leaf->id, &policy);
	json_write_member_text(&x->json, "kind", SLICE("leaf"));
	json_write_member_text(&x->json, "client", leaf->id_text);
	if (leaf->residual_text.length > 1)
		json_write_member_text(&x->json, "residual", leaf->residual_text);
	put_client_rules(x, leaf->id);
	json_write_member_text(&x->json, "balancer", slice_of(balancer_text(policy.balancer.kind)));
	chosen = x->about == ABOUT_PAST && x->past.client == slice_hash(leaf->id_text, 0);
	if (chosen) {
		json_write_key(&x->json, SLICE("chosen"));
		json_write_bool(&x->json, true);
	} else if (x->about == ABOUT_PAST) {
		json_write_member_text(
			&x->json, "why", x->past.client ? SLICE("chance took another, by the weights") : SLICE("it was answered before"));
	}
	return put_endpoints(x, leaf, balancer_text(policy.balancer.kind), chosen);
}

/* How many endpoints there are to choose from. `share` of the requests come here; unions in unions become one list. */
static unsigned put_destinations(struct explanation *x, const struct bound_node *from, double share)
{
	const struct bound_node *node = bound_choose(from);
	unsigned endpoints = 0;

	if (node->kind == BOUND_UNION) {
		for (uint32_t i = 0; i < node->count; i++)
			endpoints += put_destinations(x, node->branches[i].node, share * node->branches[i].weight);
		return endpoints;
	}
	json_write_object(&x->json);
	json_write_key(&x->json, SLICE("share"));
	json_write_number(&x->json, share);
	switch (node->kind) {
	case BOUND_LEAF:
		endpoints = put_leaf(x, node);
		break;
	case BOUND_ERROR:
		json_write_member_text(&x->json, "kind", SLICE("error"));
		json_write_member_text(&x->json, "why", node->message);
		break;
	case BOUND_FAIL:
		json_write_member_text(&x->json, "kind", SLICE("fail"));
		break;
	case BOUND_EMPTY:
		json_write_member_text(&x->json, "kind", SLICE("empty"));
		break;
	default:
		json_write_member_text(&x->json, "kind", SLICE("neg"));
		break;
	}
	json_write_end(&x->json);
	return endpoints;
}

static void put_end(struct explanation *x, const struct bound_node *from, unsigned endpoints)
{
	const struct bound_node *node = bound_choose(from);

	if (endpoints) {
		open_object(&x->json, "verdict");
		json_write_member_int(&x->json, "endpoints", endpoints);
		json_write_end(&x->json);
	} else if (node->kind == BOUND_LEAF && node->status) {
		put_verdict(x, node->status, SLICE("the dtab says so"));
	} else if (node->kind == BOUND_ERROR) {
		put_verdict(x, 502, node->message);
	} else {
		put_verdict(x, 502, node->kind == BOUND_LEAF ? SLICE("it is bound to no endpoint") : SLICE("the name is bound to nothing"));
	}
}

static bool never_had_endpoints(void *owner, struct path id)
{
	(void)owner;
	(void)id;
	return false;
}

/* ---- all of it ---- */

/* False: the router's dtab isn't known, and it waits for it, or has ended. */
static bool has_base(struct explanation *x)
{
	struct slice why = SLICE("");
	int e = 0;

	if (!x->base)
		e = dtabs_get(binder_dtabs(x->binder), x->router_index, &x->arena, &x->routers, &why);
	if (e && e != ERROR_BUSY)
		finish_error(x, 503, "the router's dtab isn't known: ", e == ERROR_INVALID ? why : slice_of(error_text(e)));
	else if (!e && !x->base)
		x->base = &x->routers;
	return !e;
}

static void evaluate(void *owner)
{
	struct explanation *x = owner;
	const struct delegate_question question = { &x->delegated, x->router_index, &x->dtab };
	struct evaluation evaluation = {
		.watches = &x->evaluated,
		.router_index = x->router_index,
		.dtab = &x->dtab,
		.has_endpoints = never_had_endpoints,
	};
	struct bound *bound;
	unsigned endpoints;
	bool known;

	CHECK_MAGIC(x, EXPLANATION_MAGIC);
	if (!has_base(x))
		return;
	text_clear(&x->out);
	json_write_start(&x->json, &x->out, false);
	json_write_object(&x->json);
	if (!put_what_is_asked(x)) {
		json_write_end(&x->json);
		if (!x->pending)
			finish(x, 200);
		return;
	}
	json_write_key(&x->json, SLICE("delegation"));
	known = delegate_write(&x->json, &question, x->path);
	bound = evaluation_run(&evaluation, x->path);
	if (!known || bound_choose(bound->root)->kind == BOUND_PENDING) {
		bound_unref(bound);
		return;
	}
	put_service(x);
	open_array(&x->json, "destinations");
	endpoints = put_destinations(x, bound->root, 1);
	json_write_end(&x->json);
	put_end(x, bound->root, endpoints);
	json_write_end(&x->json);
	bound_unref(bound);
	finish(x, 200);
}

static void changed(void *owner)
{
	struct explanation *x = owner;

	task_set(x->loop, &x->again);
}

static void too_late(void *owner)
{
	finish_error(owner, 503, "a name could not be known in time", SLICE(""));
}

static struct explanation *begin(
	struct binder *binder, unsigned router_index, void (*answered)(void *owner, unsigned status, struct slice json), void *owner)
{
	struct explanation *x = memory_new(sizeof *x);

	x->magic = EXPLANATION_MAGIC;
	x->binder = binder;
	x->router = &binder_snapshot(binder)->routers[router_index];
	x->router_index = router_index;
	x->loop = binder_loop(binder);
	x->answered = answered;
	x->owner = owner;
	binder_hold(binder);
	arena_init(&x->arena, NULL, 0);
	watches_init(&x->delegated, binder_sources(binder), changed, x);
	watches_init(&x->evaluated, binder_sources(binder), changed, x);
	x->ingresses = (struct change_watch){ .changed = changed, .owner = x };
	ingresses_watch(binder_ingresses(binder), &x->ingresses);
	x->dtabs = (struct change_watch){ .changed = changed, .owner = x };
	dtabs_watch(binder_dtabs(binder), &x->dtabs);
	task_init(&x->again, evaluate, x);
	timer_init(&x->limit, too_late, x);
	timer_set(x->loop, &x->limit, loop_now(x->loop) + DELEGATE_WAIT);
	return x;
}

/* False: the dtab that is to stand for the router's is none, and the explanation has ended. */
static bool replace_dtab(struct explanation *x, const struct slice *dtab)
{
	struct slice why, text;

	if (!dtab)
		return true;
	text = arena_copy(&x->arena, *dtab);
	if (dtab_parse_edited(text, x->router->dtab, &x->arena, &x->edited, &why) == 0) {
		x->base = &x->edited;
		return true;
	}
	finish_error(x, 400, "Invalid dtab: ", why);
	return false;
}

/* False: it is none, and the explanation has ended. */
static bool read_peer(struct explanation *x, const struct slice *peer)
{
	struct spiffe id;
	const char *reason;

	if (!peer)
		return true;
	x->peer = arena_copy(&x->arena, *peer);
	if (x->peer.at && spiffe_parse(x->peer, &id, &reason) == 0)
		return true;
	finish_error(x, 400, "The caller's identity is no SPIFFE ID: ", slice_of(x->peer.at ? reason : "out of memory"));
	return false;
}

void explain_start(struct binder *binder, unsigned router_index, struct slice head, const struct slice *dtab, const struct slice *peer,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner)
{
	struct explanation *x = begin(binder, router_index, answered, owner);
	struct http1_parser parser;
	size_t consumed;
	char *bytes = arena_text(&x->arena, head);
	int e;

	if (!bytes) {
		finish_error(x, 503, "out of memory", SLICE(""));
		return;
	}
	http1_parser_init(&parser, &(struct http1_limits){ x->router->max_line_bytes, x->router->max_head_bytes, 0 });
	e = http1_parse_request(&parser, bytes, head.length, &x->head, &consumed);
	if (e) {
		finish_error(x, 400, e == ERROR_SYNTAX ? parser.reason : "the request's head is not whole", SLICE(""));
		return;
	}
	if (read_peer(x, peer) && replace_dtab(x, dtab))
		evaluate(x);
}

void explain_named(struct binder *binder, unsigned router_index, const struct explain_past *past,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner)
{
	struct explanation *x = begin(binder, router_index, answered, owner);

	x->about = ABOUT_PAST;
	x->past = *past;
	x->past.name = arena_copy(&x->arena, past->name);
	x->past.dtab = arena_copy(&x->arena, past->dtab);
	evaluate(x);
}

void explain_name(struct binder *binder, unsigned router_index, struct slice name, const struct slice *dtab,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner)
{
	struct explanation *x = begin(binder, router_index, answered, owner);
	struct slice why;

	x->about = ABOUT_NAME;
	if (path_parse(arena_copy(&x->arena, name), &x->arena, &x->path, &why) == 0) {
		if (replace_dtab(x, dtab))
			evaluate(x);
		return;
	}
	finish_error(x, 400, "Invalid path: ", why);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A node's configuration as a snapshot, made by hand: what the simulation finds does not depend on a dialect. */
#include "node.h"

#include <stdio.h>

#include "base/check.h"
#include "certificates.h"
#include "model/dtab.h"
#include "model/matcher.h"
#include "model/snapshot.h"
#include "service.h"
#include "tls/options.h"

static void *get(struct arena *arena, size_t size)
{
	void *p = arena_zeroed(arena, size);
	CHECK(p != NULL);
	return p;
}

static const struct dtab *parse_dtab(struct arena *arena, struct slice text)
{
	struct dtab *dtab = get(arena, sizeof(*dtab));
	struct slice why;
	int e = dtab_parse(text, arena, dtab, &why, NULL);
	CHECK(e == 0);
	return dtab;
}

static const struct path *parse_path(struct arena *arena, struct slice text)
{
	struct path *path = get(arena, sizeof(*path));
	struct slice why;
	int e = path_parse(text, arena, path, &why);
	CHECK(e == 0);
	return path;
}

#define SETTING(path) \
	{ \
		.text = { path, sizeof(path) - 1 }, .file = { "simulated", 9 } \
	}

/* The files that certificates_put writes. */
static const struct tls_setting trust = SETTING("root.pem");
#define CERTIFICATE \
	{ \
		.chain = SETTING("node.pem"), .key = SETTING("node.key") \
	}

static const struct tls_certificate certificate = CERTIFICATE;

static const struct tls_server_options tls_server = {
	.certificates = &certificate,
	.certificate_count = 1,
	.trust = &trust,
	.trust_count = 1,
	.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED,
};

/* Certificates on one side only. */
static const struct tls_server_options tls_server_alone = {
	.certificates = &certificate,
	.certificate_count = 1,
};

/* Users in plain text come to the same port. */
static const struct tls_server_options tls_server_permissive = {
	.certificates = &certificate,
	.certificate_count = 1,
	.permissive = true,
};

static const struct tls_client_options tls_client = {
	.trust = &trust,
	.trust_count = 1,
	.certificate = CERTIFICATE,
};

/* Small, so that bodies fill windows and calls meet the limit of a connection's streams. */
static struct http2_policy small_http2(void)
{
	struct http2_policy http2 = http2_policy_default();
	http2.stream_window_bytes = 20000;
	http2.max_streams = 4;
	return http2;
}

static const struct listener_policy *make_listener(
	struct arena *arena, const struct address *address, bool outgoing, const struct node *node)
{
	struct listener_policy *listener = get(arena, sizeof(*listener));
	listener->address = *address;
	listener->address.port = outgoing ? NODE_OUTGOING : NODE_INCOMING;
	listener->http2 = small_http2();
	/* Some connections say goodbye while calls come; others live long enough to miss what they never got back. */
	if (!outgoing && node->link.http2 && node->harness->seed % 4 == 0)
		listener->life_ns = 300 * CLOCK_MS;
	if (!outgoing && node->link.tls)
		listener->tls = node->link.mutual ? &tls_server : &tls_server_alone;
	if (outgoing && node->link.secured)
		listener->tls = &tls_server_permissive;
	listener->max_call_depth = 1000;
	/* Four users ask a node, and the users of all five may ask the same node's services; over HTTP/2 each for up to four things at once. */
	if (outgoing)
		listener->max_concurrent = node->link.service_count ? 24 : 8;
	else
		listener->max_concurrent = node->link.http2 ? 96 : 24;
	return listener;
}

static const struct service_rule *make_service_rule(struct arena *arena, bool outgoing, enum node_setting setting)
{
	struct service_rule *rule = get(arena, sizeof(*rule));
	rule->policy = service_policy_default();
	rule->policy.set = SERVICE_CLASSIFIER | SERVICE_TOTAL_TIMEOUT;
	rule->policy.classifier = outgoing ? CLASSIFIER_RETRYABLE_READ_5XX : CLASSIFIER_NON_RETRYABLE_5XX;
	rule->policy.total_timeout_ns = 10 * CLOCK_SECOND;
	if (setting == NODE_BUDGET) {
		rule->policy.set |= SERVICE_BUDGET;
		rule->policy.budget = (struct budget_policy){ .percent_can_retry = 0.2, .ttl_ns = CLOCK_MINUTE };
	}
	return rule;
}

static void secure(struct client_policy *policy)
{
	policy->set |= CLIENT_TLS;
	policy->tls.options = &tls_client;
	policy->tls.common_name = (struct tls_setting)SETTING(CERTIFICATES_NAME);
}

static void speak_http2(struct client_policy *policy)
{
	policy->set |= CLIENT_PROTOCOL | CLIENT_STREAM_WINDOW;
	policy->protocol = UPSTREAM_HTTP2;
	policy->http2 = small_http2();
}

/* Asked by HTTP, whatever the service speaks. */
static void check_health(struct client_policy *policy)
{
	policy->set |= CLIENT_CHECK;
	policy->check = (struct check_policy){
		.kind = CHECK_KIND_HTTP,
		.path = SERVICE_HEALTH,
		.interval_ns = CLOCK_SECOND,
		.timeout_ns = 500 * CLOCK_MS,
		.unhealthy_threshold = 2,
		.healthy_threshold = 2,
	};
	/* Each endpoint that is well has its turn. */
	policy->balancer.kind = BALANCER_ROUND_ROBIN;
	policy->accrual.kind = ACCRUAL_NONE;
}

static void make_client_rule(struct client_rule *rule, bool outgoing, enum node_setting setting, struct node_link link)
{
	rule->policy = client_policy_default();
	rule->policy.set = CLIENT_BALANCER | CLIENT_ACCRUAL | CLIENT_ATTEMPT_TIMEOUT | CLIENT_CONNECTIONS;
	rule->policy.balancer.kind = BALANCER_EWMA;
	rule->policy.accrual.kind = outgoing && setting != NODE_BUDGET ? ACCRUAL_CONSECUTIVE_FAILURES : ACCRUAL_NONE;
	rule->policy.accrual.failures = 5;
	rule->policy.accrual.backoff = (struct backoff){ BACKOFF_CONSTANT, CLOCK_SECOND, CLOCK_SECOND };
	rule->policy.attempt_timeout_ns = 3 * CLOCK_SECOND;
	rule->policy.connections.max_size = setting == NODE_NARROW ? 1 : 0;
	if (setting == NODE_CHECKED) {
		check_health(&rule->policy);
		return;
	}
	if (outgoing && link.http2)
		speak_http2(&rule->policy);
	if (outgoing && link.tls)
		secure(&rule->policy);
}

/* The first is for all; behind it one for each service that speaks anything but HTTP/1.1 in plain text, if that is who is called. */
static void make_client_rules(struct arena *arena, struct router *router, const struct node *node, bool outgoing)
{
	bool last = !outgoing || node->setting == NODE_CHECKED;
	unsigned services = last ? node->link.service_count : 0;
	struct client_rule *rules = get(arena, (1 + services) * sizeof(*rules));
	make_client_rule(&rules[0], outgoing, node->setting, node->link);
	router->client_rules = rules;
	router->client_rule_count = 1;
	for (unsigned i = 0; i < services; i++) {
		char pattern[64];
		struct matcher *matcher;
		struct slice why;
		const struct speech *speech = &node->link.services[i];
		if (!speech->http2 && !speech->tls)
			continue;
		snprintf(pattern, sizeof(pattern), "%s/#/io.l5d.fs/svc-%u", outgoing ? "" : "/%/io.l5d.specificHost", i);
		int e = matcher_new(slice_of(pattern), &matcher, &why);
		CHECK(e == 0);
		struct client_rule *rule = &rules[router->client_rule_count++];
		*rule = (struct client_rule){ .matcher = matcher, .policy = client_policy_default() };
		if (speech->http2)
			speak_http2(&rule->policy);
		if (speech->tls)
			secure(&rule->policy);
		/* Calls wait until TLS has agreed on it. */
		if (speech->tls && i % 2) {
			rule->policy.set |= CLIENT_PROTOCOL;
			rule->policy.protocol = UPSTREAM_AUTO;
		}
	}
}

static const struct transformer_policy *make_transformer(struct arena *arena, const struct address *address, bool outgoing)
{
	struct transformer_policy *transformer = get(arena, sizeof(*transformer));
	if (outgoing) {
		transformer->kind = TRANSFORMER_PORT;
		transformer->port = NODE_INCOMING;
	} else {
		transformer->kind = TRANSFORMER_SPECIFIC_HOST;
		transformer->host = *address;
	}
	return transformer;
}

static void make_router(struct arena *arena, struct router *router, const struct node *node, bool outgoing)
{
	const struct address *address = sim_host_address(node->host);
	static const struct identifier by_host = { .kind = IDENTIFIER_HEADER_TOKEN, .header = { "host", 4 } };
	*router = (struct router){
		.label = outgoing ? SLICE("outgoing") : SLICE("incoming"),
		.protocol = !outgoing && node->link.http2 ? PROTOCOL_H2 : PROTOCOL_HTTP,
		.index = outgoing ? 0 : 1,
		.dst_prefix = parse_path(arena, SLICE("/svc")),
		.dtab = parse_dtab(arena, SLICE("/srv => /#/io.l5d.fs; /host => /srv; /svc => /host;")),
		.identifiers = &by_host,
		.identifier_count = 1,
		.listeners = make_listener(arena, address, outgoing, node),
		.listener_count = 1,
		.transformers = make_transformer(arena, address, outgoing),
		.transformer_count = outgoing && node->setting == NODE_CHECKED ? 0 : 1,
		.service_rules = make_service_rule(arena, outgoing, node->setting),
		.service_rule_count = 1,
		.binding_timeout_ns = 10 * CLOCK_SECOND,
		.cache_paths = 1000,
		.cache_trees = 1000,
		.cache_idle_ns = 600 * CLOCK_SECOND,
		.max_head_bytes = 8192,
		.max_line_bytes = 4096,
	};
	make_client_rules(arena, router, node, outgoing);
}

struct snapshot *node_snapshot(const struct node *node)
{
	struct snapshot *snapshot = snapshot_new();
	struct arena *arena = &snapshot->arena;
	snapshot->generation = node->generation;
	snapshot->source = SLICE("simulated");
	snapshot->json = SLICE("{}");
	snapshot->router_count = 2;
	snapshot->routers = get(arena, 2 * sizeof(*snapshot->routers));
	make_router(arena, &snapshot->routers[0], node, true);
	make_router(arena, &snapshot->routers[1], node, false);
	snapshot->namer_count = 1;
	snapshot->namers = get(arena, sizeof(*snapshot->namers));
	snapshot->namers[0] = (struct namer_policy){
		.kind = NAMER_FS,
		.prefix = SLICE("io.l5d.fs"),
		.root_dir = SLICE("disco"),
	};
	return snapshot;
}

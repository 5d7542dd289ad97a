/* SPDX-License-Identifier: Apache-2.0 */
/* `client`: how the endpoints behind a bound name are used. */
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct client_policy, member)

/* ---- loadBalancer ---- */

#define BALANCER(member) offsetof(struct balancer_policy, member)

static const struct linkerd_key balancer_keys[] = {
	LINKERD_KEY_KIND,
	{ "maxEffort", LINKERD_COUNT, BALANCER(max_effort), 1, .says = "picks tried for an available endpoint; 5" },
	{ "enableProbation", LINKERD_BOOL, BALANCER(probation),
		.says = "endpoints that discovery takes away stay while they are healthy; false" },
	{ 0 },
};
static const struct linkerd_key ewma_keys[] = {
	{ "decayTimeMs", LINKERD_MS, BALANCER(decay_ns), 1, .says = "how fast old latencies are forgotten; 10000" },
	{ 0 },
};
static const struct linkerd_block balancer_block = { .name = "any", .keys = balancer_keys };
static const struct linkerd_block ewma_block = { .name = "ewma", .keys = ewma_keys, .also = &balancer_block };

static const struct linkerd_kind balancer_kinds[] = {
	{ "p2c", BALANCER_P2C, &balancer_block, "the less busy of two; the default" },
	{ "ewma", BALANCER_EWMA, &ewma_block, "the faster of two, by peak EWMA latency times requests in flight" },
	{ "roundRobin", BALANCER_ROUND_ROBIN, &balancer_block, "one after another" },
	LINKERD_KIND_LATER("aperture"),
	LINKERD_KIND_LATER("heap"),
	{ 0 },
};
static const struct linkerd_choice balancer_choice = {
	.name = "loadBalancer",
	.kinds = balancer_kinds,
	.usual = "p2c",
};

static void read_balancer(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &balancer_choice);
	struct balancer_policy *balancer = out;

	if (!kind)
		return;
	*balancer = client_policy_default().balancer;
	balancer->kind = (enum balancer_kind)kind->value;
	linkerd_read_block(load, node, kind->block, balancer);
}

/* ---- failureAccrual ---- */

#define ACCRUAL(member) offsetof(struct accrual_policy, member)

static const struct linkerd_key accrual_keys[] = {
	LINKERD_KEY_KIND,
	{ "backoff", LINKERD_READ, ACCRUAL(backoff), .read = linkerd_read_backoff, .choice = &linkerd_backoff,
		.says = "how long an endpoint stays out; jittered, 5 s to 300 s" },
	{ 0 },
};
static const struct linkerd_key failures_keys[] = {
	{ "failures", LINKERD_COUNT, ACCRUAL(failures), 1, .required = true, .says = "in a row, then it is taken out" },
	{ 0 },
};
static const struct linkerd_block accrual_block = { .name = "any", .keys = accrual_keys };
static const struct linkerd_block failures_block = {
	.name = "consecutiveFailures",
	.keys = failures_keys,
	.also = &accrual_block,
};

static const struct linkerd_kind accrual_kinds[] = {
	{ "io.l5d.consecutiveFailures", ACCRUAL_CONSECUTIVE_FAILURES, &failures_block, "the default, with 5" },
	{ "none", ACCRUAL_NONE, &accrual_block, "endpoints are never taken out" },
	LINKERD_KIND_LATER("io.l5d.successRate"),
	LINKERD_KIND_LATER("io.l5d.successRateWindowed"),
	{ 0 },
};
static const struct linkerd_choice accrual_choice = { .name = "failureAccrual", .kinds = accrual_kinds };

static void read_accrual(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &accrual_choice);
	struct accrual_policy *accrual = out;

	if (!kind)
		return;
	*accrual = client_policy_default().accrual;
	accrual->kind = (enum accrual_kind)kind->value;
	linkerd_read_block(load, node, kind->block, accrual);
}

/* ---- hostConnectionPool ---- */

#define POOL(member) offsetof(struct connection_policy, member)

static const struct linkerd_key pool_keys[] = {
	{ "minSize", LINKERD_COUNT, POOL(min_size), .says = "connections kept although idle; 0" },
	{ "maxSize", LINKERD_COUNT, POOL(max_size), 1, .says = "connections to each endpoint; no limit" },
	{ "idleTimeMs", LINKERD_MS, POOL(idle_ns), 1, .says = "then an idle connection is closed; never" },
	{ "maxWaiters", LINKERD_COUNT, POOL(max_waiters), 1, .says = "requests that wait for a connection; no limit" },
	{ 0 },
};
static const struct linkerd_block pool_block = { .name = "hostConnectionPool", .keys = pool_keys };

static void read_pool(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct connection_policy *pool = out;

	*pool = client_policy_default().connections;
	if (linkerd_read_block(load, node, &pool_block, pool) && pool->max_size && pool->min_size > pool->max_size)
		linkerd_problem(load, document_get(node, "minSize"), "is more than maxSize");
}

/* ---- protocol, clientSession ---- */

static void read_upstream_protocol(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const char *const names[] = { "http", "h2", "auto", NULL };
	static const enum upstream_protocol protocols[] = { UPSTREAM_HTTP1, UPSTREAM_HTTP2, UPSTREAM_AUTO };
	int which = 0;

	if (document_read_choice(node, names, &which, load->problems))
		*(enum upstream_protocol *)out = protocols[which];
}

#define LIFE(member) offsetof(struct life_policy, member)

static const struct linkerd_key session_keys[] = {
	{ "lifeTimeMs", LINKERD_MS, LIFE(life_ns), 1, .says = "then a connection takes no more requests; no limit, for h2 30 minutes" },
	{ "idleTimeMs", LINKERD_MS, LIFE(idle_ns), 1, .says = "then an idle connection is closed; never" },
	{ 0 },
};
static const struct linkerd_block session_block = { .name = "clientSession", .keys = session_keys };

/* ---- socketOptions ---- */

static void read_socket(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct linkerd_socket socket = linkerd_read_socket(load, node);
	struct socket_policy *policy = out;

	*policy = (struct socket_policy){
		.delay = !socket.no_delay,
		.keep_alive = socket.keep_alive,
		.read_timeout_ns = socket.read_timeout_ns,
		.write_timeout_ns = socket.write_timeout_ns,
		.ack_timeout_ns = socket.ack_timeout_ns,
	};
}

/* ---- client ---- */

static const struct linkerd_key kind_alone[] = { LINKERD_KEY_KIND, { 0 } };

static const struct linkerd_key policy_keys[] = {
	{ "loadBalancer", LINKERD_READ, AT(balancer), .sets = CLIENT_BALANCER, .read = read_balancer, .choice = &balancer_choice,
		.says = "which endpoint is picked" },
	{ "failureAccrual", LINKERD_READ, AT(accrual), .sets = CLIENT_ACCRUAL, .read = read_accrual, .choice = &accrual_choice,
		.says = "when an endpoint is taken out" },
	{ "healthCheck", LINKERD_READ, AT(check), .sets = CLIENT_CHECK, .read = linkerd_read_health_check, .choice = &linkerd_health_check,
		.says = "endpoints are asked for their health; those that fail get no requests (weft's own key); no" },
	{ "requestAttemptTimeoutMs", LINKERD_MS, AT(attempt_timeout_ns), 1, .sets = CLIENT_ATTEMPT_TIMEOUT,
		.says = "for each attempt; none" },
	{ "requeueBudget", LINKERD_READ, AT(requeue_budget), .sets = CLIENT_REQUEUE_BUDGET, .read = linkerd_read_budget,
		.block = &linkerd_budget, .says = "for requests that are known not to have been sent" },
	{ "hostConnectionPool", LINKERD_READ, AT(connections), .sets = CLIENT_CONNECTIONS, .read = read_pool, .block = &pool_block,
		.says = "connections to an endpoint" },
	{ "protocol", LINKERD_READ, AT(protocol), .sets = CLIENT_PROTOCOL, .read = read_upstream_protocol,
		.says = "what endpoints speak: http, h2 or auto (weft's own key); the router's" },
	{ "clientSession", LINKERD_BLOCK, AT(life), .sets = CLIENT_SESSION, .block = &session_block, .says = "how long connections live" },
	{ "windowUpdateRatio", LINKERD_SHARE, AT(http2.window_update_ratio), .sets = CLIENT_WINDOW_RATIO,
		.says = LINKERD_WINDOW_UPDATE_SAYS },
	{ "headerTableBytes", LINKERD_COUNT, AT(http2.header_table_bytes), 0, LINKERD_MOST_TABLE, .sets = CLIENT_HEADER_TABLE,
		.says = LINKERD_HEADER_TABLE_SAYS },
	{ "initialStreamWindowBytes", LINKERD_COUNT, AT(http2.stream_window_bytes), 1, LINKERD_MOST_WINDOW, .sets = CLIENT_STREAM_WINDOW,
		.says = LINKERD_WINDOW_SAYS },
	{ "maxFrameBytes", LINKERD_COUNT, AT(http2.max_frame_bytes), LINKERD_LEAST_FRAME, LINKERD_MOST_FRAME, .sets = CLIENT_MAX_FRAME,
		.says = LINKERD_FRAME_SAYS },
	{ "maxHeaderListBytes", LINKERD_COUNT, AT(http2.max_header_bytes), 1, LINKERD_MOST_HEAD_BYTES, .sets = CLIENT_MAX_HEADERS,
		.says = LINKERD_HEADER_LIST_SAYS },
	{ "pingIntervalMs", LINKERD_MS, AT(http2.ping_ns), 1, .sets = CLIENT_PING, .says = LINKERD_PING_SAYS },
	{ "socketOptions", LINKERD_READ, AT(socket), .sets = CLIENT_SOCKET, .read = read_socket, .block = &linkerd_socket,
		.says = "of connections; what only listening sockets have, has no effect here" },
	{ "tls", LINKERD_READ, AT(tls), .sets = CLIENT_TLS, .read = linkerd_read_client_tls, .block = &linkerd_client_tls,
		.says = "endpoints speak TLS; no" },
	{ "mutualTls", LINKERD_READ, AT(tls), .sets = CLIENT_TLS, .read = linkerd_read_client_mutual,
		.says = "endpoints are workloads and so are we: off, strict (weft's own key); off" },
	{ "peerIds", LINKERD_READ, AT(tls), .read = linkerd_read_peer_ids,
		.says = "with mutualTls: SPIFFE IDs that endpoints may have; `*` is a segment, `**` at the end more; {captures} (weft's "
			"own key); any" },
	{ "forwardClientCert", LINKERD_BOOL, AT(forward_certificate), .sets = CLIENT_FORWARD_CERTIFICATE,
		.says = "endpoints are told the caller's certificate (x-forwarded-client-cert); false" },
	LINKERD_KEY_LATER("failFast"),
	LINKERD_KEY_LATER("requestAuthorizers"),
	LINKERD_KEY_LATER("thriftFramed"),
	LINKERD_KEY_LATER("attemptTTwitterUpgrade"),
	{ 0 },
};
static const struct linkerd_block policy_block = { .name = "policy", .keys = policy_keys, .set_offset = AT(set) };
static const struct linkerd_block global_block = { .name = "global", .keys = kind_alone, .also = &policy_block };

static const struct linkerd_key prefix_keys[] = {
	{ "prefix", LINKERD_APART, .required = true,
		.says = "of the client's id, e.g. /%/io.l5d.port/4141/#/io.l5d.fs/hello; segments may be `*` or hold {captures}" },
	{ 0 },
};
static const struct linkerd_block config_block = {
	.name = "configs[]",
	.keys = prefix_keys,
	.also = &policy_block,
};

static const struct linkerd_key static_keys[] = {
	LINKERD_KEY_KIND,
	{ "configs", LINKERD_APART, .required = true, .block = &config_block,
		.says = "each matching one applies, in this order; a later one wins, key by key" },
	{ 0 },
};
static const struct linkerd_block static_block = { .name = "static", .keys = static_keys };

static const struct linkerd_kind client_kinds[] = {
	{ "io.l5d.global", LINKERD_RULES_GLOBAL, &global_block, "the same for all clients; the default" },
	{ "io.l5d.static", LINKERD_RULES_STATIC, &static_block, "by prefix of the client's id" },
	{ 0 },
};

const struct linkerd_choice linkerd_client = {
	.name = "client",
	.kinds = client_kinds,
	.usual = "io.l5d.global",
};

void linkerd_read_client(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct client_policy usual = client_policy_default();
	const struct linkerd_rules rules = {
		.choice = &linkerd_client,
		.config = &config_block,
		.rule_size = sizeof(struct client_rule),
		.matcher_offset = offsetof(struct client_rule, matcher),
		.line_offset = offsetof(struct client_rule, line),
		.policy_offset = offsetof(struct client_rule, policy),
		.policy_size = sizeof usual,
		.usual = &usual,
	};
	struct router *router = out;

	router->client_rules = linkerd_read_rules(load, node, &rules, &router->client_rule_count);
	for (unsigned i = 0; i < router->client_rule_count; i++)
		linkerd_check_common_name(load, &router->client_rules[i]);
	linkerd_check_client_mutual(load, node, router);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "model/policy.h"

#include "base/clock.h"
#include "model/matcher.h"
#include "model/path.h"
#include "tls/spiffe.h"

static const struct budget_policy default_budget = {
	.percent_can_retry = 0.2,
	.min_retries_per_second = 10,
	.ttl_ns = 10 * CLOCK_SECOND,
};

struct service_policy service_policy_default(void)
{
	return (struct service_policy){
		.budget = default_budget,
		.backoff = { .kind = BACKOFF_CONSTANT },
		.classifier = CLASSIFIER_NON_RETRYABLE_5XX,
		.success_statuses = STATUSES_OK,
		.classification_ns = 100 * CLOCK_MS,
		.buffers = { .request_bytes = 16383, .response_bytes = 16383 },
	};
}

struct http2_policy http2_policy_default(void)
{
	return (struct http2_policy){
		.header_table_bytes = 4096,
		.stream_window_bytes = 65535,
		.max_frame_bytes = 16384,
		.max_streams = 1000,
		.window_update_ratio = 0.5, /* Linkerd's 0.99 is a frame for each piece */
	};
}

struct client_policy client_policy_default(void)
{
	return (struct client_policy){
		.balancer = { .kind = BALANCER_P2C, .max_effort = 5, .decay_ns = 10 * CLOCK_SECOND },
		.accrual = {
			.kind = ACCRUAL_CONSECUTIVE_FAILURES,
			.failures = 5,
			.backoff = { .kind = BACKOFF_EQUAL, .min_ns = 5 * CLOCK_SECOND, .max_ns = 300 * CLOCK_SECOND },
		},
		.check = {
			.path = "/",
			.interval_ns = 2 * CLOCK_SECOND,
			.timeout_ns = CLOCK_SECOND,
			.unhealthy_threshold = 3,
			.healthy_threshold = 2,
		},
		.requeue_budget = default_budget,
		.protocol = UPSTREAM_HTTP1,
		.http2 = http2_policy_default(),
	};
}

static bool rule_matches(const struct matcher *matcher, const struct path *name)
{
	return !matcher || matcher_match(matcher, *name, NULL);
}

void service_policy_resolve(const struct service_rule *rules, unsigned count, const struct path *name, struct service_policy *policy)
{
	*policy = service_policy_default();
	for (unsigned i = 0; i < count; i++) {
		const struct service_policy *rule = &rules[i].policy;

		if (!rule_matches(rules[i].matcher, name))
			continue;
		if (rule->set & SERVICE_TOTAL_TIMEOUT)
			policy->total_timeout_ns = rule->total_timeout_ns;
		if (rule->set & SERVICE_BUDGET)
			policy->budget = rule->budget;
		if (rule->set & SERVICE_BACKOFF)
			policy->backoff = rule->backoff;
		if (rule->set & SERVICE_CLASSIFIER) {
			policy->classifier = rule->classifier;
			policy->success_statuses = rule->success_statuses;
			policy->retryable_statuses = rule->retryable_statuses;
		}
		if (rule->set & SERVICE_CLASSIFICATION_TIMEOUT)
			policy->classification_ns = rule->classification_ns;
		if (rule->set & SERVICE_RETRY_BUFFERS)
			policy->buffers = rule->buffers;
		policy->set |= rule->set;
	}
}

static void resolve_http2(const struct client_policy *rule, struct http2_policy *http2)
{
	if (rule->set & CLIENT_HEADER_TABLE)
		http2->header_table_bytes = rule->http2.header_table_bytes;
	if (rule->set & CLIENT_STREAM_WINDOW)
		http2->stream_window_bytes = rule->http2.stream_window_bytes;
	if (rule->set & CLIENT_MAX_FRAME)
		http2->max_frame_bytes = rule->http2.max_frame_bytes;
	if (rule->set & CLIENT_MAX_HEADERS)
		http2->max_header_bytes = rule->http2.max_header_bytes;
	if (rule->set & CLIENT_WINDOW_RATIO)
		http2->window_update_ratio = rule->http2.window_update_ratio;
	if (rule->set & CLIENT_PING)
		http2->ping_ns = rule->http2.ping_ns;
}

/* What is captured comes from requests: it must not make a pattern wider than the rule is. */
static bool is_narrow(const struct matcher_vars *vars)
{
	for (uint32_t i = 0; i < vars->count; i++) {
		if (memchr(vars->list[i].value.at, '*', vars->list[i].value.length))
			return false;
	}
	return true;
}

static bool resolve_peers(struct tls_policy *tls, const struct matcher_vars *vars, struct arena *arena)
{
	size_t length = 0;

	if (!is_narrow(vars))
		return false;
	for (unsigned i = 0; i < tls->peer_id_count; i++) {
		struct slice peer;

		if (matcher_substitute(arena, tls->peer_ids[i].text, vars, &peer) || spiffe_check_pattern(peer, NULL) ||
			length + peer.length + 1 > sizeof tls->peers)
			return false;
		if (length)
			tls->peers[length - 1] = ' ';
		memcpy(tls->peers + length, peer.at, peer.length);
		length += peer.length + 1;
		tls->peers[length - 1] = '\0';
	}
	return true;
}

static void resolve_tls(const struct client_rule *rule, const struct path *id, struct tls_policy *tls)
{
	struct matcher_vars vars = { .count = 0 };
	struct arena arena;
	struct slice name;

	*tls = rule->policy.tls;
	tls->name[0] = tls->peers[0] = '\0';
	if (rule->matcher && !matcher_match(rule->matcher, *id, &vars))
		return;
	arena_init(&arena, NULL, 0);
	if (!resolve_peers(tls, &vars, &arena))
		tls->peers[0] = '\0';
	if (tls->common_name.text.length && matcher_substitute(&arena, tls->common_name.text, &vars, &name) == 0 &&
		name.length <= TLS_NAME_MOST) {
		memcpy(tls->name, name.at, name.length);
		tls->name[name.length] = '\0';
	}
	arena_reset(&arena);
}

void client_policy_resolve(const struct client_rule *rules, unsigned count, const struct path *id, struct client_policy *policy)
{
	*policy = client_policy_default();
	for (unsigned i = 0; i < count; i++) {
		const struct client_policy *rule = &rules[i].policy;

		if (!rule_matches(rules[i].matcher, id))
			continue;
		if (rule->set & CLIENT_BALANCER)
			policy->balancer = rule->balancer;
		if (rule->set & CLIENT_ACCRUAL)
			policy->accrual = rule->accrual;
		if (rule->set & CLIENT_CHECK)
			policy->check = rule->check;
		if (rule->set & CLIENT_ATTEMPT_TIMEOUT)
			policy->attempt_timeout_ns = rule->attempt_timeout_ns;
		if (rule->set & CLIENT_CONNECTIONS)
			policy->connections = rule->connections;
		if (rule->set & CLIENT_REQUEUE_BUDGET)
			policy->requeue_budget = rule->requeue_budget;
		if (rule->set & CLIENT_PROTOCOL)
			policy->protocol = rule->protocol;
		if (rule->set & CLIENT_SESSION)
			policy->life = rule->life;
		if (rule->set & CLIENT_SOCKET)
			policy->socket = rule->socket;
		if (rule->set & CLIENT_TLS)
			resolve_tls(&rules[i], id, &policy->tls);
		if (rule->set & CLIENT_FORWARD_CERTIFICATE)
			policy->forward_certificate = rule->forward_certificate;
		resolve_http2(rule, &policy->http2);
		policy->set |= rule->set;
	}
}

/* a + b for durations, at most INT64_MAX. */
static int64_t sum(int64_t a, int64_t b)
{
	int64_t both;

	return __builtin_add_overflow(a, b, &both) ? INT64_MAX : both;
}

/* `part` of a duration, 0 <= part < 1. */
static int64_t share(int64_t ns, double part)
{
	double result = (double)ns * part;

	return result >= 0x1p63 ? INT64_MAX : (int64_t)result;
}

static int64_t at_most(int64_t ns, int64_t max)
{
	return ns < max ? ns : max;
}

/* As Finagle's Backoff.decorrelatedJittered: drawn between the first time and three times the last one, then cut. */
static int64_t next_jittered(const struct backoff *backoff, int64_t previous, double random)
{
	int64_t tripled;

	if (previous < backoff->min_ns)
		previous = backoff->min_ns;
	if (__builtin_mul_overflow(previous, 3, &tripled))
		tripled = INT64_MAX;
	return at_most(sum(backoff->min_ns, share(tripled - backoff->min_ns, random)), backoff->max_ns);
}

/* As Finagle's Backoff.equalJittered: the nth is half of min * 2^n, and up to as much again. */
static int64_t next_equal(const struct backoff *backoff, unsigned n, double random)
{
	int64_t half = backoff->min_ns;

	for (unsigned i = 1; i < n && half > 0 && half < backoff->max_ns; i++)
		half = sum(half, half);
	return at_most(sum(half, share(half, random)), backoff->max_ns);
}

int64_t backoff_next(const struct backoff *backoff, unsigned n, int64_t previous, double random)
{
	if (backoff->kind == BACKOFF_CONSTANT)
		return backoff->min_ns;
	if (n == 0)
		return at_most(backoff->min_ns, backoff->max_ns);
	return backoff->kind == BACKOFF_JITTERED ? next_jittered(backoff, previous, random) : next_equal(backoff, n, random);
}

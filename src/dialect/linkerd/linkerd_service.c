/* SPDX-License-Identifier: Apache-2.0 */
/* `service`: how calls to a logical name are retried and judged. */
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct service_policy, member)

static const struct linkerd_key retries_keys[] = {
	{ "budget", LINKERD_READ, AT(budget), .sets = SERVICE_BUDGET, .read = linkerd_read_budget, .block = &linkerd_budget,
	  .says = "how many retries there may be" },
	{ "backoff", LINKERD_READ, AT(backoff), .sets = SERVICE_BACKOFF, .read = linkerd_read_backoff, .choice = &linkerd_backoff,
	  .says = "the time between attempts; constant, 0 ms" },
	{ 0 },
};
static const struct linkerd_block retries_block = {
	.name = "retries", .keys = retries_keys, .set_offset = AT(set),
};

static const struct linkerd_key kind_alone[] = { LINKERD_KEY_KIND, { 0 } };
static const struct linkerd_block kind_block = { .name = "kind", .keys = kind_alone };

static const struct linkerd_kind classifier_kinds[] = {
	{ "io.l5d.http.nonRetryable5XX", CLASSIFIER_NON_RETRYABLE_5XX, &kind_block, "5xx fail, nothing is retried; the default" },
	{ "io.l5d.http.retryableRead5XX", CLASSIFIER_RETRYABLE_READ_5XX, &kind_block, "GET, HEAD, OPTIONS and TRACE are retried" },
	{ "io.l5d.http.retryableIdempotent5XX", CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX, &kind_block, "and PUT and DELETE" },
	{ "io.l5d.http.retryableAll5XX", CLASSIFIER_RETRYABLE_ALL_5XX, &kind_block, "and POST and PATCH" },
	{ "io.l5d.http.allSuccessful", CLASSIFIER_ALL_SUCCESSFUL, &kind_block, "every response is a success" },
	LINKERD_KIND_LATER("io.l5d.h2.nonRetryable5XX"),
	LINKERD_KIND_LATER("io.l5d.h2.retryableRead5XX"),
	LINKERD_KIND_LATER("io.l5d.h2.retryableIdempotent5XX"),
	LINKERD_KIND_LATER("io.l5d.h2.retryableAll5XX"),
	LINKERD_KIND_LATER("io.l5d.h2.allSuccessful"),
	LINKERD_KIND_LATER("io.l5d.h2.grpc.default"),
	LINKERD_KIND_LATER("io.l5d.h2.grpc.compliant"),
	LINKERD_KIND_LATER("io.l5d.h2.grpc.alwaysRetryable"),
	LINKERD_KIND_LATER("io.l5d.h2.grpc.neverRetryable"),
	LINKERD_KIND_LATER("io.l5d.h2.grpc.retryableStatusCodes"),
	{ 0 },
};
static const struct linkerd_choice classifier_choice = { .name = "responseClassifier", .kinds = classifier_kinds };

static void read_classifier(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &classifier_choice);

	if (!kind)
		return;
	linkerd_read_block(load, node, kind->block, NULL);
	*(enum classifier *)out = (enum classifier)kind->value;
}

static const struct linkerd_key policy_keys[] = {
	{ "totalTimeoutMs", LINKERD_MS, AT(total_timeout_ns), 1, .sets = SERVICE_TOTAL_TIMEOUT,
	  .says = "for a request with all its retries; none" },
	{ "retries", LINKERD_BLOCK, 0, .block = &retries_block, .says = "what may be tried again" },
	{ "responseClassifier", LINKERD_READ, AT(classifier), .sets = SERVICE_CLASSIFIER, .read = read_classifier,
	  .choice = &classifier_choice, .says = "what is a failure, and what may be retried" },
	LINKERD_KEY_LATER("classificationTimeoutMs"),
	LINKERD_KEY_LATER("retryBufferSize"),
	{ 0 },
};
static const struct linkerd_block policy_block = { .name = "policy", .keys = policy_keys, .set_offset = AT(set) };
static const struct linkerd_block global_block = { .name = "global", .keys = kind_alone, .also = &policy_block };

static const struct linkerd_key prefix_keys[] = {
	{ "prefix", LINKERD_APART, .required = true,
	  .says = "of the logical name, e.g. /svc/hello; segments may be `*` or hold {captures}" },
	{ 0 },
};
static const struct linkerd_block config_block = {
	.name = "configs[]", .keys = prefix_keys, .also = &policy_block,
};

static const struct linkerd_key static_keys[] = {
	LINKERD_KEY_KIND,
	{ "configs", LINKERD_APART, .required = true, .block = &config_block,
	  .says = "each matching one applies, in this order; a later one wins, key by key" },
	{ 0 },
};
static const struct linkerd_block static_block = { .name = "static", .keys = static_keys };

static const struct linkerd_kind service_kinds[] = {
	{ "io.l5d.global", LINKERD_RULES_GLOBAL, &global_block, "the same for all names; the default" },
	{ "io.l5d.static", LINKERD_RULES_STATIC, &static_block, "by prefix of the logical name" },
	{ 0 },
};

const struct linkerd_choice linkerd_service = {
	.name = "service", .kinds = service_kinds, .usual = "io.l5d.global",
};

void linkerd_read_service(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct service_policy usual = service_policy_default();
	const struct linkerd_rules rules = {
		.choice = &linkerd_service,
		.config = &config_block,
		.rule_size = sizeof(struct service_rule),
		.matcher_offset = offsetof(struct service_rule, matcher),
		.policy_offset = offsetof(struct service_rule, policy),
		.policy_size = sizeof usual,
		.usual = &usual,
	};
	struct router *router = out;

	router->service_rules = linkerd_read_rules(load, node, &rules, &router->service_rule_count);
}

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
	.name = "retries",
	.keys = retries_keys,
	.set_offset = AT(set),
};

static const struct linkerd_key kind_alone[] = { LINKERD_KEY_KIND, { 0 } };
static const struct linkerd_block kind_block = { .name = "kind", .keys = kind_alone };

/* ---- gRPC's classifiers ---- */

enum { GRPC_DEFAULT = 100, GRPC_COMPLIANT, GRPC_ALWAYS, GRPC_NEVER, GRPC_CODES };

enum { MOST_STATUS = 16, MOST_KEPT = 65536 };

/* A list of statuses as a set. */
static void read_statuses(struct linkerd_load *load, const struct document_node *list, void *out)
{
	uint32_t *statuses = out;

	*statuses = STATUSES_NONE;
	if (!document_expect(list, DOCUMENT_SEQUENCE, load->problems))
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		int64_t status;

		if (document_read_int(list->items[i], 0, MOST_STATUS, &status, load->problems))
			*statuses |= 1u << status;
	}
}

static const struct linkerd_key grpc_keys[] = {
	LINKERD_KEY_KIND,
	{ "successStatusCodes", LINKERD_READ, AT(success_statuses), .read = read_statuses, .says = "which statuses are no failures; [0]" },
	{ 0 },
};
static const struct linkerd_key grpc_codes_keys[] = {
	{ "retryableStatusCodes", LINKERD_READ, AT(retryable_statuses), .required = true, .read = read_statuses,
		.says = "which statuses are retried" },
	{ 0 },
};
static const struct linkerd_block grpc_block = { .name = "io.l5d.h2.grpc", .keys = grpc_keys };
static const struct linkerd_block grpc_codes_block = {
	.name = "io.l5d.h2.grpc.retryableStatusCodes",
	.keys = grpc_codes_keys,
	.also = &grpc_block,
};

static const struct linkerd_kind classifier_kinds[] = {
	{ "io.l5d.http.nonRetryable5XX", CLASSIFIER_NON_RETRYABLE_5XX, &kind_block, "5xx fail, nothing is retried; the default" },
	{ "io.l5d.http.retryableRead5XX", CLASSIFIER_RETRYABLE_READ_5XX, &kind_block, "GET, HEAD, OPTIONS and TRACE are retried" },
	{ "io.l5d.http.retryableIdempotent5XX", CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX, &kind_block, "and PUT and DELETE" },
	{ "io.l5d.http.retryableAll5XX", CLASSIFIER_RETRYABLE_ALL_5XX, &kind_block, "and POST and PATCH" },
	{ "io.l5d.http.allSuccessful", CLASSIFIER_ALL_SUCCESSFUL, &kind_block, "every response is a success" },
	{ "io.l5d.h2.nonRetryable5XX", CLASSIFIER_NON_RETRYABLE_5XX, &kind_block, "as io.l5d.http.nonRetryable5XX" },
	{ "io.l5d.h2.retryableRead5XX", CLASSIFIER_RETRYABLE_READ_5XX, &kind_block, "as io.l5d.http.retryableRead5XX" },
	{ "io.l5d.h2.retryableIdempotent5XX", CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX, &kind_block, "as io.l5d.http.retryableIdempotent5XX" },
	{ "io.l5d.h2.retryableAll5XX", CLASSIFIER_RETRYABLE_ALL_5XX, &kind_block, "as io.l5d.http.retryableAll5XX" },
	{ "io.l5d.h2.allSuccessful", CLASSIFIER_ALL_SUCCESSFUL, &kind_block, "as io.l5d.http.allSuccessful" },
	{ "io.l5d.h2.grpc.default", GRPC_DEFAULT, &grpc_block, "by the status of gRPC; 14 (UNAVAILABLE) is retried" },
	{ "io.l5d.h2.grpc.compliant", GRPC_COMPLIANT, &grpc_block,
		"and so is what stands for it: REFUSED_STREAM, and HTTP's 429, 502, 503 and 504" },
	{ "io.l5d.h2.grpc.alwaysRetryable", GRPC_ALWAYS, &grpc_block, "by the status of gRPC; each failure is retried" },
	{ "io.l5d.h2.grpc.neverRetryable", GRPC_NEVER, &grpc_block, "by the status of gRPC; nothing is retried" },
	{ "io.l5d.h2.grpc.retryableStatusCodes", GRPC_CODES, &grpc_codes_block, "by the status of gRPC; those listed are retried" },
	{ 0 },
};
static const struct linkerd_choice classifier_choice = { .name = "responseClassifier", .kinds = classifier_kinds };

static void read_grpc_classifier(
	struct linkerd_load *load, const struct document_node *node, const struct linkerd_kind *kind, struct service_policy *policy)
{
	policy->classifier = kind->value == GRPC_COMPLIANT ? CLASSIFIER_GRPC_COMPLIANT : CLASSIFIER_GRPC;
	policy->success_statuses = STATUSES_OK;
	policy->retryable_statuses = STATUSES_UNAVAILABLE;
	if (kind->value == GRPC_ALWAYS)
		policy->retryable_statuses = STATUSES_ALL;
	else if (kind->value == GRPC_NEVER || kind->value == GRPC_CODES)
		policy->retryable_statuses = STATUSES_NONE;
	linkerd_read_block(load, node, kind->block, policy);
	policy->retryable_statuses &= ~policy->success_statuses;
}

static void read_classifier(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &classifier_choice);
	struct service_policy *policy = out;

	if (!kind)
		return;
	if (kind->value >= GRPC_DEFAULT) {
		read_grpc_classifier(load, node, kind, policy);
		return;
	}
	linkerd_read_block(load, node, kind->block, NULL);
	policy->classifier = (enum classifier)kind->value;
}

/* ---- retryBufferSize ---- */

#define BUFFERS(member) offsetof(struct retry_buffers, member)

static const struct linkerd_key buffers_keys[] = {
	{ "requestBytes", LINKERD_COUNT, BUFFERS(request_bytes), 0, MOST_KEPT, .says = "of a request that may be sent again; 16383" },
	{ "responseBytes", LINKERD_COUNT, BUFFERS(response_bytes), 0, MOST_KEPT, .says = "of a response whose status is awaited; 16383" },
	{ 0 },
};
static const struct linkerd_block buffers_block = { .name = "retryBufferSize", .keys = buffers_keys };

static void read_buffers(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct retry_buffers *buffers = out;

	*buffers = service_policy_default().buffers;
	linkerd_read_block(load, node, &buffers_block, buffers);
}

static const struct linkerd_key policy_keys[] = {
	{ "totalTimeoutMs", LINKERD_MS, AT(total_timeout_ns), 1, .sets = SERVICE_TOTAL_TIMEOUT,
		.says = "for a request with all its retries; none" },
	{ "retries", LINKERD_BLOCK, 0, .block = &retries_block, .says = "what may be tried again" },
	{ "responseClassifier", LINKERD_READ, 0, .sets = SERVICE_CLASSIFIER, .read = read_classifier, .choice = &classifier_choice,
		.says = "what is a failure, and what may be retried" },
	{ "classificationTimeoutMs", LINKERD_MS, AT(classification_ns), .sets = SERVICE_CLASSIFICATION_TIMEOUT,
		.says = "how long a gRPC response is held back for its status; 100" },
	{ "retryBufferSize", LINKERD_READ, AT(buffers), .sets = SERVICE_RETRY_BUFFERS, .read = read_buffers, .block = &buffers_block,
		.says = "what is kept of streams so that they can be retried" },
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

static const struct linkerd_kind service_kinds[] = {
	{ "io.l5d.global", LINKERD_RULES_GLOBAL, &global_block, "the same for all names; the default" },
	{ "io.l5d.static", LINKERD_RULES_STATIC, &static_block, "by prefix of the logical name" },
	{ 0 },
};

const struct linkerd_choice linkerd_service = {
	.name = "service",
	.kinds = service_kinds,
	.usual = "io.l5d.global",
};

void linkerd_read_service(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct service_policy usual = service_policy_default();
	const struct linkerd_rules rules = {
		.choice = &linkerd_service,
		.config = &config_block,
		.rule_size = sizeof(struct service_rule),
		.matcher_offset = offsetof(struct service_rule, matcher),
		.line_offset = offsetof(struct service_rule, line),
		.policy_offset = offsetof(struct service_rule, policy),
		.policy_size = sizeof usual,
		.usual = &usual,
	};
	struct router *router = out;

	router->service_rules = linkerd_read_rules(load, node, &rules, &router->service_rule_count);
}

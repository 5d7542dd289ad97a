/* SPDX-License-Identifier: Apache-2.0 */
/* What `service` and `client` both have: budgets and back-offs. */
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct budget_policy, member)

static const struct linkerd_key budget_keys[] = {
	{ "minRetriesPerSec", LINKERD_COUNT, AT(min_retries_per_second), .says = "retries that are always possible; 10" },
	{ "percentCanRetry", LINKERD_SHARE, AT(percent_can_retry), .says = "retries for each request, 0 to 1; 0.2" },
	{ "ttlSecs", LINKERD_SECONDS, AT(ttl_ns), 1, 60, .says = "how long a request counts, 1 to 60; 10" },
	{ 0 },
};

const struct linkerd_block linkerd_budget = { .name = "budget", .keys = budget_keys };

void linkerd_read_budget(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct budget_policy *budget = out;

	*budget = service_policy_default().budget;
	linkerd_read_block(load, node, &linkerd_budget, budget);
}

#undef AT
#define AT(member) offsetof(struct backoff, member)

static const struct linkerd_key constant_keys[] = {
	LINKERD_KEY_KIND,
	{ "ms", LINKERD_MS, AT(min_ns), .says = "between attempts; 0" },
	{ 0 },
};
static const struct linkerd_key jittered_keys[] = {
	LINKERD_KEY_KIND,
	{ "minMs", LINKERD_MS, AT(min_ns), 1, .required = true, .says = "the first, and the shortest" },
	{ "maxMs", LINKERD_MS, AT(max_ns), 1, .required = true, .says = "the longest" },
	{ 0 },
};
static const struct linkerd_block constant_block = { .name = "constant", .keys = constant_keys };
static const struct linkerd_block jittered_block = { .name = "jittered", .keys = jittered_keys };

static const struct linkerd_kind backoff_kinds[] = {
	{ "constant", BACKOFF_CONSTANT, &constant_block, "always the same time" },
	{ "jittered", BACKOFF_JITTERED, &jittered_block, "decorrelated jitter: up to three times the last time" },
	{ 0 },
};

const struct linkerd_choice linkerd_backoff = { .name = "backoff", .kinds = backoff_kinds };

void linkerd_read_backoff(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &linkerd_backoff);
	struct backoff *backoff = out;

	if (!kind)
		return;
	*backoff = (struct backoff){ .kind = (enum backoff_kind)kind->value };
	if (linkerd_read_block(load, node, kind->block, backoff) && kind->value == BACKOFF_JITTERED && backoff->min_ns > backoff->max_ns)
		linkerd_problem(load, document_get(node, "minMs"), "is more than maxMs");
	if (kind->value == BACKOFF_CONSTANT)
		backoff->max_ns = backoff->min_ns;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What `service` and `client` are both: one policy for all names, or several, each for the names that begin as it says. */
#include "dialect/linkerd/linkerd_parts.h"
#include "model/matcher.h"

static struct matcher *read_matcher(struct linkerd_load *load, const struct document_node *config)
{
	const struct document_node *node = document_get(config, "prefix");
	struct matcher *matcher = NULL;
	struct slice text, why;

	if (!document_read_text(node, &text, load->problems))
		return NULL;
	if (matcher_new(text, &matcher, &why))
		linkerd_problem(load, node, "%.*s", SLICE_ARGS(why));
	return matcher;
}

static void read_rule(struct linkerd_load *load, const struct document_node *node, const struct linkerd_block *block,
	const struct linkerd_rules *rules, char *rule)
{
	memcpy(rule + rules->policy_offset, rules->usual, rules->policy_size);
	*(int *)(void *)(rule + rules->line_offset) = node->line;
	linkerd_read_block(load, node, block, rule + rules->policy_offset);
}

/* A rule for each of `configs`. */
static void *read_configs(struct linkerd_load *load, const struct document_node *list, const struct linkerd_rules *rules, unsigned *count)
{
	if (!list || document_is_null(list) || !document_expect(list, DOCUMENT_SEQUENCE, load->problems) || list->count == 0)
		return NULL;

	char *all = linkerd_memory(load, list->count * rules->rule_size);

	*count = list->count;
	for (uint32_t i = 0; i < list->count; i++) {
		char *rule = all + i * rules->rule_size;

		read_rule(load, list->items[i], rules->config, rules, rule);
		*(const struct matcher **)(void *)(rule + rules->matcher_offset) = read_matcher(load, list->items[i]);
	}
	return all;
}

void *linkerd_read_rules(struct linkerd_load *load, const struct document_node *node, const struct linkerd_rules *rules, unsigned *count)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, rules->choice);

	*count = 0;
	if (!kind)
		return NULL;
	if (kind->value == LINKERD_RULES_STATIC) {
		linkerd_read_block(load, node, kind->block, NULL);
		return read_configs(load, document_get(node, "configs"), rules, count);
	}

	char *rule = linkerd_memory(load, rules->rule_size);

	read_rule(load, node, kind->block, rules, rule);
	*count = 1;
	return rule;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/access.h"

#include <regex.h>

#include "base/memory.h"

/* The lists are short and this is no hot path: each expression is compiled when it is asked. One that doesn't compile matches
 * nothing; the dialect has refused it at load. */
static bool matches(struct slice expression, struct slice path)
{
	struct text whole = { 0 };
	char *subject = memory_text(path);
	regex_t compiled;
	bool matched = false;

	text_format(&whole, "^(%.*s)$", SLICE_ARGS(expression));
	if (regcomp(&compiled, whole.bytes, REG_EXTENDED | REG_NOSUB) == 0) {
		matched = regexec(&compiled, subject, 0, NULL, 0) == 0;
		regfree(&compiled);
	}
	memory_free(subject);
	text_free(&whole);
	return matched;
}

static bool listed(const struct slice *list, unsigned count, struct slice path)
{
	for (unsigned i = 0; i < count; i++)
		if (matches(list[i], path))
			return true;
	return false;
}

bool access_allowed(const struct admin_policy *policy, enum category category, struct slice path)
{
	bool enabled = category == CATEGORY_UI ? policy->ui : category == CATEGORY_CONTROL ? policy->control : policy->diagnostics;

	return enabled ? !listed(policy->deny, policy->deny_count, path) : listed(policy->allow, policy->allow_count, path);
}

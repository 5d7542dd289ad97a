/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/cors.h"

#include "base/clock.h"

static struct slice value_of(struct head *head, struct slice name)
{
	struct field *field = head_find_name(head, name);

	return field ? field_value(field) : (struct slice){ 0 };
}

/* "https://" and ".example.com" around at least one label, which is no port's or path's. */
static bool matches_below(struct slice pattern, size_t star, struct slice origin)
{
	struct slice before = { pattern.at, star }, after = slice_from(pattern, star + 1);

	if (origin.length <= before.length + after.length)
		return false;
	struct slice middle = { origin.at + star, origin.length - before.length - after.length };
	return slice_equal_nocase(slice_make(origin.at, star), before) &&
		slice_equal_nocase(slice_from(origin, star + middle.length), after) && !memchr(middle.at, ':', middle.length) &&
		!memchr(middle.at, '/', middle.length);
}

bool cors_allows(const struct cors_policy *policy, struct slice origin)
{
	if (!origin.length)
		return false;
	for (unsigned i = 0; i < policy->origin_count; i++) {
		struct slice pattern = policy->origins[i];
		size_t star = slice_find(pattern, '*');

		if (star == pattern.length ? slice_equal_nocase(pattern, origin) : matches_below(pattern, star, origin))
			return true;
	}
	return policy->any_origin;
}

bool cors_is_preflight(struct exchange *exchange)
{
	const struct cors_policy *policy = exchange->listener->policy->cors;
	struct head *request = exchange->request;

	if (request->method != METHOD_OPTIONS)
		return false;
	exchange->preflight = slice_equal(value_of(request, SLICE("access-control-request-method")), SLICE("POST")) &&
		cors_allows(policy, value_of(request, SLICE("origin")));
	return exchange->preflight;
}

static int add(struct exchange *exchange, struct head *head, struct slice name, struct slice value)
{
	return head_add(head, &exchange->arena, FIELD_OTHER, name, value);
}

static void drop(struct head *head)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		struct slice name = field_name(&head->fields[i]);

		if (!head->fields[i].dropped && name.length > 15 && slice_equal_nocase(slice_make(name.at, 15), SLICE("access-control-")))
			head_drop(head, &head->fields[i]);
	}
}

static int write_preflight(struct exchange *exchange, const struct cors_policy *policy, struct head *head)
{
	struct slice headers = policy->any_header ? value_of(exchange->request, SLICE("access-control-request-headers")) : policy->headers;
	struct slice age = arena_format(&exchange->arena, "%lld", (long long)(policy->max_age_ns / CLOCK_SECOND));
	int e = add(exchange, head, SLICE("access-control-allow-methods"), SLICE("POST"));

	if (!e && headers.length)
		e = add(exchange, head, SLICE("access-control-allow-headers"), headers);
	if (!e)
		e = age.at ? add(exchange, head, SLICE("access-control-max-age"), age) : ERROR_NO_MEMORY;
	return e;
}

int cors_write(struct exchange *exchange, struct head *head)
{
	const struct cors_policy *policy = exchange->listener->policy->cors;
	struct slice origin;
	int e;

	if (!policy)
		return 0;
	drop(head);
	/* Caches must not give one origin's answer to another. */
	e = policy->any_origin ? 0 : add(exchange, head, SLICE("vary"), SLICE("origin"));
	origin = value_of(exchange->request, SLICE("origin"));
	if (e || !cors_allows(policy, origin))
		return e;
	e = add(exchange, head, SLICE("access-control-allow-origin"), policy->any_origin ? SLICE("*") : origin);
	if (!e && policy->credentials)
		e = add(exchange, head, SLICE("access-control-allow-credentials"), SLICE("true"));
	if (e)
		return e;
	return exchange->preflight ? write_preflight(exchange, policy, head)
				   : add(exchange, head, SLICE("access-control-expose-headers"), policy->exposed);
}

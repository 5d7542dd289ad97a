/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/spiffe.h"

#include <stdio.h>

static const struct slice scheme = { "spiffe://", 9 };

static int wrong(const char **reason, int error, const char *text)
{
	if (reason)
		*reason = text;
	return error;
}

static bool is_low(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool is_segment_char(char c)
{
	return is_low(c) || (c >= 'A' && c <= 'Z');
}

int spiffe_check_domain(struct slice domain, const char **reason)
{
	if (!domain.length)
		return wrong(reason, ERROR_SYNTAX, "it has no trust domain");
	if (domain.length > SPIFFE_MOST_DOMAIN)
		return wrong(reason, ERROR_LIMIT, "its trust domain is longer than 255 bytes");
	for (size_t i = 0; i < domain.length; i++) {
		if (!is_low(domain.at[i]))
			return wrong(
				reason, ERROR_SYNTAX, "a trust domain has only lower-case letters, digits, dots, dashes and underscores");
	}
	return 0;
}

static bool is_wildcard(struct slice segment)
{
	return slice_equal(segment, SLICE("*")) || slice_equal(segment, SLICE("**"));
}

static int check_segment(struct slice segment, bool pattern, const char **reason)
{
	if (!segment.length)
		return wrong(reason, ERROR_SYNTAX, "a segment of its path is empty");
	if (slice_equal(segment, SLICE(".")) || slice_equal(segment, SLICE("..")))
		return wrong(reason, ERROR_SYNTAX, "a segment of its path is `.` or `..`");
	if (pattern && is_wildcard(segment))
		return 0;
	for (size_t i = 0; i < segment.length; i++) {
		if (!is_segment_char(segment.at[i]))
			return wrong(
				reason, ERROR_SYNTAX, "a path has only letters, digits, dots, dashes and underscores between its slashes");
	}
	return 0;
}

/* `path` begins with its slash. */
static int check_path(struct slice path, bool pattern, const char **reason)
{
	struct slice rest = slice_from(path, 1), segment;

	while (slice_split(&rest, '/', &segment)) {
		int e = check_segment(segment, pattern, reason);
		if (e)
			return e;
		if (slice_equal(segment, SLICE("**")) && rest.at)
			return wrong(reason, ERROR_SYNTAX, "`**` may only be the last segment");
	}
	return 0;
}

static int parse(struct slice text, bool pattern, struct spiffe *id, const char **reason)
{
	int e;

	if (text.length > SPIFFE_MOST)
		return wrong(reason, ERROR_LIMIT, "it is longer than 2048 bytes");
	if (!slice_starts(text, scheme))
		return wrong(reason, ERROR_SYNTAX, "it does not begin with spiffe://");
	id->text = text;
	id->trust_domain = slice_from(text, scheme.length);
	id->trust_domain.length = slice_find(id->trust_domain, '/');
	id->path = slice_from(text, scheme.length + id->trust_domain.length);
	e = spiffe_check_domain(id->trust_domain, reason);
	if (!e && id->path.length)
		e = check_path(id->path, pattern, reason);
	return e;
}

int spiffe_parse(struct slice text, struct spiffe *id, const char **reason)
{
	struct spiffe found;
	int e = parse(text, false, &found, reason);

	if (!e)
		*id = found;
	return e;
}

int spiffe_check_pattern(struct slice pattern, const char **reason)
{
	struct spiffe found;

	return parse(pattern, true, &found, reason);
}

bool spiffe_workload(const struct spiffe *id, struct slice *name_space, struct slice *service_account)
{
	struct slice rest = id->path, parts[5];
	unsigned count = 0;

	while (count < 5 && slice_split(&rest, '/', &parts[count]))
		count++;
	if (count != 5 || rest.at || !slice_equal(parts[1], SLICE("ns")) || !slice_equal(parts[3], SLICE("sa")))
		return false;
	if (name_space)
		*name_space = parts[2];
	if (service_account)
		*service_account = parts[4];
	return true;
}

int spiffe_format(struct slice domain, struct slice name_space, struct slice service_account, char text[SPIFFE_MOST + 1])
{
	struct spiffe id;
	size_t length = scheme.length + domain.length + name_space.length + service_account.length + sizeof "/ns//sa/" - 1;
	int e;

	if (length > SPIFFE_MOST)
		return ERROR_LIMIT;
	snprintf(text, SPIFFE_MOST + 1, "spiffe://%.*s/ns/%.*s/sa/%.*s", SLICE_ARGS(domain), SLICE_ARGS(name_space),
		SLICE_ARGS(service_account));
	e = spiffe_parse(slice_make(text, length), &id, NULL);
	if (e)
		return e;
	return spiffe_workload(&id, NULL, NULL) ? (int)length : ERROR_SYNTAX;
}

bool spiffe_matches(struct slice pattern, const struct spiffe *id)
{
	struct spiffe want;
	struct slice have = id->path, a, b;

	if (parse(pattern, true, &want, NULL) || !slice_equal(want.trust_domain, id->trust_domain))
		return false;
	while (slice_split(&want.path, '/', &a)) {
		if (!slice_split(&have, '/', &b))
			return false;
		if (slice_equal(a, SLICE("**")))
			return true;
		if (!slice_equal(a, b) && !slice_equal(a, SLICE("*")))
			return false;
	}
	return have.at == NULL;
}

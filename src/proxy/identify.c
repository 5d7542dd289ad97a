/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/identify.h"

#include "model/path.h"

enum { MOST_SEGMENTS = 64 };

/* One request that is being named. */
struct naming {
	struct ingress *const *rules;
	struct head *request;
	struct arena *arena;
	struct identified *found;
	struct slice *why;
	enum identify *otherwise; /* what it is when there is no name */
};

/* The segments of a URL's path: what stands between slashes, up to the query. */
struct url {
	struct slice segments[MOST_SEGMENTS];
	uint32_t count;
	struct slice behind; /* of the target: what follows the last of them */
};

/* At most `most` of them. */
static void split_url(struct slice target, uint32_t most, struct url *url)
{
	size_t at = 0, path = slice_find(target, '?');

	if (slice_find(target, '#') < path)
		path = slice_find(target, '#');
	url->count = 0;
	while (at < path && url->count < most) {
		size_t begin = at;

		while (at < path && target.at[at] != '/')
			at++;
		if (at > begin)
			url->segments[url->count++] = slice_make(target.at + begin, at - begin);
		if (at < path && url->count < most)
			at++;
	}
	url->behind = slice_from(target, at);
}

static struct slice value_of(struct head *request, struct slice header)
{
	if (slice_equal(header, SLICE("host")) || slice_equal(header, SLICE(":authority")))
		return request->authority;
	if (slice_equal(header, SLICE(":path")))
		return request->target;
	struct field *field = head_find_name(request, header);

	return field ? field_value(field) : (struct slice){ 0 };
}

static bool is_absent(const struct naming *naming, struct slice header)
{
	*naming->why = arena_format(naming->arena, "%.*s header is absent", SLICE_ARGS(header));
	return false;
}

static bool is_too_long(const struct naming *naming)
{
	*naming->why = SLICE("the request's name is too long");
	return false;
}

static bool call(const struct naming *naming, const struct slice *segments, uint32_t count)
{
	naming->found->token = path_show(naming->arena, (struct path){ segments, count });
	naming->found->is_path = true;
	return naming->found->token.at || is_too_long(naming);
}

static bool by_token(const struct naming *naming, const struct identifier *identifier)
{
	naming->found->token = value_of(naming->request, identifier->header);
	return naming->found->token.length || is_absent(naming, identifier->header);
}

static bool by_header(const struct naming *naming, const struct identifier *identifier)
{
	struct slice value = value_of(naming->request, identifier->header);
	struct path path;

	if (!value.length)
		return is_absent(naming, identifier->header);
	if (path_parse(value, naming->arena, &path, naming->why))
		return false;
	return call(naming, path.segments, path.count);
}

static uint32_t at_most(uint32_t segments)
{
	return segments && segments < MOST_SEGMENTS ? segments : MOST_SEGMENTS;
}

static bool by_header_path(const struct naming *naming, const struct identifier *identifier)
{
	struct slice value = value_of(naming->request, identifier->header);
	uint32_t least = identifier->segments ? identifier->segments : 1;
	struct url url;

	if (!value.length)
		return is_absent(naming, identifier->header);
	split_url(value, at_most(identifier->segments), &url);
	if (url.count < least) {
		*naming->why = arena_format(naming->arena, "Path must have at least %u segment(s)", least);
		return false;
	}
	return call(naming, url.segments, url.count);
}

static bool by_path(const struct naming *naming, const struct identifier *identifier)
{
	struct url url;

	split_url(naming->request->target, at_most(identifier->segments), &url);
	if (url.count < identifier->segments) {
		*naming->why = SLICE("not enough segments in path");
		return false;
	}
	if (!call(naming, url.segments, url.count))
		return false;
	if (!identifier->consume)
		return true;
	naming->found->target = url.behind;
	if (!url.behind.length || url.behind.at[0] != '/')
		naming->found->target = arena_join(naming->arena, SLICE("/"), url.behind);
	return naming->found->target.at || is_too_long(naming);
}

static bool lower_case(struct arena *arena, struct slice *text)
{
	char *copy = arena_get(arena, text->length + 1);

	if (!copy)
		return false;
	for (size_t i = 0; i < text->length; i++)
		copy[i] = text->at[i] >= 'A' && text->at[i] <= 'Z' ? (char)(text->at[i] + 32) : text->at[i];
	text->at = copy;
	return true;
}

static bool by_method_and_host(const struct naming *naming, const struct identifier *identifier)
{
	enum { FIXED = 3 };
	const struct head *request = naming->request;
	struct slice host = request->authority, all[FIXED + MOST_SEGMENTS];
	struct url url = { .count = 0 };
	uint32_t count = 0;

	all[count++] = request->version == VERSION_1_0 ? SLICE("1.0") : SLICE("1.1");
	all[count++] = request->method_text;
	if (request->version != VERSION_1_0) {
		if (!host.length)
			return is_absent(naming, SLICE("host"));
		if (!lower_case(naming->arena, &host))
			return is_too_long(naming);
		all[count++] = host;
	}
	if (identifier->with_uri)
		split_url(request->target, MOST_SEGMENTS, &url);
	for (uint32_t i = 0; i < url.count; i++)
		all[count++] = url.segments[i];
	return call(naming, all, count);
}

static bool by_ingress(const struct naming *naming, const struct identifier *identifier)
{
	const struct ingress *rules = naming->rules ? naming->rules[identifier->ingress->index] : NULL;
	const struct head *request = naming->request;
	const struct ingress_backend *to;

	if (!rules) {
		*naming->why = SLICE("Kubernetes' Ingresses are not known yet");
		*naming->otherwise = IDENTIFY_PENDING;
		return false;
	}
	if (ingress_failure(rules).length) {
		*naming->why = ingress_failure(rules);
		*naming->otherwise = IDENTIFY_FAILED;
		return false;
	}
	to = ingress_find(rules, request->authority, request->target);
	if (!to) {
		*naming->why = arena_format(
			naming->arena, "no Ingress has a rule for %.*s%.*s", SLICE_ARGS(request->authority), SLICE_ARGS(request->target));
		return false;
	}
	return call(naming, (const struct slice[]){ to->namespace, to->port, to->service }, 3);
}

static bool identify_by(const struct naming *naming, const struct identifier *identifier)
{
	switch (identifier->kind) {
	case IDENTIFIER_HEADER_TOKEN:
		return by_token(naming, identifier);
	case IDENTIFIER_HEADER:
		return by_header(naming, identifier);
	case IDENTIFIER_HEADER_PATH:
		return by_header_path(naming, identifier);
	case IDENTIFIER_PATH:
		return by_path(naming, identifier);
	case IDENTIFIER_METHOD_AND_HOST:
		return by_method_and_host(naming, identifier);
	case IDENTIFIER_STATIC:
		return call(naming, identifier->path->segments, identifier->path->count);
	case IDENTIFIER_INGRESS:
		return by_ingress(naming, identifier);
	}
	return false;
}

enum identify identify_request(const struct router *router, struct ingress *const *rules, struct head *request, struct arena *arena,
	struct identified *found, struct slice *why)
{
	enum identify otherwise = IDENTIFY_NONE;
	const struct naming naming = { rules, request, arena, found, why, &otherwise };

	for (unsigned i = 0; i < router->identifier_count && otherwise == IDENTIFY_NONE; i++) {
		*found = (struct identified){ .target = request->target, .by = (uint8_t)i };
		if (identify_by(&naming, &router->identifiers[i]))
			return IDENTIFY_FOUND;
	}
	return otherwise;
}

struct slice identify_path(struct arena *arena, struct slice dst_prefix, const struct identified *found)
{
	if (!found->is_path)
		return path_show_under(arena, dst_prefix, found->token);
	if (dst_prefix.length <= 1)
		return found->token;
	if (found->token.length <= 1)
		return dst_prefix;
	return arena_join(arena, dst_prefix, found->token);
}

int identify_dtab(struct head *request, struct arena *arena, struct dtab *dtab, struct slice *why)
{
	static const enum field_id ids[] = { FIELD_L5D_CTX_DTAB, FIELD_L5D_DTAB };
	struct slice reason;

	*dtab = (struct dtab){ 0 };
	for (unsigned i = 0; i < 2; i++) {
		for (struct field *f = head_find(request, ids[i]); f; f = head_find_next(request, f)) {
			struct dtab more;
			int e = dtab_parse(field_value(f), arena, &more, &reason, NULL);

			if (!e)
				e = dtab_concat(arena, dtab, &more, dtab);
			if (e) {
				*why = e == ERROR_SYNTAX ? reason : slice_of(error_text(e));
				return e;
			}
		}
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ingress.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/memory.h"
#include "model/pattern.h"

struct rule {
	struct ingress_rule said;
	struct pattern *pattern; /* INGRESS_PATTERN */
};

struct ingress {
	atomic_uint references;
	uint32_t count;
	struct slice failure;
	struct rule *rules; /* behind it, as are all texts */
};

/* ---- making ---- */

static size_t text_size(const struct ingress_rule *rule)
{
	return rule->host.length + rule->path.length + rule->to.namespace.length + rule->to.port.length + rule->to.service.length;
}

static void own(struct slice *text, char **at)
{
	if (text->length)
		memcpy(*at, text->at, text->length);
	text->at = *at;
	*at += text->length;
}

static void make_rule(struct rule *rule, char **at)
{
	const char *why;

	if (rule->said.kind == INGRESS_PATTERN)
		CHECK(pattern_new(rule->said.path, &rule->pattern, &why) == 0);
	own(&rule->said.host, at);
	own(&rule->said.path, at);
	own(&rule->said.to.namespace, at);
	own(&rule->said.to.port, at);
	own(&rule->said.to.service, at);
}

struct ingress *ingress_new(const struct ingress_rule *rules, uint32_t count)
{
	struct ingress *ingress;
	size_t text = 0;
	char *at;

	for (uint32_t i = 0; i < count; i++)
		text += text_size(&rules[i]);
	ingress = memory_new(sizeof *ingress + count * sizeof *ingress->rules + text);
	atomic_init(&ingress->references, 1);
	ingress->rules = (struct rule *)(ingress + 1);
	at = (char *)(ingress->rules + count);
	ingress->count = count;
	for (uint32_t i = 0; i < count; i++) {
		ingress->rules[i].said = rules[i];
		make_rule(&ingress->rules[i], &at);
	}
	return ingress;
}

struct ingress *ingress_new_failed(struct slice why)
{
	struct ingress *ingress = memory_new(sizeof *ingress + why.length);
	char *at = (char *)(ingress + 1);

	atomic_init(&ingress->references, 1);
	ingress->failure = why;
	own(&ingress->failure, &at);
	return ingress;
}

struct ingress *ingress_ref(struct ingress *ingress)
{
	atomic_fetch_add_explicit(&ingress->references, 1, memory_order_relaxed);
	return ingress;
}

void ingress_unref(struct ingress *ingress)
{
	if (!ingress || atomic_fetch_sub_explicit(&ingress->references, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < ingress->count; i++)
		pattern_free(ingress->rules[i].pattern);
	memory_free(ingress);
}

struct slice ingress_failure(const struct ingress *ingress)
{
	return ingress->failure;
}

uint32_t ingress_count(const struct ingress *ingress)
{
	return ingress->count;
}

/* ---- finding ---- */

/* How much a rule says of a request that it matches: its host first, then its path. */
enum {
	SAYS_NOTHING,
	SAYS_PATTERN = 1,
	SAYS_PREFIX = 2, /* and one more for each byte */
	SAYS_EXACT = 1 << 20,
	SAYS_WILD_HOST = 1 << 21,
	SAYS_HOST = 1 << 22,
};

static struct slice without_port(struct slice host)
{
	size_t at = slice_find(host, ']'), colon = host.length;

	for (size_t i = at < host.length ? at : 0; i < host.length; i++) {
		if (host.at[i] == ':') {
			colon = i;
			break;
		}
	}
	return slice_make(host.at, colon);
}

/* -1: it doesn't match. */
static int32_t judge_host(struct slice rule, struct slice host)
{
	size_t dot;

	if (!rule.length)
		return SAYS_NOTHING;
	if (!slice_starts(rule, SLICE("*.")))
		return slice_equal_nocase(rule, host) ? SAYS_HOST : -1;
	dot = slice_find(host, '.');
	return dot > 0 && dot < host.length && slice_equal_nocase(slice_from(rule, 1), slice_from(host, dot)) ? SAYS_WILD_HOST : -1;
}

/* A slash at the prefix's end makes no difference. */
static bool is_prefix(struct slice prefix, struct slice path)
{
	if (slice_ends(prefix, SLICE("/")))
		prefix.length--;
	return slice_starts(path, prefix) && (path.length == prefix.length || path.at[prefix.length] == '/');
}

static int32_t judge_path(const struct rule *rule, struct slice path)
{
	struct slice said = rule->said.path;

	switch (rule->said.kind) {
	case INGRESS_ANY:
		return SAYS_NOTHING;
	case INGRESS_EXACT:
		return slice_equal(said, path) ? SAYS_EXACT : -1;
	case INGRESS_PREFIX:
		return is_prefix(said, path) ? SAYS_PREFIX + (int32_t)(said.length < SAYS_EXACT / 2 ? said.length : SAYS_EXACT / 2) : -1;
	case INGRESS_PATTERN:
		return pattern_matches(rule->pattern, path) ? SAYS_PATTERN : -1;
	case INGRESS_DEFAULT:
		break;
	}
	return -1;
}

static struct slice path_of(struct slice target)
{
	size_t end = slice_find(target, '?'), fragment = slice_find(target, '#');

	return slice_make(target.at, fragment < end ? fragment : end);
}

const struct ingress_backend *ingress_find(const struct ingress *ingress, struct slice host, struct slice target)
{
	const struct ingress_backend *best = NULL, *usual = NULL;
	struct slice path = path_of(target);
	int32_t best_says = -1;

	host = without_port(host);
	/* Patterns come last: they cost most, and say less than all others of the same host but INGRESS_ANY. */
	for (uint64_t i = 0; i < 2 * (uint64_t)ingress->count; i++) {
		const struct rule *rule = &ingress->rules[i % ingress->count];
		bool pattern = rule->said.kind == INGRESS_PATTERN;
		int32_t host_says, path_says;

		if (pattern != (i >= ingress->count))
			continue;
		if (rule->said.kind == INGRESS_DEFAULT) {
			usual = usual ? usual : &rule->said.to;
			continue;
		}
		host_says = judge_host(rule->said.host, host);
		/* What can't win isn't asked for its path, which may be a pattern. */
		if (host_says < 0 || host_says + (pattern ? SAYS_PATTERN : SAYS_WILD_HOST) <= best_says)
			continue;
		path_says = judge_path(rule, path);
		if (path_says >= 0 && host_says + path_says > best_says) {
			best_says = host_says + path_says;
			best = &rule->said.to;
		}
	}
	return best ? best : usual;
}

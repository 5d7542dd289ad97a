/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/callers.h"

#include "base/text.h"
#include "proxy/admission.h"
#include "proxy/cors.h"
#include "tls/spiffe.h"

/* How somebody comes. */
struct coming {
	bool secure;     /* with TLS */
	struct slice id; /* and the certificate of that workload; empty: none */
};

static struct slice judge(const struct listener_policy *policy, const struct coming *coming)
{
	struct spiffe parsed;

	if (!policy->tls && policy->mutual == MUTUAL_OFF)
		return coming->secure ? SLICE("not served: plain text is spoken there") : SLICE("served");
	if (!coming->secure)
		return policy->mutual == MUTUAL_PERMISSIVE ? SLICE("served") : SLICE("not served: TLS is spoken there");
	if (policy->mutual == MUTUAL_OFF)
		return policy->tls->client_certificate == TLS_CLIENT_CERTIFICATE_REQUIRED && !coming->id.length
			? SLICE("not served: callers must show a certificate")
			: SLICE("served");
	if (spiffe_parse(coming->id, &parsed, NULL))
		return SLICE("not served: callers must be workloads");
	return admission_may_call(policy, coming->id, NULL) ? SLICE("served") : SLICE("weft answers 403: it is none of peerIds");
}

struct comparing {
	const struct listener_policy *old, *new;
	void (*visit)(void *owner, const struct caller *caller);
	void *owner;
};

static void compare(const struct comparing *comparing, struct slice who, struct slice old, struct slice new)
{
	if (!slice_equal(old, new))
		comparing->visit(comparing->owner, &(struct caller){ who, old, new });
}

static void try(const struct comparing *comparing, struct slice who, const struct coming *coming)
{
	compare(comparing, who, judge(comparing->old, coming), judge(comparing->new, coming));
}

/* Somebody whom a pattern means: any text stands for its stars. */
static void append_example(struct text *out, struct slice pattern)
{
	for (size_t i = 0; i < pattern.length; i++) {
		if (pattern.at[i] != '*')
			text_append(out, slice_make(&pattern.at[i], 1));
		else if (i == 0 || pattern.at[i - 1] != '*')
			text_append(out, SLICE("any"));
	}
}

static void try_workload(const struct comparing *comparing, struct slice id)
{
	struct text who = { 0 };

	text_format(&who, "a workload %.*s", SLICE_ARGS(id));
	try(comparing, text_slice(&who), &(struct coming){ .secure = true, .id = id });
	text_free(&who);
}

static void try_workloads_of(const struct comparing *comparing, const struct listener_policy *policy)
{
	for (unsigned i = 0; i < policy->peer_id_count; i++) {
		struct text id = { 0 };

		append_example(&id, policy->peer_ids[i].text);
		try_workload(comparing, text_slice(&id));
		text_free(&id);
	}
}

/* ---- web pages ---- */

static struct slice judge_origin(const struct listener_policy *policy, struct slice origin)
{
	return policy->cors && cors_allows(policy->cors, origin) ? SLICE("its browser lets it call")
								 : SLICE("its browser does not let it call");
}

static void try_origin(const struct comparing *comparing, struct slice origin)
{
	struct text who = { 0 };

	text_format(&who, "a web page of %.*s", SLICE_ARGS(origin));
	compare(comparing, text_slice(&who), judge_origin(comparing->old, origin), judge_origin(comparing->new, origin));
	text_free(&who);
}

static void try_origins_of(const struct comparing *comparing, const struct listener_policy *policy)
{
	for (unsigned i = 0; policy->cors && i < policy->cors->origin_count; i++) {
		struct text origin = { 0 };

		append_example(&origin, policy->cors->origins[i]);
		try_origin(comparing, text_slice(&origin));
		text_free(&origin);
	}
}

void callers_each(const struct listener_policy *old, const struct listener_policy *new,
	void (*visit)(void *owner, const struct caller *caller), void *owner)
{
	const struct comparing comparing = { old, new, visit, owner };

	try(&comparing, SLICE("a caller in plain text"), &(struct coming){ .secure = false });
	try(&comparing, SLICE("a caller with TLS and no certificate"), &(struct coming){ .secure = true });
	try_workloads_of(&comparing, old);
	try_workloads_of(&comparing, new);
	try_workload(&comparing, SLICE("spiffe://none.example/of/those"));
	try_origins_of(&comparing, old);
	try_origins_of(&comparing, new);
	try_origin(&comparing, SLICE("https://none-of-those.example"));
}

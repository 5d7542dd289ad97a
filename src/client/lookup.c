/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lookup.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "client/hosts.h"

enum { A, AAAA };

static void answered(struct question *question);

struct lookup *lookup_new(struct question_servers *servers, void (*done)(struct lookup *lookup), void *owner)
{
	struct lookup *lookup = memory_new(sizeof *lookup);
	lookup->servers = servers;
	lookup->done = done;
	lookup->owner = owner;
	question_init(&lookup->questions[A]);
	question_init(&lookup->questions[AAAA]);
	return lookup;
}

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;
	question_cancel(&lookup->questions[A]);
	question_cancel(&lookup->questions[AAAA]);
	memory_free(lookup);
}

bool lookup_is_name(struct slice name)
{
	struct address literal;
	struct dns_name parsed;
	return !address_parse(name, 0, &literal) || !dns_name_parse(name, &parsed);
}

/* --- what needs no server --- */

static void found_here(struct lookup_result *result, enum lookup_source source)
{
	result->outcome = LOOKUP_FOUND;
	result->source = source;
}

/* RFC 6761 section 6.3: never asked of a server. */
static bool is_localhost(struct slice name)
{
	struct slice host = SLICE("localhost"), below = SLICE(".localhost");
	if (slice_ends(name, SLICE(".")))
		name.length--;
	return slice_equal_nocase(name, host) ||
		(name.length > below.length && slice_equal_nocase(slice_from(name, name.length - below.length), below));
}

static bool find_here(struct lookup_result *result, struct slice name, struct slice hosts)
{
	if (!address_parse(name, 0, &result->addresses[0])) {
		result->count = 1;
		found_here(result, LOOKUP_LITERAL);
		return true;
	}
	result->count = hosts_find(hosts, name, result->addresses, LOOKUP_ADDRESSES);
	if (!result->count && is_localhost(name)) {
		result->addresses[0] = (struct address){ .family = ADDRESS_IP4, .ip = { 127, 0, 0, 1 } };
		result->addresses[1] = (struct address){ .family = ADDRESS_IP6, .ip = { [15] = 1 } };
		result->count = 2;
	}
	if (result->count)
		found_here(result, LOOKUP_FILE);
	return result->count > 0;
}

/* --- the search list (resolv.conf(5)) --- */

static unsigned dots(const char *name)
{
	unsigned count = 0;
	for (; *name; name++)
		count += *name == '.';
	return count;
}

static bool is_absolute(const struct lookup *lookup)
{
	return slice_ends(slice_of(lookup->name), SLICE("."));
}

/* The n-th name to ask for: with enough dots the name as it is comes first, otherwise last. ERROR_SYNTAX: too long. */
static int candidate_name(const struct lookup *lookup, unsigned n, struct dns_name *name)
{
	bool own_first = dots(lookup->name) >= lookup->conf.ndots;
	unsigned own = own_first ? 0 : lookup->conf.search_count;
	if (is_absolute(lookup) || n == own)
		return dns_name_parse(slice_of(lookup->name), name);
	char joined[2 * DNS_NAME_TEXT];
	size_t length = strlen(lookup->name);
	const char *domain = lookup->conf.search[own_first ? n - 1 : n];
	memcpy(joined, lookup->name, length);
	joined[length] = '.';
	strcpy(joined + length + 1, domain);
	return dns_name_parse(slice_of(joined), name);
}

static void conclude(struct lookup *lookup, enum lookup_outcome outcome, const char *reason)
{
	lookup->result.outcome = outcome;
	lookup->result.source = LOOKUP_SERVERS;
	lookup->result.reason = reason;
	lookup->done(lookup);
}

/* Asks for the next candidate; false behind the last. Candidates that are too long are passed over. */
static bool ask_next(struct lookup *lookup)
{
	struct dns_name name;
	while (lookup->candidate < lookup->candidates) {
		if (candidate_name(lookup, lookup->candidate++, &name))
			continue;
		lookup->open = 2;
		question_start(&lookup->questions[A], lookup->servers, &lookup->conf, &name, DNS_A, answered, lookup);
		question_start(&lookup->questions[AAAA], lookup->servers, &lookup->conf, &name, DNS_AAAA, answered, lookup);
		return true;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	return address_compare(a, b);
}

/* Adds the question's addresses, in order and without repetitions. */
static void add_addresses(struct lookup_result *result, struct question *question)
{
	if (question->outcome != QUESTION_FOUND)
		return;
	qsort(question->addresses, question->count, sizeof *question->addresses, compare);
	for (unsigned i = 0; i < question->count; i++) {
		if (i == 0 || !address_equal(&question->addresses[i], &question->addresses[i - 1]))
			result->addresses[result->count++] = question->addresses[i];
	}
	if (question->ttl < result->ttl)
		result->ttl = question->ttl;
}

static bool is_negative(const struct question *question)
{
	return question->outcome == QUESTION_NO_NAME || question->outcome == QUESTION_NO_DATA;
}

static uint32_t least_negative_ttl(const struct lookup *lookup)
{
	uint32_t ttl = lookup->negative_ttl;
	for (int i = A; i <= AAAA; i++) {
		if (is_negative(&lookup->questions[i]) && lookup->questions[i].ttl < ttl)
			ttl = lookup->questions[i].ttl;
	}
	return ttl;
}

/* Both families are answered. One found is enough; a name that doesn't exist does so for both. */
static void candidate_answered(struct lookup *lookup)
{
	const struct question *a = &lookup->questions[A], *aaaa = &lookup->questions[AAAA];
	lookup->result.count = 0;
	lookup->result.ttl = UINT32_MAX;
	add_addresses(&lookup->result, &lookup->questions[A]);
	add_addresses(&lookup->result, &lookup->questions[AAAA]);
	if (lookup->result.count) {
		conclude(lookup, LOOKUP_FOUND, NULL);
		return;
	}
	bool negative = (is_negative(a) && is_negative(aaaa)) || a->outcome == QUESTION_NO_NAME || aaaa->outcome == QUESTION_NO_NAME;
	if (negative) {
		lookup->negative_ttl = least_negative_ttl(lookup);
	} else if (a->outcome == QUESTION_UNANSWERED || aaaa->outcome == QUESTION_UNANSWERED) {
		/* It would be no better for the other candidates, and each costs the whole time. */
		conclude(lookup, LOOKUP_FAILED, "no name server answers");
		return;
	} else {
		lookup->server_failed = true;
	}
	if (ask_next(lookup))
		return;
	lookup->result.ttl = lookup->negative_ttl;
	if (lookup->server_failed)
		conclude(lookup, LOOKUP_FAILED, "the name servers answer with failures");
	else
		conclude(lookup, LOOKUP_NEGATIVE, "no such name");
}

static void answered(struct question *question)
{
	struct lookup *lookup = question->owner;
	CHECK(lookup->open > 0);
	if (--lookup->open == 0)
		candidate_answered(lookup);
}

bool lookup_start(struct lookup *lookup, struct slice name, const struct resolv_conf *conf, struct slice hosts)
{
	CHECK(!lookup->open && name.length < sizeof lookup->name);
	lookup->result = (struct lookup_result){ 0 };
	if (find_here(&lookup->result, name, hosts))
		return true;
	memcpy(lookup->name, name.at, name.length);
	lookup->name[name.length] = '\0';
	lookup->conf = *conf;
	lookup->candidate = 0;
	lookup->candidates = is_absolute(lookup) ? 1 : 1 + conf->search_count;
	lookup->server_failed = false;
	lookup->negative_ttl = UINT32_MAX;
	/* The name itself is always a candidate, and fits. */
	CHECK(ask_next(lookup));
	return false;
}

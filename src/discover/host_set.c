/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/host_set.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "client/resolver.h"

enum { HOST_SET_MAGIC = 0x686f7374, LONGEST_NAME = 253, LONGEST_LABEL = 63 };

enum known {
	ASKING,
	FOUND,
	NEGATIVE,
	FAILED,
};

/* One host of the list. A literal is found from the start. */
struct member {
	struct host_set *set;
	struct host host; /* its name is the heap's */
	enum known known;
	struct resolver_watch *watch;
	struct address *addresses; /* heap */
	unsigned count;
	const char *reason; /* failed: static */
};

struct host_set {
	uint32_t magic;
	struct member *members;
	uint32_t count;
	uint64_t *version;
	struct endpoints *endpoints; /* counted */
	void (*changed)(void *owner);
	void *owner;
};

static bool is_label(struct slice label)
{
	for (size_t i = 0; i < label.length; i++) {
		char c = label.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return label.length > 0 && label.length <= LONGEST_LABEL;
}

bool host_set_is_name(struct slice name)
{
	struct address address;
	struct slice label;
	if (address_parse(name, 0, &address) == 0)
		return true;
	if (slice_ends(name, SLICE(".")))
		name.length--;
	if (name.length == 0 || name.length > LONGEST_NAME)
		return false;
	while (slice_split(&name, '.', &label)) {
		if (!is_label(label))
			return false;
	}
	return true;
}

/* ---- what the members come to ---- */

static struct endpoints *collect(const struct host_set *set)
{
	uint32_t room = 0, count = 0;
	for (uint32_t i = 0; i < set->count; i++)
		room += set->members[i].count;
	struct endpoint *list = memory_array(room ? room : 1, sizeof *list);
	for (uint32_t i = 0; i < set->count; i++) {
		const struct member *member = &set->members[i];
		for (unsigned n = 0; n < member->count && member->host.weight > 0; n++) {
			list[count].address = member->addresses[n];
			list[count].address.port = member->host.port;
			list[count++].weight = member->host.weight;
		}
	}
	struct endpoints *made = endpoints_new(list, count, *set->version);
	memory_free(list);
	return made;
}

/* The endpoints that go with what is known of the members now. */
static struct endpoints *evaluate(const struct host_set *set)
{
	const struct member *failed = NULL;
	bool found = set->count == 0;
	++*set->version;
	for (uint32_t i = 0; i < set->count; i++) {
		const struct member *member = &set->members[i];
		if (member->known == ASKING)
			return endpoints_new_state(ENDPOINTS_PENDING, SLICE(""), *set->version);
		if (member->known == FAILED && !failed)
			failed = member;
		found |= member->known == FOUND;
	}
	if (found)
		return collect(set);
	if (!failed)
		return endpoints_new_state(ENDPOINTS_NEG, SLICE(""), *set->version);
	struct text message = { 0 };
	text_format(&message, "%.*s: %s", SLICE_ARGS(failed->host.name), failed->reason);
	struct endpoints *made = endpoints_new_state(ENDPOINTS_FAILED, text_slice(&message), *set->version);
	text_free(&message);
	return made;
}

static void take_addresses(struct member *member, const struct address *addresses, unsigned count)
{
	memory_free(member->addresses);
	member->addresses = memory_array(count ? count : 1, sizeof *addresses);
	member->count = count;
	if (count)
		memcpy(member->addresses, addresses, count * sizeof *addresses);
}

static void resolved(void *owner, const struct resolution *resolution)
{
	static const enum known known[] = {
		[RESOLVER_FOUND] = FOUND,
		[RESOLVER_NEGATIVE] = NEGATIVE,
		[RESOLVER_FAILED] = FAILED,
	};
	struct member *member = owner;
	struct host_set *set = member->set;
	CHECK_MAGIC(set, HOST_SET_MAGIC);
	member->known = known[resolution->state];
	member->reason = resolution->reason;
	take_addresses(member, resolution->addresses, resolution->count);
	struct endpoints *now = evaluate(set);
	if (endpoints_equal(now, set->endpoints)) {
		endpoints_unref(now);
		return;
	}
	endpoints_unref(set->endpoints);
	set->endpoints = now;
	set->changed(set->owner); /* may free the set */
}

/* ---- the set ---- */

static void open_member(struct member *member, const struct discover *discover)
{
	struct address address;
	if (address_parse(member->host.name, 0, &address) == 0) {
		take_addresses(member, &address, 1);
		member->known = FOUND;
		return;
	}
	int e = ERROR_UNSUPPORTED;
	if (discover->resolver)
		e = resolver_watch(discover->resolver, member->host.name, resolved, member, &member->watch);
	if (e) {
		member->known = FAILED;
		member->reason = discover->resolver ? error_text(e) : "only IP addresses are understood here";
	}
}

struct host_set *host_set_new(const struct discover *discover, const struct host *list, uint32_t count, uint64_t *version,
	void (*changed)(void *owner), void *owner)
{
	struct host_set *set = memory_new(sizeof *set);
	*set = (struct host_set){
		.magic = HOST_SET_MAGIC,
		.members = memory_array(count ? count : 1, sizeof *set->members),
		.count = count,
		.version = version,
		.changed = changed,
		.owner = owner,
	};
	for (uint32_t i = 0; i < count; i++) {
		struct member *member = &set->members[i];
		member->set = set;
		member->host = list[i];
		member->host.name = slice_make(memory_text(list[i].name), list[i].name.length);
		open_member(member, discover);
	}
	set->endpoints = evaluate(set);
	return set;
}

struct endpoints *host_set_endpoints(const struct host_set *set)
{
	return set->endpoints;
}

void host_set_free(struct host_set *set)
{
	if (!set)
		return;
	CHECK_MAGIC(set, HOST_SET_MAGIC);
	for (uint32_t i = 0; i < set->count; i++) {
		struct member *member = &set->members[i];
		resolver_unwatch(member->watch);
		memory_free(member->addresses);
		memory_free(member->host.name.at);
	}
	endpoints_unref(set->endpoints);
	memory_free(set->members);
	set->magic = 0;
	memory_free(set);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/system.h"

#include "base/check.h"
#include "base/memory.h"
#include "discover/host_set.h"

/* Linkerd 1.x takes statuses from 100 on, but what is below 200 is no answer (RFC 9110 section 15.2). */
enum { LEAST_STATUS = 200, MOST_STATUS = 599, LONGEST_PORT_LABEL = 63 };

struct system {
	struct namer base;
	struct discover discover;
	uint64_t version; /* of the newest endpoints */
};

struct system_watch {
	struct namer_watch base;
	struct arena arena;
	struct path name;            /* the whole name, /$/.. */
	struct host_set *hosts;      /* inet, rinet */
	struct endpoints *endpoints; /* counted; what the answer points at, unless hosts has it */
};

/* ---- names that are rewritten ---- */

/* Rewrites one segment into `count` others (room for `most`). False: the name doesn't fit, so it is neg. */
typedef bool rewriter(struct slice domain, struct slice subject, struct slice *into, uint32_t *count);

static bool is_method(struct slice s)
{
	for (size_t i = 0; i < s.length; i++) {
		if (s.at[i] < 'A' || s.at[i] > 'Z')
			return false;
	}
	return s.length > 0;
}

static bool is_host(struct slice s)
{
	for (size_t i = 0; i < s.length; i++) {
		char c = s.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != ':' && c != '_' && c != '-')
			return false;
	}
	return s.length > 0;
}

static bool any_method(struct slice domain, struct slice method, struct slice *into, uint32_t *count)
{
	(void)domain;
	(void)into;
	*count = 0;
	return is_method(method);
}

static bool any_host(struct slice domain, struct slice host, struct slice *into, uint32_t *count)
{
	(void)domain;
	(void)into;
	*count = 0;
	return is_host(host);
}

/* www.example.org:80 below example.org: www */
static bool subdomain_of(struct slice domain, struct slice host, struct slice *into, uint32_t *count)
{
	if (!is_host(domain) || !is_host(host))
		return false;
	size_t colon = slice_find(host, ':');
	if (colon > 0)
		host.length = colon;
	if (host.length < domain.length + 2 || !slice_ends(host, domain))
		return false;
	size_t dot = host.length - domain.length - 1;
	into[0] = slice_make(host.at, dot);
	*count = 1;
	return host.at[dot] == '.';
}

/* www.hello.world: world, hello, www. Dots at the end don't count; an empty label elsewhere is no name. */
static bool domain_to_path(struct slice domain, struct slice host, struct slice *into, uint32_t *count)
{
	uint32_t n = 0;
	(void)domain;
	if (!is_host(host))
		return false;
	while (host.length && host.at[host.length - 1] == '.')
		host.length--;
	for (struct slice label; host.length && slice_split(&host, '.', &label);) {
		if (label.length == 0)
			return false;
		into[n++] = label;
	}
	for (uint32_t i = 0; i < n / 2; i++) {
		struct slice swapped = into[i];
		into[i] = into[n - 1 - i];
		into[n - 1 - i] = swapped;
	}
	*count = n;
	return true;
}

static bool is_port_label(struct slice s)
{
	for (size_t i = 0; i < s.length; i++) {
		char c = s.at[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(c == '-' && i > 0))
			return false;
	}
	return s.length > 0 && s.length <= LONGEST_PORT_LABEL;
}

static bool split_host_port(struct slice domain, struct slice subject, struct slice *into, uint32_t *count)
{
	size_t colon = slice_find(subject, ':');
	(void)domain;
	if (colon == 0 || colon == subject.length)
		return false;
	into[0] = slice_make(subject.at, colon);
	into[1] = slice_from(subject, colon + 1);
	*count = 2;
	return is_port_label(into[1]);
}

static bool split_port_host(struct slice domain, struct slice subject, struct slice *into, uint32_t *count)
{
	struct slice both[2];
	if (!split_host_port(domain, subject, both, count))
		return false;
	into[0] = both[1];
	into[1] = both[0];
	return true;
}

/* Names below /$/NAME are [domain] [prefix] subject rest: they become [prefix] (what the subject is rewritten to)
 * rest. */
static const struct rewriting {
	const char *name;
	bool domain, prefix;
	rewriter *rewrite;
} rewritings[] = {
	{ "io.buoyant.hostportPfx", false, true, split_host_port },
	{ "io.buoyant.porthostPfx", false, true, split_port_host },
	{ "io.buoyant.http.anyMethod", false, false, any_method },
	{ "io.buoyant.http.anyMethodPfx", false, true, any_method },
	{ "io.buoyant.http.anyHost", false, false, any_host },
	{ "io.buoyant.http.anyHostPfx", false, true, any_host },
	{ "io.buoyant.http.subdomainOf", true, false, subdomain_of },
	{ "io.buoyant.http.subdomainOfPfx", true, true, subdomain_of },
	{ "io.buoyant.http.domainToPath", false, false, domain_to_path },
	{ "io.buoyant.http.domainToPathPfx", false, true, domain_to_path },
};

static const struct rewriting *find_rewriting(struct slice name)
{
	for (size_t i = 0; i < sizeof rewritings / sizeof *rewritings; i++) {
		if (slice_equal(name, slice_of(rewritings[i].name)))
			return &rewritings[i];
	}
	return NULL;
}

/* ---- answers ---- */

static void check_room(bool made)
{
	if (!made)
		check_out_of_memory("a name below /$");
}

static void answer_failed(struct system_watch *watch, const char *what)
{
	struct slice shown = path_show(&watch->arena, watch->name);
	watch->base.answer.state = NAMER_FAILED;
	watch->base.answer.message = arena_format(&watch->arena, "%s: %.*s", what, SLICE_ARGS(shown));
	check_room(watch->base.answer.message.at);
}

static void answer_tree(struct system_watch *watch, const struct name_tree *tree)
{
	watch->base.answer.state = NAMER_TREE;
	watch->base.answer.tree = tree;
}

static void answer_rewritten(struct system_watch *watch, const struct rewriting *rewriting)
{
	struct path rest = path_from(watch->name, 2), to;
	const struct name_tree *tree;
	uint32_t at = rewriting->domain, count = 0;
	uint32_t subject = at + rewriting->prefix;
	if (rest.count <= subject)
		return;
	/* A label takes at least two bytes of the subject, but for the last. */
	size_t most = rest.segments[subject].length / 2 + 3;
	struct slice *into = arena_get(&watch->arena, (most + 1) * sizeof *into);
	check_room(into);
	if (rewriting->prefix)
		into[0] = rest.segments[at];
	if (!rewriting->rewrite(rest.segments[0], rest.segments[subject], into + rewriting->prefix, &count))
		return;
	CHECK(count <= most);
	count += rewriting->prefix;
	check_room(path_concat(&watch->arena, (struct path){ into, count }, path_from(rest, subject + 1), &to) == 0);
	check_room(name_tree_leaf(&watch->arena, to, &tree) == 0);
	answer_tree(watch, tree);
}

/* The first `consumed` segments of the whole name are the id. */
static void answer_leaf(struct system_watch *watch, uint32_t consumed, struct endpoints *endpoints)
{
	watch->base.answer.state = NAMER_LEAF;
	watch->base.answer.id = path_first(watch->name, consumed);
	watch->base.answer.residual = path_from(watch->name, consumed);
	watch->base.answer.endpoints = endpoints;
}

static void answer_failed_leaf(struct system_watch *watch, uint32_t consumed, const char *what, struct slice text)
{
	struct slice message = arena_format(&watch->arena, "%s: '%.*s'", what, SLICE_ARGS(text));
	check_room(message.at);
	watch->endpoints = endpoints_new_state(ENDPOINTS_FAILED, message, 1);
	answer_leaf(watch, consumed, watch->endpoints);
}

static void hosts_changed(void *owner)
{
	struct system_watch *watch = owner;
	watch->base.answer.endpoints = host_set_endpoints(watch->hosts);
	watch->base.changed(watch->base.owner);
}

static bool is_port(struct slice s, uint16_t *port)
{
	uint64_t value;
	if (slice_to_u64(s, UINT16_MAX, &value) || value == 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

static void answer_host(struct system_watch *watch, uint32_t consumed, struct slice name, struct slice port_text)
{
	struct system *system = (struct system *)watch->base.namer;
	struct host host = { .name = name, .weight = 1 };
	if (!is_port(port_text, &host.port)) {
		answer_failed_leaf(watch, consumed, "not a port from 1 to 65535", port_text);
	} else if (!host_set_is_name(name)) {
		answer_failed_leaf(watch, consumed, "neither an IP address nor a name of a host", name);
	} else {
		watch->hosts = host_set_new(&system->discover, &host, 1, &system->version, hosts_changed, watch);
		answer_leaf(watch, consumed, host_set_endpoints(watch->hosts));
	}
}

static bool is_number(struct slice s)
{
	uint64_t value;
	return slice_to_u64(s, INT32_MAX, &value) == 0;
}

/* /$/inet/HOST/PORT, or /$/inet/PORT */
static void answer_inet(struct system_watch *watch)
{
	struct path rest = path_from(watch->name, 2);
	if (rest.count >= 2 && is_number(rest.segments[1]))
		answer_host(watch, 4, rest.segments[0], rest.segments[1]);
	else if (rest.count >= 1 && is_number(rest.segments[0]))
		answer_host(watch, 3, SLICE("127.0.0.1"), rest.segments[0]);
	else
		answer_failed(watch, "expected /$/inet/HOST/PORT or /$/inet/PORT");
}

/* /$/io.buoyant.rinet/PORT/HOST */
static void answer_rinet(struct system_watch *watch)
{
	struct path rest = path_from(watch->name, 2);
	if (rest.count >= 2)
		answer_host(watch, 4, rest.segments[1], rest.segments[0]);
}

/* /$/io.buoyant.http.status/CODE */
static void answer_status(struct system_watch *watch)
{
	struct path rest = path_from(watch->name, 2);
	uint64_t status;
	if (rest.count == 0 || slice_to_u64(rest.segments[0], MOST_STATUS, &status) || status < LEAST_STATUS)
		return;
	watch->endpoints = endpoints_new(NULL, 0, 1);
	answer_leaf(watch, 3, watch->endpoints);
	watch->base.answer.status = (uint16_t)status;
}

static void answer_name(struct system_watch *watch)
{
	if (watch->name.count < 2)
		return;
	struct slice class = watch->name.segments[1];
	const struct rewriting *rewriting = find_rewriting(class);
	if (rewriting)
		answer_rewritten(watch, rewriting);
	else if (slice_equal(class, SLICE("inet")))
		answer_inet(watch);
	else if (slice_equal(class, SLICE("io.buoyant.rinet")))
		answer_rinet(watch);
	else if (slice_equal(class, SLICE("nil")))
		answer_tree(watch, &name_tree_empty);
	else if (slice_equal(class, SLICE("fail")))
		answer_tree(watch, &name_tree_fail);
	else if (slice_equal(class, SLICE("io.buoyant.http.status")))
		answer_status(watch);
	else
		answer_failed(watch, "UnknownNamer");
}

/* ---- the namer ---- */

static struct namer_watch *system_lookup(struct namer *namer, struct path below, void (*changed)(void *owner), void *owner)
{
	struct system_watch *watch = memory_new(sizeof *watch);
	struct path name;
	arena_init(&watch->arena, NULL, 0);
	check_room(path_concat(&watch->arena, namer->prefix, below, &name) == 0);
	check_room(path_copy(&watch->arena, name, &watch->name) == 0);
	watch->base = (struct namer_watch){ namer, changed, owner, { .state = NAMER_NEG } };
	answer_name(watch);
	return &watch->base;
}

static void system_cancel(struct namer_watch *base)
{
	struct system_watch *watch = (struct system_watch *)base;
	host_set_free(watch->hosts);
	endpoints_unref(watch->endpoints);
	arena_reset(&watch->arena);
	memory_free(watch);
}

static void system_free(struct namer *namer)
{
	memory_free(namer);
}

static const struct namer_ops ops = {
	.kind = "/$",
	.lookup = system_lookup,
	.cancel = system_cancel,
	.free = system_free,
};

struct namer *system_new(const struct discover *discover)
{
	static const struct slice prefix[] = { { "$", 1 } };
	struct system *system = memory_new(sizeof *system);
	system->base = (struct namer){ &ops, { prefix, 1 } };
	system->discover = *discover;
	return &system->base;
}

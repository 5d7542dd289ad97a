/* SPDX-License-Identifier: Apache-2.0 */
/* client/resolver.h: names to addresses, and being told when they change: a stub resolver of weft's own (RFC 1034
 * section 5.3.1).
 *
 * Lives on one loop and its thread (control). Literals and the hosts file need no server; other names are asked for, A
 * and AAAA, of the servers that resolv.conf names. What is found is kept for its TTL, within bounds; who watches a name
 * has it asked for again when the TTL ends. Watchers of one name share one question. While servers fail the last good
 * answer stays. Both files are read again, at most every 5 s, when something is asked for.
 *
 *	int e = resolver_new(loop, network_host(), &(struct resolver_options){ 0 }, &resolver);
 *	e = resolver_watch(resolver, SLICE("db.example"), changed, owner, &watch);
 *	static void changed(void *owner, const struct resolution *r) { use(r->addresses, r->count); }
 *	resolver_unwatch(watch);                // also from inside `changed`
 *	resolver_free(resolver);
 */
#ifndef CLIENT_RESOLVER_H
#define CLIENT_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/error.h"
#include "base/slice.h"
#include "client/question.h"
#include "io/address.h"

struct loop;
struct network;
struct resolver;
struct resolver_watch;

struct resolver_counts {
	struct question_counts questions;
	struct counter lookups;                 /* begun, literals and hosts files included */
	struct counter found, negative, failed; /* how they ended */
	struct counter stale;                   /* failed, so that an older answer stayed in use */
	struct counter cached;                  /* watches that were told what was known already */
	struct counter evicted;                 /* unwatched names forgotten before their time, for max_names */
	struct counter refused;                 /* watches refused for max_names */
};

struct resolver_options {
	const char *resolv_conf;        /* path; NULL: /etc/resolv.conf. Missing: as if empty (the server 127.0.0.1) */
	const char *hosts;              /* path; NULL: /etc/hosts. Missing: as if empty */
	int64_t min_ttl_ns;             /* TTLs are raised to this, 0: 1 s */
	int64_t max_ttl_ns;             /* and cut to this, 0: 300 s */
	int64_t max_negative_ns;        /* of answers that there is no such name, 0: 30 s */
	uint32_t max_names;             /* known, being asked for, or watched; 0: 4096 */
	uint32_t max_questions;         /* being asked at the same time, others wait; 0: 128 */
	struct resolver_counts *counts; /* zeroed, outlives the resolver; NULL: the resolver's own */
};

enum resolver_state {
	RESOLVER_FOUND,
	RESOLVER_NEGATIVE, /* there is no such name, or it has no addresses */
	RESOLVER_FAILED,   /* no server could tell, and none has before */
};

/* Valid during the call. */
struct resolution {
	enum resolver_state state;
	const struct address *addresses; /* port 0, all different; IPv4 first, each sorted; hosts files' order is kept */
	unsigned count;                  /* > 0 exactly for RESOLVER_FOUND */
	const char *reason;              /* static; NULL for RESOLVER_FOUND */
};

MUST_CHECK int resolver_new(struct loop *loop, struct network *network, const struct resolver_options *options, struct resolver **resolver);
/* Every watch must be gone. */
void resolver_free(struct resolver *resolver);

/* `changed` is called from the loop as soon as the name is known, once, and again whenever state or addresses differ
 * from what was told before. A failure is told only if there is no earlier answer. ERROR_INVALID: neither an address
 * nor a host's name; ERROR_LIMIT: max_names watched ones. Never blocks on the network; may read the two files. */
MUST_CHECK int resolver_watch(struct resolver *resolver, struct slice name,
	void (*changed)(void *owner, const struct resolution *resolution), void *owner, struct resolver_watch **watch);
/* Not called any more. Allowed in every callback. NULL is allowed. */
void resolver_unwatch(struct resolver_watch *watch);

/* Written by the resolver's thread alone, to be read by any. */
const struct resolver_counts *resolver_counts(const struct resolver *resolver);

#endif

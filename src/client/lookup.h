/* SPDX-License-Identifier: Apache-2.0 */
/* client/lookup.h: one name to addresses, once: literals, the hosts file, `localhost`, then the name servers with the
 * search list.
 *
 * Used by resolver.c, which keeps what is found. One loop's thread (control); heap. `done` is called from the loop,
 * never from inside lookup_start, and is the lookup's last act: it usually frees it.
 *
 *	struct lookup *lookup = lookup_new(&servers, done, owner);
 *	if (lookup_start(lookup, SLICE("db"), &conf, hosts_bytes))
 *		use(&lookup->result);                // known at once; `done` is not called
 *	lookup_free(lookup);                         // at any time; cancels
 */
#ifndef CLIENT_LOOKUP_H
#define CLIENT_LOOKUP_H

#include "client/question.h"

enum lookup_outcome {
	LOOKUP_FOUND,
	LOOKUP_NEGATIVE, /* there is no such name, or it has no addresses */
	LOOKUP_FAILED,   /* it can't be told now */
};

enum lookup_source {
	LOOKUP_LITERAL, /* true for ever */
	LOOKUP_FILE,    /* true as long as the hosts file is as it is */
	LOOKUP_SERVERS, /* true for `ttl` */
};

enum { LOOKUP_ADDRESSES = 2 * QUESTION_ADDRESSES };

struct lookup_result {
	enum lookup_outcome outcome;
	enum lookup_source source;
	uint32_t ttl;       /* seconds, from servers */
	const char *reason; /* static; not for LOOKUP_FOUND */
	/* Port 0, all different; IPv4 before IPv6 (as the JVM that Linkerd ran on had it), each in the order of its
	 * bytes, so that equal answers look equal whatever order the server chose. From the hosts file in the file's
	 * order. */
	struct address addresses[LOOKUP_ADDRESSES];
	unsigned count;
};

struct lookup {
	struct lookup_result result;
	void *owner;

	/* The rest is lookup.c's. */
	struct question_servers *servers;
	struct resolv_conf conf;
	void (*done)(struct lookup *lookup);
	char name[DNS_NAME_TEXT];
	unsigned candidate, candidates;
	struct question questions[2]; /* A, AAAA */
	unsigned open;                /* of them */
	bool server_failed;
	uint32_t negative_ttl;
};

struct lookup *lookup_new(struct question_servers *servers, void (*done)(struct lookup *lookup), void *owner);
void lookup_free(struct lookup *lookup);
/* Whether the result is there already. The name must be one that lookup_is_name accepts. */
MUST_CHECK bool lookup_start(struct lookup *lookup, struct slice name, const struct resolv_conf *conf, struct slice hosts);
/* A literal address, or a name that could be a host's. */
bool lookup_is_name(struct slice name);

#endif

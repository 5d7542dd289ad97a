/* SPDX-License-Identifier: Apache-2.0 */
/* tls/authority_parts.h: what the files of the authority share. Private to the room.
 *
 *	authority.c        opening, issuing by the state, rotating
 *	authority_state.c  the state as a file
 *	authority_sign.c   making certificates
 */
#ifndef TLS_AUTHORITY_PARTS_H
#define TLS_AUTHORITY_PARTS_H

#include "tls/authority.h"
#include "tls/certificate.h"

struct state_root {
	enum authority_role role;
	int64_t since_s;
	X509 *certificate;
	EVP_PKEY *key; /* NULL: retired */
	struct text subject;
};

struct state {
	struct text trust_domain;
	int64_t max_ttl_s, root_life_s;
	uint64_t generation;
	struct state_root roots[AUTHORITY_MOST_ROOTS]; /* the signing one first */
	unsigned root_count;
	struct text bundle;
};

/* Of a zeroed state; `json` is the file. ERROR_SYNTAX with `why`. */
MUST_CHECK int state_read(struct slice json, const char *path, struct state *state, struct text *why);
void state_write(const struct state *state, struct text *json);
void state_free(struct state *state);
/* Sorts the roots, and makes the bundle anew. */
void state_arrange(struct state *state);
void state_drop_root(struct state *state, unsigned index);

EVP_PKEY *sign_new_key(void);
/* A root for the trust domain, self-signed. */
X509 *sign_root(EVP_PKEY *key, struct slice trust_domain, int64_t now_s, int64_t life_s);

struct sign_order {
	EVP_PKEY *public_key;
	struct slice id;
	const struct slice *dns;
	unsigned dns_count;
	int64_t not_before_s, not_after_s;
};

X509 *sign_workload(const struct state_root *root, const struct sign_order *order);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls/authority.h: a certificate authority for one trust domain: its roots, on disk, and the X.509-SVIDs that it issues.
 *
 * All of its state is one file of its directory, authority.json (mode 0600, keys included), which is only ever replaced whole: a
 * process killed at any instant leaves the state before or the state behind. Writers exclude each other by a lock; readers need
 * none. The directory must be readable by nobody else: what is in it can become anybody in the trust domain.
 *
 * Roots are ECDSA P-256, self-signed, constrained to the trust domain's URIs, and may sign workloads only. A new root comes in three
 * steps, so that at each instant everybody trusts what anybody shows:
 *
 *	add      the new root joins the bundle; the old one still signs         at once, or when the old one has lived for 2/3 of its life
 *	switch   the new one signs; the old one's key is deleted                 one longest life of a certificate later: all have the bundle
 *	drop     the old one leaves the bundle                                   one longest life later: nothing it signed is valid
 *
 * Blocking, heap; one thread at a time. The time is given: no clock is read. Serials and keys are OpenSSL's random numbers.
 *
 *	authority_create("/var/lib/weft/ca", &(struct authority_options){ .trust_domain = SLICE("example.org") }, wall_ns, &why);
 *	authority_open("/var/lib/weft/ca", &authority, &why);
 *	authority_issue(authority, &(struct authority_order){ .request = csr, .id = id }, wall_ns, &svid, &why);
 *	authority_svid_free(&svid);
 *	authority_free(authority);
 */
#ifndef TLS_AUTHORITY_H
#define TLS_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

enum {
	AUTHORITY_TTL_S = 24 * 3600, /* of a workload's certificate, unless said otherwise */
	AUTHORITY_ROOT_LIFE_S = 365 * 24 * 3600,
	AUTHORITY_BACKDATE_S = 120, /* how far a verifier's clock may be behind */
	AUTHORITY_MOST_ROOTS = 8,
	AUTHORITY_MOST_DNS = 16,
};

#define AUTHORITY_FILE "authority.json"

struct authority;

struct authority_options {
	struct slice trust_domain;
	int64_t max_ttl_s;   /* the longest life of a workload's certificate; 0: AUTHORITY_TTL_S */
	int64_t root_life_s; /* 0: AUTHORITY_ROOT_LIFE_S; at least 4 times max_ttl_s */
};

/* Makes the directory if it isn't there, the first root, and the state. ERROR_EXISTS: there is an authority already;
 * ERROR_SYNTAX (trust domain), ERROR_INVALID (lives), ERROR_BUSY (another process writes), and those of io/file.h. */
MUST_CHECK int authority_create(const char *directory, const struct authority_options *options, int64_t wall_ns, struct text *why);
/* ERROR_NOT_FOUND: no authority there; ERROR_SYNTAX: its state is damaged. */
MUST_CHECK int authority_open(const char *directory, struct authority **authority, struct text *why);
/* Reads the state again, which another process may have changed; on an error it stays as it was. */
MUST_CHECK int authority_reload(struct authority *authority, struct text *why);
void authority_free(struct authority *authority); /* NULL is allowed */

/* Until the state changes. */
struct slice authority_trust_domain(const struct authority *authority);
struct slice authority_bundle(const struct authority *authority); /* PEM, the signing root first */
uint64_t authority_generation(const struct authority *authority); /* of the bundle: one more with each change */
int64_t authority_max_ttl(const struct authority *authority);     /* seconds */

enum authority_role { AUTHORITY_NEXT, AUTHORITY_SIGNING, AUTHORITY_RETIRED };

struct authority_root {
	enum authority_role role;
	int64_t since_s; /* in this role, since 1970 */
	int64_t not_after_s;
	struct slice subject; /* until the state changes */
};

/* Fills in at most AUTHORITY_MOST_ROOTS, the signing one first; their number. */
unsigned authority_roots(const struct authority *authority, struct authority_root roots[AUTHORITY_MOST_ROOTS]);

enum authority_step { AUTHORITY_ADD, AUTHORITY_SWITCH, AUTHORITY_DROP };

const char *authority_step_name(enum authority_step step);
/* What is to be done next with the roots, and from when on it is safe (seconds since 1970). */
enum authority_step authority_next(const struct authority *authority, int64_t *due_s);
/* Does that step on disk and here, due or not. ERROR_BUSY: another process is about to, or has done it meanwhile (authority_reload). */
MUST_CHECK int authority_rotate(struct authority *authority, enum authority_step step, int64_t wall_ns, struct text *why);

struct authority_order {
	struct slice request;    /* PKCS #10, PEM; its signature proves that the caller has the key */
	struct slice id;         /* the SPIFFE ID; the request's one URI must be the same. Empty: the request's */
	int64_t ttl_s;           /* 0: the longest that there is */
	const struct slice *dns; /* host names to add, for peers that know no SPIFFE; a request's own are not looked at */
	unsigned dns_count;      /* at most AUTHORITY_MOST_DNS */
};

struct authority_svid {
	struct text chain; /* PEM: the certificate; roots sign directly, so there is nothing behind it */
	struct text id;
	struct text serial; /* hexadecimal with colons, for a log */
	int64_t not_before_s, not_after_s;
};

/* The certificate ends with its root at the latest. ERROR_SYNTAX: the request or its signature is wrong, or no SPIFFE ID;
 * ERROR_DENIED: an ID of another trust domain, or another than the request's, or none for a workload; ERROR_UNSUPPORTED: a weak or
 * strange key; ERROR_LIMIT: a longer life than allowed; ERROR_TIMEOUT: the root has expired. */
MUST_CHECK int authority_issue(
	struct authority *authority, const struct authority_order *order, int64_t wall_ns, struct authority_svid *svid, struct text *why);
void authority_svid_free(struct authority_svid *svid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls/spiffe.h: SPIFFE IDs, the names of workloads (The SPIFFE Identity and Verifiable Identity Document, section 2).
 *
 *	spiffe://TRUST_DOMAIN/PATH        weft's own form: spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT
 *
 * Trust domain: lower-case letters, digits, `.`, `-` and `_`, at most 255 bytes. Path: segments of letters, digits, `.`, `-` and
 * `_`, none empty, none `.` or `..`, no slash at the end; it may be missing (then the ID names the trust domain itself). At most
 * 2048 bytes in all. No port, user, query, fragment or percent-encoding. IDs are equal when their bytes are. Pure, any thread;
 * nothing is owned.
 *
 *	struct spiffe id;
 *	const char *reason;
 *	if (spiffe_parse(uri, &id, &reason))
 *		cli_complain("`%.*s`: %s", SLICE_ARGS(uri), reason);
 *	if (spiffe_matches(SLICE("spiffe://example.org/ns/web/sa/front"), &id)) ...
 */
#ifndef TLS_SPIFFE_H
#define TLS_SPIFFE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

enum { SPIFFE_MOST = 2048, SPIFFE_MOST_DOMAIN = 255 };

struct spiffe {
	struct slice text;         /* all of it */
	struct slice trust_domain; /* "example.org" */
	struct slice path;         /* "/ns/web/sa/front", or empty */
};

/* The slices of *id lie in `text`. ERROR_SYNTAX, ERROR_LIMIT (too long); *reason (may be NULL) is then a static text. */
MUST_CHECK int spiffe_parse(struct slice text, struct spiffe *id, const char **reason);
/* The name of a trust domain alone, without scheme. */
MUST_CHECK int spiffe_check_domain(struct slice domain, const char **reason);

/* Whether the path is /ns/NAMESPACE/sa/SERVICE_ACCOUNT; both may be NULL. */
bool spiffe_workload(const struct spiffe *id, struct slice *name_space, struct slice *service_account);
/* Writes spiffe://DOMAIN/ns/NS/sa/SA, NUL-terminated; its length, or a negative error when that is no SPIFFE ID. */
MUST_CHECK int spiffe_format(struct slice domain, struct slice name_space, struct slice service_account, char text[SPIFFE_MOST + 1]);

/* A pattern is an ID in which a segment of the path may be `*` (any one segment) and the last may be `**` (one or more). */
MUST_CHECK int spiffe_check_pattern(struct slice pattern, const char **reason);
/* The pattern must be a good one; a wrong one matches nothing. */
bool spiffe_matches(struct slice pattern, const struct spiffe *id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls/inspect.h: what is in a certificate chain, and why it doesn't verify.
 *
 * OpenSSL stops at the first fault and names it by a number; this looks at everything and says each fault in words that say what to
 * do, with the certificate that it is in. Verdicts agree with `openssl verify` (tests compare them), and for SPIFFE IDs with the
 * X.509-SVID standard. The time is given, no clock is read. Heap; any thread, an inspection belongs to its maker.
 *
 *	const struct inspect_input input = { .chain = pem, .bundle = roots, .wall_ns = loop_wall(loop) };
 *	struct inspection *found;
 *	if (inspect(&input, &found, &why)) ...                         // unreadable
 *	for (unsigned i = 0; i < found->fault_count; i++)
 *		cli_say("%.*s", SLICE_ARGS(found->faults[i].text));
 *	inspect_free(found);
 */
#ifndef TLS_INSPECT_H
#define TLS_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

struct inspect_input {
	struct slice chain;  /* PEM, the leaf first */
	struct slice bundle; /* PEM, whom to trust; at NULL: verification is not asked for */
	struct slice key;    /* PEM, the leaf's; at NULL: not looked at */
	int64_t wall_ns;     /* the time to judge by, since 1970 */
	bool svid;           /* the leaf must be an X.509-SVID; it is also judged as one when it has a spiffe: URI */
	struct slice id;     /* it must have this SPIFFE ID; empty: any */
};

enum inspect_name_kind { INSPECT_DNS, INSPECT_URI, INSPECT_IP, INSPECT_EMAIL, INSPECT_OTHER };

struct inspect_name {
	enum inspect_name_kind kind;
	struct slice text;
};

struct inspect_certificate {
	struct slice subject, issuer;      /* RFC 4514 */
	struct slice serial;               /* hexadecimal with colons */
	struct slice key;                  /* "EC P-256" */
	struct slice signature;            /* "ecdsa-with-SHA256" */
	int64_t not_before_s, not_after_s; /* seconds since 1970 */
	bool is_ca, self_signed;
	struct inspect_name *names; /* subject alternative names */
	unsigned name_count;
};

enum inspect_fault_kind {
	INSPECT_EXPIRED,
	INSPECT_NOT_YET_VALID,
	INSPECT_WRONG_CA,       /* the chain is complete, but its root is not trusted; or the issuer has another key */
	INSPECT_MISSING_ISSUER, /* neither in the chain nor in the bundle */
	INSPECT_BAD_SIGNATURE,
	INSPECT_KEY_MISMATCH,
	INSPECT_NAME_CONSTRAINT,
	INSPECT_NO_SPIFFE_ID,
	INSPECT_MANY_URIS,
	INSPECT_BAD_SPIFFE_ID, /* no such, or another than asked for */
	INSPECT_CA_FLAG,       /* a leaf that is an authority, or an issuer that isn't */
	INSPECT_PATH_LENGTH,
	INSPECT_KEY_USAGE,
	INSPECT_WEAK_KEY,
	INSPECT_WEAK_SIGNATURE,
	INSPECT_OTHER_FAULT,
	INSPECT_FAULT_KINDS,
};

struct inspect_fault {
	enum inspect_fault_kind kind;
	int certificate;   /* its index in the chain; -1: one of the bundle */
	struct slice text; /* a sentence without a point */
};

enum { INSPECT_MOST_FAULTS = 64 };

struct inspection {
	struct inspect_certificate *certificates;
	unsigned certificate_count;
	struct inspect_fault faults[INSPECT_MOST_FAULTS]; /* further ones are dropped */
	unsigned fault_count;
	bool verified;       /* a bundle was given, and the chain leads to it without a fault */
	struct slice id;     /* the leaf's one URI, when it is a SPIFFE ID */
	int64_t not_after_s; /* the earliest of the chain */
	struct arena arena;
};

/* Never an error because of a fault: those are in the inspection. ERROR_SYNTAX, ERROR_NOT_FOUND, ERROR_LIMIT, ERROR_UNSUPPORTED:
 * what is given cannot be read; `why` then says which of the three it is and what is wrong. */
MUST_CHECK int inspect(const struct inspect_input *input, struct inspection **inspection, struct text *why);
void inspect_free(struct inspection *inspection); /* NULL is allowed */
/* "expired", "wrong-ca", ...: for JSON and metrics. */
const char *inspect_fault_name(enum inspect_fault_kind kind);

#endif

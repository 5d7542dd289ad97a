/* SPDX-License-Identifier: Apache-2.0 */
/* client/identity.h: who this process is: a private key that never leaves it, its X.509-SVID, and whom to trust, kept fresh.
 *
 * Asks a signer (control/signer.h) over its Unix socket. A new key is made for every certificate. It is renewed between 1/2 and 2/3
 * of its life, at an instant drawn by each process; the bundle is watched, so that a root's replacement is known at once. What comes
 * is judged (tls/inspect.h) before anybody is told: a certificate that would not verify never takes the place of one that does. When
 * the signer doesn't answer or refuses, what there is stays, and it is asked again after 0.2 to 30 s, drawn and doubling.
 *
 * One loop's thread (control); heap. Events come from the loop only.
 *
 *	static const struct identity_events events = { .changed = changed, .failed = failed };
 *	const struct identity_options options = { .network = network_host(), .loop = loop, .socket = "/run/weft/ca.sock",
 *	                                          .id = SLICE("spiffe://example.org/ns/web/sa/front") };
 *	identity_new(&options, &events, owner, &identity);
 *	...changed(owner, credentials): give them to the TLS contexts; they are valid until the next `changed` or identity_free
 *	identity_free(identity);
 */
#ifndef CLIENT_IDENTITY_H
#define CLIENT_IDENTITY_H

#include "base/error.h"
#include "base/slice.h"

struct identity;
struct loop;
struct network;

struct identity_options {
	struct network *network;
	struct loop *loop;
	const char *socket; /* the signer's; copied, as is the id */
	struct slice id;    /* a SPIFFE ID */
	int64_t ttl_s;      /* how long a certificate shall live; 0: as long as the signer allows */
};

struct identity_credentials {
	struct slice id;
	struct slice chain, key, bundle; /* PEM; each is followed by a NUL */
	uint64_t generation;             /* of the bundle */
	int64_t not_after_s;             /* seconds since 1970 */
	int64_t renew_s;                 /* when the next one will be asked for */
};

struct identity_events {
	/* Another certificate, or another bundle. The first call: now there is one. */
	void (*changed)(void *owner, const struct identity_credentials *credentials);
	/* Asking failed, and will be tried again; `reason` is a sentence, valid during the call. */
	void (*failed)(void *owner, int error, struct slice reason);
};

/* ERROR_SYNTAX: no SPIFFE ID. Everything else is told by events: the signer may be started later. */
MUST_CHECK int identity_new(
	const struct identity_options *options, const struct identity_events *events, void *owner, struct identity **identity);
const struct identity_credentials *identity_credentials(const struct identity *identity); /* NULL: none yet */
/* No event comes any more. Its connections end in this turn of the loop, and its memory with them. NULL is allowed. */
void identity_free(struct identity *identity);

#endif

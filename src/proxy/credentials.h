/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/credentials.h: the identity of a process that has it from a signer (client/identity.h), as what TLS loads: the certificate with
 * its key, and the bundle, in memory only. Each time the signer gives others, the store loads them anew. Control thread.
 *
 * It is made once, of the first configuration: another signer or ID takes effect at the next start.
 *
 *	e = credentials_new(&options, &credentials);
 *	loop_run(loop);                       // `ready` is called once, and may stop it
 *	certificates_load(snapshot, store, credentials, &problems);
 *	credentials_free(credentials);        // behind the store
 */
#ifndef PROXY_CREDENTIALS_H
#define PROXY_CREDENTIALS_H

#include "base/error.h"
#include "model/snapshot.h"

struct credentials;
struct loop;
struct metrics;
struct network;
struct tls_store;

struct credentials_options {
	struct network *network;
	struct loop *loop;
	struct tls_store *store;
	const struct identity_policy *policy; /* copied; without a socket nothing is asked for */
	void (*ready)(void *owner);           /* there are credentials now */
	void *owner;
};

/* ERROR_SYNTAX: the id is no SPIFFE ID. */
MUST_CHECK int credentials_new(const struct credentials_options *options, struct credentials **credentials);
bool credentials_are_ready(const struct credentials *credentials);
/* Whether they are of that signer and ID. */
bool credentials_are_of(const struct credentials *credentials, const struct identity_policy *policy);
/* NULL is allowed, and gives NULL. */
const struct tls_source *credentials_svid(const struct credentials *credentials);
const struct tls_source *credentials_bundle(const struct credentials *credentials);
/* From now on they are told as `identity/...`. */
void credentials_show(struct credentials *credentials, struct metrics *metrics);
/* No question is asked any more. */
void credentials_stop(struct credentials *credentials);
void credentials_free(struct credentials *credentials); /* NULL is allowed */

#endif

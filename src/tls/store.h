/* SPDX-License-Identifier: Apache-2.0 */
/* tls/store.h: all servers and clients of TLS in the process, one for each set of options, kept up with their files. Control thread,
 * on whose loop it watches, and rotates the keys of tickets.
 *
 * Equal options give the same object, over reloads of the configuration too, so that tickets go on being taken and connections to
 * endpoints stay. When a file of one changes it is loaded again; a bad new file is logged and counted, and what was loaded before
 * stays. Objects that nobody else has any more go within a minute. OpenSSL is started by the first object.
 *
 *	struct tls_store *store = tls_store_new(loop);
 *	e = tls_store_server(store, &options, &problems, &server);    // a reference
 *	tls_store_free(store);                                        // objects that others still have live on, unwatched
 */
#ifndef TLS_STORE_H
#define TLS_STORE_H

#include "base/counter.h"
#include "base/error.h"
#include "doc/problem.h"
#include "tls/options.h"

struct loop;
struct tls_client;
struct tls_server;
struct tls_store;

struct tls_store_counters {
	struct counter reloads;  /* files that changed and were taken */
	struct counter failures; /* and were not */
};

struct tls_store *tls_store_new(struct loop *loop);
void tls_store_free(struct tls_store *store); /* NULL is allowed */
/* Found, and its files looked at anew (once in a turn of the loop), or made. ERROR_INVALID: what is wrong is in `problems`. */
MUST_CHECK int tls_store_server(
	struct tls_store *store, const struct tls_server_options *options, struct problems *problems, struct tls_server **server);
MUST_CHECK int tls_store_client(
	struct tls_store *store, const struct tls_client_options *options, struct problems *problems, struct tls_client **client);
/* Sources (tls/options.h) have changed: everything is loaded anew, as when files change. */
void tls_store_refresh(struct tls_store *store);
/* From now on it counts there. */
void tls_store_count(struct tls_store *store, struct tls_store_counters *counters);

#endif

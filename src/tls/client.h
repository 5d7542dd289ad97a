/* SPDX-License-Identifier: Apache-2.0 */
/* tls/client.h: the client's end of TLS as a client's options want it: whose servers are trusted, and the certificate that we show.
 * As tls/server.h: made and reloaded on the control thread, used by all workers, counted.
 *
 *	struct tls_client *client;
 *	if (tls_client_new(&options, wall_ns, &problems, &client)) ...
 *	stream = tls_connect(pools, client, &target, below);     // tls/stream.h
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "base/error.h"
#include "doc/problem.h"
#include "tls/options.h"

struct tls_client;

MUST_CHECK int tls_client_new(
	const struct tls_client_options *options, int64_t wall_ns, struct problems *problems, struct tls_client **client);
MUST_CHECK int tls_client_reload(struct tls_client *client, int64_t wall_ns, struct problems *problems, bool *changed);
struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client *client);
const struct tls_client_options *tls_client_options(const struct tls_client *client);
/* INT64_MAX: it shows no certificate. */
int64_t tls_client_expires(const struct tls_client *client);
int64_t tls_client_left(const struct tls_client *client);

#endif

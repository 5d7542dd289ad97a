/* SPDX-License-Identifier: Apache-2.0 */
/* tls/server.h: the server's end of TLS as a listener's options want it: certificates and their keys, who may come, how sessions
 * are resumed. Made and reloaded on the control thread, used by all workers, counted with atomics.
 *
 * A reload reads the files again. If they are good, handshakes that begin from then on use what they hold; connections that are
 * there already go on with what they began with. If they aren't, nothing changes.
 *
 *	struct tls_server *server;
 *	if (tls_server_new(&options, wall_ns, &problems, &server)) ...
 *	stream = tls_accept(pools, server, below);       // tls/stream.h; any worker
 *	tls_server_unref(server);
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "base/error.h"
#include "doc/problem.h"
#include "tls/options.h"

struct tls_server;

/* One reference; options are copied. Reads files. ERROR_INVALID: each thing that is wrong is in `problems`. Control thread. */
MUST_CHECK int tls_server_new(
	const struct tls_server_options *options, int64_t wall_ns, struct problems *problems, struct tls_server **server);
/* ERROR_INVALID as above, and the server stays as it is. *changed: the files are others than before. Control thread. */
MUST_CHECK int tls_server_reload(struct tls_server *server, int64_t wall_ns, struct problems *problems, bool *changed);
/* New keys for tickets; those of the last period are still taken. Control thread. */
void tls_server_rotate(struct tls_server *server);
struct tls_server *tls_server_ref(struct tls_server *server);
void tls_server_unref(struct tls_server *server); /* NULL is allowed; any thread */
const struct tls_server_options *tls_server_options(const struct tls_server *server);
/* When the first certificate of the chain ends, in seconds since 1970. Control thread. */
int64_t tls_server_expires(const struct tls_server *server);
/* The seconds until then, as the store counts them down; any thread. */
int64_t tls_server_left(const struct tls_server *server);

#endif

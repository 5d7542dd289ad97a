/* SPDX-License-Identifier: Apache-2.0 */
/* support/secure.h: the two ends of TLS for simulated hosts, each with a certificate that the other wants to see; so that what runs
 * in plain text, or over a test's filter, can run over TLS just so. The host that is entered gets the files.
 *
 *	struct secure *secure = secure_new(server_loop, client_loop);
 *	stream = secure_server(secure, accepted);
 *	stream = secure_client(secure, connecting);
 *	secure_free(secure);                        // when the streams are closed
 */
#ifndef SUPPORT_SECURE_H
#define SUPPORT_SECURE_H

#include "tls/client.h"
#include "tls/server.h"
#include "tls/stream.h"

struct loop;

#define SECURE_NAME "server.example"

struct secure {
	struct tls_server *server;
	struct tls_client *client;
	struct tls_pools *server_pools, *client_pools;
	struct tls_counters server_counters, client_counters;
	struct tls_session session;
};

struct secure *secure_new(struct loop *server_loop, struct loop *client_loop);
void secure_free(struct secure *secure);
struct stream *secure_server(struct secure *secure, struct stream *below);
struct stream *secure_client(struct secure *secure, struct stream *below);

#endif

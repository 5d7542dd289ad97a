/* SPDX-License-Identifier: Apache-2.0 */
#include "support/secure.h"

#include "base/check.h"
#include "base/memory.h"
#include "io/loop.h"
#include "io/network.h"
#include "io/sim/sim.h"
#include "support/pki.h"
#include "tls/library.h"

#define SETTING(path) \
	{ \
		.text = { path, sizeof(path) - 1 }, .file = { "test", 4 } \
	}

static const struct tls_setting trust = SETTING("root.pem");
static const struct tls_certificate server_certificate = { .chain = SETTING("server.pem"), .key = SETTING("server.key") };
static const struct tls_certificate client_certificate = { .chain = SETTING("client.pem"), .key = SETTING("client.key") };

static void put(struct network *host, const char *path, const char *text)
{
	sim_file_put(host, path, slice_of(text));
}

static void put_files(struct network *host)
{
	struct pki root, server, client;

	pki_issue(&root, NULL, &(struct pki_options){ .name = "Root", .authority = true });
	pki_issue(&server, &root, &(struct pki_options){ .name = "server", .san = "DNS:" SECURE_NAME });
	pki_issue(
		&client, &root, &(struct pki_options){ .name = "client", .san = "URI:spiffe://example/ns/a/sa/client,DNS:client.example" });
	put(host, "root.pem", root.certificate);
	put(host, "server.pem", server.certificate);
	put(host, "server.key", server.key);
	put(host, "client.pem", client.certificate);
	put(host, "client.key", client.key);
	pki_free(&root);
	pki_free(&server);
	pki_free(&client);
}

struct secure *secure_new(struct loop *server_loop, struct loop *client_loop)
{
	struct secure *secure = memory_new(sizeof *secure);
	struct tls_server_options server = {
		.certificates = &server_certificate,
		.certificate_count = 1,
		.trust = &trust,
		.trust_count = 1,
		.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED,
	};
	struct tls_client_options client = { .trust = &trust, .trust_count = 1, .certificate = client_certificate };
	int e;

	put_files(network_host());
	e = tls_server_new(&server, loop_wall(server_loop), NULL, &secure->server);
	CHECK(e == 0);
	e = tls_client_new(&client, loop_wall(client_loop), NULL, &secure->client);
	CHECK(e == 0);
	e = tls_pools_new(server_loop, &(struct tls_limits){ 0 }, &secure->server_pools);
	CHECK(e == 0);
	e = tls_pools_new(client_loop, &(struct tls_limits){ 0 }, &secure->client_pools);
	CHECK(e == 0);
	return secure;
}

void secure_free(struct secure *secure)
{
	if (!secure)
		return;
	tls_session_free(&secure->session);
	tls_pools_free(secure->server_pools);
	tls_pools_free(secure->client_pools);
	tls_server_unref(secure->server);
	tls_client_unref(secure->client);
	memory_free(secure);
}

struct stream *secure_server(struct secure *secure, struct stream *below)
{
	struct stream *stream;
	int e = tls_accept(secure->server_pools, secure->server, below, &secure->server_counters, &stream);

	CHECK(e == 0);
	return stream;
}

struct stream *secure_client(struct secure *secure, struct stream *below)
{
	struct tls_target target = { .name = SLICE(SECURE_NAME), .session = &secure->session };
	struct stream *stream;
	int e = tls_connect(secure->client_pools, secure->client, &target, below, &secure->client_counters, &stream);

	CHECK(e == 0);
	return stream;
}

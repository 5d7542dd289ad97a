/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/certificates.h"

#include "tls/store.h"

/* What a listener agrees to speak, unless its options say so themselves. */
static void choose_protocols(struct tls_server_options *options, enum protocol protocol)
{
	if (options->choices.alpn_count > 0)
		return;
	options->choices.alpn[options->choices.alpn_count++] = protocol == PROTOCOL_H2 ? SLICE("h2") : SLICE("http/1.1");
}

static int load_server(const struct tls_server_options *given, enum protocol protocol, struct tls_store *store, struct problems *problems,
                       struct tls_server **server)
{
	struct tls_server_options options;

	if (!given || *server)
		return 0;
	options = *given;
	choose_protocols(&options, protocol);
	return tls_store_server(store, &options, problems, server);
}

static int load_router(const struct router *router, struct tls_store *store, struct problems *problems)
{
	/* The snapshot isn't shared yet. */
	struct listener_policy *listeners = (struct listener_policy *)(uintptr_t)router->listeners;
	struct client_rule *rules = (struct client_rule *)(uintptr_t)router->client_rules;
	int e = 0;

	for (unsigned i = 0; i < router->listener_count; i++) {
		if (load_server(listeners[i].tls, router->protocol, store, problems, &listeners[i].tls_server))
			e = ERROR_INVALID;
	}
	for (unsigned i = 0; i < router->client_rule_count; i++) {
		struct tls_policy *tls = &rules[i].policy.tls;

		if (tls->options && !tls->client && tls_store_client(store, tls->options, problems, &tls->client))
			e = ERROR_INVALID;
	}
	return e;
}

int certificates_load(struct snapshot *snapshot, struct tls_store *store, struct problems *problems)
{
	int e = load_server(snapshot->admin.tls, PROTOCOL_HTTP, store, problems, &snapshot->admin.tls_server);

	for (unsigned i = 0; i < snapshot->router_count; i++) {
		if (load_router(&snapshot->routers[i], store, problems))
			e = ERROR_INVALID;
	}
	return e;
}

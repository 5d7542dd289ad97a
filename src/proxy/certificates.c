/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/certificates.h"

#include "base/check.h"
#include "proxy/credentials.h"
#include "tls/store.h"

static void *space(struct snapshot *snapshot, size_t size)
{
	void *at = arena_get(&snapshot->arena, size);

	if (!at)
		check_out_of_memory("the options of TLS");
	return at;
}

/* ---- mutual TLS: options made of the identity ---- */

/* A part of the identity, from its directory or from the signer; what is wrong with it is said where the configuration names that. */
static struct tls_setting part_of(struct snapshot *snapshot, const char *name, const struct tls_source *source)
{
	const struct identity_policy *identity = &snapshot->identity;
	bool given = identity->socket.text.length > 0;
	struct tls_setting setting = given ? identity->socket : identity->directory;

	setting.source = given ? source : NULL;
	setting.text = given ? arena_format(&snapshot->arena, "%s from %.*s", name, SLICE_ARGS(setting.text))
			     : arena_format(&snapshot->arena, "%.*s/%s", SLICE_ARGS(setting.text), name);
	if (!setting.text.at)
		check_out_of_memory("the options of TLS");
	return setting;
}

static struct tls_certificate certificate_of(struct snapshot *snapshot, const struct credentials *credentials)
{
	const struct tls_setting both = part_of(snapshot, "svid.pem", credentials_svid(credentials));

	return (struct tls_certificate){ .chain = both, .key = both };
}

static const struct tls_setting *bundle_of(struct snapshot *snapshot, const struct credentials *credentials)
{
	struct tls_setting *bundle = space(snapshot, sizeof *bundle);

	*bundle = part_of(snapshot, "bundle.pem", credentials_bundle(credentials));
	return bundle;
}

static const struct tls_server_options *mutual_server(struct snapshot *snapshot, const struct credentials *credentials, bool permissive)
{
	struct tls_server_options *options = space(snapshot, sizeof *options);
	struct tls_certificate *certificate = space(snapshot, sizeof *certificate);

	*certificate = certificate_of(snapshot, credentials);
	*options = (struct tls_server_options){
		.certificates = certificate,
		.certificate_count = 1,
		.trust = bundle_of(snapshot, credentials),
		.trust_count = 1,
		.client_certificate = TLS_CLIENT_CERTIFICATE_REQUIRED,
		.workloads = true,
		.permissive = permissive,
	};
	return options;
}

static const struct tls_client_options *mutual_client(struct snapshot *snapshot, const struct credentials *credentials)
{
	struct tls_client_options *options = space(snapshot, sizeof *options);

	*options = (struct tls_client_options){
		.workloads = true,
		.trust = bundle_of(snapshot, credentials),
		.trust_count = 1,
		.certificate = certificate_of(snapshot, credentials),
	};
	return options;
}

static void make_mutual(struct snapshot *snapshot, const struct router *router, const struct credentials *credentials)
{
	/* The snapshot isn't shared yet. */
	struct listener_policy *listeners = (struct listener_policy *)(uintptr_t)router->listeners;
	struct client_rule *rules = (struct client_rule *)(uintptr_t)router->client_rules;

	for (unsigned i = 0; i < router->listener_count; i++) {
		if (listeners[i].mutual != MUTUAL_OFF)
			listeners[i].tls = mutual_server(snapshot, credentials, listeners[i].mutual == MUTUAL_PERMISSIVE);
	}
	for (unsigned i = 0; i < router->client_rule_count; i++) {
		if (rules[i].policy.tls.mutual != MUTUAL_OFF)
			rules[i].policy.tls.options = mutual_client(snapshot, credentials);
	}
}

/* False: a problem was added. What a signer gives can't be looked at without it (`credentials` NULL): then nothing is made of it. */
static bool make_all_mutual(struct snapshot *snapshot, const struct credentials *credentials, struct problems *problems)
{
	const struct tls_setting *socket = &snapshot->identity.socket;

	if (socket->text.length && !credentials)
		return true;
	if (socket->text.length && !credentials_are_of(credentials, &snapshot->identity)) {
		problem_add_at(problems, socket->file, socket->line, socket->column,
			"identity: another socket or id takes effect at the next start: weft has to be started again");
		return false;
	}
	for (unsigned i = 0; i < snapshot->router_count; i++)
		make_mutual(snapshot, &snapshot->routers[i], credentials);
	return true;
}

/* ---- loading ---- */

/* What a server agrees to speak, unless its options say so themselves. */
static void choose_protocols(struct tls_server_options *options)
{
	if (options->choices.alpn_count > 0)
		return;
	options->choices.alpn[options->choices.alpn_count++] = SLICE("h2");
	options->choices.alpn[options->choices.alpn_count++] = SLICE("http/1.1");
}

static int load_server(
	const struct tls_server_options *given, struct tls_store *store, struct problems *problems, struct tls_server **server)
{
	struct tls_server_options options;

	if (!given || *server)
		return 0;
	options = *given;
	choose_protocols(&options);
	return tls_store_server(store, &options, problems, server);
}

static int load_client(struct tls_policy *tls, struct tls_store *store, struct problems *problems)
{
	return tls->options && !tls->client ? tls_store_client(store, tls->options, problems, &tls->client) : 0;
}

static int load_router(const struct router *router, struct tls_store *store, struct problems *problems)
{
	struct listener_policy *listeners = (struct listener_policy *)(uintptr_t)router->listeners;
	struct client_rule *rules = (struct client_rule *)(uintptr_t)router->client_rules;
	int e = 0;

	for (unsigned i = 0; i < router->listener_count; i++) {
		if (load_server(listeners[i].tls, store, problems, &listeners[i].tls_server))
			e = ERROR_INVALID;
	}
	for (unsigned i = 0; i < router->client_rule_count; i++) {
		if (load_client(&rules[i].policy.tls, store, problems))
			e = ERROR_INVALID;
	}
	return e;
}

int certificates_load(struct snapshot *snapshot, struct tls_store *store, const struct credentials *credentials, struct problems *problems)
{
	int e;

	if (!make_all_mutual(snapshot, credentials, problems))
		return ERROR_INVALID;
	e = load_server(snapshot->admin.tls, store, problems, &snapshot->admin.tls_server);

	for (unsigned i = 0; i < snapshot->router_count; i++) {
		if (load_router(&snapshot->routers[i], store, problems))
			e = ERROR_INVALID;
	}
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++) {
		if (load_client(&snapshot->telemetry.collectors[i].tls, store, problems))
			e = ERROR_INVALID;
	}
	return e;
}

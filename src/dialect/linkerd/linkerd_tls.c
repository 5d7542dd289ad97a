/* SPDX-License-Identifier: Apache-2.0 */
/* `tls`, of servers, clients and admin. What the files hold is looked at later (proxy/certificates.h). */
#include "dialect/linkerd/linkerd_parts.h"
#include "model/matcher.h"

/* ---- values with their places ---- */

static struct tls_setting setting_of(struct linkerd_load *load, const struct document_node *node)
{
	struct slice text = { 0 };
	struct tls_setting setting = { 0 };

	if (!document_read_text(node, &text, load->problems))
		return setting;
	if (text.length == 0)
		linkerd_problem(load, node, "is empty");
	setting.text = linkerd_copy(load, text);
	setting.file = linkerd_copy(load, document_file(node->document));
	setting.line = node->line;
	setting.column = node->column;
	return setting;
}

void linkerd_read_setting(struct linkerd_load *load, const struct document_node *node, void *out)
{
	*(struct tls_setting *)out = setting_of(load, node);
}

static void read_protocols(struct linkerd_load *load, const struct document_node *list, void *out)
{
	static const char *const names[] = { "TLSv1.2", "TLSv1.3", NULL };
	static const char *const old[] = { "SSLv2", "SSLv2Hello", "SSLv3", "TLSv1", "TLSv1.1", NULL };
	struct tls_choices *choices = out;

	if (!document_expect(list, DOCUMENT_SEQUENCE, load->problems))
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		struct slice text = { 0 };
		int which = 0;

		if (list->items[i]->kind == DOCUMENT_SCALAR)
			text = list->items[i]->text;
		for (const char *const *one = old; *one; one++) {
			if (slice_equal(text, slice_of(*one)))
				which = -1;
		}
		if (which < 0)
			linkerd_problem(
				load, list->items[i], "`%.*s` is not safe any more: weft speaks TLSv1.2 and TLSv1.3", SLICE_ARGS(text));
		else if (document_read_choice(list->items[i], names, &which, load->problems))
			choices->protocols |= which == 0 ? TLS_1_2 : TLS_1_3;
	}
}

static void read_ciphers(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct tls_choices *choices = out;

	choices->ciphers = linkerd_read_list(load, list, sizeof(struct tls_setting), linkerd_read_setting, &choices->cipher_count);
}

/* ---- servers ---- */

struct server {
	struct tls_certificate certificate;
	struct tls_setting trust;
	bool require;
	struct tls_choices choices;
};

#define AT(member) offsetof(struct server, member)

static const struct linkerd_key server_keys[] = {
	{ "certPath", LINKERD_READ, AT(certificate.chain), .required = true, .read = linkerd_read_setting,
		.says = "PEM: the certificate; what of its chain follows it is sent, too" },
	{ "keyPath", LINKERD_READ, AT(certificate.key), .required = true, .read = linkerd_read_setting,
		.says = "PEM: its key, without a password" },
	{ "intermediateCertsPath", LINKERD_READ, AT(certificate.intermediates), .read = linkerd_read_setting,
		.says = "PEM: more of the chain; none" },
	{ "caCertPath", LINKERD_READ, AT(trust), .read = linkerd_read_setting, .says = "PEM: whose clients are trusted; none" },
	{ "requireClientAuth", LINKERD_BOOL, AT(require), .says = "clients without a trusted certificate are refused; false" },
	{ "ciphers", LINKERD_READ, AT(choices), .read = read_ciphers,
		.says = "by OpenSSL's or IANA's names, the preferred first; OpenSSL's own, with TLS 1.2 those with ECDHE and AEAD" },
	{ "protocols", LINKERD_READ, AT(choices), .read = read_protocols, .says = "TLSv1.2, TLSv1.3; both" },
	{ "ocspPath", LINKERD_READ, AT(certificate.ocsp), .read = linkerd_read_setting,
		.says = "DER: the OCSP response to staple (weft's own key); none" },
	{ 0 },
};
const struct linkerd_block linkerd_server_tls = { .name = "tls of servers and admin", .keys = server_keys };

static const struct tls_server_options *server_options(struct linkerd_load *load, const struct server *server)
{
	struct tls_server_options *options = linkerd_memory(load, sizeof *options);
	struct tls_certificate *certificate = linkerd_memory(load, sizeof *certificate);
	struct tls_setting *trust = linkerd_memory(load, sizeof *trust);

	*certificate = server->certificate;
	*trust = server->trust;
	*options = (struct tls_server_options){
		.certificates = certificate,
		.certificate_count = 1,
		.trust = trust,
		.trust_count = trust->text.length > 0,
		.client_certificate = server->require ? TLS_CLIENT_CERTIFICATE_REQUIRED : TLS_CLIENT_CERTIFICATE_OFF,
		.choices = server->choices,
	};
	return options;
}

void linkerd_read_server_tls(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct server server = { 0 };

	if (!linkerd_read_block(load, node, &linkerd_server_tls, &server))
		return;
	if (server.require && server.trust.text.length == 0) {
		linkerd_problem(load, node, "requireClientAuth needs caCertPath: whose clients are to be trusted?");
		return;
	}
	*(const struct tls_server_options **)out = server_options(load, &server);
}

/* ---- clients ---- */

struct client {
	bool enabled, no_verification;
	struct tls_setting common_name;
	const struct tls_setting *trust;
	unsigned trust_count;
	struct tls_setting bundle;
	struct tls_certificate certificate;
	struct tls_choices choices;
};

#undef AT
#define AT(member) offsetof(struct client, member)

static void read_trust(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct client *client = out;

	client->trust = linkerd_read_list(load, list, sizeof(struct tls_setting), linkerd_read_setting, &client->trust_count);
}

#define PAIR(member) offsetof(struct tls_certificate, member)

static const struct linkerd_key pair_keys[] = {
	{ "certPath", LINKERD_READ, PAIR(chain), .required = true, .read = linkerd_read_setting, .says = "PEM: the certificate" },
	{ "keyPath", LINKERD_READ, PAIR(key), .required = true, .read = linkerd_read_setting, .says = "PEM: its key, without a password" },
	{ "intermediateCertsPath", LINKERD_READ, PAIR(intermediates), .read = linkerd_read_setting,
		.says = "PEM: more of the chain; none" },
	{ 0 },
};
static const struct linkerd_block pair_block = { .name = "clientAuth", .keys = pair_keys };

static const struct linkerd_key client_keys[] = {
	{ "enabled", LINKERD_BOOL, AT(enabled), .says = "false: plain text, whatever the other keys say; true" },
	{ "disableValidation", LINKERD_BOOL, AT(no_verification), .says = "true: anybody may be the server; false" },
	{ "commonName", LINKERD_READ, AT(common_name), .read = linkerd_read_setting,
		.says = "what the server's certificate must be for, and SNI; may hold {captures} of the prefix; required with validation" },
	{ "trustCerts", LINKERD_READ, 0, .read = read_trust, .says = "PEM files: who issues servers' certificates; the machine's" },
	{ "trustCertsBundle", LINKERD_READ, AT(bundle), .read = linkerd_read_setting, .says = "the same, as one file" },
	{ "clientAuth", LINKERD_BLOCK, AT(certificate), .block = &pair_block, .says = "what we show the server; nothing" },
	{ "protocols", LINKERD_READ, AT(choices), .read = read_protocols, .says = "TLSv1.2, TLSv1.3; both" },
	{ 0 },
};
const struct linkerd_block linkerd_client_tls = { .name = "tls of clients", .keys = client_keys };

static bool check_client(struct linkerd_load *load, const struct document_node *node, const struct client *client)
{
	if (client->no_verification && client->certificate.chain.text.length > 0)
		linkerd_problem(load, node, "disableValidation and clientAuth exclude each other: we would show ourselves to anybody");
	else if (client->trust_count > 0 && client->bundle.text.length > 0)
		linkerd_problem(load, node, "trustCerts and trustCertsBundle exclude each other");
	else if (!client->no_verification && client->common_name.text.length == 0)
		linkerd_problem(load, node, "needs commonName, what the servers' certificates are for (or disableValidation: true)");
	else
		return true;
	return false;
}

static const struct tls_client_options *client_options(struct linkerd_load *load, const struct client *client)
{
	struct tls_client_options *options = linkerd_memory(load, sizeof *options);
	struct tls_setting *bundle = linkerd_memory(load, sizeof *bundle);
	bool one = client->bundle.text.length > 0;

	*bundle = client->bundle;
	*options = (struct tls_client_options){
		.no_verification = client->no_verification,
		.trust = one ? bundle : client->trust,
		.trust_count = one ? 1 : client->trust_count,
		.certificate = client->certificate,
		.choices = client->choices,
	};
	return options;
}

void linkerd_read_client_tls(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct client client = { .enabled = true };
	struct tls_policy *tls = out;

	if (!linkerd_read_block(load, node, &linkerd_client_tls, &client) || !check_client(load, node, &client) || !client.enabled)
		return;
	tls->options = client_options(load, &client);
	tls->common_name = client.common_name;
}

void linkerd_check_captures(struct linkerd_load *load, const char *key, const struct tls_setting *setting, const struct matcher *matcher)
{
	struct slice text = setting->text;

	for (;;) {
		size_t open = slice_find(text, '{'), close;

		if (open == text.length)
			return;
		text = slice_from(text, open + 1);
		close = slice_find(text, '}');
		if (close == text.length)
			return;
		struct slice name = slice_make(text.at, close);
		if (!matcher || !matcher_captures(matcher, name))
			problem_add_at(load->problems, setting->file, setting->line, setting->column,
				"%s: {%.*s} is no capture of the rule's prefix", key, SLICE_ARGS(name));
		text = slice_from(text, close + 1);
	}
}

/* Each capture in commonName is one of the rule's. */
void linkerd_check_common_name(struct linkerd_load *load, const struct client_rule *rule)
{
	linkerd_check_captures(load, "commonName", &rule->policy.tls.common_name, rule->matcher);
}

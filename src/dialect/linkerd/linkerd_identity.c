/* SPDX-License-Identifier: Apache-2.0 */
/* `identity`, and what needs it: `mutualTls`, `peerIds`, `clientCert`. weft's own keys: see docs/identity.md. */
#include "dialect/linkerd/linkerd_parts.h"
#include "model/matcher.h"
#include "tls/spiffe.h"

#define AT(member) offsetof(struct identity_policy, member)

static void read_id(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct tls_setting *setting = out;
	char found[DOCUMENT_FOUND];
	struct spiffe id;
	const char *reason;

	linkerd_read_setting(load, node, setting);
	if (setting->text.length && spiffe_parse(setting->text, &id, &reason))
		linkerd_problem(load, node, "%s is no SPIFFE ID: %s", document_found(node, found), reason);
}

static const struct linkerd_key identity_keys[] = {
	{ "directory", LINKERD_READ, AT(directory), .read = linkerd_read_setting,
		.says = "svid.pem (certificate and key) and bundle.pem in it, as `weft ca agent` keeps them" },
	{ "socket", LINKERD_READ, AT(socket), .read = linkerd_read_setting,
		.says = "in place of it: where `weft ca serve` listens; then key and certificate are only in memory" },
	{ "id", LINKERD_READ, AT(id), .read = read_id, .says = "with `socket`: the SPIFFE ID that is asked for" },
	{ 0 },
};
const struct linkerd_block linkerd_identity = { .name = "identity", .keys = identity_keys };

void linkerd_read_identity(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct identity_policy *identity = out;

	if (!linkerd_read_block(load, node, &linkerd_identity, identity))
		return;
	if (!identity->directory.text.length && !identity->socket.text.length)
		linkerd_problem(load, node, "needs `directory`, or `socket` and `id`");
	else if (identity->directory.text.length && identity->socket.text.length)
		linkerd_problem(load, node, "`directory` and `socket` exclude each other");
	else if ((identity->socket.text.length > 0) != (identity->id.text.length > 0))
		linkerd_problem(load, node, "`socket` and `id` need each other");
}

/* ---- mutualTls ---- */

static enum mutual read_mutual(
	struct linkerd_load *load, const struct document_node *node, const char *const *names, const enum mutual *values)
{
	int which = 0;

	if (!document_read_choice(node, names, &which, load->problems))
		return MUTUAL_OFF;
	if (values[which] != MUTUAL_OFF && !load->identity)
		linkerd_problem(load, node, "needs `identity` at the top of the file: who this process is");
	return values[which];
}

void linkerd_read_server_mutual(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const char *const names[] = { "off", "permissive", "strict", NULL };
	static const enum mutual values[] = { MUTUAL_OFF, MUTUAL_PERMISSIVE, MUTUAL_STRICT };

	*(enum mutual *)out = read_mutual(load, node, names, values);
}

void linkerd_read_client_mutual(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const char *const names[] = { "off", "strict", NULL };
	static const enum mutual values[] = { MUTUAL_OFF, MUTUAL_STRICT };

	((struct tls_policy *)out)->mutual = read_mutual(load, node, names, values);
}

void linkerd_check_mutual(struct linkerd_load *load, const struct document_node *block, enum mutual mutual)
{
	if (mutual != MUTUAL_OFF && document_get(block, "tls"))
		linkerd_problem(load, document_get(block, "mutualTls"),
			"`mutualTls` and `tls` exclude each other: the identity says how connections are secured, or `tls` does");
}

/* ---- peerIds ---- */

/* With something in place of each {capture}, as if it had been captured. */
static void check_pattern(struct linkerd_load *load, const struct document_node *node, struct slice text)
{
	char shown[PEERS_MOST + 1], found[DOCUMENT_FOUND];
	size_t length = 0;
	const char *reason;

	for (size_t i = 0; i < text.length; i++) {
		if (length == PEERS_MOST) {
			linkerd_problem(load, node, "is longer than %d bytes", PEERS_MOST);
			return;
		}
		size_t close = text.at[i] == '{' ? slice_find(slice_from(text, i), '}') : 0;
		bool capture = close > 0 && i + close < text.length;
		shown[length++] = capture ? 'x' : text.at[i];
		i += capture ? close : 0;
	}
	if (spiffe_check_pattern(slice_make(shown, length), &reason))
		linkerd_problem(load, node, "%s is no pattern of SPIFFE IDs: %s", document_found(node, found), reason);
}

static void read_peer_id(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct tls_setting *setting = out;

	linkerd_read_setting(load, node, setting);
	if (setting->text.length)
		check_pattern(load, node, setting->text);
}

void linkerd_read_peer_ids(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct tls_policy *tls = out;

	tls->peer_ids = linkerd_read_list(load, node, sizeof(struct tls_setting), read_peer_id, &tls->peer_id_count);
	if (node->kind == DOCUMENT_SEQUENCE && node->count == 0)
		linkerd_problem(load, node, "is empty: then nobody could be an endpoint");
}

static void read_caller(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct tls_setting *setting = out;
	char found[DOCUMENT_FOUND];
	const char *reason;

	linkerd_read_setting(load, node, setting);
	if (setting->text.length && spiffe_check_pattern(setting->text, &reason))
		linkerd_problem(load, node, "%s is no pattern of SPIFFE IDs: %s", document_found(node, found), reason);
}

void linkerd_read_server_peer_ids(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct listener_policy *server = out;

	server->peer_ids = linkerd_read_list(load, node, sizeof(struct tls_setting), read_caller, &server->peer_id_count);
	if (node->kind == DOCUMENT_SEQUENCE && node->count == 0)
		linkerd_problem(load, node, "is empty: then nobody could call");
}

static size_t all_of(const struct tls_policy *tls)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < tls->peer_id_count; i++)
		bytes += tls->peer_ids[i].text.length + 1;
	return bytes;
}

static void check_rule(struct linkerd_load *load, const struct document_node *block, const struct client_rule *rule)
{
	const struct tls_policy *tls = &rule->policy.tls;

	linkerd_check_mutual(load, block, tls->mutual);
	if (tls->peer_id_count && tls->mutual == MUTUAL_OFF)
		linkerd_problem(load, document_get(block, "peerIds"), "needs `mutualTls: strict` beside it");
	if (all_of(tls) > PEERS_MOST)
		linkerd_problem(load, document_get(block, "peerIds"), "has more than %d bytes in all", PEERS_MOST);
	for (unsigned i = 0; i < tls->peer_id_count; i++)
		linkerd_check_captures(load, "peerIds", &tls->peer_ids[i], rule->matcher);
}

void linkerd_check_client_mutual(struct linkerd_load *load, const struct document_node *client, const struct router *router)
{
	const struct document_node *configs = document_get(client, "configs");

	for (unsigned i = 0; i < router->client_rule_count; i++)
		check_rule(load, configs ? configs->items[i] : client, &router->client_rules[i]);
}

/* ---- clientCert ---- */

void linkerd_read_client_certificate(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const char *const names[] = { "sanitize", "append", "forward", NULL };
	static const enum client_certificate values[] = {
		CLIENT_CERTIFICATE_SANITIZE,
		CLIENT_CERTIFICATE_APPEND,
		CLIENT_CERTIFICATE_FORWARD,
	};
	int which = 0;

	if (document_read_choice(node, names, &which, load->problems))
		*(enum client_certificate *)out = values[which];
}

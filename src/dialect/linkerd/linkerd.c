/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect/linkerd/linkerd.h"

#include "dialect/linkerd/linkerd_parts.h"
#include "doc/json_write.h"

#define AT(member) offsetof(struct snapshot, member)

/* weft's own: see docs/extensions.md. */
static const struct linkerd_key dns_keys[] = {
	{ "resolvConf", LINKERD_TEXT, AT(resolv_conf), .says = "the file that names the nameservers; /etc/resolv.conf" },
	{ 0 },
};
static const struct linkerd_block dns_block = { .name = "dns", .keys = dns_keys };

static const struct linkerd_key root_keys[] = {
	{ "admin", LINKERD_BLOCK, AT(admin), .block = &linkerd_admin, .says = "the admin server" },
	{ "routers", LINKERD_READ, 0, .required = true, .read = linkerd_read_routers, .block = &linkerd_router, .says = "at least one" },
	{ "namers", LINKERD_READ, 0, .read = linkerd_read_namers, .choice = &linkerd_namer,
		.says = "where endpoints come from; of two with one prefix the later is asked first" },
	{ "telemetry", LINKERD_READ, AT(telemetry), .read = linkerd_read_telemetry, .choice = &linkerd_telemetry,
		.says = "what else is told of requests" },
	{ "usage", LINKERD_BLOCK, LINKERD_NOWHERE, .block = &linkerd_usage, .says = "accepted; nothing is ever sent" },
	{ "dns", LINKERD_BLOCK, 0, .block = &dns_block, .says = "weft's own (docs/extensions.md): how names of hosts are resolved" },
	{ "identity", LINKERD_READ, AT(identity), .read = linkerd_read_identity, .block = &linkerd_identity,
		.says = "weft's own (docs/identity.md): who this process is, for mutual TLS; nobody" },
	{ 0 },
};
const struct linkerd_block linkerd_root = { .name = "", .keys = root_keys };

static void write_json(struct snapshot *snapshot, const struct document_node *root)
{
	struct text out = { 0 };
	struct json_writer writer;

	json_write_start(&writer, &out, false);
	json_write_node(&writer, root);
	snapshot->json = arena_copy(&snapshot->arena, text_slice(&out));
	text_free(&out);
}

int linkerd_load(struct slice name, struct slice bytes, struct problems *problems, struct snapshot **snapshot)
{
	struct document *document;
	uint32_t before = problems->count + problems->dropped;
	int e = document_parse(bytes, name, NULL, problems, &document);

	if (e)
		return e;

	struct snapshot *made = snapshot_new();
	struct linkerd_load load = { .snapshot = made, .problems = problems };
	const struct document_node *root = document_root(document);

	made->source = linkerd_copy(&load, name);
	made->admin = linkerd_admin_default();
	load.identity = document_get(root, "identity") != NULL;
	linkerd_read_block(&load, root, &linkerd_root, made);
	linkerd_check(&load, root);
	write_json(made, root);
	document_free(document);
	if (problems->count + problems->dropped > before) {
		snapshot_unref(made);
		return ERROR_INVALID;
	}
	*snapshot = made;
	return 0;
}

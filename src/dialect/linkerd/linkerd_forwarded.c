/* SPDX-License-Identifier: Apache-2.0 */
/* `addForwardedHeader` of a server: what stands for its two ends in the Forwarded field (RFC 7239). */
#include "dialect/linkerd/linkerd_parts.h"

#define LABEL(member) offsetof(struct forwarded_label, member)
#define AT(member) offsetof(struct listener_policy, member)

/* An obfuscated identifier (RFC 7239 section 6.3); the underscore before it is weft's. */
static void read_label_text(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice label;

	if (!document_read_text(node, &label, load->problems))
		return;
	for (size_t i = 0; i < label.length; i++) {
		char c = label.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!letter && c != '.' && c != '_' && c != '-') {
			linkerd_problem(load, node, "only letters, digits, `.`, `_` and `-` are accepted (RFC 7239 section 6.3)");
			return;
		}
	}
	if (label.length == 0)
		linkerd_problem(load, node, "is empty");
	/* One underscore is written before it in any case. */
	if (label.length && label.at[0] == '_')
		label = slice_from(label, 1);
	*(struct slice *)out = linkerd_copy(load, label);
}

static const struct linkerd_key plain_keys[] = {
	LINKERD_KEY_KIND,
	{ 0 },
};
static const struct linkerd_key static_keys[] = {
	LINKERD_KEY_KIND,
	{ "label", LINKERD_READ, LABEL(label), .read = read_label_text, .required = true, .says = "written as _label" },
	{ 0 },
};
static const struct linkerd_block plain_block = { .name = "any", .keys = plain_keys };
static const struct linkerd_block static_block = { .name = "static", .keys = static_keys };

static const struct linkerd_kind label_kinds[] = {
	{ "requestRandom", FORWARDED_REQUEST_RANDOM, &plain_block, "`_` and six characters, new for each request; the default" },
	{ "connectionRandom", FORWARDED_CONNECTION_RANDOM, &plain_block, "the same for all requests of a connection" },
	{ "ip", FORWARDED_IP, &plain_block, "the address" },
	{ "ip:port", FORWARDED_IP_PORT, &plain_block, "the address and the port" },
	{ "router", FORWARDED_ROUTER, &plain_block, "`_` and the router's label" },
	{ "static", FORWARDED_STATIC, &static_block, "a label of one's own" },
	{ 0 },
};
static const struct linkerd_choice label_choice = {
	.name = "addForwardedHeader.by and .for",
	.kinds = label_kinds,
	.usual = "requestRandom",
};

static void read_label(struct linkerd_load *load, const struct document_node *node, void *out)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &label_choice);
	struct forwarded_label *label = out;

	if (!kind)
		return;
	label->kind = (enum forwarded_kind)kind->value;
	linkerd_read_block(load, node, kind->block, label);
}

static const struct linkerd_key forwarded_keys[] = {
	{ "by", LINKERD_READ, AT(forwarded_by), .read = read_label, .choice = &label_choice, .says = "this proxy; requestRandom" },
	{ "for", LINKERD_READ, AT(forwarded_for), .read = read_label, .choice = &label_choice, .says = "the caller; requestRandom" },
	{ 0 },
};
const struct linkerd_block linkerd_forwarded = { .name = "addForwardedHeader", .keys = forwarded_keys };

void linkerd_read_forwarded(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct listener_policy *server = out;

	server->add_forwarded = true;
	linkerd_read_block(load, node, &linkerd_forwarded, server);
}

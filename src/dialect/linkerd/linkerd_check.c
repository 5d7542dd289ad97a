/* SPDX-License-Identifier: Apache-2.0 */
/* What only the whole file shows: labels and addresses that are there twice, labels that are meant and not there. */
#include "dialect/linkerd/linkerd_parts.h"

/* An address that is listened on, and where the file says so. */
struct place {
	struct address address;
	const struct document_node *node; /* NULL: not in the file, a default */
	const char *what;
};

static const struct document_node *item(const struct document_node *list, uint32_t i)
{
	return list && list->kind == DOCUMENT_SEQUENCE && i < list->count ? list->items[i] : NULL;
}

static void check_labels(struct linkerd_load *load, const struct document_node *routers)
{
	const struct snapshot *snapshot = load->snapshot;

	for (unsigned i = 1; i < snapshot->router_count; i++) {
		const struct document_node *node = item(routers, i), *label = document_get(node, "label");

		for (unsigned k = 0; k < i; k++) {
			if (snapshot->routers[i].label.length == 0 || !slice_equal(snapshot->routers[i].label, snapshot->routers[k].label))
				continue;
			linkerd_problem(load, label ? label : node, "the label `%.*s` is that of routers[%u] (line %d) already",
				SLICE_ARGS(snapshot->routers[i].label), k, item(routers, k)->line);
			break;
		}
	}
}

/* Both can't be listened on: the same port, and the same address or one that includes the other. */
static bool conflict(const struct address *a, const struct address *b)
{
	return a->port != 0 && a->port == b->port && (address_same_ip(a, b) || address_is_any(a) || address_is_any(b));
}

static void check_address(struct linkerd_load *load, const struct place *places, unsigned count, const struct place *new)
{
	char text[ADDRESS_TEXT];

	for (unsigned i = 0; i < count; i++) {
		if (!conflict(&places[i].address, &new->address))
			continue;
		address_format(&places[i].address, text);
		if (places[i].node)
			linkerd_problem(load, new->node, "conflicts with %s: %s is listened on already (line %d)", places[i].what, text,
				places[i].node->line);
		else
			linkerd_problem(load, new->node, "conflicts with %s: %s is listened on already", places[i].what, text);
		return;
	}
}

/* The addresses that are listened on so far, each compared with those before it. `all` has room for all. */
struct places {
	struct place *all;
	unsigned count;
};

static void add_place(struct linkerd_load *load, struct places *places, const struct place *new)
{
	check_address(load, places->all, places->count, new);
	places->all[places->count++] = *new;
}

static void add_admin(struct linkerd_load *load, struct places *places, const struct document_node *node)
{
	const struct admin_policy *admin = &load->snapshot->admin;
	struct place place = { admin->address, node, "admin" };

	add_place(load, places, &place);
	if (!(admin->set & ADMIN_IDENTIFIER))
		return;
	place = (struct place){ admin->address, document_get(node, "httpIdentifierPort"), "admin.httpIdentifierPort" };
	place.address.port = admin->identifier_port;
	add_place(load, places, &place);
}

/* Routers of a protocol that isn't supported have no servers here, so there is nothing to compare. */
static void check_addresses(struct linkerd_load *load, const struct document_node *root)
{
	const struct document_node *routers = document_get(root, "routers");
	const struct snapshot *snapshot = load->snapshot;
	unsigned most = 2; /* admin's */

	for (unsigned i = 0; i < snapshot->router_count; i++)
		most += snapshot->routers[i].listener_count;

	struct places places = { linkerd_memory(load, most * sizeof *places.all), 0 };

	add_admin(load, &places, document_get(root, "admin"));
	for (unsigned i = 0; i < snapshot->router_count; i++) {
		const struct document_node *servers = document_get(item(routers, i), "servers");

		for (unsigned k = 0; k < snapshot->routers[i].listener_count; k++)
			add_place(load, &places,
				&(struct place){ snapshot->routers[i].listeners[k].address, item(servers, k), "another server" });
	}
}

/* ---- tracePropagator.joins ---- */

static struct router *find_router(const struct snapshot *snapshot, struct slice label)
{
	for (unsigned i = 0; i < snapshot->router_count; i++)
		if (slice_equal(snapshot->routers[i].label, label))
			return &snapshot->routers[i];
	return NULL;
}

static void check_join(struct linkerd_load *load, const struct router *router, struct slice label, const struct document_node *node)
{
	struct router *joined = find_router(load->snapshot, label);
	char found[DOCUMENT_FOUND];

	if (!joined)
		linkerd_problem(load, node, "%s is the label of no router in this file", document_found(node, found));
	else if (joined == router)
		linkerd_problem(load, node, "%s is this router itself: it is to be one that brings requests to the services here",
			document_found(node, found));
	else
		joined->joined = true;
}

static void check_joins(struct linkerd_load *load, const struct document_node *routers)
{
	for (unsigned i = 0; i < load->snapshot->router_count; i++) {
		const struct router *router = &load->snapshot->routers[i];
		const struct document_node *node = document_get(document_get(item(routers, i), "tracePropagator"), "joins");

		for (unsigned k = 0; k < router->joins_count; k++)
			check_join(load, router, router->joins[k], node->kind == DOCUMENT_SEQUENCE ? item(node, k) : node);
	}
}

void linkerd_check(struct linkerd_load *load, const struct document_node *root)
{
	check_labels(load, document_get(root, "routers"));
	check_addresses(load, root);
	check_joins(load, document_get(root, "routers"));
}

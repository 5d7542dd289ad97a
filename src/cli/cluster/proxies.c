/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster/proxies.h"

#include "cli/cluster/objects.h"

enum { ADMIN_PORT = 9990 };

void proxies_list(const char *namespace, struct text *target)
{
	text_format(target, "/api/v1/namespaces/%s/pods?labelSelector=app+in+%%28l5d%%2Cl5d-ingress%%29", namespace);
}

/* The container's port called `admin`; node proxies that hand over declare none, but say it (install/kubernetes/node.yaml). */
static uint16_t port_of(const struct document_node *pod)
{
	const struct document_node *containers = object_find(pod, "spec/containers"), *notes = object_find(pod, "metadata/annotations");
	const struct document_entry *note =
		notes && notes->kind == DOCUMENT_MAPPING ? document_find(notes, SLICE("weft/admin-port")) : NULL;
	uint64_t noted;

	for (unsigned i = 0; i < object_count(containers); i++) {
		const struct document_node *ports = object_find(containers->items[i], "ports");

		for (unsigned j = 0; j < object_count(ports); j++) {
			uint64_t port = object_number(ports->items[j], "containerPort");

			if (slice_equal(object_text(ports->items[j], "name"), SLICE("admin")) && port > 0 && port <= UINT16_MAX)
				return (uint16_t)port;
		}
	}
	if (note && note->value->kind == DOCUMENT_SCALAR && !slice_to_u64(note->value->text, UINT16_MAX, &noted) && noted > 0)
		return (uint16_t)noted;
	return ADMIN_PORT;
}

bool proxies_read(const struct document_node *pod, struct proxy_pod *proxy, struct text *why)
{
	struct slice phase = object_text(pod, "status/phase");

	*proxy = (struct proxy_pod){
		.name = object_text(pod, "metadata/name"),
		.node = object_text(pod, "spec/nodeName"),
		.address = object_text(pod, "status/podIP"),
		.port = port_of(pod),
		.ending = object_text(pod, "metadata/deletionTimestamp").length > 0,
		.ready = object_pod_is_ready(pod),
	};
	if (!proxy->name.length || slice_equal(phase, SLICE("Succeeded")) || slice_equal(phase, SLICE("Failed")))
		return false;
	if (!slice_equal(phase, SLICE("Running")) || !proxy->address.length) {
		text_append(why, SLICE("it isn't running: "));
		object_pod_reason(pod, why);
	}
	return true;
}

static unsigned rank_of(const struct proxy_pod *pod)
{
	return 2 * !pod->ending + pod->ready;
}

bool proxies_is_replaced(const struct proxy_pod *all, unsigned count, unsigned index)
{
	const struct proxy_pod *one = &all[index];

	for (unsigned i = 0; i < count && one->address.length; i++) {
		unsigned rank = rank_of(&all[i]);

		if (i != index && all[i].port == one->port && slice_equal(all[i].address, one->address) &&
			(rank > rank_of(one) || (rank == rank_of(one) && i < index)))
			return true;
	}
	return false;
}

void proxies_page(const char *namespace, const struct proxy_pod *proxy, struct slice page, struct text *target)
{
	text_format(
		target, "/api/v1/namespaces/%s/pods/%.*s:%u/proxy%.*s", namespace, SLICE_ARGS(proxy->name), proxy->port, SLICE_ARGS(page));
}

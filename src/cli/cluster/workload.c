/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster/workload.h"

#include "cli/cluster/objects.h"

/* As kubectl shortens them. */
static const struct {
	const char *kind, *shown;
} kinds[] = {
	{ "Deployment", "deploy" },
	{ "ReplicaSet", "rs" },
	{ "StatefulSet", "sts" },
	{ "DaemonSet", "ds" },
	{ "Job", "job" },
	{ "ReplicationController", "rc" },
};

static const struct document_node *controller_of(const struct document_node *pod)
{
	const struct document_node *owners = object_find(pod, "metadata/ownerReferences");

	for (unsigned i = 0; i < object_count(owners); i++)
		if (slice_equal(object_text(owners->items[i], "controller"), SLICE("true")))
			return owners->items[i];
	return NULL;
}

/* Empty: it is of none. */
static struct slice deployment_of(const struct document_node *pod, struct slice set)
{
	struct slice hash = object_text(pod, "metadata/labels/pod-template-hash");
	size_t rest = set.length > hash.length + 1 ? set.length - hash.length - 1 : 0;

	if (!hash.length || !rest || set.at[rest] != '-' || !slice_ends(set, hash))
		return SLICE("");
	return slice_make(set.at, rest);
}

static void put(struct text *out, struct slice kind, struct slice name)
{
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (slice_equal(kind, slice_of(kinds[i].kind)))
			kind = slice_of(kinds[i].shown);
	for (size_t i = 0; i < kind.length; i++)
		text_format(out, "%c", kind.at[i] >= 'A' && kind.at[i] <= 'Z' ? kind.at[i] - 'A' + 'a' : kind.at[i]);
	text_format(out, "/%.*s", SLICE_ARGS(name));
}

void workload_of(const struct document_node *pod, struct text *out)
{
	const struct document_node *controller = controller_of(pod);
	struct slice kind = object_text(controller, "kind"), name = object_text(controller, "name"), deployment = SLICE("");

	if (slice_equal(kind, SLICE("ReplicaSet")))
		deployment = deployment_of(pod, name);
	if (deployment.length)
		put(out, SLICE("Deployment"), deployment);
	else if (!name.length || slice_equal(kind, SLICE("Node"))) /* a static pod is its node's */
		put(out, SLICE("pod"), object_text(pod, "metadata/name"));
	else
		put(out, kind, name);
}

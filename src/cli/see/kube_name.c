/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/see/kube_name.h"

#include "tls/spiffe.h"

struct slice kube_name_bound(struct slice client)
{
	size_t begin = client.length;

	for (size_t i = 0; i + 1 < client.length; i++)
		if (client.at[i] == '#' && client.at[i + 1] == '/' && (i == 0 || client.at[i - 1] == '/'))
			begin = i;
	return slice_from(client, begin);
}

bool kube_name_of_client(struct slice client, struct kube_name *name)
{
	struct slice rest = kube_name_bound(client), namer;

	*name = (struct kube_name){ .namespace = SLICE("") };
	if (!rest.length || !slice_split(&rest, '/', &namer) || !slice_split(&rest, '/', &namer))
		return false;
	if (slice_equal(namer, SLICE("io.l5d.k8s")) || slice_equal(namer, SLICE("io.l5d.k8s.external")))
		return slice_split(&rest, '/', &name->namespace) && slice_split(&rest, '/', &name->port) &&
			slice_split(&rest, '/', &name->service) && name->service.length;
	if (slice_equal(namer, SLICE("io.l5d.k8s.ns")))
		return slice_split(&rest, '/', &name->port) && slice_split(&rest, '/', &name->service) && name->service.length;
	return false;
}

static struct slice join_one(struct arena *arena, struct slice list, struct slice one)
{
	struct slice rest = list, each;
	struct text joined = { 0 };
	bool placed = false;

	while (list.length && slice_split(&rest, ',', &each)) {
		int order = slice_compare(one, each);

		if (order == 0) {
			text_free(&joined);
			return list;
		}
		if (order < 0 && !placed)
			text_format(&joined, "%s%.*s", joined.length ? "," : "", SLICE_ARGS(one));
		placed = placed || order < 0;
		text_format(&joined, "%s%.*s", joined.length ? "," : "", SLICE_ARGS(each));
	}
	if (!placed)
		text_format(&joined, "%s%.*s", joined.length ? "," : "", SLICE_ARGS(one));
	list = arena_copy(arena, text_slice(&joined));
	text_free(&joined);
	return list;
}

struct slice kube_name_join(struct arena *arena, struct slice list, struct slice more)
{
	struct slice rest = more, one;

	if (!list.length || slice_equal(list, more))
		return more;
	while (more.length && slice_split(&rest, ',', &one))
		list = join_one(arena, list, one);
	return list;
}

void kube_name_of_caller(struct slice caller, struct text *out)
{
	struct slice namespace, account;
	struct spiffe id;

	if (!spiffe_parse(caller, &id, NULL) && spiffe_workload(&id, &namespace, &account))
		text_format(out, "%.*s/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(account));
	else
		text_append(out, caller);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Linkerd configuration: what is refused has a problem to show, and what is accepted is whole: every router has
 * listeners, names and identifiers, and its JSON is accepted again with the same result. */
#include <stdint.h>

#include "base/check.h"
#include "dialect/linkerd/linkerd.h"
#include "model/dtab.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_router(const struct router *router, unsigned index)
{
	CHECK(router->index == index && router->label.length > 0 && router->dtab && router->dst_prefix);
	CHECK(router->listener_count > 0 && router->identifier_count > 0 && router->binding_timeout_ns > 0);
	for (unsigned i = 0; i < router->listener_count; i++)
		CHECK(router->listeners[i].address.family != ADDRESS_NONE && router->listeners[i].label.length > 0);
	for (unsigned i = 0; i < router->transformer_count; i++)
		CHECK(router->transformers[i].prefix.length > 0);
	for (unsigned i = 0; i < router->identifier_count; i++)
		CHECK(router->identifiers[i].header.length > 0);
}

static void check_snapshot(const struct snapshot *snapshot)
{
	CHECK(snapshot->router_count > 0 && snapshot->admin.address.family != ADDRESS_NONE);
	for (unsigned i = 0; i < snapshot->router_count; i++)
		check_router(&snapshot->routers[i], i);
	for (unsigned i = 0; i < snapshot->namer_count; i++)
		CHECK(snapshot->namers[i].prefix.length > 0 && snapshot->namers[i].root_dir.length > 0);
}

/* NULL when refused. */
static struct snapshot *load(struct slice bytes)
{
	struct snapshot *snapshot = NULL;
	struct problems problems;
	struct text told = { 0 };

	problem_init(&problems);
	int e = linkerd_load(SLICE("fuzz"), bytes, &problems, &snapshot);
	problem_print(&problems, &told);
	CHECK((e == 0) == (problems.count == 0) && (e == 0) == (snapshot != NULL) && (e == 0) == (told.length == 0));
	text_free(&told);
	problem_fini(&problems);
	return snapshot;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct snapshot *snapshot = load(slice_make((const char *)bytes, length));

	if (!snapshot)
		return 0;
	check_snapshot(snapshot);
	if (snapshot->json.length <= length * 4 + 1024 && snapshot->json.length < 1024 * 1024) {
		struct snapshot *again = load(snapshot->json);

		CHECK(again && again->router_count == snapshot->router_count && slice_equal(again->json, snapshot->json));
		snapshot_unref(again);
	}
	snapshot_unref(snapshot);
	return 0;
}

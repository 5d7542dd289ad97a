/* SPDX-License-Identifier: Apache-2.0 */
#include "model/snapshot.h"

#include "base/check.h"
#include "base/memory.h"
#include "model/matcher.h"
#include "tls/client.h"
#include "tls/server.h"

struct snapshot *snapshot_new(void)
{
	struct snapshot *snapshot = memory_new(sizeof *snapshot);

	atomic_init(&snapshot->references, 1);
	arena_init(&snapshot->arena, NULL, 0);
	return snapshot;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
	uint32_t before = atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);

	CHECK(before > 0);
	return snapshot;
}

static void matcher_let_go(const struct matcher *matcher)
{
	if (matcher)
		matcher_free((struct matcher *)(uintptr_t)matcher);
}

static void client_rule_let_go(const struct client_rule *rule)
{
	matcher_let_go(rule->matcher);
	tls_client_unref(rule->policy.tls.client);
}

/* Matchers, and what was made of the options for TLS, are the only things below a snapshot that don't lie in its arena; each matcher
 * belongs to the one rule that has it. */
static void parts_free(const struct snapshot *snapshot)
{
	tls_server_unref(snapshot->admin.tls_server);
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		tls_client_unref(snapshot->telemetry.collectors[i].tls.client);
	for (unsigned i = 0; i < snapshot->router_count; i++) {
		const struct router *router = &snapshot->routers[i];

		for (unsigned k = 0; k < router->service_rule_count; k++)
			matcher_let_go(router->service_rules[k].matcher);
		for (unsigned k = 0; k < router->client_rule_count; k++)
			client_rule_let_go(&router->client_rules[k]);
		for (unsigned k = 0; k < router->listener_count; k++)
			tls_server_unref(router->listeners[k].tls_server);
	}
}

void snapshot_unref(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	uint32_t before = atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel);

	CHECK(before > 0);
	if (before == 1) {
		parts_free(snapshot);
		arena_reset(&snapshot->arena);
		memory_free(snapshot);
	}
}

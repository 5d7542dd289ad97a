/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include "base/check.h"
#include "base/memory.h"
#include "model/snapshot.h"
#include "observe/metrics.h"
#include "proxy/certificates.h"
#include "proxy/proxy.h"
#include "tls/store.h"

/* What crashed nodes left behind: kept, so that a leak checker does not take it for a leak of the product's. */
struct remains {
	struct remains *next;
	struct proxy *proxy;
	struct metrics *metrics;
	struct tls_store *store;
};

static struct remains *graveyard;

static struct loop *new_loop(const char *name)
{
	struct loop *loop;
	int e = loop_new(&(struct loop_options){ .name = name }, &loop);
	CHECK(e == 0);
	return loop;
}

/* A call that fails may hide a file once: then it is read again. */
static void load(struct node *node, struct snapshot *snapshot)
{
	struct text why = { 0 };
	int e = ERROR_INVALID;
	for (int tries = 0; e && tries < 3; tries++) {
		struct problems problems;
		problem_init(&problems);
		e = certificates_load(snapshot, node->store, NULL, &problems);
		problem_print(&problems, &why);
		problem_fini(&problems);
	}
	if (e)
		harness_fail(node->harness, "certificates are refused: %s", why.bytes ? why.bytes : "");
	text_free(&why);
}

static void apply(struct node *node)
{
	node->generation++;
	struct snapshot *snapshot = node_snapshot(node);
	struct text why = { 0 };
	if (node->store)
		load(node, snapshot);
	int e = proxy_apply(node->proxy, snapshot, &why);
	/* A fault may let a listening call fail: such a node begins again, as its supervisor would have it. */
	for (int tries = 0; e == ERROR_EXISTS && tries < 2; tries++)
		e = proxy_apply(node->proxy, snapshot, &why);
	if (e && e != ERROR_BUSY)
		harness_fail(node->harness, "a configuration is refused: %s", why.bytes ? why.bytes : "");
	text_free(&why);
	snapshot_unref(snapshot);
}

static void begin(struct node *node)
{
	static const char *const names[NODE_WORKERS] = { "worker-0", "worker-1" };
	node->process = sim_process_new(node->host, "proxy");
	sim_process_enter(node->process);
	node->control = new_loop("control");
	for (unsigned i = 0; i < node->worker_count; i++)
		node->workers[i] = new_loop(names[i]);
	node->metrics = metrics_new(node->worker_count);
	node->store = node->link.tls || node->link.secured ? tls_store_new(node->control) : NULL;
	struct proxy_options options = {
		.network = node->host,
		.control = node->control,
		.workers = node->workers,
		.worker_count = node->worker_count,
		.metrics = node->metrics,
	};
	int e = proxy_new(&options, &node->proxy);
	CHECK(e == 0);
	apply(node);
}

void node_start(struct node *node, struct harness *harness, struct network *host, unsigned workers, enum node_setting setting,
	struct node_link link)
{
	*node = (struct node){ .harness = harness, .host = host, .worker_count = workers, .setting = setting, .link = link };
	begin(node);
}

void node_reload(struct node *node)
{
	if (!node->proxy || node->draining)
		return;
	sim_process_enter(node->process);
	apply(node);
}

static void restart(void *owner)
{
	begin(owner);
}

void node_crash(struct node *node, enum sim_crash how)
{
	if (!node->proxy || node->draining)
		return;
	struct remains *remains = memory_new(sizeof(*remains));
	*remains = (struct remains){ graveyard, node->proxy, node->metrics, node->store };
	graveyard = remains;
	sim_process_crash(node->process, how);
	node->proxy = NULL;
	sim_at(node->harness->sim, sim_now(node->harness->sim) + 200 * CLOCK_MS, restart, node);
}

static void drained(void *owner, bool in_time)
{
	struct node *node = owner;
	node->drained = true;
	/* An answer that lost its service silently behind its head is waited for until the grace is over. */
	if (!in_time && node->harness->silences == 0)
		harness_fail(node->harness, "a proxy did not drain in time");
}

void node_drain(struct node *node)
{
	sim_process_enter(node->process);
	node->draining = true;
	proxy_drain(node->proxy, 5 * CLOCK_SECOND, drained, node);
}

void node_stop(struct node *node)
{
	sim_process_enter(node->process);
	if (!node->drained)
		harness_fail(node->harness, "a proxy never drained");
	node_check_metrics(node, &node->requests, &node->retries);
	proxy_free(node->proxy);
	tls_store_free(node->store);
	metrics_free(node->metrics);
	harness_check_open(node->harness, node->process, &(struct sim_open){ .loops = node->worker_count + 1 });
	for (unsigned i = 0; i < node->worker_count; i++)
		loop_free(node->workers[i]);
	loop_free(node->control);
}

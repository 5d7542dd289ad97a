/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh.h"

#include <stdio.h>

#include "base/check.h"

enum { FAULTS_MOST = 12, FAULTS_WITHIN_MS = 3000 };

#define ENDS \
	{ \
		.whim_chance = 500000, .narrow_chance = 500000, .slow_chance = 100000, .pause_chance = 50000, .padded_chance = 100000 \
	}

#define TLS_CALM \
	.old_chance = 200000, .small_chance = 200000, .full_chance = 500000, .fresh_chance = 300000, .asking_chance = 300000, \
	.hold_chance = 100000, .rekey_chance = 50000
#define TLS_ORDINARY \
	{ \
		TLS_CALM, .truncate_chance = 100000, .reset_chance = 200000 \
	}

static const struct service_manners ordinary_service = {
	.latency_ns = 100 * CLOCK_US,
	.jitter_ns = 3 * CLOCK_MS,
	.fail_chance = 20000,
	.early_chance = 50000,
	.cut_chance = 20000,
	.silent_chance = 20000,
	.informational_chance = 50000,
	.chunked_chance = 400000,
	.trailers_chance = 200000,
	.until_close_chance = 30000,
	.close_chance = 30000,
	.drop_chance = 30000,
	.slow_chance = 50000,
	.pause_chance = 50000,
	.sluggish_chance = 200000,
	.refuse_chance = 30000,
	.refuse_body_chance = 30000,
	.goaway_chance = 20000,
	.ends = ENDS,
	.tls = TLS_ORDINARY,
};

static const struct service_manners calm_service = {
	.latency_ns = 100 * CLOCK_US,
	.jitter_ns = CLOCK_MS,
	.chunked_chance = 300000,
	.pause_chance = 50000,
	.sluggish_chance = 200000,
	.refuse_chance = 30000,
	.ends = ENDS,
	.tls = { TLS_CALM },
};

static const struct client_manners ordinary_client = {
	.think_ns = 400 * CLOCK_MS,
	.patience_ns = 20 * CLOCK_SECOND,
	.body_chance = 400000,
	.body_most = 400000,
	.reply_most = 300000,
	.chunked_chance = 400000,
	.expect_chance = 100000,
	.pipeline_chance = 150000,
	.old_chance = 100000,
	.leave_chance = 50000,
	.close_chance = 100000,
	.half_close_chance = 30000,
	.slow_chance = 50000,
	.pause_chance = 50000,
	.cut_chance = 300000,
	.ends = ENDS,
	.tls = TLS_ORDINARY,
};

static const struct client_manners calm_client = {
	.think_ns = 50 * CLOCK_MS,
	.patience_ns = 20 * CLOCK_SECOND,
	.body_chance = 400000,
	.body_most = 300000,
	.reply_most = 200000,
	.chunked_chance = 400000,
	.old_chance = 100000,
	.pause_chance = 100000,
	.ends = ENDS,
	.tls = { TLS_CALM },
};

/* --- building --- */

static void build_node(struct mesh *mesh, unsigned n)
{
	struct mesh_node *node = &mesh->nodes[n];
	char ip[32];
	snprintf(ip, sizeof(ip), "10.0.%u.1", n + 1);
	node->host = sim_host_new(mesh->harness->sim, ip);
	node->process = sim_process_new(node->host, "users");
	sim_process_enter(node->process);
	int e = loop_new(&(struct loop_options){ .name = "users" }, &node->loop);
	CHECK(e == 0);
}

void mesh_build(struct mesh *mesh, struct harness *harness, const struct mesh_plan *plan)
{
	*mesh = (struct mesh){ .harness = harness, .plan = *plan };
	harness_seed(harness, &mesh->random);
	for (unsigned n = 0; n < MESH_NODES; n++)
		build_node(mesh, n);
	if (mesh->plan.names == 0)
		mesh->plan.names = MESH_SERVICES;
	struct service_manners manners = plan->faults ? ordinary_service : calm_service;
	if (plan->failing)
		manners.fail_chance = 1000000;
	/* With TLS the end of such an answer can be told from a cut. */
	if (plan->secured && plan->faults) {
		manners.until_close_chance = 150000;
		manners.cut_chance = 60000;
	}
	if (!plan->until_close)
		manners.until_close_chance = 0;
	for (unsigned i = 0; i < mesh->plan.names; i++) {
		snprintf(mesh->names[i], sizeof(mesh->names[i]), "svc-%u", i);
		mesh->speech[i].http2 = plan->mixed && draw_chance(&mesh->random, 500000);
		mesh->speech[i].tls = plan->secured && draw_chance(&mesh->random, 500000);
	}
	for (unsigned i = 0; i < MESH_SERVICES; i++) {
		/* Instances of one name are on different nodes. */
		unsigned name = i % mesh->plan.names, n = (i + i / mesh->plan.names) % MESH_NODES;
		service_start(&mesh->services[i], harness, mesh->nodes[n].host, name, mesh->names[name], 0, mesh->speech[name], &manners);
	}
}

void mesh_route(struct mesh *mesh, unsigned node, unsigned service, const struct address *address)
{
	mesh->nodes[node].routes[service] = (struct client_route){ service, mesh->names[service], *address };
}

/* --- faults --- */

enum fault {
	FAULT_LINK, /* connections between two nodes are refused, unanswered, broken, or vanish */
	FAULT_PARTITION,
	FAULT_CRASH,
	FAULT_STALL,
	FAULT_CALL,    /* the nth call of a kind fails */
	FAULT_MEMORY,  /* the nth allocation fails */
	FAULT_MANNERS, /* a service becomes slow, failing or hanging */
	FAULT_EXTRA,   /* the scenario's own */
	FAULTS,
};

static struct network *draw_host(struct mesh *mesh)
{
	return mesh->nodes[draw_below(&mesh->random, MESH_NODES)].host;
}

static struct service *draw_service(struct mesh *mesh)
{
	return &mesh->services[draw_below(&mesh->random, MESH_SERVICES)];
}

static void fault_link(struct mesh *mesh)
{
	struct network *from = draw_host(mesh), *to = draw_host(mesh);
	if (from == to && mesh->plan.spare_hosts)
		return;
	struct sim_link *link = sim_link(from, to);
	uint32_t often = (uint32_t)draw_below(&mesh->random, 300000);
	switch (draw_below(&mesh->random, 4)) {
	case 0:
		link->refuse_chance = often;
		break;
	case 1:
		link->blackhole_chance = often;
		break;
	case 2:
		link->reset_chance = often;
		break;
	default:
		link->vanish_chance = often;
		mesh->harness->silences++;
		break;
	}
}

/* Overlapping partitions end together. */
static void partitions_end(void *owner)
{
	struct mesh *mesh = owner;
	for (unsigned a = 0; a < MESH_NODES; a++) {
		for (unsigned b = a; b < MESH_NODES; b++)
			sim_partition(mesh->nodes[a].host, mesh->nodes[b].host, false);
	}
}

/* It ends by itself, since who waits behind it would wait for as long as its clients are patient. */
static void fault_partition(struct mesh *mesh)
{
	struct sim *sim = mesh->harness->sim;
	struct network *a = draw_host(mesh), *b = draw_host(mesh);
	if (a == b && mesh->plan.spare_hosts)
		return;
	sim_partition(a, b, true);
	sim_at(sim, sim_now(sim) + draw_below(&mesh->random, 2 * CLOCK_SECOND), partitions_end, mesh);
}

static void fault_manners(struct mesh *mesh)
{
	struct service_manners *manners = &draw_service(mesh)->manners;
	switch (draw_below(&mesh->random, 3)) {
	case 0:
		manners->latency_ns = draw_below(&mesh->random, CLOCK_SECOND);
		break;
	case 1:
		manners->fail_chance = 1000000;
		break;
	default:
		manners->hang_chance = 200000;
		break;
	}
}

static void fault_crash(struct mesh *mesh)
{
	struct service *service = draw_service(mesh);
	bool silent = draw_chance(&mesh->random, 500000);
	mesh->harness->silences += silent;
	service_crash(service, silent ? SIM_CRASH_SILENT : SIM_CRASH_RESET, draw_below(&mesh->random, CLOCK_SECOND));
}

static void fault_memory(struct mesh *mesh)
{
	struct service *service = draw_service(mesh);
	if (service->loop)
		sim_fail_memory(service->loop, 1 + (uint64_t)draw_below(&mesh->random, 10));
	sim_fail_memory(mesh->nodes[draw_below(&mesh->random, MESH_NODES)].loop, 1 + (uint64_t)draw_below(&mesh->random, 10));
}

static void fault_happens(void *owner)
{
	struct mesh *mesh = owner;
	enum fault fault = (enum fault)draw_below(&mesh->random, FAULTS);
	static const char *const names[FAULTS] = { "link", "partition", "crash", "stall", "call", "memory", "manners", "extra" };
	sim_note(mesh->harness->sim, "fault: %s", names[fault]);
	switch (fault) {
	case FAULT_LINK:
		fault_link(mesh);
		break;
	case FAULT_PARTITION:
		fault_partition(mesh);
		break;
	case FAULT_CRASH:
		if (mesh->plan.crashes)
			fault_crash(mesh);
		break;
	case FAULT_STALL:
		sim_process_stall(draw_service(mesh)->process, draw_below(&mesh->random, CLOCK_SECOND));
		break;
	case FAULT_CALL:
		sim_fail_nth(mesh->harness->sim,
			(enum sim_call)draw_below(&mesh->random, SIM_CALL_LOG_FILE), /* nodes write none of these */
			1 + (uint64_t)draw_below(&mesh->random, 20));
		break;
	case FAULT_MEMORY:
		fault_memory(mesh);
		break;
	case FAULT_MANNERS:
		fault_manners(mesh);
		break;
	case FAULT_EXTRA:
		if (mesh->plan.extra)
			mesh->plan.extra(mesh->plan.extra_owner);
		break;
	case FAULTS:
		break;
	}
}

static void plan_faults(struct mesh *mesh)
{
	struct sim *sim = mesh->harness->sim;
	unsigned count = 1 + (unsigned)draw_below(&mesh->random, FAULTS_MOST);
	for (unsigned i = 0; i < count; i++)
		sim_at(sim, sim_now(sim) + draw_below(&mesh->random, FAULTS_WITHIN_MS) * CLOCK_MS, fault_happens, mesh);
	mesh->faults_end = sim_now(sim) + FAULTS_WITHIN_MS * CLOCK_MS;
}

static void heal_memory(struct mesh *mesh)
{
	for (unsigned i = 0; i < MESH_SERVICES; i++) {
		if (mesh->services[i].loop)
			sim_fail_memory(mesh->services[i].loop, 0);
	}
	for (unsigned n = 0; n < MESH_NODES; n++)
		sim_fail_memory(mesh->nodes[n].loop, 0);
}

static void heal(struct mesh *mesh)
{
	struct sim *sim = mesh->harness->sim;
	for (unsigned call = 0; call < SIM_CALLS; call++)
		sim_fail_nth(sim, (enum sim_call)call, 0);
	for (unsigned a = 0; a < MESH_NODES; a++) {
		for (unsigned b = 0; b < MESH_NODES; b++)
			*sim_link(mesh->nodes[a].host, mesh->nodes[b].host) = SIM_LINK_ORDINARY;
	}
	sim_mend(sim);
	for (unsigned i = 0; i < MESH_SERVICES; i++)
		mesh->services[i].manners = calm_service;
	heal_memory(mesh);
	if (mesh->plan.heal)
		mesh->plan.heal(mesh->plan.extra_owner);
	sim_note(sim, "healed");
}

/* --- running --- */

static bool user_busy(const struct mesh_user *user)
{
	return user->speech.http2 ? !user->http2_user.done : !user->client.done;
}

static bool users_busy(void *owner)
{
	const struct mesh *mesh = owner;
	for (unsigned n = 0; n < MESH_NODES; n++) {
		for (unsigned u = 0; u < MESH_USERS; u++) {
			if (user_busy(&mesh->nodes[n].users[u]))
				return true;
		}
	}
	return false;
}

static void start_users(struct mesh *mesh, struct mesh_node *node)
{
	for (unsigned u = 0; u < MESH_USERS; u++) {
		struct mesh_user *user = &node->users[u];
		user->speech.http2 = mesh->plan.mixed && draw_chance(&mesh->random, 500000);
		user->speech.tls = mesh->plan.secured && draw_chance(&mesh->random, 500000);
		if (user->speech.http2)
			http2_user_start(
				&user->http2_user, mesh->harness, node->host, node->loop, node->routes, mesh->plan.names, user->speech.tls);
		else
			client_start(&user->client, mesh->harness, node->host, node->loop, node->routes, mesh->plan.names, user->speech.tls,
				0, &calm_client);
	}
}

static void user_asks(struct mesh *mesh, struct mesh_user *user, bool calm, const struct client_manners *manners)
{
	unsigned requests = calm ? mesh->plan.calm_requests : mesh->plan.requests;
	bool may_meet_stale = mesh->plan.keeps_connections && mesh->harness->silences > 0;
	if (user->speech.http2) {
		user->http2_user.must_succeed = calm;
		user->http2_user.may_meet_stale = may_meet_stale;
		http2_user_continue(&user->http2_user, requests, manners);
	} else {
		user->client.must_succeed = calm;
		user->client.may_meet_stale = may_meet_stale;
		client_continue(&user->client, requests, manners);
	}
}

static void users_ask(struct mesh *mesh, bool calm)
{
	struct client_manners manners = calm || !mesh->plan.faults ? calm_client : ordinary_client;
	/* What is behind a GOAWAY succeeds all the same when it can be sent again: when nothing of it was sent but its head. */
	bool goaways = calm && mesh->plan.mixed && mesh->harness->seed % 2;
	for (unsigned i = 0; goaways && i < MESH_SERVICES; i++)
		mesh->services[i].manners.goaway_chance = 30000;
	if (goaways) {
		manners.body_most = 0;
		manners.chunked_chance = 0;
	}
	if (mesh->plan.failing)
		manners.body_chance = 0;
	/* Their answers may end with the connection, too. */
	if (mesh->plan.secured && !calm)
		manners.old_chance = 400000;
	if (mesh->plan.think_ns)
		manners.think_ns = mesh->plan.think_ns;
	/* When nothing is broken, no attempt runs out of time: that would be one that waits for what never comes. But a connection that
	 * was lost silently is found out only so. */
	if (calm && mesh->plan.calm_patience_ns && mesh->harness->silences == 0)
		manners.patience_ns = mesh->plan.calm_patience_ns;
	for (unsigned n = 0; n < MESH_NODES; n++) {
		sim_process_enter(mesh->nodes[n].process);
		if (!calm)
			start_users(mesh, &mesh->nodes[n]);
		for (unsigned u = 0; u < MESH_USERS; u++)
			user_asks(mesh, &mesh->nodes[n].users[u], calm, &manners);
	}
}

void mesh_run(struct mesh *mesh)
{
	struct harness *harness = mesh->harness;
	struct sim *sim = harness->sim;
	if (mesh->plan.faults)
		plan_faults(mesh);
	users_ask(mesh, false);
	if (!sim_run_while(sim, users_busy, mesh, 600 * CLOCK_SECOND))
		harness_fail(harness, "clients are not done after ten minutes");
	if (mesh->plan.calm_requests == 0)
		return;
	if (sim_now(sim) < mesh->faults_end)
		sim_run_until(sim, mesh->faults_end);
	heal(mesh);
	sim_run_for(sim, mesh->plan.recovery_ns);
	users_ask(mesh, true);
	if (!sim_run_while(sim, users_busy, mesh, 600 * CLOCK_SECOND))
		harness_fail(harness, "clients are not done ten minutes after all was healed");
}

void mesh_free(struct mesh *mesh)
{
	for (unsigned n = 0; n < MESH_NODES; n++) {
		struct mesh_node *node = &mesh->nodes[n];
		for (unsigned u = 0; u < MESH_USERS; u++) {
			if (node->users[u].speech.http2)
				http2_user_stop(&node->users[u].http2_user);
			else
				client_stop(&node->users[u].client);
		}
	}
	/* What lingers or is in flight ends. */
	sim_run_for(mesh->harness->sim, 10 * CLOCK_SECOND);
	for (unsigned i = 0; i < MESH_SERVICES; i++)
		service_stop(&mesh->services[i]);
	for (unsigned n = 0; n < MESH_NODES; n++) {
		harness_check_open(mesh->harness, mesh->nodes[n].process, &(struct sim_open){ .loops = 1 });
		loop_free(mesh->nodes[n].loop);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Five real proxies: a user asks its node's outgoing router, which finds an instance by the files in disco/ and asks the
 * incoming router of that instance's node, which asks the instance. */
#include "scenario.h"

#include <stdio.h>

#include "base/text.h"
#include "certificates.h"
#include "mesh.h"
#include "node.h"
#include "tls_end.h"

enum { NAMES = 10 };

struct proxied {
	struct harness *harness;
	struct mesh mesh;
	struct node nodes[MESH_NODES];
	struct node_link link;
	struct random random;
	unsigned changes; /* of services' health to come */
};

/* --- discovery --- */

/* Writes disco/NAME on a node; the instance `missing` is left out. */
static void write_name(struct proxied *p, unsigned n, unsigned name, unsigned missing)
{
	struct text text = { 0 };
	char path[32];
	for (unsigned i = 0; i < MESH_SERVICES; i++) {
		char ip[ADDRESS_TEXT];
		if (p->mesh.services[i].number != name || i == missing)
			continue;
		address_format_ip(&p->mesh.services[i].address, ip);
		text_format(&text, "%s %u\n", ip, p->mesh.services[i].address.port);
	}
	snprintf(path, sizeof(path), "disco/svc-%u", name);
	sim_file_put(p->mesh.nodes[n].host, path, text_slice(&text));
	text_free(&text);
}

static void write_all(struct proxied *p)
{
	for (unsigned n = 0; n < MESH_NODES; n++) {
		for (unsigned name = 0; name < p->mesh.plan.names; name++)
			write_name(p, n, name, MESH_SERVICES);
	}
}

static bool has_tls(const struct proxied *p)
{
	return p->link.tls || p->link.secured;
}

/* --- faults of their own --- */

static void fault_of_proxies(void *owner)
{
	struct proxied *p = owner;
	struct node *node = &p->nodes[draw_below(&p->random, MESH_NODES)];
	switch (draw_below(&p->random, has_tls(p) ? 8 : 6)) {
	case 0:
		/* Never silently: its host lives on, with its users. */
		node_crash(node, SIM_CRASH_RESET);
		break;
	case 1:
		node_reload(node);
		break;
	case 2:
		if (node->proxy)
			sim_process_stall(node->process, draw_below(&p->random, 500 * CLOCK_MS));
		break;
	case 3:
		if (node->proxy)
			sim_fail_memory(
				node->workers[draw_below(&p->random, node->worker_count)], 1 + (uint64_t)draw_below(&p->random, 20));
		break;
	case 4:
		/* Refuses connections meanwhile, which count towards limits only while they are tried. */
		service_crash(
			&p->mesh.services[draw_below(&p->random, MESH_SERVICES)], SIM_CRASH_RESET, draw_below(&p->random, CLOCK_SECOND));
		break;
	case 6:
		/* While handshakes are made, and sessions resumed. */
		certificates_put(node->host, (unsigned)draw_below(&p->random, CERTIFICATES));
		break;
	case 7:
		tls_end_show((unsigned)draw_below(&p->random, CERTIFICATES));
		break;
	default:
		write_name(p, (unsigned)draw_below(&p->random, MESH_NODES), (unsigned)draw_below(&p->random, NAMES),
			(unsigned)draw_below(&p->random, MESH_SERVICES));
		break;
	}
}

static void heal_proxies(void *owner)
{
	struct proxied *p = owner;
	for (unsigned n = 0; n < MESH_NODES; n++) {
		for (unsigned i = 0; p->nodes[n].proxy && i < p->nodes[n].worker_count; i++)
			sim_fail_memory(p->nodes[n].workers[i], 0);
	}
	write_all(p);
}

/* --- the run --- */

static void build(struct proxied *p, const struct mesh_plan *plan, enum node_setting setting)
{
	mesh_build(&p->mesh, p->harness, plan);
	write_all(p);
	if (has_tls(p)) {
		certificates_begin(p->harness);
		tls_end_begin();
		for (unsigned n = 0; n < MESH_NODES; n++)
			certificates_put(p->mesh.nodes[n].host, 0);
	}
	p->link.services = p->mesh.speech;
	p->link.service_count = plan->mixed ? plan->names : 0;
	for (unsigned n = 0; n < MESH_NODES; n++) {
		unsigned workers = 1 + (unsigned)draw_below(&p->random, NODE_WORKERS);
		struct address address = *sim_host_address(p->mesh.nodes[n].host);
		address.port = NODE_OUTGOING;
		/* With more workers than connections, those that are idle on one would keep the others waiting. */
		bool narrow = setting == NODE_ORDINARY && draw_chance(&p->random, 500000);
		node_start(&p->nodes[n], p->harness, p->mesh.nodes[n].host, workers, narrow ? NODE_NARROW : setting, p->link);
		for (unsigned name = 0; name < plan->names; name++)
			mesh_route(&p->mesh, n, name, &address);
	}
	/* The workers take over their configuration before anybody asks. */
	sim_run_for(p->harness->sim, 100 * CLOCK_MS);
}

static bool still_draining(void *owner)
{
	struct proxied *p = owner;
	for (unsigned n = 0; n < MESH_NODES; n++) {
		if (!p->nodes[n].drained)
			return true;
	}
	return false;
}

static void finish(struct proxied *p)
{
	for (unsigned n = 0; n < MESH_NODES; n++)
		node_drain(&p->nodes[n]);
	(void)sim_run_while(p->harness->sim, still_draining, p, 60 * CLOCK_SECOND);
	/* Streams that linger still hold what they have to send. */
	sim_run_for(p->harness->sim, 10 * CLOCK_SECOND);
	for (unsigned n = 0; n < MESH_NODES; n++)
		node_stop(&p->nodes[n]);
	mesh_free(&p->mesh);
	if (has_tls(p)) {
		tls_end_finish();
		certificates_end();
	}
}

static void run_calm(struct harness *harness, struct node_link link, bool mixed)
{
	struct proxied p = { .harness = harness, .link = link };
	struct mesh_plan plan = { .names = NAMES, .mixed = mixed, .secured = link.secured, .requests = 5, .calm_requests = 5 };
	harness_seed(harness, &p.random);
	build(&p, &plan, NODE_ORDINARY);
	mesh_run(&p.mesh);
	finish(&p);
	if (harness->outcomes[OUTCOME_ANSWERED] != MESH_NODES * MESH_USERS * 10)
		harness_fail(harness, "not everything was answered although nothing was broken");
}

static void run_faults(struct harness *harness, struct node_link link, bool mixed)
{
	struct proxied p = { .harness = harness, .link = link };
	struct mesh_plan plan = {
		.faults = true,
		.mixed = mixed,
		.secured = link.secured,
		.crashes = true,
		.names = NAMES,
		.spare_hosts = true,
		.keeps_connections = true,
		.until_close = true,
		.extra = fault_of_proxies,
		.heal = heal_proxies,
		.extra_owner = &p,
		.requests = 10,
		.calm_requests = 5,
		.calm_patience_ns = 2500 * CLOCK_MS,
		.recovery_ns = 15 * CLOCK_SECOND,
	};
	harness_seed(harness, &p.random);
	build(&p, &plan, NODE_ORDINARY);
	mesh_run(&p.mesh);
	finish(&p);
}

void run_proxies_calm(struct harness *harness)
{
	run_calm(harness, (struct node_link){ 0 }, false);
}

void run_proxies(struct harness *harness)
{
	run_faults(harness, (struct node_link){ 0 }, false);
}

/* Every fourth seed has each kind of link. */
static struct node_link by_seed(const struct harness *harness)
{
	return (struct node_link){ .http2 = harness->seed & 1, .tls = harness->seed & 2, .mutual = harness->seed & 4 };
}

void run_proxies_calm_links(struct harness *harness)
{
	run_calm(harness, by_seed(harness), false);
}

void run_proxies_http2(struct harness *harness)
{
	run_faults(harness, (struct node_link){ .http2 = true }, false);
}

/* Under HTTP/1.1 and HTTP/2. */
void run_proxies_tls(struct harness *harness)
{
	run_faults(harness, (struct node_link){ .http2 = harness->seed & 1, .tls = true, .mutual = harness->seed & 2 }, false);
}

/* Users and services speak TLS: the links mostly don't. */
static struct node_link secured_by_seed(const struct harness *harness)
{
	return (struct node_link){ .secured = true, .http2 = harness->seed & 1, .tls = harness->seed % 8 == 2 };
}

void run_proxies_secured_calm(struct harness *harness)
{
	run_calm(harness, secured_by_seed(harness), true);
}

void run_proxies_secured(struct harness *harness)
{
	run_faults(harness, secured_by_seed(harness), true);
}

void run_proxies_mixed_calm(struct harness *harness)
{
	run_calm(harness, by_seed(harness), true);
}

void run_proxies_mixed(struct harness *harness)
{
	run_faults(harness, by_seed(harness), true);
}

/* --- health --- */

enum { CHECKED_NAMES = 5, CHECKED_ILL_MOST = 2, CHECKED_CHANGES = 12, CHECKED_OFTEN = 60 };

static unsigned ill_of(const struct proxied *p, unsigned name)
{
	unsigned ill = 0;
	for (unsigned i = 0; i < MESH_SERVICES; i++)
		ill += p->mesh.services[i].number == name && p->mesh.services[i].health != SERVICE_WELL;
	return ill;
}

/* Some of each name stay well: where none is, requests go to any. */
static void health_changes(void *owner)
{
	struct proxied *p = owner;
	if (p->changes == 0)
		return;
	struct service *service = &p->mesh.services[draw_below(&p->random, MESH_SERVICES)];
	if (service->health != SERVICE_WELL)
		service_set_health(service, SERVICE_WELL);
	else if (ill_of(p, service->number) < CHECKED_ILL_MOST)
		service_set_health(service, draw_chance(&p->random, 500000) ? SERVICE_ILL : SERVICE_MUTE);
	if (--p->changes > 0)
		sim_at(p->harness->sim, sim_now(p->harness->sim) + draw_below(&p->random, CLOCK_SECOND), health_changes, p);
}

static void heal_services(void *owner)
{
	struct proxied *p = owner;
	p->changes = 0;
	for (unsigned i = 0; i < MESH_SERVICES; i++)
		service_set_health(&p->mesh.services[i], SERVICE_WELL);
}

/* Of a name that was asked for often enough each instance has had its turn. */
static void check_turns(struct proxied *p, unsigned name)
{
	uint64_t all = 0, least = UINT64_MAX;
	for (unsigned i = 0; i < MESH_SERVICES; i++) {
		const struct service *service = &p->mesh.services[i];
		if (service->number != name)
			continue;
		all += service->requests_since;
		if (service->requests_since < least)
			least = service->requests_since;
	}
	if (all > CHECKED_OFTEN && least == 0)
		harness_fail(p->harness, "all instances of svc-%u are well, but of %u requests one had none", name, (unsigned)all);
}

/* Users think long enough that services are ill meanwhile; afterwards all are well, and each has its turn again. */
void run_proxies_checked(struct harness *harness)
{
	struct proxied p = { .harness = harness, .link = { .secured = harness->seed % 8 == 1 }, .changes = CHECKED_CHANGES };
	struct mesh_plan plan = {
		.names = CHECKED_NAMES,
		.mixed = true,
		.secured = p.link.secured,
		.think_ns = 700 * CLOCK_MS,
		.requests = 14,
		.calm_requests = 20,
		.heal = heal_services,
		.extra_owner = &p,
		.recovery_ns = 4 * CLOCK_SECOND,
	};
	harness_seed(harness, &p.random);
	build(&p, &plan, NODE_CHECKED);
	sim_at(harness->sim, sim_now(harness->sim) + CLOCK_SECOND, health_changes, &p);
	mesh_run(&p.mesh);
	for (unsigned name = 0; name < CHECKED_NAMES; name++)
		check_turns(&p, name);
	finish(&p);
}

/* Every call fails, and all that a fifth of them allows is tried again: by each node's own count and by the services'. */
void run_proxies_budget(struct harness *harness)
{
	struct proxied p = { .harness = harness };
	struct mesh_plan plan = { .names = 1, .failing = true, .requests = 80 };
	harness_seed(harness, &p.random);
	build(&p, &plan, NODE_BUDGET);
	mesh_run(&p.mesh);
	finish(&p);
	uint64_t arrivals = 0, requests = 0, retries = 0;
	for (uint64_t id = 1; id < harness->record_count; id++)
		arrivals += harness->records[id].arrivals;
	for (unsigned n = 0; n < MESH_NODES; n++) {
		const struct node *node = &p.nodes[n];
		double earned = (double)node->requests * 0.2;
		/* Deposits count in batches of 16, so that of each worker up to 16 and a retry's worth may not count yet. */
		double least = earned - 0.2 * 16 * node->worker_count - 2;
		requests += node->requests;
		retries += node->retries;
		if ((double)node->retries > earned || (double)node->retries < least)
			harness_fail(harness, "%u retries for %u calls, where %.0f to %.0f are right", (unsigned)node->retries,
				(unsigned)node->requests, least, earned);
	}
	if (requests != harness->record_count - 1 || arrivals != requests + retries)
		harness_fail(harness, "%u calls and %u retries told, but %u calls were made and %u arrived", (unsigned)requests,
			(unsigned)retries, (unsigned)harness->record_count - 1, (unsigned)arrivals);
}

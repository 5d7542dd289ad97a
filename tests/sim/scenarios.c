/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include "mesh.h"
#include "relay.h"

static void route_direct(struct mesh *mesh)
{
	for (unsigned n = 0; n < MESH_NODES; n++) {
		for (unsigned i = 0; i < MESH_SERVICES; i++)
			mesh_route(mesh, n, i, &mesh->services[i].address);
	}
}

static void run_calm(struct harness *harness)
{
	struct mesh mesh;
	struct mesh_plan plan = { .requests = 5, .calm_requests = 5 };
	mesh_build(&mesh, harness, &plan);
	route_direct(&mesh);
	mesh_run(&mesh);
	mesh_free(&mesh);
	if (harness->outcomes[OUTCOME_ANSWERED] != MESH_NODES * MESH_USERS * 10)
		harness_fail(harness, "not everything was answered although nothing was broken");
}

static void run_direct(struct harness *harness)
{
	struct mesh mesh;
	struct mesh_plan plan = {
		.faults = true,
		.crashes = true,
		.until_close = true,
		.requests = 10,
		.calm_requests = 2,
		.recovery_ns = 3 * CLOCK_SECOND,
	};
	harness->hanging_allowed = true;
	mesh_build(&mesh, harness, &plan);
	route_direct(&mesh);
	mesh_run(&mesh);
	mesh_free(&mesh);
}

static void run_relay(struct harness *harness)
{
	struct mesh mesh;
	struct relay relays[MESH_NODES];
	struct mesh_plan plan = {
		.faults = true,
		.crashes = true,
		.requests = 10,
		.calm_requests = 2,
		.recovery_ns = 3 * CLOCK_SECOND,
	};
	harness->hanging_allowed = true;
	mesh_build(&mesh, harness, &plan);
	for (unsigned n = 0; n < MESH_NODES; n++) {
		relay_start(&relays[n], harness, mesh.nodes[n].host);
		for (unsigned i = 0; i < MESH_SERVICES; i++) {
			struct address address = relay_add(&relays[n], &mesh.services[i].address);
			mesh_route(&mesh, n, i, &address);
		}
	}
	mesh_run(&mesh);
	for (unsigned n = 0; n < MESH_NODES; n++)
		relay_stop(&relays[n]);
	mesh_free(&mesh);
}

const struct scenario scenarios[] = {
	{ "calm", "clients ask services, and nothing goes wrong", run_calm, 10 },
	{ "direct", "clients ask services without anything between them, while faults happen", run_direct, 50 },
	{ "relay", "clients ask services through byte relays, while faults happen", run_relay, 50 },
	{ "mesh-calm", "five proxies and twenty services, and nothing goes wrong", run_proxies_calm, 20 },
	{ "mesh", "five proxies and twenty services, while faults happen", run_proxies, 100 },
	{ "links-calm", "as mesh-calm, with HTTP/2, TLS, and both between the proxies", run_proxies_calm_links, 20 },
	{ "mesh-http2", "as mesh, with HTTP/2 between the proxies", run_proxies_http2, 100 },
	{ "mesh-tls", "as mesh, with TLS between the proxies, under HTTP/1.1 and HTTP/2", run_proxies_tls, 40 },
	{ "mixed-calm", "as links-calm, with users and services of HTTP/1.1 and HTTP/2", run_proxies_mixed_calm, 20 },
	{ "mixed", "as mesh, with users and services of HTTP/1.1 and HTTP/2, and all kinds of links", run_proxies_mixed, 100 },
	{ "secured-calm", "as mixed-calm, with TLS to some users and services", run_proxies_secured_calm, 20 },
	{ "secured", "as mixed, with TLS to some users and services", run_proxies_secured, 100 },
	{ "checked", "five proxies that ask for the health of services, which fall ill and become well", run_proxies_checked, 40 },
	{ "budget", "five proxies whose services always fail: retries come to a fifth of the calls", run_proxies_budget, 10 },
};

const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);

/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/mesh.h: five nodes with four services each and clients on every node, the faults that befall them, and the calm
 * afterwards in which everything has to work again.
 *
 *	mesh_build(&mesh, harness, &plan);      // hosts and services
 *	mesh_route(&mesh, node, i, ...)         // where the clients of a node send what is for the ith name
 *	mesh_run(&mesh);                        // clients ask while faults happen; then all is healed and they ask again
 *	mesh_free(&mesh);
 */
#ifndef SIM_MESH_H
#define SIM_MESH_H

#include "client.h"
#include "harness.h"
#include "http2_user.h"
#include "service.h"

enum { MESH_NODES = 5, MESH_SERVICES = 20, MESH_USERS = 4 };

/* Speaks one of the two. */
struct mesh_user {
	struct speech speech;
	struct client client;
	struct http2_user http2_user;
};

struct mesh_node {
	struct network *host;
	struct sim_process *process; /* of its users */
	struct loop *loop;
	struct mesh_user users[MESH_USERS];
	struct client_route routes[MESH_SERVICES];
};

/* What a scenario wants. */
struct mesh_plan {
	bool faults;
	bool failing;               /* every answer is a failure; clients only GET */
	bool mixed;                 /* some users and services speak HTTP/2, by the seed; else nobody does */
	bool secured;               /* and some TLS */
	bool crashes;               /* services die and come back */
	unsigned names;             /* how many different services there are; 0: as many as instances */
	bool spare_hosts;           /* nothing befalls the way within a host */
	void (*extra)(void *owner); /* one more fault, the scenario's own; may be NULL */
	void (*heal)(void *owner);  /* and what ends it */
	void *extra_owner;
	bool until_close;         /* answers may end with the connection: not through who cannot tell FIN from RST */
	bool keeps_connections;   /* who is in between may hold half-open ones when all is healed */
	int64_t think_ns;         /* of each user; 0: as usual */
	unsigned requests;        /* of each user, while faults happen */
	unsigned calm_requests;   /* of each user, afterwards; 0: there is no afterwards */
	int64_t recovery_ns;      /* between healing and the calm requests */
	int64_t calm_patience_ns; /* what a calm request may take; 0: as usual */
};

struct mesh {
	struct harness *harness;
	struct mesh_plan plan;
	struct random random;
	struct mesh_node nodes[MESH_NODES];
	struct service services[MESH_SERVICES];
	char names[MESH_SERVICES][16];
	struct speech speech[MESH_SERVICES]; /* of each name */
	int64_t faults_end;
};

void mesh_build(struct mesh *mesh, struct harness *harness, const struct mesh_plan *plan);
/* One of names: svc-0, svc-1, … */
void mesh_route(struct mesh *mesh, unsigned node, unsigned service, const struct address *address);
void mesh_run(struct mesh *mesh);
/* Stops clients and services; the scenario's own processes are stopped before. */
void mesh_free(struct mesh *mesh);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* cli/dashboard/mesh.h: what all proxies together do, and each of them: now, and over the last MESH_KEPT readings. Main thread.
 *
 *	mesh_init(&mesh, false);
 *	mesh_take(&mesh, targets, wall_ms);                     // after each reading
 *	struct mesh_row *all = mesh_find(&mesh, MESH_TOTAL, SLICE(""), SLICE(""));
 *	use(all->now[MESH_RATE], mesh_past(&mesh, all, 1, MESH_RATE));
 *	mesh_free(&mesh);
 *
 * A request that passes several routers, or proxies, is counted by each of them: rows are also there for each router alone.
 */
#ifndef CLI_DASHBOARD_MESH_H
#define CLI_DASHBOARD_MESH_H

#include "base/map.h"
#include "cli/see/targets.h"

enum {
	MESH_KEPT = 120,            /* readings */
	MESH_MOST_SERVICES = 16384, /* rows of them; what is new then is left out */
	MESH_MOST_CALLS = 200,      /* routes and edges, the busiest */
};

enum mesh_kind {
	MESH_TOTAL,   /* of a router, or of all: no name */
	MESH_PROXY,   /* of a proxy and a router, or all of them */
	MESH_SERVICE, /* of a router */
	MESH_KINDS
};

/* Those that have a history. NaN: can't be told, as the success of no requests, or what a proxy does that can't be read. */
enum mesh_number {
	MESH_RATE,    /* requests a second */
	MESH_SUCCESS, /* percent of those that were judged */
	MESH_P50,     /* ms */
	MESH_P95,
	MESH_P99,
	MESH_4XX, /* answers a second; services don't know them */
	MESH_5XX,
	MESH_NUMBERS
};

struct mesh_sum;

struct mesh_row {
	struct map_entry entry; /* key: the router, a newline, and the name */
	enum mesh_kind kind;
	unsigned id;                        /* no other ever has it */
	struct slice router, name;          /* `router` empty: all of them */
	struct text namespace, service;     /* of MESH_SERVICE in Kubernetes: what the name is bound to */
	uint64_t seen;                      /* the reading that had it last; 0: none yet */
	double requests, success, failures; /* since the proxies' starts */
	double pending;
	double retry_rate, available, endpoints, proxies; /* of services; as in cli/see/golden.h */
	double now[MESH_NUMBERS];

	/* Of a proxy, in its row of all routers. */
	int64_t since_ms; /* when it was first read so, or could first not be read */
	bool reached;     /* at the last reading */

	/* mesh.c's. */
	float *past;          /* MESH_KEPT times MESH_NUMBERS; NULL: nothing has happened yet */
	struct mesh_sum *sum; /* while a reading is taken */
};

struct mesh {
	bool kubernetes;
	uint64_t readings;
	int64_t times_ms[MESH_KEPT]; /* of the last readings, by their number modulo MESH_KEPT */
	struct map rows[MESH_KINDS];
	unsigned ids;              /* given out so far */
	uint64_t left_out;         /* services, in the last reading */
	struct text routes, edges; /* of the last reading: as `weft routes` and `weft edges` tell them in JSON */
};

void mesh_init(struct mesh *mesh, bool kubernetes);
void mesh_free(struct mesh *mesh);
/* After all of them were read. wall_ms: now, since 1970. */
void mesh_take(struct mesh *mesh, const struct targets *targets, int64_t wall_ms);
/* NULL: there is no such row, or the last reading didn't have it. */
struct mesh_row *mesh_find(const struct mesh *mesh, enum mesh_kind kind, struct slice router, struct slice name);
/* By its id; NULL: it is gone. */
struct mesh_row *mesh_by_id(const struct mesh *mesh, unsigned id);
/* How many readings back there is something to tell of: at most MESH_KEPT. */
unsigned mesh_length(const struct mesh *mesh);
/* 0 readings back is the last one. */
double mesh_past(const struct mesh *mesh, const struct mesh_row *row, unsigned back, enum mesh_number number);

/* Of a kind those that the last reading had. */
#define MESH_EACH(mesh, kind, row) \
	MAP_EACH(&(mesh)->rows[kind], row##_entry) \
		for (struct mesh_row *row = MAP_OF(row##_entry, struct mesh_row, entry); row && row->seen == (mesh)->readings; row = NULL)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/live.h: live sets: what the control thread publishes to the workers outside of snapshots.
 *
 * The control thread makes these objects and hands out references with messages; workers read them and drop their references.
 * References are atomic. The last one puts the object on the graveyard of its `live`, which the control thread empties, so
 * that only the control thread uses the heap and the metric registry.
 *
 *	service     a logical name with its policy, retry budget and statistics
 *	client      a bound name with its policy, requeue budget, statistics and present endpoints
 *	target      an endpoint of a client, with its health
 *	binding     what a name is bound to at present: a tree with clients at its leaves (immutable)
 */
#ifndef PROXY_LIVE_H
#define PROXY_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "balance/health.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"
#include "io/address.h"
#include "model/endpoints.h"
#include "model/policy.h"
#include "observe/metrics.h"
#include "proxy/budget.h"
#include "proxy/places.h"

struct live;

enum live_kind {
	LIVE_SERVICE,
	LIVE_CLIENT,
	LIVE_TARGET,
	LIVE_TARGETS,
	LIVE_BINDING,
	LIVE_CALLER, /* a worker's (caller.h) */
	LIVE_FLOW,   /* the same (flows.h) */
};

/* At the start of each live object. */
struct live_object {
	struct live *live;
	_Atomic uint32_t references;
	enum live_kind kind;
	struct live_object *_Atomic grave; /* next in the graveyard */
};

struct service {
	struct live_object object;
	struct map_entry entry;     /* control: in live->services, by "LABEL name" */
	struct slice name;          /* "/svc/hello" */
	uint64_t hash;              /* of the name, for records */
	struct slice request_lines; /* what every request to it carries: "l5d-dst-service: /svc/hello CRLF" */
	struct service_policy policy;
	struct budget budget;
	struct scope *scope; /* struct service_stats */
	bool unbound;        /* control: it was made for a name that is bound to nothing */
};

/* An endpoint of one client, as the whole process knows it. */
struct target {
	struct live_object object;
	struct address address;
	char text[ADDRESS_TEXT]; /* "ip:port" */
	struct health health;
	struct places places;
	_Atomic uint32_t checker; /* the worker that checks its health, its index + 1; 0: none */
};

/* Immutable, in the order of addresses; a new one for each change. */
struct targets {
	struct live_object object;
	uint64_t version;
	unsigned count;
	struct {
		struct target *target; /* counted */
		double weight;
		bool probation; /* discovery has taken it away; stays while it is healthy */
	} at[];
};

struct client {
	struct live_object object;
	struct map_entry entry;     /* control: in live->clients, by "LABEL id" */
	uint64_t hash;              /* of the id, for records */
	struct slice id;            /* "/%/io.l5d.port/4141/#/io.l5d.fs/hello" */
	struct slice label;         /* of its router */
	struct slice request_lines; /* "l5d-dst-client: /%/… CRLF" */
	struct client_policy policy;
	struct budget requeue_budget;
	struct scope *scope; /* struct client_stats */
	/* control thread only */
	struct targets *targets; /* counted; never NULL */
	uint64_t generation;     /* of the snapshot whose rules gave the policy last */
	unsigned probation;      /* how many of `targets` are on it */
};

enum binding_kind {
	BINDING_LEAF,
	BINDING_UNION, /* weighted; alternatives are resolved when binding */
	BINDING_NEG,
	BINDING_FAIL,
	BINDING_EMPTY,
	BINDING_STATUS, /* io.buoyant.http.status: answered here */
	BINDING_ERROR,  /* a namer failed */
};

struct binding_node {
	enum binding_kind kind;
	unsigned status;   /* BINDING_STATUS */
	unsigned leaf;     /* BINDING_LEAF: index in binding->leaves */
	struct slice text; /* BINDING_ERROR */
	unsigned count;    /* BINDING_UNION */
	struct binding_branch *branches;
};

struct binding_branch {
	double weight; /* they add up to 1 */
	struct binding_node node;
};

struct binding_leaf {
	struct client *client;      /* counted */
	struct scope *scope;        /* struct attempt_stats for client and service */
	struct slice residual_line; /* "l5d-dst-residual: /x CRLF", or empty */
};

struct binding {
	struct live_object object;
	struct service *service; /* counted */
	struct binding_node root;
	struct binding_leaf *leaves;
	unsigned leaf_count;
};

struct live {
	struct metrics *metrics;
	struct map services, clients;
	unsigned probation; /* targets that are on it, of all clients */
	struct live_object *_Atomic graveyard;
	struct list flows; /* struct flow (flows.h) */
	uint64_t flows_numbered;
	int64_t began;                  /* ns since 1970: tells processes apart */
	int64_t flows_until, flows_for; /* loop_now; 0: nobody asks for them. For how long that was wanted */
};

void live_init(struct live *live, struct metrics *metrics);
void live_fini(struct live *live);
/* One reference; for who makes a binding. */
void live_object_init(struct live_object *object, struct live *live, enum live_kind kind);
void live_ref(struct live_object *object);
/* Any thread. */
void live_unref(struct live_object *object);
/* Frees what has died; control thread, from its timer and after messages. */
void live_bury(struct live *live);

/* Find or make, with a reference; control thread. An object with the same name but another policy is let go under its name and a
 * new one made: calls that run keep the old one. */
/* Of services that are not `bound` to anything a few have a scope of their own, the others count together. */
struct service *live_service(struct live *live, struct slice label, struct slice name, const struct service_policy *policy, bool bound);
struct client *live_client(struct live *live, struct slice label, struct slice id, uint64_t generation, const struct client_policy *policy);
/* Without having resolved its policy: NULL unless the rules of that snapshot have made the client already. */
struct client *live_client_find(struct live *live, struct slice label, struct slice id, uint64_t generation);
/* Whether calls are made in the same way. Any thread. */
bool live_same_service_policy(const struct service_policy *a, const struct service_policy *b);
bool live_same_client_policy(const struct client_policy *a, const struct client_policy *b);
/* Replaces the client's targets; those whose address was there before keep their health, and with the policy's probation those stay
 * that are healthy. Returns false when nothing has changed, also when `endpoints` says only that asking failed: the last good ones
 * stay. */
bool live_client_update(struct client *client, const struct endpoints *endpoints);
/* Lets go of targets on probation that are not healthy any more; true when there were such. */
bool live_client_end_probation(struct client *client);
static inline bool live_on_probation(const struct live *live)
{
	return live->probation > 0;
}

/* The metric scope of calls to `service` through `client`; a reference. */
struct scope *live_pair_scope(struct live *live, struct slice label, const struct client *client, const struct service *service);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/node.h: a node's proxy: the product's own objects, in a simulated process with a control loop and workers, set up as
 * in Linkerd's exercise: an outgoing router on port 4140 for the node's own users, an incoming one on 4141 for other nodes.
 *
 *	node_start(&node, harness, host, workers, NODE_ORDINARY, link);   // names come from the host's files disco/NAME
 *	node_reload(&node);
 *	node_crash(&node, SIM_CRASH_RESET);               // and is back after 200 ms
 *	node_drain(&node);  ...sim_run...  node_stop(&node);
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "harness.h"
#include "io/loop.h"
#include "io/network.h"

enum { NODE_OUTGOING = 4140, NODE_INCOMING = 4141, NODE_WORKERS = 2 };

struct metrics;
struct proxy;
struct tls_store;
struct snapshot;

/* What differs between scenarios. */
enum node_setting {
	NODE_ORDINARY, /* few requests at once: a permit that is not given back is missed */
	NODE_NARROW,   /* also one connection to each endpoint: calls wait for it */
	NODE_CHECKED,  /* instances are called by who asks for them, which also asks for their health */
	NODE_BUDGET,   /* everything may be retried, a fifth of the calls, out of deposits alone */
};

/* What one node's outgoing router speaks with another's incoming one; and what services speak. */
struct node_link {
	bool http2;                    /* many calls share a connection, of which few are allowed, with small windows */
	const struct speech *services; /* what each svc-N speaks; some users then speak the same */
	unsigned service_count;        /* 0: users and services speak HTTP/1.1 */
	bool secured;                  /* some speak TLS: the outgoing router's listener takes both */
	bool tls;
	bool mutual; /* with TLS, both ends show a certificate that the other wants to see; else the server's only */
};

struct node {
	struct harness *harness;
	enum node_setting setting;
	struct node_link link;
	struct network *host;
	struct sim_process *process;
	struct loop *control, *workers[NODE_WORKERS];
	unsigned worker_count;
	struct metrics *metrics;
	struct tls_store *store; /* NULL without TLS */
	struct proxy *proxy;     /* NULL while it is down */
	uint64_t generation;
	bool draining, drained;
	uint64_t requests, retries; /* once stopped: of the outgoing router's services */
};

void node_start(struct node *node, struct harness *harness, struct network *host, unsigned workers, enum node_setting setting,
	struct node_link link);
/* Takes over the same configuration anew, with another binder and other routers. */
void node_reload(struct node *node);
/* Dies; what it had on the heap is left behind, as by a real crash. */
void node_crash(struct node *node, enum sim_crash how);
/* Begins draining; `drained` says when it is over. */
void node_drain(struct node *node);
void node_stop(struct node *node);

/* The configuration of this node, not yet loaded (proxy/certificates.h). */
struct snapshot *node_snapshot(const struct node *node);
/* After draining: nothing is pending, and what began has ended. With the sums of the outgoing services. */
void node_check_metrics(struct node *node, uint64_t *requests, uint64_t *retries);

#endif

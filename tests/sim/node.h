/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/node.h: a node's proxy: the product's own objects, in a simulated process with a control loop and workers, set up as
 * in Linkerd's exercise: an outgoing router on port 4140 for the node's own users, an incoming one on 4141 for other nodes.
 *
 *	node_start(&node, harness, host, workers);        // names come from the host's files disco/NAME
 *	node_reload(&node);
 *	node_crash(&node, SIM_CRASH_RESET);  node_restart(&node);
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
struct snapshot;

struct node {
	struct harness *harness;
	struct network *host;
	struct sim_process *process;
	struct loop *control, *workers[NODE_WORKERS];
	unsigned worker_count;
	struct metrics *metrics;
	struct proxy *proxy;      /* NULL while it is down */
	uint64_t generation;
	bool draining, drained;
};

void node_start(struct node *node, struct harness *harness, struct network *host, unsigned workers);
/* Takes over the same configuration anew, with another binder and other routers. */
void node_reload(struct node *node);
/* Dies; what it had on the heap is left behind, as by a real crash. */
void node_crash(struct node *node, enum sim_crash how);
/* Begins draining; `drained` says when it is over. */
void node_drain(struct node *node);
void node_stop(struct node *node);

/* The configuration for a node with this address. */
struct snapshot *node_snapshot(const struct address *address, uint64_t generation);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/relay.h: forwards bytes and knows nothing of HTTP. It stands where a proxy will, and proves that the harness and
 * the simulated network carry everything through a third party: back-pressure, half-closes, resets.
 */
#ifndef SIM_RELAY_H
#define SIM_RELAY_H

#include "base/list.h"
#include "harness.h"
#include "io/network.h"

enum { RELAY_PORTS = 32 };

struct relay_port {
	struct relay *relay;
	struct address listens, to;
	struct listen_set *set;
	struct listener *listener;
};

struct relay {
	struct harness *harness;
	struct network *host;
	struct sim_process *process;
	struct loop *loop;
	struct list pairs;
	struct relay_port ports[RELAY_PORTS];
	unsigned port_count;
	uint64_t accepted;
};

void relay_start(struct relay *relay, struct harness *harness, struct network *host);
/* Listens for one address; returns where. */
struct address relay_add(struct relay *relay, const struct address *to);
void relay_stop(struct relay *relay);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/flows.h: which caller's requests went to which endpoint, by their addresses, while somebody asks for it.
 *
 * Nobody asks: a request pays for one look at a flag, and nothing is held. Else attempts that have ended are counted on the worker in a table by
 * listener, endpoint and the caller's IP address, with how long they took. A new flow is told to the control thread, which lists all workers'
 * and reads their numbers at any moment. A flow on which nothing has ended for as long as one asks is forgotten; of FLOWS_MOST on a worker what
 * doesn't fit is only counted as such.
 *
 *	flows_ask(proxy, live, now, 70 * CLOCK_SECOND);       // control thread: counted from now on, for so long
 *	LIST_EACH(&live->flows, link) use(flow_at(link)->number, counter_read(&flow_at(link)->ended[true]));
 *	flows_tidy(proxy, live, now);                         // control thread, now and then
 *
 *	if (flows_are_wanted(worker)) flows_count(exchange, bucket, microseconds);      // worker: an attempt has ended
 *	flows_sweep(worker, now);                             // worker, once a second
 */
#ifndef PROXY_FLOWS_H
#define PROXY_FLOWS_H

#include "base/list.h"
#include "base/map.h"
#include "io/address.h"
#include "proxy/live.h"

struct exchange;
struct proxy;
struct worker;

enum { FLOWS_MOST = 4096 };

struct flow_key {
	const struct target *target;
	uint16_t listener; /* its port */
	uint8_t family;    /* of the caller's address; no padding that isn't zeroed */
	uint8_t ip[16];
	uint8_t unused[5];
};

_Static_assert(sizeof(struct flow_key) == 32, "compared as bytes");

struct flow {
	struct live_object object; /* first; a reference of the worker's, one of the list's */
	struct map_entry entry;    /* worker->flows, by key */
	struct list link;          /* control: live->flows */
	uint64_t number;           /* control: never given twice by this process; 0: not listed yet */
	struct client *client;     /* counted */
	struct target *target;     /* counted */
	struct flow_key key;
	struct address source;           /* without port */
	bool told;                       /* worker: the control thread knows of it, or will */
	int64_t used;                    /* worker: loop_now */
	struct counter ended[2];         /* by success; the worker's, for any thread to read */
	struct histogram_coarse latency; /* the same: us, to the head of the response */
};

static inline struct flow *flow_at(struct list *link)
{
	return LIST_OF(link, struct flow, link);
}

/* ---- control thread ---- */

void flows_ask(struct proxy *proxy, struct live *live, int64_t now, int64_t for_ns);
/* Lets go of what workers have forgotten; nobody has asked for long: they are told to stop. */
void flows_tidy(struct proxy *proxy, struct live *live, int64_t now);
/* Attempts that ended since the process's start for which there was no place. */
uint64_t flows_lost(struct proxy *proxy);
/* For live.c: the last reference has gone; the workers have. */
void flow_free(struct live_object *object);
void flows_drop(struct live *live);

/* ---- a worker ---- */

void flows_count(struct exchange *exchange, unsigned bucket, uint64_t microseconds);
void flows_sweep(struct worker *worker, int64_t now);
/* No exchange runs any more. */
void flows_fini(struct worker *worker);

#endif

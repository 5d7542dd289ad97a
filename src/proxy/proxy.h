/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/proxy.h: the proxy of a process: its workers, its control side, and the configuration that they run.
 *
 * Made and driven on the control thread (the thread of options.control). It makes no threads: main gives it loops and runs
 * them; the simulation steps them. Between proxy_new and the first turn of the workers' loops everything may be done from one thread.
 *
 *	proxy_new(&options, &proxy);
 *	e = proxy_apply(proxy, snapshot, &why);       // takes a reference; on error everything stays as it was
 *	proxy_each_listener(proxy, print, out);       // bound addresses
 *	proxy_drain(proxy, grace_ns, drained, owner); // `drained` is called once, when all is quiet or the grace is over
 *	proxy_free(proxy);                            // after the workers' loops have stopped
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "base/text.h"
#include "io/channel.h"
#include "io/loop.h"
#include "io/network.h"
#include "model/snapshot.h"
#include "observe/metrics.h"
#include "observe/ring.h"
#include "session/session.h"

struct access_logs;
struct binder;
struct inherited;
struct live;
struct proxy;
struct resolver;

struct proxy_options {
	struct network *network;
	struct loop *control;
	struct loop *const *workers;
	unsigned worker_count;
	struct metrics *metrics;         /* made with at least worker_count shards */
	struct resolver *resolver;       /* on the control loop; may be NULL */
	struct access_logs *access_logs; /* NULL: none are written, whatever the routers say */
	uint32_t records;                /* of requests, that each worker keeps for who asks later; 0: 4096 */
	struct inherited *inherited;     /* listening sockets that are there already (io/inherit.h); NULL: none */
	const struct codec *codec;       /* what listeners and clients speak; NULL: what the policies say */
};

MUST_CHECK int proxy_new(const struct proxy_options *options, struct proxy **proxy);

/* Opens what is new, keeps what is the same (listening sockets, connections, health, budgets, caches of clients), drains what
 * is gone. *why: which address could not be listened on, and why. */
MUST_CHECK int proxy_apply(struct proxy *proxy, struct snapshot *snapshot, struct text *why);

void proxy_each_listener(struct proxy *proxy, void (*visit)(void *owner, struct slice label, const struct address *bound), void *owner);

/* The listening sockets of the configuration that runs, for giving them to another process; role: enum inherited_role. */
void proxy_each_socket(struct proxy *proxy, void (*visit)(void *owner, const int *descriptors, unsigned count, uint8_t role), void *owner);
/* Whether all workers have taken over the newest configuration, and so accept. */
bool proxy_is_configured(const struct proxy *proxy);

/* What waits to be accepted is accepted, then nothing more is. */
void proxy_drain(struct proxy *proxy, int64_t grace_ns, void (*drained)(void *owner, bool in_time), void *owner);
/* The same where another process accepts from the same sockets: what waits is for that one. */
void proxy_leave(struct proxy *proxy, int64_t grace_ns, void (*drained)(void *owner, bool in_time), void *owner);
/* Draining, but for no longer than this from now on. */
void proxy_hurry(struct proxy *proxy, int64_t grace_ns);
/* The loops are not running any more. Closes whatever is still open. */
void proxy_free(struct proxy *proxy);

/* ---- what is seen from outside; control thread ---- */

/* The binder of the snapshot that runs. */
struct binder *proxy_binder(struct proxy *proxy);
/* When that was applied, as loop_wall. */
int64_t proxy_since(struct proxy *proxy);
/* Its services and clients, with their endpoints. */
struct live *proxy_live(struct proxy *proxy);
/* The rings of a worker (observe/record.h, span.h); rings may be read on any thread. recents, spans: NULL unless configured. */
struct ring *proxy_records(struct proxy *proxy, unsigned worker);
struct ring *proxy_notes(struct proxy *proxy, unsigned worker);
struct ring *proxy_recents(struct proxy *proxy, unsigned worker);
struct ring *proxy_spans(struct proxy *proxy, unsigned worker); /* control thread */
/* A channel into the control loop, for other threads' questions. */
struct channel *proxy_channel(struct proxy *proxy);

#endif

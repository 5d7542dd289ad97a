/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/binder.h: where names meet the world: what workers want is evaluated (proxy/evaluation.h), published, and kept up to date.
 *
 * One binder for each snapshot, on the control thread. Workers want names; a name is bound for as long as somebody wants it. Each change
 * of what it is bound to is published to all who want it, endpoints of a client are published alone. A retired binder
 * (its snapshot was replaced) lives until its last route was released.
 *
 *	binder_new(&options, snapshot, &binder, &why);
 *	binder_want(binder, worker, route);         // route_publish on that worker follows, now or later, and for each change
 *	binder_release(binder, worker, route);      // route_gone on that worker follows
 *	binder_retire(binder);
 */
#ifndef PROXY_BINDER_H
#define PROXY_BINDER_H

#include "base/text.h"
#include "io/channel.h"
#include "model/snapshot.h"
#include "proxy/live.h"

struct binder;
struct dtabs;
struct ingresses;
struct k8s_clusters;
struct network;
struct resolver;
struct route;
struct sources;
struct worker;

struct binder_options {
	struct loop *loop;
	struct network *network;
	struct resolver *resolver;
	struct k8s_clusters *clusters; /* outlives the binder */
	struct live *live;
	/* Sends to a worker's inbox, and never loses a message. */
	void (*post)(void *owner, unsigned worker, struct message message);
	void (*gone)(void *owner, struct binder *binder); /* retired, and its last route was released: it frees itself after this */
	void *owner;
	struct worker *workers;
	unsigned worker_count;
};

/* ERROR_INVALID with *why. Takes a reference of the snapshot. */
MUST_CHECK int binder_new(const struct binder_options *options, struct snapshot *snapshot, struct binder **binder, struct text *why);
void binder_want(struct binder *binder, unsigned worker, struct route *route);
/* The binding was published, and could not be taken: once more. */
void binder_again(struct binder *binder, unsigned worker, struct route *route);
void binder_release(struct binder *binder, unsigned worker, struct route *route);
void binder_retire(struct binder *binder);
struct snapshot *binder_snapshot(struct binder *binder);
struct loop *binder_loop(struct binder *binder);
/* A retired binder is kept while somebody holds it. */
void binder_hold(struct binder *binder);
void binder_unhold(struct binder *binder);
bool binder_is_held(const struct binder *binder);

/* The client ids that names are bound to at present; one may come several times. */
void binder_each_client(struct binder *binder, void (*visit)(void *owner, struct slice id), void *owner);

/* What the workers have been given. */
struct live *binder_live(struct binder *binder);
/* The namers and transformers, for binding by hand: the delegator (proxy/delegate.c). */
struct sources *binder_sources(struct binder *binder);

/* The routers' dtabs. */
struct dtabs *binder_dtabs(struct binder *binder);
/* What io.l5d.ingress knows; told to all workers each time it changes, and by binder_tell_ingresses once they have its snapshot. */
struct ingresses *binder_ingresses(struct binder *binder);
void binder_tell_ingresses(struct binder *binder);

/* Lets go of endpoints that were kept although discovery has taken them away (enableProbation), and are not healthy any more. */
void binder_end_probation(struct binder *binder);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/evaluation.h: a name to what it is bound to now: dtab lookups (model/dtab.h), and the namers' answers where they end
 * (proxy/watches.h). Control thread; decides nothing and publishes nothing.
 *
 *	struct evaluation evaluation = { .watches = &watches, .router_index = 0, .dtab = &dtab, .has_endpoints = known, .owner = name };
 *	struct bound *bound = evaluation_run(&evaluation, path);     // one reference; a pending root: not known yet
 */
#ifndef PROXY_EVALUATION_H
#define PROXY_EVALUATION_H

#include "model/bound.h"
#include "model/dtab.h"
#include "proxy/watches.h"

/* A name that needs more is an error: its dtab goes in circles. */
enum {
	EVALUATION_DEPTH = 100,     /* delegations on the way of one name, as in Finagle */
	EVALUATION_LOOKUPS = 10000, /* for one name: a dtab can double them at each step */
};

struct evaluation {
	struct watches *watches;
	unsigned router_index;
	const struct dtab *dtab;
	/* Whether there are good endpoints from before for that id: then they stay in use while asking for them fails. */
	bool (*has_endpoints)(void *owner, struct path id);
	void *owner;
	/* While it runs. */
	struct bound *bound;
	unsigned lookups;
};

/* Never NULL. Too many delegations or lookups, and memory that is out, are errors inside the tree. */
struct bound *evaluation_run(struct evaluation *evaluation, struct path path);

#endif

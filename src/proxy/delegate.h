/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/delegate.h: how a name is delegated, step by step, as JSON: Linkerd 1.x's /delegator.json.
 *
 * It asks what binding asks (the binder's own watches, dtab_lookup, namers, transformers), but all alternatives, and writes down each
 * step. Names that have to be waited for get DELEGATE_WAIT. Control thread.
 *
 *	delegate_start(binder, router, &dtab_text, path_text, answered, owner);
 */
#ifndef PROXY_DELEGATE_H
#define PROXY_DELEGATE_H

#include "base/clock.h"
#include "model/dtab.h"
#include "proxy/binder.h"

struct json_writer;
struct watches;

#define DELEGATE_WAIT (2 * CLOCK_SECOND)

/* `answered` is called once, perhaps before this returns: 200 with the tree, 400 with {"error": …} for a dtab or path that
 * doesn't parse, 503 when a name could not be known in time. `dtab` NULL: the router's own. */
void delegate_start(struct binder *binder, unsigned router_index, const struct slice *dtab, struct slice path,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner);

/* In which router and with which dtab a name is delegated. */
struct delegate_question {
	struct watches *watches;
	unsigned router_index;
	const struct dtab *dtab;
};

/* Writes the tree as far as it is known; false: a part of it is not, the watches' `changed` comes when more is. */
bool delegate_write(struct json_writer *json, const struct delegate_question *question, struct path path);

#endif

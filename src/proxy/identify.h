/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/identify.h: which logical name a request asks for: a router's identifiers, and the dtabs that the request brings. Any thread;
 * nothing is kept.
 *
 *	struct identified found;
 *	if (identify_request(router, rules, head, &arena, &found, &why) == IDENTIFY_FOUND)
 *		path = identify_path(&arena, dst_prefix, &found);      // "/svc/hello"
 *	else
 *		text_append(&text, why);                               // "host header is absent"
 */
#ifndef PROXY_IDENTIFY_H
#define PROXY_IDENTIFY_H

#include "base/arena.h"
#include "model/dtab.h"
#include "model/ingress.h"
#include "model/router.h"
#include "wire/head.h"

/* What is to come below the router's dst_prefix; in the head or the arena. */
struct identified {
	struct slice token;  /* one segment, as it is; or several as they are shown, "/a/b" */
	bool is_path;        /* the latter */
	uint8_t by;          /* the identifier's index */
	struct slice target; /* of the head that is sent on */
};

enum identify {
	IDENTIFY_FOUND,
	IDENTIFY_NONE,    /* none has an answer; *why is the last one's reason (in the arena, or static) */
	IDENTIFY_PENDING, /* it depends on rules that are not known yet */
	IDENTIFY_FAILED,  /* it depends on rules that can't be known now; *why lives as long as they do */
};

/* The first identifier that has an answer gives it. `rules`: of io.l5d.ingress, by struct ingress_policy.index, each NULL while it isn't
 * known; NULL: the snapshot has none, or none is known. */
enum identify identify_request(const struct router *router, struct ingress *const *rules, struct head *request, struct arena *arena,
	struct identified *found, struct slice *why);
/* "/svc/hello", from the shown dst_prefix "/svc"; {NULL, 0}: no room in the arena. */
struct slice identify_path(struct arena *arena, struct slice dst_prefix, const struct identified *found);
/* The entries of l5d-ctx-dtab, then those of l5d-dtab, which win; in the arena. ERROR_SYNTAX with *why (in the arena);
 * ERROR_NO_MEMORY, ERROR_LIMIT with *why static. */
MUST_CHECK int identify_dtab(struct head *request, struct arena *arena, struct dtab *dtab, struct slice *why);

#endif

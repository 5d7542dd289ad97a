/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/identify.h: which logical name a request asks for: a router's identifiers, and the dtabs that the request brings. Any thread;
 * nothing is kept.
 *
 *	if (identify_request(router, head, &token))
 *		path = path_show_under(&arena, dst_prefix, token);     // "/svc/hello"
 *	else
 *		identify_why(router, &text);                           // "Host header is absent"
 */
#ifndef PROXY_IDENTIFY_H
#define PROXY_IDENTIFY_H

#include "base/text.h"
#include "model/dtab.h"
#include "model/router.h"
#include "wire/head.h"

/* The first identifier that has an answer gives it: one segment to come below the router's dst_prefix; in the head. */
bool identify_request(const struct router *router, struct head *request, struct slice *token);
/* Why identify_request had no answer: the last identifier's reason. */
void identify_why(const struct router *router, struct text *out);
/* The entries of l5d-ctx-dtab, then those of l5d-dtab, which win; in the arena. ERROR_SYNTAX with *why (in the arena);
 * ERROR_NO_MEMORY, ERROR_LIMIT with *why static. */
MUST_CHECK int identify_dtab(struct head *request, struct arena *arena, struct dtab *dtab, struct slice *why);

#endif

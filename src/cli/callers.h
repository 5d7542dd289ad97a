/* SPDX-License-Identifier: Apache-2.0 */
/* cli/callers.h: who may come in at a listener: callers of each class that one of two policies tells apart (in plain text, with TLS, as a
 * workload of some SPIFFE ID; web pages of some origin), and what becomes of them. Pure.
 *
 *	callers_each(old_listener, new_listener, visit, owner);     // those who are served by one and not by the other
 */
#ifndef CLI_CALLERS_H
#define CLI_CALLERS_H

#include "model/router.h"

/* Valid during the call only. */
struct caller {
	struct slice who;      /* "a workload spiffe://example.org/ns/web/sa/front" */
	struct slice old, new; /* what becomes of it */
};

void callers_each(const struct listener_policy *old, const struct listener_policy *new,
	void (*visit)(void *owner, const struct caller *caller), void *owner);

#endif

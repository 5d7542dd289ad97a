/* SPDX-License-Identifier: Apache-2.0 */
/* cli/settings.h: what two configurations set differently, key by key, of all that no request's destination shows: TLS, limits, access
 * logs, telemetry, the admin server. Left out is what witnesses show (cli/witness.h): how requests are named, looked up and called; not of
 * routers where Kubernetes' objects say that, which have no witnesses.
 *
 * Routers are compared by their labels, servers by their addresses, telemeters by their kinds. What is the default differs from no
 * other value than a key that is not there does; keys without effect are left out. Files are compared by what is in
 * them (cli/named_file.h).
 *
 *	settings_each(document_root(old), document_root(new), visit, owner);
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "doc/document.h"

/* Valid during the call only. */
struct setting {
	struct slice key;      /* "routers[out].servers[127.0.0.1:4140].maxConcurrentRequests" */
	struct slice old, new; /* what it is set to; at NULL: it isn't set */
	int old_line, new_line;
};

void settings_each(const struct document_node *old, const struct document_node *new,
	void (*visit)(void *owner, const struct setting *setting), void *owner);

#endif

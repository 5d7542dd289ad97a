/* SPDX-License-Identifier: Apache-2.0 */
/* cli/certs_connect.h: what a live endpoint shows, for `weft certs --connect`. Main thread; runs a loop of its own to the end.
 *
 *	const struct certs_question question = { .target = "web.example:443" };
 *	struct certs_endpoint *endpoint = certs_connect(&question);    // NULL: it has complained
 *	inspect(&(struct inspect_input){ .chain = text_slice(&certs_shown(endpoint)->chain), ... });
 *	certs_disconnect(endpoint);
 */
#ifndef CLI_CERTS_CONNECT_H
#define CLI_CERTS_CONNECT_H

#include "base/slice.h"
#include "tls/probe.h"

struct certs_endpoint;

struct certs_question {
	const char *target;            /* HOST:PORT */
	const char *server_name;       /* NULL: HOST, if it is a name */
	struct slice certificate, key; /* PEM, to be shown; at NULL: nothing */
};

/* NULL: there was no chain to look at, and standard error says why. */
struct certs_endpoint *certs_connect(const struct certs_question *question);
const struct probe_result *certs_shown(const struct certs_endpoint *endpoint);
/* What was asked for; empty: nothing. */
struct slice certs_name(const struct certs_endpoint *endpoint);
void certs_disconnect(struct certs_endpoint *endpoint);

#endif

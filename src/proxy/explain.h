/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/explain.h: where a request would go and why, step by step, as JSON, without sending it.
 *
 * The request is named, looked up and bound by the functions that do it for requests that are sent (identify, delegate, evaluation,
 * the policies' rules), each step written down with the line of the configuration that decided it:
 *
 *	{"request": {"method", "target", "authority", "peer"}, "router": {"label", "file", "line"},
 *	 "identify": {"tried": [{"identifier", "line", "name" or "why"}], "name"}, "dtab": "/host/world=>/srv/world-v2",
 *	 "callers": [{"server": "0.0.0.0:4143", "allowed": true, "patterns": [{"pattern", "line", "matches": true}]}],
 *	 "delegation": {…as /delegator.json},
 *	 "service": {"name", "rules": [{"line", "sets": […]}]},
 *	 "destinations": [{"share", "kind": "leaf", "client", "residual", "rules", "balancer", "endpoints": [{"address", "weight", "state"}]},
 *	                  or with "kind" neg, fail, empty, error ("why"), status ("status")],
 *	 "verdict": {"status": 502, "why"} or {"endpoints": 3}}
 *
 * "callers" has the servers with `peerIds`; what they say of a caller that isn't known is neither allowed nor not. The verdict is the first
 * server's.
 *
 * A step that ends the request is the last that is written, with its verdict. Control thread.
 *
 * Of a request that was sent (explain_named) there is no "request", and what it might have gone to says whether it did, or why not:
 * "chosen": true or "why" stands with destinations and endpoints.
 *
 * What would happen if the router had another dtab is asked by giving that one; nothing of it is kept, and traffic never sees it. Entries
 * that the router's own has too are told with their lines.
 *
 *	explain_start(binder, router, SLICE("GET /x HTTP/1.1\r\nHost: hello\r\n\r\n"), NULL, NULL, answered, owner);
 */
#ifndef PROXY_EXPLAIN_H
#define PROXY_EXPLAIN_H

#include "proxy/binder.h"

/* `head`: a request's head as HTTP/1 writes it, copied. `dtab` (NULL: the router's own) stands for the router's, copied. `answered` is called
 * once, perhaps before this returns: 200; 400 with {"error": …} for a head that no server would take, or no dtab; 503 when a name
 * could not be known within DELEGATE_WAIT. `peer`: the SPIFFE ID that the caller has proven, copied; NULL: not known. */
void explain_start(struct binder *binder, unsigned router_index, struct slice head, const struct slice *dtab, const struct slice *peer,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner);

/* The same of a name, such as /svc/hello: there is neither "request" nor "identify". 400 also for what is no path. */
void explain_name(struct binder *binder, unsigned router_index, struct slice name, const struct slice *dtab,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner);

enum { EXPLAIN_TRIED = 32 };

/* What is left of a request that was sent. */
struct explain_past {
	struct slice name, dtab; /* its own dtab; both are copied */
	unsigned identifier;     /* the index of the one that named it */
	uint64_t client;         /* hash of the last attempt's; 0: none */
	uint8_t ip[4];           /* of the last attempt's endpoint: the address's last bytes */
	uint16_t port;           /* 0: none */
	int64_t began;           /* loop_now's clock */
	unsigned tried_count;
	struct explain_tried {
		struct address endpoint;
		const char *outcome; /* static */
	} tried[EXPLAIN_TRIED];      /* before */
};

void explain_named(struct binder *binder, unsigned router_index, const struct explain_past *past,
	void (*answered)(void *owner, unsigned status, struct slice json), void *owner);

#endif

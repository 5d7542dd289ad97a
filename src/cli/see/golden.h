/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/golden.h: the golden metrics of services, routes, methods and edges: what happened between two readings of one or many
 * proxies. Main thread.
 *
 *	golden_start(&golden, &(struct golden_choice){ .kind = METER_SERVICE });
 *	golden_add(&golden, SLICE("127.0.0.1:9990"), before, now);      // for each proxy
 *	golden_finish(&golden);
 *	for (unsigned i = 0; i < golden.count; i++) show(golden.rows[i]);
 *	golden_free(&golden);                                           // before the readings: names are theirs
 */
#ifndef CLI_SEE_GOLDEN_H
#define CLI_SEE_GOLDEN_H

#include "cli/see/reading.h"

struct ends;

/* What has a row. */
enum golden_by {
	GOLDEN_NAMES,      /* as weft calls it */
	GOLDEN_SERVICES,   /* of METER_CLIENT, with `kubernetes`: the Service that the client leads to */
	GOLDEN_NAMESPACES, /* the same: the namespace of that */
	GOLDEN_CALLED,     /* of METER_FLOW: who is called, as `ends` tells it */
	GOLDEN_PAIRS,      /* of METER_FLOW: who calls, and who is called */
};

struct golden_choice {
	enum meter_kind kind; /* not METER_PEER. METER_CLIENT: edges, which are METER_SERVER's and METER_CALLER's rows, too */
	enum golden_by by;
	const struct ends *ends;     /* of flows; has learnt all readings */
	const char *namespace;       /* only what is called in it, or calls from it; NULL: all */
	bool kubernetes;             /* rows say what they lead to there, and patterns may name that: NAMESPACE/SERVICE */
	bool apart;                  /* a row for each proxy, not their sum */
	const char *const *patterns; /* of names, any of them; NULL or ending in NULL at once: all */
	const char *router;          /* its label; NULL: all */
};

/* Rates are a second's. NaN: can't be told, as the success of no requests. */
struct golden_row {
	struct map_entry entry;
	struct slice service, client, router, proxy; /* empty: not of this kind of rows */
	struct slice from, to, secured, peers;       /* of edges */
	struct kube_name kube;                       /* with `kubernetes` */
	struct slice caller;                         /* with `kubernetes`, of edges */
	struct slice called, shown;                  /* of flows: who is called; in brackets when that is inferred */
	bool inferred;                               /* by the Service */
	double requests, success, failures, retries; /* in the window */
	double rate, success_percent, retry_rate, failure_rate;
	double client_errors, server_errors; /* answers 4xx and 5xx, a second; of services 0: they don't count them */
	double p50_ms, p95_ms, p99_ms;
	double pending, connections; /* now */
	double available, endpoints; /* now, as the proxy sees them that sees the least */
	double proxies;              /* how many know of it */

	/* Of the proxy that is being added, and of the connections so far. */
	unsigned counted; /* golden->added when it was counted in `proxies` */
	double proxy_available, proxy_endpoints, handshakes, plaintext, connects;
	struct histogram_view *latency;
};

struct golden {
	struct golden_choice choice;
	struct arena arena;
	struct map map;
	struct golden_row **rows; /* in the order of their names */
	unsigned count;
	unsigned added; /* proxies, so far */
};

void golden_start(struct golden *golden, const struct golden_choice *choice);
/* `before` may be NULL: then it is all since the proxy's start. A proxy that started anew in between counts from there. */
void golden_add(struct golden *golden, struct slice proxy, const struct reading *before, const struct reading *now);
void golden_finish(struct golden *golden);
void golden_free(struct golden *golden);

/* Whether `name`, or what is behind its first step ("svc/"), is like the pattern, in which `*` is any run of bytes and `?` any one. */
bool golden_matches(struct slice name, const char *pattern);

#endif

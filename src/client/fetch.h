/* SPDX-License-Identifier: Apache-2.0 */
/* client/fetch.h: one request over HTTP/1.1, on a connection of its own, which may be kept for the next one; the answer is told as it comes. For weft's own calls: admin
 * servers, Kubernetes' API; a page once, or one that streams without an end. One loop's thread; events come from the loop, never from
 * inside a call here.
 *
 *	fetch_init(&fetch, loop, pools, &events, owner);
 *	fetch_start(&fetch, network_host(), &address, SLICE("/admin/metrics.json"), &(struct fetch_limits){ .head_ns = 5 * CLOCK_SECOND });
 *	fetch_stop(&fetch);             // nothing is told any more but `over`; at any time
 *	if (fetch_is_over(&fetch)) ...  // its session is gone: another may be started, or the memory freed
 *
 *	fetch_send(&fetch, &(struct fetch_to){ .network = network, .address = &address, .tls = &tls },
 *		&(struct fetch_request){ .target = SLICE("/api/v1/pods"), .fields = &accept, .field_count = 1 }, &limits);
 */
#ifndef CLIENT_FETCH_H
#define CLIENT_FETCH_H

#include "io/loop.h"
#include "io/network.h"
#include "session/session.h"
#include "tls/stream.h"

struct fetch;

struct fetch_events {
	/* Some of the body; fetch->status is known. */
	void (*body)(struct fetch *fetch, struct slice bytes);
	/* Once: error 0, the answer is whole, of whatever status (which may have no body); else it could not be had, or breaks off. */
	void (*ended)(struct fetch *fetch, int error);
	/* The session is gone; or it was kept, and is free for the next request. May be NULL. */
	void (*over)(struct fetch *fetch);
};

struct fetch_limits {
	int64_t head_ns;  /* until the answer's head; 0: as long as the kernel waits */
	int64_t all_ns;   /* until its end; 0: without end */
	int64_t quiet_ns; /* between two runs of the body's bytes; 0: for ever */
};

/* Of whom. Copied, but for what it points at, which outlives the fetch. */
struct fetch_to {
	struct network *network;
	const struct address *address; /* copied; or */
	const char *socket;            /* the path of a Unix socket; copied */
	const struct fetch_tls *tls;   /* NULL: plain text */
	bool keep;                     /* after a whole answer the connection stays, for the next fetch_send to the same place */
};

struct fetch_tls {
	struct tls_pools *pools;
	struct tls_client *client;
	struct tls_target target;
	struct tls_counters *counters; /* NULL: not counted */
};

struct fetch_field {
	struct slice name, value; /* as RFC 9110 section 5 allows them: no CR or LF */
};

/* What. All is copied. */
struct fetch_request {
	struct slice method;    /* empty: GET */
	struct slice authority; /* empty: the address */
	struct slice target;    /* path and query */
	const struct fetch_field *fields;
	unsigned field_count;
	struct slice body; /* empty: none. What the session doesn't send at once waits in the loop's buffers */
};

struct fetch {
	void *owner;
	unsigned status; /* 0: no head yet */
	bool reused;     /* by a connection that was kept: the other end may have closed it just then */

	/* The rest is fetch.c's. */
	struct loop *loop;
	struct session_pools *pools;
	const struct fetch_events *events;
	struct fetch_limits limits;
	int64_t began;
	struct session *session;
	struct side *side; /* NULL: released */
	bool running;      /* `ended` is still to come */
	bool gone;         /* the session has told so, and is being forgotten */
	bool keep, rests;  /* rests: the session is kept, and free */
	struct timer limit, quiet;
	struct tls_counters uncounted;
};

void fetch_init(struct fetch *fetch, struct loop *loop, struct session_pools *pools, const struct fetch_events *events, void *owner);
/* It must be over, or ready. Fails at once with ERROR_LIMIT, ERROR_NO_MEMORY or ERROR_INVALID (the socket's path, the name to be verified, a
 * field); then nothing is told but `over`, unless it is over already. */
MUST_CHECK int fetch_send(
	struct fetch *fetch, const struct fetch_to *to, const struct fetch_request *request, const struct fetch_limits *limits);
/* The same: a GET, in plain text. */
MUST_CHECK int fetch_start(struct fetch *fetch, struct network *network, const struct address *address, struct slice target,
	const struct fetch_limits *limits);
void fetch_stop(struct fetch *fetch);
/* A connection that is kept is closed, or won't be kept; what runs goes on. */
void fetch_let_go(struct fetch *fetch);
static inline bool fetch_is_over(const struct fetch *fetch)
{
	return !fetch->session;
}
/* Another may be sent: it is over, or its connection was kept and is free. */
static inline bool fetch_is_ready(const struct fetch *fetch)
{
	return !fetch->session || fetch->rests;
}

#endif

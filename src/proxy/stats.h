/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/stats.h: what is counted, as one struct of numbers for each kind of scope and worker.
 *
 * Names are Linkerd 1.x's, since that is what its users' dashboards read. Written by the worker that owns the shard; the tables
 * for readers are in stats.c. See observe/metrics.h.
 */
#ifndef PROXY_STATS_H
#define PROXY_STATS_H

#include "observe/metrics.h"
#include "session/session.h"
#include "wire/grpc.h"
#include "tls/stream.h"

/* In routers for HTTP/2. */
struct stream_stats {
	struct counter success, failures;
	struct counter data_bytes;        /* of bodies, both ways */
	struct histogram_coarse duration; /* stream_duration_ms: to the stream's end */
};

/* time/2XX to time/5XX: how long responses took, by the class of their status. */
enum { TIMES_FIRST = 2, TIMES_COUNT = 4 };
struct times {
	struct histogram_coarse classes[TIMES_COUNT];
};

/* `bucket`: histogram_bucket(microseconds). */
static inline void times_put(struct times *times, unsigned status, unsigned bucket, uint64_t microseconds)
{
	unsigned which = status / 100 - TIMES_FIRST;

	if (which < TIMES_COUNT)
		histogram_coarse_put(&times->classes[which], bucket, microseconds);
}

/* rt/LABEL/server/IP/PORT */
struct server_stats {
	struct session_counters sessions;
	struct counter connections; /* open now */
	struct counter requests, success, failures;
	struct counter pending;   /* gauge */
	struct counter rejected;  /* by maxConcurrentRequests */
	struct counter forbidden; /* by peerIds */
	struct counter refused;   /* bytes that were no acceptable request */
	struct codes status;
	struct histogram latency; /* request_latency_ms */
	struct times times;
	struct histogram connection_duration;
	struct stream_stats streams;
	struct tls_counters tls;
};

/* rt/LABEL/service/svc/NAME */
struct service_stats {
	struct counter requests, success, failures;
	struct counter pending;
	struct counter retry_limit; /* not retried any more: often enough */
	struct counter retries, budget_exhausted,
		retries_late; /* late: not retried because the response had begun or couldn't be replayed */
	struct histogram latency;
	struct histogram_few retries_per_request;
	struct stream_stats streams;
};

/* rt/LABEL/client/ID and rt/LABEL/client/ID/service/NAME */
struct attempt_stats {
	struct counter requests, success, failures;
	struct counter pending;
	struct codes status;
	struct histogram latency;
};

/* rt/LABEL/client/ID */
struct client_stats {
	struct attempt_stats attempts;
	struct times times;
	struct stream_stats streams;
	struct session_counters sessions;
	struct counter connections, connect_failures;
	struct histogram connect_latency;
	struct histogram_coarse failed_connect_latency;
	struct counter cached;                /* gauge: idle connections */
	struct counter size, available, busy; /* gauges, by worker 0 (all workers see the same endpoints) */
	struct counter adds, removes, updates, effort_exhausted;
	struct counter removals, revivals, probes;
	struct histogram removed_for;
	struct counter checks, checks_passed, checks_failed; /* active health checks */
	struct counter checks_unanswered;                    /* of the failed ones, those without an answer */
	struct counter check_removals, check_revivals;
	struct counter requeues, requeue_budget_exhausted, request_limit;
	struct histogram_few requeues_per_request;
	struct counter waiters, waited; /* requests waiting for a connection now, and ever */
	struct counter exceptions[12];  /* by enum outcome (proxy/outcome.h) */
	struct tls_counters tls;
};

/* rt/LABEL/client/ID/caller/WHO: calls that have ended (caller.h) */
struct caller_stats {
	struct counter requests, success, failures;
};

/* rt/LABEL/method/PACKAGE.SERVICE/METHOD */
struct method_stats {
	struct counter requests, success, failures;
	struct counter statuses[GRPC_STATUSES + 1]; /* the last one: calls that ended without */
	struct histogram latency;
};

/* A worker's cache of names. */
struct cache_stats {
	struct counter misses, evicts, expires, oneshots; /* oneshots: of those that are gone, used once only */
};

/* rt/LABEL */
struct router_stats {
	struct cache_stats paths, trees; /* trees: of requests with a dtab of their own */
	struct counter binding_timeouts, unbound, unidentified;
	struct counter access_lines, access_dropped; /* of the access log; dropped: its ring was full */
	struct counter inferred, ambiguous;          /* calls without a trace that were joined to a request, or could not be (joining.h) */
};

/* Scopes for names that are bound to nothing: anybody can make up such. */
enum { UNBOUND_SERVICES = 256 };

extern const struct metric_kind server_kind, service_kind, client_kind, pair_kind, caller_kind, method_kind, router_kind;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* model/policy.h: how calls to a service are made and judged: retries, time limits, classification; and how its endpoints are
 * used: balancer, failure accrual, connections. Immutable once in a snapshot; any thread.
 *
 * A rule sets some fields for the names that its matcher matches; rules apply in order and a later one wins field by field
 * (`set` has a bit for each field that a rule gives).
 *
 *	struct service_policy policy;
 *	service_policy_resolve(router->service_rules, router->service_rule_count, logical_name, &policy);
 */
#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "tls/options.h"

struct matcher;
struct path;
struct tls_client;

/* Waiting times between attempts, or while an endpoint is out. */
enum backoff_kind {
	BACKOFF_CONSTANT, /* always min_ns */
	BACKOFF_JITTERED, /* decorrelated jitter: between min_ns and three times the last one, at most max_ns */
	BACKOFF_EQUAL,    /* min_ns doubled each time up to max_ns, half of it random (failure accrual's default) */
};

struct backoff {
	enum backoff_kind kind;
	int64_t min_ns, max_ns;
};

/* A retry withdraws what 1 / percent_can_retry requests have deposited; deposits live for ttl_ns. */
struct budget_policy {
	double percent_can_retry; /* 0.2 = one retry for five requests */
	uint32_t min_retries_per_second;
	int64_t ttl_ns;
};

/* What a response means. Linkerd's five kinds for HTTP and HTTP/2: 5xx are failures in all but ALL_SUCCESSFUL. Its kinds for gRPC:
 * the status in the trailers decides, and what has none is UNKNOWN; COMPLIANT takes what gRPC's specification says in its place. */
enum classifier {
	CLASSIFIER_NON_RETRYABLE_5XX,
	CLASSIFIER_RETRYABLE_READ_5XX,       /* GET HEAD OPTIONS TRACE */
	CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX, /* and PUT DELETE */
	CLASSIFIER_RETRYABLE_ALL_5XX,        /* and POST PATCH */
	CLASSIFIER_ALL_SUCCESSFUL,
	CLASSIFIER_GRPC,
	CLASSIFIER_GRPC_COMPLIANT,
};

static inline bool classifier_is_grpc(enum classifier classifier)
{
	return classifier >= CLASSIFIER_GRPC;
}

/* Sets of gRPC's statuses, a bit for each (0 to 16). */
#define STATUSES_NONE 0u
#define STATUSES_ALL 0x1ffffu
#define STATUSES_OK (1u << 0)
#define STATUSES_UNAVAILABLE (1u << 14)

enum service_field {
	SERVICE_TOTAL_TIMEOUT = 1 << 0,
	SERVICE_BUDGET = 1 << 1,
	SERVICE_BACKOFF = 1 << 2,
	SERVICE_CLASSIFIER = 1 << 3,
	SERVICE_CLASSIFICATION_TIMEOUT = 1 << 4,
	SERVICE_RETRY_BUFFERS = 1 << 5,
};

/* What is kept of a stream so that it can be sent again, or so that it is not answered before it is classified. */
struct retry_buffers {
	uint32_t request_bytes, response_bytes;
};

struct service_policy {
	unsigned set;             /* enum service_field */
	int64_t total_timeout_ns; /* over all attempts; 0: none */
	struct budget_policy budget;
	struct backoff backoff; /* between attempts */
	enum classifier classifier;
	uint32_t success_statuses; /* of gRPC classifiers */
	uint32_t retryable_statuses;
	int64_t classification_ns;    /* how long a response is held back for its status */
	struct retry_buffers buffers; /* of routers for HTTP/2 */
};

enum balancer_kind {
	BALANCER_P2C,  /* power of two choices over requests in flight */
	BALANCER_EWMA, /* power of two choices over peak EWMA latency times requests in flight */
	BALANCER_ROUND_ROBIN,
};

struct balancer_policy {
	enum balancer_kind kind;
	uint32_t max_effort; /* picks tried for an available endpoint */
	int64_t decay_ns;    /* EWMA's time constant */
	bool probation;      /* endpoints that discovery takes away stay while they are healthy */
};

enum accrual_kind {
	ACCRUAL_NONE,
	ACCRUAL_CONSECUTIVE_FAILURES,
};

struct accrual_policy {
	enum accrual_kind kind;
	uint32_t failures;
	struct backoff backoff;
};

/* Active health checks: endpoints are asked for their health, each time by a connection of its own. */
enum check_kind {
	CHECK_KIND_NONE,
	CHECK_KIND_HTTP, /* GET of `path`: 2xx or 3xx */
	CHECK_KIND_GRPC, /* grpc.health.v1.Health/Check of `service`: SERVING */
};

enum { CHECK_TEXT_MOST = 255 };

struct check_policy {
	enum check_kind kind;
	char path[CHECK_TEXT_MOST + 1], service[CHECK_TEXT_MOST + 1];
	char host[CHECK_TEXT_MOST + 1]; /* asked for; empty: the endpoint's address */
	int64_t interval_ns, timeout_ns;
	uint32_t unhealthy_threshold; /* failures in a row, then it is taken out */
	uint32_t healthy_threshold;   /* passes in a row, then it comes back */
};

struct connection_policy {
	uint32_t min_size;    /* connections kept though idle longer than idle_ns */
	uint32_t max_size;    /* for each endpoint, in the whole process; 0: no limit */
	uint32_t max_waiters; /* requests waiting for a connection; 0: no limit of its own */
	int64_t idle_ns;      /* then closed; 0: never */
};

/* HTTP/2's numbers for one end of a connection (RFC 9113 section 6.5.2). */
struct http2_policy {
	uint32_t header_table_bytes;  /* HPACK's table, for what the peer sends; more than 4096 is the same as that */
	uint32_t stream_window_bytes; /* what the peer may send on a stream before it is consumed */
	uint32_t max_frame_bytes;     /* 16384 to 16777215 */
	uint32_t max_header_bytes;    /* a head as SETTINGS_MAX_HEADER_LIST_SIZE counts; 0: as the router's maxHeadersKB */
	uint32_t max_streams;         /* servers: on a connection at a time */
	double window_update_ratio;   /* a stream's peer is told of new room when no more than that share of its window is left */
	int64_t ping_ns;              /* a PING each time, and the end if the last has no answer; 0: never */
};

/* What is spoken with endpoints. */
enum upstream_protocol {
	UPSTREAM_HTTP1,
	UPSTREAM_HTTP2, /* in cleartext with prior knowledge */
	UPSTREAM_AUTO,  /* as TLS agrees on (ALPN); HTTP/1 in cleartext */
};

enum client_field {
	CLIENT_BALANCER = 1 << 0,
	CLIENT_ACCRUAL = 1 << 1,
	CLIENT_ATTEMPT_TIMEOUT = 1 << 2,
	CLIENT_CONNECTIONS = 1 << 3,
	CLIENT_REQUEUE_BUDGET = 1 << 4,
	CLIENT_PROTOCOL = 1 << 5,
	CLIENT_SESSION = 1 << 6,
	CLIENT_HEADER_TABLE = 1 << 7,
	CLIENT_STREAM_WINDOW = 1 << 8,
	CLIENT_MAX_FRAME = 1 << 9,
	CLIENT_MAX_HEADERS = 1 << 10,
	CLIENT_WINDOW_RATIO = 1 << 11,
	CLIENT_SOCKET = 1 << 12,
	CLIENT_PING = 1 << 13,
	CLIENT_TLS = 1 << 20,
	CLIENT_FORWARD_CERTIFICATE = 1 << 21,
	CLIENT_CHECK = 1 << 22,
};

/* How long a connection to an endpoint lives. */
struct life_policy {
	int64_t life_ns; /* then it takes no more requests, and ends with the last; 0: the protocol's default */
	int64_t idle_ns; /* without a request, then closed; 0: never */
};

/* Of connections to endpoints. */
struct socket_policy {
	bool delay, keep_alive;   /* Nagle's algorithm on; SO_KEEPALIVE */
	int64_t read_timeout_ns;  /* a response, or more of it, doesn't come for so long: closed; 0: never */
	int64_t write_timeout_ns; /* the endpoint takes nothing for so long: closed; 0: never */
	int64_t ack_timeout_ns;   /* its machine acknowledges nothing for so long: closed; 0: as the kernel does */
};

/* Mutual TLS between workloads, with this process's identity (struct identity_policy). */
enum mutual {
	MUTUAL_OFF,
	MUTUAL_PERMISSIVE, /* listeners only: callers in plain text are served, too */
	MUTUAL_STRICT,
};

enum { PEERS_MOST = 2048 };

/* TLS to endpoints. */
struct tls_policy {
	enum mutual mutual; /* then the options are made of the identity (proxy/certificates.h) */
	const struct tls_setting
		*peer_ids;          /* of a rule: who the endpoints may be, patterns of SPIFFE IDs; may hold {captures} of the matcher */
	unsigned peer_id_count;     /* 0: anybody whom the identity's bundle vouches for */
	char peers[PEERS_MOST + 1]; /* of what client_policy_resolve gives: the patterns, spaces between; empty with a count: nobody */
	const struct tls_client_options *options; /* NULL: plain text */
	struct tls_client *client;                /* made of it (proxy/certificates.h); the snapshot's reference; NULL until then */
	struct tls_setting common_name; /* of a rule: what the endpoints' certificate is for; may hold {captures} of the matcher */
	char name[TLS_NAME_MOST + 1];   /* of what client_policy_resolve gives: the captures are put in; empty: none, or too long */
};

struct client_policy {
	unsigned set; /* enum client_field */
	struct balancer_policy balancer;
	struct accrual_policy accrual;
	struct check_policy check;
	int64_t attempt_timeout_ns; /* one attempt, connecting included; 0: none */
	struct connection_policy connections;
	struct budget_policy requeue_budget;
	enum upstream_protocol protocol;
	struct http2_policy http2;
	struct life_policy life;
	struct socket_policy socket;
	struct tls_policy tls;
	bool forward_certificate; /* the caller's certificate is told in x-forwarded-client-cert; else that field is taken out */
};

struct service_rule {
	const struct matcher *matcher; /* of the logical name (/svc/hello); NULL: all */
	struct service_policy policy;
	int line; /* of the configuration's file; 0: of no line */
};

struct client_rule {
	const struct matcher *matcher; /* of the client id (/%/io.l5d.port/4141/#/io.l5d.fs/hello); NULL: all */
	struct client_policy policy;
	int line; /* of the configuration's file; 0: of no line */
};

/* Linkerd 1.x's defaults; `set` is 0. */
struct service_policy service_policy_default(void);
struct client_policy client_policy_default(void);
struct http2_policy http2_policy_default(void);

void service_policy_resolve(const struct service_rule *rules, unsigned count, const struct path *name, struct service_policy *policy);
void client_policy_resolve(const struct client_rule *rules, unsigned count, const struct path *id, struct client_policy *policy);

/* The nth waiting time, n from 0; `previous` is the one before (for decorrelated jitter), random is 0 <= x < 1. */
int64_t backoff_next(const struct backoff *backoff, unsigned n, int64_t previous, double random);

#endif

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

struct matcher;
struct path;

/* Waiting times between attempts, or while an endpoint is out. */
enum backoff_kind {
	BACKOFF_CONSTANT,  /* always min_ns */
	BACKOFF_JITTERED,  /* decorrelated jitter: between min_ns and three times the last one, at most max_ns */
	BACKOFF_EQUAL,     /* min_ns doubled each time up to max_ns, half of it random (failure accrual's default) */
};

struct backoff {
	enum backoff_kind kind;
	int64_t min_ns, max_ns;
};

/* A retry withdraws what 1 / percent_can_retry requests have deposited; deposits live for ttl_ns. */
struct budget_policy {
	double percent_can_retry;       /* 0.2 = one retry for five requests */
	uint32_t min_retries_per_second;
	int64_t ttl_ns;
};

/* What a response means (Linkerd's five kinds for HTTP). 5xx are failures in all but ALL_SUCCESSFUL. */
enum classifier {
	CLASSIFIER_NON_RETRYABLE_5XX,
	CLASSIFIER_RETRYABLE_READ_5XX,       /* GET HEAD OPTIONS TRACE */
	CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX, /* and PUT DELETE */
	CLASSIFIER_RETRYABLE_ALL_5XX,        /* and POST PATCH */
	CLASSIFIER_ALL_SUCCESSFUL,
};

enum service_field {
	SERVICE_TOTAL_TIMEOUT = 1 << 0,
	SERVICE_BUDGET = 1 << 1,
	SERVICE_BACKOFF = 1 << 2,
	SERVICE_CLASSIFIER = 1 << 3,
};

struct service_policy {
	unsigned set;                /* enum service_field */
	int64_t total_timeout_ns;    /* over all attempts; 0: none */
	struct budget_policy budget;
	struct backoff backoff;      /* between attempts */
	enum classifier classifier;
};

enum balancer_kind {
	BALANCER_P2C,         /* power of two choices over requests in flight */
	BALANCER_EWMA,        /* power of two choices over peak EWMA latency times requests in flight */
	BALANCER_ROUND_ROBIN,
};

struct balancer_policy {
	enum balancer_kind kind;
	uint32_t max_effort;   /* picks tried for an available endpoint */
	int64_t decay_ns;      /* EWMA's time constant */
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

struct connection_policy {
	uint32_t min_size;       /* connections kept though idle longer than idle_ns */
	uint32_t max_size;       /* for each endpoint, in the whole process; 0: no limit */
	uint32_t max_waiters;    /* requests waiting for a connection; 0: no limit of its own */
	int64_t idle_ns;         /* then closed; 0: never */
};

enum client_field {
	CLIENT_BALANCER = 1 << 0,
	CLIENT_ACCRUAL = 1 << 1,
	CLIENT_ATTEMPT_TIMEOUT = 1 << 2,
	CLIENT_CONNECTIONS = 1 << 3,
	CLIENT_REQUEUE_BUDGET = 1 << 4,
};

struct client_policy {
	unsigned set;               /* enum client_field */
	struct balancer_policy balancer;
	struct accrual_policy accrual;
	int64_t attempt_timeout_ns; /* one attempt, connecting included; 0: none */
	struct connection_policy connections;
	struct budget_policy requeue_budget;
};

struct service_rule {
	const struct matcher *matcher; /* of the logical name (/svc/hello); NULL: all */
	struct service_policy policy;
};

struct client_rule {
	const struct matcher *matcher; /* of the client id (/%/io.l5d.port/4141/#/io.l5d.fs/hello); NULL: all */
	struct client_policy policy;
};

/* Linkerd 1.x's defaults; `set` is 0. */
struct service_policy service_policy_default(void);
struct client_policy client_policy_default(void);

void service_policy_resolve(const struct service_rule *rules, unsigned count, const struct path *name, struct service_policy *policy);
void client_policy_resolve(const struct client_rule *rules, unsigned count, const struct path *id, struct client_policy *policy);

/* The nth waiting time, n from 0; `previous` is the one before (for decorrelated jitter), random is 0 <= x < 1. */
int64_t backoff_next(const struct backoff *backoff, unsigned n, int64_t previous, double random);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/stats.h"

#include "proxy/outcome.h"

#define SERVER(member, type, name) METRIC(struct server_stats, member, type, name)
#define SERVICE(member, type, name) METRIC(struct service_stats, member, type, name)
#define ATTEMPT(member, type, name) METRIC(struct attempt_stats, member, type, name)
#define CLIENT(member, type, name) METRIC(struct client_stats, member, type, name)
#define ROUTER(member, type, name) METRIC(struct router_stats, member, type, name)
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* Rows that several scopes have. `of` says where in the scope's struct, with its dot: `attempts.`, or nothing. */
#define CALLS(SCOPE, of) \
	SCOPE(of requests, METRIC_COUNTER, "requests"), SCOPE(of success, METRIC_COUNTER, "success"), \
		SCOPE(of failures, METRIC_COUNTER, "failures"), SCOPE(of latency, METRIC_STAT, "request_latency_ms")
#define PENDING(SCOPE, of) SCOPE(of pending, METRIC_GAUGE, "pending"), SCOPE(of pending, METRIC_GAUGE, "load")
#define TIMES(SCOPE) \
	SCOPE(times.classes[0], METRIC_SEEN_STAT, "time/2XX"), SCOPE(times.classes[1], METRIC_SEEN_STAT, "time/3XX"), \
		SCOPE(times.classes[2], METRIC_SEEN_STAT, "time/4XX"), SCOPE(times.classes[3], METRIC_SEEN_STAT, "time/5XX")
#define CONNECTIONS(SCOPE) \
	SCOPE(connections, METRIC_GAUGE, "connections"), SCOPE(sessions.connects, METRIC_COUNTER, "connects"), \
		SCOPE(sessions.closes, METRIC_COUNTER, "closes"), SCOPE(sessions.received_bytes, METRIC_COUNTER, "received_bytes"), \
		SCOPE(sessions.sent_bytes, METRIC_COUNTER, "sent_bytes")
#define CACHE(name) \
	ROUTER(name##s.misses, METRIC_COUNTER, "bindcache/" #name "/misses"), \
		ROUTER(name##s.evicts, METRIC_COUNTER, "bindcache/" #name "/evicts"), \
		ROUTER(name##s.expires, METRIC_COUNTER, "bindcache/" #name "/expires"), \
		ROUTER(name##s.oneshots, METRIC_COUNTER, "bindcache/" #name "/oneshots")
#define STREAMS(SCOPE) \
	SCOPE(streams.success, METRIC_SEEN, "stream_success"), SCOPE(streams.failures, METRIC_SEEN, "stream_failures"), \
		SCOPE(streams.data_bytes, METRIC_SEEN, "data_bytes"), SCOPE(streams.duration, METRIC_SEEN_STAT, "stream_duration_ms")

/* Failures are called as tls_failure_name says; a test compares them. */
#define TLS_FAILED(SCOPE, failure, name) SCOPE(tls.failures[failure], METRIC_SEEN, "tls/failures/" name)
#define TLS(SCOPE) \
	SCOPE(tls.handshakes, METRIC_SEEN, "tls/handshakes"), SCOPE(tls.resumed, METRIC_SEEN, "tls/resumed"), \
		SCOPE(tls.plain, METRIC_SEEN, "tls/plaintext"), TLS_FAILED(SCOPE, TLS_FAILURE_TIMEOUT, "timeout"), \
		TLS_FAILED(SCOPE, TLS_FAILURE_LEFT, "left"), TLS_FAILED(SCOPE, TLS_FAILURE_TRUNCATED, "truncated"), \
		TLS_FAILED(SCOPE, TLS_FAILURE_UNTRUSTED, "untrusted"), TLS_FAILED(SCOPE, TLS_FAILURE_UNSHOWN, "no_certificate"), \
		TLS_FAILED(SCOPE, TLS_FAILURE_REFUSED, "refused_by_peer"), TLS_FAILED(SCOPE, TLS_FAILURE_MISMATCH, "nothing_in_common"), \
		TLS_FAILED(SCOPE, TLS_FAILURE_PLAIN, "not_tls"), TLS_FAILED(SCOPE, TLS_FAILURE_PROTOCOL, "protocol"), \
		TLS_FAILED(SCOPE, TLS_FAILURE_LIMIT, "limit")

static const struct metric server_metrics[] = {
	CALLS(SERVER, ),
	PENDING(SERVER, ),
	TIMES(SERVER),
	CONNECTIONS(SERVER),
	SERVER(rejected, METRIC_SEEN, "failures/com.twitter.finagle.filter.TooManyConcurrentRequests"),
	SERVER(forbidden, METRIC_SEEN, "forbidden"),
	SERVER(status, METRIC_CODES, "status"),
	SERVER(connection_duration, METRIC_STAT, "connection_duration"),
	SERVER(refused, METRIC_COUNTER, "protocol_errors"),
	SERVER(sessions.floods, METRIC_SEEN, "floods"),
	SERVER(sessions.reset_floods, METRIC_SEEN, "reset_floods"),
	SERVER(sessions.refused_streams, METRIC_SEEN, "refused_streams"),
	SERVER(sessions.large_heads, METRIC_SEEN, "large_heads"),
	SERVER(sessions.stalled, METRIC_SEEN, "stalled"),
	STREAMS(SERVER),
	TLS(SERVER),
};

static const struct metric service_metrics[] = {
	CALLS(SERVICE, ),
	PENDING(SERVICE, ),
	SERVICE(retries, METRIC_COUNTER, "retries/total"),
	SERVICE(budget_exhausted, METRIC_COUNTER, "retries/budget_exhausted"),
	SERVICE(retry_limit, METRIC_COUNTER, "retries/request_limit"),
	SERVICE(retries_late, METRIC_COUNTER, "retries/cannot_retry"),
	SERVICE(retries_per_request, METRIC_VALUES, "retries/per_request"),
	STREAMS(SERVICE),
};

static const struct metric pair_metrics[] = {
	CALLS(ATTEMPT, ),
	PENDING(ATTEMPT, ),
	ATTEMPT(status, METRIC_CODES, "status"),
};

/* Called as outcome_text says; a test compares them. */
#define FAILED(outcome, exception) CLIENT(exceptions[outcome], METRIC_SEEN, "failures/com.twitter.finagle." exception)

static const struct metric client_metrics[] = {
	CALLS(CLIENT, attempts.),
	PENDING(CLIENT, attempts.),
	TIMES(CLIENT),
	CONNECTIONS(CLIENT),
	FAILED(OUTCOME_RESPONSE, "service.ResponseClassificationSyntheticException"),
	FAILED(OUTCOME_CONNECT, "ConnectionFailedException"),
	FAILED(OUTCOME_REFUSED, "ChannelWriteException"),
	FAILED(OUTCOME_RESET, "ChannelClosedException"),
	FAILED(OUTCOME_PROTOCOL, "CodecException"),
	FAILED(OUTCOME_ATTEMPT_TIMEOUT, "IndividualRequestTimeoutException"),
	FAILED(OUTCOME_TOTAL_TIMEOUT, "GlobalRequestTimeoutException"),
	FAILED(OUTCOME_CANCELED, "CancelledRequestException"),
	FAILED(OUTCOME_OVERLOAD, "TooManyWaitersException"),
	CLIENT(attempts.status, METRIC_CODES, "status"),
	CLIENT(sessions.protocol_errors, METRIC_COUNTER, "protocol_errors"),
	CLIENT(sessions.floods, METRIC_SEEN, "floods"),
	CLIENT(sessions.refused_streams, METRIC_SEEN, "refused_streams"),
	CLIENT(sessions.large_heads, METRIC_SEEN, "large_heads"),
	CLIENT(sessions.stalled, METRIC_SEEN, "stalled"),
	CLIENT(connect_latency, METRIC_STAT, "connect_latency_ms"),
	CLIENT(failed_connect_latency, METRIC_SEEN_STAT, "failed_connect_latency_ms"),
	CLIENT(connect_failures, METRIC_COUNTER, "service_creation/failures"),
	CLIENT(size, METRIC_GAUGE, "loadbalancer/size"),
	CLIENT(available, METRIC_GAUGE, "loadbalancer/available"),
	CLIENT(adds, METRIC_COUNTER, "loadbalancer/adds"),
	CLIENT(removes, METRIC_COUNTER, "loadbalancer/removes"),
	CLIENT(updates, METRIC_COUNTER, "loadbalancer/updates"),
	CLIENT(updates, METRIC_COUNTER, "loadbalancer/rebuilds"), /* each update is one */
	CLIENT(attempts.pending, METRIC_GAUGE, "loadbalancer/load"),
	CLIENT(busy, METRIC_GAUGE, "loadbalancer/busy"),
	CLIENT(effort_exhausted, METRIC_COUNTER, "loadbalancer/max_effort_exhausted"),
	CLIENT(removals, METRIC_COUNTER, "failure_accrual/removals"),
	CLIENT(revivals, METRIC_COUNTER, "failure_accrual/revivals"),
	CLIENT(probes, METRIC_COUNTER, "failure_accrual/probes"),
	CLIENT(removed_for, METRIC_STAT, "failure_accrual/removed_for_ms"),
	CLIENT(checks, METRIC_SEEN, "health_check/attempt"),
	CLIENT(checks_passed, METRIC_SEEN, "health_check/success"),
	CLIENT(checks_failed, METRIC_SEEN, "health_check/failure"),
	CLIENT(checks_unanswered, METRIC_SEEN, "health_check/network_failure"),
	CLIENT(check_removals, METRIC_SEEN, "health_check/removals"),
	CLIENT(check_revivals, METRIC_SEEN, "health_check/revivals"),
	CLIENT(requeues, METRIC_COUNTER, "retries/requeues"),
	CLIENT(requeue_budget_exhausted, METRIC_COUNTER, "retries/budget_exhausted"),
	CLIENT(request_limit, METRIC_COUNTER, "retries/request_limit"),
	CLIENT(requeues_per_request, METRIC_VALUES, "retries/requeues_per_request"),
	CLIENT(connections, METRIC_GAUGE, "pool_size"),
	CLIENT(cached, METRIC_GAUGE, "pool_cached"),
	CLIENT(waiters, METRIC_GAUGE, "pool_waiters"),
	CLIENT(waited, METRIC_COUNTER, "pool_num_waited"),
	STREAMS(CLIENT),
	TLS(CLIENT),
};

#define CALLER(member, type, name) METRIC(struct caller_stats, member, type, name)

static const struct metric caller_metrics[] = {
	CALLER(requests, METRIC_COUNTER, "requests"),
	CALLER(success, METRIC_COUNTER, "success"),
	CALLER(failures, METRIC_COUNTER, "failures"),
};

#define METHOD(member, type, name) METRIC(struct method_stats, member, type, name)
#define STATUS(number) METHOD(statuses[number], METRIC_SEEN, "grpc_status/" #number)

static const struct metric method_metrics[] = {
	CALLS(METHOD, ),
	STATUS(0),
	STATUS(1),
	STATUS(2),
	STATUS(3),
	STATUS(4),
	STATUS(5),
	STATUS(6),
	STATUS(7),
	STATUS(8),
	STATUS(9),
	STATUS(10),
	STATUS(11),
	STATUS(12),
	STATUS(13),
	STATUS(14),
	STATUS(15),
	STATUS(16),
	METHOD(statuses[GRPC_STATUSES], METRIC_SEEN, "grpc_status/none"),
};

static const struct metric router_metrics[] = {
	CACHE(path),
	CACHE(tree),
	ROUTER(binding_timeouts, METRIC_COUNTER, "binding/timeouts"),
	ROUTER(unbound, METRIC_COUNTER, "binding/failures"),
	ROUTER(unidentified, METRIC_COUNTER, "unidentified"),
	ROUTER(access_lines, METRIC_SEEN, "access_log/lines"),
	ROUTER(access_dropped, METRIC_SEEN, "access_log/dropped"),
	ROUTER(inferred, METRIC_SEEN, "trace/inferred"),
	ROUTER(ambiguous, METRIC_SEEN, "trace/ambiguous"),
};

/* It would take #label for a directive: clang-format is off here. */
/* clang-format off */
#define KIND(label, stats, most) { #label, label##_metrics, COUNT(label##_metrics), sizeof(struct stats), most }
/* clang-format on */

const struct metric_kind server_kind = KIND(server, server_stats, 1024);
const struct metric_kind service_kind = KIND(service, service_stats, 4096);
const struct metric_kind client_kind = KIND(client, client_stats, 4096);
const struct metric_kind pair_kind = KIND(pair, attempt_stats, 8192);
const struct metric_kind caller_kind = KIND(caller, caller_stats, 4096);
const struct metric_kind method_kind = KIND(method, method_stats, 1024);
const struct metric_kind router_kind = KIND(router, router_stats, 1024);

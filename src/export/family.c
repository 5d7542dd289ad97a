/* SPDX-License-Identifier: Apache-2.0 */
#include "export/family.h"

/* ---- names ---- */

/* What is called otherwise than its name, mangled; in every scope. No name here: it is left out, as it says the same as another. */
struct rule {
	const char *name;   /* as in observe/; with `label`, the beginning of it */
	const char *family; /* without scope; NULL: left out */
	const char *label;  /* the rest of the name is this label's value */
	const char *unit;   /* the family's name ends in it */
	double scale;       /* 0: 1 */
	const char *help;
};

static const struct rule rules[] = {
	{ "requests", "requests", .help = "Requests, or attempts at them, that have ended." },
	{ "success", "success", .help = "Of them, those classified as successes." },
	{ "failures", "failures", .help = "Of them, those classified as failures." },
	{ "pending", "pending", .help = "Requests in progress." },
	{ .name = "load" },
	{ .name = "loadbalancer/load" },
	{ .name = "loadbalancer/rebuilds" },
	{ "request_latency_ms", "request_latency_seconds", .unit = "seconds", .help = "From a request's head to its response's end." },
	{ "time/", "response_time_seconds", "class", "seconds", .help = "How long responses took, by the class of their status." },
	{ "status/", "responses", "status", .help = "Responses by status." },
	{ "failures/com.twitter.finagle.", "failures_by_kind", "kind", .help = "Failures by kind." },
	{ "failures/", "failures_by_kind", "kind", .help = "Failures by kind." },
	{ "tls/failures/", "tls_failures", "reason", .help = "TLS handshakes and connections that failed, by reason." },
	{ "tls/handshakes", "tls_handshakes", .help = "TLS handshakes that were finished." },
	{ "tls/resumed", "tls_resumed", .help = "Of them, those that resumed a session." },
	{ "tls/plaintext", "tls_plaintext", .help = "Connections without TLS where both are served." },
	{ "tls/certificate_expires_in_s", "tls_certificate_expires_in_seconds", .unit = "seconds",
		.help = "Until the certificate shown ends." },
	{ "certificate_expires_in_s", "certificate_expires_in_seconds", .unit = "seconds", .help = "Until the certificate ends." },
	{ "grpc_status/", "grpc_responses", "grpc_status", .help = "Calls by their gRPC status; none: they ended without." },
	{ "connections", "connections", .help = "Open connections." },
	{ "connects", "connects", .help = "Connections begun." },
	{ "closes", "closes", .help = "Connections ended." },
	{ "received_bytes", "received_bytes", .unit = "bytes", .help = "Bytes read from connections." },
	{ "sent_bytes", "sent_bytes", .unit = "bytes", .help = "Bytes written to connections." },
	{ "data_bytes", "data_bytes", .unit = "bytes", .help = "Bytes of bodies, both ways." },
	{ "connection_duration", "connection_duration_seconds", .unit = "seconds", .help = "How long connections lasted." },
	{ "stream_duration_ms", "stream_duration_seconds", .unit = "seconds", .help = "How long streams lasted." },
	{ "connect_latency_ms", "connect_latency_seconds", .unit = "seconds", .help = "How long connecting took." },
	{ "failed_connect_latency_ms", "failed_connect_latency_seconds", .unit = "seconds",
		.help = "How long connecting took that failed." },
	{ "retries/total", "retries", .help = "Retries." },
	{ "retries/requeues", "requeues", .help = "Retries of what had not reached an endpoint." },
	{ "retries/budget", "retry_budget", .help = "Retries that the budget still allows." },
	{ "retries/budget_exhausted", "retry_budget_exhausted", .help = "Retries that the budget forbade." },
	{ "retries/per_request", "retries_per_request", .help = "Retries for each request." },
	{ "retries/requeues_per_request", "requeues_per_request", .help = "Requeues for each request." },
	{ "loadbalancer/size", "endpoints", .help = "Endpoints that there are." },
	{ "loadbalancer/available", "endpoints_available", .help = "Endpoints that may be picked." },
	{ "loadbalancer/busy", "endpoints_busy", .help = "Endpoints that are taken out." },
	{ "failure_accrual/removed_for_ms", "failure_accrual_removed_seconds", .unit = "seconds",
		.help = "How long endpoints were taken out." },
	{ "pool_size", "pool_connections", .help = "Connections to endpoints." },
	{ "pool_cached", "pool_idle_connections", .help = "Of them, idle ones." },
	{ "pool_waiters", "pool_waiting_requests", .help = "Requests that wait for a connection." },
	{ "pool_num_waited", "pool_waited_requests", .help = "Requests that had to wait for a connection." },
	/* The process; Linkerd's names are the JVM's. */
	{ "uptime", "uptime_seconds", .unit = "seconds", .scale = 1e-3, .help = "Since the process's start." },
	{ "num_cpus", "cpus", .help = "Cores that the process may use." },
	{ "mem/current/used", "resident_memory_bytes", .unit = "bytes", .help = "Resident memory." },
	{ .name = "heap/used" },
	{ "heap/max", "memory_limit_bytes", .unit = "bytes", .help = "Memory that the process may use." },
	{ "heap/allocations", "heap_calls", .help = "Calls of the system's allocator so far." },
	{ "thread/count", "threads", .help = "Threads." },
	{ "fd_count", "open_fds", .help = "Open file descriptors." },
	{ "fd_limit", "max_fds", .help = "File descriptors that may be open." },
	{ .name = "gc/cycles" },
	{ .name = "gc/msec" },
};

static const struct rule *find_rule(struct slice name)
{
	for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct slice known = slice_of(rules[i].name);

		if (rules[i].label ? slice_starts(name, known) : slice_equal(name, known))
			return &rules[i];
	}
	return NULL;
}

void family_append_mangled(struct text *name, struct slice part)
{
	for (size_t i = 0; i < part.length; i++) {
		char c = part.at[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
			c = '_';
		text_append(name, slice_make(&c, 1));
	}
}

/* "service", "client", "route" (a client's part that is one service's), "client_peer", "router", "process", "dns", … */
static void append_scope(struct text *name, const struct scope_label *labels, unsigned count)
{
	unsigned first = count > 1 && slice_equal(labels[0].key, SLICE("rt")) ? 1 : 0;

	if (count - first == 2 && slice_equal(labels[first].key, SLICE("client")) && slice_equal(labels[first + 1].key, SLICE("service"))) {
		text_append(name, SLICE("route_"));
		return;
	}
	for (unsigned i = first; i < count; i++) {
		struct slice key = labels[i].key;

		if (slice_equal(key, SLICE("rt")))
			key = SLICE("router");
		else if (slice_equal(key, SLICE("jvm")))
			key = SLICE("process");
		family_append_mangled(name, key);
		text_append(name, SLICE("_"));
	}
}

/* 2XX and the like are sums of the others. */
static bool is_class(struct slice status)
{
	return slice_ends(status, SLICE("XX"));
}

bool family_find(const struct sample *sample, struct family_of_sample *family, struct text *name)
{
	const struct rule *rule = find_rule(sample->name);
	struct slice rest = rule && rule->label ? slice_from(sample->name, strlen(rule->name)) : SLICE("");

	*family = (struct family_of_sample){
		.kind = sample->view                     ? FAMILY_HISTOGRAM
			: sample->type == METRIC_COUNTER ? FAMILY_COUNTER
							 : FAMILY_GAUGE,
		.unit = rule ? rule->unit : NULL,
		.help = rule ? rule->help : NULL,
		.scale = rule && rule->scale > 0 ? rule->scale : 1,
		.label = slice_of(rule && rule->label ? rule->label : ""),
		.rest = rest,
	};
	if (rule && (!rule->family || (family->kind == FAMILY_COUNTER && is_class(rest))))
		return false;
	text_append(name, SLICE("weft_"));
	append_scope(name, sample->labels, sample->label_count);
	family_append_mangled(name, rule ? slice_of(rule->family) : sample->name);
	return true;
}

/* ---- histograms ---- */

static const double second_bounds[] = { 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 };
static const double number_bounds[] = { 0, 1, 2, 3, 5, 10, 20 };

_Static_assert(sizeof second_bounds / sizeof *second_bounds <= FAMILY_BOUNDS, "room for all bounds");

void family_histogram(const struct sample *sample, struct family_histogram *histogram)
{
	bool seconds = sample->type == METRIC_STAT;
	double unit = seconds ? 1e6 : 1;
	unsigned bucket = 0;
	uint64_t below = 0;

	histogram->bounds = seconds ? second_bounds : number_bounds;
	histogram->count = seconds ? sizeof second_bounds / sizeof *second_bounds : sizeof number_bounds / sizeof *number_bounds;
	histogram->sum = (double)sample->view->sum / unit;
	for (unsigned i = 0; i < histogram->count; i++) {
		while (bucket < HISTOGRAM_BUCKETS && histogram_bucket_middle(bucket) <= histogram->bounds[i] * unit)
			below += sample->view->buckets[bucket++];
		histogram->below[i] = below;
	}
}

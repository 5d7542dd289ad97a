/* SPDX-License-Identifier: Apache-2.0 */
#include "export/openmetrics.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"
#include "export/prometheus.h"

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

static void append_mangled(struct text *name, struct slice part)
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
		append_mangled(name, key);
		text_append(name, SLICE("_"));
	}
}

/* ---- families ---- */

enum kind {
	KIND_COUNTER,
	KIND_GAUGE,
	KIND_HISTOGRAM,
};

static const char *const kinds[] = { "counter", "gauge", "histogram" };

struct family {
	struct map_entry entry; /* key: its name, without _total */
	enum kind kind;
	const char *unit; /* NULL: none */
	struct text help, lines;
};

struct page {
	enum openmetrics_form form;
	struct map families;
	struct text name, labels; /* of the sample at hand */
};

static struct family *family_of(struct page *page, const struct sample *sample, const struct rule *rule, enum kind kind)
{
	struct map_entry *found = map_find(&page->families, text_slice(&page->name));
	struct family *family;

	if (found)
		return MAP_OF(found, struct family, entry);
	family = memory_new(sizeof *family);
	family->kind = kind;
	family->unit = rule ? rule->unit : NULL;
	if (rule && rule->help)
		text_format(&family->help, "%s", rule->help);
	else
		text_format(&family->help, "%.*s of metrics.json, see docs/metrics.md.", SLICE_ARGS(sample->name));
	map_insert(&page->families, &family->entry, slice_make(memory_text(text_slice(&page->name)), page->name.length));
	return family;
}

static void append_label(struct text *labels, struct slice key, struct slice value)
{
	if (labels->length)
		text_append(labels, SLICE(","));
	append_mangled(labels, key);
	text_append(labels, SLICE("=\""));
	prometheus_label_value(labels, value);
	text_append(labels, SLICE("\""));
}

static void add_line(const struct page *page, struct family *family, const char *suffix, const char *le, double value)
{
	struct text *out = &family->lines;

	text_append(out, family->entry.key);
	text_append(out, slice_of(suffix));
	if (page->labels.length || le) {
		text_append(out, SLICE("{"));
		text_append(out, text_slice(&page->labels));
		if (le)
			text_format(out, "%sle=\"%s\"", page->labels.length ? "," : "", le);
		text_append(out, SLICE("}"));
	}
	text_append(out, SLICE(" "));
	prometheus_number(out, value);
	text_append(out, SLICE("\n"));
}

/* ---- histograms ---- */

static const double second_bounds[] = { 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 };
static const double number_bounds[] = { 0, 1, 2, 3, 5, 10, 20 };

static void format_bound(enum openmetrics_form form, double bound, struct text *text)
{
	text_clear(text);
	prometheus_number(text, bound);
	if (form == OPENMETRICS_1 && slice_find(text_slice(text), '.') == text->length && slice_find(text_slice(text), 'e') == text->length)
		text_append(text, SLICE(".0"));
}

static void add_histogram(const struct page *page, struct family *family, const struct sample *sample)
{
	bool seconds = sample->type == METRIC_STAT;
	const double *bounds = seconds ? second_bounds : number_bounds, unit = seconds ? 1e6 : 1;
	unsigned count = seconds ? sizeof second_bounds / sizeof *bounds : sizeof number_bounds / sizeof *bounds, bucket = 0;
	struct text le = { 0 };
	uint64_t below = 0;

	for (unsigned i = 0; i < count; i++) {
		while (bucket < HISTOGRAM_BUCKETS && histogram_bucket_middle(bucket) <= bounds[i] * unit)
			below += sample->view->buckets[bucket++];
		format_bound(page->form, bounds[i], &le);
		add_line(page, family, "_bucket", le.bytes, (double)below);
	}
	add_line(page, family, "_bucket", "+Inf", (double)sample->view->count);
	add_line(page, family, "_sum", NULL, (double)sample->view->sum / unit);
	add_line(page, family, "_count", NULL, (double)sample->view->count);
	text_free(&le);
}

/* ---- samples ---- */

static bool is_class(struct slice status)
{
	return slice_ends(status, SLICE("XX"));
}

static void add(void *owner, const struct sample *sample)
{
	struct page *page = owner;
	const struct rule *rule = find_rule(sample->name);
	enum kind kind = sample->view ? KIND_HISTOGRAM : sample->type == METRIC_COUNTER ? KIND_COUNTER : KIND_GAUGE;
	struct slice rest = rule && rule->label ? slice_from(sample->name, strlen(rule->name)) : SLICE("");
	struct family *family;

	/* 2XX and the like are sums of the others. */
	if (rule && (!rule->family || (kind == KIND_COUNTER && is_class(rest))))
		return;
	text_clear(&page->name);
	text_clear(&page->labels);
	text_append(&page->name, SLICE("weft_"));
	append_scope(&page->name, sample->labels, sample->label_count);
	append_mangled(&page->name, rule ? slice_of(rule->family) : sample->name);
	for (unsigned i = 0; i < sample->label_count; i++)
		if (sample->labels[i].value.length)
			append_label(&page->labels, sample->labels[i].key, sample->labels[i].value);
	if (rest.length)
		append_label(&page->labels, slice_of(rule->label), rest);
	family = family_of(page, sample, rule, kind);
	if (kind == KIND_HISTOGRAM)
		add_histogram(page, family, sample);
	else
		add_line(page, family, kind == KIND_COUNTER ? "_total" : "", NULL,
			sample->value * (rule && rule->scale > 0 ? rule->scale : 1));
}

static void write_family(enum openmetrics_form form, const struct family *family, struct text *out)
{
	/* In the older format a counter's family is called as its samples are. */
	const char *suffix = form == OPENMETRICS_PROMETHEUS && family->kind == KIND_COUNTER ? "_total" : "";
	struct slice name = family->entry.key;

	text_format(out, "# HELP %.*s%s ", SLICE_ARGS(name), suffix);
	text_append(out, text_slice(&family->help));
	text_format(out, "\n# TYPE %.*s%s %s\n", SLICE_ARGS(name), suffix, kinds[family->kind]);
	if (family->unit && form == OPENMETRICS_1)
		text_format(out, "# UNIT %.*s %s\n", SLICE_ARGS(name), family->unit);
	text_append(out, text_slice(&family->lines));
}

static void write_build(enum openmetrics_form form, struct text *out)
{
	const char *suffix = form == OPENMETRICS_1 ? "" : "_info", *type = form == OPENMETRICS_1 ? "info" : "gauge";

	text_format(out,
		"# HELP weft_build%s The program that runs.\n# TYPE weft_build%s %s\nweft_build_info{version=\"%s\"} "
		"1\n",
		suffix, suffix, type, WEFT_VERSION);
}

enum openmetrics_form openmetrics_accepted(struct slice accept)
{
	struct slice one, type;

	while (slice_split(&accept, ',', &one)) {
		(void)slice_split(&one, ';', &type);
		if (slice_equal_nocase(slice_trim(type), SLICE("application/openmetrics-text")))
			return OPENMETRICS_1;
	}
	return OPENMETRICS_PROMETHEUS;
}

const char *openmetrics_type(enum openmetrics_form form)
{
	return form == OPENMETRICS_1 ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : PROMETHEUS_TYPE;
}

void openmetrics_text(struct metrics *metrics, enum openmetrics_form form, struct text *out)
{
	struct page page = { .form = form };

	map_init(&page.families, 0);
	metrics_read_ever(metrics, add, &page);
	write_build(form, out);
	MAP_EACH_SAFE(&page.families, e, after) {
		struct family *family = MAP_OF(e, struct family, entry);

		write_family(form, family, out);
		map_remove(&page.families, e);
		memory_free(family->entry.key.at);
		text_free(&family->help);
		text_free(&family->lines);
		memory_free(family);
	}
	if (form == OPENMETRICS_1)
		text_append(out, SLICE("# EOF\n"));
	map_fini(&page.families);
	text_free(&page.name);
	text_free(&page.labels);
}

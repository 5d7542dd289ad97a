/* SPDX-License-Identifier: Apache-2.0 */
#include "export/collector.h"

#include "base/log.h"
#include "base/memory.h"
#include "client/fetch.h"
#include "client/resolver.h"
#include "export/otlp.h"
#include "export/process.h"
#include "export/zipkin.h"

enum {
	KEPT = 4096, /* spans that wait */
	BATCH = 512, /* of them in one post */
	MOST_SESSIONS = 2,
};

#define WAIT (500 * CLOCK_MS) /* for a batch to be full */
#define PAUSE CLOCK_SECOND    /* after a failure */

static const struct fetch_limits limits = { .head_ns = 5 * CLOCK_SECOND, .all_ns = 10 * CLOCK_SECOND };

struct collector_stats {
	struct counter spans, dropped, reports, failures;
};

static const struct metric stats_metrics[] = {
	METRIC(struct collector_stats, spans, METRIC_COUNTER, "spans"),
	METRIC(struct collector_stats, dropped, METRIC_COUNTER, "dropped"),
	METRIC(struct collector_stats, reports, METRIC_COUNTER, "reports"),
	METRIC(struct collector_stats, failures, METRIC_COUNTER, "failures"),
};
static const struct metric_kind stats_kind = {
	"exporter",
	stats_metrics,
	sizeof stats_metrics / sizeof *stats_metrics,
	sizeof(struct collector_stats),
	COLLECTOR_KINDS,
};

/* What each kind is told where, and in which format. */
static const struct form {
	struct slice name, spans_path, metrics_path, content_type;
} forms[] = {
	[COLLECTOR_ZIPKIN] = { { "zipkin", 6 }, { "/api/v2/spans", 13 }, { NULL, 0 }, { "application/json", 16 } },
	[COLLECTOR_OTLP] = { { "otlp", 4 }, { "/v1/traces", 10 }, { "/v1/metrics", 11 }, { "application/x-protobuf", 22 } },
};

struct collector {
	struct exporter_options options;
	const struct form *form;
	enum collector_kind kind;
	struct scope *scope;
	struct collector_stats *stats;
	struct snapshot *snapshot; /* counted; in which the policy lies; NULL: none yet */
	const struct collector_policy *policy;
	struct resolver_watch *watch;
	struct address address; /* family 0: not known */
	int64_t began;          /* as wall time: since when sums are cumulative */
	int64_t pause_until, oldest, report_at;
	struct session_pools *pools;
	struct tls_pools *tls_pools;
	struct fetch fetch;
	bool posting;
	unsigned sending; /* the first so many spans are on their way; 0 while posting: metrics are */
	struct text body;
	unsigned count;
	struct span *spans; /* KEPT; NULL until there is one */
};

static int64_t now_of(const struct collector *collector)
{
	return loop_now(collector->options.loop);
}

/* ---- what becomes of a post ---- */

static void take_out(struct collector *collector, unsigned count)
{
	collector->count -= count;
	memmove(collector->spans, collector->spans + count, collector->count * sizeof *collector->spans);
}

/* OTLP's answers that ask to come again later; others won't change their mind. */
static bool is_temporary(unsigned status)
{
	return status == 0 || status == 429 || (status >= 502 && status <= 504);
}

static void failed(struct collector *collector, unsigned status, const char *why)
{
	struct collector_stats *stats = collector->stats;

	if (counter_read(&stats->failures) == 0)
		LOG(LOG_WARN, "export", "the collector %s at %.*s:%u does not take what it is sent (%s %u)", collector->form->name.at,
			SLICE_ARGS(collector->policy->host), collector->policy->port, why, status);
	counter_add(&stats->failures, 1);
	collector->pause_until = now_of(collector) + PAUSE;
	if (is_temporary(status))
		return;
	counter_add(&stats->dropped, collector->sending);
	take_out(collector, collector->sending);
}

/* `status` 0: there is none, and `why` says the reason. */
static void done(struct collector *collector, unsigned status, const char *why)
{
	if (status / 100 != 2) {
		failed(collector, status, why);
	} else if (collector->sending) {
		counter_add(&collector->stats->spans, collector->sending);
		take_out(collector, collector->sending);
	} else {
		counter_add(&collector->stats->reports, 1);
	}
	collector->sending = 0;
	collector->posting = false;
}

/* On a connection that was kept and that the collector has closed meanwhile: the same again, on another. */
static void once_more(struct collector *collector)
{
	if (!collector->sending)
		collector->report_at = now_of(collector);
	collector->oldest = 0;
	collector->sending = 0;
	collector->posting = false;
}

static void ended(struct fetch *fetch, int error)
{
	if (error && fetch->reused && !fetch->status && error != ERROR_TIMEOUT)
		once_more(fetch->owner);
	else
		done(fetch->owner, error ? 0 : fetch->status, error ? error_text(error) : "status");
}

static void body(struct fetch *fetch, struct slice bytes)
{
	(void)fetch;
	(void)bytes;
}

/* The next one at once, if there is enough for it. */
static void over(struct fetch *fetch)
{
	collector_work(fetch->owner, false);
}

static const struct fetch_events events = {
	.body = body,
	.ended = ended,
	.over = over,
};

/* ---- posting ---- */

static void post(struct collector *collector, struct slice path)
{
	const struct collector_policy *policy = collector->policy;
	const struct fetch_field content_type = { SLICE("Content-Type"), collector->form->content_type };
	const struct fetch_tls tls = {
		.pools = collector->tls_pools,
		.client = policy->tls.client,
		.target = { .name = policy->tls.common_name.text.length ? policy->tls.common_name.text : policy->host },
	};
	const struct fetch_to to = {
		.network = collector->options.network,
		.address = &collector->address,
		.tls = policy->tls.client ? &tls : NULL,
		.keep = true,
	};
	struct text target = { 0 };
	struct fetch_request request = {
		.method = SLICE("POST"),
		.authority = policy->authority,
		.fields = &content_type,
		.field_count = 1,
		.body = text_slice(&collector->body),
	};
	int e;

	text_append(&target, policy->prefix);
	text_append(&target, path);
	request.target = text_slice(&target);
	collector->posting = true;
	e = fetch_send(&collector->fetch, &to, &request, &limits);
	if (e)
		done(collector, 0, error_text(e));
	text_free(&target);
}

static void post_spans(struct collector *collector)
{
	unsigned count = collector->count < BATCH ? collector->count : BATCH;

	text_clear(&collector->body);
	if (collector->kind == COLLECTOR_ZIPKIN)
		zipkin_spans(collector->spans, count, collector->policy->service, &collector->body);
	else
		otlp_spans(collector->spans, count, collector->policy->service, &collector->body);
	collector->sending = count;
	collector->oldest = now_of(collector);
	post(collector, collector->form->spans_path);
}

static void post_metrics(struct collector *collector)
{
	int64_t now = now_of(collector);

	collector->report_at = now + collector->policy->interval_ns;
	text_clear(&collector->body);
	process_metrics_refresh(collector->options.process, now);
	otlp_metrics(collector->options.metrics, collector->policy->service, collector->began, loop_wall(collector->options.loop),
		&collector->body);
	collector->sending = 0;
	post(collector, collector->form->metrics_path);
}

void collector_work(struct collector *collector, bool hurry)
{
	int64_t now = now_of(collector);

	if (!collector->policy || collector->posting || !fetch_is_ready(&collector->fetch) || now < collector->pause_until ||
		collector->address.family == ADDRESS_NONE)
		return;
	if (collector->policy->metrics && now >= collector->report_at)
		post_metrics(collector);
	else if (collector->count >= BATCH || (collector->count && (hurry || now >= collector->oldest + WAIT)))
		post_spans(collector);
}

/* ---- what waits ---- */

void collector_lose(struct collector *collector, uint64_t spans)
{
	counter_add(&collector->stats->dropped, spans);
}

void collector_add(struct collector *collector, const struct span *span)
{
	if (collector->count == KEPT) {
		collector_lose(collector, 1);
		return;
	}
	if (!collector->spans)
		collector->spans = memory_array(KEPT, sizeof *collector->spans);
	if (collector->count == 0)
		collector->oldest = now_of(collector);
	collector->spans[collector->count++] = *span;
}

bool collector_is_idle(const struct collector *collector)
{
	return !collector->policy || (!collector->posting && (collector->count == 0 || now_of(collector) < collector->pause_until));
}

bool collector_let_go(struct collector *collector)
{
	fetch_let_go(&collector->fetch);
	return fetch_is_over(&collector->fetch);
}

/* ---- its policy ---- */

static void resolved(void *owner, const struct resolution *resolution)
{
	struct collector *collector = owner;

	if (resolution->state != RESOLVER_FOUND) {
		/* What was known stays: to where it fails, that is counted there. */
		if (collector->address.family == ADDRESS_NONE)
			counter_add(&collector->stats->failures, 1);
		return;
	}
	struct address before = collector->address;

	collector->address = resolution->addresses[0];
	collector->address.port = collector->policy->port;
	if (!address_equal(&before, &collector->address))
		fetch_let_go(&collector->fetch);
}

static bool same_place(const struct collector_policy *a, const struct collector_policy *b)
{
	return a && b && slice_equal(a->host, b->host) && a->port == b->port;
}

static void look_up(struct collector *collector)
{
	const struct collector_policy *policy = collector->policy;
	int e;

	resolver_unwatch(collector->watch);
	collector->watch = NULL;
	collector->address = (struct address){ 0 };
	if (!policy)
		return;
	e = resolver_watch(collector->options.resolver, policy->host, resolved, collector, &collector->watch);
	if (e)
		LOG(LOG_ERROR, "export", "the collector's host %.*s can't be looked up: %s", SLICE_ARGS(policy->host), error_text(e));
}

static void switch_off(struct collector *collector)
{
	fetch_stop(&collector->fetch);
	collector->posting = false;
	collector->sending = 0;
	collector_lose(collector, collector->count);
	collector->count = 0;
}

/* Counters are shown from then on. */
static void switch_on(struct collector *collector)
{
	const struct scope_label label = { SLICE("exporter"), collector->form->name };

	collector->report_at = now_of(collector) + collector->policy->interval_ns;
	collector->pause_until = 0;
	if (collector->scope)
		return;
	collector->scope = metrics_scope(collector->options.metrics, &stats_kind, &label, 1);
	collector->stats = scope_shard(collector->scope, 0);
}

void collector_configure(struct collector *collector, const struct collector_policy *policy, struct snapshot *snapshot)
{
	const struct collector_policy *before = collector->policy;
	struct snapshot *old = collector->snapshot;

	collector->policy = policy->on ? policy : NULL;
	collector->snapshot = snapshot_ref(snapshot);
	if (!collector->policy && before)
		switch_off(collector);
	if (collector->policy && !before)
		switch_on(collector);
	/* Its TLS may be another. */
	fetch_let_go(&collector->fetch);
	if (!same_place(before, collector->policy))
		look_up(collector);
	snapshot_unref(old);
}

bool collector_is_on(const struct collector *collector)
{
	return collector->policy != NULL;
}

int collector_new(const struct exporter_options *options, enum collector_kind kind, struct collector **out)
{
	struct collector *collector = memory_new(sizeof *collector);
	int e = session_pools_new(options->loop, MOST_SESSIONS, MOST_SESSIONS, &collector->pools);

	if (e) {
		memory_free(collector);
		return e;
	}
	e = tls_pools_new(options->loop, &(struct tls_limits){ .max_streams = MOST_SESSIONS }, &collector->tls_pools);
	if (e) {
		session_pools_free(collector->pools);
		memory_free(collector);
		return e;
	}
	collector->options = *options;
	collector->kind = kind;
	collector->form = &forms[kind];
	collector->began = loop_wall(options->loop);
	fetch_init(&collector->fetch, options->loop, collector->pools, &events, collector);
	*out = collector;
	return 0;
}

void collector_free(struct collector *collector)
{
	fetch_stop(&collector->fetch);
	resolver_unwatch(collector->watch);
	snapshot_unref(collector->snapshot);
	if (collector->scope)
		scope_unref(collector->scope);
	text_free(&collector->body);
	memory_free(collector->spans);
	/* A session that is still closing lies in the pools: the process ends. */
	if (!fetch_is_over(&collector->fetch))
		return;
	session_pools_free(collector->pools);
	tls_pools_free(collector->tls_pools);
	memory_free(collector);
}

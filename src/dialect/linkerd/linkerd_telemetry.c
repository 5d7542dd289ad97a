/* SPDX-License-Identifier: Apache-2.0 */
/* `telemetry`: what is told of what goes on here, and to whom. */
#include "base/clock.h"
#include "dialect/linkerd/linkerd_parts.h"

#define AT(member) offsetof(struct telemetry_policy, member)

/* Linkerd's prometheus telemeter serves any path of the admin server. */
static void read_page(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice path;

	if (!document_read_text(node, &path, load->problems))
		return;
	if (!slice_starts(path, SLICE("/")))
		linkerd_problem(load, node, "must begin with `/`");
	*(struct slice *)out = linkerd_copy(load, path);
}

static const struct linkerd_key common_keys[] = {
	LINKERD_KEY_KIND,
	{ "experimental", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing here is experimental; false" },
	{ 0 },
};
static const struct linkerd_block common_block = { .name = "any", .keys = common_keys };

static const struct linkerd_key prometheus_keys[] = {
	{ "path", LINKERD_READ, AT(prometheus_path), .read = read_page, .says = "of the page; /admin/metrics/prometheus" },
	{ "prefix", LINKERD_TEXT_OR_EMPTY, AT(prometheus_prefix), .says = "of all names; empty" },
	{ 0 },
};
static const struct linkerd_key recent_keys[] = {
	{ "sampleRate", LINKERD_SHARE, AT(recent_sample_rate), .required = true, .says = "of all requests, 0 to 1" },
	{ "capacity", LINKERD_COUNT, AT(recent_capacity), 1, 100000, .says = "how many are shown; 10" },
	{ 0 },
};
static const struct linkerd_block prometheus_block = {
	.name = "io.l5d.prometheus",
	.keys = prometheus_keys,
	.also = &common_block,
};
static const struct linkerd_block recent_block = {
	.name = "io.l5d.recentRequests",
	.keys = recent_keys,
	.also = &common_block,
};

/* ---- collectors ---- */

#define COLLECTOR(member) offsetof(struct collector_policy, member)

static void set_place(struct linkerd_load *load, const struct document_node *node, struct slice place, struct collector_policy *policy)
{
	size_t colon = place.length;
	char found[DOCUMENT_FOUND];
	uint64_t port = policy->port;

	while (colon > 0 && place.at[colon - 1] != ':' && place.at[colon - 1] != ']')
		colon--;
	if (colon > 0 && place.at[colon - 1] == ':') {
		if (slice_to_u64(slice_from(place, colon), UINT16_MAX, &port) || port == 0) {
			linkerd_problem(load, node, "%s has no port from 1 to 65535 behind its colon", document_found(node, found));
			return;
		}
		place.length = colon - 1;
	}
	policy->authority = linkerd_copy(load, place);
	if (place.length > 1 && place.at[0] == '[' && place.at[place.length - 1] == ']')
		place = slice_make(place.at + 1, place.length - 2);
	if (place.length == 0) {
		linkerd_problem(load, node, "%s has no host", document_found(node, found));
		return;
	}
	policy->host = linkerd_copy(load, place);
	policy->port = (uint16_t)port;
}

/* Servers are verified by what the system trusts, unless a key `tls` says otherwise. */
static void secure(struct linkerd_load *load, struct collector_policy *policy)
{
	if (!policy->tls.options)
		policy->tls.options = linkerd_memory(load, sizeof *policy->tls.options);
}

/* "http://HOST:PORT/PREFIX", or https; the path of the API itself may be at its end. */
static void read_url(struct linkerd_load *load, const struct document_node *node, void *out)
{
	static const char *const paths[] = { "/", "/api/v2/spans", "/v1/traces", "/v1/metrics" };
	struct collector_policy *policy = out;
	char found[DOCUMENT_FOUND];
	struct slice url, place;

	if (!document_read_text(node, &url, load->problems))
		return;
	if (slice_starts(url, SLICE("https://"))) {
		secure(load, policy);
	} else if (!slice_starts(url, SLICE("http://"))) {
		linkerd_problem(load, node, "%s must begin with `http://` or `https://`", document_found(node, found));
		return;
	}
	url = slice_from(url, slice_find(url, '/') + 2);
	place = slice_make(url.at, slice_find(url, '/'));
	url = slice_from(url, place.length);
	for (size_t i = 0; i < url.length; i++) {
		if (url.at[i] <= ' ' || url.at[i] > '~' || url.at[i] == '?' || url.at[i] == '#') {
			linkerd_problem(load, node, "%s is to be a host and a path alone", document_found(node, found));
			return;
		}
	}
	for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
		if (slice_ends(url, slice_of(paths[i])))
			url.length -= strlen(paths[i]);
	set_place(load, node, place, policy);
	policy->authority = linkerd_copy(load, place);
	policy->prefix = linkerd_copy(load, url);
}

/* "HOST:PORT" */
static void read_place(struct linkerd_load *load, const struct document_node *node, void *out)
{
	struct slice place;

	if (document_read_text(node, &place, load->problems))
		set_place(load, node, place, out);
}

#define TLS_SAYS "the collector is spoken to over TLS; no, or as url says"
#define SERVICE_SAYS "the service name of all spans; their router's label"

static const struct linkerd_key zipkin_keys[] = {
	{ "url", LINKERD_READ, 0, .read = read_url,
		.says = "http://HOST:PORT of Zipkin's HTTP collector, 9411 if there is no port; required" },
	{ "host", LINKERD_TEXT, LINKERD_NOWHERE, .says = "no effect: of the scribe collector; localhost" },
	{ "port", LINKERD_PORT, LINKERD_NOWHERE, .says = "no effect: of the scribe collector; 9410" },
	{ "sampleRate", LINKERD_SHARE, COLLECTOR(sample_rate),
		.says = "of the requests for which their callers haven't decided it; 0.001" },
	{ "tls", LINKERD_READ, COLLECTOR(tls), .read = linkerd_read_client_tls, .block = &linkerd_client_tls, .says = TLS_SAYS },
	{ "serviceName", LINKERD_TEXT, COLLECTOR(service), .says = SERVICE_SAYS },
	{ 0 },
};
static const struct linkerd_key zipkin_http_keys[] = {
	{ "host", LINKERD_READ, 0, .read = read_place, .says = "HOST:PORT of Zipkin's HTTP collector; localhost:9411" },
	{ "hostHeader", LINKERD_TEXT, COLLECTOR(authority), .says = "what the Host field says; zipkin" },
	{ "compressionEnabled", LINKERD_BOOL, LINKERD_NOWHERE, .says = "no effect: nothing is compressed; true" },
	{ "initialSampleRate", LINKERD_SHARE, COLLECTOR(sample_rate),
		.says = "of the requests for which their callers haven't decided it; 0.001" },
	{ "tls", LINKERD_READ, COLLECTOR(tls), .read = linkerd_read_client_tls, .block = &linkerd_client_tls, .says = TLS_SAYS },
	{ "serviceName", LINKERD_TEXT, COLLECTOR(service), .says = SERVICE_SAYS },
	{ 0 },
};
static const struct linkerd_key otlp_keys[] = {
	{ "url", LINKERD_READ, 0, .read = read_url,
		.says = "http://HOST:PORT of the collector, 4318 if there is no port; http://localhost:4318" },
	{ "sampleRate", LINKERD_SHARE, COLLECTOR(sample_rate),
		.says = "of the requests for which their callers haven't decided it; 0.001" },
	{ "metrics", LINKERD_BOOL, COLLECTOR(metrics), .says = "metrics are sent too; false" },
	{ "intervalMs", LINKERD_MS, COLLECTOR(interval_ns), 100, .says = "from one report of metrics to the next; 60000" },
	{ "tls", LINKERD_READ, COLLECTOR(tls), .read = linkerd_read_client_tls, .block = &linkerd_client_tls, .says = TLS_SAYS },
	{ "serviceName", LINKERD_TEXT, COLLECTOR(service), .says = SERVICE_SAYS },
	{ 0 },
};
static const struct linkerd_block zipkin_block = { .name = "io.l5d.zipkin", .keys = zipkin_keys, .also = &common_block };
static const struct linkerd_block zipkin_http_block = { .name = "io.zipkin.http", .keys = zipkin_http_keys, .also = &common_block };
static const struct linkerd_block otlp_block = { .name = "io.weft.otlp", .keys = otlp_keys, .also = &common_block };

static const struct collector_policy usual_zipkin = { .port = 9411, .sample_rate = 0.001 };
static const struct collector_policy usual_zipkin_http = {
	.host = { "localhost", 9 }, .port = 9411, .authority = { "zipkin", 6 }, .sample_rate = 0.001
};
static const struct collector_policy usual_otlp = {
	.host = { "localhost", 9 },
	.port = 4318,
	.authority = { "localhost:4318", 14 },
	.sample_rate = 0.001,
	.interval_ns = 60 * CLOCK_SECOND,
};

/* ---- all kinds ---- */

enum { PROMETHEUS, RECENT_REQUESTS, ZIPKIN, ZIPKIN_HTTP, OTLP };

static const struct linkerd_kind telemetry_kinds[] = {
	{ "io.l5d.prometheus", PROMETHEUS, &prometheus_block, "metrics as Prometheus reads them" },
	{ "io.l5d.recentRequests", RECENT_REQUESTS, &recent_block, "the page /requests" },
	{ "io.l5d.zipkin", ZIPKIN, &zipkin_block, "spans to Zipkin, by HTTP: the scribe transport is refused" },
	{ "io.zipkin.http", ZIPKIN_HTTP, &zipkin_http_block, "spans to Zipkin, by HTTP" },
	{ "io.weft.otlp", OTLP, &otlp_block, "spans, and metrics, by OpenTelemetry's protocol over HTTP" },
	LINKERD_KIND_LATER("io.l5d.influxdb"),
	LINKERD_KIND_LATER("io.l5d.statsd"),
	LINKERD_KIND_LATER("io.l5d.tracelog"),
	{ 0 },
};

const struct linkerd_choice linkerd_telemetry = { .name = "telemetry[]", .kinds = telemetry_kinds };

static void switch_on(struct linkerd_load *load, const struct document_node *node, const char *name, bool *on)
{
	if (*on)
		linkerd_problem(load, node, "there is more than one %s", name);
	*on = true;
}

static void read_collector(
	struct linkerd_load *load, const struct document_node *node, const struct linkerd_kind *kind, struct telemetry_policy *telemetry)
{
	enum collector_kind which = kind->value == OTLP ? COLLECTOR_OTLP : COLLECTOR_ZIPKIN;
	struct collector_policy *policy = &telemetry->collectors[which];

	switch_on(load, node, kind->value == OTLP ? kind->name : "collector of Zipkin's", &policy->on);
	*policy = kind->value == OTLP ? usual_otlp : kind->value == ZIPKIN ? usual_zipkin : usual_zipkin_http;
	policy->on = true;
	if (linkerd_read_block(load, node, kind->block, policy) && !policy->host.length)
		linkerd_problem(load, node,
			"sends spans by Zipkin's scribe transport, which Zipkin has given up: add `url: http://HOST:9411` of its HTTP "
			"collector, or "
			"use kind io.zipkin.http");
}

static void read_telemeter(struct linkerd_load *load, const struct document_node *node, struct telemetry_policy *telemetry)
{
	const struct linkerd_kind *kind = linkerd_read_kind(load, node, &linkerd_telemetry);

	if (!kind)
		return;
	if (kind->value >= ZIPKIN) {
		read_collector(load, node, kind, telemetry);
		return;
	}
	switch_on(load, node, kind->name, kind->value == PROMETHEUS ? &telemetry->prometheus : &telemetry->recent_requests);
	linkerd_read_block(load, node, kind->block, telemetry);
}

void linkerd_read_telemetry(struct linkerd_load *load, const struct document_node *list, void *out)
{
	struct telemetry_policy *telemetry = out;

	telemetry->prometheus_path = SLICE("/admin/metrics/prometheus");
	telemetry->prometheus_prefix = SLICE("");
	telemetry->recent_capacity = 10;
	if (!document_expect(list, DOCUMENT_SEQUENCE, load->problems))
		return;
	for (uint32_t i = 0; i < list->count; i++)
		read_telemeter(load, list->items[i], telemetry);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Good files: what comes out in the snapshot, defaults included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "dialect/linkerd/linkerd.h"
#include "model/dtab.h"
#include "model/matcher.h"

static struct snapshot *load(const char *text)
{
	struct snapshot *snapshot = NULL;
	struct problems problems;

	problem_init(&problems);
	int e = linkerd_load(SLICE("linkerd.yaml"), slice_of(text), &problems, &snapshot);
	if (e) {
		struct text out = { 0 };

		problem_print(&problems, &out);
		print_error("%s", text_slice(&out).at);
		text_free(&out);
	}
	assert_int_equal(e, 0);
	assert_int_equal(problems.count, 0);
	problem_fini(&problems);
	return snapshot;
}

static void assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.length, strlen(expected));
	assert_memory_equal(s.at, expected, s.length);
}

static void assert_address(const struct address *address, const char *expected)
{
	char text[ADDRESS_TEXT];

	address_format(address, text);
	assert_string_equal(text, expected);
}

static void assert_path(struct path path, const char *expected)
{
	struct text out = { 0 };

	path_show_text(&out, path);
	assert_string_equal(text_slice(&out).at, expected);
	text_free(&out);
}

static void assert_dtab(const struct dtab *dtab, const char *expected)
{
	struct text out = { 0 };

	dtab_show_text(&out, dtab);
	assert_string_equal(text_slice(&out).at, expected);
	text_free(&out);
}

static void the_least_file_has_linkerds_defaults(void **state)
{
	(void)state;
	struct snapshot *s = load("routers:\n- protocol: http\n  servers:\n  - {}\n");
	const struct router *r = &s->routers[0];

	assert_slice(s->source, "linkerd.yaml");
	assert_address(&s->admin.address, "127.0.0.1:9990");
	assert_int_equal(s->admin.shutdown_grace_ns, 10 * CLOCK_SECOND);
	assert_true(s->admin.ui && s->admin.control && s->admin.diagnostics);
	assert_int_equal(s->admin.allow_count + s->admin.deny_count, 0);
	assert_false(s->telemetry.prometheus || s->telemetry.recent_requests);
	assert_int_equal(s->namer_count, 0);
	assert_int_equal(s->resolv_conf.length, 0);

	assert_int_equal(s->router_count, 1);
	assert_slice(r->label, "http");
	assert_path(*r->dst_prefix, "/svc");
	assert_int_equal(r->dtab->count, 0);
	assert_int_equal(r->identifier_count, 1);
	assert_int_equal(r->identifiers[0].kind, IDENTIFIER_HEADER_TOKEN);
	assert_slice(r->identifiers[0].header, "host");
	assert_int_equal(r->transformer_count, 0);
	assert_int_equal(r->service_rule_count, 0);
	assert_int_equal(r->client_rule_count, 0);
	assert_int_equal(r->binding_timeout_ns, 10 * CLOCK_SECOND);
	assert_int_equal(r->cache_paths, 1000);
	assert_int_equal(r->cache_trees, 1000);
	assert_int_equal(r->cache_idle_ns, 600 * CLOCK_SECOND);
	assert_int_equal(r->max_head_bytes, 8192);
	assert_int_equal(r->max_line_bytes, 4096);
	assert_false(r->originator);

	assert_int_equal(r->listener_count, 1);
	assert_address(&r->listeners[0].address, "127.0.0.1:4140");
	assert_slice(r->listeners[0].label, "http");
	assert_int_equal(r->listeners[0].max_call_depth, 1000);
	assert_int_equal(r->listeners[0].max_concurrent, 0);
	assert_int_equal(r->listeners[0].timeout_ns, 0);
	assert_int_equal(r->listeners[0].idle_ns + r->listeners[0].life_ns, 0);
	assert_false(r->listeners[0].clear_context || r->listeners[0].timestamp || r->listeners[0].delay);
	snapshot_unref(s);
}

static void admin_is_read(void **state)
{
	(void)state;
	struct snapshot *s =
		load("admin:\n  ip: 127.0.2.1\n  port: 0\n  shutdownGraceMs: 250\n  workerThreads: 4\n  httpIdentifierPort: 8090\n"
		     "  security:\n    uiEnabled: false\n    controlEnabled: false\n    diagnosticsEnabled: false\n"
		     "    pathWhitelist: ['^/a', /b]\n    pathBlacklist: [^/c$]\n"
		     "  socketOptions: {noDelay: false, keepAlive: true, backlog: 7, reuseAddr: false, reusePort: true,\n"
		     "    readTimeoutMs: 20, writeTimeoutMs: 30}\n"
		     "usage: {enabled: true, orgId: me}\n"
		     "telemetry:\n- {kind: io.l5d.prometheus, path: /metrics, prefix: l5d_}\n"
		     "- {kind: io.l5d.recentRequests, sampleRate: 0.25, capacity: 3, experimental: true}\n"
		     "dns: {resolvConf: /tmp/resolv.conf}\n"
		     "routers: [{protocol: http, servers: [{port: 0}]}]\n");

	assert_address(&s->admin.address, "127.0.2.1:0");
	assert_int_equal(s->admin.shutdown_grace_ns, 250 * CLOCK_MS);
	assert_false(s->admin.ui || s->admin.control || s->admin.diagnostics);
	assert_int_equal(s->admin.allow_count, 2);
	assert_slice(s->admin.allow[0], "^/a");
	assert_slice(s->admin.allow[1], "/b");
	assert_int_equal(s->admin.deny_count, 1);
	assert_slice(s->admin.deny[0], "^/c$");
	assert_true(s->admin.delay && s->admin.keep_alive && s->admin.exclusive);
	assert_true(s->admin.set & ADMIN_IDENTIFIER);
	assert_int_equal(s->admin.identifier_port, 8090);
	assert_int_equal(s->admin.backlog, 7);
	assert_int_equal(s->admin.read_timeout_ns, 20 * CLOCK_MS);
	assert_int_equal(s->admin.write_timeout_ns, 30 * CLOCK_MS);
	assert_true(s->telemetry.prometheus && s->telemetry.recent_requests);
	assert_slice(s->telemetry.prometheus_path, "/metrics");
	assert_slice(s->telemetry.prometheus_prefix, "l5d_");
	assert_true(s->telemetry.recent_sample_rate == 0.25);
	assert_int_equal(s->telemetry.recent_capacity, 3);
	assert_string_equal(s->resolv_conf.at, "/tmp/resolv.conf");
	snapshot_unref(s);
}

static void telemetry_has_its_defaults(void **state)
{
	(void)state;
	struct snapshot *s = load("telemetry: [{kind: io.l5d.prometheus}, {kind: io.l5d.recentRequests, sampleRate: 1.0}]\n"
				  "routers: [{protocol: http, servers: [{}]}]\n");

	assert_slice(s->telemetry.prometheus_path, "/admin/metrics/prometheus");
	assert_slice(s->telemetry.prometheus_prefix, "");
	assert_int_equal(s->telemetry.recent_capacity, 10);
	snapshot_unref(s);
}

static void kubernetes_namers(void **state)
{
	(void)state;
	struct snapshot *s = load("namers:\n- {kind: io.l5d.k8s}\n"
				  "- {kind: io.l5d.k8s, prefix: other, host: api.example, port: 6443, caFile: ca.crt, tokenFile: token, "
				  "labelSelector: version}\n"
				  "- {kind: io.l5d.k8s.ns, envVar: NS}\n"
				  "- {kind: io.l5d.k8s.ns}\n"
				  "routers: [{protocol: http, servers: [{}]}]\n");
	const struct namer_policy *usual = &s->namers[3], *all = &s->namers[2];
	assert_int_equal(s->namer_count, 4);
	assert_int_equal(usual->kind, NAMER_K8S);
	assert_slice(usual->prefix, "io.l5d.k8s");
	assert_int_equal(
		usual->k8s.place.host.length + usual->k8s.place.port + usual->k8s.place.ca_file.length + usual->k8s.label.length, 0);
	assert_slice(all->prefix, "other");
	assert_slice(all->k8s.place.host, "api.example");
	assert_int_equal(all->k8s.place.port, 6443);
	assert_slice(all->k8s.place.ca_file, "ca.crt");
	assert_slice(all->k8s.place.token_file, "token");
	assert_slice(all->k8s.label, "version");
	assert_int_equal(s->namers[1].kind, NAMER_K8S_NS);
	assert_slice(s->namers[1].k8s.variable, "NS");
	assert_slice(s->namers[0].k8s.variable, "POD_NAMESPACE");
	assert_slice(s->namers[0].prefix, "io.l5d.k8s.ns");
	snapshot_unref(s);
}

static void the_last_namer_is_asked_first(void **state)
{
	(void)state;
	struct snapshot *s = load("namers:\n- {kind: io.l5d.fs, rootDir: one}\n"
				  "- {kind: io.l5d.fs, rootDir: two, prefix: /a/b, experimental: true,\n"
				  "   transformers: [{kind: io.l5d.port, port: 80}]}\n"
				  "- {kind: io.l5d.fs, rootDir: three, prefix: c}\n"
				  "routers: [{protocol: http, servers: [{}]}]\n");

	assert_int_equal(s->namer_count, 3);
	assert_slice(s->namers[0].prefix, "c");
	assert_slice(s->namers[0].root_dir, "three");
	assert_slice(s->namers[1].prefix, "a/b");
	assert_int_equal(s->namers[1].transformer_count, 1);
	assert_slice(s->namers[1].transformers[0].prefix, "io.l5d.port/80");
	assert_slice(s->namers[2].prefix, "io.l5d.fs");
	assert_slice(s->namers[2].root_dir, "one");
	assert_int_equal(s->namers[2].transformer_count, 0);
	snapshot_unref(s);
}

static void kubernetes_is_read(const struct snapshot *s)
{
	const struct router *r = &s->routers[1];

	assert_int_equal(r->transformer_count, 1);
	assert_slice(r->config_map->namespace, "default");
	assert_slice(r->config_map->name, "l5d");
	assert_slice(r->config_map->key, "dtab");
	assert_int_equal(r->config_map->place.port, 8002);
	assert_null(s->routers[0].config_map);
	assert_int_equal(s->ingress_count, 2);
	assert_int_equal(r->identifiers[2].kind, IDENTIFIER_INGRESS);
	assert_int_equal(r->identifiers[2].ingress->index, 0);
	assert_slice(r->identifiers[2].ingress->class, "linkerd");
	assert_int_equal(r->identifiers[2].ingress->namespace.length + r->identifiers[2].ingress->place.port, 0);
	assert_false(r->identifiers[2].ingress->without_defaults);
	assert_int_equal(r->identifiers[3].ingress->index, 1);
	assert_slice(r->identifiers[3].ingress->class, "weft");
	assert_slice(r->identifiers[3].ingress->namespace, "web");
	assert_slice(r->identifiers[3].ingress->place.host, "api");
	assert_int_equal(r->identifiers[3].ingress->place.port, 6443);
	assert_slice(r->identifiers[3].ingress->place.ca_file, "ca");
	assert_slice(r->identifiers[3].ingress->place.token_file, "token");
	assert_true(r->identifiers[3].ingress->without_defaults);
}

static void routers_are_read(void **state)
{
	(void)state;
	struct snapshot *s = load(
		"routers:\n"
		"- protocol: http\n  label: out\n  dstPrefix: /http\n  bindingTimeoutMs: 5\n  experimental: true\n  originator: true\n"
		"  dtab: |\n    /a => /b; # a comment\n    /c/* => /d | ~;\n"
		"  identifier: {kind: io.l5d.header.token, header: X-Name}\n"
		"  bindingCache: {paths: 1, trees: 2, bounds: 3, clients: 4, idleTtlSecs: 5}\n"
		"  maxHeadersKB: 60\n  maxInitialLineKB: 2\n  maxErrResponseKB: 1\n"
		"  interpreter:\n    kind: default\n    transformers:\n"
		"    - {kind: io.l5d.port, port: 4141}\n"
		"    - {kind: io.l5d.specificHost, host: 127.0.1.1, prefix: /mine}\n"
		"    - {kind: io.l5d.localhost}\n"
		"    - {kind: io.l5d.k8s.daemonset, namespace: default, service: l5d, port: 4141, hostNetwork: true, k8sPort: 8002}\n"
		"    - {kind: io.l5d.k8s.localnode, byNode: true}\n"
		"  servers:\n"
		"  - {ip: '::1', port: 4140, label: six, maxConcurrentRequests: 9, timeoutMs: 100, clearContext: true, maxCallDepth: 3,\n"
		"     timestampHeader: X-Start, serverSession: {idleTimeMs: 1000, lifeTimeMs: 2000},\n"
		"     socketOptions: {noDelay: false, keepAlive: true, backlog: 12}}\n"
		"  - {port: \"4142\", ip: localhost}\n"
		"- protocol: http\n  label: in\n  servers: [{port: 4141, ip: 0.0.0.0}]\n"
		"  interpreter: {kind: io.l5d.k8s.configMap, name: l5d, filename: dtab, port: 8002, transformers: [{kind: "
		"io.l5d.localhost}]}\n"
		"  identifier: [{kind: io.l5d.header.token}, {kind: io.l5d.header.token, header: other},\n"
		"    {kind: io.l5d.ingress}, {kind: io.l5d.ingress, namespace: web, ingressClassAnnotation: weft, ignoreDefaultBackends: "
		"true,\n"
		"     host: api, port: 6443, caFile: ca, tokenFile: token}]\n");
	const struct router *r = &s->routers[0];
	const struct listener_policy *l = r->listeners;

	assert_int_equal(s->router_count, 2);
	assert_slice(r->label, "out");
	assert_int_equal(r->index, 0);
	assert_path(*r->dst_prefix, "/http");
	assert_int_equal(r->binding_timeout_ns, 5 * CLOCK_MS);
	assert_true(r->originator);
	assert_dtab(r->dtab, "/a=>/b;/c/*=>/d | ~");
	assert_slice(r->identifiers[0].header, "x-name");
	assert_int_equal(r->cache_paths, 1);
	assert_int_equal(r->cache_trees, 2);
	assert_int_equal(r->cache_idle_ns, 5 * CLOCK_SECOND);
	assert_int_equal(r->max_head_bytes, 60 * 1024);
	assert_int_equal(r->max_line_bytes, 2 * 1024);

	assert_int_equal(r->transformer_count, 5);
	assert_int_equal(r->transformers[0].kind, TRANSFORMER_PORT);
	assert_int_equal(r->transformers[0].port, 4141);
	assert_slice(r->transformers[0].prefix, "io.l5d.port/4141");
	assert_int_equal(r->transformers[1].kind, TRANSFORMER_SPECIFIC_HOST);
	assert_address(&r->transformers[1].host, "127.0.1.1:0");
	assert_slice(r->transformers[1].prefix, "mine");
	assert_int_equal(r->transformers[2].kind, TRANSFORMER_LOCALHOST);
	assert_slice(r->transformers[2].prefix, "io.l5d.localhost");
	assert_int_equal(r->transformers[3].kind, TRANSFORMER_DAEMONSET);
	assert_slice(r->transformers[3].prefix, "io.l5d.k8s.daemonset/default/4141/l5d");
	assert_slice(r->transformers[3].port_name, "4141");
	assert_true(r->transformers[3].host_network);
	assert_false(r->transformers[3].by_node);
	assert_int_equal(r->transformers[3].k8s.port, 8002);
	assert_int_equal(r->transformers[4].kind, TRANSFORMER_LOCAL_NODE);
	assert_slice(r->transformers[4].prefix, "io.l5d.k8s.localnode");
	assert_true(r->transformers[4].by_node);

	assert_int_equal(r->listener_count, 2);
	assert_address(&l[0].address, "[::1]:4140");
	assert_slice(l[0].label, "six");
	assert_int_equal(l[0].max_concurrent, 9);
	assert_int_equal(l[0].timeout_ns, 100 * CLOCK_MS);
	assert_int_equal(l[0].max_call_depth, 3);
	assert_true(l[0].clear_context && l[0].timestamp && l[0].delay && l[0].keep_alive);
	assert_slice(l[0].timestamp_header, "X-Start");
	assert_int_equal(l[0].idle_ns, 1000 * CLOCK_MS);
	assert_int_equal(l[0].life_ns, 2000 * CLOCK_MS);
	assert_int_equal(l[0].backlog, 12);
	assert_address(&l[1].address, "127.0.0.1:4142");
	assert_slice(l[1].label, "out");

	r = &s->routers[1];
	assert_int_equal(r->index, 1);
	assert_address(&r->listeners[0].address, "0.0.0.0:4141");
	assert_int_equal(r->identifier_count, 4);
	assert_slice(r->identifiers[0].header, "host");
	assert_slice(r->identifiers[1].header, "other");
	kubernetes_is_read(s);
	snapshot_unref(s);
}

static struct snapshot *load_with(const char *more)
{
	struct text out = { 0 };

	text_format(&out, "routers:\n- protocol: http\n  servers: [{}]\n%s", more);
	struct snapshot *s = load(text_slice(&out).at);
	text_free(&out);
	return s;
}

static struct service_policy service_of(const struct snapshot *s, const char *name)
{
	const struct router *r = &s->routers[0];
	struct arena arena;
	struct path path;
	struct slice why;
	struct service_policy policy;

	arena_init(&arena, NULL, 0);
	assert_int_equal(path_parse(slice_of(name), &arena, &path, &why), 0);
	service_policy_resolve(r->service_rules, r->service_rule_count, &path, &policy);
	arena_reset(&arena);
	return policy;
}

static struct client_policy client_of(const struct snapshot *s, const char *id)
{
	const struct router *r = &s->routers[0];
	struct arena arena;
	struct path path;
	struct slice why;
	struct client_policy policy;

	arena_init(&arena, NULL, 0);
	assert_int_equal(path_parse(slice_of(id), &arena, &path, &why), 0);
	client_policy_resolve(r->client_rules, r->client_rule_count, &path, &policy);
	arena_reset(&arena);
	return policy;
}

static void a_global_service_applies_to_all_names(void **state)
{
	(void)state;
	struct snapshot *s = load_with("  service:\n    totalTimeoutMs: 600\n"
				       "    retries:\n      budget: {minRetriesPerSec: 5, percentCanRetry: 0.5, ttlSecs: 15}\n"
				       "      backoff: {kind: jittered, minMs: 10, maxMs: 10000}\n"
				       "    responseClassifier: {kind: io.l5d.http.retryableRead5XX}\n");
	struct service_policy p = service_of(s, "/svc/any");

	assert_int_equal(p.set, SERVICE_TOTAL_TIMEOUT | SERVICE_BUDGET | SERVICE_BACKOFF | SERVICE_CLASSIFIER);
	assert_int_equal(p.total_timeout_ns, 600 * CLOCK_MS);
	assert_int_equal(p.budget.min_retries_per_second, 5);
	assert_true(p.budget.percent_can_retry == 0.5);
	assert_int_equal(p.budget.ttl_ns, 15 * CLOCK_SECOND);
	assert_int_equal(p.backoff.kind, BACKOFF_JITTERED);
	assert_int_equal(p.backoff.min_ns, 10 * CLOCK_MS);
	assert_int_equal(p.backoff.max_ns, 10000 * CLOCK_MS);
	assert_int_equal(p.classifier, CLASSIFIER_RETRYABLE_READ_5XX);
	snapshot_unref(s);
}

static void static_services_apply_by_prefix_in_order(void **state)
{
	(void)state;
	struct snapshot *s = load_with("  service:\n    kind: io.l5d.static\n    configs:\n"
				       "    - {prefix: /svc, totalTimeoutMs: 1, responseClassifier: {kind: io.l5d.http.retryableAll5XX}}\n"
				       "    - {prefix: /svc/hello, totalTimeoutMs: 2}\n"
				       "    - {prefix: '/svc/*/x', retries: {budget: {percentCanRetry: 1}}}\n");
	struct service_policy other = service_of(s, "/svc/other"), hello = service_of(s, "/svc/hello/x");

	assert_int_equal(other.total_timeout_ns, 1 * CLOCK_MS);
	assert_int_equal(other.set, SERVICE_TOTAL_TIMEOUT | SERVICE_CLASSIFIER);
	assert_int_equal(hello.total_timeout_ns, 2 * CLOCK_MS);
	assert_int_equal(hello.classifier, CLASSIFIER_RETRYABLE_ALL_5XX);
	/* What a budget leaves out has its default. */
	assert_true(hello.budget.percent_can_retry == 1.0);
	assert_int_equal(hello.budget.min_retries_per_second, 10);
	assert_int_equal(hello.budget.ttl_ns, 10 * CLOCK_SECOND);
	assert_int_equal(service_of(s, "/host/a").set, 0);
	snapshot_unref(s);
}

static void classifiers_and_balancers_have_their_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum classifier classifier;
	} classifiers[] = {
		{ "io.l5d.http.nonRetryable5XX", CLASSIFIER_NON_RETRYABLE_5XX },
		{ "io.l5d.http.retryableRead5XX", CLASSIFIER_RETRYABLE_READ_5XX },
		{ "io.l5d.http.retryableIdempotent5XX", CLASSIFIER_RETRYABLE_IDEMPOTENT_5XX },
		{ "io.l5d.http.retryableAll5XX", CLASSIFIER_RETRYABLE_ALL_5XX },
		{ "io.l5d.http.allSuccessful", CLASSIFIER_ALL_SUCCESSFUL },
	};
	static const struct {
		const char *text;
		struct balancer_policy policy;
	} balancers[] = {
		{ "{}", { BALANCER_P2C, 5, 10 * CLOCK_SECOND, false } },
		{ "{kind: p2c, maxEffort: 2, enableProbation: true}", { BALANCER_P2C, 2, 10 * CLOCK_SECOND, true } },
		{ "{kind: ewma, maxEffort: 3, decayTimeMs: 20, enableProbation: false}", { BALANCER_EWMA, 3, 20 * CLOCK_MS, false } },
		{ "{kind: roundRobin}", { BALANCER_ROUND_ROBIN, 5, 10 * CLOCK_SECOND, false } },
	};
	char text[256];

	for (unsigned i = 0; i < sizeof classifiers / sizeof *classifiers; i++) {
		snprintf(text, sizeof text, "  service: {kind: io.l5d.global, responseClassifier: {kind: %s}}\n", classifiers[i].name);
		struct snapshot *s = load_with(text);

		assert_int_equal(service_of(s, "/svc/a").classifier, classifiers[i].classifier);
		snapshot_unref(s);
	}
	for (unsigned i = 0; i < sizeof balancers / sizeof *balancers; i++) {
		snprintf(text, sizeof text, "  client: {loadBalancer: %s}\n", balancers[i].text);
		struct snapshot *s = load_with(text);
		struct balancer_policy found = client_of(s, "/#/a").balancer;

		assert_int_equal(found.kind, balancers[i].policy.kind);
		assert_int_equal(found.probation, balancers[i].policy.probation);
		assert_int_equal(found.max_effort, balancers[i].policy.max_effort);
		assert_int_equal(found.decay_ns, balancers[i].policy.decay_ns);
		snapshot_unref(s);
	}
}

static void access_logs_are_read(void **state)
{
	static const struct {
		const char *text;
		enum roll roll;
		uint64_t much; /* the size, or the day */
	} policies[] = {
		{ "never", ROLL_NEVER, 0 },
		{ "SIGHUP", ROLL_NEVER, 0 },
		{ "Hourly", ROLL_HOURLY, 0 },
		{ "daily", ROLL_DAILY, 0 },
		{ "weekly(1)", ROLL_WEEKLY, 0 },
		{ "Weekly(7)", ROLL_WEEKLY, 6 },
		{ "1.byte", ROLL_SIZE, 1 },
		{ "100.megabytes", ROLL_SIZE, 100 * 1024 * 1024 },
		{ "2.GIGABYTES", ROLL_SIZE, UINT64_C(2) << 30 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof policies / sizeof policies[0]; i++) {
		char text[200];
		snprintf(text, sizeof text,
			"  httpAccessLog: logs/access.log\n  httpAccessLogRollPolicy: %s\n  httpAccessLogAppend: false\n  "
			"httpAccessLogRotateCount: 3\n",
			policies[i].text);
		struct snapshot *s = load_with(text);
		const struct access_log_policy *log = &s->routers[0].access_log;

		assert_string_equal(log->path.at, "logs/access.log");
		assert_int_equal(log->roll, policies[i].roll);
		assert_true((log->roll == ROLL_SIZE ? log->roll_bytes : log->weekday) == policies[i].much);
		assert_false(log->append);
		assert_int_equal(log->rotate_count, 3);
		snapshot_unref(s);
	}
	struct snapshot *s = load_with("  httpAccessLog: a.log\n  httpAccessLogFormat: json\n");

	assert_int_equal(s->routers[0].access_log.form, ACCESS_JSON);
	snapshot_unref(s);
	s = load_with("  httpAccessLog: a.log\n  httpAccessLogFormat: '%ROUTER% %RESPONSE_CODE%'\n");
	assert_int_equal(s->routers[0].access_log.form, ACCESS_FORMAT);
	assert_int_equal(s->routers[0].access_log.format.count, 3);
	snapshot_unref(s);
	s = load_with("");
	assert_int_equal(s->routers[0].access_log.form, ACCESS_LINKERD);
	assert_int_equal(s->routers[0].access_log.path.length, 0);
	assert_true(s->routers[0].access_log.append);
	assert_int_equal(s->routers[0].access_log.rotate_count, -1);
	assert_int_equal(s->routers[0].propagator, PROPAGATOR_L5D);
	snapshot_unref(s);
	s = load_with("  tracePropagator: {kind: io.l5d.zipkin}\n");
	assert_int_equal(s->routers[0].propagator, PROPAGATOR_B3);
	assert_false(s->routers[0].joined);
	snapshot_unref(s);
	s = load_with(
		"  tracePropagator: {kind: io.weft.w3c, joins: incoming}\n- protocol: http\n  label: incoming\n  servers: [{port: 0}]\n");
	assert_int_equal(s->routers[0].joins_count, 1);
	assert_false(s->routers[0].joined);
	assert_true(s->routers[1].joined);
	assert_int_equal(s->routers[1].joins_count, 0);
	snapshot_unref(s);
}

static void health_checks_are_read(void **state)
{
	(void)state;
	struct snapshot *s = load_with("  client:\n    kind: io.l5d.static\n    configs:\n"
				       "    - prefix: /#/a\n      healthCheck: {kind: io.l5d.grpc, service: "
				       "pkg.Greeter, intervalMs: 300, unhealthyThreshold: 5}\n"
				       "    - prefix: /#/a/b\n      healthCheck: {kind: io.l5d.http, path: /up, host: "
				       "web, timeoutMs: 50, healthyThreshold: 1}\n"
				       "    - prefix: /#/a/b/c\n      healthCheck: {kind: none}\n");
	struct client_policy p = client_of(s, "/#/a");

	assert_int_equal(p.set, CLIENT_CHECK);
	assert_int_equal(p.check.kind, CHECK_KIND_GRPC);
	assert_string_equal(p.check.service, "pkg.Greeter");
	assert_string_equal(p.check.host, "");
	assert_int_equal(p.check.interval_ns, 300 * CLOCK_MS);
	assert_int_equal(p.check.timeout_ns, 300 * CLOCK_MS); /* the usual second would be longer */
	assert_int_equal(p.check.unhealthy_threshold, 5);
	assert_int_equal(p.check.healthy_threshold, 2);

	/* A later rule's is another one, not a change of the earlier one. */
	p = client_of(s, "/#/a/b");
	assert_int_equal(p.check.kind, CHECK_KIND_HTTP);
	assert_string_equal(p.check.path, "/up");
	assert_string_equal(p.check.host, "web");
	assert_string_equal(p.check.service, "");
	assert_int_equal(p.check.interval_ns, 2 * CLOCK_SECOND);
	assert_int_equal(p.check.timeout_ns, 50 * CLOCK_MS);
	assert_int_equal(p.check.unhealthy_threshold, 3);
	assert_int_equal(p.check.healthy_threshold, 1);

	assert_int_equal(client_of(s, "/#/a/b/c").check.kind, CHECK_KIND_NONE);
	assert_int_equal(client_of(s, "/#/other").check.kind, CHECK_KIND_NONE);
	snapshot_unref(s);
}

static void clients_are_read(void **state)
{
	(void)state;
	struct snapshot *s =
		load_with("  client:\n    kind: io.l5d.static\n    configs:\n"
			  "    - prefix: /%/io.l5d.port/4141\n      requestAttemptTimeoutMs: 50\n"
			  "      failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 3, backoff: {kind: constant, ms: 1000}}\n"
			  "      hostConnectionPool: {minSize: 1, maxSize: 4, idleTimeMs: 60000, maxWaiters: 100}\n"
			  "      socketOptions: {writeTimeoutMs: 70, ackTimeoutMs: 2500}\n"
			  "      requeueBudget: {minRetriesPerSec: 0}\n"
			  "    - prefix: /%/*/*/#/io.l5d.fs/{name}\n      failureAccrual: {kind: none}\n"
			  "    - prefix: /#/jitter\n      failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 1,\n"
			  "        backoff: {kind: jittered, minMs: 1, maxMs: 2}}\n"
			  "    - prefix: /#/plain\n      failureAccrual: {kind: io.l5d.consecutiveFailures, failures: 7}\n");
	struct client_policy p = client_of(s, "/%/io.l5d.port/4141/#/other");

	assert_int_equal(p.set, CLIENT_ATTEMPT_TIMEOUT | CLIENT_ACCRUAL | CLIENT_CONNECTIONS | CLIENT_REQUEUE_BUDGET | CLIENT_SOCKET);
	assert_int_equal(p.socket.write_timeout_ns, 70 * CLOCK_MS);
	assert_int_equal(p.socket.ack_timeout_ns, 2500 * CLOCK_MS);
	assert_int_equal(p.attempt_timeout_ns, 50 * CLOCK_MS);
	assert_int_equal(p.accrual.kind, ACCRUAL_CONSECUTIVE_FAILURES);
	assert_int_equal(p.accrual.failures, 3);
	assert_int_equal(p.accrual.backoff.kind, BACKOFF_CONSTANT);
	assert_int_equal(p.accrual.backoff.min_ns, CLOCK_SECOND);
	assert_int_equal(p.connections.min_size, 1);
	assert_int_equal(p.connections.max_size, 4);
	assert_int_equal(p.connections.idle_ns, 60 * CLOCK_SECOND);
	assert_int_equal(p.connections.max_waiters, 100);
	assert_int_equal(p.requeue_budget.min_retries_per_second, 0);
	assert_true(p.requeue_budget.percent_can_retry == 0.2);

	p = client_of(s, "/%/io.l5d.port/4141/#/io.l5d.fs/hello");
	assert_int_equal(p.accrual.kind, ACCRUAL_NONE);
	assert_int_equal(p.attempt_timeout_ns, 50 * CLOCK_MS);

	p = client_of(s, "/#/jitter/a");
	assert_int_equal(p.accrual.backoff.kind, BACKOFF_JITTERED);
	assert_int_equal(p.accrual.backoff.max_ns, 2 * CLOCK_MS);

	p = client_of(s, "/#/plain");
	assert_int_equal(p.accrual.failures, 7);
	assert_int_equal(p.accrual.backoff.kind, BACKOFF_EQUAL);
	assert_int_equal(p.accrual.backoff.min_ns, 5 * CLOCK_SECOND);
	assert_int_equal(p.accrual.backoff.max_ns, 300 * CLOCK_SECOND);
	snapshot_unref(s);
}

static void json_and_nulls_are_fine(void **state)
{
	(void)state;
	struct snapshot *s =
		load(" {\"routers\": [{\"protocol\": \"http\", \"label\": \"a b\", \"dtab\": null, \"client\": null,\n"
		     "  \"servers\": [{\"port\": 4140, \"label\": null}]}], \"admin\": null, \"usage\": {\"enabled\": false}}");

	assert_slice(s->routers[0].label, "a b");
	assert_slice(s->routers[0].listeners[0].label, "a b");
	assert_slice(s->json,
		"{\"routers\":[{\"protocol\":\"http\",\"label\":\"a b\",\"dtab\":null,\"client\":null,"
		"\"servers\":[{\"port\":4140,\"label\":null}]}],\"admin\":null,\"usage\":{\"enabled\":false}}");
	snapshot_unref(s);
}

static void equal_ports_on_different_addresses_are_fine(void **state)
{
	(void)state;
	struct snapshot *s = load("admin: {port: 4140, ip: 127.0.0.2}\n"
				  "routers: [{protocol: http, servers: [{}, {ip: 127.0.1.1}, {port: 0}, {port: 0}]}]\n");

	assert_int_equal(s->routers[0].listener_count, 4);
	snapshot_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_file_has_linkerds_defaults),
		cmocka_unit_test(admin_is_read),
		cmocka_unit_test(telemetry_has_its_defaults),
		cmocka_unit_test(the_last_namer_is_asked_first),
		cmocka_unit_test(kubernetes_namers),
		cmocka_unit_test(routers_are_read),
		cmocka_unit_test(a_global_service_applies_to_all_names),
		cmocka_unit_test(static_services_apply_by_prefix_in_order),
		cmocka_unit_test(classifiers_and_balancers_have_their_names),
		cmocka_unit_test(clients_are_read),
		cmocka_unit_test(access_logs_are_read),
		cmocka_unit_test(health_checks_are_read),
		cmocka_unit_test(json_and_nulls_are_fine),
		cmocka_unit_test(equal_ports_on_different_addresses_are_fine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Bad files: exactly what the user is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "dialect/linkerd/linkerd.h"

struct bad {
	const char *file, *told;
};

static void expect(const struct bad *bad)
{
	struct snapshot *snapshot = NULL;
	struct problems problems;
	struct text out = { 0 };

	problem_init(&problems);
	int e = linkerd_load(SLICE("f"), slice_of(bad->file), &problems, &snapshot);
	problem_print(&problems, &out);
	assert_string_equal(text_slice(&out).at, bad->told);
	assert_int_not_equal(e, 0);
	assert_null(snapshot);
	text_free(&out);
	problem_fini(&problems);
}

static void expect_all(const struct bad *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect(&table[i]);
}

#define EXPECT_ALL(table) expect_all(table, sizeof(table) / sizeof *(table))

/* A router that is good, for files that test something else. */
#define ROUTER "routers: [{protocol: http, servers: [{}]}]\n"
/* A router on lines of its own: what follows begins on line 4 and is indented by two. */
#define CORS "routers:\n- protocol: http\n  servers:\n  - grpcWeb: true\n    "
#define HTTP "routers:\n- protocol: http\n  servers: [{}]\n"

#define TOLD ": `kubeconfig` says where Kubernetes' API is, and how it is asked: one or the other\n"

static void a_kubeconfig_says_it_all(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ ROUTER "namers:\n- {kind: io.l5d.k8s, kubeconfig: k, host: h, port: 1}\n",
			"f:3:37: namers[0].host" TOLD "f:3:46: namers[0].port" TOLD },
		{ ROUTER "namers:\n- {kind: io.l5d.k8s.external, kubeconfig: k, caFile: c}\n", "f:3:46: namers[0].caFile" TOLD },
		{ ROUTER "namers:\n- {kind: io.l5d.k8s.ns, tokenFile: t, kubeconfig: k}\n", "f:3:25: namers[0].tokenFile" TOLD },
		{ ROUTER "namers:\n- kind: io.l5d.fs\n  rootDir: /x\n  transformers: [{kind: io.l5d.k8s.daemonset, namespace: n, service: "
			 "s, port: p, "
			 "kubeconfig: k, k8sPort: 1}]\n",
			"f:5:97: namers[0].transformers[0].k8sPort" TOLD },
		{ HTTP "  identifier: {kind: io.l5d.ingress, kubeconfig: k, host: h}\n", "f:4:53: routers[0].identifier.host" TOLD },
		{ HTTP "  interpreter: {kind: io.l5d.k8s.configMap, name: n, filename: f, kubeconfig: k, port: 1}\n",
			"f:4:82: routers[0].interpreter.port" TOLD },
	};
	EXPECT_ALL(table);
}

static void files_without_routers_are_refused(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ "admin: {}\n", "f:1:1: the key `routers` is missing\n" },
		{ "routers:\n", "f:1:1: the key `routers` is missing\n" },
		{ "routers: []\n", "f:1:10: routers: must not be empty: there is nothing to do without a router\n" },
		{ "routers: {}\n", "f:1:10: `routers` is a mapping, but must be a sequence\n" },
		{ "routers: [x]\n", "f:1:11: found `x`, but this must be a mapping\n" },
		{ "routers:\n- {}\n",
			"f:2:3: routers[0]: the key `protocol` is missing\n"
			"f:2:3: routers[0]: the key `servers` is missing\n" },
		{ "routers:\n- protocol: http\n  servers: []\n",
			"f:3:12: routers[0].servers: must not be empty: a router needs a server\n" },
		{ "- a\n", "f:1:1: found a sequence, but this must be a mapping\n" },
	};
	EXPECT_ALL(table);
}

static void documents_are_checked_first(void **state)
{
	(void)state;
	struct snapshot *snapshot = NULL;
	struct problems problems;

	problem_init(&problems);
	assert_int_equal(linkerd_load(SLICE("f"), SLICE("a: [\n"), &problems, &snapshot), ERROR_SYNTAX);
	assert_int_equal(problems.count, 1);
	assert_null(snapshot);
	problem_fini(&problems);
	expect(&(struct bad){ ROUTER ROUTER, "f:2:1: duplicate key `routers`; it is first at line 1, column 1\n" });
}

static void unknown_keys_are_refused_with_a_suggestion(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ ROUTER "router: []\n", "f:2:1: router: unknown key; did you mean `routers`?\n" },
		{ ROUTER "zzz: 1\n", "f:2:1: zzz: unknown key\n" },
		{ ROUTER "admin:\n  prot: 9990\n", "f:3:3: admin.prot: unknown key; did you mean `port`?\n" },
		{ HTTP "  clinet: {}\n", "f:4:3: routers[0].clinet: unknown key; did you mean `client`?\n" },
		{ HTTP "  client: {loadbalancer: {}}\n",
			"f:4:12: routers[0].client.loadbalancer: unknown key; did you mean `loadBalancer`?\n" },
		{ HTTP "  client: {loadBalancer: {kind: p2c, decayTimeMs: 1}}\n",
			"f:4:38: routers[0].client.loadBalancer.decayTimeMs: unknown key\n" },
		{ HTTP "  service: {configs: []}\n", "f:4:13: routers[0].service.configs: unknown key\n" },
		{ HTTP "  service: {kind: io.l5d.static, configs: [{prefix: /a, kind: io.l5d.global}]}\n",
			"f:4:57: routers[0].service.configs[0].kind: unknown key\n" },
	};
	EXPECT_ALL(table);
}

static void documented_keys_are_refused_by_name(void **state)
{
	(void)state;
	static const struct {
		const char *where, *keys[20];
	} blocks[] = {
		{ "routers[0]",
			{ "announcers", "streamAfterContentLengthKB", "streamingEnabled", "compressionLevel", "thriftMethodInDst",
				"thriftProtocol" } },
		{ "routers[0].servers[0]", { "announce" } },
		{ "routers[0].client", { "failFast", "requestAuthorizers", "thriftFramed", "attemptTTwitterUpgrade" } },
	};

	for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++) {
		for (unsigned k = 0; blocks[i].keys[k]; k++) {
			const char *key = blocks[i].keys[k], *where = blocks[i].where;
			char file[512], told[256];
			bool router = strcmp(where, "routers[0]") == 0, server = strstr(where, "servers") != NULL;

			/* In every file the key is on line 6, in the column behind four blanks. */
			if (router)
				snprintf(file, sizeof file, "\n\nrouters:\n-   protocol: http\n    servers: [{}]\n    %s: {}\n", key);
			else if (server)
				snprintf(file, sizeof file, "\nrouters:\n- protocol: http\n  servers:\n  - port: 1\n    %s: {}\n", key);
			else
				snprintf(file, sizeof file, "\n" HTTP "  %s:\n    %s: {}\n", strchr(where, '.') + 1, key);
			snprintf(told, sizeof told, "f:6:5: %s.%s: not yet supported by weft (known from Linkerd 1.x)\n", where, key);
			expect(&(struct bad){ file, told });
		}
	}
}

static void kinds_are_known_not_yet_or_unknown(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ ROUTER "namers: [{kind: io.l5d.consul}]\n",
			"f:2:17: namers[0].kind: io.l5d.consul is not yet supported by weft (known from Linkerd 1.x)\n" },
		{ ROUTER "namers: [{kind: io.l5d.fsx, rootDir: a}]\n",
			"f:2:17: namers[0].kind: unknown kind `io.l5d.fsx`; did you mean `io.l5d.fs`?\n" },
		{ ROUTER "namers: [{kind: etcd}]\n",
			"f:2:17: namers[0].kind: unknown kind `etcd`; there is io.l5d.fs, io.l5d.k8s, io.l5d.k8s.ns, "
			"io.l5d.k8s.external\n" },
		{ ROUTER "namers: [{rootDir: a}]\n", "f:2:10: namers[0]: the key `kind` is missing\n" },
		{ ROUTER "namers: [{kind: [a]}]\n",
			"f:2:17: namers[0].kind: unknown kind a sequence; there is io.l5d.fs, io.l5d.k8s, io.l5d.k8s.ns, "
			"io.l5d.k8s.external\n" },
		{ ROUTER "telemetry: [{kind: io.l5d.zipkin}]\n",
			"f:2:13: telemetry[0]: sends spans by Zipkin's scribe transport, which Zipkin has given up: add `url: "
			"http://HOST:9411` of its "
			"HTTP collector, or use kind io.zipkin.http\n" },
		{ ROUTER "telemetry: [{kind: io.l5d.zipkin, url: 'http://zipkin'}, {kind: io.zipkin.http}]\n",
			"f:2:58: telemetry[1]: there is more than one collector of Zipkin's\n" },
		{ ROUTER "telemetry: [{kind: io.weft.otlp, url: 'ftp://c'}]\n",
			"f:2:39: telemetry[0].url: `ftp://c` must begin with `http://` or `https://`\n" },
		{ ROUTER "telemetry: [{kind: io.weft.otlp, url: 'http://c:0'}]\n",
			"f:2:39: telemetry[0].url: `http://c:0` has no port from 1 to 65535 behind its colon\n" },
		{ ROUTER "telemetry: [{kind: io.weft.otlp, url: 'http://:4318/'}]\n",
			"f:2:39: telemetry[0].url: `http://:4318/` has no host\n" },
		{ ROUTER "telemetry: [{kind: io.weft.otlp, url: 'http://c/?a=b'}]\n",
			"f:2:39: telemetry[0].url: `http://c/?a=b` is to be a host and a path alone\n" },
		{ ROUTER "telemetry: [{kind: io.l5d.statsd}]\n",
			"f:2:20: telemetry[0].kind: io.l5d.statsd is not yet supported by weft (known from Linkerd 1.x)\n" },
		{ HTTP "  interpreter: {kind: io.l5d.namerd}\n",
			"f:4:23: routers[0].interpreter.kind: io.l5d.namerd is not yet supported by weft (known from "
			"Linkerd 1.x)\n" },
		{ HTTP "  identifier: {kind: io.l5d.k8s.istio}\n",
			"f:4:22: routers[0].identifier.kind: io.l5d.k8s.istio is not yet supported by weft (known from "
			"Linkerd 1.x)\n" },
		{ HTTP "  identifier: {header: a}\n", "f:4:15: routers[0].identifier: the key `kind` is missing\n" },
		{ HTTP "  identifier: {kind: io.l5d.ingress, segments: 1}\n", "f:4:38: routers[0].identifier.segments: unknown key\n" },
		{ HTTP "  identifier: []\n", "f:4:15: routers[0].identifier: must not be empty\n" },
		{ HTTP "  client: {loadBalancer: {kind: aperture}}\n",
			"f:4:33: routers[0].client.loadBalancer.kind: aperture is not yet supported by weft (known from Linkerd 1.x)\n" },
		{ HTTP "  client: {failureAccrual: {kind: io.l5d.successRate}}\n",
			"f:4:35: routers[0].client.failureAccrual.kind: io.l5d.successRate is not yet supported by weft (known from "
			"Linkerd 1.x)\n" },
		{ HTTP "  client: {healthCheck: {path: /}}\n", "f:4:25: routers[0].client.healthCheck: the key `kind` is missing\n" },
		{ HTTP "  client: {healthCheck: {kind: io.l5d.grpc, path: /}}\n",
			"f:4:45: routers[0].client.healthCheck.path: unknown key\n" },
		{ HTTP "  client: {healthCheck: {kind: io.l5d.http, path: health}}\n",
			"f:4:51: routers[0].client.healthCheck.path: `health` is not a path: it begins with a slash\n" },
		{ HTTP "  client: {healthCheck: {kind: io.l5d.http, host: 'a b'}}\n",
			"f:4:51: routers[0].client.healthCheck.host: has a character that is a blank, or none of ASCII's\n" },
		{ HTTP "  client: {healthCheck: {kind: io.l5d.http, host: a/b}}\n",
			"f:4:51: routers[0].client.healthCheck.host: `a/b` is not a host\n" },
		{ HTTP "  client: {healthCheck: {kind: io.l5d.http, intervalMs: 500, timeoutMs: 501}}\n",
			"f:4:73: routers[0].client.healthCheck.timeoutMs: is more than intervalMs, 500\n" },
		{ CORS "cors: {maxAgeSecs: 5}\n", "f:5:11: routers[0].servers[0].cors: the key `allowOrigins` is missing\n" },
		{ CORS "cors: {allowOrigins: []}\n", "f:5:26: routers[0].servers[0].cors.allowOrigins: must not be empty\n" },
		{ CORS "cors: {allowOrigins: [example.com]}\n",
			"f:5:27: routers[0].servers[0].cors.allowOrigins[0]: `example.com` is not an origin: https://HOST, "
			"https://*.DOMAIN or *\n" },
		{ CORS "cors: {allowOrigins: ['https://a.*.b']}\n",
			"f:5:27: routers[0].servers[0].cors.allowOrigins[0]: `https://a.*.b` is not an origin: https://HOST, "
			"https://*.DOMAIN or *\n" },
		{ CORS "cors: {allowOrigins: ['https://a/']}\n",
			"f:5:27: routers[0].servers[0].cors.allowOrigins[0]: `https://a/` is not an origin: https://HOST, https://*.DOMAIN "
			"or *\n" },
		{ CORS "cors: {allowOrigins: ['*'], allowCredentials: true}\n",
			"f:5:51: routers[0].servers[0].cors.allowCredentials: would let any web page act as its visitor: name the "
			"origins\n" },
		{ "routers:\n- protocol: http\n  servers:\n  - port: 0\n    cors: {allowOrigins: ['*']}\n",
			"f:5:11: routers[0].servers[0].cors: is only for servers with `grpcWeb: true`\n" },
		{ HTTP "  tracePropagator: {kind: io.l5d.b3}\n",
			"f:4:27: routers[0].tracePropagator.kind: unknown kind `io.l5d.b3`; there is io.l5d.default, io.l5d.zipkin, "
			"io.weft.b3, io.weft.w3c, io.weft.any\n" },
		{ HTTP "  httpAccessLog: logs/\n", "f:4:18: routers[0].httpAccessLog: is not the path of a file\n" },
		{ HTTP "  httpAccessLog: a\n  httpAccessLogRollPolicy: weekly(8)\n",
			"f:5:28: routers[0].httpAccessLogRollPolicy: `weekly(8)` is not never, hourly, daily, weekly(1) to weekly(7), or a "
			"size like 100.megabytes\n" },
		{ HTTP "  h2AccessLog: a\n",
			"f:4:16: routers[0].h2AccessLog: is for routers of the other protocol; in this one it is called "
			"`httpAccessLog`\n" },
		{ HTTP "  client: {kind: io.l5d.globl}\n",
			"f:4:18: routers[0].client.kind: unknown kind `io.l5d.globl`; did you mean "
			"`io.l5d.global`?\n" },
		{ HTTP "  service: {responseClassifier: {kind: io.l5d.h2.grpc.defalt}}\n",
			"f:4:40: routers[0].service.responseClassifier.kind: unknown kind `io.l5d.h2.grpc.defalt`; did "
			"you mean `io.l5d.h2.grpc.default`?\n" },
		{ HTTP "  interpreter: {transformers: [{kind: io.l5d.const}]}\n",
			"f:4:39: routers[0].interpreter.transformers[0].kind: io.l5d.const is not yet "
			"supported by weft (known from Linkerd 1.x)\n" },
		{ "routers: [{protocol: mux, servers: [{}], thriftProtocol: a}, {protocol: http, servers: [{}]}]\n",
			"f:1:22: routers[0].protocol: mux is not yet supported by weft (known from Linkerd 1.x)\n" },
		{ "routers: [{protocol: h2, servers: [{}], thriftProtocol: a}]\n",
			"f:1:41: routers[0].thriftProtocol: not yet supported by weft (known from Linkerd 1.x)\n" },
		{ "routers: [{protocol: htp, servers: [{}]}]\n",
			"f:1:22: `protocol` is `htp`, but must be one of http, h2, thrift, mux, thriftmux; did you mean `http`?\n" },
	};
	EXPECT_ALL(table);
}

static void formats_of_access_logs_are_checked(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ HTTP "  httpAccessLog: a\n  httpAccessLogFormat: text\n",
			"f:5:24: routers[0].httpAccessLogFormat: `text` is neither linkerd nor json, nor a format with %OPERATORS%\n" },
		{ HTTP "  httpAccessLog: a\n  httpAccessLogFormat: '%ROUTER% %RESPONSE_COD%'\n",
			"f:5:34: routers[0].httpAccessLogFormat: unknown operator `RESPONSE_COD`; did you mean `RESPONSE_CODE`?\n" },
		{ HTTP "  httpAccessLogFormat: '%ROUTER%'\n",
			"f:2:3: routers[0]: httpAccessLogRollPolicy, httpAccessLogRotateCount and httpAccessLogFormat have no effect "
			"without `httpAccessLog`\n" },
	};
	EXPECT_ALL(table);
}

static void joined_routers_are_others(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ HTTP "  tracePropagator: {kind: io.l5d.default, joins: incoming}\n",
			"f:4:50: routers[0].tracePropagator.joins: `incoming` is the label of no router in this file\n" },
		{ HTTP "  tracePropagator: {kind: io.l5d.default, joins: [http]}\n",
			"f:4:51: routers[0].tracePropagator.joins[0]: `http` is this router itself: it is to be one that brings requests "
			"to the services here\n" },
	};
	EXPECT_ALL(table);
}

static void values_are_checked(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ ROUTER "admin: {port: 65536}\n", "f:2:15: `port` is `65536`, but must be an integer from 0 to 65535\n" },
		{ ROUTER "admin: {port: http}\n", "f:2:15: `port` is `http`, but must be an integer from 0 to 65535\n" },
		{ ROUTER "admin: {ip: nowhere}\n", "f:2:13: admin.ip: `nowhere` is not an IP address\n" },
		{ ROUTER "admin: {shutdownGraceMs: -1}\n",
			"f:2:26: `shutdownGraceMs` is `-1`, but must be an integer from 0 to 2147483647\n" },
		{ ROUTER "admin: {security: {uiEnabled: maybe}}\n", "f:2:31: `uiEnabled` is `maybe`, but must be true or false\n" },
		{ ROUTER "admin: {security: {pathWhitelist: a}}\n", "f:2:35: `pathWhitelist` is `a`, but must be a sequence\n" },
		{ ROUTER "admin: {httpIdentifierPort: 70000}\n",
			"f:2:29: `httpIdentifierPort` is `70000`, but must be an integer from 0 to 65535\n" },
		{ ROUTER "usage: {enabled: 3}\n", "f:2:18: `enabled` is `3`, but must be true or false\n" },
		{ ROUTER "telemetry: [{kind: io.l5d.recentRequests}]\n", "f:2:13: telemetry[0]: the key `sampleRate` is missing\n" },
		{ ROUTER "telemetry: [{kind: io.l5d.recentRequests, sampleRate: 1.5}]\n",
			"f:2:55: `sampleRate` is `1.5`, but must be a number from 0 to 1\n" },
		{ ROUTER "telemetry: [{kind: io.l5d.prometheus, path: metrics}]\n", "f:2:45: telemetry[0].path: must begin with `/`\n" },
		{ ROUTER "telemetry: [{kind: io.l5d.prometheus}, {kind: io.l5d.prometheus}]\n",
			"f:2:40: telemetry[1]: there is more than one io.l5d.prometheus\n" },
		{ ROUTER "namers: [{kind: io.l5d.k8s, envVar: NS}]\n", "f:2:29: namers[0].envVar: unknown key\n" },
		{ ROUTER "namers: [{kind: io.l5d.k8s, port: 0}]\n", "f:2:35: `port` is `0`, but must be an integer from 1 to 65535\n" },
		{ ROUTER "namers: [{kind: io.l5d.fs}]\n", "f:2:10: namers[0]: the key `rootDir` is missing\n" },
		{ ROUTER "namers: [{kind: io.l5d.fs, rootDir: ''}]\n", "f:2:37: namers[0].rootDir: must not be empty\n" },
		{ ROUTER "namers: [{kind: io.l5d.fs, rootDir: a, prefix: /}]\n",
			"f:2:48: namers[0].prefix: must have at least one segment\n" },
		{ HTTP "  label: ''\n", "f:4:10: routers[0].label: must not be empty\n" },
		{ HTTP "  bindingTimeoutMs: 0\n", "f:4:21: `bindingTimeoutMs` is `0`, but must be an integer from 1 to 2147483647\n" },
		{ HTTP "  maxHeadersKB: 65\n", "f:4:17: `maxHeadersKB` is `65`, but must be an integer from 1 to 64\n" },
		{ HTTP "  identifier: {kind: io.l5d.header.token, header: 'a b'}\n",
			"f:4:51: routers[0].identifier.header: `a b` is not the name of a header\n" },
		{ "routers: [{protocol: http, servers: [{timestampHeader: Content-Length}]}]\n",
			"f:1:56: routers[0].servers[0].timestampHeader: `content-length` has a meaning of its own in HTTP\n" },
		{ HTTP "  interpreter: {transformers: [{kind: io.l5d.port}, {kind: io.l5d.specificHost}]}\n",
			"f:4:32: routers[0].interpreter.transformers[0]: the key `port` is missing\n"
			"f:4:53: routers[0].interpreter.transformers[1]: the key `host` is missing\n" },
		{ HTTP "  interpreter: {transformers: [{kind: io.l5d.k8s.daemonset, port: a}]}\n",
			"f:4:32: routers[0].interpreter.transformers[0]: the key `namespace` is missing\n"
			"f:4:32: routers[0].interpreter.transformers[0]: the key `service` is missing\n" },
		{ HTTP "  interpreter: {transformers: [{kind: io.l5d.k8s.localnode, nodeName: a}]}\n",
			"f:4:61: routers[0].interpreter.transformers[0].nodeName: unknown key\n" },
		{ HTTP "  service: {totalTimeoutMs: 0.5}\n",
			"f:4:29: `totalTimeoutMs` is `0.5`, but must be an integer from 1 to 2147483647\n" },
		{ HTTP "  service: {retries: {budget: {percentCanRetry: 20, ttlSecs: 61}}}\n",
			"f:4:49: `percentCanRetry` is `20`, but must be a number from 0 to 1\n"
			"f:4:62: `ttlSecs` is `61`, but must be an integer from 1 to 60\n" },
		{ HTTP "  service: {retries: {backoff: {kind: jittered, minMs: 5}}}\n",
			"f:4:32: routers[0].service.retries.backoff: the key `maxMs` is missing\n" },
		{ HTTP "  service: {retries: {backoff: {kind: jittered, minMs: 5, maxMs: 4}}}\n",
			"f:4:56: routers[0].service.retries.backoff.minMs: is more than maxMs\n" },
		{ HTTP "  client: {failureAccrual: {kind: io.l5d.consecutiveFailures}}\n",
			"f:4:28: routers[0].client.failureAccrual: the key `failures` is missing\n" },
		{ HTTP "  client: {hostConnectionPool: {minSize: 3, maxSize: 2}}\n",
			"f:4:42: routers[0].client.hostConnectionPool.minSize: is more than maxSize\n" },
		{ HTTP "  client: {loadBalancer: {enableProbation: 1}}\n",
			"f:4:44: `enableProbation` is `1`, but must be true or false\n" },
		{ HTTP "  client: {kind: io.l5d.static}\n", "f:4:11: routers[0].client: the key `configs` is missing\n" },
		{ HTTP "  client: {kind: io.l5d.static, configs: [{}, {prefix: a}, {prefix: '/{x'}]}\n",
			"f:4:43: routers[0].client.configs[0]: the key `prefix` is missing\n"
			"f:4:56: routers[0].client.configs[1].prefix: a pattern begins with `/`\n"
			"f:4:69: routers[0].client.configs[2].prefix: `{` without `}`\n" },
	};
	EXPECT_ALL(table);
}

static void names_are_checked_where_they_are_written(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ HTTP "  dstPrefix: svc\n", "f:4:14: routers[0].dstPrefix: '/' expected but 's' found at '[s]vc'\n" },
		{ HTTP "  dtab: |\n    /a => /b;\n    /c => ! x;\n", "f:6:13: routers[0].dtab: end of input expected but 'x' found\n" },
		{ HTTP "  dtab: /a => /b/\n", "f:4:18: routers[0].dtab: label char expected but end of input found\n" },
	};
	EXPECT_ALL(table);
}

static void labels_and_addresses_must_differ(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ "routers:\n- {protocol: http, servers: [{}]}\n- {protocol: http, servers: [{port: 1}]}\n",
			"f:3:3: routers[1]: the label `http` is that of routers[0] (line 2) already\n" },
		{ "routers:\n- {protocol: http, label: a, servers: [{}]}\n- {protocol: http, label: a, servers: [{port: 1}]}\n",
			"f:3:27: routers[1].label: the label `a` is that of routers[0] (line 2) already\n" },
		{ "routers:\n- {protocol: http, label: a, servers: [{}]}\n- {protocol: http, label: b, servers: [{}]}\n",
			"f:3:40: routers[1].servers[0]: conflicts with another server: 127.0.0.1:4140 is listened on already (line 2)\n" },
		{ "routers:\n- protocol: http\n  servers:\n  - {port: 80}\n  - {port: 80, ip: 0.0.0.0}\n",
			"f:5:5: routers[0].servers[1]: conflicts with another server: 127.0.0.1:80 is listened on already (line 4)\n" },
		{ "routers: [{protocol: http, servers: [{port: 9990}]}]\n",
			"f:1:38: routers[0].servers[0]: conflicts with admin: 127.0.0.1:9990 is listened on already\n" },
		{ "admin: {httpIdentifierPort: 4140}\n" ROUTER,
			"f:2:38: routers[0].servers[0]: conflicts with admin.httpIdentifierPort: 127.0.0.1:4140 is listened on already "
			"(line 1)\n" },
		{ "admin: {httpIdentifierPort: 9990}\n" ROUTER,
			"f:1:29: admin.httpIdentifierPort: conflicts with admin: 127.0.0.1:9990 is listened on already (line 1)\n" },
		{ "admin: {port: 4140}\n" ROUTER,
			"f:2:38: routers[0].servers[0]: conflicts with admin: 127.0.0.1:4140 is listened on already (line 1)\n" },
	};
	EXPECT_ALL(table);
}

#define IDENTITY "identity: {directory: /run/id}\n"

static void mutual_tls_is_checked(void **state)
{
	(void)state;
	static const struct bad table[] = {
		{ "routers: [{protocol: http, servers: [{mutualTls: strict}]}]\n",
			"f:1:50: routers[0].servers[0].mutualTls: needs `identity` at the top of the file: who this process is\n" },
		{ IDENTITY "routers: [{protocol: http, servers: [{mutualTls: maybe}]}]\n",
			"f:2:50: `mutualTls` is `maybe`, but must be one of off, permissive, strict\n" },
		{ IDENTITY "routers: [{protocol: http, servers: [{}], client: {mutualTls: permissive}}]\n",
			"f:2:63: `mutualTls` is `permissive`, but must be one of off, strict\n" },
		{ IDENTITY "routers: [{protocol: http, servers: [{mutualTls: strict, tls: {certPath: a, keyPath: b}}]}]\n",
			"f:2:50: routers[0].servers[0].mutualTls: `mutualTls` and `tls` exclude each other: the identity says how "
			"connections are "
			"secured, or `tls` does\n" },
		{ IDENTITY "routers: [{protocol: http, servers: [{}], client: {tls: {commonName: a}, mutualTls: strict}}]\n",
			"f:2:85: routers[0].client.mutualTls: `mutualTls` and `tls` exclude each other: the identity says how connections "
			"are "
			"secured, or `tls` does\n" },
		{ IDENTITY "routers: [{protocol: http, servers: [{peerIds: ['spiffe://a/b']}]}]\n",
			"f:2:48: routers[0].servers[0].peerIds: needs `mutualTls: strict` or `mutualTls: permissive` beside it\n" },
		{ IDENTITY "routers: [{protocol: http, servers: [{mutualTls: strict, peerIds: []}]}]\n",
			"f:2:67: routers[0].servers[0].peerIds: is empty: then nobody could call\n" },
		{ IDENTITY
			"routers: [{protocol: http, servers: [{mutualTls: strict, peerIds: ['spiffe://a/{b}', 'spiffe://a/*', web]}]}]\n",
			"f:2:68: routers[0].servers[0].peerIds[0]: `spiffe://a/{b}` is no pattern of SPIFFE IDs: a path has only letters, "
			"digits, dots, dashes and underscores between its slashes\n"
			"f:2:102: routers[0].servers[0].peerIds[2]: `web` is no pattern of SPIFFE IDs: it does not begin with "
			"spiffe://\n" },
		{ IDENTITY HTTP "  client:\n    peerIds: ['spiffe://a/b']\n",
			"f:6:14: routers[0].client.peerIds: needs `mutualTls: strict` beside it\n" },
		{ IDENTITY HTTP "  client:\n    mutualTls: strict\n    peerIds: []\n",
			"f:7:14: routers[0].client.peerIds: is empty: then nobody could be an endpoint\n" },
		{ IDENTITY HTTP "  client:\n    mutualTls: strict\n    peerIds: [web, 'spiffe://a/**/b', 'spiffe://a/{c}']\n",
			"f:7:15: routers[0].client.peerIds[0]: `web` is no pattern of SPIFFE IDs: it does not begin with spiffe://\n"
			"f:7:20: routers[0].client.peerIds[1]: `spiffe://a/**/b` is no pattern of SPIFFE IDs: `**` may only be the last "
			"segment\n"
			"f:7:39: peerIds: {c} is no capture of the rule's prefix\n" },
		{ IDENTITY HTTP "  client:\n    kind: io.l5d.static\n    configs:\n    - prefix: /#/{a}\n      mutualTls: strict\n"
				"      peerIds: ['spiffe://d/{a}', 'spiffe://d/{b}']\n",
			"f:10:35: peerIds: {b} is no capture of the rule's prefix\n" },
		{ "identity: {}\n" ROUTER, "f:1:11: identity: needs `directory`, or `socket` and `id`\n" },
		{ "identity: {socket: /a}\n" ROUTER, "f:1:11: identity: `socket` and `id` need each other\n" },
		{ "identity: {directory: /b, id: 'spiffe://a/b'}\n" ROUTER, "f:1:11: identity: `socket` and `id` need each other\n" },
		{ "identity: {directory: /b, socket: /a, id: 'spiffe://a/b'}\n" ROUTER,
			"f:1:11: identity: `directory` and `socket` exclude each other\n" },
		{ "identity: {socket: /a, id: web}\n" ROUTER,
			"f:1:28: identity.id: `web` is no SPIFFE ID: it does not begin with spiffe://\n" },
		{ "routers: [{protocol: http, servers: [{clientCert: keep}]}]\n",
			"f:1:51: `clientCert` is `keep`, but must be one of sanitize, append, forward\n" },
	};
	EXPECT_ALL(table);
}

static void all_problems_are_told_at_once(void **state)
{
	(void)state;
	expect(&(struct bad){
		"admin:\n  port: x\n  tls: {}\nnamers:\n- kind: io.l5d.rancher\nrouters:\n- protocol: http\n  dtab: nonsense\n  servers:\n"
		"  - {prot: 1}\n  client:\n    tls: {}\n    loadBalancer: {kind: heap}\n",
		"f:2:9: `port` is `x`, but must be an integer from 0 to 65535\n"
		"f:3:8: admin.tls: the key `certPath` is missing\n"
		"f:3:8: admin.tls: the key `keyPath` is missing\n"
		"f:5:9: namers[0].kind: io.l5d.rancher is not yet supported by weft (known from Linkerd 1.x)\n"
		"f:8:9: routers[0].dtab: '/' expected but 'n' found\n"
		"f:10:6: routers[0].servers[0].prot: unknown key; did you mean `port`?\n"
		"f:12:10: routers[0].client.tls: needs commonName, what the servers' certificates are for (or disableValidation: true)\n"
		"f:13:26: routers[0].client.loadBalancer.kind: heap is not yet supported by weft (known from Linkerd 1.x)\n" });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kubeconfig_says_it_all),
		cmocka_unit_test(files_without_routers_are_refused),
		cmocka_unit_test(documents_are_checked_first),
		cmocka_unit_test(unknown_keys_are_refused_with_a_suggestion),
		cmocka_unit_test(documented_keys_are_refused_by_name),
		cmocka_unit_test(kinds_are_known_not_yet_or_unknown),
		cmocka_unit_test(joined_routers_are_others),
		cmocka_unit_test(formats_of_access_logs_are_checked),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(names_are_checked_where_they_are_written),
		cmocka_unit_test(labels_and_addresses_must_differ),
		cmocka_unit_test(mutual_tls_is_checked),
		cmocka_unit_test(all_problems_are_told_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The namers io.l5d.k8s and io.l5d.k8s.ns before an API server: what of its objects becomes endpoints, and how they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/text.h"
#include "client/resolver.h"
#include "discover/k8s.h"
#include "io/loop.h"
#include "io/sim/sim.h"
#include "support/scripted.h"

struct rig {
	struct scripted_world world;
	struct k8s_clusters *clusters;
	struct namer *namer;
	struct arena arena;
	struct scripted_call *slices, *services; /* watches that have begun */
	unsigned seen;                           /* calls looked at */
	struct text said;
};

struct asked {
	struct namer_watch *watch;
	unsigned changes;
};

static struct path path_of(struct rig *rig, const char *text)
{
	struct path path;
	struct slice why;

	assert_int_equal(path_parse(slice_of(text), &rig->arena, &path, &why), 0);
	return path;
}

static struct namer *make_kind(struct rig *rig, const char *namespace, const char *label, bool external)
{
	const struct k8s_options options = {
		.clusters = rig->clusters,
		.cluster = { .host = SLICE("10.0.0.1"), .port = 8001 },
		.prefix = path_of(rig, "/#/io.l5d.k8s"),
		.namespace = slice_of(namespace),
		.label = slice_of(label),
		.external = external,
	};
	struct namer *namer;

	assert_int_equal(k8s_new(&options, &namer, &rig->said), 0);
	return namer;
}

static struct namer *make(struct rig *rig, const char *namespace, const char *label)
{
	return make_kind(rig, namespace, label, false);
}

static struct rig *rig_new(const char *namespace, const char *label)
{
	struct rig *rig = memory_new(sizeof *rig);

	scripted_world_new(&rig->world, 17);
	arena_init(&rig->arena, NULL, 0);
	rig->clusters = k8s_clusters_new(rig->world.loop, rig->world.host, NULL, NULL);
	rig->namer = make(rig, namespace, label);
	return rig;
}

static void rig_free(struct rig *rig)
{
	namer_free(rig->namer);
	k8s_clusters_free(rig->clusters);
	scripted_world_free(&rig->world);
	arena_reset(&rig->arena);
	text_free(&rig->said);
	memory_free(rig);
}

static void changed(void *owner)
{
	((struct asked *)owner)->changes++;
}

static void look_up(struct rig *rig, struct asked *asked, const char *below)
{
	*asked = (struct asked){ 0 };
	asked->watch = namer_lookup(rig->namer, path_of(rig, below), changed, asked);
}

/* The answer as a text: "neg", "pending", "failed: WHY", or "ID[RESIDUAL]: ADDRESS@NODE ADDRESS". */
static void expect_answer(struct rig *rig, const struct asked *asked, const char *expected)
{
	const struct namer_answer *answer = namer_answer(asked->watch);
	struct arena arena;
	struct text text = { 0 };

	(void)rig;
	arena_init(&arena, NULL, 0);
	switch (answer->state) {
	case NAMER_PENDING:
		text_format(&text, "pending");
		break;
	case NAMER_NEG:
		text_format(&text, "neg");
		break;
	case NAMER_FAILED:
		text_format(&text, "failed: %.*s", SLICE_ARGS(answer->message));
		break;
	case NAMER_TREE:
		fail();
		break;
	case NAMER_LEAF:
		assert_int_equal(answer->endpoints->state, ENDPOINTS_BOUND);
		text_format(
			&text, "%.*s[%.*s]:", SLICE_ARGS(path_show(&arena, answer->id)), SLICE_ARGS(path_show(&arena, answer->residual)));
		for (uint32_t i = 0; i < answer->endpoints->count; i++) {
			const struct endpoint *endpoint = &answer->endpoints->list[i];
			struct slice node = endpoint_label(endpoint, SLICE("nodeName"));

			text_format(&text, " %.*s%s%.*s", SLICE_ARGS(endpoint->id), node.length ? "@" : "", SLICE_ARGS(node));
		}
	}
	assert_string_equal(text.bytes, expected);
	text_free(&text);
	arena_reset(&arena);
}

static bool not_asked(void *owner)
{
	struct rig *rig = owner;
	struct scripted_call *call = &rig->world.server.calls[rig->seen];

	return rig->world.server.count <= rig->seen || !call->heard.bytes || !strstr(call->heard.bytes, "\r\n\r\n");
}

static struct scripted_call *request(struct rig *rig)
{
	assert_true(sim_run_while(rig->world.sim, not_asked, rig, CLOCK_MINUTE));
	return &rig->world.server.calls[rig->seen++];
}

#define SLICES "/apis/discovery.k8s.io/v1/endpointslices?"
#define SERVICES "/api/v1/services?"
#define SLICE_OF(ns, name, service, type, ports, endpoints) \
	"{\"metadata\":{\"namespace\":\"" ns "\",\"name\":\"" name \
	"\",\"resourceVersion\":\"7\",\"labels\":{\"kubernetes.io/service-name\":\"" service \
	"\",\"version\":\"v1\"}},\"addressType\":\"" type "\",\"ports\":[" ports "],\"endpoints\":[" endpoints "]}"
#define HTTP "{\"name\":\"http\",\"port\":7777,\"protocol\":\"TCP\"}"
#define POD(ip, conditions, node) "{\"addresses\":[\"" ip "\"],\"conditions\":{" conditions "},\"nodeName\":\"" node "\"}"
#define SERVICE(ns, name, ports) \
	"{\"metadata\":{\"namespace\":\"" ns "\",\"name\":\"" name "\",\"resourceVersion\":\"8\"},\"spec\":{\"ports\":[" ports "]}}"
#define READY "\"ready\":true,\"serving\":true,\"terminating\":false"

static void answer_list(struct scripted_call *call, const char *items)
{
	struct text body = { 0 }, answer = { 0 };

	text_format(&body, "{\"metadata\":{\"resourceVersion\":\"1000\"},\"items\":[%s]}", items);
	text_format(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", body.length, body.bytes);
	scripted_send(call, answer.bytes);
	text_free(&body);
	text_free(&answer);
}

/* Answers lists with these items (NULL: that kind is not asked for), and begins the watches that follow. */
static void serve(struct rig *rig, const char *slices, const char *services)
{
	unsigned begun = 0, wanted = 1 + (services != NULL);

	while (begun < wanted) {
		struct scripted_call *call = request(rig);
		bool is_slices = strstr(call->heard.bytes, SLICES);

		assert_true(is_slices || (services && strstr(call->heard.bytes, SERVICES)));
		if (!strstr(call->heard.bytes, "?watch=1")) {
			answer_list(call, is_slices ? slices : services);
			continue;
		}
		scripted_send(call, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		*(is_slices ? &rig->slices : &rig->services) = call;
		begun++;
	}
	sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
}

static void tell(struct rig *rig, struct scripted_call *call, const char *type, const char *object)
{
	struct text event = { 0 }, chunk = { 0 };

	text_format(&event, "{\"type\":\"%s\",\"object\":%s}\n", type, object);
	text_format(&chunk, "%zx\r\n%s\r\n", event.length, event.bytes);
	scripted_send(call, chunk.bytes);
	sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
	text_free(&event);
	text_free(&chunk);
}

static void endpoints_of_a_named_port(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello, other, absent, elsewhere, too_short;

	(void)state;
	look_up(rig, &hello, "/Default/HTTP/Hello/Rest/x");
	look_up(rig, &other, "/default/admin/hello");
	look_up(rig, &absent, "/default/http/world");
	look_up(rig, &elsewhere, "/prod/http/hello");
	look_up(rig, &too_short, "/default/http");
	expect_answer(rig, &hello, "pending");
	expect_answer(rig, &too_short, "neg");
	serve(rig,
		SLICE_OF("default", "hello-1", "hello", "IPv4", HTTP ",{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}",
			POD("10.1.0.2", READY, "node2") "," POD("10.1.0.1", "", "node1") "," POD(
				"10.1.0.3", "\"ready\":false", "node1")) "," SLICE_OF("default", "hello-2", "hello", "IPv4",
			HTTP ",{\"name\":\"admin\",\"port\":9990}", "{\"addresses\":[\"10.1.0.4\"]}") "," SLICE_OF("default", "hello-3",
			"hello", "FQDN", HTTP, POD("example.org", READY, "node1")),
		NULL);
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/Rest/x]: 10.1.0.1:7777@node1 10.1.0.2:7777@node2 10.1.0.4:7777");
	expect_answer(rig, &other, "/#/io.l5d.k8s/default/admin/hello[/]: 10.1.0.4:9990");
	expect_answer(rig, &absent, "neg");
	expect_answer(rig, &elsewhere, "neg");
	assert_int_equal(hello.changes, 1);
	assert_int_equal(rig->world.server.count, 2); /* one list and one watch for all names */
	namer_cancel(hello.watch);
	namer_cancel(other.watch);
	namer_cancel(absent.watch);
	namer_cancel(elsewhere.watch);
	namer_cancel(too_short.watch);
	rig_free(rig);
}

#define ONE \
	"{\"addresses\":[\"10.1.0.1\"],\"nodeName\":\"node1\",\"zone\":\"a\",\"hints\":{" \
	"\"forZones\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"forNodes\":[{\"name\":\"node1\"}]}}"
#define TWO "{\"addresses\":[\"10.1.0.2\"],\"zone\":\"b\",\"hints\":{\"forZones\":7}}"
#define THREE "{\"addresses\":[\"10.1.0.3\"]}"

/* Beside the node: the zone, and whom Kubernetes hints an endpoint to serve. */
static void endpoints_have_labels(void **state)
{
	struct rig *rig = rig_new("", "");
	const struct namer_answer *answer;
	const struct endpoint *list;
	struct asked hello;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	serve(rig, SLICE_OF("default", "hello-1", "hello", "IPv4", HTTP, ONE "," TWO "," THREE), NULL);
	answer = namer_answer(hello.watch);
	assert_int_equal(answer->state, NAMER_LEAF);
	assert_int_equal(answer->endpoints->count, 3);
	list = answer->endpoints->list;
	assert_true(slice_equal(endpoint_label(&list[0], SLICE("nodeName")), SLICE("node1")));
	assert_true(slice_equal(endpoint_label(&list[0], SLICE("zone")), SLICE("a")));
	assert_true(slice_equal(endpoint_label(&list[0], SLICE("forZones")), SLICE("a,b")));
	assert_true(slice_equal(endpoint_label(&list[0], SLICE("forNodes")), SLICE("node1")));
	assert_int_equal(list[1].label_count, 1);
	assert_true(slice_equal(endpoint_label(&list[1], SLICE("zone")), SLICE("b")));
	assert_int_equal(list[2].label_count, 0);
	namer_cancel(hello.watch);
	rig_free(rig);
}

static void what_changes_is_told(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello, world;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	look_up(rig, &world, "/default/http/world");
	serve(rig, SLICE_OF("default", "hello-1", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "node1")), NULL);
	expect_answer(rig, &world, "neg");

	tell(rig, rig->slices, "ADDED", SLICE_OF("default", "world-1", "world", "IPv4", HTTP, POD("10.1.0.9", READY, "node1")));
	expect_answer(rig, &world, "/#/io.l5d.k8s/default/http/world[/]: 10.1.0.9:7777@node1");
	assert_int_equal(hello.changes, 1);

	tell(rig, rig->slices, "MODIFIED", SLICE_OF("default", "hello-1", "hello", "IPv4", HTTP, POD("10.1.0.2", READY, "node1")));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.2:7777@node1");
	assert_int_equal(hello.changes, 2);

	/* A change of nothing that matters. */
	tell(rig, rig->slices, "MODIFIED", SLICE_OF("default", "hello-1", "hello", "IPv4", HTTP, POD("10.1.0.2", "", "node1")));
	assert_int_equal(hello.changes, 2);

	/* No endpoint is ready any more: the name is bound, to none. */
	tell(rig, rig->slices, "MODIFIED",
		SLICE_OF("default", "hello-1", "hello", "IPv4", HTTP, POD("10.1.0.2", "\"ready\":false", "node1")));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]:");

	tell(rig, rig->slices, "DELETED", SLICE_OF("default", "hello-1", "hello", "IPv4", HTTP, ""));
	expect_answer(rig, &hello, "neg");
	assert_int_equal(hello.changes, 4);
	assert_int_equal(world.changes, 2);
	namer_cancel(hello.watch);
	namer_cancel(world.watch);
	rig_free(rig);
}

static void what_terminates_serves_only_when_nothing_else_does(void **state)
{
	static const char leaving[] = SLICE_OF(
		"default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", "\"ready\":false,\"serving\":true,\"terminating\":true", "node1"));
	struct rig *rig = rig_new("", "");
	struct asked hello;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	serve(rig, leaving, NULL);
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@node1");
	tell(rig, rig->slices, "ADDED", SLICE_OF("default", "b", "hello", "IPv4", HTTP, POD("10.1.0.2", READY, "node1")));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.2:7777@node1");
	namer_cancel(hello.watch);
	rig_free(rig);
}

static void of_both_families_ip4_is_used(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	serve(rig, SLICE_OF("default", "six", "hello", "IPv6", HTTP, POD("fd00::1", READY, "node1")), NULL);
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: [fd00::1]:7777@node1");
	tell(rig, rig->slices, "ADDED", SLICE_OF("default", "four", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "node1")));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@node1");
	namer_cancel(hello.watch);
	rig_free(rig);
}

static void numbers_are_the_services_ports(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello, plain, none, zero;

	(void)state;
	look_up(rig, &hello, "/default/80/hello");
	look_up(rig, &plain, "/default/81/plain");
	look_up(rig, &none, "/default/82/hello");
	look_up(rig, &zero, "/default/0/hello");
	serve(rig,
		SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "n")) "," SLICE_OF(
			"default", "b", "plain", "IPv4", "{\"name\":\"\",\"port\":8080}", POD("10.1.0.2", READY, "n")),
		SERVICE("default", "hello",
			"{\"name\":\"http\",\"port\":80,\"targetPort\":7777},{\"name\":\"dns\",\"port\":82,\"protocol\":\"UDP\"}") "," SERVICE("default",
			"plain", "{\"port\":81}"));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/80/hello[/]: 10.1.0.1:7777@n");
	expect_answer(rig, &plain, "/#/io.l5d.k8s/default/81/plain[/]: 10.1.0.2:8080@n");
	expect_answer(rig, &none, "neg");
	expect_answer(rig, &zero, "neg");
	tell(rig, rig->services, "MODIFIED", SERVICE("default", "hello", "{\"name\":\"http\",\"port\":82,\"targetPort\":7777}"));
	expect_answer(rig, &hello, "neg");
	expect_answer(rig, &none, "/#/io.l5d.k8s/default/82/hello[/]: 10.1.0.1:7777@n");
	namer_cancel(hello.watch);
	namer_cancel(plain.watch);
	namer_cancel(none.watch);
	namer_cancel(zero.watch);
	rig_free(rig);
}

static void a_label_chooses_slices(void **state)
{
	struct rig *rig = rig_new("default", "version");
	struct asked one, two, without;

	(void)state;
	look_up(rig, &one, "/http/hello/v1/rest");
	look_up(rig, &two, "/http/hello/v2");
	look_up(rig, &without, "/http/hello");
	serve(rig, SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "n")), NULL);
	assert_non_null(strstr(rig->slices->heard.bytes, "&labelSelector=version "));
	expect_answer(rig, &one, "/#/io.l5d.k8s/http/hello/v1[/rest]: 10.1.0.1:7777@n");
	expect_answer(rig, &two, "neg");
	expect_answer(rig, &without, "neg");
	namer_cancel(one.watch);
	namer_cancel(two.watch);
	namer_cancel(without.watch);
	rig_free(rig);
}

/* What was known goes on being told, also for names that nobody asked for before; what vanished meanwhile goes when it is listed. */
static void an_outage_changes_nothing(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello, world;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	serve(rig,
		SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "n")) "," SLICE_OF(
			"default", "b", "world", "IPv4", HTTP, POD("10.1.0.2", READY, "n")),
		NULL);
	sim_host_enter(rig->world.server_host);
	scripted_stop(&rig->world.server);
	sim_host_enter(rig->world.host);
	sim_run_for(rig->world.sim, 5 * CLOCK_MINUTE);
	look_up(rig, &world, "/default/http/world");
	expect_answer(rig, &world, "/#/io.l5d.k8s/default/http/world[/]: 10.1.0.2:7777@n");
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@n");
	assert_int_equal(hello.changes, 1);

	rig->seen = rig->world.server.count;
	sim_host_enter(rig->world.server_host);
	scripted_listen(&rig->world.server);
	sim_host_enter(rig->world.host);
	scripted_send(request(rig), "HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}");
	serve(rig, SLICE_OF("default", "b", "world", "IPv4", HTTP, POD("10.1.0.3", READY, "n")), NULL);
	expect_answer(rig, &hello, "neg");
	expect_answer(rig, &world, "/#/io.l5d.k8s/default/http/world[/]: 10.1.0.3:7777@n");
	namer_cancel(hello.watch);
	namer_cancel(world.watch);
	rig_free(rig);
}

#define UNREADY "\"ready\":false,\"serving\":false,\"terminating\":false"
#define GONE "\"ready\":false,\"serving\":false,\"terminating\":true"

static void interrupt_watch(struct rig *rig)
{
	sim_host_enter(rig->world.server_host);
	scripted_stop(&rig->world.server);
	sim_host_enter(rig->world.host);
	sim_run_for(rig->world.sim, CLOCK_MINUTE);
	rig->seen = rig->world.server.count;
	sim_host_enter(rig->world.server_host);
	scripted_listen(&rig->world.server);
	sim_host_enter(rig->world.host);
	rig->slices = request(rig);
	scripted_send(rig->slices, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/* Nodes that can't tell the API that they are alive are taken for dead, and their pods for unready, when it is back. */
static void what_an_outage_makes_unready_serves_for_a_while(void **state)
{
	static const char *const all = "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@n 10.1.0.2:7777@n 10.1.0.4:7777@n";
	struct rig *rig = rig_new("", "");
	struct asked hello;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	serve(rig,
		SLICE_OF("default", "a", "hello", "IPv4", HTTP,
			POD("10.1.0.1", READY, "n") "," POD("10.1.0.2", READY, "n") "," POD("10.1.0.3", UNREADY, "n") "," POD(
				"10.1.0.4", READY, "n")),
		NULL);
	expect_answer(rig, &hello, all);
	interrupt_watch(rig);
	tell(rig, rig->slices, "MODIFIED",
		SLICE_OF("default", "a", "hello", "IPv4", HTTP,
			POD("10.1.0.1", UNREADY, "n") "," POD("10.1.0.2", UNREADY, "n") "," POD("10.1.0.3", UNREADY, "n") "," POD(
				"10.1.0.4", READY, "n") "," POD("10.1.0.5", UNREADY, "n")));
	expect_answer(rig, &hello, all);
	assert_int_equal(hello.changes, 1);
	/* What terminates, or isn't listed any more, goes at once; one that is still unready stays. */
	sim_run_for(rig->world.sim, 110 * CLOCK_SECOND);
	tell(rig, rig->slices, "MODIFIED",
		SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", UNREADY, "n") "," POD("10.1.0.2", GONE, "n")));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@n");
	assert_int_equal(hello.changes, 2);
	sim_run_for(rig->world.sim, 11 * CLOCK_SECOND);
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]:");
	assert_int_equal(hello.changes, 3);
	/* Then all is believed again, also after the next outage: it wasn't ready before that one. */
	tell(rig, rig->slices, "MODIFIED", SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.2", READY, "n")));
	tell(rig, rig->slices, "MODIFIED", SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.2", UNREADY, "n")));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]:");
	interrupt_watch(rig);
	tell(rig, rig->slices, "MODIFIED",
		SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.2", UNREADY, "n") "," POD("10.1.0.6", UNREADY, "n")));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]:");
	namer_cancel(hello.watch);
	rig_free(rig);
}

static void before_the_first_list_names_fail_and_say_why(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	scripted_send(request(rig), "HTTP/1.1 403 Forbidden\r\nContent-Length: 20\r\n\r\n{\"message\":\"no way\"}");
	sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
	expect_answer(rig, &hello, "failed: Kubernetes' API, /apis/discovery.k8s.io/v1/endpointslices: it answers 403: no way");
	serve(rig, SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "n")), NULL);
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@n");
	namer_cancel(hello.watch);
	rig_free(rig);
}

/* A configuration's namer and that of its successor: the server is asked once. */
static void namers_of_one_server_share_what_is_known(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello, again;
	struct namer *before = rig->namer;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	serve(rig, SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "n")), NULL);
	rig->namer = make(rig, "", "");
	look_up(rig, &again, "/default/http/hello");
	expect_answer(rig, &again, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@n");
	namer_cancel(hello.watch);
	namer_free(before);
	tell(rig, rig->slices, "MODIFIED", SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.2", READY, "n")));
	expect_answer(rig, &again, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.2:7777@n");
	assert_int_equal(rig->world.server.count, 2);
	namer_cancel(again.watch);
	rig_free(rig);
}

static void odd_objects_are_ignored(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked hello;

	(void)state;
	look_up(rig, &hello, "/default/http/hello");
	serve(rig,
		"{},{\"metadata\":{\"name\":\"x\"}},{\"metadata\":[]},"
		"{\"metadata\":{\"namespace\":\"default\",\"name\":\"o\",\"labels\":{\"kubernetes.io/service-name\":\"hello\"}},"
		"\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"http\",\"port\":70000},{\"name\":\"http\",\"port\":null},7,{\"name\":"
		"\"http\",\"port\":7777}],"
		"\"endpoints\":[{},{\"addresses\":[]},{\"addresses\":[\"x\"]},{\"addresses\":[\"fd00::1\"]},7,{\"addresses\":[\"10.1.0.1\"]"
		"}]}," SLICE_OF("default", "n", "hello", "IPv4", "", "") ","
									 "{\"metadata\":{\"namespace\":\"default\",\"name\":\"p\","
									 "\"labels\":{\"kubernetes.io/service-name\":\"hello\"}},"
									 "\"addressType\":\"IPv4\",\"ports\":null,\"endpoints\":null}",
		NULL);
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777");
	namer_cancel(hello.watch);
	rig_free(rig);
}

/* As a process ends: the resolver goes while the connections are still being closed. */
static void a_host_by_name_is_let_go_at_once(void **state)
{
	struct rig *rig = rig_new("", "");
	struct k8s_options options = {
		.cluster = { .host = SLICE("api.example"), .port = 8001 },
		.prefix = path_of(rig, "/#/io.l5d.k8s"),
	};
	struct resolver *resolver;
	struct asked hello;

	(void)state;
	namer_free(rig->namer);
	k8s_clusters_free(rig->clusters);
	sim_file_put(rig->world.host, "/etc/hosts", SLICE("10.0.0.1 api.example\n"));
	assert_int_equal(resolver_new(rig->world.loop, rig->world.host, &(struct resolver_options){ 0 }, &resolver), 0);
	rig->clusters = options.clusters = k8s_clusters_new(rig->world.loop, rig->world.host, resolver, NULL);
	assert_int_equal(k8s_new(&options, &rig->namer, &rig->said), 0);
	look_up(rig, &hello, "/default/http/hello");
	serve(rig, SLICE_OF("default", "a", "hello", "IPv4", HTTP, POD("10.1.0.1", READY, "n")), NULL);
	assert_non_null(strstr(rig->slices->heard.bytes, "\r\nHost: "));
	expect_answer(rig, &hello, "/#/io.l5d.k8s/default/http/hello[/]: 10.1.0.1:7777@n");
	namer_cancel(hello.watch);
	namer_free(rig->namer);
	resolver_free(resolver);
	k8s_clusters_free(rig->clusters);
	rig->clusters = k8s_clusters_new(rig->world.loop, rig->world.host, NULL, NULL);
	rig->namer = make(rig, "", "");
	rig_free(rig);
}

#define BALANCED(name, value, ports, balancers) \
	"{\"metadata\":{\"namespace\":\"default\",\"name\":\"" name "\",\"resourceVersion\":\"8\",\"labels\":{\"zone\":\"" value \
	"\"}},\"spec\":{\"ports\":[" ports "]},\"status\":{\"loadBalancer\":{\"ingress\":[" balancers "]}}}"
#define WEB "{\"name\":\"web\",\"port\":80,\"targetPort\":7777},{\"name\":\"udp\",\"port\":53,\"protocol\":\"UDP\"}"

/* Answers the list of Services, and begins its watch. */
static void serve_services(struct rig *rig, const char *items)
{
	struct scripted_call *call = request(rig);

	assert_non_null(strstr(call->heard.bytes, SERVICES));
	answer_list(call, items);
	rig->services = request(rig);
	assert_non_null(strstr(rig->services->heard.bytes, SERVICES "watch=1"));
	scripted_send(rig->services, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
}

static void load_balancers_of_services(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked by_name, by_number, udp, none;

	(void)state;
	namer_free(rig->namer);
	rig->namer = make_kind(rig, "", "", true);
	look_up(rig, &by_name, "/default/web/hello/rest");
	look_up(rig, &by_number, "/default/80/hello");
	look_up(rig, &udp, "/default/53/hello");
	look_up(rig, &none, "/default/web/inside");
	expect_answer(rig, &by_name, "pending");
	serve_services(
		rig, BALANCED("hello", "a", WEB, "{\"ip\":\"192.0.2.7\"},{\"ip\":\"192.0.2.9\"}") "," BALANCED("inside", "a", WEB, ""));
	expect_answer(rig, &by_name, "/#/io.l5d.k8s/default/web/hello[/rest]: 192.0.2.7:80 192.0.2.9:80");
	expect_answer(rig, &by_number, "/#/io.l5d.k8s/default/80/hello[/]: 192.0.2.7:80 192.0.2.9:80");
	expect_answer(rig, &udp, "neg");
	expect_answer(rig, &none, "neg");
	tell(rig, rig->services, "MODIFIED", BALANCED("hello", "a", WEB, "{\"hostname\":\"\",\"ip\":\"2001:db8::1\"}"));
	expect_answer(rig, &by_name, "/#/io.l5d.k8s/default/web/hello[/rest]: [2001:db8::1]:80");
	assert_int_equal(by_name.changes, 2);
	/* A change of nothing that matters, then of its address: it has none any more. */
	tell(rig, rig->services, "MODIFIED", BALANCED("hello", "b", WEB, "{\"ip\":\"2001:db8::1\"}"));
	assert_int_equal(by_name.changes, 2);
	tell(rig, rig->services, "MODIFIED", BALANCED("hello", "a", WEB, ""));
	expect_answer(rig, &by_name, "neg");
	namer_cancel(by_name.watch);
	namer_cancel(by_number.watch);
	namer_cancel(udp.watch);
	namer_cancel(none.watch);
	rig_free(rig);
}

static void a_label_chooses_load_balancers(void **state)
{
	struct rig *rig = rig_new("", "");
	struct asked right, wrong;

	(void)state;
	namer_free(rig->namer);
	rig->namer = make_kind(rig, "default", "zone", true);
	look_up(rig, &right, "/web/hello/a");
	look_up(rig, &wrong, "/web/hello/b");
	serve_services(rig, BALANCED("hello", "a", WEB, "{\"ip\":\"192.0.2.7\"}"));
	expect_answer(rig, &right, "/#/io.l5d.k8s/web/hello/a[/]: 192.0.2.7:80");
	expect_answer(rig, &wrong, "neg");
	namer_cancel(right.watch);
	namer_cancel(wrong.watch);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_of_a_named_port),
		cmocka_unit_test(endpoints_have_labels),
		cmocka_unit_test(what_changes_is_told),
		cmocka_unit_test(what_terminates_serves_only_when_nothing_else_does),
		cmocka_unit_test(of_both_families_ip4_is_used),
		cmocka_unit_test(numbers_are_the_services_ports),
		cmocka_unit_test(a_label_chooses_slices),
		cmocka_unit_test(an_outage_changes_nothing),
		cmocka_unit_test(what_an_outage_makes_unready_serves_for_a_while),
		cmocka_unit_test(before_the_first_list_names_fail_and_say_why),
		cmocka_unit_test(namers_of_one_server_share_what_is_known),
		cmocka_unit_test(odd_objects_are_ignored),
		cmocka_unit_test(a_host_by_name_is_let_go_at_once),
		cmocka_unit_test(load_balancers_of_services),
		cmocka_unit_test(a_label_chooses_load_balancers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

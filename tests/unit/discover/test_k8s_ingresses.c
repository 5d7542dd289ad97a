/* SPDX-License-Identifier: Apache-2.0 */
/* Ingresses before an API server: which of them count, in both shapes, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "discover/k8s_ingresses.h"
#include "io/loop.h"
#include "io/sim/sim.h"
#include "support/scripted.h"

struct rig {
	struct scripted_world world;
	struct k8s_clusters *clusters;
	struct k8s_ingresses *ingresses;
	struct scripted_call *watch;
	unsigned seen, changes;
	struct text said;
};

static void changed(void *owner)
{
	((struct rig *)owner)->changes++;
}

static struct rig *rig_new(struct k8s_ingresses_options options)
{
	struct rig *rig = memory_new(sizeof *rig);

	scripted_world_new(&rig->world, 23);
	rig->clusters = k8s_clusters_new(rig->world.loop, rig->world.host, NULL, NULL);
	options.clusters = rig->clusters;
	options.cluster = (struct k8s_cluster_options){ .host = SLICE("10.0.0.1"), .port = 8001 };
	assert_int_equal(k8s_ingresses_new(&options, changed, rig, &rig->ingresses, &rig->said), 0);
	return rig;
}

static void rig_free(struct rig *rig)
{
	k8s_ingresses_free(rig->ingresses);
	k8s_clusters_free(rig->clusters);
	scripted_world_free(&rig->world);
	text_free(&rig->said);
	memory_free(rig);
}

static bool not_asked(void *owner)
{
	struct rig *rig = owner;
	struct scripted_call *call = &rig->world.server.calls[rig->seen];

	return rig->world.server.count <= rig->seen || !call->heard.bytes || !strstr(call->heard.bytes, "\r\n\r\n");
}

static struct scripted_call *request(struct rig *rig, const char *wanted)
{
	struct scripted_call *call;

	assert_true(sim_run_while(rig->world.sim, not_asked, rig, CLOCK_MINUTE));
	call = &rig->world.server.calls[rig->seen++];
	assert_non_null(strstr(call->heard.bytes, wanted));
	return call;
}

static void answer(struct scripted_call *call, unsigned status, const char *body)
{
	struct text text = { 0 };

	text_format(&text, "HTTP/1.1 %u X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	scripted_send(call, text.bytes);
	text_free(&text);
}

#define V1 "/apis/networking.k8s.io/v1/ingresses?"
#define V1BETA1 "/apis/extensions/v1beta1/ingresses?"
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"100\"},\"items\":[" items "]}"
#define META(ns, name, more) "\"metadata\":{\"namespace\":\"" ns "\",\"name\":\"" name "\",\"resourceVersion\":\"7\"" more "}"
#define CLASS(name) ",\"annotations\":{\"kubernetes.io/ingress.class\":\"" name "\"}"
#define TO(name) "\"backend\":{\"service\":{\"name\":\"" name "\",\"port\":{\"number\":80}}}"
#define RULE(host, path, type, name) \
	"{\"host\":\"" host "\",\"http\":{\"paths\":[{\"path\":\"" path "\",\"pathType\":\"" type "\"," TO(name) "}]}}"

static void serve(struct rig *rig, const char *path, const char *list)
{
	answer(request(rig, path), 200, list);
	rig->watch = request(rig, path);
	assert_non_null(strstr(rig->watch->heard.bytes, "watch=1"));
	scripted_send(rig->watch, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
}

static void tell(struct rig *rig, const char *event)
{
	struct text chunk = { 0 };

	text_format(&chunk, "%zx\r\n%s\n\r\n", strlen(event) + 1, event);
	scripted_send(rig->watch, chunk.bytes);
	sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
	text_free(&chunk);
}

/* "NAMESPACE/PORT/SERVICE", or "nothing". */
static void expect(const struct rig *rig, const char *host, const char *target, const char *expected)
{
	const struct ingress_backend *to = ingress_find(k8s_ingresses_rules(rig->ingresses), slice_of(host), slice_of(target));
	struct text text = { 0 };

	if (to)
		text_format(&text, "%.*s/%.*s/%.*s", SLICE_ARGS(to->namespace), SLICE_ARGS(to->port), SLICE_ARGS(to->service));
	else
		text_format(&text, "nothing");
	assert_string_equal(text.bytes, expected);
	text_free(&text);
}

static void rules_of_the_objects_that_count(void **state)
{
	struct rig *rig = rig_new((struct k8s_ingresses_options){ .class = SLICE("linkerd") });

	(void)state;
	assert_null(k8s_ingresses_rules(rig->ingresses));
	serve(rig, V1,
		LIST("{" META("z", "last", CLASS("linkerd")) ",\"spec\":{\"rules\":[" RULE("a", "/.*", "ImplementationSpecific",
			"last") "]}},{" META("b", "first", "") ",\"spec\":{\"rules\":[" RULE("a", "/x.*", "ImplementationSpecific",
			"first") "," RULE("a", "/p", "Prefix", "prefix") ",{\"host\":\"no.paths\"}]}},{" META("b", "other",
			CLASS("nginx")) ",\"spec\":{\"defaultBackend\":{\"service\":"
					"{\"name\":\"never\",\"port\":{\"name\":\"http\"}}}}},{" META(
						"c", "odd", "") ",\"spec\":{\"rules\":[" RULE("odd", "/(", "ImplementationSpecific",
						"odd") "],\"defaultBackend\":{\"service\":{\"name\":\"usual\",\"port\":{\"name\":\"http\"}}"
						       "}}}"));
	assert_int_equal(rig->changes, 1);
	expect(rig, "a", "/xyz", "b/80/first"); /* in the order of namespaces and names */
	expect(rig, "a", "/y", "z/80/last");
	expect(rig, "a", "/p/q", "b/80/prefix");
	expect(rig, "odd", "/(", "c/http/usual");
	expect(rig, "no.paths", "/", "c/http/usual");
	tell(rig, "{\"type\":\"DELETED\",\"object\":{" META("c", "odd", "") "}}");
	assert_int_equal(rig->changes, 2);
	expect(rig, "odd", "/(", "nothing");
	rig_free(rig);
}

static void one_namespace_without_defaults(void **state)
{
	struct rig *rig = rig_new((struct k8s_ingresses_options){ .class = SLICE("x"), .namespace = SLICE("b"), .without_defaults = true });

	(void)state;
	serve(rig, V1,
		LIST("{" META(
			"b", "i", CLASS("not this")) ",\"spec\":{\"ingressClassName\":\"x\",\"defaultBackend\":{\"service\":{\"name\":"
						     "\"usual\",\"port\":{\"name\":\"http\"}}},\"rules\":[" RULE(
							     "a", "/", "Exact", "here") "]}},{" META("c", "i",
							     "") ",\"spec\":{\"rules\":[" RULE("a", "/c", "Exact", "there") "]}}"));
	expect(rig, "a", "/", "b/80/here");
	expect(rig, "a", "/c", "nothing");
	rig_free(rig);
}

static void the_older_shape_of_an_older_server(void **state)
{
	struct rig *rig = rig_new((struct k8s_ingresses_options){ .class = SLICE("linkerd") });

	(void)state;
	answer(request(rig, V1), 404, "{\"code\":404,\"message\":\"the server could not find the requested resource\"}");
	serve(rig, V1BETA1,
		LIST("{" META("b", "i",
			"") ",\"spec\":{\"backend\":{\"serviceName\":\"usual\",\"servicePort\":8080},\"rules\":[{\"http\":{"
			    "\"paths\":[{\"path\":\"/v[0-9]\",\"backend\":{\"serviceName\":\"web\",\"servicePort\":\"http\"}}]}}]}}"));
	expect(rig, "any", "/v1", "b/http/web");
	expect(rig, "any", "/v10", "b/8080/usual");
	rig_free(rig);
}

static void a_failure_is_told_until_it_is_known(void **state)
{
	struct rig *rig = rig_new((struct k8s_ingresses_options){ .class = SLICE("linkerd") });
	struct slice why;

	(void)state;
	answer(request(rig, V1), 403, "{\"code\":403,\"message\":\"ingresses are forbidden\"}");
	sim_run_for(rig->world.sim, CLOCK_SECOND / 100);
	why = ingress_failure(k8s_ingresses_rules(rig->ingresses));
	assert_true(slice_ends(why, SLICE("it answers 403: ingresses are forbidden")));
	serve(rig, V1, LIST("{" META("b", "i", "") ",\"spec\":{\"rules\":[" RULE("a", "/", "Exact", "here") "]}}"));
	expect(rig, "a", "/", "b/80/here");
	scripted_stop(&rig->world.server);
	sim_run_for(rig->world.sim, CLOCK_MINUTE);
	expect(rig, "a", "/", "b/80/here");
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_the_objects_that_count),
		cmocka_unit_test(one_namespace_without_defaults),
		cmocka_unit_test(the_older_shape_of_an_older_server),
		cmocka_unit_test(a_failure_is_told_until_it_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

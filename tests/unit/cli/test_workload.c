/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cluster/lists.h"
#include "cli/cluster/workload.h"
#include "doc/document.h"

#define OWNED(owners, labels) "{\"metadata\":{\"name\":\"p\",\"labels\":{" labels "},\"ownerReferences\":[" owners "]}}"
#define OWNER(kind, name, controller) "{\"kind\":\"" kind "\",\"name\":\"" name "\",\"controller\":" controller "}"
#define HASH(hash) "\"pod-template-hash\":\"" hash "\""

static struct document *parse(const char *json)
{
	struct document *document;
	struct problems problems;

	problem_init(&problems);
	assert_int_equal(0, document_parse(slice_of(json), SLICE("test"), NULL, &problems, &document));
	problem_fini(&problems);
	return document;
}

static void expect(const char *expected, const char *pod)
{
	struct document *document = parse(pod);
	struct text out = { 0 };

	workload_of(document_root(document), &out);
	assert_string_equal(expected, out.bytes);
	text_free(&out);
	document_free(document);
}

static void controllers(void **state)
{
	(void)state;
	expect("deploy/web", OWNED(OWNER("ReplicaSet", "web-5d4f", "true"), HASH("5d4f")));
	expect("deploy/web-5d4f", OWNED(OWNER("ReplicaSet", "web-5d4f-77", "true"), HASH("77")));
	expect("sts/db", OWNED(OWNER("StatefulSet", "db", "true"), "\"x\":\"y\""));
	expect("ds/l5d", OWNED(OWNER("DaemonSet", "l5d", "true"), ""));
	expect("job/report-29", OWNED(OWNER("Job", "report-29", "true"), ""));
	expect("rc/old", OWNED(OWNER("ReplicationController", "old", "true"), ""));
	expect("rollout/web", OWNED(OWNER("Rollout", "web", "true"), ""));
	expect("sts/db", OWNED(OWNER("Lease", "a", "false") "," OWNER("StatefulSet", "db", "true"), ""));
}

static void without_a_deployment(void **state)
{
	(void)state;
	expect("rs/by-hand", OWNED(OWNER("ReplicaSet", "by-hand", "true"), ""));
	expect("rs/web-5d4f", OWNED(OWNER("ReplicaSet", "web-5d4f", "true"), HASH("other")));
	expect("rs/5d4f", OWNED(OWNER("ReplicaSet", "5d4f", "true"), HASH("5d4f")));
	expect("rs/-5d4f", OWNED(OWNER("ReplicaSet", "-5d4f", "true"), HASH("5d4f")));
}

static void alone(void **state)
{
	(void)state;
	expect("pod/p", OWNED("", ""));
	expect("pod/p", OWNED(OWNER("Lease", "a", "false"), HASH("5d4f")));
	expect("pod/p", OWNED(OWNER("Node", "node1", "true"), ""));
}

static void lists_in_chunks(void **state)
{
	struct document *document = parse("{\"metadata\":{\"continue\":\"a+b/c=\"},\"items\":[]}"), *last = parse("{\"metadata\":{}}");
	struct text next = { 0 }, target = { 0 };

	(void)state;
	list_chunk(SLICE("/api/v1/pods"), SLICE(""), &target);
	assert_string_equal("/api/v1/pods?limit=500", target.bytes);
	text_clear(&target);
	list_next(document_root(document), &next);
	list_chunk(SLICE("/api/v1/pods?x=y"), text_slice(&next), &target);
	assert_string_equal("/api/v1/pods?x=y&limit=500&continue=a%2Bb%2Fc%3D", target.bytes);
	text_clear(&next);
	list_next(document_root(last), &next);
	assert_int_equal(0, next.length);
	text_free(&next);
	text_free(&target);
	document_free(document);
	document_free(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controllers),
		cmocka_unit_test(without_a_deployment),
		cmocka_unit_test(alone),
		cmocka_unit_test(lists_in_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_reflector before an API server that answers as a real one does, and as one does that is going down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "discover/k8s_api.h"
#include "discover/k8s_reflector.h"
#include "doc/document.h"
#include "io/loop.h"
#include "io/sim/sim.h"
#include "support/scripted.h"

#define SLICES "/apis/discovery.k8s.io/v1/endpointslices"

struct rig {
	struct scripted_world world;
	struct k8s_api *api;
	struct k8s_reflector *reflector;
	struct text told; /* "listing +a@1 -b listed " */
	struct text why;
	unsigned answered; /* calls that the test has looked at */
};

static void listing(void *owner)
{
	text_append(&((struct rig *)owner)->told, SLICE("listing "));
}

static void object(void *owner, const struct document_node *node, bool gone)
{
	struct rig *rig = owner;
	const struct document_node *metadata = document_get(node, "metadata");
	struct slice name = SLICE("?"), version = SLICE("?");

	document_read_text(document_get(metadata, "name"), &name, NULL);
	document_read_text(document_get(metadata, "resourceVersion"), &version, NULL);
	text_format(&rig->told, "%c%.*s@%.*s ", gone ? '-' : '+', SLICE_ARGS(name), SLICE_ARGS(version));
}

static void listed(void *owner)
{
	text_append(&((struct rig *)owner)->told, SLICE("listed "));
}

static void failed(void *owner, struct slice why)
{
	struct rig *rig = owner;

	text_append(&rig->told, SLICE("failed "));
	text_clear(&rig->why);
	text_append(&rig->why, why);
}

static const struct k8s_reflector_events events = { .listing = listing, .object = object, .listed = listed, .failed = failed };

static struct rig *rig_of(const char *older, const char *selector)
{
	struct rig *rig = memory_new(sizeof *rig);
	struct k8s_api_options options = { .host = SLICE("10.0.0.1"), .port = 8001, .token_file = SLICE("/run/token") };

	scripted_world_new(&rig->world, 11);
	sim_file_put(rig->world.host, "/run/token", SLICE("first\n"));
	options.loop = rig->world.loop;
	options.network = rig->world.host;
	assert_int_equal(k8s_api_new(&options, &rig->api, &rig->why), 0);
	rig->reflector = k8s_reflector_new(rig->api,
		&(struct k8s_collection){ .path = SLICE(SLICES), .older = slice_of(older), .labels = slice_of(selector) }, &events, rig);
	return rig;
}

static struct rig *rig_new(const char *selector)
{
	return rig_of("", selector);
}

static void rig_free(struct rig *rig)
{
	k8s_reflector_free(rig->reflector);
	k8s_api_unref(rig->api);
	scripted_world_free(&rig->world);
	text_free(&rig->told);
	text_free(&rig->why);
	memory_free(rig);
}

static bool not_asked(void *owner)
{
	struct rig *rig = owner;
	struct scripted_call *call = &rig->world.server.calls[rig->answered];

	return rig->world.server.count <= rig->answered || !call->heard.bytes || !strstr(call->heard.bytes, "\r\n\r\n");
}

/* The next request, which must be made within `within`, and begin so. */
static struct scripted_call *asked_within(struct rig *rig, const char *start, int64_t within)
{
	struct scripted_call *call;

	assert_true(sim_run_while(rig->world.sim, not_asked, rig, within));
	call = &rig->world.server.calls[rig->answered++];
	if (!slice_starts(text_slice(&call->heard), slice_of(start)))
		fail_msg("asked `%s` instead of `%s`", call->heard.bytes, start);
	return call;
}

static struct scripted_call *asked(struct rig *rig, const char *start)
{
	return asked_within(rig, start, 60 * CLOCK_SECOND);
}

static void answer(struct scripted_call *call, unsigned status, const char *body)
{
	struct text text = { 0 };

	text_format(&text, "HTTP/1.1 %u X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	scripted_send(call, text.bytes);
	text_free(&text);
}

static void begin_watch(struct scripted_call *call)
{
	scripted_send(call, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void tell(struct scripted_call *call, const char *event)
{
	struct text text = { 0 };

	text_format(&text, "%zx\r\n%s\n\r\n", strlen(event) + 1, event);
	scripted_send(call, text.bytes);
	text_free(&text);
}

static void expect_told(struct rig *rig, const char *told)
{
	sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
	assert_string_equal(rig->told.bytes ? rig->told.bytes : "", told);
	text_clear(&rig->told);
}

#define LIST_OF_TWO \
	"{\"kind\":\"EndpointSliceList\",\"metadata\":{\"resourceVersion\":\"100\"},\"items\":[" \
	"{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}},{\"metadata\":{\"name\":\"b\",\"resourceVersion\":\"7\"}}]}"
#define WATCH "GET " SLICES "?watch=1&allowWatchBookmarks=true&timeoutSeconds="
#define LIST "GET " SLICES "?limit=500 HTTP/1.1\r\n"

static void expect_version(const struct scripted_call *call, const char *version)
{
	struct text wanted = { 0 };

	text_format(&wanted, "&resourceVersion=%s HTTP/1.1\r\n", version);
	assert_non_null(strstr(call->heard.bytes, wanted.bytes));
	text_free(&wanted);
}

/* Through the list, to a watch that has begun. */
static struct scripted_call *watched(struct rig *rig)
{
	struct scripted_call *call;

	answer(asked(rig, LIST), 200, LIST_OF_TWO);
	call = asked(rig, WATCH);
	expect_version(call, "100");
	begin_watch(call);
	expect_told(rig, "listing +a@5 +b@7 listed ");
	return call;
}

static void lists_then_watches(void **state)
{
	struct rig *rig = rig_new("");
	struct scripted_call *call;

	(void)state;
	call = watched(rig);
	assert_non_null(strstr(call->heard.bytes, "\r\nAuthorization: Bearer first\r\n"));
	assert_non_null(strstr(call->heard.bytes, "\r\nHost: 10.0.0.1:8001\r\n"));
	tell(call, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",\"resourceVersion\":\"101\"}}}");
	tell(call, "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"102\"}}}");
	tell(call, "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"b\",\"resourceVersion\":\"103\"}}}");
	expect_told(rig, "+c@101 +a@102 -b@103 ");
	assert_int_equal(counter_read(&k8s_reflector_counts(rig->reflector)->events), 3);
	rig_free(rig);
}

static void long_lists_come_in_chunks(void **state)
{
	struct rig *rig = rig_new("app in (a,b)");

	(void)state;
	answer(asked(rig, "GET " SLICES "?limit=500&labelSelector=app%20in%20%28a%2Cb%29 HTTP/1.1\r\n"), 200,
		"{\"metadata\":{\"resourceVersion\":\"100\",\"continue\":\"x/y=\",\"remainingItemCount\":1},"
		"\"items\":[{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}]}");
	answer(asked(rig, "GET " SLICES "?limit=500&labelSelector=app%20in%20%28a%2Cb%29&continue=x%2Fy%3D HTTP/1.1\r\n"), 200,
		"{\"metadata\":{\"resourceVersion\":\"100\"},\"items\":[{\"metadata\":{\"name\":\"b\",\"resourceVersion\":\"7\"}}]}");
	expect_version(asked(rig, WATCH), "100&labelSelector=app%20in%20%28a%2Cb%29");
	expect_told(rig, "listing +a@5 +b@7 listed ");
	rig_free(rig);
}

/* The server forgets a list's snapshot after some minutes: 410 for the next chunk. */
static void a_list_that_breaks_off_begins_anew(void **state)
{
	static const char chunk[] = "{\"metadata\":{\"resourceVersion\":\"100\",\"continue\":\"x\"},"
				    "\"items\":[{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}}]}";
	struct rig *rig = rig_new("");

	(void)state;
	answer(asked(rig, LIST), 200, chunk);
	answer(asked(rig, "GET " SLICES "?limit=500&continue=x HTTP/1.1\r\n"), 410,
		"{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}");
	answer(asked(rig, LIST), 200, chunk);
	expect_told(rig, "listing +a@5 failed listing +a@5 ");
	scripted_reset(asked(rig, "GET " SLICES "?limit=500&continue=x HTTP/1.1\r\n"));
	expect_told(rig, "failed ");
	watched(rig);
	rig_free(rig);
}

#define UNKNOWN "{\"kind\":\"Status\",\"code\":404,\"message\":\"the server could not find the requested resource\"}"

static void an_older_server_has_it_elsewhere(void **state)
{
	struct rig *rig = rig_of("/apis/old/slices", "");
	struct scripted_call *call;

	(void)state;
	answer(asked(rig, LIST), 404, UNKNOWN);
	answer(asked(rig, "GET /apis/old/slices?limit=500 HTTP/1.1\r\n"), 200, LIST_OF_TWO);
	call = asked(rig, "GET /apis/old/slices?watch=1&");
	expect_version(call, "100");
	begin_watch(call);
	expect_told(rig, "listing listing +a@5 +b@7 listed ");
	/* It is replaced by a newer one, which has it where it was looked for first. */
	scripted_send(call, "0\r\n\r\n");
	answer(asked(rig, "GET /apis/old/slices?watch=1&"), 404, UNKNOWN);
	watched(rig);
	rig_free(rig);
}

static void a_server_that_has_it_nowhere_is_asked_again(void **state)
{
	struct rig *rig = rig_of("/apis/old/slices", "");

	(void)state;
	answer(asked(rig, LIST), 404, UNKNOWN);
	answer(asked(rig, "GET /apis/old/slices?limit=500 HTTP/1.1\r\n"), 404, UNKNOWN);
	expect_told(rig, "listing listing failed ");
	assert_int_equal(counter_read(&k8s_reflector_counts(rig->reflector)->failures), 1);
	answer(asked(rig, "GET /apis/old/slices?limit=500 HTTP/1.1\r\n"), 404, UNKNOWN);
	answer(asked(rig, LIST), 200, LIST_OF_TWO);
	asked(rig, WATCH);
	expect_told(rig, "listing listing +a@5 +b@7 listed ");
	rig_free(rig);
}

static void a_watch_goes_on_where_it_ended(void **state)
{
	struct rig *rig = rig_new("");
	struct scripted_call *call;

	(void)state;
	call = watched(rig);
	tell(call, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\",\"resourceVersion\":\"101\"}}}");
	tell(call, "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"EndpointSlice\",\"metadata\":{\"resourceVersion\":\"140\"}}}");
	scripted_send(call, "0\r\n\r\n"); /* its time is over */
	call = asked(rig, WATCH);
	expect_version(call, "140");
	begin_watch(call);
	tell(call, "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"c\",\"resourceVersion\":\"141\"}}}");
	expect_told(rig, "+c@101 +c@141 ");
	scripted_reset(call);
	expect_version(asked(rig, WATCH), "141");
	expect_told(rig, "failed ");
	rig_free(rig);
}

static void a_version_that_is_too_old_is_listed_anew(void **state)
{
	struct rig *rig = rig_new("");

	(void)state;
	tell(watched(rig),
		"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old resource "
		"version\"}}");
	watched(rig);
	assert_int_equal(counter_read(&k8s_reflector_counts(rig->reflector)->expired), 1);

	/* Some servers say so by the status of the answer. */
	scripted_reset(&rig->world.server.calls[rig->answered - 1]);
	answer(asked(rig, WATCH), 410, "{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}");
	expect_told(rig, "failed failed ");
	watched(rig);
	rig_free(rig);
}

/* Nothing is told as gone, it is asked seldom, and when the server is back the watch goes on. */
static void an_outage_takes_nothing_away(void **state)
{
	struct rig *rig = rig_new("");
	uint64_t failures;

	(void)state;
	watched(rig);
	sim_host_enter(rig->world.server_host);
	scripted_stop(&rig->world.server);
	sim_host_enter(rig->world.host);
	sim_run_for(rig->world.sim, 10 * CLOCK_MINUTE);
	failures = counter_read(&k8s_reflector_counts(rig->reflector)->failures);
	assert_in_range(failures, 20, 60);
	assert_null(strchr(rig->told.bytes, '-'));
	assert_null(strchr(rig->told.bytes, '+'));
	assert_null(strstr(rig->told.bytes, "list"));
	text_clear(&rig->told);
	sim_host_enter(rig->world.server_host);
	scripted_listen(&rig->world.server);
	sim_host_enter(rig->world.host);
	expect_version(asked_within(rig, WATCH, 31 * CLOCK_SECOND), "100");
	expect_told(rig, "");
	rig_free(rig);
}

static void a_watch_that_is_silent_is_dead(void **state)
{
	struct rig *rig = rig_new("");

	(void)state;
	watched(rig);
	sim_run_for(rig->world.sim, 140 * CLOCK_SECOND);
	assert_int_equal(rig->world.server.count, rig->answered);
	expect_version(asked_within(rig, WATCH, 20 * CLOCK_SECOND), "100");
	rig_free(rig);
}

static void who_may_not_is_told_why_and_asks_again(void **state)
{
	struct rig *rig = rig_new("");

	(void)state;
	answer(asked(rig, LIST), 403,
		"{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"endpointslices is forbidden: User \\\"x\\\"\",\"code\":403}");
	expect_told(rig, "listing failed ");
	assert_string_equal(rig->why.bytes, "Kubernetes' API, " SLICES ": it answers 403: endpointslices is forbidden: User \"x\"");
	sim_file_put(rig->world.host, "/run/token", SLICE("second"));
	assert_non_null(strstr(asked(rig, LIST)->heard.bytes, "\r\nAuthorization: Bearer second\r\n"));
	answer(&rig->world.server.calls[rig->answered - 1], 503, "no JSON");
	expect_told(rig, "listing failed ");
	assert_string_equal(rig->why.bytes, "Kubernetes' API, " SLICES ": it answers 503");
	watched(rig);
	rig_free(rig);
}

static void answers_that_are_none_are_asked_for_again(void **state)
{
	static const char *const wrong[] = {
		"",
		"nonsense",
		"{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}", /* no version */
		"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{]}]}",
		"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[1]}",
		"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[",
	};
	static const char *const wrong_events[] = {
		"nonsense",
		"{\"type\":\"ADDED\"}",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"c\"}}}",
		"{\"object\":{\"metadata\":{\"resourceVersion\":\"1\"}}}",
		"{\"type\":\"ERROR\",\"object\":{\"code\":500,\"message\":\"etcd is gone\"}}",
	};
	struct rig *rig = rig_new("");
	struct scripted_call *call;

	(void)state;
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		answer(asked(rig, LIST), 200, wrong[i]);
		sim_run_for(rig->world.sim, CLOCK_SECOND / 10);
		assert_non_null(strstr(rig->told.bytes, "failed"));
		assert_null(strstr(rig->told.bytes, "listed"));
		text_clear(&rig->told);
	}
	for (unsigned i = 0; i < sizeof wrong_events / sizeof *wrong_events; i++) {
		call = watched(rig);
		tell(call, wrong_events[i]);
		expect_told(rig, "failed ");
	}
	assert_non_null(strstr(rig->why.bytes, "the watch ended: etcd is gone"));
	watched(rig);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_then_watches),
		cmocka_unit_test(long_lists_come_in_chunks),
		cmocka_unit_test(a_list_that_breaks_off_begins_anew),
		cmocka_unit_test(an_older_server_has_it_elsewhere),
		cmocka_unit_test(a_server_that_has_it_nowhere_is_asked_again),
		cmocka_unit_test(a_watch_goes_on_where_it_ended),
		cmocka_unit_test(a_version_that_is_too_old_is_listed_anew),
		cmocka_unit_test(an_outage_takes_nothing_away),
		cmocka_unit_test(a_watch_that_is_silent_is_dead),
		cmocka_unit_test(who_may_not_is_told_why_and_asks_again),
		cmocka_unit_test(answers_that_are_none_are_asked_for_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

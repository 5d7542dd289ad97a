/* SPDX-License-Identifier: Apache-2.0 */
#include "collecting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/resolver.h"

const struct span collecting_span = { .trace = 1, .id = 2, .method = "GET", .router = "out", .rpc_status = SPAN_NO_GRPC };

void collecting_new(struct collecting *collecting)
{
	struct exporter_options *options = &collecting->options;

	*collecting = (struct collecting){ 0 };
	scripted_world_new(&collecting->world, 7);
	options->network = collecting->world.host;
	options->loop = collecting->world.loop;
	assert_int_equal(0, resolver_new(options->loop, options->network, &(struct resolver_options){ 0 }, &options->resolver));
	options->metrics = metrics_new(1);
	options->worker_count = 1;
	collecting->snapshot = snapshot_new();
	collecting->snapshot->telemetry.collectors[COLLECTOR_OTLP] =
		(struct collector_policy){ .on = true, .host = SLICE("10.0.0.1"), .port = 8001, .authority = SLICE("collector") };
}

void collecting_free(struct collecting *collecting)
{
	resolver_free(collecting->options.resolver);
	metrics_free(collecting->options.metrics);
	snapshot_unref(collecting->snapshot);
	scripted_world_free(&collecting->world);
}

unsigned collecting_posts(const struct collecting *collecting, unsigned call)
{
	struct slice heard = text_slice(&collecting->world.server.calls[call].heard);
	static const char line[] = "POST /v1/traces HTTP/1.1\r\n";
	unsigned count = 0;

	for (const char *at; (at = memmem(heard.at, heard.length, line, sizeof line - 1)); count++)
		heard = slice_from(heard, (size_t)(at - heard.at) + 1);
	return count;
}

struct sought {
	const char *name;
	int value;
};

static void visit(void *owner, const struct sample *sample)
{
	struct sought *sought = owner;

	if (slice_equal(sample->name, slice_of(sought->name)))
		sought->value = (int)sample->value;
}

int collecting_metric(const struct collecting *collecting, const char *name)
{
	struct sought sought = { name, -1 };

	metrics_read(collecting->options.metrics, visit, &sought);
	return sought.value;
}

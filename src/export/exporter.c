/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter.h"

#include "base/memory.h"
#include "export/collector.h"
#include "observe/ring.h"
#include "proxy/proxy.h"

#define LOOK (50 * CLOCK_MS) /* a worker's ring holds some thousands of spans */
#define HURRIED_LOOK (2 * CLOCK_MS)

struct exporter {
	struct exporter_options options;
	struct collector *collectors[COLLECTOR_KINDS];
	uint64_t *seen; /* per worker: of its ring */
	struct timer look;
	int64_t flush_end;
	void (*flushed)(void *owner); /* NULL: nobody asked */
	void *flush_owner;
};

static bool is_on(const struct exporter *exporter)
{
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		if (collector_is_on(exporter->collectors[i]))
			return true;
	return false;
}

static void hand_out(void *owner, const void *entry)
{
	struct exporter *exporter = owner;

	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		if (collector_is_on(exporter->collectors[i]))
			collector_add(exporter->collectors[i], entry);
}

static void gather(struct exporter *exporter)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < exporter->options.worker_count; i++) {
		const struct ring *ring = proxy_spans(exporter->options.proxy, i);

		if (ring)
			exporter->seen[i] = ring_read_since(ring, exporter->seen[i], &lost, hand_out, exporter);
	}
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		if (lost && collector_is_on(exporter->collectors[i]))
			collector_lose(exporter->collectors[i], lost);
}

static bool is_idle(const struct exporter *exporter)
{
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		if (!collector_is_idle(exporter->collectors[i]))
			return false;
	return true;
}

/* Nothing waits, and no connection is open. */
static bool is_done(const struct exporter *exporter)
{
	bool done = is_idle(exporter);

	for (unsigned i = 0; i < COLLECTOR_KINDS && done; i++)
		done = collector_let_go(exporter->collectors[i]);
	return done;
}

static void look(void *owner)
{
	struct exporter *exporter = owner;
	int64_t now = loop_now(exporter->options.loop);

	gather(exporter);
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		collector_work(exporter->collectors[i], exporter->flushed != NULL);
	if (exporter->flushed && (is_done(exporter) || now >= exporter->flush_end)) {
		exporter->flushed(exporter->flush_owner);
		return;
	}
	if (is_on(exporter))
		timer_set(exporter->options.loop, &exporter->look, now + (exporter->flushed ? HURRIED_LOOK : LOOK));
}

void exporter_configure(struct exporter *exporter, struct snapshot *snapshot)
{
	/* What was written for nobody is no loss. */
	if (!is_on(exporter))
		for (unsigned i = 0; i < exporter->options.worker_count; i++)
			if (proxy_spans(exporter->options.proxy, i))
				exporter->seen[i] = ring_written(proxy_spans(exporter->options.proxy, i));
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		collector_configure(exporter->collectors[i], &snapshot->telemetry.collectors[i], snapshot);
	if (is_on(exporter) && !timer_is_set(&exporter->look))
		timer_set(exporter->options.loop, &exporter->look, loop_now(exporter->options.loop) + LOOK);
}

void exporter_flush(struct exporter *exporter, int64_t grace_ns, void (*flushed)(void *owner), void *owner)
{
	int64_t now = loop_now(exporter->options.loop);

	exporter->flushed = flushed;
	exporter->flush_owner = owner;
	exporter->flush_end = now + grace_ns;
	timer_set(exporter->options.loop, &exporter->look, now);
}

int exporter_new(const struct exporter_options *options, struct exporter **out)
{
	struct exporter *exporter = memory_new(sizeof *exporter);
	unsigned made = 0;
	int e = 0;

	exporter->options = *options;
	timer_init(&exporter->look, look, exporter);
	for (; made < COLLECTOR_KINDS && !e; made++)
		e = collector_new(options, (enum collector_kind)made, &exporter->collectors[made]);
	if (e) {
		made--;
		while (made-- > 0)
			collector_free(exporter->collectors[made]);
		memory_free(exporter);
		return e;
	}
	exporter->seen = memory_array(options->worker_count, sizeof *exporter->seen);
	*out = exporter;
	return 0;
}

void exporter_free(struct exporter *exporter)
{
	if (!exporter)
		return;
	timer_cancel(exporter->options.loop, &exporter->look);
	for (unsigned i = 0; i < COLLECTOR_KINDS; i++)
		collector_free(exporter->collectors[i]);
	memory_free(exporter->seen);
	memory_free(exporter);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_page.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "export/prometheus.h"
#include "io/loop.h"
#include "io/network.h"
#include "observe/metrics.h"
#include "session/session.h"

enum { MOST_SESSIONS = 64 };

/* As a proxy's that asks the signer itself. */
struct agent_counters {
	struct counter renewals;
	struct counter failures;
};

struct agent_page {
	struct loop *loop;
	struct session_pools *pools;
	struct listen_set *set;
	struct listener *listener;
	struct metrics *metrics;
	struct agent_counters *counters;
	int64_t not_after_s; /* 0: there is none yet */
	uint64_t generation;
};

static const struct metric metrics_of_it[] = {
	METRIC(struct agent_counters, renewals, METRIC_COUNTER, "renewals"),
	METRIC(struct agent_counters, failures, METRIC_COUNTER, "failures"),
};
static const struct metric_kind kind = {
	"identity",
	metrics_of_it,
	sizeof metrics_of_it / sizeof *metrics_of_it,
	sizeof(struct agent_counters),
	1,
};

/* Negative once it is over; 0 where there is none. */
static int64_t seconds_left(const struct agent_page *page)
{
	return page->not_after_s ? page->not_after_s - loop_wall(page->loop) / CLOCK_SECOND : 0;
}

static double read_left(void *owner)
{
	return (double)seconds_left(owner);
}

static double read_generation(void *owner)
{
	return (double)((const struct agent_page *)owner)->generation;
}

/* ---- requests ---- */

static void answer(struct side *side, unsigned status, const char *type, struct slice bytes)
{
	struct head *head = memory_new(sizeof *head);
	bool bodiless = side->head->method == METHOD_HEAD, sent;
	struct arena arena;

	arena_init(&arena, NULL, 0);
	head->is_response = true;
	head->status = (uint16_t)status;
	head->version = VERSION_1_1;
	head->body = BODY_LENGTH;
	head->body_length = bytes.length;
	sent = head_add(head, &arena, FIELD_CONTENT_TYPE, SLICE("Content-Type"), slice_of(type)) == 0;
	if (sent) {
		side_send_head(side, head, bodiless);
		sent = bodiless || side_send_copy(side, bytes, true, NULL);
	}
	side_release(side, sent ? RESET_NONE : RESET_OVERLOAD);
	arena_reset(&arena);
	memory_free(head);
}

static void answer_ready(struct agent_page *page, struct side *side)
{
	bool ready = seconds_left(page) > 0;

	answer(side, ready ? 200 : 503, "text/plain", ready ? SLICE("ready\n") : SLICE("no valid certificate\n"));
}

static void answer_metrics(struct agent_page *page, struct side *side)
{
	struct text text = { 0 };

	prometheus_text(page->metrics, SLICE(""), &text);
	answer(side, 200, PROMETHEUS_TYPE, text_slice(&text));
	text_free(&text);
}

/* All are answered at once, so nothing is ever told of them. */
static void opened(void *owner, struct session *session, struct side *side)
{
	static const struct side_events nothing;
	struct agent_page *page = owner;
	struct slice target = side->head->target;

	(void)session;
	side_own(side, &nothing, page);
	if (side->head->method != METHOD_GET && side->head->method != METHOD_HEAD)
		answer(side, 405, "text/plain", SLICE("GET only\n"));
	else if (slice_equal(target, SLICE("/ready")))
		answer_ready(page, side);
	else if (slice_equal(target, SLICE("/metrics")))
		answer_metrics(page, side);
	else
		answer(side, 404, "text/plain", SLICE("there are /metrics and /ready\n"));
}

static void closed(void *owner, struct session *session, int error)
{
	(void)owner;
	(void)session;
	(void)error;
}

static void accepted(void *owner, struct stream *stream)
{
	static const struct session_events events = { .opened = opened, .closed = closed };
	static const struct session_limits limits = { .idle_ns = CLOCK_MINUTE, .head_ns = 10 * CLOCK_SECOND };
	struct agent_page *page = owner;
	struct session *session;

	if (http_codec.server(page->pools, stream, &limits, &events, page, NULL, &session))
		return;
}

/* ---- life ---- */

static void make_metrics(struct agent_page *page)
{
	const struct scope_label name = { SLICE("identity"), { 0 } };
	struct scope *scope;

	page->metrics = metrics_new(1);
	scope = metrics_scope(page->metrics, &kind, &name, 1);
	page->counters = scope_shard(scope, 0);
	metrics_gauge(page->metrics, scope, "certificate_expires_in_s", read_left, page);
	metrics_gauge(page->metrics, scope, "generation", read_generation, page);
}

int agent_page_new(struct network *network, struct loop *loop, const struct address *address, struct agent_page **out)
{
	struct agent_page *page = memory_new(sizeof *page);
	int e;

	page->loop = loop;
	e = listen_open(network, address, 1, &(struct listen_options){ 0 }, &page->set);
	if (e)
		goto no_set;
	e = session_pools_new(loop, MOST_SESSIONS, MOST_SESSIONS, &page->pools);
	if (e)
		goto no_pools;
	make_metrics(page);
	page->listener = listen_start(page->set, 0, loop, accepted, page);
	*out = page;
	return 0;

no_pools:
	listen_close(page->set);
no_set:
	memory_free(page);
	return e;
}

void agent_page_address(const struct agent_page *page, struct address *bound)
{
	listen_address(page->set, bound);
}

void agent_page_renewed(struct agent_page *page, int64_t not_after_s, uint64_t generation)
{
	if (!page)
		return;
	counter_add(&page->counters->renewals, 1);
	page->not_after_s = not_after_s;
	page->generation = generation;
}

void agent_page_failed(struct agent_page *page)
{
	if (page)
		counter_add(&page->counters->failures, 1);
}

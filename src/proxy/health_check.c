/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/health_check.h"

#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "proxy/dial.h"
#include "proxy/rpc.h"
#include "wire/grpc_health.h"

enum {
	HEALTH_CHECK_MAGIC = 0x6863686b,
	MOST_BODY = 64, /* of an answer by gRPC: such a message has 7 bytes */
	MOST_WHY = 160,
};

struct health_check {
	uint32_t magic;
	struct worker *worker;
	struct peer *peer;       /* counted while there is a session */
	struct session *session; /* of the check that runs, or that has just ended */
	struct side *side;       /* NULL: released */
	struct timer due, limit;
	uint32_t passes, failures; /* in a row */
	bool stopped;              /* freed when its session is gone */
	bool running;
	bool judged;        /* one was made before */
	uint8_t rpc_status; /* enum grpc_status */
	uint8_t body_length;
	char body[MOST_BODY];
};

static const struct check_policy *policy_of(const struct health_check *check)
{
	return &check->peer->upstream->client->policy.check;
}

static struct client_stats *stats_of(const struct health_check *check)
{
	return check->peer->upstream->stats;
}

/* ---- whose it is ---- */

static uint32_t me(const struct health_check *check)
{
	return check->worker->index + 1;
}

static bool claim(struct health_check *check)
{
	uint32_t holder = 0;

	return atomic_compare_exchange_strong_explicit(
		       &check->peer->target->checker, &holder, me(check), memory_order_acq_rel, memory_order_relaxed) ||
		holder == me(check);
}

static void disclaim(struct health_check *check)
{
	uint32_t holder = me(check);

	(void)atomic_compare_exchange_strong_explicit(
		&check->peer->target->checker, &holder, 0, memory_order_acq_rel, memory_order_relaxed);
}

/* ---- what comes of it ---- */

static void take_out(struct health_check *check, const char *why)
{
	const struct client *client = check->peer->upstream->client;

	if (!health_fail(&check->peer->target->health, loop_now(check->worker->loop)))
		return;
	counter_add(&stats_of(check)->check_removals, 1);
	LOG(LOG_WARN, "proxy", "%s of %.*s fails its health checks (%s) and gets no requests", check->peer->target->text,
		SLICE_ARGS(client->id), why);
}

static void bring_back(struct health_check *check)
{
	const struct client *client = check->peer->upstream->client;
	int64_t ns;

	if (!health_pass(&check->peer->target->health, loop_now(check->worker->loop), &ns))
		return;
	counter_add(&stats_of(check)->check_revivals, 1);
	histogram_record(&stats_of(check)->removed_for, (uint64_t)ns / 1000);
	LOG(LOG_INFO, "proxy", "%s of %.*s passes its health checks again after %lld ms", check->peer->target->text, SLICE_ARGS(client->id),
		(long long)(ns / CLOCK_MS));
}

/* The session says when it is gone; until then nothing new begins. */
static void let_go(struct health_check *check, bool orderly)
{
	struct side *side = check->side;

	check->running = false;
	timer_cancel(check->worker->loop, &check->limit);
	check->side = NULL;
	if (orderly && check->session)
		session_drain(check->session);
	if (side)
		side_release(side, RESET_CANCEL);
	if (!orderly && check->session)
		session_close(check->session, RESET_CANCEL);
}

static void passed(struct health_check *check)
{
	counter_add(&stats_of(check)->checks_passed, 1);
	let_go(check, true);
	check->judged = true;
	check->failures = 0;
	if (++check->passes >= policy_of(check)->healthy_threshold)
		bring_back(check);
}

static void failed(struct health_check *check, const char *why)
{
	counter_add(&stats_of(check)->checks_failed, 1);
	let_go(check, false);
	check->passes = 0;
	if (++check->failures >= policy_of(check)->unhealthy_threshold || !check->judged)
		take_out(check, why);
	check->judged = true;
}

static void unanswered(struct health_check *check, int error)
{
	counter_add(&stats_of(check)->checks_unanswered, 1);
	failed(check, error_text(error));
}

static void limit_passed(void *owner)
{
	struct health_check *check = owner;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	unanswered(check, ERROR_TIMEOUT);
}

/* ---- the answer ---- */

static void judge_rpc(struct health_check *check)
{
	enum grpc_health state;
	char why[MOST_WHY];

	if (check->rpc_status == GRPC_NONE) {
		failed(check, "an answer without a gRPC status");
	} else if (check->rpc_status != GRPC_OK) {
		snprintf(why, sizeof why, "gRPC status %u, %s", check->rpc_status, grpc_status_name((enum grpc_status)check->rpc_status));
		failed(check, why);
	} else if (grpc_health_response(slice_make(check->body, check->body_length), &state)) {
		failed(check, "an answer that is no HealthCheckResponse");
	} else if (state != GRPC_HEALTH_SERVING) {
		failed(check, grpc_health_name(state));
	} else {
		passed(check);
	}
}

static void judge_http(struct health_check *check, unsigned status)
{
	bool rpc = policy_of(check)->kind == CHECK_KIND_GRPC;
	char why[MOST_WHY];

	if (!rpc && status >= 200 && status < 400) {
		passed(check);
		return;
	}
	snprintf(why, sizeof why, "HTTP status %u", status);
	failed(check, why);
}

static void informational(struct side *side, struct head *head)
{
	(void)side;
	(void)head;
}

static void head_came(struct side *side, struct head *head)
{
	struct health_check *check = side->exchange;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	if (policy_of(check)->kind == CHECK_KIND_HTTP || head->status != 200) {
		judge_http(check, head->status);
		return;
	}
	check->rpc_status = (uint8_t)rpc_status_in_head(head);
	if (head->body == BODY_NONE)
		judge_rpc(check);
}

static void body_came(struct side *side, struct piece piece)
{
	struct health_check *check = side->exchange;
	bool fits = piece.length <= (size_t)(MOST_BODY - check->body_length);

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	if (fits) {
		memcpy(check->body + check->body_length, piece.at, piece.length);
		check->body_length = (uint8_t)(check->body_length + piece.length);
	}
	piece_release(&piece);
	if (!fits)
		failed(check, "an answer that is no HealthCheckResponse");
}

static void trailers_came(struct side *side, const struct fields *trailers)
{
	struct health_check *check = side->exchange;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	check->rpc_status = (uint8_t)rpc_status_in_trailers(trailers);
	judge_rpc(check);
}

static void ended(struct side *side)
{
	struct health_check *check = side->exchange;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	judge_rpc(check);
}

static void was_reset(struct side *side, enum reset why, int error)
{
	struct health_check *check = side->exchange;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	(void)why;
	unanswered(check, error ? error : ERROR_RESET);
}

static void writable(struct side *side)
{
	(void)side;
}

static const struct side_events side_events = {
	.informational = informational,
	.head = head_came,
	.body = body_came,
	.trailers = trailers_came,
	.end = ended,
	.reset = was_reset,
	.writable = writable,
};

/* ---- asking ---- */

static bool send_message(struct health_check *check)
{
	struct buffer *buffer = buffer_get(loop_buffers(check->worker->loop));

	if (!buffer)
		return false;
	buffer->filled = (uint32_t)grpc_health_request(slice_of(policy_of(check)->service), buffer->bytes);
	side_send_body(check->side, (struct piece){ buffer, buffer->bytes, buffer->filled }, true);
	return true;
}

static int write_head(struct health_check *check, struct arena *arena, struct head *head)
{
	const struct check_policy *policy = policy_of(check);
	bool rpc = policy->kind == CHECK_KIND_GRPC;
	int e;

	head->method_text = rpc ? SLICE("POST") : SLICE("GET");
	head->method = rpc ? METHOD_POST : METHOD_GET;
	head->scheme = check->peer->upstream->client->policy.tls.client ? SLICE("https") : SLICE("http");
	head->authority = slice_of(policy->host[0] ? policy->host : check->peer->target->text);
	head->target = rpc ? SLICE(GRPC_HEALTH_PATH) : slice_of(policy->path);
	head->version = VERSION_1_1;
	head->body = rpc ? BODY_CHUNKED : BODY_NONE;
	e = head_add(head, arena, FIELD_USER_AGENT, SLICE("User-Agent"), SLICE("weft-health-check"));
	if (!e && rpc)
		e = head_add(head, arena, FIELD_CONTENT_TYPE, SLICE("Content-Type"), SLICE("application/grpc"));
	if (!e && rpc)
		e = head_add(head, arena, FIELD_TE, SLICE("TE"), SLICE("trailers"));
	return e;
}

static int send_request(struct health_check *check)
{
	struct arena arena;
	struct head *head;
	int e = ERROR_NO_MEMORY;

	arena_init(&arena, &check->worker->blocks, 0);
	head = arena_zeroed(&arena, sizeof *head);
	if (head)
		e = write_head(check, &arena, head);
	if (!e) {
		side_send_head(check->side, head, head->body == BODY_NONE);
		if (head->body != BODY_NONE && !send_message(check))
			e = ERROR_NO_MEMORY;
	}
	arena_reset(&arena);
	return e;
}

static int begin(struct health_check *check)
{
	int e = session_open(check->session, &side_events, check, &check->side);

	return e ? e : send_request(check);
}

static void complain(const struct health_check *check, int error)
{
	LOG(LOG_WARN, "proxy", "cannot check the health of %s: %s", check->peer->target->text, error_text(error));
}

/* ---- its connection ---- */

/* It is known which protocol it speaks, and how much it takes. */
static void available(void *owner, struct session *session)
{
	struct health_check *check = owner;
	int e;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	if (!check->running || check->side || session_capacity(session) == 0)
		return;
	e = begin(check);
	if (e) {
		complain(check, e);
		let_go(check, false);
	}
}

static void closed(void *owner, struct session *session, int error)
{
	struct health_check *check = owner;
	struct peer *peer = check->peer;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	(void)session;
	check->session = NULL;
	if (check->running)
		unanswered(check, error ? error : ERROR_CLOSED);
	if (check->stopped) {
		check->magic = 0;
		pool_put(&check->worker->checks, check);
	}
	peer_unref(peer);
}

static const struct session_events session_events = {
	.available = available,
	.closed = closed,
};

/* What is spoken with the endpoint, but gRPC always by HTTP/2. */
static int make_session(struct health_check *check)
{
	const struct session_limits limits = { 0 };
	struct client_policy *policy = &check->peer->upstream->client->policy;
	bool rpc = policy->check.kind == CHECK_KIND_GRPC;
	const struct codec *codec = worker_client_codec(check->worker, policy);
	struct stream *stream;
	int e = dial(check->peer, rpc ? UPSTREAM_HTTP2 : policy->protocol, &stream);

	if (e)
		return e;
	if (rpc && !check->worker->codec)
		codec = &http2_codec;
	return codec->client(check->worker->sessions, stream, &limits, &session_events, check, NULL, &check->session);
}

/* An error is of ours and says nothing about the endpoint: the next one may go better. */
static int ask(struct health_check *check)
{
	int e = make_session(check);

	if (e)
		return e;
	peer_ref(check->peer);
	check->rpc_status = GRPC_NONE;
	check->body_length = 0;
	e = begin(check);
	if (e && e != ERROR_BUSY) {
		let_go(check, false);
		return e;
	}
	check->running = true;
	timer_set(check->worker->loop, &check->limit, loop_now(check->worker->loop) + policy_of(check)->timeout_ns);
	counter_add(&stats_of(check)->checks, 1);
	return 0;
}

static void set_due(struct health_check *check, double intervals)
{
	struct loop *loop = check->worker->loop;

	timer_set(loop, &check->due, clock_after(loop_now(loop), (int64_t)((double)policy_of(check)->interval_ns * intervals)));
}

static void is_due(void *owner)
{
	struct health_check *check = owner;
	int e = 0;

	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	set_due(check, 0.9 + 0.2 * random_unit(loop_random(check->worker->loop)));
	if (check->session || check->worker->draining || check->peer->removed)
		return;
	if (claim(check))
		e = ask(check);
	else
		check->passes = check->failures = 0;
	if (e)
		complain(check, e);
}

void health_check_start(struct peer *peer)
{
	struct worker *worker = peer->upstream->worker;
	struct health_check *check;

	if (peer->check || peer->upstream->client->policy.check.kind == CHECK_KIND_NONE)
		return;
	check = pool_get(&worker->checks);
	if (!check)
		return;
	*check = (struct health_check){ .magic = HEALTH_CHECK_MAGIC, .worker = worker, .peer = peer };
	timer_init(&check->due, is_due, check);
	timer_init(&check->limit, limit_passed, check);
	peer->check = check;
	set_due(check, 0.1 * random_unit(loop_random(worker->loop)));
}

void health_check_stop(struct peer *peer)
{
	struct health_check *check = peer->check;

	if (!check)
		return;
	CHECK_MAGIC(check, HEALTH_CHECK_MAGIC);
	peer->check = NULL;
	timer_cancel(check->worker->loop, &check->due);
	disclaim(check);
	let_go(check, false);
	check->stopped = true;
	if (check->session)
		return;
	check->magic = 0;
	pool_put(&check->worker->checks, check);
}

size_t health_check_size(void)
{
	return sizeof(struct health_check);
}

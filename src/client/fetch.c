/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fetch.h"

#include "base/check.h"
#include "base/memory.h"

static void on_limit(void *owner);

void fetch_init(struct fetch *fetch, struct loop *loop, struct session_pools *pools, const struct fetch_events *events, void *owner)
{
	*fetch = (struct fetch){ .loop = loop, .pools = pools, .events = events, .owner = owner };
	timer_init(&fetch->limit, on_limit, fetch);
}

void fetch_stop(struct fetch *fetch)
{
	struct side *side = fetch->side;

	fetch->running = false;
	fetch->side = NULL;
	timer_cancel(fetch->loop, &fetch->limit);
	if (side)
		side_release(side, RESET_CANCEL);
	if (fetch->session && !fetch->gone)
		session_close(fetch->session, RESET_CANCEL);
}

static void finish(struct fetch *fetch, int error)
{
	bool tell = fetch->running;

	fetch_stop(fetch);
	if (tell)
		fetch->events->ended(fetch, error);
}

static void on_limit(void *owner)
{
	finish(owner, ERROR_TIMEOUT);
}

static void limit(struct fetch *fetch, int64_t after)
{
	if (after)
		timer_set(fetch->loop, &fetch->limit, clock_after(fetch->began, after));
	else
		timer_cancel(fetch->loop, &fetch->limit);
}

/* ---- the exchange ---- */

static void informational(struct side *side, struct head *head)
{
	(void)side;
	(void)head;
}

static void head_came(struct side *side, struct head *head)
{
	struct fetch *fetch = side->exchange;

	fetch->status = head->status;
	limit(fetch, fetch->limits.all_ns);
	if (head->body == BODY_NONE)
		finish(fetch, 0);
}

static void body(struct side *side, struct piece piece)
{
	struct fetch *fetch = side->exchange;

	if (fetch->running)
		fetch->events->body(fetch, slice_make(piece.at, piece.length));
	piece_release(&piece);
}

static void end(struct side *side)
{
	finish(side->exchange, 0);
}

static void trailers(struct side *side, const struct fields *fields)
{
	(void)fields;
	finish(side->exchange, 0);
}

static void reset(struct side *side, enum reset why, int error)
{
	(void)why;
	finish(side->exchange, error ? error : ERROR_RESET);
}

static void writable(struct side *side)
{
	(void)side;
}

static const struct side_events side_events = {
	.informational = informational,
	.head = head_came,
	.body = body,
	.trailers = trailers,
	.end = end,
	.reset = reset,
	.writable = writable,
};

/* ---- the session ---- */

static void available(void *owner, struct session *session)
{
	(void)owner;
	(void)session;
}

static void closed(void *owner, struct session *session, int error)
{
	struct fetch *fetch = owner;

	(void)session;
	/* It is over only when its end was told: who frees it then does so once. */
	fetch->gone = true;
	finish(fetch, error ? error : ERROR_CLOSED);
	fetch->session = NULL;
	fetch->gone = false;
	if (fetch->events->over)
		fetch->events->over(fetch);
}

static const struct session_events session_events = {
	.available = available,
	.closed = closed,
};

static void send_request(struct fetch *fetch, const struct address *address, struct slice target)
{
	struct head *head = memory_new(sizeof *head);
	char authority[ADDRESS_TEXT];

	address_format(address, authority);
	head->method_text = SLICE("GET");
	head->method = METHOD_GET;
	head->authority = slice_of(authority);
	head->target = target;
	head->version = VERSION_1_1;
	head->body = BODY_NONE;
	side_send_head(fetch->side, head, true);
	memory_free(head);
}

int fetch_start(
	struct fetch *fetch, struct network *network, const struct address *address, struct slice target, const struct fetch_limits *limits)
{
	const struct session_limits session_limits = { 0 };
	struct stream *stream;
	int e;

	CHECK(fetch_is_over(fetch));
	fetch->status = 0;
	fetch->limits = *limits;
	fetch->began = loop_now(fetch->loop);
	e = network_connect(network, fetch->loop, address, &(struct socket_options){ 0 }, &stream);
	if (e)
		return e;
	e = http1_client_new(fetch->pools, stream, &session_limits, &session_events, fetch, NULL, &fetch->session);
	if (e)
		return e;
	e = session_open(fetch->session, &side_events, fetch, &fetch->side);
	if (e) {
		fetch_stop(fetch);
		return e;
	}
	send_request(fetch, address, target);
	fetch->running = true;
	limit(fetch, limits->head_ns);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "client/fetch.h"

#include "base/check.h"
#include "base/memory.h"

#define KEPT_IDLE (2 * CLOCK_MINUTE) /* then a connection that was kept is closed */

static void on_limit(void *owner);

void fetch_init(struct fetch *fetch, struct loop *loop, struct session_pools *pools, const struct fetch_events *events, void *owner)
{
	*fetch = (struct fetch){ .loop = loop, .pools = pools, .events = events, .owner = owner };
	timer_init(&fetch->limit, on_limit, fetch);
	timer_init(&fetch->quiet, on_limit, fetch);
}

void fetch_stop(struct fetch *fetch)
{
	struct side *side = fetch->side;

	fetch->running = fetch->rests = false;
	fetch->side = NULL;
	timer_cancel(fetch->loop, &fetch->limit);
	timer_cancel(fetch->loop, &fetch->quiet);
	if (side)
		side_release(side, RESET_CANCEL);
	if (fetch->session && !fetch->gone)
		session_close(fetch->session, RESET_CANCEL);
}

void fetch_let_go(struct fetch *fetch)
{
	fetch->keep = false;
	if (!fetch->running)
		fetch_stop(fetch);
}

/* The exchange is over and the session is not, if it can be used again: `available` tells that, or `closed`. */
static void let_rest(struct fetch *fetch)
{
	struct side *side = fetch->side;

	fetch->running = false;
	fetch->side = NULL;
	timer_cancel(fetch->loop, &fetch->limit);
	timer_cancel(fetch->loop, &fetch->quiet);
	side_release(side, RESET_NONE);
}

static void finish(struct fetch *fetch, int error)
{
	bool tell = fetch->running;

	if (tell && !error && fetch->keep && fetch->side && !fetch->gone)
		let_rest(fetch);
	else
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

static void heard(struct fetch *fetch)
{
	if (fetch->limits.quiet_ns)
		timer_set(fetch->loop, &fetch->quiet, clock_after(loop_now(fetch->loop), fetch->limits.quiet_ns));
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
	heard(fetch);
	/* One that is kept has to come to its end. */
	if (head->body == BODY_NONE && !fetch->keep)
		finish(fetch, 0);
}

static void body(struct side *side, struct piece piece)
{
	struct fetch *fetch = side->exchange;

	if (fetch->running) {
		heard(fetch);
		fetch->events->body(fetch, slice_make(piece.at, piece.length));
	}
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
	struct fetch *fetch = owner;

	(void)session;
	if (fetch->running)
		return;
	fetch->rests = true;
	if (fetch->events->over)
		fetch->events->over(fetch);
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

static int add_fields(struct head *head, struct arena *arena, const struct fetch_request *request)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		const struct fetch_field *field = &request->fields[i];
		/* A token's file that somebody edited must not become a field of another name. */
		bool whole = slice_find(field->value, '\r') == field->value.length && slice_find(field->value, '\n') == field->value.length;
		int e = whole ? head_add(head, arena, field_identify(field->name), field->name, field->value) : ERROR_INVALID;
		if (e)
			return e;
	}
	return 0;
}

static int send_request(struct fetch *fetch, const struct fetch_to *to, const struct fetch_request *request)
{
	struct head *head = memory_new(sizeof *head);
	struct arena arena;
	char authority[ADDRESS_TEXT] = "localhost"; /* of a Unix socket */
	int e;

	arena_init(&arena, NULL, 0);
	if (to->address)
		address_format(to->address, authority);
	head->method_text = request->method.length ? request->method : SLICE("GET");
	head->method = (uint8_t)method_identify(head->method_text);
	head->authority = request->authority.length ? request->authority : slice_of(authority);
	head->target = request->target;
	head->version = VERSION_1_1;
	head->body = request->body.length ? BODY_LENGTH : BODY_NONE;
	head->body_length = request->body.length;
	e = add_fields(head, &arena, request);
	if (!e) {
		side_send_head(fetch->side, head, request->body.length == 0);
		if (!side_send_copy(fetch->side, request->body, true, NULL))
			e = ERROR_NO_MEMORY;
	}
	arena_reset(&arena);
	memory_free(head);
	return e;
}

static int connect_to(struct fetch *fetch, const struct fetch_to *to, struct stream **stream)
{
	const struct fetch_tls *tls = to->tls;
	struct stream *below;
	int e;

	if (to->socket)
		e = network_connect_unix(to->network, fetch->loop, to->socket, &below);
	else
		e = network_connect(to->network, fetch->loop, to->address, &(struct socket_options){ .keep_alive = true }, &below);
	if (e)
		return e;
	*stream = below;
	if (!tls)
		return 0;
	return tls_connect(tls->pools, tls->client, &tls->target, below, tls->counters ? tls->counters : &fetch->uncounted, stream);
}

static int begin_session(struct fetch *fetch, const struct fetch_to *to)
{
	const struct session_limits limits = { .idle_ns = to->keep ? KEPT_IDLE : 0 };
	struct stream *stream;
	int e = connect_to(fetch, to, &stream);

	return e ? e : http1_client_new(fetch->pools, stream, &limits, &session_events, fetch, NULL, &fetch->session);
}

int fetch_send(struct fetch *fetch, const struct fetch_to *to, const struct fetch_request *request, const struct fetch_limits *limits)
{
	int e;

	CHECK(fetch_is_ready(fetch));
	fetch->status = 0;
	fetch->limits = *limits;
	fetch->began = loop_now(fetch->loop);
	fetch->reused = fetch->rests;
	fetch->rests = false;
	fetch->keep = to->keep;
	e = fetch->reused ? 0 : begin_session(fetch, to);
	if (e)
		return e;
	e = session_open(fetch->session, &side_events, fetch, &fetch->side);
	if (!e)
		e = send_request(fetch, to, request);
	if (e) {
		fetch_stop(fetch);
		return e;
	}
	fetch->running = true;
	limit(fetch, limits->head_ns);
	return 0;
}

int fetch_start(
	struct fetch *fetch, struct network *network, const struct address *address, struct slice target, const struct fetch_limits *limits)
{
	return fetch_send(
		fetch, &(struct fetch_to){ .network = network, .address = address }, &(struct fetch_request){ .target = target }, limits);
}

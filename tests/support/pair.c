/* SPDX-License-Identifier: Apache-2.0 */
#include "support/pair.h"

#include "base/check.h"
#include "base/memory.h"
#include "support/contract.h"
#include "support/filter.h"
#include "support/multiplex.h"
#include "support/secure.h"

enum { PORT = 8080 };

static int http_server(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	return http_codec.server(pools, stream, limits, events, owner, counters, session);
}

static int http_client(struct session_pools *pools, struct stream *stream, const struct session_limits *limits,
	const struct session_events *events, void *owner, struct session_counters *counters, struct session **session)
{
	return http_codec.client(pools, stream, limits, events, owner, counters, session);
}

const struct pair_codec codec_http = { "http", http_server, http_client, 1 };
const struct pair_codec codec_http1 = { "http1", http1_server_new, http1_client_new, 1 };
const struct pair_codec codec_http2 = { "http2", http2_server_new, http2_client_new, 100 };
const struct pair_codec codec_multiplex = { "multiplex", multiplex_server_new, multiplex_client_new, MULTIPLEX_EXCHANGES };

static const struct session_events server_events, client_events;
static const struct stream_events raw_events;

/* --- sessions --- */

static void server_opened(void *owner, struct session *session, struct side *side)
{
	struct pair *pair = owner;

	CHECK(!contract_in_call());
	CHECK(session == side->session);
	pair->opened++;
	pair->served = call_serve(&pair->calls, pair->server_loop, side, pair->options.serve, pair);
}

static struct slice server_refused(void *owner, struct session *session, unsigned status, const char *reason)
{
	struct pair *pair = owner;

	(void)session;
	CHECK(!contract_in_call());
	CHECK(reason && *reason);
	pair->refused++;
	pair->refused_status = status;
	return pair->refusal ? slice_of(pair->refusal) : (struct slice){ 0 };
}

static void server_closed(void *owner, struct session *session, int error)
{
	struct pair *pair = owner;

	CHECK(!contract_in_call());
	pair->server_closed++;
	pair->server_error = error;
	list_remove(&session->link);
	if (pair->server == session)
		pair->server = NULL;
}

static void client_available(void *owner, struct session *session)
{
	struct pair *pair = owner;

	CHECK(!contract_in_call());
	CHECK(pair->client == session);
	pair->available++;
}

static void client_closed(void *owner, struct session *session, int error)
{
	struct pair *pair = owner;

	CHECK(!contract_in_call());
	CHECK(pair->client == session);
	pair->client_closed++;
	pair->client_error = error;
	pair->client = NULL;
}

static const struct session_events server_events = {
	.opened = server_opened,
	.refused = server_refused,
	.closed = server_closed,
};

static const struct session_events client_events = {
	.available = client_available,
	.closed = client_closed,
};

static struct stream *filtered(struct pair *pair, struct stream *stream, struct loop *loop)
{
	if (pair->options.filter || pair->options.alpn)
		stream = filter_new(stream, loop);
	if (pair->options.alpn)
		filter_secure(stream, pair->options.alpn, loop == pair->server_loop);
	if (!pair->secure)
		return stream;
	return loop == pair->server_loop ? secure_server(pair->secure, stream) : secure_client(pair->secure, stream);
}

static void accepted(void *owner, struct stream *stream)
{
	struct pair *pair = owner;
	int e;

	stream = filtered(pair, stream, pair->server_loop);
	e = pair->options.codec->server(
		pair->server_pools, stream, &pair->options.limits, &server_events, pair, &pair->server_counters, &pair->server);
	CHECK(e == 0);
	list_append(&pair->servers, &pair->server->link);
}

/* --- raw ends --- */

static void raw_received(void *owner, struct buffer *buffer)
{
	struct pair *pair = owner;

	text_append(&pair->received, slice_make(buffer->bytes, buffer->filled));
	buffer_unref(buffer);
}

static void raw_ended(void *owner)
{
	struct pair *pair = owner;

	pair->raw_ended = true;
}

static void raw_failed(void *owner, int error)
{
	struct pair *pair = owner;

	pair->raw_failed = true;
	pair->raw_error = error;
}

static void raw_nothing(void *owner)
{
	(void)owner;
}

static const struct stream_events raw_events = {
	.connected = raw_nothing,
	.received = raw_received,
	.ended = raw_ended,
	.drained = raw_nothing,
	.failed = raw_failed,
};

static void raw_own(struct pair *pair, struct stream *stream)
{
	pair_close_raw(pair);
	pair->raw = stream;
	pair->raw_ended = pair->raw_failed = false;
	text_clear(&pair->received);
	stream_own(stream, &raw_events, pair);
	if (!pair->raw_paused)
		stream_resume(stream);
}

static void raw_accepted(void *owner, struct stream *stream)
{
	struct pair *pair = owner;

	raw_own(pair, filtered(pair, stream, pair->server_loop));
}

static struct stream *connect_stream(struct pair *pair)
{
	struct stream *stream;
	int e;

	sim_host_enter(pair->client_host);
	e = network_connect(pair->client_host, pair->client_loop, &pair->address, &(struct socket_options){ 0 }, &stream);
	CHECK(e == 0);
	return filtered(pair, stream, pair->client_loop);
}

void pair_connect_raw(struct pair *pair)
{
	raw_own(pair, connect_stream(pair));
}

void pair_send_raw(struct pair *pair, const char *bytes, size_t length)
{
	struct piece piece = { NULL, bytes, length };

	(void)stream_take(pair->raw, &piece, 1);
}

void pair_send_raw_text(struct pair *pair, const char *text)
{
	pair_send_raw(pair, text, strlen(text));
}

void pair_serve_raw(struct pair *pair)
{
	sim_host_enter(pair->server_host);
	listen_stop(pair->listener);
	pair->listener = listen_start(pair->set, 0, pair->server_loop, raw_accepted, pair);
}

void pair_close_raw(struct pair *pair)
{
	if (pair->raw)
		stream_close(pair->raw);
	pair->raw = NULL;
}

/* --- calls of the client --- */

void pair_connect(struct pair *pair)
{
	int e = pair->options.codec->client(pair->client_pools, connect_stream(pair), &pair->options.limits, &client_events, pair,
		&pair->client_counters, &pair->client);

	CHECK(e == 0);
}

static bool is_undecided(void *owner)
{
	const struct pair *pair = owner;

	return pair->client && pair->client->undecided;
}

struct call *pair_call(struct pair *pair, const char *head, bool end, call_script *script)
{
	struct call *call;

	if (!pair->client)
		pair_connect(pair);
	if (pair->client->undecided)
		(void)sim_run_while(pair->sim, is_undecided, pair, CLOCK_MINUTE);
	CHECK(pair->client);
	call = call_begin(&pair->calls, pair->client, head, end, script, pair);
	CHECK(call);
	return call;
}

/* --- the pair --- */

struct pair *pair_new(const struct pair_options *options)
{
	struct pair *pair = memory_new(sizeof *pair);
	struct address any = { .family = ADDRESS_IP4, .port = PORT };
	struct sim_options sim = { 0 };
	int e;

	pair->options = *options;
	list_init(&pair->servers);
	if (options->calm)
		sim.link = SIM_LINK_CALM;
	pair->sim = sim_new(options->seed ? options->seed : 1, &sim);
	pair->server_host = sim_host_new(pair->sim, "10.0.0.1");
	pair->client_host = sim_host_new(pair->sim, "10.0.0.2");
	sim_host_enter(pair->server_host);
	e = loop_new(&(struct loop_options){ .name = "server", .max_buffers = options->max_buffers }, &pair->server_loop);
	CHECK(e == 0);
	e = listen_open(pair->server_host, &any, 1, &(struct listen_options){ 0 }, &pair->set);
	CHECK(e == 0);
	pair->listener = listen_start(pair->set, 0, pair->server_loop, accepted, pair);
	e = session_pools_new(pair->server_loop, 0, options->max_sides, &pair->server_pools);
	CHECK(e == 0);
	sim_host_enter(pair->client_host);
	e = loop_new(&(struct loop_options){ .name = "client" }, &pair->client_loop);
	CHECK(e == 0);
	e = session_pools_new(pair->client_loop, 0, options->max_sides, &pair->client_pools);
	CHECK(e == 0);
	if (options->tls)
		pair->secure = secure_new(pair->server_loop, pair->client_loop);
	pair->address = *sim_host_address(pair->server_host);
	pair->address.port = PORT;
	return pair;
}

static bool sessions_are_gone(struct pair *pair)
{
	return list_empty(&pair->servers) && !pair->client;
}

void pair_free(struct pair *pair)
{
	if (pair->client)
		session_close(pair->client, RESET_SHUTDOWN);
	LIST_EACH(&pair->servers, link)
		session_close(LIST_OF(link, struct session, link), RESET_SHUTDOWN);
	pair_close_raw(pair);
	CHECK(pair_run_until(pair, sessions_are_gone));
	sim_run_for(pair->sim, 10 * CLOCK_SECOND);
	calls_free(&pair->calls);
	contract_check_finished();
	CHECK(counter_read(&pair->server_counters.connects) == counter_read(&pair->server_counters.closes));
	CHECK(counter_read(&pair->client_counters.connects) == counter_read(&pair->client_counters.closes));
	CHECK(pair_holds_nothing(pair));
	listen_stop(pair->listener);
	listen_close(pair->set);
	secure_free(pair->secure);
	session_pools_free(pair->server_pools);
	session_pools_free(pair->client_pools);
	loop_free(pair->server_loop);
	loop_free(pair->client_loop);
	sim_free(pair->sim);
	text_free(&pair->received);
	memory_free(pair);
}

/* --- running --- */

struct question {
	struct pair *pair;
	const struct call *call;
	const char *text;
	bool (*is_so)(struct pair *pair);
};

static bool not_over(void *owner)
{
	const struct question *q = owner;

	return !q->call->ended && !q->call->was_reset;
}

static bool not_received(void *owner)
{
	const struct question *q = owner;

	return !q->pair->received.bytes || !strstr(q->pair->received.bytes, q->text);
}

static bool not_raw_over(void *owner)
{
	const struct question *q = owner;

	return !q->pair->raw_ended && !q->pair->raw_failed;
}

static bool not_so(void *owner)
{
	const struct question *q = owner;

	return !q->is_so(q->pair);
}

static bool run(struct pair *pair, bool (*waiting)(void *owner), struct question *question)
{
	return !waiting(question) || sim_run_while(pair->sim, waiting, question, CLOCK_MINUTE);
}

bool pair_run_until_over(struct pair *pair, const struct call *call)
{
	return run(pair, not_over, &(struct question){ .pair = pair, .call = call });
}

bool pair_run_until_received(struct pair *pair, const char *text)
{
	return run(pair, not_received, &(struct question){ .pair = pair, .text = text });
}

bool pair_run_until_raw_over(struct pair *pair)
{
	return run(pair, not_raw_over, &(struct question){ .pair = pair });
}

bool pair_run_until(struct pair *pair, bool (*is_so)(struct pair *pair))
{
	return run(pair, not_so, &(struct question){ .pair = pair, .is_so = is_so });
}

void pair_settle(struct pair *pair)
{
	sim_run_for(pair->sim, CLOCK_SECOND);
}

bool pair_holds_nothing(const struct pair *pair)
{
	return loop_buffers(pair->server_loop)->in_use == 0 && loop_buffers(pair->client_loop)->in_use == 0;
}

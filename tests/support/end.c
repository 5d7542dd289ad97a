/* SPDX-License-Identifier: Apache-2.0 */
#include "support/end.h"

#include "base/check.h"
#include "base/memory.h"
#include "support/pki.h"
#include "tls/library.h"

enum { PORT = 8443 };

#define SETTING(path) \
	{ \
		.text = { path, sizeof(path) - 1 }, .file = { "test", 4 } \
	}
#define CERTIFICATE(name) \
	{ \
		.chain = SETTING(name ".pem"), .key = SETTING(name ".key") \
	}

const struct tls_setting end_trust = SETTING("root.pem"), end_other_trust = SETTING("other.pem");
const struct tls_certificate end_server_certificate = CERTIFICATE("server"), end_client_certificate = CERTIFICATE("client"),
			     end_short_certificate = CERTIFICATE("short");
const struct tls_certificate end_named_certificates[3] = { CERTIFICATE("server"), CERTIFICATE("wild"), CERTIFICATE("exact") };

static void put(struct network *host, const char *name, const char *ending, const char *text)
{
	struct text path = { 0 };

	text_format(&path, "%s.%s", name, ending);
	sim_file_put(host, path.bytes, slice_of(text));
	text_free(&path);
}

static void issue(struct ends *ends, const struct pki *root, const char *name, const char *san, int64_t last)
{
	struct pki pki;

	pki_issue(&pki, root, &(struct pki_options){ .name = name, .san = san, .ends = last });
	put(ends->server_host, name, "pem", pki.certificate);
	put(ends->server_host, name, "key", pki.key);
	put(ends->client_host, name, "pem", pki.certificate);
	put(ends->client_host, name, "key", pki.key);
	pki_free(&pki);
}

static void put_root(struct ends *ends, struct pki *root, const char *name)
{
	pki_issue(root, NULL, &(struct pki_options){ .name = name, .authority = true });
	put(ends->server_host, name, "pem", root->certificate);
	put(ends->client_host, name, "pem", root->certificate);
}

static void put_files(struct ends *ends)
{
	struct pki root, other;

	put_root(ends, &root, "root");
	put_root(ends, &other, "other");
	put(ends->server_host, "trusted", "pem", root.certificate);
	put(ends->client_host, "trusted", "pem", root.certificate);
	issue(ends, &root, "server", "DNS:" END_NAME, 0);
	issue(ends, &root, "client", "URI:spiffe://example/ns/a/sa/client,DNS:client.example,DNS:other.example", 0);
	issue(ends, &root, "short", "DNS:client.example", loop_wall(ends->client.loop) / CLOCK_SECOND + END_SHORT_SECONDS / 2);
	issue(ends, &root, "wild", "DNS:*.wild.example", 0);
	issue(ends, &root, "exact", "DNS:exact.wild.example", 0);
	pki_free(&root);
	pki_free(&other);
}

/* ---- the tap ---- */

static struct end *of_tap(const struct stream *tap)
{
	return (struct end *)(void *)((char *)(uintptr_t)tap - offsetof(struct end, tap));
}

static void count_records(struct end *end, const char *at, size_t length)
{
	while (length > 0) {
		if (end->record_left == 0) {
			end->header[end->header_count++] = (unsigned char)*at++;
			length--;
			if (end->header_count == sizeof end->header) {
				end->header_count = 0;
				end->records++;
				end->record_left = (uint32_t)end->header[3] << 8 | end->header[4];
			}
			continue;
		}
		size_t some = end->record_left < length ? end->record_left : length;
		end->record_left -= (uint32_t)some;
		at += some;
		length -= some;
	}
}

static size_t tap_take(struct stream *tap, const struct piece *pieces, unsigned count)
{
	struct end *end = of_tap(tap);

	end->takes++;
	for (unsigned i = 0; i < count; i++)
		count_records(end, pieces[i].at, pieces[i].length);
	return stream_take(end->below, pieces, count);
}

static void tap_pause(struct stream *tap)
{
	stream_pause(of_tap(tap)->below);
}

static void tap_resume(struct stream *tap)
{
	struct end *end = of_tap(tap);

	stream_own(end->below, tap->events, tap->owner);
	stream_resume(end->below);
}

static void tap_finish(struct stream *tap)
{
	stream_finish(of_tap(tap)->below);
}

static void tap_close(struct stream *tap, enum stream_closing how)
{
	struct end *end = of_tap(tap);

	end->below->ops->close(end->below, how);
	end->below = NULL;
}

static void tap_addresses(const struct stream *tap, struct address *local, struct address *remote)
{
	stream_addresses(of_tap(tap)->below, local, remote);
}

static const struct stream_ops tap_ops = {
	.take = tap_take,
	.pause = tap_pause,
	.resume = tap_resume,
	.finish = tap_finish,
	.close = tap_close,
	.addresses = tap_addresses,
};

/* ---- what an end is told ---- */

static void connected(void *owner)
{
	struct end *end = owner;

	CHECK(!end->connected && !end->received.length && !end->failed);
	end->connected = true;
}

static void received(void *owner, struct buffer *buffer)
{
	struct end *end = owner;

	CHECK(!end->ended && !end->failed && buffer->filled > 0);
	text_append(&end->received, slice_make(buffer->bytes, buffer->filled));
	buffer_unref(buffer);
}

static void ended(void *owner)
{
	struct end *end = owner;

	CHECK(!end->ended && !end->failed);
	end->ended = true;
}

static void drained(void *owner)
{
	struct end *end = owner;

	CHECK(!end->failed);
	end->drained = true;
}

static void failed(void *owner, int error)
{
	struct end *end = owner;

	CHECK(!end->failed && error);
	end->failed = true;
	end->error = error;
}

static const struct stream_events events = {
	.connected = connected,
	.received = received,
	.ended = ended,
	.drained = drained,
	.failed = failed,
};

static void begin(struct end *end, struct stream *stream)
{
	text_clear(&end->received);
	end->connected = end->ended = end->drained = end->failed = false;
	end->error = 0;
	end->stream = stream;
	stream_own(stream, &events, end);
	stream_resume(stream);
}

static struct stream *tapped(struct end *end, struct stream *below)
{
	CHECK(!end->below);
	end->below = below;
	end->tap = (struct stream){ .ops = &tap_ops, .loop = end->loop };
	end->record_left = end->header_count = 0;
	return &end->tap;
}

static void accepted(void *owner, struct stream *below)
{
	struct ends *ends = owner;
	struct stream *stream;
	int e = tls_accept(ends->server_pools, ends->tls_server, tapped(&ends->server, below), &ends->server_counters, &stream);

	if (e) {
		CHECK(e == ERROR_NO_MEMORY || e == ERROR_LIMIT); /* as a test wants it */
		ends->server.failed = true;
		ends->server.error = e;
		return;
	}
	begin(&ends->server, stream);
}

void ends_connect(struct ends *ends, struct slice name, struct slice uri)
{
	struct tls_target target = { .name = name, .peers = uri, .session = &ends->session };
	struct stream *below, *stream;
	int e;

	sim_host_enter(ends->client_host);
	e = network_connect(ends->client_host, ends->client.loop, &ends->address, &(struct socket_options){ 0 }, &below);
	CHECK(e == 0);
	ends->server.connected = ends->server.failed = ends->server.ended = false;
	stream = tapped(&ends->client, below);
	if (ends->tls_client) {
		e = tls_connect(ends->client_pools, ends->tls_client, &target, stream, &ends->client_counters, &stream);
		CHECK(e == 0);
	}
	begin(&ends->client, stream);
}

/* ---- what it does ---- */

void end_send_bytes(struct end *end, struct slice bytes)
{
	struct piece piece = { NULL, bytes.at, bytes.length };

	(void)stream_take(end->stream, &piece, 1);
}

void end_send(struct end *end, const char *text)
{
	end_send_bytes(end, slice_of(text));
}

void end_count(struct end *end)
{
	end->takes = end->records = 0;
}

/* ---- both ---- */

void end_close(struct end *end)
{
	if (end->stream)
		stream_close(end->stream);
	end->stream = NULL;
}

void ends_settle(struct ends *ends)
{
	sim_run_for(ends->sim, CLOCK_SECOND);
}

void ends_close(struct ends *ends)
{
	end_close(&ends->client);
	ends_settle(ends);
	end_close(&ends->server);
	sim_run_for(ends->sim, 10 * CLOCK_SECOND);
}

static struct ends *drawing;

static struct random *draw(void)
{
	return sim_random(drawing->sim);
}

static void check_made(int e, struct problems *problems)
{
	struct text text = { 0 };

	if (e) {
		problem_print(problems, &text);
		check_failed(text.bytes, __FILE__, __LINE__);
	}
	problem_fini(problems);
}

static void make_objects(struct ends *ends, const struct tls_server_options *server, const struct tls_client_options *client)
{
	struct tls_limits limits = { 0 };
	struct problems problems;
	int e;

	sim_host_enter(ends->server_host);
	problem_init(&problems);
	check_made(tls_server_new(server, loop_wall(ends->server.loop), &problems, &ends->tls_server), &problems);
	e = tls_pools_new(ends->server.loop, &limits, &ends->server_pools);
	CHECK(e == 0);
	sim_host_enter(ends->client_host);
	problem_init(&problems);
	if (client)
		check_made(tls_client_new(client, loop_wall(ends->client.loop), &problems, &ends->tls_client), &problems);
	e = tls_pools_new(ends->client.loop, &limits, &ends->client_pools);
	CHECK(e == 0);
}

struct ends *ends_new(uint64_t seed, const struct tls_server_options *server, const struct tls_client_options *client)
{
	struct ends *ends = memory_new(sizeof *ends);
	struct address any = { .family = ADDRESS_IP4, .port = PORT };
	int e;

	ends->server.ends = ends->client.ends = ends;
	ends->sim = sim_new(seed, NULL);
	library_start();
	drawing = ends;
	library_draw_from(draw);
	ends->server_host = sim_host_new(ends->sim, "10.0.0.1");
	ends->client_host = sim_host_new(ends->sim, "10.0.0.2");
	sim_host_enter(ends->server_host);
	e = loop_new(&(struct loop_options){ .name = "server" }, &ends->server.loop);
	CHECK(e == 0);
	e = listen_open(ends->server_host, &any, 1, &(struct listen_options){ 0 }, &ends->set);
	CHECK(e == 0);
	ends->listener = listen_start(ends->set, 0, ends->server.loop, accepted, ends);
	sim_host_enter(ends->client_host);
	e = loop_new(&(struct loop_options){ .name = "client" }, &ends->client.loop);
	CHECK(e == 0);
	put_files(ends);
	make_objects(ends, server, client);
	ends->address = *sim_host_address(ends->server_host);
	ends->address.port = PORT;
	return ends;
}

void ends_free(struct ends *ends)
{
	ends_close(ends);
	CHECK(loop_buffers(ends->server.loop)->in_use == 0 && loop_buffers(ends->client.loop)->in_use == 0);
	tls_session_free(&ends->session);
	tls_pools_free(ends->server_pools);
	tls_pools_free(ends->client_pools);
	tls_client_unref(ends->tls_client);
	sim_host_enter(ends->server_host);
	tls_server_unref(ends->tls_server);
	listen_stop(ends->listener);
	listen_close(ends->set);
	loop_free(ends->server.loop);
	loop_free(ends->client.loop);
	library_draw_from(NULL);
	sim_free(ends->sim);
	text_free(&ends->server.received);
	text_free(&ends->client.received);
	memory_free(ends);
}

/* ---- running ---- */

struct question {
	struct ends *ends;
	struct end *end;
	const char *text;
	bool (*is_so)(struct ends *ends);
};

static bool waiting(void *owner)
{
	struct question *question = owner;

	if (question->end)
		return !question->end->received.bytes || !strstr(question->end->received.bytes, question->text);
	return !question->is_so(question->ends);
}

static bool run(struct ends *ends, struct question *question)
{
	return !waiting(question) || sim_run_while(ends->sim, waiting, question, CLOCK_MINUTE);
}

bool ends_run_until(struct ends *ends, bool (*is_so)(struct ends *ends))
{
	return run(ends, &(struct question){ .ends = ends, .is_so = is_so });
}

bool ends_run_until_received(struct ends *ends, struct end *end, const char *text)
{
	return run(ends, &(struct question){ .ends = ends, .end = end, .text = text });
}

bool ends_open(struct ends *ends)
{
	return ends->server.connected && ends->client.connected;
}

bool ends_failed(struct ends *ends)
{
	return ends->server.failed && ends->client.failed;
}

bool ends_server_failed(struct ends *ends)
{
	return ends->server.failed;
}

bool ends_client_failed(struct ends *ends)
{
	return ends->client.failed;
}

bool ends_server_ended(struct ends *ends)
{
	return ends->server.ended;
}

bool ends_client_ended(struct ends *ends)
{
	return ends->client.ended;
}

bool ends_server_connected(struct ends *ends)
{
	return ends->server.connected;
}

/* The client's hello is on its way. */
bool ends_client_shaking(struct ends *ends)
{
	return ends->client.records > 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_end.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "certificates.h"
#include "io/loop.h"

enum { TLS_END_MAGIC = 0x746c7365, RECORD_MOST = 16384, SMALL_MOST = 2000, PIECES_AT_ONCE = 64 };

struct tls_end {
	struct stream stream; /* first */
	uint32_t magic;
	struct harness *harness;
	struct stream *below; /* NULL: closed */
	SSL *ssl;
	BIO *in, *out; /* of ssl: what has arrived and isn't read, what isn't sent yet */
	struct random random;
	struct tls_end_manners manners;
	struct tls_end_session *session;
	bool client, http2, small, full;
	bool open;   /* the handshake is done */
	bool broken; /* no memory: told from the loop */
	bool failed; /* told */
	bool closed, paused, below_ended, told_ended, finishing;
	bool truncating; /* it ends without close_notify */
	bool want_drained;
	unsigned inside; /* events that are being told: it isn't freed from inside one */
	size_t below_waiting;
	struct task task;
	struct timer hold;
	char *plain; /* taken and not encrypted: before the handshake is done all, then less than a record */
	size_t plain_length;
};

/* Of the run. */
static SSL_CTX *client_context, *server_contexts[CERTIFICATES];
static unsigned shown;

static const struct stream_ops ops;

static struct tls_end *end_of(const struct stream *stream)
{
	struct tls_end *end = (struct tls_end *)(uintptr_t)stream;
	CHECK_MAGIC(end, TLS_END_MAGIC);
	return end;
}

static bool chance(struct tls_end *end, uint32_t per_million)
{
	return draw_chance(&end->random, per_million);
}

/* --- life --- */

static void end_free(struct tls_end *end)
{
	/* Or OpenSSL takes its session for a bad one. */
	if (end->ssl)
		SSL_set_shutdown(end->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(end->ssl);
	memory_free(end->plain);
	end->magic = 0;
	memory_free(end);
}

/* Around all that tells the owner something. */
static void enter(struct tls_end *end)
{
	end->inside++;
}

static void leave(struct tls_end *end)
{
	if (--end->inside == 0 && end->closed)
		end_free(end);
}

static void tell_failed(struct tls_end *end, int error)
{
	if (end->failed || end->closed)
		return;
	end->failed = true;
	timer_cancel(end->stream.loop, &end->hold);
	task_cancel(end->stream.loop, &end->task);
	end->stream.events->failed(end->stream.owner, error);
}

/* What OpenSSL objects to. It runs out of memory when the run's faults say so, and hears from the other end that that one does. */
static void tell_trouble(struct tls_end *end, const char *when)
{
	unsigned long why = ERR_peek_last_error();
	bool heard = ERR_GET_LIB(why) == ERR_LIB_SSL && ERR_GET_REASON(why) >= SSL_AD_REASON_OFFSET;
	const char *reason = ERR_reason_error_string(why);
	sim_note(end->harness->sim, "TLS %s: %s", when, reason ? reason : "unknown");
	if (end->open && !heard && ERR_GET_REASON(why) != ERR_R_MALLOC_FAILURE)
		harness_fail(end->harness, "a %s is sent broken TLS: %s", end->client ? "user" : "service", reason ? reason : "unknown");
	ERR_clear_error();
	tell_failed(end, ERROR_SYNTAX);
}

/* --- sending --- */

static size_t held(struct tls_end *end)
{
	return end->ssl ? BIO_ctrl_pending(end->out) : 0;
}

static size_t waiting(struct tls_end *end)
{
	return end->below_waiting + held(end);
}

/* At most `most` bytes of what OpenSSL has written. False: there is no buffer. */
static bool send_some(struct tls_end *end, size_t most)
{
	while (most > 0) {
		struct buffer *buffer = buffer_get(loop_buffers(end->stream.loop));
		size_t length;
		if (!buffer)
			return false;
		length = most < buffer->capacity ? most : buffer->capacity;
		CHECK(BIO_read_ex(end->out, buffer->bytes, length, &length) == 1);
		buffer->filled = (uint32_t)length;
		most -= length;
		struct piece piece = { buffer, buffer->bytes, length };
		end->below_waiting = stream_take(end->below, &piece, 1);
	}
	return true;
}

static void break_soon(struct tls_end *end)
{
	end->broken = true;
	task_set(end->stream.loop, &end->task);
}

static void flush(struct tls_end *end, bool all)
{
	size_t length = held(end), back = 0;
	if (length == 0 || end->broken)
		return;
	if (!all && chance(end, end->manners.hold_chance))
		back = (size_t)draw_below(&end->random, (int64_t)length + 1);
	if (!send_some(end, length - back))
		break_soon(end);
	else if (back > 0 && !timer_is_set(&end->hold))
		timer_set(end->stream.loop, &end->hold, loop_now(end->stream.loop) + draw_below(&end->random, 3 * CLOCK_MS));
}

static void rekey(struct tls_end *end)
{
	if (SSL_version(end->ssl) != TLS1_3_VERSION || !chance(end, end->manners.rekey_chance))
		return;
	int both = chance(end, 500000);
	if (SSL_key_update(end->ssl, both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) != 1)
		ERR_clear_error();
}

static size_t record_size(struct tls_end *end)
{
	if (end->small)
		return 1 + (size_t)draw_skewed(&end->random, SMALL_MOST, 4);
	return end->full ? RECORD_MOST : 1 + (size_t)draw_below(&end->random, RECORD_MOST);
}

/* In records of drawn sizes; unless it is all, less than the largest waits for more. */
static void encrypt(struct tls_end *end, bool all)
{
	size_t done = 0;
	while (!end->broken && (end->plain_length - done >= RECORD_MOST || (all && done < end->plain_length))) {
		size_t some = record_size(end), left = end->plain_length - done;
		if (some > left)
			some = left;
		if (SSL_write_ex(end->ssl, end->plain + done, some, &some) != 1) {
			ERR_clear_error();
			break_soon(end);
			return;
		}
		done += some;
	}
	end->plain_length -= done;
	if (done > 0)
		memmove(end->plain, end->plain + done, end->plain_length);
}

static void tell_drained(struct tls_end *end)
{
	if (!end->open || end->failed || end->closed || !end->want_drained || waiting(end) > 0)
		return;
	end->want_drained = false;
	end->stream.events->drained(end->stream.owner);
}

static void on_hold(void *owner)
{
	struct tls_end *end = owner;
	enter(end);
	flush(end, true);
	tell_drained(end);
	leave(end);
}

static void say_goodbye(struct tls_end *end)
{
	encrypt(end, true);
	if (chance(end, end->manners.truncate_chance))
		end->truncating = true;
	if (end->truncating)
		sim_note(end->harness->sim, "TLS ends without close_notify");
	else
		SSL_shutdown(end->ssl);
	ERR_clear_error();
	flush(end, true);
}

/* --- the handshake --- */

static void opened(struct tls_end *end)
{
	end->open = true;
	if (end->finishing) {
		say_goodbye(end);
		stream_finish(end->below);
	}
	if (end->paused)
		stream_pause(end->below);
	if (end->stream.events->connected)
		end->stream.events->connected(end->stream.owner);
}

static void shake(struct tls_end *end)
{
	ERR_clear_error();
	int outcome = SSL_do_handshake(end->ssl);
	if (outcome == 1) {
		sim_note(end->harness->sim, "%s%s", SSL_get_version(end->ssl), SSL_session_reused(end->ssl) ? ", resumed" : "");
		opened(end);
	} else if (SSL_get_error(end->ssl, outcome) != SSL_ERROR_WANT_READ) {
		flush(end, true);
		tell_trouble(end, "handshake");
	}
}

/* --- reading --- */

static bool may_read(const struct tls_end *end)
{
	return end->open && !end->paused && !end->failed && !end->closed && !end->told_ended;
}

/* False: there is no more. */
static bool read_once(struct tls_end *end)
{
	struct buffer *buffer = buffer_get(loop_buffers(end->stream.loop));
	size_t count = 0;
	if (!buffer) {
		tell_failed(end, ERROR_LIMIT);
		return false;
	}
	ERR_clear_error();
	int good = SSL_read_ex(end->ssl, buffer->bytes, buffer->capacity, &count);
	int why = good == 1 ? SSL_ERROR_NONE : SSL_get_error(end->ssl, good);
	if (good == 1) {
		buffer->filled = (uint32_t)count;
		end->stream.events->received(end->stream.owner, buffer);
		return true;
	}
	buffer_unref(buffer);
	if (why == SSL_ERROR_ZERO_RETURN) {
		end->told_ended = true;
		end->stream.events->ended(end->stream.owner);
	} else if (why != SSL_ERROR_WANT_READ) {
		tell_trouble(end, "reading");
	}
	return false;
}

/* Proxies end with close_notify, an alert, or a reset, also to whom has left it out. */
static void truncated(struct tls_end *end)
{
	if (end->open)
		harness_fail(end->harness, "a %s is told the end of TLS without close_notify", end->client ? "user" : "service");
	tell_failed(end, ERROR_RESET);
}

static void pump(struct tls_end *end)
{
	enter(end);
	if (end->broken)
		tell_failed(end, ERROR_LIMIT);
	if (!end->open && !end->failed)
		shake(end);
	while (may_read(end) && read_once(end))
		;
	if (end->below_ended && (may_read(end) || !end->open) && !end->closed)
		truncated(end);
	if (!end->failed && !end->closed) {
		if (end->open)
			encrypt(end, true);
		flush(end, false);
		tell_drained(end);
	}
	leave(end);
}

static void run(void *owner)
{
	pump(owner);
}

/* --- what the stream below tells --- */

static void below_connected(void *owner)
{
	pump(owner);
}

static void below_received(void *owner, struct buffer *buffer)
{
	struct tls_end *end = owner;
	size_t written;
	if (!end->broken && !end->failed && BIO_write_ex(end->in, buffer->bytes, buffer->filled, &written) != 1)
		end->broken = true;
	buffer_unref(buffer);
	if (!end->failed)
		pump(end);
}

static void below_ended(void *owner)
{
	struct tls_end *end = owner;
	end->below_ended = true;
	if (!end->failed)
		pump(end);
}

static void below_drained(void *owner)
{
	struct tls_end *end = owner;
	end->below_waiting = 0;
	enter(end);
	tell_drained(end);
	leave(end);
}

static void below_failed(void *owner, int error)
{
	struct tls_end *end = owner;
	enter(end);
	tell_failed(end, error);
	leave(end);
}

static const struct stream_events below_events = {
	.connected = below_connected,
	.received = below_received,
	.ended = below_ended,
	.drained = below_drained,
	.failed = below_failed,
};

/* --- what the owner does --- */

static void keep(struct tls_end *end, const char *at, size_t length)
{
	end->plain = memory_grow(end->plain, end->plain_length + length, 1);
	memcpy(end->plain + end->plain_length, at, length);
	end->plain_length += length;
}

static size_t take(struct stream *stream, const struct piece *pieces, unsigned count)
{
	struct tls_end *end = end_of(stream);
	bool lost = end->failed || end->broken;
	CHECK(count <= PIECES_AT_ONCE && !end->finishing);
	if (end->open && !lost)
		rekey(end);
	for (unsigned i = 0; i < count; i++) {
		struct piece piece = pieces[i];
		if (!lost && piece.length > 0)
			keep(end, piece.at, piece.length);
		piece_release(&piece);
	}
	if (lost)
		return 0;
	if (end->open) {
		encrypt(end, end->small);
		flush(end, false);
	}
	/* What else is sent in this turn goes into the same record. */
	if (end->open && end->plain_length > 0)
		task_set(stream->loop, &end->task);
	size_t left = waiting(end) + (end->open ? 0 : end->plain_length);
	if (left > 0)
		end->want_drained = true;
	return left;
}

static void pause_reading(struct stream *stream)
{
	struct tls_end *end = end_of(stream);
	end->paused = true;
	if (end->open && !end->failed)
		stream_pause(end->below);
}

static void resume_reading(struct stream *stream)
{
	struct tls_end *end = end_of(stream);
	end->paused = false;
	if (!end->open || end->failed)
		return;
	stream_resume(end->below);
	/* What is here already is told from the loop. */
	task_set(stream->loop, &end->task);
}

static void finish(struct stream *stream)
{
	struct tls_end *end = end_of(stream);
	end->finishing = true;
	if (!end->open || end->failed || end->broken)
		return;
	say_goodbye(end);
	stream_finish(end->below);
}

static enum stream_closing close_open(struct tls_end *end, enum stream_closing how)
{
	bool in_order = how == STREAM_LINGER || (how == STREAM_CLOSE && waiting(end) == 0);
	if (!in_order || end->finishing)
		return how;
	if (how == STREAM_CLOSE && chance(end, end->manners.reset_chance))
		return STREAM_RESET;
	say_goodbye(end);
	/* Or a reset might be all that the other end sees of it. */
	return end->broken ? STREAM_RESET : STREAM_LINGER;
}

static void close_stream(struct stream *stream, enum stream_closing how)
{
	struct tls_end *end = end_of(stream);
	if (end->open && !end->failed && !end->broken)
		how = close_open(end, how);
	end->below->ops->close(end->below, how);
	end->below = NULL;
	end->closed = true;
	timer_cancel(stream->loop, &end->hold);
	task_cancel(stream->loop, &end->task);
	if (end->inside == 0)
		end_free(end);
}

void tls_end_truncate(struct stream *stream)
{
	end_of(stream)->truncating = true;
	stream_linger(stream);
}

static void addresses(const struct stream *stream, struct address *local, struct address *remote)
{
	stream_addresses(end_of(stream)->below, local, remote);
}

static const struct stream_ops ops = {
	.take = take,
	.pause = pause_reading,
	.resume = resume_reading,
	.finish = finish,
	.close = close_stream,
	.addresses = addresses,
};

/* --- making --- */

static const unsigned char alpn_two[] = "\x02h2", alpn_one[] = "\x08http/1.1";

static bool secure(struct tls_end *end)
{
	end->ssl = SSL_new(end->client ? client_context : server_contexts[shown]);
	end->in = BIO_new(BIO_s_mem());
	end->out = BIO_new(BIO_s_mem());
	if (!end->ssl || !end->in || !end->out || !SSL_set_app_data(end->ssl, end)) {
		BIO_free(end->in);
		BIO_free(end->out);
		return false;
	}
	BIO_set_mem_eof_return(end->in, -1);
	SSL_set_bio(end->ssl, end->in, end->out);
	if (chance(end, end->manners.old_chance))
		SSL_set_max_proto_version(end->ssl, TLS1_2_VERSION);
	if (!end->client) {
		SSL_set_accept_state(end->ssl);
		if (chance(end, end->manners.asking_chance))
			SSL_set_verify(end->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		return true;
	}
	SSL_set_connect_state(end->ssl);
	if (end->session && end->session->session && !chance(end, end->manners.fresh_chance))
		SSL_set_session(end->ssl, end->session->session);
	/* Who speaks HTTP/1.1 says so, or doesn't. */
	if (end->http2 && SSL_set_alpn_protos(end->ssl, alpn_two, sizeof(alpn_two) - 1) != 0)
		return false;
	if (!end->http2 && chance(end, 500000) && SSL_set_alpn_protos(end->ssl, alpn_one, sizeof(alpn_one) - 1) != 0)
		return false;
	return SSL_set_tlsext_host_name(end->ssl, CERTIFICATES_NAME) == 1 && SSL_set1_host(end->ssl, CERTIFICATES_NAME) == 1;
}

static struct stream *end_new(struct harness *harness, struct stream *below, bool client, bool http2, const struct tls_end_manners *manners,
	uint64_t seed, struct tls_end_session *session)
{
	struct tls_end *end = memory_new(sizeof(*end));
	*end = (struct tls_end){
		.stream = { .ops = &ops, .loop = below->loop },
		.magic = TLS_END_MAGIC,
		.harness = harness,
		.below = below,
		.client = client,
		.http2 = http2,
		.session = session,
		.manners = *manners,
		.paused = true,
	};
	random_init(&end->random, seed);
	end->small = chance(end, manners->small_chance);
	end->full = chance(end, manners->full_chance);
	task_init(&end->task, run, end);
	timer_init(&end->hold, on_hold, end);
	stream_own(below, &below_events, end);
	stream_resume(below);
	if (!secure(end)) {
		SSL_free(end->ssl);
		end->ssl = NULL;
		ERR_clear_error();
		break_soon(end);
	}
	return &end->stream;
}

struct stream *tls_end_connect(struct harness *harness, struct stream *below, bool http2, const struct tls_end_manners *manners,
	uint64_t seed, struct tls_end_session *session)
{
	return end_new(harness, below, true, http2, manners, seed, session);
}

struct stream *tls_end_accept(
	struct harness *harness, struct stream *below, bool http2, const struct tls_end_manners *manners, uint64_t seed)
{
	return end_new(harness, below, false, http2, manners, seed, NULL);
}

/* --- sessions --- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_end *end = SSL_get_app_data(ssl);
	if (!end->session)
		return 0;
	SSL_SESSION_free(end->session->session);
	end->session->session = session;
	return 1;
}

void tls_end_forget(struct tls_end_session *session)
{
	SSL_SESSION_free(session->session);
	session->session = NULL;
}

/* --- contexts --- */

static int choose_alpn(
	SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *offered, unsigned count, void *owner)
{
	const struct tls_end *end = SSL_get_app_data(ssl);
	const unsigned char *ours = end->http2 ? alpn_two : alpn_one;
	unsigned char *chosen;
	(void)owner;
	if (SSL_select_next_proto(&chosen, length, ours, ours[0] + 1u, offered, count) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(const SSL_METHOD *method, const struct pki *shown_there)
{
	SSL_CTX *context = SSL_CTX_new(method);
	CHECK(context && SSL_CTX_use_cert_and_key(context, shown_there->x509, shown_there->pkey, NULL, 1) == 1);
	CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificates_of_run()->root.x509) == 1);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	return context;
}

void tls_end_begin(void)
{
	const struct certificates *certificates = certificates_of_run();
	static const unsigned char name[] = "services";
	shown = 0;
	client_context = new_context(TLS_client_method(), &certificates->nodes[0]);
	SSL_CTX_set_verify(client_context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(client_context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(client_context, keep_session);
	for (unsigned i = 0; i < CERTIFICATES; i++) {
		server_contexts[i] = new_context(TLS_server_method(), &certificates->nodes[i]);
		CHECK(SSL_CTX_set_session_id_context(server_contexts[i], name, sizeof(name) - 1) == 1);
		SSL_CTX_set_session_cache_mode(server_contexts[i], SSL_SESS_CACHE_OFF);
		SSL_CTX_set_alpn_select_cb(server_contexts[i], choose_alpn, NULL);
	}
}

void tls_end_show(unsigned which)
{
	shown = which;
}

void tls_end_finish(void)
{
	SSL_CTX_free(client_context);
	for (unsigned i = 0; i < CERTIFICATES; i++)
		SSL_CTX_free(server_contexts[i]);
}

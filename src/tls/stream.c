/* SPDX-License-Identifier: Apache-2.0 */
/* A stream's states (enum tls_state), and what moves it between them; move_to is the one function that does.
 *
 *	CONNECTING  the stream below says `connected`           SHAKING    (a client's)
 *	SHAKING     the handshake is done                       OPEN       `connected` is told
 *	            the first byte is not TLS's, permissive     PLAIN      `connected` is told
 *	            its owner lingers, with bytes to send       LINGERING, until the handshake is done, fails or takes too long
 *	any         it breaks                                   FAILED     `failed` is told, then only stream_close is awaited
 *	any         stream_close, stream_linger                 CLOSED     freed by the task, when nothing of it is on the stack
 */
#include <openssl/err.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "tls/stream_parts.h"
#include "wire/client_hello.h"

enum { ANSWERS_MOST = 64 };

static const struct stream_ops ops;
static void read_on(struct tls_stream *s);

static struct tls_stream *of_stream(const struct stream *stream)
{
	struct tls_stream *s = (struct tls_stream *)(uintptr_t)stream;

	CHECK_MAGIC(s, STREAM_MAGIC);
	CHECK(s->state != TLS_CLOSED && s->state != TLS_LINGERING);
	return s;
}

static void drop_input(struct tls_stream *s)
{
	if (s->input)
		buffer_unref(s->input);
	s->input = NULL;
}

/* --- handshakes: their beginning, their end --- */

static void end_handshake(struct tls_stream *s)
{
	struct handshake *h = s->handshake;

	if (!h)
		return;
	s->handshake = NULL;
	timer_cancel(s->stream.loop, &h->deadline);
	if (h->queued)
		list_remove(&h->link);
	for (unsigned i = 0; i < h->waiting_count; i++)
		buffer_unref(h->waiting[i]);
	pool_put(&s->pools->handshakes, h);
}

static void close_below(struct tls_stream *s, enum stream_closing how)
{
	s->below->ops->close(s->below, how);
	s->below = NULL;
}

static void move_to(struct tls_stream *s, enum tls_state state)
{
	CHECK(s->state != TLS_CLOSED);
	CHECK(s->state != TLS_FAILED || state == TLS_CLOSED);
	s->state = (uint8_t)state;
	if (state == TLS_FAILED || state == TLS_CLOSED) {
		end_handshake(s);
		drop_input(s);
		task_cancel(s->stream.loop, &s->task);
	}
	if (state == TLS_CLOSED)
		task_set(s->stream.loop, &s->task);
}

/* --- failing --- */

/* Once a cipher is chosen the peer may hold the connection for open: what fails then without an alert ends by a reset. A FIN would pass
 * for an end in order, whose close_notify is missing; and what was sent may stop inside a record. */
static enum stream_closing closing_failed(const struct tls_stream *s, enum stream_closing how)
{
	if (s->alerted)
		return STREAM_LINGER;
	return s->ssl && SSL_get_current_cipher(s->ssl) ? STREAM_RESET : how;
}

/* From an event of the loop. */
static void tell_failed(struct tls_stream *s, int error)
{
	bool lingering = s->state == TLS_LINGERING;

	move_to(s, TLS_FAILED);
	if (lingering) {
		close_below(s, closing_failed(s, STREAM_CLOSE));
		move_to(s, TLS_CLOSED);
	} else {
		s->stream.events->failed(s->stream.owner, error);
	}
}

/* Told by a line of its own, so that the noise of those who only come and go doesn't use up what may be written of it. */
static bool is_refusal(const struct tls_stream *s, enum tls_failure failure)
{
	return s->server && (failure == TLS_FAILURE_UNTRUSTED || failure == TLS_FAILURE_UNSHOWN);
}

static void count_failure(struct tls_stream *s, enum tls_failure failure, const char *reason)
{
	struct address local, remote;
	char text[ADDRESS_TEXT], at[ADDRESS_TEXT];

	if (s->counters)
		counter_add(&s->counters->failures[failure], 1);
	if (!log_wanted(LOG_INFO, "tls"))
		return;
	stream_addresses(s->below, &local, &remote);
	address_format(&remote, text);
	if (is_refusal(s, failure)) {
		address_format(&local, at);
		LOG(LOG_INFO, "tls", "refused a caller: from %s, at %s: %s", text, at, reason);
		return;
	}
	LOG(LOG_INFO, "tls", "%s %s: %s", s->server ? "a connection from" : "the connection to", text, reason);
}

static void fail(struct tls_stream *s, enum tls_failure failure, int error, const char *reason)
{
	count_failure(s, failure, reason);
	tell_failed(s, error);
}

/* Why OpenSSL has given up. */
struct trouble {
	enum tls_failure failure;
	int error;
	char text[FAILURE_TEXT];
};

/* Before anybody is called: others use OpenSSL's queue of errors and the flight, too. An alert may be on its way. */
static void find_trouble(struct tls_stream *s, struct trouble *trouble)
{
	trouble->failure = failure_of(s->ssl, &trouble->error, trouble->text);
	if (!flight_send(s)) {
		trouble->failure = TLS_FAILURE_LIMIT;
		trouble->error = ERROR_LIMIT;
		s->alerted = false;
	}
}

/* Found inside a call, told from the loop. */
static void fail_later(struct tls_stream *s, int error)
{
	if (s->broken)
		return;
	count_failure(s, TLS_FAILURE_LIMIT, error_text(error));
	s->broken = true;
	s->error = error;
	task_set(s->stream.loop, &s->task);
}

/* --- reading from below --- */

/* The stream below is read while there is nowhere that its bytes already wait. */
static void set_reading(struct tls_stream *s)
{
	bool pause;

	if (s->state == TLS_FAILED || s->state == TLS_CLOSED)
		return;
	pause = s->input || (s->paused && (s->state == TLS_OPEN || s->state == TLS_PLAIN));
	if (pause == s->below_paused)
		return;
	s->below_paused = pause;
	if (pause)
		stream_pause(s->below);
	else
		stream_resume(s->below);
}

static void tell_ended(struct tls_stream *s)
{
	s->told_ended = true;
	s->stream.events->ended(s->stream.owner);
}

/* Fills the buffer with what OpenSSL has; returns SSL_ERROR_NONE when it is full. */
static int fill(struct tls_stream *s, struct buffer *buffer)
{
	buffer->filled = 0;
	while (buffer_room(buffer) > 0) {
		size_t count;

		ERR_clear_error();
		if (SSL_read_ex(s->ssl, buffer->bytes + buffer->filled, buffer_room(buffer), &count) != 1)
			return SSL_get_error(s->ssl, 0);
		buffer->filled += (uint32_t)count;
	}
	return SSL_ERROR_NONE;
}

/* What reading made OpenSSL write (answers to key updates) goes out; a peer that asks for them and doesn't read them is cut off. */
static bool send_answers(struct tls_stream *s)
{
	if (s->pools->flight.count == 0 && !s->pools->flight.failed)
		return true;
	return flight_send(s) && (s->below_waiting == 0 || ++s->answers <= ANSWERS_MOST);
}

/* One buffer's worth. Returns whether there may be more. */
static bool read_once(struct tls_stream *s)
{
	struct buffer *buffer = buffer_get(loop_buffers(s->stream.loop));
	struct trouble trouble = { .failure = TLS_FAILURE_LIMIT, .error = ERROR_LIMIT, .text = "too many key updates, or no buffers" };
	bool failed = !buffer;
	int outcome = SSL_ERROR_NONE;

	if (buffer) {
		outcome = fill(s, buffer);
		if (outcome != SSL_ERROR_NONE)
			drop_input(s);
		if (outcome == SSL_ERROR_SSL || outcome == SSL_ERROR_SYSCALL) {
			find_trouble(s, &trouble);
			failed = true;
		} else {
			failed = !send_answers(s);
		}
		if (buffer->filled > 0)
			s->stream.events->received(s->stream.owner, buffer);
		else
			buffer_unref(buffer);
		if (s->state != TLS_OPEN)
			return false;
	}
	if (failed) {
		fail(s, trouble.failure, trouble.error, trouble.text);
		return false;
	}
	if (outcome == SSL_ERROR_ZERO_RETURN && !s->told_ended)
		tell_ended(s);
	return outcome == SSL_ERROR_NONE;
}

static void pass_plain(struct tls_stream *s)
{
	struct buffer *buffer = s->input;

	s->input = NULL;
	if (buffer)
		s->stream.events->received(s->stream.owner, buffer);
}

/* The peer's end without close_notify is told when all before it was. */
static void read_end(struct tls_stream *s)
{
	if (s->state == TLS_PLAIN) {
		tell_ended(s);
		return;
	}
	s->truncated = true;
	fail(s, TLS_FAILURE_TRUNCATED, ERROR_RESET, "ended without close_notify");
}

static void read_on(struct tls_stream *s)
{
	while (s->state == TLS_OPEN && !s->broken && !s->paused && !s->told_ended && (s->input || SSL_has_pending(s->ssl))) {
		if (!read_once(s))
			break;
	}
	/* OpenSSL would go on with what it couldn't write, and the peer would take that for broken. The task tells it. */
	if (s->broken)
		return;
	if (s->state == TLS_PLAIN && !s->paused)
		pass_plain(s);
	/* OpenSSL lets them go itself only after bytes of an application. */
	if (s->state == TLS_OPEN && !s->input)
		SSL_free_buffers(s->ssl);
	if (s->told_ended)
		drop_input(s);
	if ((s->state == TLS_OPEN || s->state == TLS_PLAIN) && !s->paused && !s->input && s->below_ended && !s->told_ended)
		read_end(s);
	set_reading(s);
}

/* --- writing --- */

/* close_notify. False: it isn't sent, or not all of it. */
static bool notify_end(struct tls_stream *s)
{
	bool good;

	ERR_clear_error();
	good = SSL_shutdown(s->ssl) >= 0;
	return flight_send(s) && good;
}

/* close_notify, then the end of the stream below. */
static void finish_below(struct tls_stream *s)
{
	s->finished = true;
	if (s->state == TLS_OPEN && !notify_end(s)) {
		fail_later(s, ERROR_LIMIT);
		return;
	}
	stream_finish(s->below);
}

/* What waited for the handshake. */
static int send_waiting(struct tls_stream *s, struct handshake *h)
{
	struct piece pieces[WAITING_MOST];
	unsigned count = h->waiting_count;

	for (unsigned i = 0; i < count; i++) {
		pieces[i] = piece_of(h->waiting[i], h->waiting[i]->bytes, h->waiting[i]->filled);
		buffer_unref(h->waiting[i]);
	}
	h->waiting_count = 0;
	if (count == 0)
		return 0;
	if (s->state == TLS_OPEN)
		return flight_write(s, pieces, count);
	s->below_waiting = stream_take(s->below, pieces, count);
	return 0;
}

/* Open, or plain: what waited goes out, the owner is told. */
static void opened(struct tls_stream *s)
{
	int e = send_waiting(s, s->handshake);

	end_handshake(s);
	if (e) {
		fail(s, TLS_FAILURE_LIMIT, e, "no buffers");
		return;
	}
	if (s->stream.events->connected)
		s->stream.events->connected(s->stream.owner);
	if (s->state != TLS_OPEN && s->state != TLS_PLAIN)
		return;
	if (s->finishing && !s->finished)
		finish_below(s);
	if (s->want_drained && s->below_waiting == 0) {
		s->want_drained = false;
		s->stream.events->drained(s->stream.owner);
	}
	read_on(s);
}

/* --- the handshake --- */

static void go_plain(struct tls_stream *s)
{
	if (s->counters)
		counter_add(&s->counters->plain, 1);
	move_to(s, TLS_PLAIN);
	opened(s);
}

/* What was to be sent is, and that was all. */
static void linger_below(struct tls_stream *s)
{
	bool good = send_waiting(s, s->handshake) == 0 && notify_end(s);

	close_below(s, good ? STREAM_LINGER : STREAM_RESET);
	move_to(s, TLS_CLOSED);
}

/* A ticket of TLS 1.2 that was renewed comes with a session of its own, which OpenSSL tells nobody of. */
static void keep_session(struct tls_stream *s)
{
	SSL_SESSION *session;

	if (!s->session || SSL_version(s->ssl) == TLS1_3_VERSION)
		return;
	session = SSL_get1_session(s->ssl);
	if (!stream_new_session(s->ssl, session))
		SSL_SESSION_free(session);
}

static void shaken(struct tls_stream *s)
{
	bool lingering = s->state == TLS_LINGERING;
	char reason[FACTS_REASON];
	int e = facts_gather(s, slice_of(s->handshake->peers), reason);

	if (e) {
		fail(s, e == ERROR_DENIED ? TLS_FAILURE_UNTRUSTED : TLS_FAILURE_LIMIT, e, reason);
		return;
	}
	if (s->counters)
		counter_add(&s->counters->handshakes, 1);
	if (s->counters && s->security->resumed)
		counter_add(&s->counters->resumed, 1);
	keep_session(s);
	idle_begin(s);
	if (s->input && s->input_at == s->input->filled)
		drop_input(s);
	move_to(s, TLS_OPEN);
	if (!lingering && s->handshake->identified && s->security->peer_uri.length > 0)
		s->handshake->identified(s->handshake->owner, s->security->peer_uri);
	if (lingering)
		linger_below(s);
	else
		opened(s);
}

static void offer_session(struct tls_stream *s)
{
	if (!s->session || !s->session->session)
		return;
	if (!client_may_resume(s->ssl, s->session->session, loop_wall(s->stream.loop)))
		tls_session_free(s->session);
	else if (!SSL_set_session(s->ssl, s->session->session))
		ERR_clear_error(); /* then a full handshake */
}

/* What fails in a handshake may leave part of it to be sent, and no alert: only OpenSSL knows which. */
static void note_alert(const SSL *ssl, int where, int what)
{
	struct tls_stream *s = SSL_get_app_data(ssl);

	if (where == SSL_CB_WRITE_ALERT && what >> 8 == SSL3_AL_FATAL)
		s->alerted = true;
}

static bool begin(struct tls_stream *s)
{
	BIO *bio;

	s->ssl = s->server ? server_begin(s->server) : client_begin(s->client, slice_of(s->handshake->name));
	if (!s->ssl)
		return false;
	bio = flight_bio(s);
	if (!bio)
		return false;
	SSL_set_bio(s->ssl, bio, bio);
	if (!SSL_set_app_data(s->ssl, s))
		return false;
	SSL_set_info_callback(s->ssl, note_alert);
	if (s->handshake->alpn.length > 0 &&
		SSL_set_alpn_protos(s->ssl, (const unsigned char *)s->handshake->alpn.at, (unsigned)s->handshake->alpn.length))
		return false;
	/* Never the library's own clock. */
	X509_VERIFY_PARAM_set_time(SSL_get0_param(s->ssl), (time_t)(loop_wall(s->stream.loop) / CLOCK_SECOND));
	offer_session(s);
	return true;
}

static void step(struct tls_stream *s)
{
	int outcome;

	if (!s->ssl && s->server && tls_server_options(s->server)->permissive &&
		client_hello_first(slice_make(s->input->bytes, s->input->filled)) == CLIENT_HELLO_PLAIN) {
		go_plain(s);
		return;
	}
	ERR_clear_error();
	if (!s->ssl && !begin(s)) {
		fail(s, TLS_FAILURE_LIMIT, ERROR_NO_MEMORY, "memory is out");
		return;
	}
	outcome = SSL_do_handshake(s->ssl);
	if (outcome == 1) {
		if (flight_send(s))
			shaken(s);
		else
			fail(s, TLS_FAILURE_LIMIT, ERROR_LIMIT, "no buffers");
		return;
	}
	outcome = SSL_get_error(s->ssl, outcome);
	drop_input(s); /* read to its end, or of no use */
	if (outcome != SSL_ERROR_WANT_READ) {
		struct trouble trouble;

		find_trouble(s, &trouble);
		fail(s, trouble.failure, trouble.error, trouble.text);
	} else if (!flight_send(s)) {
		fail(s, TLS_FAILURE_LIMIT, ERROR_LIMIT, "no buffers");
	} else if (s->below_ended) {
		fail(s, TLS_FAILURE_LEFT, ERROR_RESET, "left during the handshake");
	} else {
		set_reading(s);
	}
}

static bool may_step(struct tls_pools *pools)
{
	if (pools->turn != loop_now(pools->loop)) {
		pools->turn = loop_now(pools->loop);
		pools->steps = 0;
	}
	return pools->steps < pools->limits.steps_per_turn;
}

static void run_queue(void *owner)
{
	struct tls_pools *pools = owner;

	while (!list_empty(&pools->queue) && may_step(pools)) {
		struct handshake *h = LIST_OF(list_first(&pools->queue), struct handshake, link);

		list_remove(&h->link);
		h->queued = false;
		pools->steps++;
		step(h->stream);
	}
	if (!list_empty(&pools->queue))
		timer_set(pools->loop, &pools->next_turn, loop_now(pools->loop));
}

static void next_turn(void *owner)
{
	struct tls_pools *pools = owner;

	pools->steps = 0;
	run_queue(pools);
}

/* A step soon, in the order of arrival. */
static void want_step(struct tls_stream *s)
{
	struct handshake *h = s->handshake;

	if (h->queued)
		return;
	h->queued = true;
	list_append(&s->pools->queue, &h->link);
	if (!timer_is_set(&s->pools->next_turn))
		task_set(s->stream.loop, &s->pools->run_queue);
}

static void too_long(void *owner)
{
	struct handshake *h = owner;

	fail(h->stream, TLS_FAILURE_TIMEOUT, ERROR_TIMEOUT, "the handshake takes too long");
}

/* --- what the stream below tells; nothing of it counts once this one has failed --- */

static void below_connected(void *owner)
{
	struct tls_stream *s = owner;

	CHECK_MAGIC(s, STREAM_MAGIC);
	/* A server waits for the client's first bytes. */
	if (s->state != TLS_CONNECTING)
		return;
	move_to(s, TLS_SHAKING);
	want_step(s);
}

static void below_received(void *owner, struct buffer *buffer)
{
	struct tls_stream *s = owner;

	CHECK_MAGIC(s, STREAM_MAGIC);
	CHECK(!s->input);
	if (s->told_ended || s->state == TLS_FAILED) {
		buffer_unref(buffer);
		return;
	}
	s->input = buffer;
	s->input_at = 0;
	if (s->handshake) {
		want_step(s);
		set_reading(s);
	} else {
		read_on(s);
	}
}

static void below_ended(void *owner)
{
	struct tls_stream *s = owner;

	CHECK_MAGIC(s, STREAM_MAGIC);
	s->below_ended = true;
	if (s->state == TLS_FAILED)
		return;
	if (s->handshake && !s->handshake->queued)
		fail(s, TLS_FAILURE_LEFT, ERROR_RESET, "left during the handshake");
	else if (!s->handshake)
		read_on(s);
}

static void below_drained(void *owner)
{
	struct tls_stream *s = owner;

	CHECK_MAGIC(s, STREAM_MAGIC);
	s->below_waiting = 0;
	s->answers = 0;
	if (s->handshake || !s->want_drained || s->state == TLS_FAILED)
		return;
	s->want_drained = false;
	s->stream.events->drained(s->stream.owner);
}

static void below_failed(void *owner, int error)
{
	struct tls_stream *s = owner;

	CHECK_MAGIC(s, STREAM_MAGIC);
	if (s->state == TLS_FAILED)
		return;
	if (s->handshake && s->state != TLS_CONNECTING)
		count_failure(s, TLS_FAILURE_LEFT, error_text(error));
	tell_failed(s, error);
}

static const struct stream_events below_events = {
	.connected = below_connected,
	.received = below_received,
	.ended = below_ended,
	.drained = below_drained,
	.failed = below_failed,
};

/* --- what the owner does --- */

static void release_all(const struct piece *pieces, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct piece piece = pieces[i];

		piece_release(&piece);
	}
}

/* A copy: what comes before a handshake is done is a request, at most. False: too much, or no buffer. */
static bool keep_waiting(struct tls_stream *s, const char *at, size_t length)
{
	struct handshake *h = s->handshake;

	h->waiting_bytes += length;
	while (length > 0) {
		struct buffer *last = h->waiting_count ? h->waiting[h->waiting_count - 1] : NULL;

		if (!last || buffer_room(last) == 0) {
			last = h->waiting_count < WAITING_MOST ? buffer_get(loop_buffers(s->stream.loop)) : NULL;
			if (!last)
				return false;
			last->filled = 0;
			h->waiting[h->waiting_count++] = last;
		}
		size_t some = buffer_room(last) < length ? buffer_room(last) : length;
		memcpy(last->bytes + last->filled, at, some);
		last->filled += (uint32_t)some;
		at += some;
		length -= some;
	}
	return true;
}

static size_t take_early(struct tls_stream *s, const struct piece *pieces, unsigned count)
{
	bool good = true;

	for (unsigned i = 0; i < count && good; i++)
		good = keep_waiting(s, pieces[i].at, pieces[i].length);
	release_all(pieces, count);
	if (!good)
		fail_later(s, ERROR_LIMIT);
	if (s->handshake->waiting_bytes > 0)
		s->want_drained = true;
	return s->handshake->waiting_bytes;
}

static size_t take(struct stream *stream, const struct piece *pieces, unsigned count)
{
	struct tls_stream *s = of_stream(stream);
	int e = 0;

	CHECK(count <= 64);
	if (s->state == TLS_FAILED || s->broken || s->finishing) {
		release_all(pieces, count);
		return 0;
	}
	if (s->handshake)
		return take_early(s, pieces, count);
	if (s->state == TLS_PLAIN)
		s->below_waiting = stream_take(s->below, pieces, count);
	else
		e = flight_write(s, pieces, count);
	if (e) {
		fail_later(s, e);
		return 0;
	}
	if (s->below_waiting > 0)
		s->want_drained = true;
	return s->below_waiting;
}

static void pause_stream(struct stream *stream)
{
	struct tls_stream *s = of_stream(stream);

	s->paused = true;
	set_reading(s);
}

static void resume_stream(struct stream *stream)
{
	struct tls_stream *s = of_stream(stream);

	s->paused = false;
	if (s->state != TLS_OPEN && s->state != TLS_PLAIN)
		return;
	/* What waits here is told from the loop. */
	if (s->input || (s->ssl && SSL_has_pending(s->ssl)) || s->below_ended)
		task_set(stream->loop, &s->task);
	else
		set_reading(s);
}

static void finish(struct stream *stream)
{
	struct tls_stream *s = of_stream(stream);

	if (s->finishing)
		return;
	s->finishing = true;
	if (!s->broken && (s->state == TLS_OPEN || s->state == TLS_PLAIN))
		finish_below(s);
}

/* With close_notify, unless something of ours would be missing before it. */
static void close_open(struct tls_stream *s, enum stream_closing how)
{
	bool notify = how == STREAM_LINGER || (how == STREAM_CLOSE && s->below_waiting == 0);

	if (notify && !s->finished) {
		if (!notify_end(s))
			how = STREAM_RESET;
		else if (s->below_waiting > 0) /* of close_notify itself: or the reset would look like one in the middle */
			how = STREAM_LINGER;
	}
	close_below(s, how);
}

static void close_stream(struct stream *stream, enum stream_closing how)
{
	struct tls_stream *s = of_stream(stream);

	s->stream.events = NULL;
	s->stream.owner = NULL;
	if (s->state == TLS_SHAKING && how == STREAM_LINGER && !s->broken && s->handshake->waiting_bytes > 0) {
		move_to(s, TLS_LINGERING);
		return;
	}
	/* Who left close_notify out is still owed ours (RFC 8446 section 6.1): its own direction may be whole. */
	if (!s->broken && (s->state == TLS_OPEN || s->truncated))
		close_open(s, how);
	else if (s->state == TLS_FAILED)
		close_below(s, closing_failed(s, how));
	else
		close_below(s, s->state == TLS_PLAIN ? how : STREAM_RESET);
	move_to(s, TLS_CLOSED);
}

static void addresses(const struct stream *stream, struct address *local, struct address *remote)
{
	stream_addresses(of_stream(stream)->below, local, remote);
}

static int64_t silence(const struct stream *stream)
{
	return stream_silence(of_stream(stream)->below);
}

static const struct stream_security *security(const struct stream *stream)
{
	return of_stream(stream)->security;
}

static const struct stream_ops ops = {
	.take = take,
	.pause = pause_stream,
	.resume = resume_stream,
	.finish = finish,
	.close = close_stream,
	.addresses = addresses,
	.security = security,
	.silence = silence,
};

/* --- objects --- */

static void stream_free(struct tls_stream *s)
{
	/* Or OpenSSL takes its session for a bad one. */
	if (s->security)
		SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	facts_free(s);
	SSL_free(s->ssl);
	tls_server_unref(s->server);
	tls_client_unref(s->client);
	s->magic = 0;
	pool_put(&s->pools->streams, s);
}

static void run(void *owner)
{
	struct tls_stream *s = owner;

	CHECK_MAGIC(s, STREAM_MAGIC);
	if (s->state == TLS_CLOSED)
		stream_free(s);
	else if (s->broken)
		tell_failed(s, s->error);
	else
		read_on(s);
}

/* `below` is not touched by a failure. */
static int stream_new(struct tls_pools *pools, struct stream *below, struct tls_counters *counters, struct tls_stream **out)
{
	struct tls_stream *s = pool_get(&pools->streams);
	struct handshake *h = s ? pool_get(&pools->handshakes) : NULL;

	if (!h) {
		if (s)
			pool_put(&pools->streams, s);
		if (counters)
			counter_add(&counters->failures[TLS_FAILURE_LIMIT], 1);
		return ERROR_LIMIT;
	}
	*s = (struct tls_stream){
		.stream = { .ops = &ops, .loop = pools->loop },
		.magic = STREAM_MAGIC,
		.state = TLS_SHAKING,
		.paused = true,
		.pools = pools,
		.below = below,
		.counters = counters,
		.handshake = h,
	};
	h->queued = false;
	h->stream = s;
	h->waiting_count = 0;
	h->waiting_bytes = 0;
	h->name[0] = h->peers[0] = '\0';
	h->alpn = (struct slice){ 0 };
	h->identified = NULL;
	list_init(&h->link);
	task_init(&s->task, run, s);
	timer_init(&h->deadline, too_long, h);
	timer_set(pools->loop, &h->deadline, loop_now(pools->loop) + pools->limits.handshake_ns);
	stream_own(below, &below_events, s);
	*out = s;
	return 0;
}

int tls_accept(
	struct tls_pools *pools, struct tls_server *server, struct stream *below, struct tls_counters *counters, struct stream **stream)
{
	struct tls_stream *s;
	int e = stream_new(pools, below, counters, &s);

	if (e) {
		stream_close(below);
		return e;
	}
	s->server = tls_server_ref(server);
	stream_resume(below);
	*stream = &s->stream;
	return 0;
}

static void set_text(char *text, struct slice s)
{
	if (s.length > 0)
		memcpy(text, s.at, s.length);
	text[s.length] = '\0';
}

int tls_connect(struct tls_pools *pools, struct tls_client *client, const struct tls_target *target, struct stream *below,
	struct tls_counters *counters, struct stream **stream)
{
	struct tls_stream *s;
	int e = ERROR_INVALID;

	if (target->name.length <= TLS_NAME_MOST && target->peers.length <= TLS_PEERS_MOST)
		e = stream_new(pools, below, counters, &s);
	if (e) {
		stream_close(below);
		return e;
	}
	set_text(s->handshake->name, target->name);
	set_text(s->handshake->peers, target->peers);
	s->handshake->alpn = target->alpn;
	s->state = TLS_CONNECTING;
	s->session = target->session;
	s->client = tls_client_ref(client);
	stream_resume(below);
	*stream = &s->stream;
	return 0;
}

void tls_identify(struct stream *stream, void (*identified)(void *owner, struct slice id), void *owner)
{
	struct tls_stream *s = of_stream(stream);

	CHECK(s->handshake);
	s->handshake->identified = identified;
	s->handshake->owner = owner;
}

/* --- sessions --- */

/* TLS 1.3: with each ticket, at any time after the handshake. */
int stream_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_stream *s = SSL_get_app_data(ssl);

	if (!s->session || !SSL_SESSION_is_resumable(session))
		return 0;
	SSL_SESSION_free(s->session->session);
	s->session->session = session;
	return 1;
}

void tls_session_free(struct tls_session *session)
{
	SSL_SESSION_free(session->session);
	session->session = NULL;
}

/* --- pools --- */

enum { POOLS_MAGIC = 0x544c5350, HANDSHAKES = 4096, STEPS = 16 };

int tls_pools_new(struct loop *loop, const struct tls_limits *limits, struct tls_pools **pools)
{
	struct tls_pools *new = memory_new(sizeof *new);

	new->magic = POOLS_MAGIC;
	new->loop = loop;
	new->limits = *limits;
	if (!new->limits.max_handshakes)
		new->limits.max_handshakes = HANDSHAKES;
	if (!new->limits.steps_per_turn)
		new->limits.steps_per_turn = STEPS;
	if (!new->limits.handshake_ns)
		new->limits.handshake_ns = 10 * CLOCK_SECOND;
	pool_init(&new->streams, "tls stream", sizeof(struct tls_stream), new->limits.max_streams);
	pool_init(&new->handshakes, "tls handshake", sizeof(struct handshake), new->limits.max_handshakes);
	new->stage = memory_array(RECORD_MOST, 1);
	list_init(&new->queue);
	task_init(&new->run_queue, run_queue, new);
	timer_init(&new->next_turn, next_turn, new);
	*pools = new;
	return 0;
}

void tls_pools_free(struct tls_pools *pools)
{
	if (!pools)
		return;
	CHECK_MAGIC(pools, POOLS_MAGIC);
	task_cancel(pools->loop, &pools->run_queue);
	timer_cancel(pools->loop, &pools->next_turn);
	for (unsigned i = 0; i < sizeof pools->idle / sizeof pools->idle[0]; i++)
		idle_fini(&pools->idle[i]);
	pool_fini(&pools->streams);
	pool_fini(&pools->handshakes);
	memory_free(pools->stage);
	pools->magic = 0;
	memory_free(pools);
}

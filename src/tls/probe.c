/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/probe.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/loop.h"
#include "io/stream.h"
#include "tls/certificate.h"
#include "tls/stream_parts.h"

enum { PROBE_MAGIC = 0x70726f62 };

static const int64_t usual_limit_ns = 10 * CLOCK_SECOND;
/* With TLS 1.3 a server judges our certificate when the handshake is over for us (RFC 8446 section 4.4.2.4). That it takes it we know from
 * whatever comes next, a session ticket most likely; if nothing comes in this time, it was not refused. */
static const int64_t verdict_ns = CLOCK_SECOND;

enum state { SHAKING, WAITING_FOR_VERDICT, OVER };

struct probe {
	uint32_t magic;
	enum state state;
	struct stream *stream;
	struct loop *loop;
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	struct text server_name;
	struct timer limit;
	struct probe_result result;
	void (*done)(void *owner);
	void *owner;
};

/* ---- bytes ---- */

static bool send_records(struct probe *probe)
{
	while (BIO_pending(probe->out) > 0) {
		struct buffer *buffer = buffer_get(loop_buffers(probe->loop));
		struct piece piece;
		int count;

		if (!buffer)
			return false;
		count = BIO_read(probe->out, buffer->bytes, (int)buffer->capacity);
		CHECK(count > 0);
		buffer->filled = (uint32_t)count;
		piece = (struct piece){ buffer, buffer->bytes, (size_t)count };
		stream_take(probe->stream, &piece, 1);
	}
	return true;
}

/* ---- the end ---- */

static void finish(struct probe *probe, int error, const char *reason)
{
	if (probe->state == OVER)
		return;
	probe->state = OVER;
	timer_cancel(probe->loop, &probe->limit);
	probe->result.error = error;
	if (error) {
		text_append(&probe->result.reason, slice_of(reason));
		stream_close(probe->stream);
	} else {
		/* So that no server takes us for one that was cut off. */
		SSL_shutdown(probe->ssl);
		(void)!send_records(probe);
		stream_linger(probe->stream);
	}
	ERR_clear_error();
	probe->stream = NULL;
	probe->done(probe->owner);
}

/* Everything was fine, or the handshake was. */
static void on_limit(void *owner)
{
	struct probe *probe = owner;

	CHECK_MAGIC(probe, PROBE_MAGIC);
	if (probe->state == WAITING_FOR_VERDICT)
		finish(probe, 0, NULL);
	else
		finish(probe, ERROR_TIMEOUT, "the handshake took too long");
}

/* ---- what is seen ---- */

static int took_chain(X509_STORE_CTX *verification, void *owner)
{
	struct probe *probe = owner;
	X509 *leaf = X509_STORE_CTX_get0_cert(verification);
	const STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(verification);

	for (int i = 0; i < sk_X509_num(shown); i++)
		certificate_write(sk_X509_value(shown, i), &probe->result.chain);
	if (probe->server_name.length)
		probe->result.name_matches = X509_check_host(leaf, probe->server_name.bytes, probe->server_name.length,
						     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1 ||
			X509_check_ip_asc(leaf, probe->server_name.bytes, 0) == 1;
	ERR_clear_error();
	return 1;
}

/* Called when the server asks for a certificate, whether we have one or not. */
static int was_asked(SSL *ssl, void *owner)
{
	struct probe *probe = owner;

	(void)ssl;
	probe->result.asked = true;
	return 1;
}

static void note_agreement(struct probe *probe)
{
	const unsigned char *alpn;
	unsigned length;

	probe->result.version = SSL_get_version(probe->ssl);
	probe->result.cipher = SSL_get_cipher_name(probe->ssl);
	SSL_get0_alpn_selected(probe->ssl, &alpn, &length);
	text_append(&probe->result.alpn, slice_make((const char *)alpn, length));
}

/* ---- steps ---- */

/* What OpenSSL says of the step that gave `result`; true: more bytes are needed. */
static bool wants_more(struct probe *probe, int result)
{
	char reason[FAILURE_TEXT];
	int code = SSL_get_error(probe->ssl, result), error;

	if (!send_records(probe)) {
		finish(probe, ERROR_NO_MEMORY, "memory is out");
		return false;
	}
	if (result > 0 || code == SSL_ERROR_WANT_READ)
		return true;
	if (code == SSL_ERROR_ZERO_RETURN) {
		finish(probe, 0, NULL);
		return false;
	}
	failure_of(probe->ssl, &error, reason);
	finish(probe, error, reason);
	return false;
}

static void await_verdict(struct probe *probe)
{
	note_agreement(probe);
	probe->state = WAITING_FOR_VERDICT;
	if (!probe->result.asked || SSL_version(probe->ssl) != TLS1_3_VERSION)
		finish(probe, 0, NULL);
	else
		timer_set(probe->loop, &probe->limit, loop_now(probe->loop) + verdict_ns);
}

static void step(struct probe *probe)
{
	ERR_clear_error();
	if (probe->state == SHAKING) {
		int result = SSL_do_handshake(probe->ssl);

		if (wants_more(probe, result) && result == 1)
			await_verdict(probe);
	} else if (probe->state == WAITING_FOR_VERDICT) {
		char first;

		/* A ticket, or what the server says first. */
		if (wants_more(probe, SSL_read(probe->ssl, &first, 1)))
			finish(probe, 0, NULL);
	}
}

static void connected(void *owner)
{
	struct probe *probe = owner;

	CHECK_MAGIC(probe, PROBE_MAGIC);
	stream_resume(probe->stream);
	step(probe);
}

static void received(void *owner, struct buffer *buffer)
{
	struct probe *probe = owner;
	int count;

	CHECK_MAGIC(probe, PROBE_MAGIC);
	count = BIO_write(probe->in, buffer->bytes, (int)buffer->filled);
	CHECK(count == (int)buffer->filled); /* a BIO in memory takes all, or the process has none left */
	buffer_unref(buffer);
	step(probe);
	/* The handshake's end and what follows it may come in one piece. */
	if (probe->state == WAITING_FOR_VERDICT && BIO_pending(probe->in) > 0)
		step(probe);
}

static void ended(void *owner)
{
	struct probe *probe = owner;

	CHECK_MAGIC(probe, PROBE_MAGIC);
	if (probe->state == SHAKING)
		finish(probe, ERROR_CLOSED, "the server closed the connection during the handshake");
	else
		finish(probe, ERROR_CLOSED, "the server closed the connection when it had seen who we are");
}

static void drained(void *owner)
{
	(void)owner;
}

static void failed(void *owner, int error)
{
	finish(owner, error, error_text(error));
}

static const struct stream_events stream_events = {
	.connected = connected,
	.received = received,
	.ended = ended,
	.drained = drained,
	.failed = failed,
};

/* ---- life ---- */

static int use_certificate(struct probe *probe, const struct probe_options *options, struct text *why)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key = NULL;
	X509 *leaf;
	int e;

	if (!options->certificate.at)
		return 0;
	e = certificate_read(options->certificate, &chain, why);
	if (e)
		return e;
	e = certificate_read_key(options->key, &key, why);
	if (!e) {
		leaf = sk_X509_shift(chain);
		if (SSL_CTX_use_cert_and_key(probe->context, leaf, key, chain, 1) != 1) {
			text_format(why, "%s", certificate_reason());
			e = ERROR_INVALID;
		}
		X509_free(leaf);
	}
	EVP_PKEY_free(key);
	certificate_free_all(chain);
	return e;
}

static void make_ssl(struct probe *probe, const struct probe_options *options)
{
	SSL_CTX_set_verify(probe->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(probe->context, took_chain, probe);
	SSL_CTX_set_cert_cb(probe->context, was_asked, probe);
	/* To look at what is there, however old; the level below which OpenSSL refuses to is not ours to judge by. */
	SSL_CTX_set_security_level(probe->context, 0);
	SSL_CTX_set_min_proto_version(probe->context, TLS1_VERSION);
	probe->ssl = SSL_new(probe->context);
	probe->in = BIO_new(BIO_s_mem());
	probe->out = BIO_new(BIO_s_mem());
	if (!probe->ssl || !probe->in || !probe->out)
		check_out_of_memory("OpenSSL");
	SSL_set_bio(probe->ssl, probe->in, probe->out);
	BIO_set_mem_eof_return(probe->in, -1);
	SSL_set_connect_state(probe->ssl);
	if (probe->server_name.length)
		(void)!SSL_set_tlsext_host_name(probe->ssl, probe->server_name.bytes);
	if (options->alpn.length)
		(void)!SSL_set_alpn_protos(probe->ssl, (const unsigned char *)options->alpn.at, (unsigned)options->alpn.length);
}

int probe_new(struct stream *stream, const struct probe_options *options, void (*done)(void *owner), void *owner, struct probe **result,
	struct text *why)
{
	struct probe *probe = memory_new(sizeof *probe);
	int e;

	probe->magic = PROBE_MAGIC;
	probe->stream = stream;
	probe->loop = stream->loop;
	probe->done = done;
	probe->owner = owner;
	timer_init(&probe->limit, on_limit, probe);
	text_append(&probe->server_name, options->server_name);
	probe->context = SSL_CTX_new(TLS_client_method());
	if (!probe->context)
		check_out_of_memory("OpenSSL");
	e = use_certificate(probe, options, why);
	if (e) {
		probe_free(probe);
		return e;
	}
	make_ssl(probe, options);
	timer_set(probe->loop, &probe->limit, loop_now(probe->loop) + (options->limit_ns ? options->limit_ns : usual_limit_ns));
	stream_own(stream, &stream_events, probe);
	*result = probe;
	return 0;
}

const struct probe_result *probe_result(const struct probe *probe)
{
	CHECK_MAGIC(probe, PROBE_MAGIC);
	return &probe->result;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	CHECK_MAGIC(probe, PROBE_MAGIC);
	timer_cancel(probe->loop, &probe->limit);
	if (probe->stream)
		stream_close(probe->stream);
	SSL_free(probe->ssl);
	SSL_CTX_free(probe->context);
	text_free(&probe->server_name);
	text_free(&probe->result.reason);
	text_free(&probe->result.chain);
	text_free(&probe->result.alpn);
	probe->magic = 0;
	memory_free(probe);
}

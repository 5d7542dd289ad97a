/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/server.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tls/copy.h"
#include "tls/current.h"
#include "tls/stream_parts.h"
#include "tls/tickets.h"

enum { MAGIC = 0x544c5353, TICKET_SECONDS = 3600 };

struct tls_server {
	uint32_t magic;
	_Atomic uint32_t references;
	struct tls_server_options options;
	struct arena arena; /* of the options */
	struct tickets *tickets;
	struct current current;
	_Atomic int64_t left; /* seconds, as last shown */
};

/* What one reading of the files gave, for the callbacks of the context that was made of it; freed with that. */
struct loaded {
	struct tickets *tickets; /* the server's: it outlives its connections' handshakes by the reference that each stream has */
	unsigned char alpn[256]; /* as on the wire: each name behind its length */
	unsigned alpn_length;
	unsigned count;
	struct material_pair pairs[];
};

/* ---- callbacks ---- */

static int place_of_loaded(void);

static struct loaded *loaded_of(SSL *ssl)
{
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place_of_loaded());
}

/* The exact name before a wildcard, the first before a later one. */
static const struct material_pair *choose(const struct loaded *loaded, const char *name)
{
	static const unsigned how[] = { X509_CHECK_FLAG_NO_WILDCARDS, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS };

	for (unsigned pass = 0; name && pass < 2; pass++) {
		for (unsigned i = 0; i < loaded->count; i++) {
			if (X509_check_host(loaded->pairs[i].leaf, name, 0, how[pass], NULL) == 1)
				return &loaded->pairs[i];
		}
	}
	return &loaded->pairs[0];
}

/* With several certificates. The first is the context's own. */
static int choose_certificate(SSL *ssl, void *owner)
{
	const struct loaded *loaded = owner;
	const struct material_pair *pair = choose(loaded, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));

	return pair == &loaded->pairs[0] || SSL_use_cert_and_key(ssl, pair->leaf, pair->key, pair->chain, 1) == 1;
}

static int choose_alpn(
	SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *offered, unsigned count, void *owner)
{
	const struct loaded *loaded = owner;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, length, loaded->alpn, loaded->alpn_length, offered, count) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int use_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	int result = tickets_use(loaded_of(ssl)->tickets, name, iv, cipher, mac, sealing);

	/* Clients use a ticket of TLS 1.3 only once (RFC 8446 appendix C.4): they need another. */
	return result == 1 && !sealing && SSL_version(ssl) == TLS1_3_VERSION ? 2 : result;
}

/* A session whose client's certificate has ended since is not resumed: the client shows the one that it has now. */
static SSL_TICKET_RETURN judge_ticket(
	SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t length, SSL_TICKET_STATUS status, void *owner)
{
	const struct tls_stream *s = SSL_get_app_data(ssl);

	(void)name;
	(void)length;
	(void)owner;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (facts_outlived(session, loop_wall(s->stream.loop)))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

static int staple(SSL *ssl, void *owner)
{
	const struct loaded *loaded = owner;
	const X509 *shown = SSL_get_certificate(ssl);

	for (unsigned i = 0; i < loaded->count; i++) {
		const struct material_pair *pair = &loaded->pairs[i];

		if (pair->leaf != shown || !pair->ocsp)
			continue;
		unsigned char *copy = OPENSSL_memdup(pair->ocsp, pair->ocsp_length);
		if (!copy)
			break;
		SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)pair->ocsp_length);
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* ---- loading ---- */

static void loaded_free(void *parent, void *at, CRYPTO_EX_DATA *all, int place, long number, void *pointer)
{
	struct loaded *loaded = at;

	(void)parent;
	(void)all;
	(void)place;
	(void)number;
	(void)pointer;
	if (!loaded)
		return;
	for (unsigned i = 0; i < loaded->count; i++)
		material_pair_free(&loaded->pairs[i]);
	memory_free(loaded);
}

/* OpenSSL numbers these for the whole process. First called on the control thread, before any worker. */
static int place_of_loaded(void)
{
	static int place = -1;

	if (place < 0) {
		place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, loaded_free);
		CHECK(place >= 0);
	}
	return place;
}

static void write_alpn(struct loaded *loaded, const struct tls_choices *choices)
{
	for (unsigned i = 0; i < choices->alpn_count; i++) {
		struct slice name = choices->alpn[i];

		CHECK(name.length > 0 && loaded->alpn_length + name.length + 1 <= sizeof loaded->alpn);
		loaded->alpn[loaded->alpn_length++] = (unsigned char)name.length;
		memcpy(loaded->alpn + loaded->alpn_length, name.at, name.length);
		loaded->alpn_length += (unsigned)name.length;
	}
}

static bool load_pairs(struct material *material, const struct tls_server_options *options, struct loaded *loaded)
{
	bool good = true;

	for (unsigned i = 0; i < options->certificate_count; i++) {
		if (material_pair(material, &options->certificates[i], &loaded->pairs[i]))
			loaded->count = i + 1;
		else
			good = false;
	}
	return good;
}

/* As OpenSSL would, but that the connection doesn't keep the chain that was found. */
static int verify(X509_STORE_CTX *verification, void *nothing)
{
	int outcome = X509_verify_cert(verification);

	(void)nothing;
	if (outcome <= 0) {
		SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());

		facts_note_stranger(SSL_get_app_data(ssl), X509_STORE_CTX_get0_cert(verification));
	}
	X509_STORE_CTX_set0_verified_chain(verification, NULL);
	return outcome > 0;
}

static bool load_trust(struct material *material, const struct tls_server_options *options, SSL_CTX *context)
{
	STACK_OF(X509_NAME) * names;
	int how = SSL_VERIFY_PEER;

	if (options->client_certificate == TLS_CLIENT_CERTIFICATE_OFF)
		return true;
	if (options->client_certificate == TLS_CLIENT_CERTIFICATE_REQUIRED)
		how |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	names = sk_X509_NAME_new_null();
	if (!names)
		check_out_of_memory("OpenSSL");
	SSL_CTX_set_verify(context, how, NULL);
	SSL_CTX_set_cert_verify_callback(context, verify, NULL);
	if (!material_trust(material, options->trust, options->trust_count, SSL_CTX_get_cert_store(context), names)) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return false;
	}
	SSL_CTX_set_client_CA_list(context, names);
	return true;
}

static void set_sessions(struct loaded *loaded, SSL_CTX *context)
{
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(context, TICKET_SECONDS);
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_ticket);
	if (!SSL_CTX_set_session_ticket_cb(context, NULL, judge_ticket, NULL))
		check_out_of_memory("OpenSSL");
	if (loaded->alpn_length)
		SSL_CTX_set_alpn_select_cb(context, choose_alpn, loaded);
	if (loaded->count > 1)
		SSL_CTX_set_cert_cb(context, choose_certificate, loaded);
	for (unsigned i = 0; i < loaded->count; i++) {
		if (loaded->pairs[i].ocsp) {
			SSL_CTX_set_tlsext_status_cb(context, staple);
			SSL_CTX_set_tlsext_status_arg(context, loaded);
		}
	}
}

/* NULL: problems were added. */
static SSL_CTX *load(struct tls_server *server, struct material *material)
{
	const struct tls_server_options *options = &server->options;
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	struct loaded *loaded = memory_new(sizeof *loaded + options->certificate_count * sizeof loaded->pairs[0]);
	unsigned char name[MATERIAL_DIGEST];
	bool good;

	if (!context || !SSL_CTX_set_ex_data(context, place_of_loaded(), loaded))
		check_out_of_memory("OpenSSL");
	loaded->tickets = server->tickets;
	write_alpn(loaded, &options->choices);
	good = load_trust(material, options, context);
	/* A session is resumed only where the same clients are trusted. */
	material_name_sessions(material, (int)options->client_certificate, context, name);
	good = load_pairs(material, options, loaded) && good;
	/* Where the user chooses none: with TLS 1.2, too, only forward secrecy and authenticated encryption. */
	if (!SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20"))
		check_out_of_memory("OpenSSL");
	good = material_choices(material, &options->choices, context) && good;
	if (good && SSL_CTX_use_cert_and_key(context, loaded->pairs[0].leaf, loaded->pairs[0].key, loaded->pairs[0].chain, 1) != 1) {
		material_problem(material, &options->certificates[0].chain, "%s cannot be used: %s", options->certificates[0].chain.text.at,
			ERR_reason_error_string(ERR_peek_last_error()));
		good = false;
	}
	set_sessions(loaded, context);
	ERR_clear_error();
	if (good)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

int tls_server_reload(struct tls_server *server, int64_t wall_ns, struct problems *problems, bool *changed)
{
	struct material material;
	SSL_CTX *context;

	CHECK_MAGIC(server, MAGIC);
	*changed = false;
	material_begin(&material, wall_ns, problems);
	context = load(server, &material);
	material_end(&material);
	if (!context)
		return ERROR_INVALID;
	if (server->current.context && memcmp(server->current.digest, material.digest, sizeof material.digest) == 0) {
		SSL_CTX_free(context);
		return 0;
	}
	*changed = true;
	current_set(&server->current, context, &material);
	return 0;
}

/* ---- objects ---- */

int tls_server_new(const struct tls_server_options *options, int64_t wall_ns, struct problems *problems, struct tls_server **server)
{
	struct tls_server *new = memory_new(sizeof *new);
	bool changed;

	CHECK(options->certificate_count > 0);
	new->magic = MAGIC;
	atomic_store_explicit(&new->references, 1, memory_order_relaxed);
	arena_init(&new->arena, NULL, 0);
	copy_server(&new->arena, options, &new->options);
	new->tickets = tickets_new();
	new->current.lock = lock_new();
	int e = tls_server_reload(new, wall_ns, problems, &changed);
	if (e) {
		tls_server_unref(new);
		return e;
	}
	*server = new;
	return 0;
}

void tls_server_rotate(struct tls_server *server)
{
	CHECK_MAGIC(server, MAGIC);
	tickets_rotate(server->tickets);
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
	CHECK_MAGIC(server, MAGIC);
	atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
	return server;
}

void tls_server_unref(struct tls_server *server)
{
	if (!server)
		return;
	CHECK_MAGIC(server, MAGIC);
	if (atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel) > 1)
		return;
	SSL_CTX_free(server->current.context);
	tickets_free(server->tickets);
	lock_free(server->current.lock);
	arena_reset(&server->arena);
	server->magic = 0;
	memory_free(server);
}

const struct tls_server_options *tls_server_options(const struct tls_server *server)
{
	CHECK_MAGIC(server, MAGIC);
	return &server->options;
}

bool server_unused(const struct tls_server *server)
{
	return atomic_load_explicit(&server->references, memory_order_acquire) == 1;
}

void server_show_left(struct tls_server *server, int64_t wall_ns)
{
	int64_t expires = server->current.expires;

	atomic_store_explicit(&server->left, expires == INT64_MAX ? INT64_MAX : expires - wall_ns / CLOCK_SECOND, memory_order_relaxed);
}

int64_t tls_server_left(const struct tls_server *server)
{
	return atomic_load_explicit(&server->left, memory_order_relaxed);
}

int64_t tls_server_expires(const struct tls_server *server)
{
	CHECK_MAGIC(server, MAGIC);
	return server->current.expires;
}

SSL *server_begin(struct tls_server *server)
{
	SSL_CTX *context = current_take(&server->current);
	SSL *ssl = SSL_new(context);

	SSL_CTX_free(context); /* ssl has its own reference */
	if (ssl)
		SSL_set_accept_state(ssl);
	return ssl;
}

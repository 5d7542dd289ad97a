/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/client.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tls/copy.h"
#include "tls/current.h"
#include "tls/stream_parts.h"

enum { MAGIC = 0x544c5343, ALPN_MOST = 256 };

/* Of a context: what sessions that began with it are called. */
struct session_name {
	unsigned char bytes[MATERIAL_DIGEST];
};

struct tls_client {
	uint32_t magic;
	_Atomic uint32_t references;
	struct tls_client_options options;
	struct arena arena; /* of the options */
	struct current current;
	_Atomic int64_t left; /* seconds, as last shown */
};

/* ---- loading ---- */

static void name_free(void *parent, void *at, CRYPTO_EX_DATA *all, int place, long number, void *pointer)
{
	(void)parent;
	(void)all;
	(void)place;
	(void)number;
	(void)pointer;
	memory_free(at);
}

/* OpenSSL numbers these for the whole process. First called on the control thread, before any worker. */
static int place_of_name(void)
{
	static int place = -1;

	if (place < 0) {
		place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, name_free);
		CHECK(place >= 0);
	}
	return place;
}

/* The server's certificate is verified when a session begins and not when it is resumed, so a session ends with the trust that it began
 * with; and with our certificate, which is all that the server will know of us. */
static void name_sessions(struct material *material, const struct tls_client_options *options, SSL_CTX *context)
{
	struct session_name *name = memory_new(sizeof *name);

	material_name_sessions(material, options->no_verification, context, name->bytes);
	if (!SSL_CTX_set_ex_data(context, place_of_name(), name))
		check_out_of_memory("OpenSSL");
}

static void set_alpn(SSL_CTX *context, const struct tls_choices *choices)
{
	unsigned char list[ALPN_MOST];
	unsigned length = 0;

	for (unsigned i = 0; i < choices->alpn_count; i++) {
		struct slice name = choices->alpn[i];

		CHECK(name.length > 0 && length + name.length + 1 <= sizeof list);
		list[length++] = (unsigned char)name.length;
		memcpy(list + length, name.at, name.length);
		length += (unsigned)name.length;
	}
	if (length && SSL_CTX_set_alpn_protos(context, list, length))
		check_out_of_memory("OpenSSL");
}

static bool load_trust(struct material *material, const struct tls_client_options *options, SSL_CTX *context)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context);

	if (options->no_verification)
		return true;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (options->trust_count == 0)
		return material_system_trust(material, store);
	return material_trust(material, options->trust, options->trust_count, store, NULL);
}

static bool load_certificate(struct material *material, const struct tls_client_options *options, SSL_CTX *context)
{
	struct material_pair pair;
	bool good = true;

	if (options->certificate.chain.text.length == 0)
		return true;
	if (!material_pair(material, &options->certificate, &pair))
		return false;
	if (SSL_CTX_use_cert_and_key(context, pair.leaf, pair.key, pair.chain, 1) != 1) {
		material_problem(material, &options->certificate.chain, "%s cannot be used: %s", options->certificate.chain.text.at,
			ERR_reason_error_string(ERR_peek_last_error()));
		good = false;
	}
	material_pair_free(&pair);
	return good;
}

/* NULL: problems were added. */
static SSL_CTX *load(struct tls_client *client, struct material *material)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	bool good;

	if (!context)
		check_out_of_memory("OpenSSL");
	good = load_trust(material, &client->options, context);
	good = load_certificate(material, &client->options, context) && good;
	name_sessions(material, &client->options, context);
	good = material_choices(material, &client->options.choices, context) && good;
	set_alpn(context, &client->options.choices);
	/* Kept where the connection is made, one for each endpoint (struct tls_session). */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, stream_new_session);
	ERR_clear_error();
	if (good)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

int tls_client_reload(struct tls_client *client, int64_t wall_ns, struct problems *problems, bool *changed)
{
	struct material material;
	SSL_CTX *context;

	CHECK_MAGIC(client, MAGIC);
	*changed = false;
	material_begin(&material, wall_ns, problems);
	context = load(client, &material);
	material_end(&material);
	if (!context)
		return ERROR_INVALID;
	if (client->current.context && memcmp(client->current.digest, material.digest, sizeof material.digest) == 0) {
		SSL_CTX_free(context);
		return 0;
	}
	*changed = true;
	current_set(&client->current, context, &material);
	return 0;
}

/* ---- objects ---- */

int tls_client_new(const struct tls_client_options *options, int64_t wall_ns, struct problems *problems, struct tls_client **client)
{
	struct tls_client *new = memory_new(sizeof *new);
	bool changed;

	new->magic = MAGIC;
	atomic_store_explicit(&new->references, 1, memory_order_relaxed);
	arena_init(&new->arena, NULL, 0);
	copy_client(&new->arena, options, &new->options);
	new->current.lock = lock_new();
	int e = tls_client_reload(new, wall_ns, problems, &changed);
	if (e) {
		tls_client_unref(new);
		return e;
	}
	*client = new;
	return 0;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
	CHECK_MAGIC(client, MAGIC);
	atomic_fetch_add_explicit(&client->references, 1, memory_order_relaxed);
	return client;
}

void tls_client_unref(struct tls_client *client)
{
	if (!client)
		return;
	CHECK_MAGIC(client, MAGIC);
	if (atomic_fetch_sub_explicit(&client->references, 1, memory_order_acq_rel) > 1)
		return;
	SSL_CTX_free(client->current.context);
	lock_free(client->current.lock);
	arena_reset(&client->arena);
	client->magic = 0;
	memory_free(client);
}

const struct tls_client_options *tls_client_options(const struct tls_client *client)
{
	CHECK_MAGIC(client, MAGIC);
	return &client->options;
}

bool client_unused(const struct tls_client *client)
{
	return atomic_load_explicit(&client->references, memory_order_acquire) == 1;
}

void client_show_left(struct tls_client *client, int64_t wall_ns)
{
	int64_t expires = client->current.expires;

	atomic_store_explicit(&client->left, expires == INT64_MAX ? INT64_MAX : expires - wall_ns / CLOCK_SECOND, memory_order_relaxed);
}

int64_t tls_client_left(const struct tls_client *client)
{
	return atomic_load_explicit(&client->left, memory_order_relaxed);
}

int64_t tls_client_expires(const struct tls_client *client)
{
	CHECK_MAGIC(client, MAGIC);
	return client->current.expires;
}

/* ---- connections ---- */

/* The name is asked for (SNI) and, where the server is verified, what its certificate must be for. */
static bool set_name(SSL *ssl, const struct tls_client_options *options, struct slice name)
{
	char text[TLS_NAME_MOST + 1];
	bool address;

	if (name.length == 0)
		return true;
	if (name.length > TLS_NAME_MOST || memchr(name.at, '\0', name.length))
		return false;
	memcpy(text, name.at, name.length);
	text[name.length] = '\0';
	address = options->no_verification ? false : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), text) == 1;
	ERR_clear_error();
	if (address) /* RFC 6066 section 3: no addresses in SNI */
		return true;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, text) == 1 && (options->no_verification || SSL_set1_host(ssl, text) == 1);
}

SSL *client_begin(struct tls_client *client, struct slice name)
{
	SSL_CTX *context = current_take(&client->current);
	SSL *ssl = SSL_new(context);

	SSL_CTX_free(context); /* ssl has its own reference */
	if (ssl && !set_name(ssl, &client->options, name)) {
		SSL_free(ssl);
		return NULL;
	}
	if (ssl)
		SSL_set_connect_state(ssl);
	return ssl;
}

bool client_may_resume(SSL *ssl, SSL_SESSION *session, int64_t wall_ns)
{
	const struct session_name *name = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place_of_name());
	unsigned length;
	const unsigned char *began_with = SSL_SESSION_get0_id_context(session, &length);

	return length == sizeof name->bytes && memcmp(began_with, name->bytes, length) == 0 && !facts_outlived(session, wall_ns);
}

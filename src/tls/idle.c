/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection gives back once its handshake is done and facts.c has read what is to be known.
 *
 * OpenSSL keeps all of a handshake as long as the connection: of a server's, the session with the client's certificates is some 2.5 of
 * 16 KiB. The connection needs no more of it than that there is one, of its version, with a cipher (or renegotiation would not be
 * refused). So all connections of a thread share one. OpenSSL takes another session only if the connection's context is for exactly
 * the connection's version: such a context is shared, too. Sessions that clients have tickets of are sealed in those. */
#include <openssl/err.h>

#include "tls/stream_parts.h"

static void forget(EVP_PKEY *key)
{
	/* The connection still points to it. A key that becomes one of another kind gives up what it is made of. */
	(void)!EVP_PKEY_set_type(key, EVP_PKEY_RSA);
	EVP_PKEY_free(key);
}

/* Both sides' shares of the key exchange, ours with its secret. */
static void drop_keys(SSL *ssl)
{
	EVP_PKEY *key;

	if (SSL_get_tmp_key(ssl, &key))
		forget(key);
	if (SSL_get_peer_tmp_key(ssl, &key))
		forget(key);
}

/* False: memory is out; the next connection tries again. */
static bool make_shared(struct idle *idle, SSL *ssl)
{
	SSL_CTX *context = SSL_CTX_new(SSL_get_ssl_method(ssl));
	SSL_SESSION *session = SSL_SESSION_new();

	if (!context || !session || !SSL_SESSION_set_protocol_version(session, SSL_version(ssl)) ||
		!SSL_SESSION_set_cipher(session, SSL_get_current_cipher(ssl))) {
		SSL_CTX_free(context);
		SSL_SESSION_free(session);
		return false;
	}
	idle->context = context;
	idle->session = session;
	return true;
}

/* Where something fails the connection keeps what it has. */
static void drop_session(struct idle *idle, SSL *ssl)
{
	int shutdown = SSL_get_shutdown(ssl);

	/* A client that asked for short records (RFC 6066 section 4): that is a property of the session. */
	if (SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl)) != TLSEXT_max_fragment_length_DISABLED)
		return;
	if (!idle->context && !make_shared(idle, ssl))
		return;
	if (SSL_CTX_get_ssl_method(idle->context) != SSL_get_ssl_method(ssl) || !SSL_set_SSL_CTX(ssl, idle->context))
		return;
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN); /* or OpenSSL takes the session for a bad one */
	(void)!SSL_set_session(ssl, idle->session);
	SSL_set_shutdown(ssl, shutdown);
	SSL_set_verify_result(ssl, X509_V_OK); /* as it was: handshakes that end otherwise fail */
}

void idle_begin(struct tls_stream *s)
{
	drop_keys(s->ssl);
	if (s->server)
		drop_session(&s->pools->idle[SSL_version(s->ssl) == TLS1_3_VERSION], s->ssl);
	ERR_clear_error();
}

void idle_fini(struct idle *idle)
{
	SSL_SESSION_free(idle->session);
	SSL_CTX_free(idle->context);
}

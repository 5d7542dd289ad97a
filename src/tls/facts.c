/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a connection once its handshake is done: struct stream_security. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "tls/cells.h"
#include "tls/certificate.h"
#include "tls/spiffe.h"
#include "tls/stream_parts.h"

enum { HASH = 32, TEXT_MOST = 4096, ID_SHOWN = 240 };

/* The texts of a peer's certificate, one behind the other. */
struct texts {
	char bytes[TEXT_MOST];
	size_t length;
	struct slice uri, dns, subject, hash; /* in bytes */
	unsigned uris;
};

/* What doesn't fit is left out: a certificate can hold tens of kilobytes. */
static bool add(struct texts *texts, struct slice s)
{
	if (s.length > sizeof texts->bytes - texts->length)
		return false;
	memcpy(texts->bytes + texts->length, s.at, s.length);
	texts->length += s.length;
	return true;
}

static struct slice since(struct texts *texts, size_t begin)
{
	return slice_make(texts->bytes + begin, texts->length - begin);
}

static struct slice bytes_of(const ASN1_STRING *string)
{
	return slice_make((const char *)ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

/* Names go into headers and metrics: one with other than printable ASCII in it is left out. */
static bool is_printable(struct slice s)
{
	for (size_t i = 0; i < s.length; i++) {
		if (s.at[i] <= ' ' || s.at[i] > '~')
			return false;
	}
	return s.length > 0;
}

static void add_names(struct texts *texts, const GENERAL_NAMES *names)
{
	size_t begin = texts->length;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_URI && texts->uris++ == 0 && is_printable(bytes_of(name->d.ia5)) && add(texts, bytes_of(name->d.ia5)))
			texts->uri = since(texts, begin);
	}
	begin = texts->length;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS || !is_printable(bytes_of(name->d.ia5)))
			continue;
		size_t before = texts->length;
		if ((before == begin || add(texts, SLICE(","))) && add(texts, bytes_of(name->d.ia5)))
			texts->dns = since(texts, begin);
		else
			texts->length = before;
	}
}

/* As RFC 2253 writes it; control characters and bytes beyond ASCII are escaped. */
static bool add_subject(struct texts *texts, const X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	size_t begin = texts->length;
	char *at;
	long length;

	if (!bio)
		return false;
	if (X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) {
		BIO_free(bio);
		return false;
	}
	length = BIO_get_mem_data(bio, &at);
	if (length > 0 && add(texts, slice_make(at, (size_t)length)))
		texts->subject = since(texts, begin);
	BIO_free(bio);
	return true;
}

static bool add_hash(struct texts *texts, const X509 *certificate)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[2 * HASH];
	unsigned length;
	size_t begin = texts->length;

	if (!X509_digest(certificate, EVP_sha256(), hash, &length) || length != HASH)
		return false;
	for (unsigned i = 0; i < HASH; i++) {
		text[2 * i] = digits[hash[i] >> 4];
		text[2 * i + 1] = digits[hash[i] & 15];
	}
	if (add(texts, slice_make(text, sizeof text)))
		texts->hash = since(texts, begin);
	return true;
}

static bool read_certificate(const X509 *certificate, struct texts *texts)
{
	GENERAL_NAMES *names;

	if (!add_hash(texts, certificate))
		return false;
	names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	if (names)
		add_names(texts, names);
	GENERAL_NAMES_free(names);
	return add_subject(texts, certificate);
}

static bool must_be_workload(const struct tls_stream *s)
{
	return s->server ? tls_server_options(s->server)->workloads : tls_client_options(s->client)->workloads;
}

static bool is_one_of(struct slice peers, const struct spiffe *id)
{
	struct slice pattern;

	if (peers.length == 0)
		return true;
	while (slice_split(&peers, ' ', &pattern)) {
		if (spiffe_matches(pattern, id))
			return true;
	}
	return false;
}

static int check_identity(const struct texts *texts, struct slice peers, char reason[FACTS_REASON])
{
	struct spiffe id;
	const char *why = NULL;

	/* Exactly one URI, which names a workload and not its trust domain: X509-SVID sections 2 and 3. */
	if (texts->uris != 1) {
		snprintf(reason, FACTS_REASON, "the peer's certificate has %u URIs, and not one SPIFFE ID", texts->uris);
	} else if (spiffe_parse(texts->uri, &id, &why)) {
		snprintf(reason, FACTS_REASON, "the peer's identity is no SPIFFE ID: %s", why);
	} else if (id.path.length == 0) {
		snprintf(reason, FACTS_REASON, "the peer's identity is that of a trust domain, and not of a workload");
	} else if (!is_one_of(peers, &id)) {
		snprintf(reason, FACTS_REASON, "the peer is %.*s: another identity is expected",
			(int)(id.text.length < ID_SHOWN ? id.text.length : ID_SHOWN), id.text.at);
	} else {
		return 0;
	}
	return ERROR_DENIED;
}

static int check_peer(
	struct tls_stream *s, const X509 *certificate, const struct texts *texts, struct slice peers, char reason[FACTS_REASON])
{
	/* Who may come without a certificate is the server's choice, made before. */
	if (peers.length > 0 || (must_be_workload(s) && (certificate || s->client)))
		return check_identity(texts, peers, reason);
	return 0;
}

static struct slice moved(struct slice s, const struct texts *texts, const char *to)
{
	return s.length ? slice_make(to + (s.at - texts->bytes), s.length) : (struct slice){ 0 };
}

static int keep(struct tls_stream *s, const struct texts *texts, struct slice name)
{
	struct stream_security *security = cells_get(sizeof *security + texts->length + name.length);
	const unsigned char *alpn;
	unsigned length;

	if (!security)
		return ERROR_NO_MEMORY;
	char *bytes = (char *)(security + 1);
	memcpy(bytes, texts->bytes, texts->length);
	if (name.length)
		memcpy(bytes + texts->length, name.at, name.length);
	SSL_get0_alpn_selected(s->ssl, &alpn, &length);
	*security = (struct stream_security){
		.version = slice_of(SSL_get_version(s->ssl)),
		.cipher = slice_of(SSL_get_cipher_name(s->ssl)),
		.alpn = slice_make((const char *)alpn, length),
		.server_name = slice_make(bytes + texts->length, name.length),
		.peer_uri = moved(texts->uri, texts, bytes),
		.peer_dns = moved(texts->dns, texts, bytes),
		.peer_subject = moved(texts->subject, texts, bytes),
		.peer_hash = moved(texts->hash, texts, bytes),
		.resumed = SSL_session_reused(s->ssl),
	};
	s->security = security;
	return 0;
}

void facts_note_stranger(struct tls_stream *s, const X509 *certificate)
{
	struct texts texts;
	struct slice who;

	texts.length = texts.uris = 0;
	texts.uri = texts.dns = texts.subject = texts.hash = (struct slice){ 0 };
	if (!s->handshake || !read_certificate(certificate, &texts))
		return;
	who = texts.uri.length ? texts.uri : texts.dns.length ? texts.dns : texts.subject;
	snprintf(s->handshake->peers, sizeof s->handshake->peers, "%.*s", (int)(who.length < ID_SHOWN ? who.length : ID_SHOWN), who.at);
}

int facts_gather(struct tls_stream *s, struct slice peers, char reason[FACTS_REASON])
{
	bool verified = SSL_get_verify_mode(s->ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(s->ssl) == X509_V_OK;
	const X509 *certificate = verified ? SSL_get0_peer_certificate(s->ssl) : NULL;
	const char *name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
	struct texts texts;

	snprintf(reason, FACTS_REASON, "memory is out");
	texts.length = texts.uris = 0;
	texts.uri = texts.dns = texts.subject = texts.hash = (struct slice){ 0 };
	if (certificate && !read_certificate(certificate, &texts))
		return ERROR_NO_MEMORY;
	int e = check_peer(s, certificate, &texts, peers, reason);
	if (e)
		return e;
	return keep(s, &texts, name && is_printable(slice_of(name)) ? slice_of(name) : (struct slice){ 0 });
}

bool facts_outlived(SSL_SESSION *session, int64_t wall_ns)
{
	const X509 *certificate = SSL_SESSION_get0_peer(session);

	return certificate && certificate_seconds(X509_get0_notAfter(certificate)) < wall_ns / CLOCK_SECOND;
}

void facts_free(struct tls_stream *s)
{
	cells_put(s->security);
	s->security = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/material.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "io/file.h"
#include "tls/certificate.h"

enum { FILE_MOST = 4 * 1024 * 1024, TEXT_MOST = 500 };

static const char *const system_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Alpine */
	"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, Red Hat */
	"/etc/ssl/cert.pem",                  /* Alpine, BSD */
	NULL,
};

void material_begin(struct material *material, int64_t wall_ns, struct problems *problems)
{
	*material = (struct material){ .problems = problems, .wall_ns = wall_ns, .expires = INT64_MAX, .hash = EVP_MD_CTX_new() };
	if (!material->hash || !EVP_DigestInit_ex(material->hash, EVP_sha256(), NULL))
		check_out_of_memory("OpenSSL");
}

void material_end(struct material *material)
{
	if (!EVP_DigestFinal_ex(material->hash, material->digest, NULL))
		check_out_of_memory("OpenSSL");
	EVP_MD_CTX_free(material->hash);
	material->hash = NULL;
}

void material_problem(struct material *material, const struct tls_setting *setting, const char *format, ...)
{
	char text[TEXT_MOST];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	problem_add_at(material->problems, setting->file, setting->line, setting->column, "%s", text);
}

static int read_bytes(const struct tls_setting *setting, struct slice *bytes)
{
	if (!setting->source)
		return file_read(setting->text.at, FILE_MOST, bytes);
	*bytes = slice_make(memory_text(setting->source->bytes), setting->source->bytes.length);
	return 0;
}

static bool read_file(struct material *material, const struct tls_setting *setting, struct slice *bytes)
{
	int e = read_bytes(setting, bytes);

	if (e == ERROR_NOT_FOUND)
		material_problem(material, setting, "there is no file %s", setting->text.at);
	else if (e == ERROR_DENIED)
		material_problem(material, setting, "%s cannot be read: the user that weft runs as lacks the permission", setting->text.at);
	else if (e)
		material_problem(material, setting, "%s cannot be read: %s", setting->text.at, error_text(e));
	else if (!EVP_DigestUpdate(material->hash, bytes->at, bytes->length) || !EVP_DigestUpdate(material->hash, "", 1))
		check_out_of_memory("OpenSSL");
	return e == 0;
}

/* Keys don't stay in memory that is used again. */
static void drop(struct slice bytes)
{
	OPENSSL_cleanse((void *)(uintptr_t)bytes.at, bytes.length);
	memory_free(bytes.at);
}

static STACK_OF(X509) * read_certificates(struct material *material, const struct tls_setting *setting)
{
	STACK_OF(X509) *certificates = NULL;
	struct text why = { 0 };
	struct slice bytes;

	if (!read_file(material, setting, &bytes))
		return NULL;
	int e = certificate_read(bytes, &certificates, &why);
	drop(bytes); /* the key may be in the same file */
	if (e == ERROR_NOT_FOUND)
		material_problem(
			material, setting, "%s has no certificate in it: PEM is expected (-----BEGIN CERTIFICATE-----)", setting->text.at);
	else if (e)
		material_problem(material, setting, "%s: %s", setting->text.at, why.bytes ? why.bytes : error_text(e));
	text_free(&why);
	return e ? NULL : certificates;
}

static EVP_PKEY *read_key(struct material *material, const struct tls_setting *setting)
{
	EVP_PKEY *key = NULL;
	struct text why = { 0 };
	struct slice bytes;

	if (!read_file(material, setting, &bytes))
		return NULL;
	int e = certificate_read_key(bytes, &key, &why);
	drop(bytes);
	if (e == ERROR_NOT_FOUND)
		material_problem(
			material, setting, "%s has no private key in it: PEM is expected (-----BEGIN PRIVATE KEY-----)", setting->text.at);
	else if (e == ERROR_UNSUPPORTED)
		material_problem(material, setting,
			"%s is encrypted: weft asks nobody for passwords; "
			"`openssl pkey -in FILE -out NEW` takes the password off",
			setting->text.at);
	else if (e)
		material_problem(material, setting, "%s: %s", setting->text.at, why.bytes ? why.bytes : error_text(e));
	text_free(&why);
	return e ? NULL : key;
}

/* ---- sessions ---- */

void material_name_sessions(struct material *material, int how, SSL_CTX *context, unsigned char name[MATERIAL_DIGEST])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();

	if (!hash || !EVP_MD_CTX_copy_ex(hash, material->hash) || !EVP_DigestUpdate(hash, &how, sizeof how) ||
		!EVP_DigestFinal_ex(hash, name, NULL) || !SSL_CTX_set_session_id_context(context, name, MATERIAL_DIGEST))
		check_out_of_memory("OpenSSL");
	EVP_MD_CTX_free(hash);
}

/* ---- dates ---- */

static bool check_dates(struct material *material, const struct tls_setting *setting, X509 *certificate)
{
	int64_t begins = certificate_seconds(X509_get0_notBefore(certificate));
	int64_t ends = certificate_seconds(X509_get0_notAfter(certificate));
	int64_t now = material->wall_ns / CLOCK_SECOND;
	struct text subject = { 0 };
	char date[CLOCK_TEXT];

	if (ends < material->expires)
		material->expires = ends;
	if (now >= begins && now <= ends)
		return true;
	certificate_name(X509_get_subject_name(certificate), &subject);
	if (now > ends) {
		clock_format(ends * CLOCK_SECOND, date);
		material_problem(material, setting, "%s: the certificate of %s has expired at %s: a renewed one is needed",
			setting->text.at, subject.bytes, date);
	} else {
		clock_format(begins * CLOCK_SECOND, date);
		material_problem(material, setting, "%s: the certificate of %s is not valid before %s: is this machine's clock right?",
			setting->text.at, subject.bytes, date);
	}
	text_free(&subject);
	return false;
}

static bool check_chain_dates(struct material *material, const struct tls_setting *setting, STACK_OF(X509) * chain)
{
	bool good = true;

	for (int i = 0; i < sk_X509_num(chain); i++)
		good = check_dates(material, setting, sk_X509_value(chain, i)) && good;
	return good;
}

/* ---- certificates with their keys ---- */

void material_pair_free(struct material_pair *pair)
{
	X509_free(pair->leaf);
	EVP_PKEY_free(pair->key);
	certificate_free_all(pair->chain);
	OPENSSL_free(pair->ocsp);
	*pair = (struct material_pair){ 0 };
}

/* Each certificate's issuer follows it, as RFC 5246 section 7.4.2 has it; others are a mistake that clients would meet. */
static bool check_order(struct material *material, const struct tls_certificate *certificate, const struct material_pair *pair)
{
	X509 *below = pair->leaf;

	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		X509 *above = sk_X509_value(pair->chain, i);

		if (X509_check_issued(above, below) != X509_V_OK) {
			const struct tls_setting *setting =
				certificate->intermediates.text.length ? &certificate->intermediates : &certificate->chain;
			struct text subject = { 0 };

			certificate_name(X509_get_subject_name(above), &subject);
			material_problem(material, setting, "%s: the certificate of %s did not issue the one before it in the chain",
				setting->text.at, subject.bytes);
			text_free(&subject);
			return false;
		}
		below = above;
	}
	return true;
}

static bool read_chain(struct material *material, const struct tls_certificate *certificate, struct material_pair *pair)
{
	STACK_OF(X509) * more;
	bool good;

	pair->chain = read_certificates(material, &certificate->chain);
	if (!pair->chain)
		return false;
	good = check_chain_dates(material, &certificate->chain, pair->chain);
	pair->leaf = sk_X509_shift(pair->chain);
	if (certificate->intermediates.text.length == 0)
		return good;
	more = read_certificates(material, &certificate->intermediates);
	if (!more)
		return false;
	good = check_chain_dates(material, &certificate->intermediates, more) && good;
	for (X509 *next; (next = sk_X509_shift(more));) {
		if (!sk_X509_push(pair->chain, next))
			check_out_of_memory("OpenSSL");
	}
	sk_X509_free(more);
	return good;
}

static bool read_ocsp(struct material *material, const struct tls_setting *setting, struct material_pair *pair)
{
	struct slice bytes;

	if (setting->text.length == 0)
		return true;
	if (!read_file(material, setting, &bytes))
		return false;
	const unsigned char *at = (const unsigned char *)bytes.at;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)bytes.length);
	bool good = response != NULL;
	OCSP_RESPONSE_free(response);
	if (good) {
		pair->ocsp = OPENSSL_memdup(bytes.at, bytes.length);
		pair->ocsp_length = bytes.length;
	} else {
		material_problem(material, setting, "%s is not an OCSP response in DER", setting->text.at);
	}
	memory_free(bytes.at);
	return good;
}

bool material_pair(struct material *material, const struct tls_certificate *certificate, struct material_pair *pair)
{
	bool good;

	*pair = (struct material_pair){ 0 };
	good = read_chain(material, certificate, pair);
	pair->key = read_key(material, &certificate->key);
	good = good && pair->key;
	if (pair->leaf && pair->key && X509_check_private_key(pair->leaf, pair->key) != 1) {
		material_problem(material, &certificate->key,
			"the key %s does not belong to the certificate %s: "
			"one of the two files is of another pair",
			certificate->key.text.at, certificate->chain.text.at);
		good = false;
	}
	good = good && check_order(material, certificate, pair) && read_ocsp(material, &certificate->ocsp, pair);
	ERR_clear_error();
	if (!good)
		material_pair_free(pair);
	return good;
}

/* ---- roots ---- */

static void add_root(X509_STORE *store, STACK_OF(X509_NAME) * names, X509 *root)
{
	X509_NAME *name;

	if (!X509_STORE_add_cert(store, root))
		check_out_of_memory("OpenSSL");
	if (!names)
		return;
	name = X509_NAME_dup(X509_get_subject_name(root));
	if (!name || !sk_X509_NAME_push(names, name))
		check_out_of_memory("OpenSSL");
}

/* Roots that have expired are left out of no bundle: verification refuses them when it is their turn. */
bool material_trust(
	struct material *material, const struct tls_setting *files, unsigned count, X509_STORE *store, STACK_OF(X509_NAME) * names)
{
	bool good = true;

	for (unsigned i = 0; i < count; i++) {
		STACK_OF(X509) *roots = read_certificates(material, &files[i]);

		good = good && roots;
		for (int n = 0; n < sk_X509_num(roots); n++)
			add_root(store, names, sk_X509_value(roots, n));
		certificate_free_all(roots);
	}
	return good;
}

bool material_system_trust(struct material *material, X509_STORE *store)
{
	struct tls_setting nowhere = { 0 };

	for (const char *const *path = system_bundles; *path; path++) {
		struct tls_setting file = { .text = slice_of(*path) };
		struct slice bytes;

		if (file_read(*path, FILE_MOST, &bytes))
			continue;
		memory_free(bytes.at);
		return material_trust(material, &file, 1, store, NULL);
	}
	material_problem(
		material, &nowhere, "this machine has no bundle of roots (%s): the client needs one of its own", system_bundles[0]);
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "support/pki.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/memory.h"
#include "tls/library.h"

enum { BEGINS = 1735689600, ENDS = 2051222400 };

static char *text_of(BIO *bio)
{
	char *at, *text;
	long length = BIO_get_mem_data(bio, &at);

	text = memory_text(slice_make(at, (size_t)length));
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *certificate, int what, const char *value)
{
	X509V3_CTX about;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&about, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &about, what, value);
	CHECK(extension && X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static X509 *certificate_of(EVP_PKEY *key, const struct pki *issuer, const struct pki_options *options)
{
	uint64_t serial;
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_NAME_new();

	/* Drawn as keys are, so that it comes from the seed where there is one. */
	CHECK(certificate && subject && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
	CHECK(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"weft", -1, -1, 0));
	CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)options->name, -1, -1, 0));
	CHECK(X509_set_version(certificate, X509_VERSION_3) && ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1));
	CHECK(X509_set_subject_name(certificate, subject) && X509_set_pubkey(certificate, key));
	CHECK(X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer->x509) : subject));
	CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate), options->begins ? options->begins : BEGINS));
	CHECK(ASN1_TIME_set(X509_getm_notAfter(certificate), options->ends ? options->ends : ENDS));
	if (options->authority)
		add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (options->san)
		add_extension(certificate, NID_subject_alt_name, options->san);
	CHECK(X509_sign(certificate, issuer ? issuer->pkey : key, EVP_sha256()));
	X509_NAME_free(subject);
	return certificate;
}

void pki_issue(struct pki *pki, const struct pki *issuer, const struct pki_options *options)
{
	library_start();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *certificate = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_mem());

	CHECK(key && certificate && private);
	pki->pkey = key;
	pki->x509 = certificate_of(key, issuer, options);
	CHECK(PEM_write_bio_X509(certificate, pki->x509) && PEM_write_bio_PKCS8PrivateKey(private, key, NULL, NULL, 0, NULL, NULL));
	pki->certificate = text_of(certificate);
	pki->key = text_of(private);
}

void pki_free(struct pki *pki)
{
	X509_free(pki->x509);
	EVP_PKEY_free(pki->pkey);
	memory_free(pki->certificate);
	memory_free(pki->key);
	*pki = (struct pki){ 0 };
}

char *pki_locked_key(const struct pki *pki)
{
	BIO *bio = BIO_new(BIO_s_mem());

	CHECK(bio && PEM_write_bio_PKCS8PrivateKey(bio, pki->pkey, EVP_aes_256_cbc(), "secret", 6, NULL, NULL));
	return text_of(bio);
}

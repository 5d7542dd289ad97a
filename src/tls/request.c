/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/request.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "base/check.h"
#include "tls/certificate.h"
#include "tls/spiffe.h"

static void must(bool good)
{
	if (!good)
		check_out_of_memory("a certificate request");
}

/* Its names, as an attribute of the request. */
static void add_names(X509_REQ *request, struct slice id)
{
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	struct text value = { 0 };
	X509_EXTENSION *names;

	text_format(&value, "critical,URI:%.*s", SLICE_ARGS(id));
	names = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, value.bytes);
	must(extensions && names && sk_X509_EXTENSION_push(extensions, names) && X509_REQ_add_extensions(request, extensions));
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	text_free(&value);
}

static void write_request(X509_REQ *request, struct text *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long length;

	must(bio && PEM_write_bio_X509_REQ(bio, request));
	length = BIO_get_mem_data(bio, &bytes);
	text_append(pem, slice_make(bytes, (size_t)length));
	BIO_free(bio);
}

int request_make(struct slice id, struct text *key, struct text *pem)
{
	EVP_PKEY *made;
	X509_REQ *request;
	struct spiffe parsed;

	if (spiffe_parse(id, &parsed, NULL))
		return ERROR_SYNTAX;
	made = EVP_EC_gen("P-256");
	request = X509_REQ_new();
	must(made && request && X509_REQ_set_version(request, X509_REQ_VERSION_1) && X509_REQ_set_pubkey(request, made));
	add_names(request, id);
	must(X509_REQ_sign(request, made, EVP_sha256()) > 0);
	certificate_write_key(made, key);
	write_request(request, pem);
	X509_REQ_free(request);
	EVP_PKEY_free(made);
	return 0;
}

void request_wipe(struct text *key)
{
	if (key->bytes)
		OPENSSL_cleanse(key->bytes, key->length);
	text_free(key);
}

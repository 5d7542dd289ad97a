/* SPDX-License-Identifier: Apache-2.0 */
/* What roots and workloads' certificates look like: RFC 5280, and X.509-SVID sections 2 to 4. OpenSSL fails here only without
 * memory, or by a mistake of ours. */
#include "base/check.h"
#include "tls/authority_parts.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rand.h>

enum { SERIAL_BYTES = 16, CN_BYTES = 8 };

static void must(bool good)
{
	if (!good)
		check_out_of_memory("a certificate");
}

EVP_PKEY *sign_new_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	must(key != NULL);
	return key;
}

/* 128 bits that nobody can guess; positive and never zero, as RFC 5280 section 4.1.2.2 asks. */
static void set_serial(X509 *certificate, unsigned char serial[SERIAL_BYTES])
{
	BIGNUM *number;

	do
		must(RAND_bytes(serial, SERIAL_BYTES) == 1);
	while (serial[0] == 0);
	number = BN_bin2bn(serial, SERIAL_BYTES, NULL);
	must(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)));
	BN_free(number);
}

static void set_dates(X509 *certificate, int64_t from_s, int64_t to_s)
{
	must(ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)from_s) != NULL);
	must(ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)to_s) != NULL);
}

static void extend(X509 *certificate, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&context);
	extension = X509V3_EXT_nconf_nid(NULL, &context, kind, value);
	must(extension && X509_add_ext(certificate, extension, -1));
	X509_EXTENSION_free(extension);
}

static X509 *new_certificate(EVP_PKEY *key, int64_t from_s, int64_t to_s, unsigned char serial[SERIAL_BYTES])
{
	X509 *certificate = X509_new();

	must(certificate && X509_set_version(certificate, X509_VERSION_3) && X509_set_pubkey(certificate, key));
	set_serial(certificate, serial);
	set_dates(certificate, from_s, to_s);
	return certificate;
}

/* Roots of one trust domain are told apart by name, for who looks issuers up by name alone. */
static void name_root(X509 *certificate, const unsigned char serial[SERIAL_BYTES])
{
	struct text name = { 0 };
	X509_NAME *subject = X509_get_subject_name(certificate);

	text_format(&name, "weft trust root ");
	for (int i = 0; i < CN_BYTES; i++)
		text_format(&name, "%02x", serial[i]);
	must(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC, (const unsigned char *)name.bytes, -1, -1, 0));
	must(X509_set_issuer_name(certificate, subject));
	text_free(&name);
}

/* A verifier that meets a URI whose host is an IP address cannot compare it with constraints (RFC 5280 section 4.2.1.10) and refuses
 * the certificate: such trust domains are not constrained. Their last label is a number, as no host's is. */
static bool can_constrain(struct slice trust_domain)
{
	size_t last = trust_domain.length;

	while (last > 0 && trust_domain.at[last - 1] != '.')
		last--;
	for (size_t i = last; i < trust_domain.length; i++) {
		if (trust_domain.at[i] < '0' || trust_domain.at[i] > '9')
			return true;
	}
	return false;
}

X509 *sign_root(EVP_PKEY *key, struct slice trust_domain, int64_t now_s, int64_t life_s)
{
	unsigned char serial[SERIAL_BYTES];
	X509 *root = new_certificate(key, now_s - AUTHORITY_BACKDATE_S, now_s + life_s, serial);
	struct text value = { 0 };

	name_root(root, serial);
	extend(root, root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	extend(root, root, NID_key_usage, "critical,keyCertSign,cRLSign");
	extend(root, root, NID_subject_key_identifier, "hash");
	text_format(&value, "URI:spiffe://%.*s", SLICE_ARGS(trust_domain));
	extend(root, root, NID_subject_alt_name, value.bytes);
	text_clear(&value);
	if (can_constrain(trust_domain)) {
		text_format(&value, "critical,permitted;URI:%.*s", SLICE_ARGS(trust_domain));
		extend(root, root, NID_name_constraints, value.bytes);
	}
	text_free(&value);
	must(X509_sign(root, key, EVP_sha256()) > 0);
	return root;
}

/* The subject stays empty, so its alternative names are critical (RFC 5280 section 4.2.1.6). */
X509 *sign_workload(const struct state_root *root, const struct sign_order *order)
{
	unsigned char serial[SERIAL_BYTES];
	X509 *certificate = new_certificate(order->public_key, order->not_before_s, order->not_after_s, serial);
	struct text names = { 0 };

	must(X509_set_issuer_name(certificate, X509_get_subject_name(root->certificate)));
	extend(certificate, root->certificate, NID_basic_constraints, "critical,CA:FALSE");
	extend(certificate, root->certificate, NID_key_usage, "critical,digitalSignature");
	extend(certificate, root->certificate, NID_ext_key_usage, "serverAuth,clientAuth");
	extend(certificate, root->certificate, NID_subject_key_identifier, "hash");
	extend(certificate, root->certificate, NID_authority_key_identifier, "keyid:always");
	text_format(&names, "critical,URI:%.*s", SLICE_ARGS(order->id));
	for (unsigned i = 0; i < order->dns_count; i++)
		text_format(&names, ",DNS:%.*s", SLICE_ARGS(order->dns[i]));
	extend(certificate, root->certificate, NID_subject_alt_name, names.bytes);
	text_free(&names);
	must(X509_sign(certificate, root->key, EVP_sha256()) > 0);
	return certificate;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "base/check.h"

static void say(struct text *why, const char *text)
{
	if (why)
		text_format(why, "%s", text);
}

const char *certificate_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason ? reason : "unknown";
}

static BIO *reading(struct slice bytes)
{
	BIO *bio = bytes.length <= INT32_MAX ? BIO_new_mem_buf(bytes.at, (int)bytes.length) : NULL;

	if (!bio)
		check_out_of_memory("a PEM file");
	ERR_clear_error();
	return bio;
}

static BIO *writing(void)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (!bio)
		check_out_of_memory("a PEM file");
	return bio;
}

/* What was written goes onto `out`, and the bio away. */
static void take_written(BIO *bio, struct text *out)
{
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);

	text_append(out, slice_make(bytes, (size_t)length));
	BIO_free(bio);
}

/* Nobody is there who could type a passphrase; `asked` says that one was wanted. */
static int no_passphrase(char *buffer, int size, int writing_it, void *asked)
{
	(void)buffer;
	(void)size;
	(void)writing_it;
	*(bool *)asked = true;
	return -1;
}

/* ---- certificates ---- */

void certificate_free_all(STACK_OF(X509) * certificates)
{
	sk_X509_pop_free(certificates, X509_free);
}

static int read_all(BIO *bio, STACK_OF(X509) * certificates, struct text *why)
{
	bool asked = false;
	X509 *one;

	while ((one = PEM_read_bio_X509(bio, NULL, no_passphrase, &asked))) {
		if (sk_X509_num(certificates) == CERTIFICATE_MOST) {
			X509_free(one);
			say(why, "more than 1000 certificates");
			return ERROR_LIMIT;
		}
		/* OpenSSL works out what is in it, and keeps that in it, when it is first used: now, before threads share it. */
		(void)X509_check_purpose(one, -1, 0);
		if (!sk_X509_push(certificates, one))
			check_out_of_memory("a list of certificates");
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		if (why)
			text_format(why, "certificate %d cannot be read: %s", sk_X509_num(certificates) + 1, certificate_reason());
		return ERROR_SYNTAX;
	}
	if (sk_X509_num(certificates) == 0) {
		say(why, "no certificate in it (a PEM block that begins with -----BEGIN CERTIFICATE-----)");
		return ERROR_NOT_FOUND;
	}
	return 0;
}

int certificate_read(struct slice pem, STACK_OF(X509) * *result, struct text *why)
{
	BIO *bio = reading(pem);
	STACK_OF(X509) *certificates = sk_X509_new_null();
	int e;

	if (!certificates)
		check_out_of_memory("a list of certificates");
	e = read_all(bio, certificates, why);
	ERR_clear_error();
	BIO_free(bio);
	if (e)
		certificate_free_all(certificates);
	else
		*result = certificates;
	return e;
}

void certificate_write(X509 *certificate, struct text *pem)
{
	BIO *bio = writing();

	if (!PEM_write_bio_X509(bio, certificate))
		check_out_of_memory("a certificate");
	take_written(bio, pem);
}

/* ---- keys ---- */

int certificate_read_key(struct slice pem, EVP_PKEY **key, struct text *why)
{
	BIO *bio = reading(pem);
	bool asked = false;
	EVP_PKEY *found = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	int e = 0;

	if (found) {
		*key = found;
	} else if (asked) {
		say(why, "the private key is encrypted; weft takes no passphrases: decrypt it with `openssl pkey`");
		e = ERROR_UNSUPPORTED;
	} else if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ||
		ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_OSSL_DECODER) {
		say(why, "no private key in it (a PEM block that begins with -----BEGIN PRIVATE KEY-----)");
		e = ERROR_NOT_FOUND;
	} else {
		if (why)
			text_format(why, "the private key cannot be read: %s", certificate_reason());
		e = ERROR_SYNTAX;
	}
	ERR_clear_error();
	BIO_free(bio);
	return e;
}

void certificate_write_key(EVP_PKEY *key, struct text *pem)
{
	BIO *bio = writing();

	if (!PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		check_out_of_memory("a private key");
	take_written(bio, pem);
}

void certificate_key_name(EVP_PKEY *key, struct text *out)
{
	char group[64];
	const char *shown;

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		if (!EVP_PKEY_get_group_name(key, group, sizeof group, NULL))
			snprintf(group, sizeof group, "unknown curve");
		shown = EC_curve_nid2nist(OBJ_txt2nid(group));
		text_format(out, "EC %s", shown ? shown : group);
		break;
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		text_format(out, "RSA %d", EVP_PKEY_get_bits(key));
		break;
	case EVP_PKEY_ED25519:
		text_format(out, "Ed25519");
		break;
	case EVP_PKEY_ED448:
		text_format(out, "Ed448");
		break;
	default:
		text_format(out, "%s %d", EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
	}
}

/* Less than 112 bits of security: NIST SP 800-57 part 1, table 2. */
bool certificate_key_is_weak(EVP_PKEY *key, struct text *why)
{
	enum { LEAST_SECURITY = 112 };

	if (EVP_PKEY_get_security_bits(key) >= LEAST_SECURITY)
		return false;
	certificate_key_name(key, why);
	return true;
}

/* ---- facts ---- */

void certificate_name(const X509_NAME *name, struct text *out)
{
	BIO *bio;

	if (X509_NAME_entry_count(name) == 0) {
		text_append(out, SLICE("(empty)"));
		return;
	}
	bio = writing();
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	take_written(bio, out);
}

void certificate_serial(X509 *certificate, struct text *out)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
	const unsigned char *bytes = ASN1_STRING_get0_data(serial);
	int length = ASN1_STRING_length(serial);

	for (int i = 0; i < length; i++)
		text_format(out, i ? ":%02x" : "%02x", bytes[i]);
}

int64_t certificate_seconds(const ASN1_TIME *time)
{
	static const struct tm epoch = { .tm_year = 70, .tm_mday = 1 };
	struct tm at;
	int days = 0, seconds = 0;

	/* Without the heap: workers ask too. What can't be read is long over. */
	if (!ASN1_TIME_to_tm(time, &at) || !OPENSSL_gmtime_diff(&days, &seconds, &epoch, &at))
		days = seconds = 0;
	return (int64_t)days * 86400 + seconds;
}

bool certificate_one_uri(X509 *certificate, struct text *uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	unsigned count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *value = name->d.uniformResourceIdentifier;

		if (name->type != GEN_URI)
			continue;
		if (count++ == 0)
			text_append(uri, slice_make((const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
	}
	GENERAL_NAMES_free(names);
	return count == 1;
}

bool certificate_is_ca(X509 *certificate)
{
	return X509_get_extension_flags(certificate) & EXFLAG_CA;
}

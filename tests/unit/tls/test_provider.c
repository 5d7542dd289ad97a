/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider replaces gives what OpenSSL's own gives, which is loaded beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

#include "tls/library.h"

enum { OUT_MOST = 512, SECRET_MOST = 200 };

static OSSL_LIB_CTX *theirs;
static OSSL_PROVIDER *its_provider;

/* --- the key schedule --- */

struct inputs {
	int mode;
	const char *digest;
	const unsigned char *key, *salt, *data;
	size_t key_length, salt_length, data_length;
	const char *label;
	size_t wanted;
};

static int derive(OSSL_LIB_CTX *library, const struct inputs *in, unsigned char out[OUT_MOST])
{
	OSSL_PARAM parameters[8], *p = parameters;
	int mode = in->mode;
	EVP_KDF *kdf = EVP_KDF_fetch(library, "TLS13-KDF", NULL);
	EVP_KDF_CTX *derivation = EVP_KDF_CTX_new(kdf);

	assert_non_null(derivation);
	*p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)in->digest, 0);
	if (in->key)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)in->key, in->key_length);
	if (in->salt)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)in->salt, in->salt_length);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (void *)(uintptr_t) "tls13 ", 6);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (void *)(uintptr_t)in->label, strlen(in->label));
	if (in->data)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, (void *)(uintptr_t)in->data, in->data_length);
	*p = OSSL_PARAM_construct_end();
	memset(out, 0, OUT_MOST);
	int good = EVP_KDF_derive(derivation, out, in->wanted, parameters);
	EVP_KDF_CTX_free(derivation);
	EVP_KDF_free(kdf);
	return good;
}

/* Both succeed with the same result, or both fail. */
static void compare(const struct inputs *in)
{
	unsigned char ours[OUT_MOST], expected[OUT_MOST];
	int good = derive(theirs, in, expected);

	assert_int_equal(derive(NULL, in, ours), good);
	if (good)
		assert_memory_equal(ours, expected, OUT_MOST);
}

static void it_is_in_use(void **state)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
	EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(NULL, "EC", NULL);

	(void)state;
	if (OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0) {
		assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf)), "weft");
		assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(keys)), "weft");
		assert_false(OSSL_PROVIDER_available(NULL, "default"));
	}
	EVP_KDF_free(kdf);
	EVP_KEYMGMT_free(keys);
}

/* RFC 8448 section 3: the early, the handshake and the master secret, and the key of the server's handshake records. */
static void rfc_8448(void **state)
{
	static const unsigned char early[] = { 0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0, 0x3b, 0x09, 0xe6, 0xcd, 0x98, 0x93, 0x68, 0x0c,
		0xe2, 0x10, 0xad, 0xf3, 0x00, 0xaa, 0x1f, 0x26, 0x60, 0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9, 0x2a };
	static const unsigned char shared[] = { 0x8b, 0xd4, 0x05, 0x4f, 0xb5, 0x5b, 0x9d, 0x63, 0xfd, 0xfb, 0xac, 0xf9, 0xf0, 0x4b, 0x9f,
		0x0d, 0x35, 0xe6, 0xd6, 0x3f, 0x53, 0x75, 0x63, 0xef, 0xd4, 0x62, 0x72, 0x90, 0x0f, 0x89, 0x49, 0x2d };
	static const unsigned char handshake[] = { 0x1d, 0xc8, 0x26, 0xe9, 0x36, 0x06, 0xaa, 0x6f, 0xdc, 0x0a, 0xad, 0xc1, 0x2f, 0x74, 0x1b,
		0x01, 0x04, 0x6a, 0xa6, 0xb9, 0x9f, 0x69, 0x1e, 0xd2, 0x21, 0xa9, 0xf0, 0xca, 0x04, 0x3f, 0xbe, 0xac };
	static const unsigned char master[] = { 0x18, 0xdf, 0x06, 0x84, 0x3d, 0x13, 0xa0, 0x8b, 0xf2, 0xa4, 0x49, 0x84, 0x4c, 0x5f, 0x8a,
		0x47, 0x80, 0x01, 0xbc, 0x4d, 0x4c, 0x62, 0x79, 0x84, 0xd5, 0xa4, 0x1d, 0xa8, 0xd0, 0x40, 0x29, 0x19 };
	static const unsigned char traffic[] = { 0xb6, 0x7b, 0x7d, 0x69, 0x0c, 0xc1, 0x6c, 0x4e, 0x75, 0xe5, 0x42, 0x13, 0xcb, 0x2d, 0x37,
		0xb4, 0xe9, 0xc9, 0x12, 0xbc, 0xde, 0xd9, 0x10, 0x5d, 0x42, 0xbe, 0xfd, 0x59, 0xd3, 0x91, 0xad, 0x38 };
	static const unsigned char write_key[] = { 0x3f, 0xce, 0x51, 0x60, 0x09, 0xc2, 0x17, 0x27, 0xd0, 0xf2, 0xe4, 0xe8, 0x6e, 0xe4, 0x03,
		0xbc };
	struct inputs in = { EVP_KDF_HKDF_MODE_EXTRACT_ONLY, "SHA2-256", NULL, NULL, NULL, 0, 0, 0, "derived", 32 };
	unsigned char out[OUT_MOST];

	(void)state;
	assert_int_equal(derive(NULL, &in, out), 1);
	assert_memory_equal(out, early, sizeof early);
	in.salt = early;
	in.key = shared;
	in.salt_length = in.key_length = 32;
	assert_int_equal(derive(NULL, &in, out), 1);
	assert_memory_equal(out, handshake, sizeof handshake);
	in.salt = handshake;
	in.key = NULL;
	assert_int_equal(derive(NULL, &in, out), 1);
	assert_memory_equal(out, master, sizeof master);
	in = (struct inputs){ EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA2-256", traffic, NULL, NULL, 32, 0, 0, "key", 16 };
	assert_int_equal(derive(NULL, &in, out), 1);
	assert_memory_equal(out, write_key, sizeof write_key);
}

/* Secrets longer and shorter than a block, results longer than a digest, seeds of no bytes: as an exporter may ask. */
static void as_openssl_derives(void **state)
{
	static const char *const digests[] = { "SHA2-256", "SHA256", "SHA2-384", "SHA384" };
	unsigned char secret[SECRET_MOST], salt[64], data[64];

	(void)state;
	assert_int_equal(RAND_bytes(secret, sizeof secret), 1);
	assert_int_equal(RAND_bytes(salt, sizeof salt), 1);
	assert_int_equal(RAND_bytes(data, sizeof data), 1);
	for (unsigned i = 0; i < 400; i++) {
		bool large = i % 4 >= 2;
		size_t length = large ? 48 : 32;
		struct inputs in = {
			.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
			.digest = digests[i % 4],
			.key = secret,
			.key_length = 1 + i % SECRET_MOST,
			.data = i % 5 ? data : NULL,
			.data_length = i % 5 ? i % sizeof data : 0,
			.label = i % 3 ? "exporter" : "s ap traffic",
			.wanted = 1 + i,
		};
		compare(&in);
		in.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
		in.key = i % 7 ? secret : NULL;
		in.salt = i % 6 ? salt : NULL;
		in.salt_length = length;
		in.wanted = length;
		compare(&in);
	}
}

static void settings_before_the_call_are_refused(void **state)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM parameters[] = { OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode), OSSL_PARAM_construct_end() };
	unsigned char out[OUT_MOST];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
	EVP_KDF_CTX *derivation = EVP_KDF_CTX_new(kdf);

	(void)state;
	assert_int_equal(EVP_KDF_CTX_set_params(derivation, parameters), 0);
	assert_int_equal(EVP_KDF_derive(derivation, out, 32, NULL), 0);
	EVP_KDF_CTX_free(derivation);
	EVP_KDF_free(kdf);
	/* And what SHA-1 would derive isn't TLS 1.3. */
	struct inputs in = { EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA1", out, NULL, NULL, 20, 0, 0, "key", 16 };
	assert_int_equal(derive(NULL, &in, out), 0);
	in.digest = "SHA256";
	in.wanted = 255 * 32 + 1;
	assert_int_equal(derive(NULL, &in, out), 0);
}

/* --- EC keys --- */

static EVP_PKEY *make(OSSL_LIB_CTX *library, const char *curve)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(library, NULL, "EC", curve);

	assert_non_null(key);
	return key;
}

/* As libssl does with a key share: the curve's parameters first, then the peer's point. */
static EVP_PKEY *share(const char *curve, const unsigned char *point, size_t length, int *good)
{
	EVP_PKEY_CTX *parameters = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_paramgen_init(parameters), 1);
	assert_int_equal(EVP_PKEY_CTX_set_group_name(parameters, curve), 1);
	assert_int_equal(EVP_PKEY_paramgen(parameters, &key), 1);
	EVP_PKEY_CTX_free(parameters);
	*good = EVP_PKEY_set1_encoded_public_key(key, point, length);
	return key;
}

static EVP_PKEY *answer_to(EVP_PKEY *peer)
{
	EVP_PKEY_CTX *generation = EVP_PKEY_CTX_new_from_pkey(NULL, peer, NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(generation), 1);
	assert_int_equal(EVP_PKEY_keygen(generation, &key), 1);
	EVP_PKEY_CTX_free(generation);
	return key;
}

static size_t exchange(OSSL_LIB_CTX *library, EVP_PKEY *own, EVP_PKEY *peer, unsigned char out[OUT_MOST])
{
	EVP_PKEY_CTX *derivation = EVP_PKEY_CTX_new_from_pkey(library, own, NULL);
	size_t length = OUT_MOST;

	assert_int_equal(EVP_PKEY_derive_init(derivation), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(derivation, peer), 1);
	assert_int_equal(EVP_PKEY_derive(derivation, out, &length), 1);
	EVP_PKEY_CTX_free(derivation);
	return length;
}

/* Those that ours are made of, by the names that libssl gives them; then others and other names, that OpenSSL makes. */
static const char *const curves[] = { "prime256v1", "secp384r1", "secp521r1", "P-256", "P-384", "P-521", "secp256k1", "brainpoolP256r1" };

/* A client with OpenSSL's own, a server with ours: both have the same secret, and it isn't one that repeats. */
static void as_openssl_exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
		unsigned char *point, mine[OUT_MOST], its[OUT_MOST], before[OUT_MOST] = { 0 };
		int good;

		for (unsigned round = 0; round < 3; round++) {
			EVP_PKEY *client = make(theirs, curves[i]);
			size_t length = EVP_PKEY_get1_encoded_public_key(client, &point);
			EVP_PKEY *peer = share(curves[i], point, length, &good);
			assert_int_equal(good, 1);
			OPENSSL_free(point);
			EVP_PKEY *server = answer_to(peer);
			size_t one = exchange(NULL, server, peer, mine), other = exchange(theirs, client, server, its);
			assert_int_equal(one, other);
			assert_memory_equal(mine, its, one);
			assert_memory_not_equal(mine, before, one);
			memcpy(before, mine, one);
			EVP_PKEY_free(client);
			EVP_PKEY_free(server);
			EVP_PKEY_free(peer);
		}
	}
}

/* Any byte of a point that changes leaves the curve; so do coordinates beyond the field, and infinity is none of it. */
static void points_off_the_curve_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		EVP_PKEY *key = make(theirs, curves[i]);
		unsigned char *point, infinity = 0;
		size_t length = EVP_PKEY_get1_encoded_public_key(key, &point);
		int good;

		for (size_t at = length / 2 + 1; at < length; at++) {
			point[at] ^= 1;
			EVP_PKEY_free(share(curves[i], point, length, &good));
			assert_int_equal(good, 0);
			point[at] ^= 1;
		}
		memset(point + 1, 0xff, length - 1);
		EVP_PKEY_free(share(curves[i], point, length, &good));
		assert_int_equal(good, 0);
		/* Infinity has an encoding: the exchange must refuse it, if nobody did before. */
		EVP_PKEY *peer = share(curves[i], &infinity, 1, &good);
		if (good == 1) {
			EVP_PKEY_CTX *derivation = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

			assert_int_equal(EVP_PKEY_derive_init(derivation), 1);
			assert_int_not_equal(EVP_PKEY_derive_set_peer(derivation, peer), 1);
			EVP_PKEY_CTX_free(derivation);
		}
		EVP_PKEY_free(peer);
		OPENSSL_free(point);
		EVP_PKEY_free(key);
	}
}

/* What is asked for besides the curve is as OpenSSL makes it, in whatever order it was asked for. */
static void other_wishes_are_openssls(void **state)
{
	char encoding[32];
	size_t length;

	(void)state;
	for (unsigned wish = 0; wish < 3; wish++) {
		EVP_PKEY_CTX *generation = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
		EVP_PKEY *key = NULL;

		assert_int_equal(EVP_PKEY_keygen_init(generation), 1);
		if (wish == 2)
			assert_int_equal(EVP_PKEY_CTX_set_group_name(generation, "secp384r1"), 1);
		assert_int_equal(EVP_PKEY_CTX_set_group_name(generation, "prime256v1"), 1);
		if (wish > 0)
			assert_int_equal(EVP_PKEY_CTX_set_ec_param_enc(generation, 0), 1);
		assert_int_equal(EVP_PKEY_keygen(generation, &key), 1);
		assert_int_equal(EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding, &length), 1);
		assert_string_equal(encoding, wish > 0 ? OSSL_PKEY_EC_ENCODING_EXPLICIT : OSSL_PKEY_EC_ENCODING_GROUP);
		assert_int_equal(EVP_PKEY_get_bits(key), 256);
		/* And so is one made after its model. */
		EVP_PKEY *other = answer_to(key);
		assert_int_equal(EVP_PKEY_parameters_eq(key, other), 1);
		assert_int_equal(EVP_PKEY_eq(key, other), 0);
		EVP_PKEY_free(other);
		EVP_PKEY_free(key);
		EVP_PKEY_CTX_free(generation);
	}
}

static int start(void **state)
{
	(void)state;
	library_start();
	theirs = OSSL_LIB_CTX_new();
	its_provider = theirs ? OSSL_PROVIDER_load(theirs, "default") : NULL;
	return its_provider ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	OSSL_PROVIDER_unload(its_provider);
	OSSL_LIB_CTX_free(theirs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_in_use),
		cmocka_unit_test(rfc_8448),
		cmocka_unit_test(as_openssl_derives),
		cmocka_unit_test(settings_before_the_call_are_refused),
		cmocka_unit_test(as_openssl_exchanges),
		cmocka_unit_test(other_wishes_are_openssls),
		cmocka_unit_test(points_off_the_curve_are_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}

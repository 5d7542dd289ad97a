/* SPDX-License-Identifier: Apache-2.0 */
/* The digests' plain functions, which keep their state where the caller wants it, are deprecated in favour of ones that don't. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/key_schedule.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#include "base/slice.h"

enum { HASH_MOST = SHA384_DIGEST_LENGTH, BLOCK_MOST = SHA512_CBLOCK, LABEL_MOST = 255, ROUNDS_MOST = 255 };

/* --- SHA-256 or SHA-384, by the length of its result --- */

struct digest {
	size_t length;
	union {
		SHA256_CTX small;
		SHA512_CTX large;
	} state;
};

static size_t block_of(size_t length)
{
	return length == SHA256_DIGEST_LENGTH ? SHA256_CBLOCK : SHA512_CBLOCK;
}

static void begin(struct digest *digest, size_t length)
{
	digest->length = length;
	if (length == SHA256_DIGEST_LENGTH)
		SHA256_Init(&digest->state.small);
	else
		SHA384_Init(&digest->state.large);
}

static void add(struct digest *digest, struct slice bytes)
{
	if (bytes.length == 0)
		return;
	if (digest->length == SHA256_DIGEST_LENGTH)
		SHA256_Update(&digest->state.small, bytes.at, bytes.length);
	else
		SHA384_Update(&digest->state.large, bytes.at, bytes.length);
}

static void end(struct digest *digest, unsigned char *out)
{
	if (digest->length == SHA256_DIGEST_LENGTH)
		SHA256_Final(out, &digest->state.small);
	else
		SHA384_Final(out, &digest->state.large);
}

static struct slice bytes_of(const unsigned char *at, size_t length)
{
	return slice_make((const char *)at, length);
}

/* --- HMAC (RFC 2104) --- */

/* Both digests with the padded key read already: each message begins with a copy. */
struct hmac {
	struct digest inner, outer;
};

static void key_hmac(struct hmac *hmac, size_t length, struct slice key)
{
	unsigned char pad[BLOCK_MOST] = { 0 };
	size_t block = block_of(length);

	if (key.length > block) {
		begin(&hmac->inner, length);
		add(&hmac->inner, key);
		end(&hmac->inner, pad);
	} else if (key.length > 0) {
		memcpy(pad, key.at, key.length);
	}
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36;
	begin(&hmac->inner, length);
	add(&hmac->inner, bytes_of(pad, block));
	for (size_t i = 0; i < block; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	begin(&hmac->outer, length);
	add(&hmac->outer, bytes_of(pad, block));
	OPENSSL_cleanse(pad, sizeof pad);
}

/* `message` has been begun as a copy of hmac->inner. */
static void end_hmac(const struct hmac *hmac, struct digest *message, unsigned char *out)
{
	unsigned char hash[HASH_MOST];

	end(message, hash);
	*message = hmac->outer;
	add(message, bytes_of(hash, message->length));
	end(message, out);
	OPENSSL_cleanse(hash, sizeof hash);
}

/* --- HKDF (RFC 5869) --- */

static void extract(size_t length, struct slice salt, struct slice secret, unsigned char *out)
{
	struct hmac hmac;
	struct digest message;

	key_hmac(&hmac, length, salt);
	message = hmac.inner;
	add(&message, secret);
	end_hmac(&hmac, &message, out);
	OPENSSL_cleanse(&hmac, sizeof hmac);
	OPENSSL_cleanse(&message, sizeof message);
}

static bool expand(size_t length, struct slice secret, struct slice info, unsigned char *out, size_t wanted)
{
	unsigned char before[HASH_MOST];
	struct hmac hmac;
	struct digest message;

	if (wanted > ROUNDS_MOST * length)
		return false;
	key_hmac(&hmac, length, secret);
	for (unsigned char round = 1; wanted > 0; round++) {
		size_t some = wanted < length ? wanted : length;

		message = hmac.inner;
		if (round > 1)
			add(&message, bytes_of(before, length));
		add(&message, info);
		add(&message, bytes_of(&round, 1));
		end_hmac(&hmac, &message, before);
		memcpy(out, before, some);
		out += some;
		wanted -= some;
	}
	OPENSSL_cleanse(before, sizeof before);
	OPENSSL_cleanse(&hmac, sizeof hmac);
	OPENSSL_cleanse(&message, sizeof message);
	return true;
}

/* --- TLS 1.3 --- */

struct derivation {
	int mode;      /* EVP_KDF_HKDF_MODE_EXTRACT_ONLY, or EXPAND_ONLY; -1: not told */
	size_t length; /* of the digest; 0: not told */
	struct slice key, salt, prefix, label, seed;
};

/* HKDF-Expand-Label (RFC 8446 section 7.1); the prefix is "tls13 ", and another in other protocols. */
static bool expand_label(const struct derivation *d, struct slice secret, struct slice seed, unsigned char *out, size_t wanted)
{
	unsigned char info[2 + 1 + LABEL_MOST + 1 + LABEL_MOST];
	size_t named = d->prefix.length + d->label.length, at = 0;

	if (named > LABEL_MOST || seed.length > LABEL_MOST || wanted > UINT16_MAX)
		return false;
	info[at++] = (unsigned char)(wanted >> 8);
	info[at++] = (unsigned char)wanted;
	info[at++] = (unsigned char)named;
	if (d->prefix.length > 0)
		memcpy(info + at, d->prefix.at, d->prefix.length);
	at += d->prefix.length;
	if (d->label.length > 0)
		memcpy(info + at, d->label.at, d->label.length);
	at += d->label.length;
	info[at++] = (unsigned char)seed.length;
	if (seed.length > 0)
		memcpy(info + at, seed.at, seed.length);
	return expand(d->length, secret, bytes_of(info, at + seed.length), out, wanted);
}

/* From one stage to the next: the secret before is the salt, the new one may be none, which is zeros. */
static bool next_stage(const struct derivation *d, unsigned char *out, size_t wanted)
{
	static const unsigned char zeros[HASH_MOST];
	unsigned char empty[HASH_MOST], salt[HASH_MOST];
	struct digest digest;
	bool first = !d->salt.at;

	if (wanted != d->length)
		return false;
	if (!first) {
		begin(&digest, d->length);
		end(&digest, empty);
		if (!expand_label(d, d->salt, bytes_of(empty, d->length), salt, d->length))
			return false;
	}
	extract(d->length, bytes_of(salt, first ? 0 : d->length), d->key.at ? d->key : bytes_of(zeros, d->length), out);
	OPENSSL_cleanse(salt, sizeof salt);
	return true;
}

/* --- as OpenSSL calls it --- */

static bool read_digest(const OSSL_PARAM *parameter, size_t *length)
{
	static const struct {
		const char *name;
		size_t length;
	} known[] = {
		{ "SHA2-256", SHA256_DIGEST_LENGTH },
		{ "SHA256", SHA256_DIGEST_LENGTH },
		{ "SHA2-384", SHA384_DIGEST_LENGTH },
		{ "SHA384", SHA384_DIGEST_LENGTH },
	};
	const char *name;

	if (!OSSL_PARAM_get_utf8_string_ptr(parameter, &name))
		return false;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (OPENSSL_strcasecmp(name, known[i].name) == 0) {
			*length = known[i].length;
			return true;
		}
	}
	return false;
}

static bool read_bytes(const OSSL_PARAM *parameter, struct slice *bytes)
{
	const void *at;
	size_t length;

	if (!OSSL_PARAM_get_octet_string_ptr(parameter, &at, &length))
		return false;
	*bytes = slice_make(at, length);
	return true;
}

static bool read_one(const OSSL_PARAM *parameter, struct derivation *d)
{
	const char *key = parameter->key;

	if (strcmp(key, OSSL_KDF_PARAM_MODE) == 0)
		return OSSL_PARAM_get_int(parameter, &d->mode);
	if (strcmp(key, OSSL_KDF_PARAM_DIGEST) == 0)
		return read_digest(parameter, &d->length);
	if (strcmp(key, OSSL_KDF_PARAM_KEY) == 0)
		return read_bytes(parameter, &d->key);
	if (strcmp(key, OSSL_KDF_PARAM_SALT) == 0)
		return read_bytes(parameter, &d->salt);
	if (strcmp(key, OSSL_KDF_PARAM_PREFIX) == 0)
		return read_bytes(parameter, &d->prefix);
	if (strcmp(key, OSSL_KDF_PARAM_LABEL) == 0)
		return read_bytes(parameter, &d->label);
	if (strcmp(key, OSSL_KDF_PARAM_DATA) == 0)
		return read_bytes(parameter, &d->seed);
	return true; /* OpenSSL's rule: what isn't known is passed over, properties for a fetch among them */
}

static int derive(void *nothing, unsigned char *out, size_t wanted, const OSSL_PARAM parameters[])
{
	struct derivation d = { .mode = -1 };

	(void)nothing;
	for (; parameters && parameters->key; parameters++) {
		if (!read_one(parameters, &d))
			return 0;
	}
	if (d.length == 0)
		return 0;
	if (d.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
		return next_stage(&d, out, wanted);
	return d.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && d.key.at && expand_label(&d, d.key, d.seed, out, wanted);
}

/* There is nothing to keep between calls; OpenSSL wants a pointer. */
static void *context_new(void *provider)
{
	static char nothing;

	(void)provider;
	return &nothing;
}

static void context_free(void *nothing)
{
	(void)nothing;
}

static const OSSL_PARAM *settable(void *nothing, void *provider)
{
	static const OSSL_PARAM none[] = { OSSL_PARAM_END };

	(void)nothing;
	(void)provider;
	return none;
}

static int set_before(void *nothing, const OSSL_PARAM parameters[])
{
	(void)nothing;
	return !parameters || !parameters->key;
}

#define FUNCTION(id, function) \
	{ \
		id, (void (*)(void))(function) \
	}

const OSSL_DISPATCH key_schedule_functions[] = {
	FUNCTION(OSSL_FUNC_KDF_NEWCTX, context_new),
	FUNCTION(OSSL_FUNC_KDF_FREECTX, context_free),
	FUNCTION(OSSL_FUNC_KDF_RESET, context_free),
	FUNCTION(OSSL_FUNC_KDF_DERIVE, derive),
	FUNCTION(OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, settable),
	FUNCTION(OSSL_FUNC_KDF_SET_CTX_PARAMS, set_before),
	{ 0, NULL },
};

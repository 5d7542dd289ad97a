/* SPDX-License-Identifier: Apache-2.0 */
/* Versions and ciphers, and what servers and clients have in common: the rest of tls/material.h. */
#include <openssl/err.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "doc/suggest.h"
#include "tls/material.h"
#include "tls/record.h"

/* One more than the ciphers that OpenSSL knows. */
enum { NAMES_MOST = 512 };

/* All that could be chosen, by both names. */
static unsigned cipher_names(STACK_OF(SSL_CIPHER) * ciphers, const char *names[NAMES_MOST])
{
	unsigned count = 0;

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers) && count + 2 < NAMES_MOST; i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		names[count++] = SSL_CIPHER_get_name(cipher);
		names[count++] = SSL_CIPHER_standard_name(cipher);
	}
	names[count] = NULL;
	return count;
}

static const SSL_CIPHER *find_cipher(STACK_OF(SSL_CIPHER) * ciphers, struct slice name)
{
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (slice_equal_nocase(name, slice_of(SSL_CIPHER_get_name(cipher))) ||
			slice_equal_nocase(name, slice_of(SSL_CIPHER_standard_name(cipher))))
			return cipher;
	}
	return NULL;
}

static void append_name(struct text *list, const SSL_CIPHER *cipher)
{
	text_format(list, "%s%s", list->length ? ":" : "", SSL_CIPHER_get_name(cipher));
}

static void unknown_cipher(struct material *material, const struct tls_setting *setting, STACK_OF(SSL_CIPHER) * ciphers)
{
	const char *names[NAMES_MOST];
	const char *meant = NULL;

	cipher_names(ciphers, names);
	if (suggest_name(setting->text, names, &meant) != SUGGEST_NONE)
		material_problem(material, setting, "unknown cipher `%s`; did you mean `%s`?", setting->text.at, meant);
	else
		material_problem(material, setting, "unknown cipher `%s`: `openssl ciphers -stdname` lists them", setting->text.at);
}

static bool set_ciphers(struct material *material, const struct tls_choices *choices, SSL_CTX *context)
{
	struct text older = { 0 }, newer = { 0 };
	bool good = true;

	if (choices->cipher_count == 0)
		return true;
	/* eNULL and aNULL are not even known here. */
	if (!SSL_CTX_set_cipher_list(context, "ALL"))
		check_out_of_memory("OpenSSL");
	STACK_OF(SSL_CIPHER) *known = sk_SSL_CIPHER_dup(SSL_CTX_get_ciphers(context));
	if (!known)
		check_out_of_memory("OpenSSL");
	for (unsigned i = 0; i < choices->cipher_count; i++) {
		const SSL_CIPHER *cipher = find_cipher(known, choices->ciphers[i].text);

		if (!cipher) {
			unknown_cipher(material, &choices->ciphers[i], known);
			good = false;
		} else {
			append_name(strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3") == 0 ? &newer : &older, cipher);
		}
	}
	sk_SSL_CIPHER_free(known);
	if (good && older.length && !SSL_CTX_set_cipher_list(context, older.bytes))
		check_out_of_memory("OpenSSL");
	if (good && newer.length && !SSL_CTX_set_ciphersuites(context, newer.bytes))
		check_out_of_memory("OpenSSL");
	/* A list of only one version's ciphers means that the other version is not wanted. */
	if (good && !older.length)
		SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	if (good && !newer.length)
		SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	if (good && SSL_CTX_get_min_proto_version(context) > SSL_CTX_get_max_proto_version(context)) {
		material_problem(material, &choices->ciphers[0],
			"none of these ciphers is for the protocol that is chosen: the names of "
			"TLS 1.3's begin with TLS_AES or TLS_CHACHA20");
		good = false;
	}
	text_free(&older);
	text_free(&newer);
	return good;
}

bool material_choices(struct material *material, const struct tls_choices *choices, SSL_CTX *context)
{
	unsigned protocols = choices->protocols ? choices->protocols : TLS_1_2 | TLS_1_3;

	SSL_CTX_set_min_proto_version(context, protocols & TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(context, protocols & TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_send_fragment(context, RECORD_MOST);
	return set_ciphers(material, choices, context);
}

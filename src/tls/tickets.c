/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/memory.h"

/* Present, the one before, and two that may be written while a slow worker still looks at older ones. */
enum { PLACES = 4, NAME = 16, KEY = 32, IV = 16 };

struct key {
	unsigned char name[NAME], cipher[KEY], mac[KEY];
};

struct tickets {
	EVP_CIPHER *cipher;    /* fetched once: each fetch takes a lock */
	_Atomic unsigned made; /* keys so far; the present one is made - 1 */
	struct key keys[PLACES];
};

struct tickets *tickets_new(void)
{
	struct tickets *tickets = memory_new(sizeof *tickets);

	tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (!tickets->cipher)
		check_out_of_memory("OpenSSL");
	tickets_rotate(tickets);
	return tickets;
}

void tickets_free(struct tickets *tickets)
{
	if (!tickets)
		return;
	EVP_CIPHER_free(tickets->cipher);
	OPENSSL_cleanse(tickets->keys, sizeof tickets->keys);
	memory_free(tickets);
}

void tickets_rotate(struct tickets *tickets)
{
	unsigned made = atomic_load_explicit(&tickets->made, memory_order_relaxed);
	struct key *key = &tickets->keys[made % PLACES];

	/* Only a kernel without randomness makes this fail; a key that can be guessed is worse than no proxy. */
	CHECK(RAND_bytes(key->name, NAME) == 1 && RAND_priv_bytes(key->cipher, KEY) == 1 && RAND_priv_bytes(key->mac, KEY) == 1);
	atomic_store_explicit(&tickets->made, made + 1, memory_order_release);
}

static bool set_mac(EVP_MAC_CTX *mac, const struct key *key)
{
	static char sha256[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, KEY),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

int tickets_use(struct tickets *tickets, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	unsigned made = atomic_load_explicit(&tickets->made, memory_order_acquire);
	const struct key *present = &tickets->keys[(made - 1) % PLACES];

	if (sealing) {
		memcpy(name, present->name, NAME);
		if (RAND_bytes(iv, IV) != 1 || !set_mac(mac, present) ||
			EVP_EncryptInit_ex(cipher, tickets->cipher, NULL, present->cipher, iv) != 1)
			return -1;
		return 1;
	}
	for (unsigned age = 1; age <= 2 && age <= made; age++) {
		const struct key *key = &tickets->keys[(made - age) % PLACES];

		if (CRYPTO_memcmp(name, key->name, NAME) != 0)
			continue;
		if (!set_mac(mac, key) || EVP_DecryptInit_ex(cipher, tickets->cipher, NULL, key->cipher, iv) != 1)
			return -1;
		return age == 1 ? 1 : 2; /* 2: and give the client a new one */
	}
	return 0;
}

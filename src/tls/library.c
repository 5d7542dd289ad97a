/* SPDX-License-Identifier: Apache-2.0 */
/* RAND_METHOD is the one way to give all of OpenSSL another generator without a provider of its own. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/library.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "tls/cells.h"
#include "tls/provider.h"
#include "tls/stream_parts.h"

static void *get(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size ? cells_get(size) : NULL;
}

static void *resize(void *cell, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return cells_resize(cell, size);
}

static void put(void *cell, const char *file, int line)
{
	(void)file;
	(void)line;
	cells_put(cell);
}

void library_start(void)
{
	/* There is one OpenSSL in a process, so this is state of the process too. */
	static bool started;

	if (started)
		return;
	started = true;
	if (!CRYPTO_set_mem_functions(get, resize, put))
		LOG(LOG_WARN, "tls", "OpenSSL was in use before and keeps its own heap");
	if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL))
		check_out_of_memory("OpenSSL");
	provider_start();
	flight_prepare();
}

/* --- the simulation's randomness --- */

static struct random *(*drawn_from)(void);

static int draw_bytes(unsigned char *bytes, int count)
{
	struct random *random = drawn_from();

	for (int at = 0; at < count;) {
		uint64_t bits = random_u64(random);
		int some = count - at < (int)sizeof bits ? count - at : (int)sizeof bits;

		memcpy(bytes + at, &bits, (size_t)some);
		at += some;
	}
	return 1;
}

static int draw_status(void)
{
	return 1;
}

void library_draw_from(struct random *(*draw)(void))
{
	static const RAND_METHOD method = { .bytes = draw_bytes, .pseudorand = draw_bytes, .status = draw_status };

	drawn_from = draw;
	RAND_set_rand_method(draw ? &method : NULL);
}

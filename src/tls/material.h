/* SPDX-License-Identifier: Apache-2.0 */
/* tls/material.h: one reading of the files that a server's or a client's options name: certificates, keys, roots, ciphers, each
 * checked, and what is wrong said with its place in the configuration. Private to this room. Control thread; reads files.
 *
 *	struct material material;
 *	material_begin(&material, wall_ns, problems);
 *	ok = material_pair(&material, &options->certificates[0], &pair);
 *	material_end(&material);                          // material.digest then tells these bytes from others
 */
#ifndef TLS_MATERIAL_H
#define TLS_MATERIAL_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/error.h"
#include "doc/problem.h"
#include "tls/options.h"

enum { MATERIAL_DIGEST = 32 };

struct material {
	struct problems *problems;
	int64_t wall_ns;
	int64_t expires;  /* seconds since 1970: the first certificate of ours that ends; INT64_MAX: none read */
	EVP_MD_CTX *hash; /* of all that was read */
	unsigned char digest[MATERIAL_DIGEST];
};

/* A certificate, its chain and its key, which fit. */
struct material_pair {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* without the leaf */
	unsigned char *ocsp;    /* OPENSSL_malloc; NULL: none */
	size_t ocsp_length;
};

void material_begin(struct material *material, int64_t wall_ns, struct problems *problems);
void material_end(struct material *material);

/* Each false: a problem was added; nothing is to be freed. */
MUST_CHECK bool material_pair(struct material *material, const struct tls_certificate *certificate, struct material_pair *pair);
void material_pair_free(struct material_pair *pair);
/* Adds all roots to the store; `names` (may be NULL) gets their subjects. */
MUST_CHECK bool material_trust(
	struct material *material, const struct tls_setting *files, unsigned count, X509_STORE *store, STACK_OF(X509_NAME) * names);
/* The bundle of this machine, where distributions put it. */
MUST_CHECK bool material_system_trust(struct material *material, X509_STORE *store);
/* Versions, ciphers and what both sides share. */
MUST_CHECK bool material_choices(struct material *material, const struct tls_choices *choices, SSL_CTX *context);

/* A name for what was read so far, whom to trust at least, and for `how`, which sessions of this context carry from now on: a session is
 * resumed only by a context with the same name. */
void material_name_sessions(struct material *material, int how, SSL_CTX *context, unsigned char name[MATERIAL_DIGEST]);

void material_problem(struct material *material, const struct tls_setting *setting, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

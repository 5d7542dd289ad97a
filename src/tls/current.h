/* SPDX-License-Identifier: Apache-2.0 */
/* tls/current.h: the present OpenSSL context of a server or client, exchanged by the control thread while workers take references.
 * Private to this room.
 *
 * The lock is held for an increment or an exchange of a pointer; a new connection takes it once, next to the locks that OpenSSL
 * itself takes for one.
 */
#ifndef TLS_CURRENT_H
#define TLS_CURRENT_H

#include <openssl/ssl.h>

#include "io/thread.h"
#include "tls/material.h"

struct current {
	struct lock *lock;
	SSL_CTX *context;
	/* control thread only */
	unsigned char digest[MATERIAL_DIGEST];
	int64_t expires;
};

static inline SSL_CTX *current_take(struct current *current)
{
	SSL_CTX *context;

	lock_take(current->lock);
	context = current->context;
	SSL_CTX_up_ref(context);
	lock_release(current->lock);
	return context;
}

/* Ownership of `context` passes. */
static inline void current_set(struct current *current, SSL_CTX *context, const struct material *material)
{
	SSL_CTX *before = current->context;

	memcpy(current->digest, material->digest, sizeof current->digest);
	current->expires = material->expires;
	lock_take(current->lock);
	current->context = context;
	lock_release(current->lock);
	SSL_CTX_free(before);
}

#endif

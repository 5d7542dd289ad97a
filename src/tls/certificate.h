/* SPDX-License-Identifier: Apache-2.0 */
/* tls/certificate.h: PEM to OpenSSL's certificates and keys and back, and their facts as plain values. Private to this room,
 * since it shows OpenSSL's types. Any thread; heap.
 *
 *	STACK_OF(X509) *chain;
 *	if (certificate_read(bytes, &chain, &why)) ...
 *	certificate_subject(sk_X509_value(chain, 0), &text);
 *	certificate_free_all(chain);
 */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

enum { CERTIFICATE_MOST = 1000 }; /* in one file */

/* All certificates of a PEM text, in its order; other blocks and text between are skipped. ERROR_NOT_FOUND (none),
 * ERROR_SYNTAX, ERROR_LIMIT; `why` (may be NULL) then says what is wrong, without a newline. */
MUST_CHECK int certificate_read(struct slice pem, STACK_OF(X509) * *certificates, struct text *why);
void certificate_free_all(STACK_OF(X509) * certificates); /* NULL is allowed */
void certificate_write(X509 *certificate, struct text *pem);

/* The first private key. ERROR_NOT_FOUND, ERROR_SYNTAX, ERROR_UNSUPPORTED (it is encrypted). */
MUST_CHECK int certificate_read_key(struct slice pem, EVP_PKEY **key, struct text *why);
void certificate_write_key(EVP_PKEY *key, struct text *pem); /* PKCS #8 */
/* "EC P-256", "RSA 2048", "Ed25519" */
void certificate_key_name(EVP_PKEY *key, struct text *out);
/* NULL, or why nobody should trust it: "RSA with 1024 bits" is below what NIST SP 800-57 asks for. */
bool certificate_key_is_weak(EVP_PKEY *key, struct text *why);

/* As RFC 4514 writes it; "(empty)". */
void certificate_name(const X509_NAME *name, struct text *out);
void certificate_serial(X509 *certificate, struct text *out); /* hexadecimal, bytes separated by colons */
/* Seconds since 1970. */
int64_t certificate_seconds(const ASN1_TIME *time);
/* The certificate's one URI, when it has exactly one; else false. `uri` is appended to. */
bool certificate_one_uri(X509 *certificate, struct text *uri);
/* Whether the extension BasicConstraints says that it is an authority's. */
bool certificate_is_ca(X509 *certificate);

/* What OpenSSL says of the last failure on this thread, and forgets it; "unknown" when it says nothing. Static or in `room`. */
const char *certificate_reason(void);

#endif

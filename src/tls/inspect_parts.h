/* SPDX-License-Identifier: Apache-2.0 */
/* tls/inspect_parts.h: what inspect.c and inspect_verify.c share. Private to the room. */
#ifndef TLS_INSPECT_PARTS_H
#define TLS_INSPECT_PARTS_H

#include "tls/certificate.h"
#include "tls/inspect.h"

struct inspect_work {
	const struct inspect_input *input;
	struct inspection *found;
	STACK_OF(X509) * chain, *bundle; /* bundle: NULL when verification is not asked for */
	EVP_PKEY *key;                   /* or NULL */
};

/* `certificate` is an index of the chain, or -1; the sentence begins with its name. */
void inspect_add(struct inspect_work *work, enum inspect_fault_kind kind, int certificate, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* What to call a certificate in a sentence: its subject, or else its first alternative name. */
void inspect_label(X509 *certificate, struct text *out);
int inspect_index(const struct inspect_work *work, const X509 *certificate); /* -1: not of the chain */

/* Against the bundle: every fault that OpenSSL finds on the way to a root. */
void inspect_verify(struct inspect_work *work);
/* Without one: whether the certificates of the chain belong together. */
void inspect_links(struct inspect_work *work);

#endif

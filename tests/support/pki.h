/* SPDX-License-Identifier: Apache-2.0 */
/* support/pki.h: keys and certificates for tests, made on the spot with OpenSSL: any name, any dates, any issuer.
 *
 *	struct pki root, web;
 *	pki_issue(&root, NULL, &(struct pki_options){ .name = "Root", .authority = true });
 *	pki_issue(&web, &root, &(struct pki_options){ .name = "web", .san = "DNS:web.example" });
 *	sim_file_put(host, "web.pem", slice_of(web.certificate));
 *	pki_free(&web);
 *	pki_free(&root);
 */
#ifndef SUPPORT_PKI_H
#define SUPPORT_PKI_H

#include <stdbool.h>
#include <stdint.h>

struct pki {
	char *certificate, *key; /* PEM */
	void *x509, *pkey;
};

struct pki_options {
	const char *name; /* the common name */
	const char *san;  /* "DNS:a.example,URI:spiffe://example/x"; NULL: none */
	bool authority;
	int64_t begins, ends; /* seconds since 1970; 0: 2025-01-01, 2035-01-01 */
};

/* `issuer` NULL: it issues itself. */
void pki_issue(struct pki *pki, const struct pki *issuer, const struct pki_options *options);
void pki_free(struct pki *pki);
/* Its key behind a password; memory_free it. */
char *pki_locked_key(const struct pki *pki);

#endif

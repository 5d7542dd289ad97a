/* SPDX-License-Identifier: Apache-2.0 */
/* tls/request.h: a new private key, and the certificate request (PKCS #10, RFC 2986) that asks for its certificate. Any thread.
 *
 *	struct text key = { 0 }, request = { 0 };
 *	if (request_make(SLICE("spiffe://example.org/ns/web/sa/front"), &key, &request)) ...
 *	request_wipe(&key);             // a key's text is not left behind in freed memory
 */
#ifndef TLS_REQUEST_H
#define TLS_REQUEST_H

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"

/* An ECDSA P-256 key (PKCS #8, PEM), and a request for the SPIFFE ID signed with it. ERROR_SYNTAX: no SPIFFE ID. */
MUST_CHECK int request_make(struct slice id, struct text *key, struct text *request);
void request_wipe(struct text *key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls/tickets.h: the keys that session tickets are sealed with (RFC 5077 section 4), shared by all workers. Private to this room.
 *
 * The control thread makes a new key each period; tickets of the period before are still opened (and then renewed). Workers read
 * without locks: a key is written to a place that nobody looks at, then the number of the present one is changed.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <openssl/ssl.h>

struct tickets;

struct tickets *tickets_new(void);
void tickets_free(struct tickets *tickets);
void tickets_rotate(struct tickets *tickets); /* control thread; at most once in some seconds */
/* For what SSL_CTX_set_tlsext_ticket_key_evp_cb is given. */
int tickets_use(struct tickets *tickets, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing);

#endif

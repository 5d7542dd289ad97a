/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/certificates.h: what nodes, users and services need for TLS: one authority, and two certificates of it for the same name, of
 * which one takes the other's place while connections are made; and OpenSSL's randomness from the run's seed, so that handshakes are the
 * same bytes in each run. Keys and certificates are made once in a process, from a seed of their own.
 *
 *	certificates_begin(harness);
 *	certificates_put(host, 0);     // root.pem, node.pem, node.key
 *	certificates_end();
 */
#ifndef SIM_CERTIFICATES_H
#define SIM_CERTIFICATES_H

#include "harness.h"
#include "io/network.h"
#include "support/pki.h"

#define CERTIFICATES_NAME "node.example"
enum { CERTIFICATES = 2 };

struct certificates {
	struct pki root, nodes[CERTIFICATES];
};

/* One run at a time in a process. */
void certificates_begin(struct harness *harness);
const struct certificates *certificates_of_run(void);
/* The host's files, that certificate of the two in them. */
void certificates_put(struct network *host, unsigned which);
void certificates_end(void);

#endif

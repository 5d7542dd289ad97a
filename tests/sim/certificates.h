/* SPDX-License-Identifier: Apache-2.0 */
/* tests/sim/certificates.h: what nodes need for TLS: one authority for a run, and files on each host; and OpenSSL's randomness from the
 * run's seed, so that handshakes are the same bytes in each run.
 *
 *	certificates_begin(&certificates, harness);
 *	certificates_put(&certificates, host);     // root.pem, node.pem, node.key
 *	certificates_end(&certificates);
 */
#ifndef SIM_CERTIFICATES_H
#define SIM_CERTIFICATES_H

#include "harness.h"
#include "io/network.h"
#include "support/pki.h"

#define CERTIFICATES_NAME "node.example"

struct certificates {
	struct pki root, node;
};

/* One at a time in a process. */
void certificates_begin(struct certificates *certificates, struct harness *harness);
void certificates_put(const struct certificates *certificates, struct network *host);
void certificates_end(struct certificates *certificates);

#endif

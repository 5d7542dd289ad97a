/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/certificates.h: the step between a configuration that is read and one that can run: the files that its options for TLS name are
 * loaded and checked, and the snapshot gets what was made of them. Control thread; reads files.
 *
 *	if (linkerd_load(...) == 0 && certificates_load(snapshot, store, credentials, &problems) == 0)
 *		proxy_apply(proxy, snapshot, &why);
 */
#ifndef PROXY_CERTIFICATES_H
#define PROXY_CERTIFICATES_H

#include "base/error.h"
#include "doc/problem.h"
#include "model/snapshot.h"

struct credentials;
struct tls_store;

/* Before the snapshot is shared. `credentials` (proxy/credentials.h) must be ready; NULL: the snapshot is only looked at, never run.
 * ERROR_INVALID: each thing that is wrong is in `problems`. */
MUST_CHECK int certificates_load(
	struct snapshot *snapshot, struct tls_store *store, const struct credentials *credentials, struct problems *problems);

#endif

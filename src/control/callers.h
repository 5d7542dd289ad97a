/* SPDX-License-Identifier: Apache-2.0 */
/* control/callers.h: which user of this machine may have which SPIFFE IDs. Control thread; heap.
 *
 * A policy is a file, YAML or JSON. Each rule names a user, a group, or both, and what its processes may be called (tls/spiffe.h, with
 * patterns); a caller may have what any rule for it says, and nothing else:
 *
 *	allow:
 *	- uid: 1000
 *	  ids: [spiffe://example.org/ns/web/sa/front]
 *	- gid: 2000
 *	  ids: [spiffe://example.org/ns/batch/sa/nightly, spiffe://example.org/ns/batch/sa/hourly]
 *
 * Without a file the signer's own user and root may have any ID of the trust domain.
 *
 *	struct callers *callers;
 *	if (callers_load("/etc/weft/ca.yaml", &callers, &why)) ...       // NULL: without a file
 *	if (!callers_allow(callers, &peer, &id)) ...
 *	callers_free(callers);
 */
#ifndef CONTROL_CALLERS_H
#define CONTROL_CALLERS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "io/stream.h"
#include "tls/spiffe.h"

struct callers;

/* What is wrong with the file is in `why`, line by line. ERROR_SYNTAX, and those of file_read. */
MUST_CHECK int callers_load(const char *path, struct callers **callers, struct text *why);
void callers_free(struct callers *callers); /* NULL is allowed */
bool callers_allow(const struct callers *callers, const struct stream_peer *peer, const struct spiffe *id);

#endif

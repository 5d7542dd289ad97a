/* SPDX-License-Identifier: Apache-2.0 */
/* support/codecs.h: the codecs that the proxy is tried with: HTTP/1, HTTP/2, one to the other, and the tests' own, plain and with a filter on the streams.
 *
 * A `checked` codec is the same, but every side that its sessions give out is checked by support/contract.h: for the proxy, whose
 * exchanges don't know of it. Its sessions must be gone before codecs_check_finished.
 */
#ifndef SUPPORT_CODECS_H
#define SUPPORT_CODECS_H

#include "session/session.h"

struct test_codec {
	const char *name;
	bool calls_share, origins_share; /* exchanges share a connection: to the proxy; from it */
	struct codec ends, checked;
};

enum { TEST_CODECS = 8 };
extern const struct test_codec test_codecs[TEST_CODECS];

/* Every side was released. */
void codecs_check_finished(void);

#endif

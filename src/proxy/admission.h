/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/admission.h: whether a listener lets a request in, as far as its head and its caller's certificate say: the step `admit`, and explain. Pure; any thread.
 *
 *	if (admission_judge(head, policy) != ADMISSION_YES) ...       // it is answered from here
 */
#ifndef PROXY_ADMISSION_H
#define PROXY_ADMISSION_H

#include "model/router.h"
#include "wire/head.h"

enum admission {
	ADMISSION_YES,
	ADMISSION_TOO_DEEP,     /* it has come through more proxies than max_call_depth */
	ADMISSION_CONNECT,      /* no router of ours makes tunnels */
	ADMISSION_BAD_FORWARDS, /* Max-Forwards is not a number */
	ADMISSION_LAST,         /* Max-Forwards says that this is the end of its way (RFC 9110 section 7.6.2) */
	ADMISSION_FEWER,        /* it may go on, with `admission_forwards` - 1 left */
};

/* Whom a listener with `peerIds` lets in, of those who come by TLS: `id` is what their verified certificates say. *by (may be NULL): which
 * of them it is; NULL: none, or there are none. */
bool admission_may_call(const struct listener_policy *policy, struct slice id, const struct tls_setting **by);
enum admission admission_judge(struct head *head, const struct listener_policy *policy);
/* For ADMISSION_FEWER. */
uint64_t admission_forwards(struct head *head);
/* Its answer's status; 0: it is forwarded. */
unsigned admission_status(enum admission admission);
/* The answer's text; static, empty for none. Of ADMISSION_TOO_DEEP the answer names the limit, too. */
struct slice admission_text(enum admission admission);

#endif

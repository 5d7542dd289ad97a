/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/access.h: lines of access logs, as Linkerd 1.x writes them: one for each response of an endpoint, so one for each attempt that was
 * answered. The worker's thread; nothing waits for a disk (observe/access_log.h).
 *
 *	HOST REMOTE - - [26/11/2026:18:22:19 UTC] "GET /path HTTP/1.1" 200 5 "REFERER" "USER-AGENT"
 *
 * or, as the router's policy says, as JSON (access_json.h) or by a format string (access_text.h).
 */
#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

#include "proxy/exchange.h"

/* For an exchange of a router with a log, when the response's head has come. */
void access_write(struct exchange *exchange, struct head *response);

#endif

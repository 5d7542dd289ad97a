/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/access_json.h: a line of an access log as one JSON object, by OpenTelemetry's semantic conventions for HTTP and its fields for trace
 * context in logs. The worker's thread.
 *
 *	{"timestamp":"2026-11-26T18:22:19.123Z","trace_id":"…","span_id":"…","http.request.method":"GET","url.path":"/a", …}
 */
#ifndef PROXY_ACCESS_JSON_H
#define PROXY_ACCESS_JSON_H

#include "proxy/access_line.h"
#include "proxy/exchange.h"

/* Laid at `at`, with its newline; returns where it ends. */
char *access_json(char *at, const struct exchange *exchange, struct head *response);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/access_text.h: a line of an access log by a format string (model/access_format.h). The worker's thread.
 *
 *	2026-11-26T18:22:19.123Z 10.0.0.7 "GET /a" 200
 */
#ifndef PROXY_ACCESS_TEXT_H
#define PROXY_ACCESS_TEXT_H

#include "model/access_format.h"
#include "proxy/access_line.h"
#include "proxy/exchange.h"

/* Laid at `at`, with its newline; returns where it ends. */
char *access_text(char *at, const struct access_format *format, const struct exchange *exchange, struct head *response);

#endif

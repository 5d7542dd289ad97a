/* SPDX-License-Identifier: Apache-2.0 */
/* tls/record.h: how large our records are, so that each fits into one buffer. Private to this room. */
#ifndef TLS_RECORD_H
#define TLS_RECORD_H

#include "base/buffer.h"

/* A record adds at most: 5 of header; TLS 1.2 with CBC: 16 of IV, 48 of MAC, 16 of padding (RFC 5246 section 6.2.3.2). */
enum { RECORD_OVERHEAD = 96, RECORD_MOST = BUFFER_CAPACITY - RECORD_OVERHEAD };

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* wire/websocket.h: the handshake of WebSocket over HTTP/1.1 (RFC 6455 section 4), for upgrades that come from or go to HTTP/2,
 * which has none (RFC 8441 section 5). Pure; any thread.
 *
 *	websocket_key(nonce, key);
 *	websocket_accept(slice_make(key, WEBSOCKET_KEY), accept);
 */
#ifndef WIRE_WEBSOCKET_H
#define WIRE_WEBSOCKET_H

#include <stdint.h>

#include "wire/head.h"

enum { WEBSOCKET_NONCE = 16, WEBSOCKET_KEY = 24, WEBSOCKET_ACCEPT = 28 };

/* Sec-WebSocket-Key: the nonce in base64. */
void websocket_key(const uint8_t nonce[WEBSOCKET_NONCE], char key[WEBSOCKET_KEY]);
/* Sec-WebSocket-Accept, the answer to a key. */
void websocket_accept(struct slice key, char accept[WEBSOCKET_ACCEPT]);

/* Whether a request asks for one, and for nothing else. */
bool websocket_asked(const struct head *request);
/* Its Sec-WebSocket-Key, or an empty slice. */
struct slice websocket_key_of(const struct head *request);
/* Whether a response with status 101 has the Sec-WebSocket-Accept that belongs to the request's key (RFC 6455 section 4.1). */
bool websocket_accepted(const struct head *request, const struct head *response);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls/key_schedule.h: the key schedule of TLS 1.3 (RFC 8446 section 7.1) as OpenSSL calls it, as a key derivation TLS13-KDF of a
 * provider: HKDF (RFC 5869) with SHA-256 or SHA-384.
 *
 * OpenSSL's own fetches a digest and sets up four contexts on the heap for each of some 25 derivations of a handshake; this one works on
 * the stack. All parameters come with the call that derives: setting them before is refused. Any thread.
 *
 * Private to this room.
 */
#ifndef TLS_KEY_SCHEDULE_H
#define TLS_KEY_SCHEDULE_H

#include <openssl/core.h>

/* For OSSL_OP_KDF; ends with function 0. */
extern const OSSL_DISPATCH key_schedule_functions[];

#endif

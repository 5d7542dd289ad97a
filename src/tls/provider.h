/* SPDX-License-Identifier: Apache-2.0 */
/* tls/provider.h: OpenSSL's own algorithms, with those parts replaced that a handshake spends most of its time in without need.
 *
 * OpenSSL 3 takes every algorithm from a provider. Ours answers with what OpenSSL's default provider has, but for
 *
 *	EC keys      A peer's key on a curve of prime order is checked to be a point of that curve and not infinity, which is all there
 *	             is to check (SP 800-56A revision 3, section 5.6.2.3.4: the cofactor is 1). OpenSSL multiplies it by the order, too,
 *	             which costs as much as the exchange itself. Keys are made of curves that were set up once.
 *	TLS13-KDF    The key schedule of TLS 1.3 (tls/key_schedule.h), which is called some 25 times in a handshake.
 *
 * It is used where its parts are known to fit: OpenSSL 3.0. Any other has its own provider only, and works as well.
 *
 *	library_start()    calls provider_start() once, before the first algorithm is asked for.
 *
 * Private to this room. Control thread; what it set up is only read afterwards, by any thread.
 */
#ifndef TLS_PROVIDER_H
#define TLS_PROVIDER_H

/* Memory that is out ends the process. */
void provider_start(void);

#endif
